"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np
from sklearn.metrics import average_precision_score


def through(V1, V2, slope):
    return (V2 * slope) @ V1


def leaky(z, above=1.0, below=0.2):
    return np.where(z > 0, above, below)


def score(R, module, one_way=False, signed=False, diagonal=False):
    R = R if signed else np.abs(R)
    R = R if one_way else (R + R.T) / 2
    pairs = np.triu(np.ones(R.shape, bool), 0 if diagonal else 1)
    same = (module[:, None] == module)[pairs]
    return average_precision_score(same, R[pairs]), same.mean()


def quarters(change, hard):
    return change[np.argsort(hard)].reshape(4, -1).mean(1)


MISTAKES = (
    [
        (lambda: "the same", "two tasks only"),
        (lambda: "gone", "why the copy"),
        (lambda: "twice", "Return one of"),
    ],
    [
        (lambda V1, V2, f: V2 @ V1, "linear path"),
        (lambda V1, V2, f: through(V1, V2, leaky(f @ V1.T, 1, 0).mean(0)), "negative"),
        (
            lambda V1, V2, f: through(V1, V2, leaky(f.mean(0) @ V1.T)),
            "mean of the slopes",
        ),
        (lambda V1, V2, f: through(V1, V2, leaky(f @ V1.T).sum(0)), "sum"),
        (lambda V1, V2, f: through(V1, V2, leaky(f @ V1.T).mean(0)).T, "transpose"),
    ],
    [
        (lambda p, o, h: quarters(p - o, h), "sign"),
        (lambda p, o, h: quarters(o - p, -h), "easiest"),
        (lambda p, o, h: quarters(o - p, p), "unlucky"),
        (lambda p, o, h: (o - p).reshape(4, -1).mean(1), "Sort"),
        (lambda p, o, h: quarters(o - p, h) * len(p) / 4, "sums"),
    ],
    [
        (lambda R, m: score(R, m, signed=True), "negative relation"),
        (lambda R, m: score(R, m, one_way=True), "one direction"),
        (lambda R, m: (score(R, m)[0], 1 / len(set(m))), "differ in size"),
        (
            lambda R, m: (score(R, m)[0], (m[:, None] == m).mean()),
            "with itself",
        ),
        (lambda R, m: score(R, m, diagonal=True), "45 pairs"),
        (lambda R, m: score(R, m)[::-1], "comes first"),
    ],
)
