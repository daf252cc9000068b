"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def size(W):
    return np.linalg.norm(W, axis=1)


def eye(R):
    return np.eye(len(R))


MISTAKES = (
    [
        (lambda: "true", "neighbours of neighbours"),
        (lambda: "shuffled", "any graph"),
        (lambda: "the true one", "Return one of"),
    ],
    [
        (lambda W: size(W) ** 2 / (size(W) ** 2).sum(), "shares of the squares"),
        (lambda W: size(W), "add up to 1"),
        (lambda W: np.full(len(W), 1 / len(W)), "equal shares"),
        (lambda W: np.linalg.norm(W, axis=0), "shape"),
        (lambda W: 1 / size(W) / (1 / size(W)).sum(), "Turned around"),
    ],
    [
        (lambda u, v, slope, w, w0: u(w) - v(w), "isn't convex"),
        (lambda u, v, slope, w, w0: u(w) - v(w0) - slope(w) @ (w - w0), "stays where"),
        (lambda u, v, slope, w, w0: u(w) - slope(w0) @ w, "wrong height"),
        (lambda u, v, slope, w, w0: u(w) - v(w0) + slope(w0) @ (w - w0), "sign"),
    ],
    [
        (lambda R: eye(R) + np.diag(np.abs(R).sum(0)) - R, "its inverse"),
        (
            lambda R: np.linalg.inv(eye(R) + np.diag(np.abs(R).sum(0)) - np.abs(R)),
            "the sign is gone",
        ),
        (
            lambda R: np.linalg.inv(eye(R) + np.diag(R.clip(0).sum(0)) - R.clip(0)),
            "left the negative",
        ),
        (lambda R: np.linalg.inv(eye(R) + np.diag(R.sum(0)) - R), "must make its"),
        (
            lambda R: np.linalg.inv(eye(R) + (np.diag(np.abs(R).sum(0)) - R) / 2),
            "stands twice",
        ),
    ],
)
