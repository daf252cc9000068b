"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def of_pairs(a, b):
    """Mean, paired and unpaired deviation, as asked for."""
    each = 100 * (a - b) / b.mean()
    return np.array([each.mean(), each.std(ddof=1), unpaired(a, b)])


def unpaired(a, b):
    return 100 * np.hypot(a.std(ddof=1), b.std(ddof=1)) / b.mean()


def squares(z):
    return (z**2).sum(1).mean()


MISTAKES = (
    [
        (lambda: "a little smaller", "what does it save"),
        (lambda: "half", "same slope"),
        (lambda: 0, "Return one of"),
    ],
    [
        (lambda s, h, T, B: s * h / T, "for two sums"),
        (lambda s, h, T, B: s * h / (T * B), "weighs it less"),
        (lambda s, h, T, B: s * B * h, "has one too"),
        (lambda s, h, T, B: s * B / T, "not over one"),
        (lambda s, h, T, B: s * T / (B * h), "upside down"),
    ],
    [
        (lambda z, T: np.sqrt(squares(z) / (3 * z.shape[1])), "biases"),
        (
            lambda z, T: np.sqrt((squares(z) + 1) / z.shape[1]),
            "a third of its square",
        ),
        (lambda z, T: (squares(z) + 1) / (3 * z.shape[1]), "its root"),
        (
            lambda z, T: np.sqrt(((z**2).mean() + 1) / (3 * z.shape[1])),
            "you count one",
        ),
        (lambda z, T: np.sqrt(2 * squares(z) / (z.shape[1] + T)), "Xavier's"),
    ],
    [
        (
            lambda a, b: (of_pairs(a, b)[0], unpaired(a, b), unpaired(a, b)),
            "paired",
        ),
        (
            lambda a, b: (
                of_pairs(a, b)[0],
                100 * (a - b).std() / b.mean(),
                unpaired(a, b),
            ),
            "S - 1",
        ),
        (lambda a, b: of_pairs(a, b) * [-1, 1, 1], "positive"),
        (lambda a, b: of_pairs(a, b) / 100, "percent is asked"),
        (lambda a, b: of_pairs(a, b) * b.mean(), "Percent of what"),
        (
            lambda a, b: (
                *of_pairs(a, b)[:2],
                100 * (a.std(ddof=1) + b.std(ddof=1)) / b.mean(),
            ),
            "deviations don't",
        ),
    ],
)
