"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def base(D, H, L, T):
    return sum((D + i * H) * H for i in range(L)) + (D + L * H) * T


MISTAKES = (
    [
        (lambda method: "everything", "what does Eq. 9 ask"),
        (lambda method: "half", "that is allowed"),
        (lambda method: "nothing", "what is against it"),
        (lambda method: 0, "one of 'everything', 'half', 'nothing'"),
    ],
    [
        (base, "base network"),
        (lambda D, H, L, T: base(D, H, L, T) + T * T, "T²"),
        (lambda D, H, L, T: base(D, H, L, T) + T * H, "last hidden"),
    ],
    [
        (lambda v, m: len(v) * v.std() / m**0.5, "with repetition"),
        (lambda v, m: len(v) * v.std(ddof=1) / m**0.5, "with repetition"),
        (lambda v, m: len(v) * v.std() * (1 / m - 1 / len(v)) ** 0.5, "Close"),
        (lambda v, m: v.std(ddof=1) * (1 / m - 1 / len(v)) ** 0.5, "of the mean"),
        (
            lambda v, m: len(v) ** 2 * v.var(ddof=1) * (1 / m - 1 / len(v)),
            "root is asked",
        ),
    ],
    [
        (lambda W, V, d: ((W - W @ V)[:, d] ** 2).sum(), "too small"),
        (lambda W, V, d: ((W - W @ V)[:, d] ** 2).sum() / len(d), "mean of a column"),
        (lambda W, V, d: ((W - W @ V) ** 2).sum(), "whole cost"),
        (
            lambda W, V, d: (
                ((W[:, d] - W[:, d] @ V[np.ix_(d, d)]) ** 2).sum() * V.shape[0] / len(d)
            ),
            "drawn only",
        ),
        (lambda W, V, d: ((W - W @ V)[:, d] ** 2).sum() * 7 / 3, "all of them"),
    ],
)
