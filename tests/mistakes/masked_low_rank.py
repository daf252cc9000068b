"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def ridge(x, y, l2):
    return np.linalg.solve(x.T @ x + l2 * np.eye(x.shape[1]), x.T @ y)


MISTAKES = (
    [
        (lambda c: 1.0, "has a size"),
        (lambda c: c, "what does its norm"),
        (lambda c: c**4, "too often"),
        (lambda c: 1 / c**2, "other way round"),
    ],
    [
        (
            lambda D, H, L, T, K: (
                (D + (D + H) + (D + 2 * H)) * H + (D + 3 * H) * T + 2 * T * K
            ),
            "1 hidden layers",
        ),
        (lambda D, H, L, T, K: D * H + (L - 1) * H * H + H * T + 2 * T * K, "MLP"),
        (
            lambda D, H, L, T, K: (
                sum((D + i * H) * H for i in range(L)) + (D + L * H) * T
            ),
            "missing",
        ),
        (
            lambda D, H, L, T, K: (
                sum((D + i * H) * H for i in range(L)) + (D + L * H) * T + T * T
            ),
            "T²",
        ),
    ],
    [
        (lambda lam, T, h: lam, "number of terms"),
        (lambda lam, T, h: lam * T / h, "wrong way round"),
        (lambda lam, T, h: lam / T, "the penalty's sum"),
        (lambda lam, T, h: lam * h, "the loss's sum"),
        (lambda lam, T, h: lam * h / (T - h), "hidden or not"),
    ],
    [
        (
            lambda y, new, b, l2: new @ ridge(y, y[:, b == 0], l2),
            "tell of themselves",
        ),
        (
            lambda y, new, b, l2: (
                new[:, b == 1] @ ridge(new[:, b == 1], new[:, b == 0], l2)
            ),
            "fit the new rows",
        ),
        (
            lambda y, new, b, l2: new[:, b == 1] @ ridge(y[:, b == 1], y[:, b == 0], 0),
            "where is λ",
        ),
        (
            lambda y, new, b, l2: (
                new[:, b == 0] @ ridge(y[:, b == 0], y[:, b == 1], l2)
            ),
            "shape",
        ),
        (
            lambda y, new, b, l2: (
                new[:, b == 1] @ ridge(y[:, b == 1], y[:, b == 0], l2 * len(y))
            ),
            "yours is that of a mean",
        ),
    ],
)
