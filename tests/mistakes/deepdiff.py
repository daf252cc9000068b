"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def pull(a, b, regulated, margin, near=0.5, clip=True, sign=-1.0):
    R = np.linalg.norm(a - b, axis=1)
    push = np.maximum(0, margin - R) if clip else margin - R
    return (np.where(regulated, sign * push, near) / R)[:, None] * (a - b)


def squared(a, b, regulated, margin):
    R = np.linalg.norm(a - b, axis=1)
    slope = np.where(regulated, -np.maximum(0, margin - R) / R, 1)
    return slope[:, None] * (a - b)


def share(R2, phi, kappa):
    told = R2 * (1 - phi)
    return told / (told + (1 - R2) * (1 - kappa))


def r(x, y):
    return np.corrcoef(x, y)[0, 1]


def changes(first, second, y, draws):
    return np.array([r(first[d], y[d]) - r(second[d], y[d]) for d in draws])


def falls(predict, a, b, y, order, copy=True, both=True):
    whole, found = r(predict(a, b), y), []
    for mark in range(a.shape[1]):
        pair = (a.copy(), b.copy()) if copy else (a, b)
        for x in pair[: 1 + both]:
            x[:, mark] = x[order, mark]
        found.append(whole - r(predict(*pair), y))
    return np.array(found)


MISTAKES = (
    [
        (lambda: "two lines", "a = b = 1"),
        (lambda: "one curve", "b = −2"),
        (lambda: "none", "Return one of"),
    ],
    [
        (lambda a, b, S, m: -pull(a, b, S, m), "downhill"),
        (squared, "not R²"),
        (lambda a, b, S, m: pull(a, b, S, m, near=1.0), "A half"),
        (lambda a, b, S, m: pull(a, b, S, m, clip=False), "beyond the margin"),
        (lambda a, b, S, m: pull(a, b, S, m, sign=1.0), "m − R grow"),
        (lambda a, b, S, m: pull(a, b, ~S, m), "regulated ones"),
        (lambda a, b, S, m: pull(a, b, S, m) / len(a), "each gene's own"),
    ],
    [
        (share, "r is asked"),
        (lambda R2, phi, kappa: R2**0.5, "of a level"),
        (lambda R2, phi, kappa: (R2 * (1 - phi)) ** 0.5, "isn't 1"),
        (lambda R2, phi, kappa: share(R2, kappa, phi) ** 0.5, "changed places"),
        (lambda R2, phi, kappa: share(R2, -phi, -kappa) ** 0.5, "the sum"),
    ],
    [
        (lambda f, s, y, d: -changes(f, s, y, d), "other sign"),
        (lambda f, s, y, d: np.abs(changes(f, s, y, d)), "cross zero"),
        (lambda f, s, y, d: np.full(len(d), r(f, y) - r(s, y)), "rows used"),
        (
            lambda f, s, y, d: np.array([r(f[i], y) - r(s[i], y) for i in d]),
            "truth must be drawn",
        ),
    ],
    [
        (lambda *given: -falls(*given), "other sign"),
        (lambda *given: falls(*given, both=False), "Only A's"),
        (lambda *given: falls(*given, copy=False), "back in their place"),
        (
            lambda p, a, b, y, order: r(p(a, b), y) - falls(p, a, b, y, order),
            "that is left",
        ),
    ],
)
