"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def without_end(load, compute):
    done = 0.0
    for there, computing in zip(np.cumsum(load), compute, strict=True):
        done = max(done, there) + computing
    return done


def two_places(load, compute):
    began, done = [0.0, 0.0], 0.0
    loaded = 0.0
    for loading, computing in zip(load, compute, strict=True):
        loaded = max(loaded, began[-2]) + loading
        began.append(max(loaded, done))
        done = began[-1] + computing
    return done


MISTAKES = (
    [
        (lambda: "units", "narrower"),
        (lambda: "moments", "a quarter"),
        (lambda: "rank", "Return one of"),
    ],
    [
        (lambda P, m, bf16: P * (4 + 4 * m), "one is missing"),
        (lambda P, m, bf16: 8 * P, "moments are missing"),
        (lambda P, m, bf16: 16 * P, "That is Adam"),
        (lambda P, m, bf16: P * ((4 if bf16 else 8) + 4 * m), "original"),
        (lambda P, m, bf16: P * (8 + (2 if bf16 else 4) * m), "stay in FP32"),
    ],
    [
        (lambda room, K: ((room / 20) ** 0.5, room / (32 * K)), "whole numbers"),
        (lambda room, K: (int((room / 16) ** 0.5), room // (32 * K)), "second matrix"),
        (lambda room, K: (int((room / 20) ** 0.5), room // (16 * K)), "two matrices"),
        (lambda room, K: (room // (32 * K), int((room / 20) ** 0.5)), "V comes first"),
        (lambda room, K: int((room / 20) ** 0.5), "shape (2,)"),
    ],
    [
        (lambda a, b: (a + b).sum(), "nothing overlaps"),
        (lambda a, b: max(a.sum(), b.sum()), "a bound"),
        (lambda a, b: a[0] + np.maximum(a[1:], b[:-1]).sum(), "The last batch"),
        (without_end, "without end"),
        (lambda a, b: a.sum() + b[-1], "can't begin"),
        (lambda a, b: a[0] + b.sum(), "in time"),
        (two_places, "Not when"),
    ],
)
