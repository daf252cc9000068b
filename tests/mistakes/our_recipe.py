"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def _free(parts, y):
    return np.linalg.lstsq(parts.reshape(len(parts), -1).T, y.ravel(), rcond=None)[0]


def _parts(parts, y):
    error = ((parts - y) ** 2).mean()
    spread = ((parts - parts.mean(0)) ** 2).mean()
    return error, spread, error - spread


def _components(y, k):
    return np.linalg.svd(y, full_matrices=False)[2][:k]


MISTAKES = (
    [
        (_free, "is negative"),
        (lambda parts, y: _free(parts, y).clip(0), "as they were"),
        (lambda parts, y: np.full(len(parts), 1 / len(parts)), "plain mean"),
    ],
    [
        (
            lambda parts, y: (
                _parts(parts, y)[0],
                parts.var(0, ddof=1).mean(),
                _parts(parts, y)[2],
            ),
            "one less",
        ),
        (lambda parts, y: np.sqrt(_parts(parts, y)), "without the root"),
        (
            lambda parts, y: (*_parts(parts, y)[:2], sum(_parts(parts, y)[:2])),
            "taken off",
        ),
        (
            lambda parts, y: (_parts(parts, y)[2], *_parts(parts, y)[1:]),
            "members' own",
        ),
    ],
    [
        (lambda f, y, k: f @ _components(f, k).T @ _components(f, k), "is measured"),
        (
            lambda f, y, k: f - f @ _components(y, k).T @ _components(y, k),
            "takes away",
        ),
    ],
)
