"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def precision(binds):
    return np.cumsum(binds) / np.arange(1, len(binds) + 1)


def slope(W, X, y, task, H, strength, sign=1, factor=2):
    pull = -y / (1 + np.exp(sign * y * (X * W[task]).sum(1)))
    loss = np.zeros_like(W)
    np.add.at(loss, task, pull[:, None] * X)
    return loss + factor * strength * H @ W


def dealt_in_turn(group, count):
    _, number = np.unique(group, return_inverse=True)
    return number % count


MISTAKES = (
    [
        (lambda: "both", "Take them apart"),
        (lambda: "auROC falls", "pair by pair"),
        (lambda: "neither", "first hundred"),
    ],
    [
        (lambda s, b: precision(b[np.argsort(-s)]).mean(), "Only the places"),
        (lambda s, b: precision(b[np.argsort(s)])[b[np.argsort(s)]].mean(), "lowest"),
        (lambda s, b: precision(b)[b].mean(), "Nothing is sorted"),
        (
            lambda s, b: precision(b[np.argsort(-s)])[b[np.argsort(-s)]].sum() / len(b),
            "over the binders",
        ),
        (lambda s, b: (np.cumsum(b[np.argsort(-s)]) / b.sum()).mean(), "recall"),
    ],
    [
        (lambda *given: slope(*given, factor=1), "has a 2"),
        (lambda *given: slope(*given, sign=-1), "A sign"),
        (lambda *given: slope(*given, factor=0), "Where is the penalty"),
        (lambda W, *given: np.zeros_like(W), "wrong elsewhere"),
        (lambda *given: -slope(*given, factor=1), "should be 0 there"),
    ],
    [
        (lambda group, count: np.arange(len(group)) % count, "more than one fold"),
        (dealt_in_turn, "In which order"),
        (lambda group, count: np.zeros(len(group)), "Three folds"),
    ],
)
