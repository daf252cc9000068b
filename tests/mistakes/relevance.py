"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def scale(v, gamma, delta):
    return gamma / np.sqrt(v + delta)


def parts(a, W):
    return a[:, None] * W  # (n, H, I)


def handed(R, parts, total):
    with np.errstate(all="ignore"):
        return ((R / total)[:, :, None] * parts).sum(1)


def safe(total):
    return np.where(total == 0, np.inf, total)


def up(a, W):
    return np.maximum(parts(a, W), 0)


def top(values, count):
    return set(np.argsort(values)[-count:])


def shared(one, other, count, size=np.abs):
    return len(top(size(one), count) & top(size(other), count)) / count


MISTAKES = (
    [
        (lambda k: 1 / k, "its contribution"),
        (lambda k: 1, "still hold a part"),
        (lambda k: int(k == 1), "don't step in"),
        (lambda k: k**-0.5, "averaged"),
        (lambda k: 2.0 ** (1 - k) / 2, "k = 1"),
    ],
    [
        (lambda W, b, m, v, g, t, d: (W, b), "change as well"),
        (
            lambda W, b, m, v, g, t, d: (scale(v, g, d)[:, None] * W, b),
            "not units",
        ),
        (lambda W, b, m, v, g, t, d: (W * scale(v, g, 0), b), "under the root"),
        (
            lambda W, b, m, v, g, t, d: (
                W * scale(v, g, d),
                b + t - scale(v, g, d) * m,
            ),
            "through its weights",
        ),
        (
            lambda W, b, m, v, g, t, d: (
                W * scale(v, g, d),
                scale(v, g, d) * (b - m) + t,
            ),
            "after the layer",
        ),
        (lambda W, b, m, v, g, t, d: (W * scale(v, g, d), b + W @ t), "running mean"),
        (lambda W, b, m, v, g, t, d: (W * scale(v, g, d), b), "bias changes"),
        (lambda W, b, m, v, g, t, d: W * scale(v, g, d), "two things"),
    ],
    [
        (
            lambda a, W, R: handed(R, parts(a, W), safe(parts(a, W).sum(2))),
            "that lower the unit",
        ),
        (lambda a, W, R: handed(R, up(a, W), up(a, W).sum(2)), "isn't raised"),
        (
            lambda a, W, R: handed(
                R,
                parts(a, np.maximum(W, 0)),
                safe(parts(a, np.maximum(W, 0)).sum(2)),
            ),
            "not W alone",
        ),
        (
            lambda a, W, R: handed(R, up(a, W), safe(parts(a, W).sum(2))),
            "not of all of it",
        ),
        (lambda a, W, R: handed(R, up(a, W), 1), "by what to divide"),
        (
            lambda a, W, R: np.maximum(
                handed(R, parts(a, W), safe(parts(a, W).sum(2))), 0
            ),
            "before they are shared",
        ),
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
