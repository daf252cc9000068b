"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def _factors(f, y):
    return [(f * y).sum(axis) / (f**2).sum(axis) for axis in (None, 0)]


def _errors(asked, truth, *factors):
    return np.array([np.abs(c * asked - truth).mean() for c in (1, *factors)])


def _with(factors):
    return lambda f, y, asked, truth: _errors(asked, truth, *factors(f, y))


def _gains(plain, g, control):
    return [100 * (plain - v).mean() / plain.mean() for v in (g, control)]


MISTAKES = (
    [
        (lambda: "lower", "when averaged"),
        (lambda: "the same", "one and the same"),
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
    [
        (_with(lambda f, y: _factors(y, f)), "what is squared"),
        (_with(lambda f, y: [y.std() / f.std(), y.std(0) / f.std(0)]), "noise"),
        (
            _with(lambda f, y: [(y / f).mean(), (y / f).mean(0)]),
            "ratio of sums",
        ),
        (
            _with(lambda f, y: [_factors(f, y)[1].mean(), _factors(f, y)[1]]),
            "not the mean",
        ),
        (_with(lambda f, y: _factors(f, y)[::-1]), "comes before"),
        (
            lambda f, y, asked, truth: _errors(asked, truth, *_factors(asked, truth)),
            "seen the test",
        ),
        (lambda f, y, asked, truth: _errors(asked, truth, 1, 1), "are they used"),
        (lambda f, y, asked, truth: _factors(f, y)[1] * asked, "shape (3,)"),
    ],
)
