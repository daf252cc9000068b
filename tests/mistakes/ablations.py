"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np

MISTAKES = (
    [
        (lambda s, h, T, B: s, "different numbers of terms"),
        (lambda s, h, T, B: s * T / h, "upside down"),
        (lambda s, h, T, B: s / T, "one hidden task only"),
        (lambda s, h, T, B: s * h / (T * B), "B cancels"),
        (lambda s, h, T, B: s * B * h, "has one too"),
    ],
    [
        (
            lambda a, b: (
                100 * (a.mean() / b.mean() - 1),
                100 * np.hypot(a.std(ddof=1), b.std(ddof=1)) / b.mean(),
            ),
            "paired",
        ),
        (
            lambda a, b: (
                100 * (a - b).mean() / b.mean(),
                100 * (a - b).std() / b.mean(),
            ),
            "S - 1",
        ),
        (
            lambda a, b: (
                100 * (b - a).mean() / b.mean(),
                100 * (b - a).std(ddof=1) / b.mean(),
            ),
            "positive",
        ),
        (
            lambda a, b: ((a - b).mean() / b.mean(), (a - b).std(ddof=1) / b.mean()),
            "percent is asked",
        ),
        (
            lambda a, b: (100 * (a - b).mean(), 100 * (a - b).std(ddof=1)),
            "Percent of what",
        ),
    ],
    [
        (
            lambda z, T: np.sqrt(6 * (z**2).sum(1).mean() / (z.shape[1] + T)),
            "a third of its square",
        ),
        (lambda z, T: 2 * (z**2).sum(1).mean() / (z.shape[1] + T), "variance"),
        (lambda z, T: np.sqrt(2 * (z**2).mean() / (z.shape[1] + T)), "count one"),
        (lambda z, T: np.sqrt(2 * (z**2).sum(1).mean() / z.shape[1]), "T in it"),
        (
            lambda z, T: np.sqrt(2 * (z**2).sum() / (z.shape[1] + T)),
            "not their sum",
        ),
    ],
)
