"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np
from scipy import stats


def holm(p, factors=None, monotone=True, limit=1, back=True):
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1) if factors is None else factors
    steps = p[order] * factors
    steps = np.maximum.accumulate(steps) if monotone else steps
    steps = np.minimum(steps, limit)
    return steps[np.argsort(order)] if back else steps


def parts(d, ddof=1, floor=0, share=None, over=1):
    S, R = d.shape
    b = d.var(1, ddof=ddof).mean()
    taken = b / R if share is None else share * b
    a = max(d.mean(1).var(ddof=over) - taken, floor)
    return a, b, a / S + b / (S * R)


def of_all(S, R, a, b):
    return a, b, a / S + b / (S * R)


def mean_variance(d, of):
    a, b, _ = parts(d)
    return a, b, of(a, b, *d.shape)


MISTAKES = (
    [
        (lambda: "less often", "standard error"),
        (lambda: "as often", "come from one"),
    ],
    [
        (lambda t: (t**2).sum(), "ten times"),
        (lambda t: 2 * (t**2).mean(), "twice a sum"),
        (lambda t: t[0, 0] ** 2, "for the first"),
        (lambda t: t.mean() ** 2, "opposite sign"),
        (lambda t: np.abs(t).mean(), "in its numerator"),
        (lambda t: t.var(), "around their mean"),
        (lambda t: np.sqrt((t**2).mean()), "no root"),
        (lambda t: t**2, "shape ()"),
    ],
    [
        (lambda d: parts(d, floor=-9), "not below 0"),
        (lambda d: parts(d, share=0), "take b/R off"),
        (lambda d: parts(d, share=1), "not b."),
        (lambda d: (parts(d)[1], parts(d)[0], parts(d)[2]), "comes first"),
        (lambda d: parts(d, ddof=0), "R - 1"),
        (lambda d: parts(d, over=0), "S - 1"),
        (lambda d: of_all(*d.shape, parts(d)[0], d.var(ddof=1)), "not of all"),
        (
            lambda d: mean_variance(d, lambda a, b, S, R: (a + b) / S),
            "divided by S R",
        ),
        (
            lambda d: mean_variance(d, lambda a, b, S, R: (a + b) / (S * R)),
            "by S only",
        ),
        (lambda d: mean_variance(d, lambda a, b, S, R: a + b), "one difference"),
        (
            lambda d: mean_variance(d, lambda a, b, S, R: d.var(ddof=1) / (S * R)),
            "not alike",
        ),
        (lambda d: np.sqrt(parts(d)), "not deviations"),
        (lambda d: (1, 1, 1), "Not the two variances"),
    ],
    [
        (lambda p: holm(p, back=False), "in which they came"),
        (lambda p: np.minimum(len(p) * p, 1), "Bonferroni"),
        (lambda p: holm(p, monotone=False), "smaller than one before"),
        (lambda p: holm(p, limit=9), "above 1"),
        (lambda p: holm(p, np.arange(1, len(p) + 1)), "not by 1"),
        (
            lambda p: np.minimum(
                np.maximum.accumulate(p * np.arange(len(p), 0, -1)), 1
            ),
            "Sort them first",
        ),
        (lambda p: 1 - (1 - p) ** len(p), "Šidák"),
        (lambda p: stats.false_discovery_control(p), "Benjamini"),
        (lambda p: holm(p)[:-1], "shape"),
        (lambda p: p / len(p), "Not Holm's"),
    ],
)
