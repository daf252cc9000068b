"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def neighbours(values, mutual=True):
    r = np.corrcoef(values)
    np.fill_diagonal(r, -2)
    j = r.argmax(1)
    pairs = enumerate(map(int, j))
    return sorted({(min(p), max(p)) for p in pairs if not mutual or j[p[1]] == p[0]})


MISTAKES = (
    [
        (lambda: "same", "mapping keeps"),
        (lambda: "higher", "stood above"),
        (lambda: 0.0, "one of"),
    ],
    [
        (lambda r, k: r, "two probes"),
        (lambda r, k: np.sqrt(r), "Right for one probe"),
        (lambda r, k: k * r / (1 + (k - 1) * r), "both with noise"),
        (
            lambda r, k: k * r / (1 + (k - 1) * r) if k > 1 else np.sqrt(r),
            "two such means",
        ),
        (
            lambda r, k: np.sqrt(r) if k == 1 else 1 - (1 - r) / k,
            "a correlation doesn't",
        ),
    ],
    [
        (lambda c, m: np.log2(1e6 * c / c.sum(1, keepdims=True) + 1), "all genes"),
        (lambda c, m: 1e6 * c / c[:, m].sum(1, keepdims=True), "logarithm is missing"),
        (
            lambda c, m: np.log(1e6 * c / c[:, m].sum(1, keepdims=True) + 1),
            "natural",
        ),
        (lambda c, m: np.log2(1e6 * c / c[:, m].sum() + 1), "its own library"),
    ],
    [
        (lambda v: neighbours(v - v.mean(0), mutual=False), "one-sided"),
        (lambda v: neighbours(v), "mean off"),
        (lambda v: [(i, i) for i in range(len(v))], "its own neighbour"),
        (lambda v: [(j, i) for i, j in neighbours(v - v.mean(0))], "lower number"),
        (lambda v: len(v), "pairs"),
    ],
)
