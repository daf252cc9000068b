"""Genes in two cell types as tensors, what DeepDiff reads and predicts."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import torch

from lsmtl._checks import natural, one_of, whole
from lsmtl.data.companions import MARKS, HistoneMarks

REGULATED = 2.0  # log2 change from which a gene counts as regulated
ALIKE = 0.5  # correlation of a simulated gene between cell types
DISTANCES = (0.15, 0.6)  # of simulated enhancers from the start
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

    level = log_expression(marks)
    levels = [level[cell].to_numpy() for cell in (a, b)]
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


def log_expression(marks):
    """log2(1 + counts per million) of a set's genes, a DataFrame genes × cell types."""
    million = marks.expression / marks.expression.sum() * 1e6
    return np.log2(1 + million.loc[marks.genes])


def _log_signal(counts, bins):
    n, marks, found = counts.shape
    bins = found if bins is None else whole("bins", bins)
    if found % bins:
        raise ValueError(f"bins must divide {found}, got {bins}")
    return np.log2(1 + counts.reshape(n, marks, bins, -1).sum(-1))


def _standardised(values, train):
    spread = values[train].std()
    return (values - values[train].mean()) / (spread or 1)


def simulate_histones(genes=(10_000, 2_360, 6_100), bins=200, seed=0):
    r"""A set of two cell types, `"A"` and `"B"`, in which it is known what marks do.

    A gene's promoter p, enhancer e, repression r and heterochromatin h are normal in
    each cell type, with a correlation of `ALIKE` between the two. Log2 expression is
    $y = 4 (p + 1)\,\sigma(-4r) + e$ plus noise: where a gene is repressed, its promoter
    doesn't count, so that the difference of two cell types is not in the differences
    of their marks. Counts are Poisson. H3K4me3 peaks at the start (promoter), H3K4me1
    on either side, at a distance that varies from gene to gene (enhancer), H3K27me3 is
    broad (repression), H3K36me3 follows y from behind the start on, with noise
    (transcription), and H3K9me3 (heterochromatin) tells nothing.

    Args:
        genes: numbers of training, validation and test genes; the default is the size
            of the study.
        bins: L, at least 10.
        seed: decides everything.

    Returns:
        `HistoneMarks` with `planted`.

    Raises:
        ValueError: a number is out of its range.
    """
    numbers = [whole("genes", n) for n in genes]
    if len(numbers) != 3:
        raise ValueError(f"genes must be three numbers, got {genes!r}")
    if whole("bins", bins) < 10:
        raise ValueError(f"bins must be at least 10, got {bins}")
    rng = np.random.default_rng(natural("seed", seed))
    n = sum(numbers)
    shared, own = rng.normal(size=(4, n)), rng.normal(size=(2, 4, n))
    latent = ALIKE**0.5 * shared + (1 - ALIKE) ** 0.5 * own  # (cells, 4, n)
    p, e, r, h = latent.transpose(1, 0, 2)  # each (cells, n)
    y = 4 * (p + 1) / (1 + np.exp(4 * r)) + e + 0.5 * rng.normal(size=e.shape)
    transcribed = 0.5 * y / y.std() + rng.normal(size=y.shape)
    carried = dict(zip(MARKS, (e, p, h, r, transcribed), strict=True))
    place = np.linspace(-1, 1, bins)
    shapes = _shapes(place, rng.uniform(*DISTANCES, size=(n, 1)))
    signal = {}
    for cell, name in enumerate("AB"):
        rate = [
            0.3 + 2 * np.exp(0.7 * carried[mark][cell])[:, None] * shapes[mark]
            for mark in MARKS
        ]
        signal[name] = rng.poisson(np.stack(rate, 1)).astype(np.int32)
    names = np.array([f"gene{i}" for i in range(n)])
    counts = rng.poisson(100 * 2**y.T)
    expression = pd.DataFrame(counts, index=names, columns=list("AB"))
    effect = {"H3K4me1": 1, "H3K4me3": 1, "H3K9me3": 0, "H3K27me3": -1, "H3K36me3": 1}
    even = _shapes(place, np.linspace(*DISTANCES, 200)[:, None])  # whoever was drawn
    planted = np.stack([effect[mark] * even[mark].mean(0) for mark in MARKS])
    return HistoneMarks(
        signal, expression, names, np.repeat(PARTS, numbers), MARKS, planted
    )


def _shapes(place, distance):
    """Where a mark lies, from 0 to 1: (1 or genes, bins), places from -1 to 1.

    The enhancers' distance from the start is (genes, 1).
    """

    def peak(middle, width):
        return np.exp(-0.5 * ((place - middle) / width) ** 2)

    return {
        "H3K4me1": peak(-distance, 0.06) + peak(distance, 0.06),
        "H3K4me3": peak(0.03, 0.07)[None],
        "H3K9me3": np.full((1, len(place)), 0.5),
        "H3K27me3": peak(0, 0.4)[None],
        "H3K36me3": 1 / (1 + np.exp(-12 * (place - 0.3)))[None],
    }
