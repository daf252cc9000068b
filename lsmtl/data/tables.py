"""Expression matrices as tables of text: CSV and TSV."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl._checks import one_of, whole
from lsmtl.data.gct import lines_of, numbers
from lsmtl.data.matrices import assembled, measured, named, new_name

DECIMAL = re.compile(r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?")
DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_table(path, genes="columns", minimum=None):
    r"""An expression matrix in a CSV or TSV file as AnnData, samples × genes.

    The first line has a cell that is ignored and then the names of the columns; every
    other line a name and numbers. There are no other columns and no missing values.
    Names may stand in double quotes, as R and spreadsheets write them.

    Args:
        path: a `.csv` (commas) or `.tsv` (tabs) file, or one of them with `.gz`.
        genes: what the genes are, the `"columns"` or the `"rows"`. It is not guessed.
        minimum: the smallest value allowed (0 for counts); None allows all.

    Returns:
        AnnData, samples × genes, X float32, `uns["source"]` with the file's name.

    Raises:
        ValueError: the file is cut off, not UTF-8, has lines of unequal length or
            other ends, a value that is no finite number or too small, or names that
            are empty or occur twice; it says which.
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.

    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write(",TP53,MYC\ntumour,1,2.5\nnormal,3,0\n")
    ...     file.flush()
    ...     read_table(file.name).to_df()["MYC"].to_dict()
    {'tumour': 2.5, 'normal': 0.0}
    """
    (adata,) = table_blocks(path, None, genes, minimum)
    return adata


def table_blocks(path, size, genes="columns", minimum=None):
    """Yield a CSV or TSV file as AnnData of `size` lines each, None for all.

    The lines are samples, or where `genes` is `"rows"` genes, of all samples.
    """
    path = Path(path)
    one_of("genes", genes, ("columns", "rows"))
    size = np.inf if size is None else whole("size", size)
    delimiter = DELIMITERS[kind(path)]
    lines = lines_of(path)
    column, row = ("gene", "sample") if genes == "columns" else ("sample", "gene")
    corner, *columns = _cells(path, *next(lines, (1, "")), delimiter)
    if not columns:
        raise ValueError(
            f"{path.name}, line 1: expected a cell and the names of the {column}s, "
            f"separated by {delimiter!r}"
        )
    named(path, column, columns)
    seen, names, values, any_block = set(), [], [], False

    def block():
        if corner and all(DECIMAL.fullmatch(name) for name in names):
            raise ValueError(
                f"{path.name}: all {row}s have decimals for names, such as {names[0]}: "
                f"is {corner!r} a {column}, and the column of {row} names missing?"
            )
        x = np.array(values, np.float32).reshape(len(names), len(columns))
        if genes == "columns":
            x = measured(path, x, names, columns, minimum)
            return assembled(path, x, _frame(names), _frame(columns))
        x = measured(path, x.T, columns, names, minimum)
        x = np.ascontiguousarray(x)
        return assembled(path, x, _frame(columns), _frame(names))

    for number, line in lines:
        name, *cells = _cells(path, number, line, delimiter)
        if len(cells) != len(columns):
            hint = ""
            if len(cells) == len(columns) + 1 and number == 2:
                hint = "; line 1 needs a cell above the names (R: col.names = NA)"
            raise ValueError(
                f"{path.name}, line {number}: {len(cells) + 1} cells, line 1 has "
                f"{len(columns) + 1}{hint}"
            )
        where = f"{path.name}, line {number}"
        new_name(where, row, number - 1, name, seen)
        if len(names) == size:
            yield block()
            names, values, any_block = [], [], True
        names.append(name)
        values.append(numbers(where, cells, columns, column))
    if not names and not any_block:
        raise ValueError(f"{path.name} has no {row}s, only a line of names")
    yield block()


def kind(path):
    """The suffix of a file, without the `.gz` of a compressed one."""
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _frame(names):
    return pd.DataFrame(index=pd.Index(names, dtype=object))


def _cells(path, number, line, delimiter):
    if number == 1:
        line = line.removeprefix("\ufeff")  # as spreadsheets mark UTF-8
    if '"' not in line:
        return line.split(delimiter)
    try:
        (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(
            f"{path.name}, line {number}: quotes that don't match: {error}"
        ) from None
    return cells
