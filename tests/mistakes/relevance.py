"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def down(a, W, s):
    return a * (s @ W)


def sign(z, epsilon):
    return np.where(z < 0, -epsilon, epsilon)


def zero_at_zero(a, W, b, R, epsilon):
    z = a @ W.T + b
    with np.errstate(all="ignore"):
        return down(a, W, R / (z + epsilon * np.sign(z)))


def top(values, count):
    return set(np.argsort(values)[-count:])


def shared(one, other, count, size=np.abs):
    return len(top(size(one), count) & top(size(other), count)) / count


MISTAKES = (
    [
        (lambda a, W, b, R, e: down(a, W, R / (a @ W.T + b + e)), "both sides"),
        (zero_at_zero, "division by zero"),
        (
            lambda a, W, b, R, e: down(a, W, R / (np.abs(a @ W.T + b) + e)),
            "keeps its sign",
        ),
        (
            lambda a, W, b, R, e: down(a, W, R / (a @ W.T + sign(a @ W.T + b, e))),
            "bias",
        ),
        (
            lambda a, W, b, R, e: (R / (a @ W.T + b + sign(a @ W.T + b, e))) @ W,
            "proportion",
        ),
        (lambda a, W, b, R, e: down(a, W, R), "shares of z"),
    ],
    [
        (
            lambda a, W, b, R, e: (R / (a @ W.T + b + sign(a @ W.T + b, e)) * b).sum(1),
            "another one",
        ),
        (
            lambda a, W, b, R, e: (
                R / (a @ W.T + b + sign(a @ W.T + b, e)) * (b + e)
            ).sum(1),
            "sign of z",
        ),
        (
            lambda a, W, b, R, e: down(
                a, W, R / (a @ W.T + b + sign(a @ W.T + b, e))
            ).sum(1),
            "handed down",
        ),
        (lambda a, W, b, R, e: R.sum(1), "comes in"),
    ],
    [
        (lambda W, b, m, v, g, t, d: (W, b), "change as well"),
        (
            lambda W, b, m, v, g, t, d: (g / np.sqrt(v + d) * W, b),
            "rows of W",
        ),
        (
            lambda W, b, m, v, g, t, d: ((g / np.sqrt(v))[:, None] * W, b),
            "under the root",
        ),
        (
            lambda W, b, m, v, g, t, d: (
                (g / np.sqrt(v + d))[:, None] * W,
                g / np.sqrt(v + d) * b + t,
            ),
            "running mean",
        ),
        (
            lambda W, b, m, v, g, t, d: (
                (g / np.sqrt(v + d))[:, None] * W,
                b - m + t,
            ),
            "scaled as the weights",
        ),
        (lambda W, b, m, v, g, t, d: (g / np.sqrt(v + d))[:, None] * W, "two things"),
    ],
    [
        (
            lambda one, other, n: (shared(one, other, n, lambda v: v), n / len(one)),
            "negative",
        ),
        (
            lambda one, other, n: (n * shared(one, other, n), n / len(one)),
            "share is asked",
        ),
        (
            lambda one, other, n: (shared(one, other, n), (n / len(one)) ** 2),
            "is given",
        ),
        (
            lambda one, other, n: (shared(one, other, n), n * n / len(one)),
            "how many",
        ),
    ],
)
