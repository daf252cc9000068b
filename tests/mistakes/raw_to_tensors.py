"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def q_at(rank, top, reference):
    return np.interp(rank / top, np.linspace(0, 1, len(reference)), reference)


def neighbours(values, mutual=True):
    r = np.corrcoef(values)
    np.fill_diagonal(r, -2)
    j = r.argmax(1)
    pairs = enumerate(map(int, j))
    return sorted({(min(p), max(p)) for p in pairs if not mutual or j[p[1]] == p[0]})


MISTAKES = (
    [
        (lambda s, q: q_at(s.argsort().argsort(), len(s) - 1, q), "rank the unique"),
        (
            lambda s, q: q_at(
                np.unique(s, return_inverse=True)[1], len(np.unique(s)), q
            ),
            "k - 1",
        ),
        (lambda s, q: np.searchsorted(np.sort(s), s) * 0.0, "9"),
        (
            lambda s, q: q_at(np.searchsorted(np.sort(s), s), len(s) - 1, q),
            "count them once",
        ),
    ],
    [
        (lambda v: neighbours(v - v.mean(0), mutual=False), "one-sided"),
        (lambda v: neighbours(v), "mean off"),
        (lambda v: [(i, i) for i in range(len(v))], "its own neighbour"),
        (lambda v: [(j, i) for i, j in neighbours(v - v.mean(0))], "lower number"),
        (lambda v: len(v), "pairs"),
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
)
