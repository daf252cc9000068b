"""On-demand files: downloaded once, checked by hash, kept in one folder."""

import argparse
import contextlib
import csv
import functools
import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

from lsmtl._checks import one_of
from lsmtl._progress import tqdm

REGISTRY = Path(__file__).with_name("registry.csv")
TIMEOUT = (10, 60)  # seconds to connect, and without a byte
CHUNK = 2**16  # bytes
GENES = ("map_lm.txt", "map_tg.txt")
CELLS = ("E003", "E004", "E005", "E006", "E007", "E037", "E038", "E116", "E123")
EXPRESSION = tuple(f"{cell}.expr.csv" for cell in CELLS)
PARTS = ("train", "valid", "test")
SAMPLE = [f"Cell{i}.{part}.csv" for i in (1, 2) for part in (*PARTS, "expr")]
SIGNAL = [f"{cell}.{part}.csv" for cell in CELLS for part in PARTS]
DATASETS = {
    "arrays": ("nakayama.RData", "chowdary.RData", "borovecki.RData", *GENES),
    "rnaseq": ("colon_transcriptomics.gz", "lcl_count.data.rda", *GENES),
    "gtex59": ("GTEx_Analysis_2017-06-05_v8_RNASeQCv1.1.9_gene_reads.acmg_59.gct.gz",),
    "deepdiff": (*SAMPLE, *EXPRESSION),
    "deepdiff-full": (*SIGNAL, *EXPRESSION),
    "mhc": ("hla_bind_proteins.txt",),
    "school": ("school_b.mat", *(f"school_{i}_indexes.mat" for i in range(1, 11))),
}
LARGE = "deepdiff-full"  # only when asked for by name


def registry():
    """What is known of each file: url, sha256, git_blob, bytes, licence, content."""
    with REGISTRY.open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def folder():
    """The folder of the files: `$LSMTL_DATA`, or the user's cache.

    Raises:
        ValueError: `$LSMTL_DATA` is a file; a missing folder is made when needed.
    """
    if not os.environ.get("LSMTL_DATA"):
        return _cache()
    place = Path(os.environ["LSMTL_DATA"]).expanduser()
    if place.exists() and not place.is_dir():
        raise ValueError(f"LSMTL_DATA must be a folder, got the file {str(place)!r}")
    return place


def writable():
    """Where downloads go: `folder()`, or the user's cache if that can't be written."""
    return folder() if can_write(folder()) else _cache()


def path(name):
    """A file as Path: found or downloaded, its hash checked each time.

    Args:
        name: a file of the registry, `nakayama.RData` say.

    Raises:
        ValueError: the registry has no such file, or what was found or downloaded
            has another hash.
        FileNotFoundError: the file isn't there and can't be downloaded.
    """
    rows = registry()
    row = rows[one_of("file", name, rows)]
    found = _find(name) or _download(row, writable() / name)
    if wrong := _mismatch(found, row):
        raise ValueError(
            f"{found} has the wrong hash: {wrong}; remove it to have it downloaded anew"
        )
    return found


def available(dataset):
    """Whether all files of a dataset are there; of each only the size is checked."""
    names, rows = DATASETS[one_of("dataset", dataset, DATASETS)], registry()
    found = [(_find(name), rows[name]["bytes"]) for name in names]
    return all(file and size in ("", str(file.stat().st_size)) for file, size in found)


def _cache():
    try:
        return Path(_pooch().os_cache("lsmtl"))
    except ImportError:  # files that are there can be used without pooch
        return Path.home() / ".cache" / "lsmtl"


def _pooch():
    with warnings.catch_warnings(action="ignore"):  # tqdm misses ipywidgets
        import pooch
    return pooch


def can_write(place):
    """Whether a file can be made there, or where the folder itself would be made."""
    there = next(p for p in (place.absolute(), *place.absolute().parents) if p.exists())
    if not there.stat().st_mode & 0o222:  # nobody's to write, not even root's
        return False
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=there):
        return True
    return False


def _find(name):
    places = (folder() / name, writable() / name)
    return next((file for file in places if file.is_file()), None)


def _mismatch(file, row):
    """How a file differs from its row of the registry; empty if it doesn't."""
    kind, digest = "sha256", hashlib.sha256()
    if not row["sha256"]:
        header = b"blob %d\0" % file.stat().st_size
        kind, digest = "git_blob", hashlib.sha1(header, usedforsecurity=False)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: digest).hexdigest()
    return "" if found == row[kind] else f"expected {kind} {row[kind]}, found {found}"


def _download(row, target):
    """Get a file that isn't there: `target` becomes whole and right or isn't made."""
    try:
        from filelock import FileLock

        pooch = _pooch()
        pooch.get_logger().setLevel("WARNING")
        target.parent.mkdir(parents=True, exist_ok=True)
        get = functools.partial(_stream, row, Path(f"{target}.part"))
        with FileLock(target.parent / ".lock"):  # a .part has one writer
            # No hash for pooch: `_stream` checks, and pooch would replace wrong files.
            pooch.retrieve(row["url"], None, target.name, target.parent, downloader=get)
    except (ImportError, OSError) as error:  # what requests raises is an OSError
        reason = getattr(next(iter(error.args), error), "reason", error)
        raise FileNotFoundError(
            f"{target.name} isn't in {folder()} and can't be downloaded ({reason}); "
            "`make data` gets it where there is a network, or set LSMTL_DATA to a "
            "folder that has it"
        ) from error
    return target


def _stream(row, part, url, output, _):
    """Download to `part`, going on where an earlier try ended, then to `output`."""
    import requests

    have = part.stat().st_size if part.exists() else 0
    rest = {"Range": f"bytes={have}-"} if have else {}
    headers = {"Accept-Encoding": "identity", **rest}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if have and answer.status_code == 416:  # the server has nothing from there on
            part.unlink()
            return _stream(row, part, url, output, _)
        answer.raise_for_status()
        have = have if answer.status_code == 206 else 0
        total = have + int(answer.headers.get("Content-Length", 0))
        answer.raw.enforce_content_length = False  # it would drop the last bytes
        bar = {"desc": part.stem, "unit": "B", "unit_scale": True, "leave": False}
        bar |= {"initial": have, "total": total or None}
        with part.open("ab" if have else "wb") as file, tqdm(**bar) as progress:
            for chunk in answer.iter_content(CHUNK):
                progress.update(file.write(chunk))
    if (size := part.stat().st_size) < total:
        raise requests.ConnectionError(f"{url} ended after {size} of {total} bytes")
    if wrong := _mismatch(part, row):
        part.unlink()
        raise ValueError(f"{url} is not the file it should be: {wrong}")
    os.replace(part, output)


def main(arguments=None):
    """Get the files of datasets, tell what is there; 1 if something is missing.

    With `--dgex` make the paper's profiles of D-GEX's original files instead.
    """
    from lsmtl.data import originals  # here, because it needs this module

    parser = argparse.ArgumentParser(prog="python -m lsmtl.data")
    parser.add_argument("dataset", nargs="*", help=f"default: all but {LARGE}")
    parser.add_argument("--dgex", help="the folder of D-GEX's original files")
    parser.add_argument("--conventions", choices=("ours", "dgex", "both"))
    parser.add_argument("--output", help="the folder for what is made of them")
    given = parser.parse_args(arguments)
    if given.dgex is not None:
        if given.dataset:
            parser.error(f"--dgex takes no dataset, got {' '.join(given.dataset)}")
        return _prepare(given.dgex, given.conventions or "ours", given.output)
    if given.conventions or given.output:
        parser.error("--conventions and --output belong to --dgex")
    usual = [name for name in DATASETS if name != LARGE]
    chosen = given.dataset or usual
    try:
        folder()
        for dataset in chosen:
            one_of("dataset", dataset, DATASETS)
    except ValueError as error:
        parser.error(str(error))
    rows, status = registry(), 0
    for dataset in chosen:
        size, state, names = 0, "there", DATASETS[dataset]
        for name in names:
            try:
                size += path(name).stat().st_size
            except (OSError, ValueError) as error:
                state = f"missing: {error}" if state == "there" else state
                status = 1
        licences = ", ".join(sorted({rows[name]["licence"] for name in names}))
        files = f"{len(names)} file{'s' * (len(names) > 1)}, {size / 1e6:.1f} MB"
        print(f"{dataset}: {files}, {licences}, {state}", flush=True)
    if not given.dataset:
        _tell_of(originals)
    return status


def _tell_of(originals):
    absent = []
    for name in originals.PRODUCTS:
        try:
            size = originals.path(name).stat().st_size
            print(f"{name}: 1 file, {size / 1e6:.1f} MB, made of D-GEX's files, there")
        except FileNotFoundError:
            absent.append(name)
    if absent:
        how = "`make data DGEX=/path` makes them of D-GEX's original files"
        print(f"{', '.join(absent)}: not made; {how}")


def _prepare(folder, conventions, output):
    from lsmtl.data import originals

    try:
        report, paths = originals.prepare(folder, conventions, output)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(report)
    for made in paths:
        print(made)
    return 0
