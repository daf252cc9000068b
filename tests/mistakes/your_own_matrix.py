"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def _taken_off(C, j, scale):
    return C - np.outer(C[:, j], C[j]) / scale


def _place(C, noise):
    return int(((C**2).sum(0) / (C.diagonal() + noise)).argmax())


def _of_parts(x, y, groups, part_of, fit):
    part, found = np.array([part_of[g] for g in groups]), []
    for k in set(part):
        model = fit(x[part != k], y[part != k])
        found.append(np.abs(model(x[part == k]) - y[part == k]).mean(0))
    return np.mean(found, 0)


def _near(samples, errors, share):
    return samples[np.flatnonzero(errors <= (1 + share) * errors[-1])[0]]


MISTAKES = (
    [
        (lambda C, s: (int((C**2).sum(0).argmax()), C), "own variance"),
        (
            lambda C, s: (
                _place(C, s),
                _taken_off(C, _place(C, s), C[_place(C, s), _place(C, s)]),
            ),
            "as if nothing were noise",
        ),
        (lambda C, s: (_place(C, s), C), "given the new landmark"),
    ],
    [
        (
            lambda x, y, groups, part_of, fit: np.abs(fit(x, y)(x) - y).mean(0),
            "has seen",
        ),
        (_of_parts, "counts once"),
    ],
    [
        (lambda n, e, s: (_near(n, e, s), 1 - e[-1] / e[-2]), "per doubling"),
        (
            lambda n, e, s: (
                _near(n, e, s),
                (1 - e[-1] / e[-2]) / np.log2(n[-1] / n[-2]),
            ),
            "take a root",
        ),
    ],
)
