"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def tasks(gib, w, each=16, kilo=1024):
    entries = gib * kilo**3 / each
    return (np.sqrt(w**2 + 4 * entries) - w) // 2


def precisions(score, related):
    hit = related[np.argsort(-score)]
    return hit.cumsum() / np.arange(1, len(hit) + 1), hit


MISTAKES = (
    [
        (lambda: "zero", "from a *and* c"),
        (lambda: "positive", "or less"),
        (lambda: -1.0, "one of 'negative', 'positive', 'zero'"),
    ],
    [
        (lambda V: np.sqrt(V * V.T), "has a sign"),
        (lambda V: V * V.T, "square of"),
        (lambda V: (V + V.T) / 2, "arithmetic mean"),
        (lambda V: np.sign(V) * np.sqrt(V * V.T) + np.eye(len(V)), "stay zero"),
    ],
    [
        (lambda gib, w: np.floor(np.sqrt(gib * 2**30 / 16)), "none for the head"),
        (lambda gib, w: tasks(gib, w, 4), "weights alone"),
        (lambda gib, w: tasks(gib, w, 12), "two averages"),
        (lambda gib, w: tasks(gib, w, kilo=1000), "2³⁰"),
        (lambda gib, w: gib * 2**30 / 16 // w, "V is missing"),
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
)
