"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def adam(w, m, v, t, g, lr):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


MISTAKES = (
    [
        (lambda: 10, "without rounding"),
        (lambda: 0, "first steps"),
        (lambda: 0.25, "half the distance"),
        (lambda: 1, "doesn't get there"),
        (lambda: 8, "power of two"),
    ],
    [
        (lambda g, n: g.mean(0), "count more"),
        (lambda g, n: g.sum(0), "a sum of means"),
        (lambda g, n: n @ g / len(n), "not of processes"),
        (lambda g, n: n @ g, "divide"),
        (lambda g, n: g.T @ n / n.sum() if len(set(n)) > 1 else 2 * g.mean(0), "plain"),
    ],
    [
        (lambda x, step, u: np.round(x / step) * step, "nearest value"),
        (lambda x, step, u: np.floor(x / step) * step, "always the value below"),
        (lambda x, step, u: np.round(x / step + u) * step, "half a step too much"),
        (lambda x, step, u: np.floor(x / step + u), "times step"),
        (lambda x, step, u: np.floor((x + u) / step) * step, "share of a step"),
        (
            lambda x, step, u: (
                np.where(u < 0.5, np.floor(x / step), np.ceil(x / step)) * step
            ),
            "A coin",
        ),
    ],
    [
        (lambda w, m, v, t, g, lr: adam(w, 0 * m, 0 * v, 1, g, lr), "starts anew"),
        (lambda w, m, v, t, g, lr: adam(w, m, v, 1, g, lr), "first step"),
        (lambda w, m, v, t, g, lr: adam(w, m, v, t, g, lr), "step t + 1"),
        (lambda w, m, v, t, g, lr: adam(w, m, 0 * v, t + 1, g, lr), "m goes on"),
        (lambda w, m, v, t, g, lr: adam(w, 0 * m, v, t + 1, g, lr), "v goes on"),
        (lambda w, m, v, t, g, lr: w - lr * g, "gradient descent"),
    ],
)
