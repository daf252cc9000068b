"""GCT, the text format of expression matrices (genes × samples) of GTEx and LINCS."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd


def read_gct(path, rows=None):
    """An expression matrix in GCT format, version 1.2, as AnnData.

    Args:
        path: a `.gct` or `.gct.gz` file: `#1.2`, a line with the numbers of genes and
            samples, a line of column names, and a line a gene: name, description,
            values.
        rows: how many genes the file really has, where its header is known to be
            wrong; None believes the header.

    Returns:
        AnnData, samples × genes, X float32, gene names as in the file,
        `var["description"]`, `uns["source"]` with the file's name.

    Raises:
        ValueError: the file is no GCT 1.2, has another number of genes or samples
            than announced, a line of another length, a value that is no finite
            number, or names that occur twice; it says which.
        FileNotFoundError: there is no such file.
    """
    import anndata  # here, because a bare GPU machine has none and needs no files

    path = Path(path)
    names, descriptions, values = [], [], []
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        try:
            lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            announced, samples = _head(path, lines)
            for number, line in enumerate(lines, 4):
                if len(line) != len(samples) + 2:
                    raise ValueError(
                        f"{path.name}, line {number}: {len(line)} columns, expected "
                        f"{len(samples) + 2}"
                    )
                names.append(line[0])
                descriptions.append(line[1])
                values.append(_numbers(path, number, line[2:]))
        except (EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"{path.name} is no whole gzip file: {error}") from None
    expected = announced if rows is None else rows
    if len(names) != expected:
        hint = f"; rows={len(names)} reads it nevertheless" if rows is None else ""
        raise ValueError(
            f"{path.name} has {len(names)} genes, expected {expected}; its header "
            f"announces {announced}{hint}"
        )
    for what, found in (("genes", names), ("samples", samples)):
        twice = pd.Index(found)[pd.Index(found).duplicated()].unique()
        if len(twice):
            raise ValueError(
                f"{path.name}: {len(twice)} {what} occur twice: {', '.join(twice[:5])}"
            )
    x = np.stack(values, axis=1) if values else np.empty((len(samples), 0), np.float32)
    return anndata.AnnData(
        x,
        obs=pd.DataFrame(index=samples),
        var=pd.DataFrame({"description": descriptions}, index=names),
        uns={"source": {"file": path.name}},
    )


def _head(path, lines):
    """The announced number of genes and the samples' names."""
    version, size, columns = (next(lines, []) for _ in range(3))
    if version[:1] != ["#1.2"]:
        raise ValueError(f"{path.name} must start with #1.2, got {version[:1]!r}")
    try:
        announced, samples = map(int, size[:2])
    except ValueError:
        raise ValueError(
            f"{path.name}, line 2: expected the numbers of genes and samples, got "
            f"{size[:4]!r}"
        ) from None
    if [name.lower() for name in columns[:2]] != ["name", "description"]:
        raise ValueError(
            f"{path.name}, line 3 must start with Name and Description, got "
            f"{columns[:2]!r}"
        )
    if len(columns) != samples + 2:
        raise ValueError(
            f"{path.name} has {len(columns) - 2} samples, its header announces "
            f"{samples}"
        )
    return announced, columns[2:]


def _numbers(path, number, fields):
    try:
        values = np.array(fields, dtype=np.float32)
    except ValueError as error:
        raise ValueError(f"{path.name}, line {number}: {error}") from None
    if not np.isfinite(values).all():
        bad = fields[int(np.flatnonzero(~np.isfinite(values))[0])]
        raise ValueError(f"{path.name}, line {number}: {bad!r} is no finite number")
    return values
