"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np
from scipy.optimize import nnls


def _free(parts, y):
    return np.linalg.lstsq(parts.reshape(len(parts), -1).T, y.ravel())[0]


def _bounded(parts, y):
    return nnls(parts.reshape(len(parts), -1).T, y.ravel())[0]


def _components(y, k):
    return np.linalg.svd(y, full_matrices=False)[2][:k]


def _slope(left, d):
    return (left * d).sum() / (d**2).sum()


def _best(parts, y):
    return parts[np.abs(parts - y).mean((1, 2)).argmin()]


def _ways(weights, best=None, score=lambda e: np.abs(e).mean()):
    """The three ways with weights of their own, or another best."""

    def answer(known, y, asked, truth):
        at = np.abs(known - y).mean((1, 2)).argmin()
        first = asked[at] if best is None else best(asked, truth)
        stack = np.tensordot(weights(known, y), asked, 1)
        return [score(f - truth) for f in (first, asked.mean(0), stack)]

    return answer


MISTAKES = (
    [
        (lambda: "positive", "erred elsewhere"),
        (lambda: "zero", "bound"),
    ],
    [
        (lambda f, g, y: 1 - np.clip(_slope(y - g, f - g), 0, 1), "second one's"),
        (lambda f, g, y: _slope(y - g, f - g), "below 0 or above 1"),
        (lambda f, g, y: _free(np.stack([f, g]), y)[0], "add up to 1"),
        (lambda f, g, y: _slope(y, f - g), "second's error"),
        (lambda f, g, y: _slope(y, f), "without the second"),
        (
            lambda f, g, y: 1 / (1 + ((f - y) ** 2).sum() / ((g - y) ** 2).sum()),
            "unrelated",
        ),
    ],
    [
        (lambda one, mean, M, N: one / N, "nothing in the errors"),
        (lambda one, mean, M, N: mean * M / N, "of their own"),
        (lambda one, mean, M, N: one - (one - mean) * M / (M - 1), "infinitely"),
        (lambda one, mean, M, N: mean + (one - mean) / N, "left, too"),
        (lambda one, mean, M, N: one - (one - mean) * N / M, "takes off less"),
    ],
    [
        (lambda f, y, k: f @ _components(f, k).T @ _components(f, k), "is measured"),
        (
            lambda f, y, k: f - f @ _components(y, k).T @ _components(y, k),
            "takes away",
        ),
    ],
    [
        (_ways(_free), "is negative"),
        (_ways(lambda parts, y: _free(parts, y).clip(0)), "as they were"),
        (
            _ways(lambda parts, y: _bounded(parts, y) / _bounded(parts, y).sum()),
            "add up to 1",
        ),
        (_ways(_bounded, best=_best), "on test"),
        (_ways(_bounded, score=lambda e: (e**2).mean()), "Absolute"),
        (
            lambda known, y, asked, truth: _ways(_bounded)(known, y, asked, truth)[
                ::-1
            ],
            "In the order",
        ),
        (
            lambda known, y, asked, truth: _ways(_bounded)(known, y, known, y),
            "on validation",
        ),
    ],
)
