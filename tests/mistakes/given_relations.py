"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def stacked(X, *parts):
    return np.hstack([X * part for part in parts])


MISTAKES = (
    [
        (lambda: "same", "only meet through the average"),
        (lambda: "up", "before any pupil"),
        (lambda: "smaller", "Return one of"),
    ],
    [
        (lambda W, a: a @ W / a.sum(), "penalty of its own"),
        (lambda W, a: a @ W / (2 + a.sum()), "twice in the sum"),
        (lambda W, a: W.mean(0), "edges are left out"),
        (lambda W, a: a @ W, "slope of one term"),
        (lambda W, a: W[0], "Not the minimum"),
    ],
    [
        (lambda T, c: (np.eye(T) + c) / (1 + c), "c/T, not c"),
        (lambda T, c: (1 + c) * np.eye(T) - c / T, "its inverse is asked for"),
        (lambda T, c: np.eye(T) + c / T, "multiply it by H"),
        (lambda T, c: np.eye(T) / (1 + c), "of its own"),
        (lambda T, c: (np.eye(T) + c / (T * (1 + c))) / (1 + c), "add up to 1"),
    ],
    [
        (
            lambda X, t, own, common: stacked(X, common**-0.5, t[:, None] / own**0.5),
            "source's own part",
        ),
        (
            lambda X, t, own, common: stacked(
                X, own**-0.5, t[:, None] / common**0.5, ~t[:, None] / common**0.5
            ),
            "changed places",
        ),
        (
            lambda X, t, own, common: stacked(
                X, 1 / common, t[:, None] / own, ~t[:, None] / own
            ),
            "costs a quarter",
        ),
        (
            lambda X, t, own, common: stacked(
                X, common**0.5, t[:, None] * own**0.5, ~t[:, None] * own**0.5
            ),
            "small features",
        ),
        (
            lambda X, t, own, common: stacked(X, 1, t[:, None], ~t[:, None]),
            "where do the strengths",
        ),
        (lambda X, t, own, common: X, "shape (30, 9)"),
    ],
)
