"""From D-GEX's original files to the paper's standardised profiles, in one call."""

import contextlib
import errno
import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl._checks import one_of
from lsmtl.data import fetch
from lsmtl.data.originals import stages
from lsmtl.data.originals.files import find
from lsmtl.data.originals.report import report
from lsmtl.data.originals.sums import (
    CONVENTIONS,
    add_difference,
    add_spread,
    new_spread,
)
from lsmtl.data.originals.work import Work, peak_memory, replace

HERE = Path(__file__).parent
USED = [
    HERE / f"{name}.py"
    for name in ("duplicates", "files", "pipeline", "stages", "sums", "work")
]
READERS = ("blocks", "gct", "gctx", "matrices")
USED += [HERE.parent / f"{name}.py" for name in ("on_demand", "splits", *READERS)]
USED += sorted((HERE.parent / "preprocess").glob("*.py"))
PLATFORMS = {"1000G": "validation", "GTEx": "test"}
FULL = (errno.ENOSPC, errno.EDQUOT)


def prepare(folder, conventions="ours", output=None, maps=None):
    """The paper's whole pre-processing of D-GEX's original files.

    Probes become genes; of two arrays closer than 1 over all probes the later one
    goes; the rest is divided 80/10/10 and given the same quantiles; RNA sequencing is
    mapped onto them; every platform is standardised. By our conventions quantiles,
    means and deviations come from the training arrays, by D-GEX's from all arrays.

    Files are read in blocks. What is done lies in `geo.work` beside the products, so
    that a run that was stopped, in whatever way, goes on where it was; the folder
    goes when the products are whole.

    Args:
        folder: where the three files lie, under their names.
        conventions: `"ours"`, `"dgex"` or `"both"`.
        output: the folder of the products; default: where `load` finds them.
        maps: `map_lm.txt` and `map_tg.txt` → Path; default: those of the registry.

    Returns:
        (report, paths): the report's text, and the files made: for our conventions
        `geo.h5ad` and `geo-rnaseq.h5ad`, for D-GEX's `geo-dgex.h5ad` and
        `geo-rnaseq-dgex.h5ad`; `geo-report.md`, `geo-duplicates.csv` with every
        array that was removed, `geo-unused.csv` with the probes and genes on disk
        that no gene uses.

    Raises:
        ValueError: a file is missing or can't be used, `output` can't be written, its
            disk is full, or another process is at it.
        FileNotFoundError: the maps are missing and can't be downloaded.
    """
    from filelock import FileLock, Timeout

    one_of("conventions", conventions, (*CONVENTIONS, "both"))
    wanted = CONVENTIONS if conventions == "both" else (conventions,)
    output = Path(output or fetch.writable() / "converted").expanduser()
    if not fetch.can_write(output):
        raise ValueError(f"the folder {str(output)!r} can't be written")
    maps = maps or {name: fetch.path(name) for name in fetch.GENES}
    files = find(folder, maps)
    plan = {
        "code": [hashlib.sha256(file.read_bytes()).hexdigest() for file in USED],
        **files.identity(),
    }
    try:
        output.mkdir(parents=True, exist_ok=True)
        with FileLock(output / "geo.lock", timeout=0):
            return _prepare(files, plan, wanted, output)
    except Timeout:
        raise ValueError(
            f"another process is making the same files in {str(output)!r}"
        ) from None
    except OSError as error:
        if error.errno not in FULL and "No space left" not in str(error):
            raise
        missing = needed(files, wanted, output / "geo.work")
        raise ValueError(
            f"no space left in {str(output)!r}: {missing / 1e9:.1f} GB more are "
            "needed; the same command goes on when there is room"
        ) from error


def _prepare(files, plan, wanted, output):
    stamp = hashlib.sha256(json.dumps(plan).encode()).hexdigest()[:16]
    names = [n + "-dgex" * (c == "dgex") for n in ("geo", "geo-rnaseq") for c in wanted]
    paths = [output / f"{name}.h5ad" for name in names]
    others = ("geo-report.md", "geo-duplicates.csv", "geo-unused.csv")
    paths += [output / name for name in others]
    folder = output / "geo.work"
    if all(path.is_file() for path in paths) and all(
        _stamp(path) == stamp for path in paths[: len(names)]
    ):
        shutil.rmtree(folder, ignore_errors=True)
        return paths[len(names)].read_text("utf-8"), paths
    missing, free = needed(files, wanted, folder), shutil.disk_usage(output).free
    if missing > free:
        raise ValueError(
            f"{str(output)!r} needs {missing / 1e9:.1f} GB more, its disk has "
            f"{free / 1e9:.1f} GB left"
        )
    work = Work(folder, plan)
    found = _run(work, files, wanted, stamp)
    if plan != plan | files.identity():
        raise ValueError("the original files were changed meanwhile; start again")
    for path in reversed(paths):  # the arrays' product last
        if (folder / path.name).exists():
            replace(folder / path.name, path)
        elif _stamp(path) != stamp:  # nor was it moved before a kill
            shutil.rmtree(folder)
            raise ValueError(f"{path.name} was lost in {str(folder)!r}; start again")
    shutil.rmtree(folder)
    return found, paths


def needed(files, wanted, folder):
    """Bytes that are still to be written for these conventions, about."""
    samples, genes = len(files.geo.samples), len(files.genes)
    rnaseq = len(files.gtex.samples) + files.geuvadis.n_obs
    row, copies = 4 * genes, 1 + len(wanted)
    total = copies * row * (samples + rnaseq) + 1000 * samples + 5e7
    there = [p.stat().st_blocks * 512 for p in Path(folder).glob("*")]
    return max(total - sum(there), 0)


def _stamp(path):
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return file["uns/plan"].asstr()[()]
    except (OSError, LookupError, TypeError):
        return None


def _run(work, files, wanted, stamp):
    """All stages; the products lie in the work folder when it returns the report."""
    gtex = stages.select_rnaseq(work, files)
    stages.average_probes(work, files, stages.find_directions(work, files.geo))
    twin, distance = stages.find_duplicates(work, files)
    use = stages.divide(twin)
    genes = len(files.genes)
    reference, before = stages.average_quantiles(work, genes, use)
    moments, after = stages.take_statistics(work, files, use, reference)

    def about(convention, title, more):
        return {
            "conventions": convention,
            "plan": stamp,
            "reference": reference[convention],
            "source": {
                "title": title,
                "licence": "as its sources: GEO, GTEx, 1000 Genomes (GEUVADIS)",
                "files": "; ".join(files.shapes()),
            },
        } | more

    obs, parts = stages.frame_of_samples(files, use), {}
    stage = "standardised " + " ".join(sorted(wanted))
    for convention in wanted:
        path = work.folder / f"geo{'-dgex' * (convention == 'dgex')}.h5ad"
        if not work.state(stage):
            mean, deviation = moments[convention]
            var = files.genes.assign(mean=mean, deviation=deviation)
            uns = about(convention, "GEO's arrays as D-GEX chose them", {})
            stages.skeleton(path, obs, var, uns)
        if path.exists():  # it was moved if a kill came later
            parts[convention] = path
    with contextlib.ExitStack() as stack:
        for convention, path in parts.items():
            parts[convention] = stack.enter_context(stages.values_of(path, genes))
        difference = {
            "GEO": stages.write_arrays(
                work, files, use, reference, moments, parts, stage
            )
        }
    spreads = {"GEO": (before, after)}
    begun = time.perf_counter()
    spreads |= _rnaseq(work, files, gtex, wanted, reference, about, difference)
    rnaseq = {"RNA sequencing": (time.perf_counter() - begun, peak_memory())}
    names = files.geo.samples
    removed = np.flatnonzero(twin >= 0)
    pd.DataFrame(
        {
            "removed": names[removed],
            "repeats": names[twin[removed]],
            "distance": distance[removed],
        }
    ).to_csv(work.folder / "geo-duplicates.csv", index=False)
    unused = files.unused()
    unused.to_csv(work.folder / "geo-unused.csv", index=False)
    text = report(
        files,
        use,
        distance[removed],
        unused,
        spreads,
        reference,
        moments,
        difference,
        work.spent() | rnaseq,
    )
    (work.folder / "geo-report.md").write_text(text, "utf-8")
    return text


def _rnaseq(work, files, gtex, wanted, reference, about, difference):
    """Write RNA sequencing by the conventions; platform → spread before and after."""
    import anndata

    raw = {
        "1000G": (
            files.geuvadis.X[:, files.geuvadis_columns],
            files.geuvadis.obs_names,
        ),
        "GTEx": (gtex, files.gtex.samples),
    }
    spreads, made, moments = {}, {c: [] for c in wanted}, {c: {} for c in wanted}
    for platform, (values, names) in raw.items():
        mapped = stages.match_rnaseq(platform, values, reference, names)
        scaled = {c: stages.in_deviations(*m) for c, m in mapped.items()}
        total = {"max": np.zeros(1), "sum": np.zeros(1)}
        add_difference(total, scaled)
        difference[platform] = total["max"][0], total["sum"][0] / values.size
        sums = new_spread(), new_spread()
        for spread, found in zip(sums, (values, mapped["ours"][0]), strict=True):
            add_spread(spread, np.sort(found, axis=1))
        spreads[platform] = sums
        for convention in wanted:
            made[convention].append(scaled[convention])
            _, mean, deviation = mapped[convention]
            moments[convention] |= {
                f"mean_{platform}": mean,
                f"deviation_{platform}": deviation,
            }
    count = [len(names) for _, names in raw.values()]
    obs = pd.DataFrame(
        {
            "platform": np.repeat([*PLATFORMS], count),
            "use": np.repeat([*PLATFORMS.values()], count),
        },
        np.concatenate([names for _, names in raw.values()]),
    )
    for convention in wanted:
        title = "RNA sequencing of GTEx and 1000 Genomes on the scale of GEO's arrays"
        adata = anndata.AnnData(
            np.concatenate(made[convention]),
            obs=obs,
            var=files.genes.assign(**moments[convention]),
            uns=about(convention, title, {"within": "platform"}),
        )
        path = work.folder / f"geo-rnaseq{'-dgex' * (convention == 'dgex')}.h5ad"
        adata.write_h5ad(path)
    return spreads
