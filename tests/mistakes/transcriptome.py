"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

from functools import partial

import numpy as np


def standardise(values, training, cohort, of="training", pooled=False, safe=True):
    """As the exercise asks, but for what the arguments say."""
    out = np.zeros_like(values)
    for name in np.unique(cohort):
        for part in (training, ~training):
            rows = part & (cohort == name)
            used = {"training": training, "all": part | True, "own": part}[of]
            used = values[used & (pooled | (cohort == name))]
            deviation = used.std(0)
            if safe:
                deviation[deviation == 0] = 1
            with np.errstate(invalid="ignore"):
                out[rows] = (values[rows] - used.mean(0)) / deviation
    return out


def slopes(x, y):
    return (x.T @ y) / (x**2).sum(0)[:, None]


def best(score, values):
    return np.where(score == score.max(0), values, 0)


def gain(x, y):
    return slopes(x, y) ** 2 * (x**2).sum(0)[:, None]


MISTAKES = (
    [
        (lambda: "both", "Best at what"),
        (lambda: "MAE", "closer"),
        (lambda: "neither", "varies less"),
        (lambda: None, "return missing"),
    ],
    [
        (lambda r: np.sqrt(1 - r**2), "deviation of y"),
        (lambda r: np.sqrt(2 / np.pi) * (1 - r**2), "root"),
        (lambda r: np.sqrt(2 / np.pi) * (1 - r), "share of the variance"),
    ],
    [
        (lambda x, y: best(np.abs(x.T @ y), slopes(x, y)), "large values"),
        (lambda x, y: best(np.abs(slopes(x, y)), slopes(x, y)), "small values"),
        (
            lambda x, y: best(
                slopes(x, y) * (x**2).sum(0)[:, None] ** 0.5, slopes(x, y)
            ),
            "may fall",
        ),
        (slopes, "yours use all"),
        (
            lambda x, y: best(gain(x, y), np.linalg.lstsq(x, y, rcond=None)[0]),
            "joint fit",
        ),
        (lambda x, y: best(gain(x, y), slopes(x, y)).T, "shape"),
    ],
    [
        (partial(standardise, of="all"), "training rows only"),
        (partial(standardise, of="own"), "by their own statistics"),
        (partial(standardise, pooled=True), "its own mean"),
        (partial(standardise, safe=False), "division by zero"),
        (lambda v, training, c: v.tolist(), "check the mean"),
    ],
)
