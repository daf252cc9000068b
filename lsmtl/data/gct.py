"""Expression matrices as text (genes × samples): GCT of GTEx and LINCS, GEUVADIS."""

import gzip
import re
import zlib

import numpy as np
import pandas as pd

from lsmtl._checks import whole
from lsmtl.data.matrices import assembled, measured, named, new_name, regular

LONGEST = 2**26  # bytes a line: more is no expression matrix
PART = 2**21  # values that are read before they are put in place
LARGEST = 3.4028235e38  # that float32 holds
NUMBERS = re.compile(r"[-+.0-9eE\t]*")  # Python's float also takes nan, 1_0 and ¼
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
WHOLE = re.compile(r"[0-9]{1,15}")
GEUVADIS = ["TargetID", "Gene_Symbol", "Chr", "Coord"]


def read_gct(path, rows=None, minimum=None):
    r"""An expression matrix in GCT format, version 1.2 or 1.3, as AnnData.

    Args:
        path: a `.gct` or `.gct.gz` file: `#1.2`, a line with the numbers of genes and
            samples, a line of column names, and a line a gene: name, description,
            values. `#1.3` also announces the numbers of metadata columns (of genes)
            and of metadata lines (of samples, above the first gene). Lines end in
            a line feed, or all of them in carriage return and line feed.
        rows: how many genes the file really has, where its header is known to be
            wrong; None believes the header.
        minimum: the smallest value allowed (0 for counts); None allows all.

    Returns:
        AnnData, samples × genes, X float32, gene names as in the file,
        `uns["source"]` with the file's name. Version 1.2 gives `var["description"]`,
        version 1.3 its metadata as columns of var and obs, as text.

    Raises:
        ValueError: the file is no GCT 1.2 or 1.3, is cut off or not UTF-8, has another
            number of genes or samples than announced or none, a line of another
            length, a value that is no finite number or too small, or names that are
            empty, not printable, occur twice or have blanks at an end; it says which.
            Or it is a pipe or a device.
        FileNotFoundError: there is no such file, or none where a link leads.
        OSError: it is a folder, a loop of links, or must not be read.

    >>> from tempfile import NamedTemporaryFile
    >>> lines = "#1.2", "1 2", "Name Description a b", "G1 TP53 0.5 3"
    >>> with NamedTemporaryFile("w", suffix=".gct") as file:
    ...     for line in lines:
    ...         print(*line.split(), sep="\t", file=file, flush=True)
    ...     read_gct(file.name).to_df()["G1"].to_dict()
    {'a': 0.5, 'b': 3.0}
    """
    return _whole(path, _gct_head, rows, minimum)


def read_geuvadis(path, rows=None, minimum=None):
    """The expression matrix of GEUVADIS, `GD462.GeneQuantRPKM.….txt`, as AnnData.

    Args:
        path: a `.txt` or `.txt.gz` file, tab-separated: a line of column names, and
            a line a gene: TargetID, Gene_Symbol, Chr, Coord, values.
        rows: how many genes the file has. None takes what is there, and can't notice
            whole lines that are missing at the end: the file doesn't say how many.
        minimum: the smallest value allowed (0 for RPKM); None allows all.

    Returns:
        AnnData, samples × genes, X float32, `var` with Gene_Symbol, Chr and Coord as
        text.

    Raises:
        ValueError, OSError: as `read_gct`.
    """
    return _whole(path, _geuvadis_head, rows, minimum)


def gct_blocks(path, size, minimum=None):
    """Yield a GCT file as AnnData of all samples and `size` genes each."""
    return _blocks(path, _gct_head, minimum, size)


def geuvadis_blocks(path, size, minimum=None):
    """Yield a file of GEUVADIS as AnnData of all samples and `size` genes each."""
    return _blocks(path, _geuvadis_head, minimum, size)


def _blocks(path, head, minimum, size):
    path = regular(path)
    for obs, var, x in _parts(path, head, None, minimum, size):
        yield assembled(path, np.ascontiguousarray(x), obs.copy(), var)


def _whole(path, head, rows, minimum):
    path = regular(path)
    parts = [*_parts(path, head, rows, minimum, None)]
    obs, var = parts[0][0], pd.concat([var for _, var, _ in parts])
    x = np.empty((len(obs), len(var)), np.float32)
    np.concatenate([part for _, _, part in parts], axis=1, out=x)
    return assembled(path, x, obs, var)


def _parts(path, head, rows, minimum, size):
    """Yield the samples' and genes' metadata and x (samples, genes), part by part.

    Each has `size` genes, with None a size that takes little memory; the last may have
    fewer, and none if the file has none. Genes beyond the expected number are counted,
    not kept.
    """
    lines = lines_of(path)
    announced, labels, obs = head(path, lines)
    expected = announced if rows is None else whole("rows", rows)
    named(path, "sample", obs.index)
    width = 1 + len(labels)
    size = size or max(1, PART // max(1, len(obs)))
    seen, count, genes, values = set(), 0, [], []

    def part():
        x = np.array(values, np.float32).reshape(len(genes), len(obs)).T
        values.clear()
        names = [gene[0] for gene in genes]
        x = measured(path, x, obs.index, names, minimum)
        var = pd.DataFrame([gene[1:] for gene in genes], names, labels, dtype=str)
        genes.clear()
        return obs, var, x

    for number, line in lines:
        count += 1
        if expected is not None and count > expected:
            continue
        where = f"{path.name}, line {number}"
        columns = line.count("\t") + 1
        if columns != width + len(obs):
            raise ValueError(f"{where}: {columns} columns, expected {width + len(obs)}")
        fields = line.split("\t")
        new_name(where, "gene", count, fields[0], seen)
        if len(genes) == size:
            yield part()
        genes.append(fields[:width])
        values.append(numbers(where, fields[width:], obs.index))
    if expected not in (None, count):
        hint = "" if announced is None else f"; its header announces {announced}"
        hint += f"; rows={count} reads it nevertheless" if rows is None else ""
        raise ValueError(f"{path.name} has {count} genes, expected {expected}{hint}")
    yield part()


def lines_of(path):
    """Yield (number, text) of each line; a ValueError where one is no whole text."""
    opened = gzip.open if path.suffix == ".gz" else open
    number, first = 0, b""
    with opened(path, "rb") as file:
        while True:
            number += 1
            where = f"{path.name}, line {number}"
            try:
                raw = file.readline(LONGEST)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise ValueError(
                    f"{path.name} is no whole gzip file: {error}"
                ) from None
            if not raw:
                return
            text = raw.rstrip(b"\r\n")
            if b"\0" in text:
                raise ValueError(f"{where} has a NUL byte, expected text")
            end = raw[len(text) :]
            first = first or end
            if b"\r" in text or end not in (b"\n", b"\r\n", b""):
                raise ValueError(f"{where}: a carriage return that ends no line")
            if not end:
                raise ValueError(f"{where} is cut off or too long: it has no end")
            if end != first:
                raise ValueError(f"{where} ends in {end!r}, line 1 in {first!r}")
            try:
                line = text.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(f"{where} is not UTF-8: {error.reason}") from None
            yield number, line


def _gct_head(path, lines):
    """The announced number of genes, their metadata's names, the samples' metadata."""
    version, size, columns = (next(lines, (0, ""))[1] for _ in range(3))
    version = version.rstrip("\t")
    if version not in ("#1.2", "#1.3"):
        raise ValueError(
            f"{path.name} must start with #1.2 or #1.3, got {version[:40]!r}"
        )
    old = version == "#1.2"
    count = 2 if old else 4
    sizes = size.rstrip("\t").split("\t", count)
    if len(sizes) != count or not all(map(WHOLE.fullmatch, sizes)):
        more = "" if old else ", metadata columns and metadata lines"
        raise ValueError(
            f"{path.name}, line 2: expected the numbers of genes and samples{more}, "
            f"got {[text[:40] for text in sizes]!r}"
        )
    genes, samples, width, height = (*map(int, sizes), 1, 0)[:4]
    start = columns.split("\t", 2)[: 2 if old else 1]
    if old and [name.lower() for name in start] != ["name", "description"]:
        raise ValueError(
            f"{path.name}, line 3 must start with Name and Description, got "
            f"{[name[:40] for name in start]!r}"
        )
    if not old and start[0].lower() != "id":
        raise ValueError(f"{path.name}, line 3 must start with id, got {start[0]!r}")
    found = columns.count("\t") - width
    if found != samples:
        raise ValueError(
            f"{path.name} has {max(found, 0)} samples, its header announces {samples}"
        )
    columns = columns.split("\t")
    labels = ["description"] if old else columns[1 : 1 + width]
    about = {}
    for _ in range(height):
        number, line = next(lines, (None, ""))
        name, fields = line.split("\t", 1)[0], line.count("\t")
        if fields != width + samples or not name or name in about:
            raise ValueError(
                f"{path.name}, line {number or 4 + len(about)}: expected a new name, "
                f"{width} fillers and {samples} metadata, got {fields + 1} columns"
                f" that start with {name[:40]!r}"
            )
        about[name] = line.split("\t")[1 + width :]
    named(path, "metadata column", labels)
    return genes, labels, pd.DataFrame(about, columns[1 + width :], dtype=str)


def _geuvadis_head(path, lines):
    columns = next(lines, (0, ""))[1].split("\t")
    if columns[:4] != GEUVADIS:
        raise ValueError(
            f"{path.name} must start with the columns {', '.join(GEUVADIS)}, got "
            f"{[name[:40] for name in columns[:4]]!r}"
        )
    return None, GEUVADIS[1:], pd.DataFrame(index=columns[4:])


def numbers(where, cells, names, what="sample"):
    """A line's cells as float32; a ValueError that names the first that is no number.

    Args:
        where: the file and the line, for the error.
        cells: text.
        names: of the columns.
        what: these are.
    """
    if NUMBERS.fullmatch("\t".join(cells)):
        try:
            with np.errstate(over="ignore"):
                values = np.array(cells, dtype=np.float32)
            if np.isfinite(values).all():
                return values
        except ValueError:
            pass
    for name, cell in zip(names, cells, strict=True):
        if not NUMBER.fullmatch(cell) or not abs(float(cell)) < LARGEST:
            trouble = f"{cell[:40]!r} is no finite number" if cell else "an empty cell"
            if re.fullmatch(r"-?[0-9]+,[0-9]+", cell):
                trouble += ": decimals take a point"
            raise ValueError(f"{where}: {trouble} ({what} {name!r})")
    return np.array(cells, dtype=np.float32)
