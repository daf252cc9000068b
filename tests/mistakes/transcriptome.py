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


MISTAKES = (
    [
        (lambda p, t: np.corrcoef(p, t)[0, 1] if p.std() else 0.0, "Pearson"),
        (
            lambda p, t: (
                2
                * np.cov(p, t)[0, 1]
                / (p.var(ddof=1) + t.var(ddof=1) + (p.mean() - t.mean()) ** 2)
            ),
            "population",
        ),
        (
            lambda p, t: 2 * np.cov(p, t, ddof=0)[0, 1] / (p.var() + t.var()),
            "third term",
        ),
        (lambda p, t: print(end=""), "return missing"),
    ],
    [
        (partial(standardise, of="all"), "training rows only"),
        (partial(standardise, of="own"), "by their own statistics"),
        (partial(standardise, pooled=True), "its own mean"),
        (partial(standardise, safe=False), "division by zero"),
        (lambda v, training, c: v.tolist(), "check the mean"),
    ],
    [
        (lambda r: np.sqrt(1 - r**2), "deviation of y"),
        (lambda r: np.sqrt(2 / np.pi) * (1 - r**2), "root"),
        (lambda r: np.sqrt(2 / np.pi) * (1 - r), "share of the variance"),
    ],
)
