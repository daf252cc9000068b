"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def _trace(C, places, M):
    return np.trace(C[places].T @ np.linalg.solve(M, C[places])) / C.trace()


def _among(C, places):
    return C[np.ix_(places, places)]


def _without(part, x, y, fit):
    found = np.empty_like(y)
    for k in set(part):
        found[part == k] = fit(x[part != k], y[part != k])(x[part == k])
    return np.abs(found - y).mean(0)


def _seen(x, y, fit):
    return np.abs(fit(x, y)(x) - y).mean(0)


def _of_parts(x, y, groups, part_of, fit):
    part, found = np.array([part_of[g] for g in groups]), []
    for k in set(part):
        model = fit(x[part != k], y[part != k])
        found.append(np.abs(model(x[part == k]) - y[part == k]).mean(0))
    return np.mean(found, 0), _seen(x, y, fit)


def _near(samples, errors, share):
    return samples[np.flatnonzero(errors <= (1 + share) * errors[-1])[0]]


MISTAKES = (
    [
        (lambda: "lower", "no help"),
        (lambda: "as promised", "named beforehand"),
    ],
    [
        (lambda C, at, s: _trace(C, at, _among(C, at)), "hold noise"),
        (lambda C, at, s: _trace(C, at, _among(C, at) + s), "independent"),
        (
            lambda C, at, s: (
                sum((C[j] ** 2).sum() / (C[j, j] + s) for j in at) / C.trace()
            ),
            "explain it once",
        ),
        (
            lambda C, at, s: (
                _trace(C, at, _among(C, at) + s * np.eye(len(at))) * C.trace()
            ),
            "its share",
        ),
        (lambda C, at, s: _among(C, at).trace() / C.trace(), "own variance"),
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
    [
        (
            lambda x, y, groups, part_of, fit: [_seen(x, y, fit)] * 2,
            "has seen",
        ),
        (_of_parts, "counts once"),
        (
            lambda x, y, groups, part_of, fit: (
                _without(groups, x, y, fit),
                _seen(x, y, fit),
            ),
            "not single groups",
        ),
        (
            lambda x, y, groups, part_of, fit: (
                _without(np.arange(len(x)), x, y, fit),
                _seen(x, y, fit),
            ),
            "twin",
        ),
        (
            lambda x, y, groups, part_of, fit: (
                [_without(np.array([part_of[g] for g in groups]), x, y, fit)] * 2
            ),
            "a fit to all",
        ),
    ],
)
