"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def _factor(c):
    return lambda f, y, asked: (c(f, y), c(f, y) * asked)


def _right(f, y):
    return (f * y).sum() / (f**2).sum()


def _gains(plain, g, control):
    return [100 * (plain - v).mean() / plain.mean() for v in (g, control)]


MISTAKES = (
    [
        (_factor(lambda f, y: (f * y).sum() / (y**2).sum()), "what is squared"),
        (_factor(lambda f, y: y.std() / f.std()), "forgets the noise"),
        (
            _factor(lambda f, y: np.corrcoef(f.ravel(), y.ravel())[0, 1]),
            "no scale",
        ),
        (
            _factor(lambda f, y: np.polyfit(f.ravel(), y.ravel(), 1)[0]),
            "No intercept",
        ),
        (lambda f, y, asked: (_right(f, y), asked), "as they were"),
        (lambda f, y, asked: _right(f, y) * asked, "Return the factor and"),
    ],
    [
        (
            lambda p, g, c: (
                [-v for v in _gains(p, g, c)]
                + [_gains(p, g, c)[1] / _gains(p, g, c)[0]]
            ),
            "Positive where",
        ),
        (
            lambda p, g, c: [*_gains(p, g, c), _gains(p, g, c)[0] / _gains(p, g, c)[1]],
            "control's part",
        ),
        (
            lambda p, g, c: [*_gains(p, g, c), ((p - c) / (p - g)).mean()],
            "share of means",
        ),
        (
            lambda p, g, c: (
                [*_gains(p, g, c), 1 - _gains(p, g, c)[1] / _gains(p, g, c)[0]]
            ),
            "doesn't explain",
        ),
    ],
    [
        (
            lambda D, h, E, k, T: round(T * (D + h[-1]) / (E + k[-1])),
            "all hidden layers",
        ),
        (lambda D, h, E, k, T: round(T * sum(h) / sum(k)), "landmarks, too"),
        (
            lambda D, h, E, k, T: round(T * (E + sum(k)) / (D + sum(h))),
            "fewer targets",
        ),
        (lambda D, h, E, k, T: T, "much smaller"),
    ],
)
