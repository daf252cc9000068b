"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def leaky(z, slope=0.2):
    return np.where(z > 0, z, slope * z)


MISTAKES = (
    [
        (lambda V1, V2, f, m: leaky(((1 - m) * f) @ V1.T) @ V2.T, "wrong way round"),
        (lambda V1, V2, f, m: leaky(f @ V1.T) @ V2.T, "sees the hidden"),
        (lambda V1, V2, f, m: (m * f) @ V1.T @ V2.T, "linear"),
        (lambda V1, V2, f, m: leaky((m * f) @ V1.T, 0) @ V2.T, "LeakyReLU"),
        (lambda V1, V2, f, m: leaky((m * f) @ V1) @ V2, "stops"),
    ],
    [
        (lambda f, g, m: ((f - g) ** 2).mean(), "only the hidden"),
        (lambda f, g, m: ((f - g) ** 2)[:, m == 1].mean(), "visible tasks"),
        (lambda f, g, m: ((1 - m) * (f - g) ** 2).mean(), "divide by"),
        (lambda f, g, m: ((f - g) ** 2)[:, m == 0].mean(), "(B, T)"),
        (
            lambda f, g, m: ((f - g) ** 2)[:, np.atleast_2d(m)[0] == 0].mean(),
            "a mask a sample",
        ),
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
)
