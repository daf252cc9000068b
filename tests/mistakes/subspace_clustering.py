"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def error(f, V):
    return ((f - f @ V) ** 2).sum()


def off(V):
    return V * (1 - np.eye(len(V)))


def precisions(score, related):
    hit = related[np.argsort(-score)]
    return hit.cumsum() / np.arange(1, len(hit) + 1), hit


MISTAKES = (
    [
        (lambda f, V, a, b: a * error(f, V) + b * np.abs(V).sum(), "itself"),
        (lambda f, V, a, b: a * error(f, off(V)) + b * np.abs(V).sum(), "still counts"),
        (
            lambda f, V, a, b: a * error(f, off(V).T) + b * np.abs(off(V)).sum(),
            "takes row t",
        ),
        (
            lambda f, V, a, b: a * (error(f, off(V)) + b * np.abs(off(V)).sum()),
            "beside λ",
        ),
        (lambda f, V, a, b: a * error(f, off(V)), "missing"),
        (
            lambda f, V, a, b: a * error(f, off(V)) + b * (off(V) ** 2).sum(),
            "absolute values",
        ),
    ],
    [
        (lambda V: np.sqrt(V * V.T), "has a sign"),
        (lambda V: V * V.T, "square of"),
        (lambda V: (V + V.T) / 2, "arithmetic mean"),
        (lambda V: np.sign(V) * np.sqrt(V * V.T) + np.eye(len(V)), "stay zero"),
    ],
    [
        (
            lambda s, r: precisions(-s, r)[0][precisions(-s, r)[1]].mean(),
            "weakest",
        ),
        (lambda s, r: precisions(s, r)[0].mean(), "related pairs only"),
        (lambda s, r: (s[r][:, None] > s[~r]).mean(), "ROC"),
        (lambda s, r: r[np.argsort(-s)][: r.sum()].mean(), "single cut"),
    ],
    [
        (lambda gib: np.floor(np.sqrt(gib * 2**30 / 4)), "V alone"),
        (lambda gib: np.floor(np.sqrt(gib * 2**30 / 12)), "two averages"),
        (lambda gib: np.floor(np.sqrt(gib * 1e9 / 16)), "2³⁰"),
        (lambda gib: gib * 2**30 // 16, "not of tasks"),
    ],
)
