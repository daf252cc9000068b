"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def slope(x, y, W):
    return x.T @ (y - x @ W) / len(x)


def violations(W, g, l1):
    zero = np.maximum(np.abs(g) - l1, 0)
    return np.where(W == 0, zero, np.abs(g - l1 * np.sign(W)))


MISTAKES = (
    [
        (lambda u, t: np.where(np.abs(u) > t, u, 0), "hard thresholding"),
        (lambda u, t: np.maximum(u - t, 0), "Negative entries"),
        (lambda u, t: u - t, "Nothing is exactly 0"),
        (lambda u, t: np.sign(u) * (np.abs(u) - t), "change their sign"),
        (lambda u, t: u / (1 + t), "ridge"),
        (
            lambda u, t: np.sign(u) * np.maximum(np.abs(u) - np.max(t), 0),
            "an array of thresholds",
        ),
    ],
    [
        (
            lambda s, V, c, l2: (
                V @ ((V.T @ c) / np.where(s > 1e-9, s, np.inf)[:, None])
            ),
            "least squares",
        ),
        (lambda s, V, c, l2: V / (s**2 + l2) @ (V.T @ c), "squares of singular"),
        (lambda s, V, c, l2: V * (s / (s + l2)) @ (V.T @ c), "factors by which"),
        (lambda s, V, c, l2: (V.T @ c) / (s + l2)[:, None], "Almost"),
        (lambda s, V, c, l2: V.T / (s + l2) @ (V @ c), "l2 = 2.0"),
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
