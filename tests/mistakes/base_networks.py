"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def outside(X, W0):
    return W0 - np.linalg.pinv(X) @ X @ W0


def outside_by_inverse(X, W0):
    if np.linalg.matrix_rank(X) < len(X):
        return W0 - X.T @ X @ W0  # what rounding makes of it
    return W0 - X.T @ np.linalg.solve(X @ X.T, X @ W0)


def rates(mae, lr, floor, rise=np.greater, against=lambda past: past[-1], early=0):
    found, rate = [], lr
    for epoch in range(len(mae)):
        last = epoch - 1 + early
        if last >= 1 and rise(mae[last], against(mae[:last])):
            rate = max(0.9 * rate, floor)
        found.append(rate)
    return found


MISTAKES = (
    [
        (lambda loss: "same", "looks at distances"),
        (lambda loss: "lower", "keeps the order"),
        (lambda loss: "same" if loss == "absolute" else "higher", "pull harder"),
        (lambda loss: "equal", "one of 'higher', 'lower', 'same'"),
    ],
    [
        (lambda W, b, g, beta, m, v, e: W * g / np.sqrt(v + e), "two arrays"),
        (
            lambda W, b, g, beta, m, v, e: (W * g / (v + e), (b - m) * g / (v + e)),
            "a root",
        ),
        (lambda W, b, g, beta, m, v, e: (W * g / np.sqrt(v), b), "where is ε"),
        (
            lambda W, b, g, beta, m, v, e: (
                W * g / np.sqrt(v + e),
                b * g / np.sqrt(v + e) + beta,
            ),
            "forgets the mean",
        ),
        (
            lambda W, b, g, beta, m, v, e: (
                W * g / np.sqrt(v + e),
                b - m * g / np.sqrt(v + e) + beta,
            ),
            "old b is scaled",
        ),
    ],
    [
        (lambda X, W, eta, c, s: outside(X, W), "Right without decay"),
        (lambda X, W, eta, c, s: (1 - eta * c) ** s * W, "span four"),
        (lambda X, W, eta, c, s: (1 - eta * c * s) * outside(X, W), "step by step"),
        (lambda X, W, eta, c, s: np.exp(-eta * c * s) * outside(X, W), "small steps"),
        (
            lambda X, W, eta, c, s: (1 - eta * c) ** s * outside_by_inverse(X, W),
            "repeated",
        ),
    ],
    [
        (lambda mae, lr, floor: rates(mae, lr, floor, early=1), "One epoch early"),
        (lambda mae, lr, floor: rates(mae, lr, floor, against=np.min), "the best"),
        (lambda mae, lr, floor: rates(mae, lr, floor, np.greater_equal), "same"),
        (lambda mae, lr, floor: rates(mae, lr, 0), "floor"),
        (lambda mae, lr, floor: lr * 0.9 ** np.arange(len(mae)), "Only a rise"),
    ],
)
