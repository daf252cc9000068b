"""Genes in two cell types as tensors, what DeepDiff reads and predicts."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from lsmtl._checks import one_of, whole

REGULATED = 2.0  # log2 change from which a gene counts as regulated
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class GenePairs:
    """Genes in two cell types, A and B.

    Args:
        a, b: (n, marks, bins) float32, log2(1 + count), standardised a mark.
        difference: (n,), log2 change from B to A, standardised.
        expression_a, expression_b: (n,), log2 expression, standardised.
        high_a, high_b: (n,) bool, expression above the cell type's median.
        regulated: (n,) bool, a log2 change of at least 2 up or down.

    All statistics are those of the training genes.
    """

    a: torch.Tensor
    b: torch.Tensor
    difference: torch.Tensor
    expression_a: torch.Tensor
    expression_b: torch.Tensor
    high_a: torch.Tensor
    high_b: torch.Tensor
    regulated: torch.Tensor

    def __len__(self):
        return len(self.difference)

    def __getitem__(self, rows):
        return GenePairs(*(getattr(self, f.name)[rows] for f in fields(self)))

    def to(self, device):
        """The same genes on a device."""
        return GenePairs(*(getattr(self, f.name).to(device) for f in fields(self)))


def pairs(marks, a, b, bins=None):
    """Two cell types of a set, part by part.

    Expression is log2(1 + counts per million), so that the depth of sequencing drops
    out of the difference.

    Args:
        marks: `HistoneMarks`.
        a, b: names of cell types A and B.
        bins: how many bins to sum the signal into, a divisor of its number; None keeps
            them.

    Returns:
        dict of part (`"train"`, `"valid"`, `"test"`) → `GenePairs`.

    Raises:
        ValueError: there is no such cell type, or its bins can't be summed so.
    """
    for name, cell in (("a", a), ("b", b)):
        one_of(name, cell, sorted(marks.signal))
    train = marks.part == "train"
    signals = [_log_signal(marks.signal[cell], bins) for cell in (a, b)]
    both = np.stack([s[train] for s in signals])  # (2, genes, marks, bins)
    mean = both.mean((0, 1, 3))[:, None]
    spread = both.std((0, 1, 3))[:, None]
    spread[spread == 0] = 1
    signals = [(s - mean) / spread for s in signals]

    million = marks.expression / marks.expression.sum() * 1e6
    levels = [np.log2(1 + million[cell].loc[marks.genes].to_numpy()) for cell in (a, b)]
    change = levels[0] - levels[1]
    high = [level > np.median(level[train]) for level in levels]
    columns = [
        *signals,
        *(_standardised(values, train) for values in (change, *levels)),
    ]
    columns = [torch.as_tensor(c, dtype=torch.float32) for c in columns]
    columns += [torch.as_tensor(c) for c in (*high, np.abs(change) >= REGULATED)]
    genes = GenePairs(*columns)
    return {part: genes[torch.as_tensor(marks.part == part)] for part in PARTS}


def _log_signal(counts, bins):
    n, marks, found = counts.shape
    bins = found if bins is None else whole("bins", bins)
    if found % bins:
        raise ValueError(f"bins must divide {found}, got {bins}")
    return np.log2(1 + counts.reshape(n, marks, bins, -1).sum(-1))


def _standardised(values, train):
    spread = values[train].std()
    return (values - values[train].mean()) / (spread or 1)
