"""Expression matrices as text (genes × samples): GCT of GTEx and LINCS, GEUVADIS."""

import gzip
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl.data.matrices import assembled, measured, named

LONGEST = 2**28  # bytes a line: more is no expression matrix
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
            number of genes or samples than announced, a line of another length, a
            value that is no finite number or too small, or names that are empty or
            occur twice; it says which.
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.

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
        rows: how many genes the file has; None takes what is there, and can't notice
            lines that are missing at the end.
        minimum: the smallest value allowed (0 for RPKM); None allows all.

    Returns:
        AnnData, samples × genes, X float32, `var` with Gene_Symbol, Chr and Coord as
        text.

    Raises:
        ValueError, FileNotFoundError, IsADirectoryError: as `read_gct`.
    """
    return _whole(path, _geuvadis_head, rows, minimum)


def gct_blocks(path, size, minimum=None):
    """Yield a GCT file as AnnData of all samples and `size` genes each."""
    return _blocks(Path(path), _gct_head, None, minimum, size)


def geuvadis_blocks(path, size, minimum=None):
    """Yield a file of GEUVADIS as AnnData of all samples and `size` genes each."""
    return _blocks(Path(path), _geuvadis_head, None, minimum, size)


def _whole(path, head, rows, minimum):
    (adata,) = _blocks(Path(path), head, rows, minimum, float("inf"))
    return adata


def _blocks(path, head, rows, minimum, size):
    """AnnData of `size` genes each, at least one; the last may have fewer."""
    lines = _lines(path)
    announced, labels, obs = head(path, lines)
    expected = announced if rows is None else rows
    named(path, "sample", obs.index)
    width = 1 + len(labels)
    seen, done, genes, values = set(), 0, [], []

    def block():
        x = np.array(values, np.float32).reshape(len(genes), len(obs)).T
        names = [gene[0] for gene in genes]
        x = measured(path, x, obs.index, names, minimum)
        var = pd.DataFrame([gene[1:] for gene in genes], names, labels, dtype=str)
        return assembled(path, np.ascontiguousarray(x), obs.copy(), var)

    for number, line in lines:
        fields = line.split("\t")
        if len(fields) != width + len(obs):
            raise ValueError(
                f"{path.name}, line {number}: {len(fields)} columns, expected "
                f"{width + len(obs)}"
            )
        name = fields[0]
        if not name or name in seen:
            trouble = f"gene {name!r} occurs twice" if name else "the gene has no name"
            raise ValueError(f"{path.name}, line {number}: {trouble}")
        seen.add(name)
        if len(genes) == size:
            yield block()
            done, genes, values = done + len(genes), [], []
        genes.append(fields[:width])
        values.append(_numbers(path, number, fields[width:], obs.index))
    if expected not in (None, done + len(genes)):
        count = done + len(genes)
        hint = "" if announced is None else f"; its header announces {announced}"
        hint += f"; rows={count} reads it nevertheless" if rows is None else ""
        raise ValueError(f"{path.name} has {count} genes, expected {expected}{hint}")
    yield block()


def _lines(path):
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
    version, size, columns = (next(lines, (0, ""))[1].split("\t") for _ in range(3))
    if version[0] not in ("#1.2", "#1.3") or any(version[1:]):
        raise ValueError(
            f"{path.name} must start with #1.2 or #1.3, got {version[0][:40]!r}"
        )
    old = version[0] == "#1.2"
    count = 2 if old else 4
    sizes = [int(text) for text in size[:count] if WHOLE.fullmatch(text)]
    if len(sizes) != count or any(size[count:]):
        more = "" if old else ", metadata columns and metadata lines"
        raise ValueError(
            f"{path.name}, line 2: expected the numbers of genes and samples{more}, "
            f"got {size[:5]!r}"
        )
    genes, samples, width, height = (*sizes, 1, 0)[:4]
    if old and [name.lower() for name in columns[:2]] != ["name", "description"]:
        raise ValueError(
            f"{path.name}, line 3 must start with Name and Description, got "
            f"{columns[:2]!r}"
        )
    if not old and columns[0].lower() != "id":
        raise ValueError(f"{path.name}, line 3 must start with id, got {columns[0]!r}")
    if len(columns) != 1 + width + samples:
        raise ValueError(
            f"{path.name} has {len(columns) - 1 - width} samples, its header announces "
            f"{samples}"
        )
    labels = ["description"] if old else columns[1 : 1 + width]
    about = {}
    for _ in range(height):
        number, line = next(lines, (None, ""))
        name, *fields = line.split("\t")
        if len(fields) != width + samples or not name or name in about:
            raise ValueError(
                f"{path.name}, line {number or 4 + len(about)}: expected a new name, "
                f"{width} fillers and {samples} metadata, got {len(fields) + 1} columns"
                f" that start with {name[:40]!r}"
            )
        about[name] = fields[width:]
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


def _numbers(path, number, fields, samples):
    """Text as float32; a ValueError that names the first that is no number."""
    if NUMBERS.fullmatch("\t".join(fields)):
        try:
            with np.errstate(over="ignore"):
                values = np.array(fields, dtype=np.float32)
            if np.isfinite(values).all():
                return values
        except ValueError:
            pass
    for sample, field in zip(samples, fields, strict=True):
        if not NUMBER.fullmatch(field) or not abs(float(field)) < 3.4028235e38:
            raise ValueError(
                f"{path.name}, line {number}: {field[:40]!r} is no finite number "
                f"(sample {sample!r})"
            )
    return values
