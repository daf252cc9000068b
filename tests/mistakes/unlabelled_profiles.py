"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def ridge(X, Y, alpha):
    return np.linalg.solve(X.T @ X + alpha * np.eye(X.shape[1]), X.T @ Y)


def twice(X, Y, U, first, second):
    guess = U @ ridge(X, Y, first)
    return ridge(np.vstack([X, U]), np.vstack([Y, guess]), second)


def zeros(X, Y, U, alpha):
    return ridge(np.vstack([X, U]), np.vstack([Y, np.zeros((len(U), 3))]), alpha)


def softplus(d):
    return np.logaddexp(0, d)


def naive(real, fake):
    sigmoid = [1 / (1 + np.exp(-d)) for d in (real, fake)]
    loss = -np.log(sigmoid[0]).mean() - np.log(1 - sigmoid[1]).mean()
    return loss, -np.log(sigmoid[1]).mean()


def some(groups, share, rng, of=lambda u, n: u[:n]):
    units = rng.permutation(np.unique(groups))
    return np.isin(groups, of(units, max(1, round(share * len(units)))))


MISTAKES = (
    [
        (zeros, "target 0"),
        (lambda X, Y, U, a: twice(X, Y, U, a, a * (1 + len(U) / len(X))), "grew"),
        (lambda X, Y, U, a: twice(X, Y, U, a, 0), "second fit"),
        (lambda X, Y, U, a: twice(X, Y, U, 0, a), "first fit"),
        (lambda X, Y, U, a: ridge(X, Y, 0), "penalty is missing."),
    ],
    [
        (lambda p, q: q / (p + q), "invented"),
        (lambda p, q: p, "q matters"),
        (lambda p, q: p / q, "ratio"),
        (lambda p, q: p / (p + q), "0 / 0"),
        (lambda p, q: p / (p + q + 1e-9), "never occurs"),
        (lambda p, q: p > q, "that sure"),
    ],
    [
        (naive, "NaN or infinity"),
        (
            lambda r, f: (
                softplus(-r).mean() + softplus(f).mean(),
                -softplus(f).mean(),
            ),
            "saturating",
        ),
        (
            lambda r, f: (softplus(-r).sum() + softplus(f).sum(), softplus(-f).sum()),
            "sums",
        ),
        (
            lambda r, f: (softplus(r).mean() + softplus(-f).mean(), softplus(f).mean()),
            "A sign",
        ),
    ],
    [
        (lambda g, share, rng: rng.random(len(g)) < share, "torn apart"),
        (lambda g, share, rng: ~some(g, share, rng), "lose"),
        (
            lambda g, s, rng: some(g, s, np.random.default_rng(0)),
            "same groups",
        ),
        (
            lambda g, share, rng: some(g, share, rng, lambda u, n: u[: n + 1]),
            "should be",
        ),
    ],
)
