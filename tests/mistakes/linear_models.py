"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def slope(x, y, W):
    return x.T @ (y - x @ W) / len(x)


def violations(W, g, l1):
    zero = np.maximum(np.abs(g) - l1, 0)
    return np.where(W == 0, zero, np.abs(g - l1 * np.sign(W)))


def size(U, axis=1):
    return np.linalg.norm(U, axis=axis, keepdims=True) + 1e-9


def hat(x, l2):
    return x @ np.linalg.solve(x.T @ x + l2 * np.eye(x.shape[1]), x.T)


def seen(x, y, l2):
    """Errors of the fit to all, and the share of itself that a profile misses."""
    return y - hat(x, l2) @ y, (1 - hat(x, l2).diagonal())[:, None]


MISTAKES = (
    [
        (lambda model: "same", "in two halves"),
        (lambda model: "smaller", "cost more"),
        (lambda model: "larger", "sums absolute values"),
        (
            lambda model: "same" if model == "lasso" else "larger",
            "has no penalty",
        ),
        (lambda model: "bigger", "one of 'larger', 'same', 'smaller'"),
    ],
    [
        (lambda U, t: np.sign(U) * np.maximum(np.abs(U) - t, 0), "entry by entry"),
        (lambda U, t: U * np.maximum(1 - t / size(U, 0), 0), "a landmark is a row"),
        (lambda U, t: U * (size(U) > t), "become shorter"),
        (lambda U, t: U * (1 - t / size(U)), "turn around"),
        (lambda U, t: U / (1 + t), "squared"),
        (lambda U, t: U * np.where(size(U) > 1e-6, 1, np.nan), "division by zero"),
    ],
    [
        (lambda x, y, l2: seen(x, y, l2)[0], "helped to predict itself"),
        (lambda x, y, l2: np.multiply(*seen(x, y, l2)), "wrong way round"),
        (lambda x, y, l2: seen(x, y, l2)[0] / seen(x, y, l2)[1].mean(), "alike"),
        (lambda x, y, l2: seen(x, y, l2)[0] / seen(x, y, l2)[1] ** 2, "not twice"),
        (lambda x, y, l2: seen(x, y, 0)[0] / seen(x, y, 0)[1], "l2 = 2.0"),
    ],
    [
        (
            lambda x, y, W, l1: violations(W, len(x) * slope(x, y, W), l1).max(0),
            "1/(2n)",
        ),
        (lambda x, y, W, l1: violations(W, -slope(x, y, W), l1).max(0), "A sign"),
        (lambda x, y, W, l1: np.abs(slope(x, y, W)).max(0), "largest slope"),
        (
            lambda x, y, W, l1: np.where(
                W == 0, 0, violations(W, slope(x, y, W), l1)
            ).max(0),
            "Weights of 0 have a condition",
        ),
        (
            lambda x, y, W, l1: np.where(
                W == 0, violations(W, slope(x, y, W), l1), 0
            ).max(0),
            "Only weights of 0",
        ),
        (lambda x, y, W, l1: violations(W, slope(x, y, W), l1).sum(0), "not their sum"),
        (lambda x, y, W, l1: np.zeros(W.shape[1]), "wrong for others"),
        (lambda x, y, W, l1: violations(W, slope(x, y, W), l1), "shape"),
    ],
)
