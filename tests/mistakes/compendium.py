"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def parts(values, study):
    return [values[study == name] for name in np.unique(study)]


def stream(blocks, deviation):
    values = [*blocks]
    whole = np.concatenate(values)
    return np.array([whole.mean(0), deviation(values, whole)])


def pooled(blocks, whole):
    return np.sqrt(sum(len(b) * b.var(0) for b in blocks) / len(whole))


MISTAKES = (
    [
        (lambda: "lower", "noisy sides"),
        (lambda: "the same", "the other side"),
        (lambda: 0.9, "Return one of"),
        (lambda: None, "return missing"),
    ],
    [
        (
            lambda v, s: np.var([p.mean(0) for p in parts(v, s)], axis=0) / v.var(0),
            "a large one counts for more",
        ),
        (
            lambda v, s: (
                1 - np.mean([p.var(0) for p in parts(v, s)], axis=0) / v.var(0)
            ),
            "a large one counts for more",
        ),
        (
            lambda v, s: (
                sum(len(p) * p.var(0) for p in parts(v, s)) / len(v) / v.var(0)
            ),
            "within",
        ),
        (
            lambda v, s: (
                sum(len(p) * (p.mean(0) - v.mean(0)) ** 2 for p in parts(v, s)) / len(v)
            ),
            "is a variance",
        ),
    ],
    [
        (lambda x, s: np.sqrt(x.var(0) * s), "with the noise in it"),
        (lambda x, s: x.var(0) * s / (1 - s), "root"),
        (lambda x, s: x.std(0) * s / (1 - s), "not of deviations"),
        (lambda x, s: np.sqrt(x.var(0, ddof=1) * s / (1 - s)), "divide by n"),
    ],
    [
        (
            lambda blocks: np.mean([[b.mean(0), b.std(0)] for b in blocks], axis=0),
            "last block is shorter",
        ),
        (
            lambda blocks: stream(
                blocks, lambda b, _: np.mean([x.std(0) for x in b], axis=0)
            ),
            "can't be averaged",
        ),
        (lambda blocks: stream(blocks, pooled), "differ in their means"),
        (lambda blocks: stream(blocks, lambda _, v: v.var(0)), "is a variance"),
        (lambda blocks: stream(blocks, lambda _, v: v.std(0, ddof=1)), "divide by n"),
    ],
)
