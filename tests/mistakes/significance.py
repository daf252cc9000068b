"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np
from scipy import stats


def variances(p):
    return (p[:, 0] - p[:, 1]) ** 2 / 2


def t(p, first=None, variance=None):
    first = p[0, 0] if first is None else first
    return first / np.sqrt(variances(p).mean() if variance is None else variance)


def F(p):
    return (p**2).sum() / (2 * variances(p).sum())


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
        (lambda p: (F(p), t(p)), "t comes first"),
        (lambda p: (-abs(t(p)), F(p)), "not t"),
        (lambda p: (t(p, p.mean()), F(p)), "first one alone"),
        (lambda p: (t(p, p[0].mean()), F(p)), "division's mean"),
        (lambda p: (t(p, p[0, 1]), F(p)), "second half"),
        (lambda p: (t(p, None, variances(p).sum()), F(p)), "not the sum"),
        (lambda p: (p[0, 0] / variances(p).mean(), F(p)), "root"),
        (lambda p: (p[0, 0] / np.sqrt(variances(p)).mean(), F(p)), "then the root"),
        (lambda p: (t(p, None, p.var(1).mean()), F(p)), "not their mean"),
        (lambda p: (t(p, None, p.var(ddof=1)), F(p)), "each division"),
        (
            lambda p: (p.mean() / (p.std(ddof=1) / 10**0.5), F(p)),
            "test of all ten",
        ),
        (lambda p: (t(p), 2 * F(p)), "factor 2"),
        (lambda p: (t(p), 5 * F(p)), "not a mean"),
        (lambda p: (t(p), F(p) / 10), "numerator is a sum"),
        (lambda p: (t(p), F(p) / 2), "with no factor"),
        (lambda p: (t(p), t(p) ** 2), "uses all ten"),
        (lambda p: (t(p), p.sum() ** 2 / (2 * variances(p).sum())), "square each"),
        (lambda p: (t(p), 0.5), "second number is not F"),
        (lambda p: t(p), "shape (2,)"),
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
)
