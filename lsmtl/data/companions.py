"""The companions' data: tables of tasks, and pairs of cell types."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl.data import fetch

MARKS = ("H3K4me1", "H3K4me3", "H3K9me3", "H3K27me3", "H3K36me3")


@dataclass(frozen=True)
class HistoneMarks:
    """Histone marks around the start of genes, and the genes' expression.

    Args:
        signal: cell type → (genes, marks, bins) int32 read counts.
        expression: DataFrame, genes × cell types, read counts.
        genes: Ensembl names of the genes.
        part: `"train"`, `"valid"` or `"test"` for every gene.
        marks: names of the marks.
        planted: where the set is simulated, (marks, bins): the change of log2
            expression with a bin's log2 count, up to a factor; else None.
    """

    signal: dict
    expression: pd.DataFrame
    genes: np.ndarray
    part: np.ndarray
    marks: tuple = MARKS
    planted: np.ndarray | None = None


def exam():
    """Exam scores of 4,059 pupils in 65 London schools: `task` is the school."""
    path = Path(__file__).parent / "shipped" / "exam.csv.gz"
    return pd.read_csv(path).rename(columns={"school": "task", "normexam": "y"})


def school():
    """Exam scores of 15,362 pupils in 139 London schools: `task`, `y`, `x1` … `x28`.

    `x28` is 1 everywhere. `attrs["splits"]` holds the ten classical splits, each a
    pair of lists of row numbers: training and test.
    """
    from scipy.io import loadmat

    content = loadmat(fetch.path("school_b.mat"))
    x, y = content["x"].T, content["y"].ravel()
    starts = content["task_indexes"].ravel().astype(int) - 1
    task = np.repeat(np.arange(1, len(starts) + 1), np.diff([*starts, len(y)]))
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(1, x.shape[1] + 1)])
    frame.insert(0, "task", task)
    frame.insert(1, "y", y.astype(float))
    files = [loadmat(fetch.path(f"school_{i}_indexes.mat")) for i in range(1, 11)]
    frame.attrs["splits"] = [
        tuple((f[k].ravel().astype(int) - 1).tolist() for k in ("tr", "tst"))
        for f in files
    ]
    return frame


def mhc():
    """Binding of 141,224 peptides to MHC-I: `task` the allele, `y` 1 or −1."""
    frame = pd.read_csv(fetch.path("hla_bind_proteins.txt"), sep="\t")
    names = {"HLA": "task", "BindingCategory": "y", "Peptide": "peptide"}
    return frame.rename(columns=names)[["task", "y", "peptide"]]


def fingerprint(frame):
    """SHA-256 of a table of tasks: its columns, its values, its given splits.

    Args:
        frame: DataFrame as `exam`, `school` and `mhc` give it, or `HistoneMarks`, of
            which signals, expression, genes and parts count.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    if isinstance(frame, HistoneMarks):
        for cell in sorted(frame.signal):
            digest.update(f"{cell}\0{frame.signal[cell].shape}".encode())
            digest.update(np.ascontiguousarray(frame.signal[cell]))
        digest.update("\n".join([*frame.genes, *frame.part]).encode())
        table = frame.expression
        names = [str(name) for axis in table.axes for name in axis]
        digest.update("\n".join(names).encode())
        digest.update(np.ascontiguousarray(table.to_numpy(float)))
        return digest.hexdigest()
    for name, column in frame.items():
        digest.update("\n".join([str(name), *map(str, column)]).encode() + b"\0")
    digest.update(json.dumps(frame.attrs.get("splits", [])).encode())
    return digest.hexdigest()


def deepdiff():
    """Two cell types (E123, E003), 200 genes a part, as `HistoneMarks`."""
    return _histone_marks("deepdiff", {"E123": "Cell1", "E003": "Cell2"})


def deepdiff_full():
    """Nine cell types with all genes, as `HistoneMarks`."""
    return _histone_marks("deepdiff-full", {cell: cell for cell in fetch.CELLS})


def _histone_marks(name, prefixes):
    signal, reference = {}, None
    for cell, prefix in prefixes.items():
        found = [_signal(fetch.path(f"{prefix}.{part}.csv")) for part in fetch.PARTS]
        genes = np.concatenate([genes for genes, _ in found])
        if reference is not None and not np.array_equal(genes, reference):
            raise ValueError(f"{name}: the genes of {cell} differ from the others'")
        reference = genes
        signal[cell] = np.concatenate([values for _, values in found])
        part = np.repeat(fetch.PARTS, [len(values) for _, values in found])
    tables = zip(fetch.CELLS, fetch.EXPRESSION, strict=True)
    expression = pd.concat(
        {cell: _expression(fetch.path(file)) for cell, file in tables}, axis=1
    )
    return HistoneMarks(signal, expression, reference, part)


def _signal(path):
    """Genes (n,) and counts (n, marks, bins); rows are `<gene>_<symbol>_<bin>`."""
    frame = pd.read_csv(path, header=None)
    gene = frame[0].str.split("_").str[0].to_numpy(str)
    place = frame[0].str.rsplit("_", n=1).str[1].astype(int).to_numpy()
    bins = place.max()
    if not np.array_equal(place, np.tile(np.arange(1, bins + 1), len(place) // bins)):
        raise ValueError(f"{path.name}: bins must run from 1 to {bins} in every gene")
    values = frame.iloc[:, 1:].to_numpy(np.int32).reshape(-1, bins, len(MARKS))
    return gene[::bins], values.transpose(0, 2, 1)


def _expression(path):
    return pd.read_csv(path, header=None, index_col=0)[1].rename_axis("gene")


READERS = {
    "exam": exam,
    "school": school,
    "mhc": mhc,
    "deepdiff": deepdiff,
    "deepdiff-full": deepdiff_full,
}
