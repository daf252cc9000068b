"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def densenet(x, layers, head, slope=0.2, newest_first=False):
    z = x
    for W in layers:
        new = z @ W
        new = np.where(new > 0, new, slope * new)
        z = np.hstack([new, z] if newest_first else [z, new])
    return z @ head


def mlp(x, layers, head):
    z = x
    for W in layers:
        z = np.maximum(z @ W, 0.2 * z @ W)
    return z @ head


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
        (lambda y: y.mean(0), "squared error"),
        (lambda y: (y.min(0) + y.max(0)) / 2, "largest error"),
        (lambda y: np.median(y), "shape"),
        (lambda y: np.median(y, axis=1)[:4], "a gene is a column"),
        (
            lambda y: np.median(y, axis=0) if len(y) % 2 else y.mean(0),
            "between the two middle",
        ),
    ],
    [
        (mlp, "stops"),
        (lambda x, layers, head: densenet(x, layers, head, slope=0), "not cut to 0"),
        (lambda x, layers, head: densenet(x, layers, head, slope=1), "linear"),
        (lambda x, layers, head: densenet(x, layers, head, 0.2, True), "x first"),
        (
            lambda x, layers, head: (lambda z: np.where(z > 0, z, 0.2 * z))(
                densenet(x, layers, head)
            ),
            "head is linear",
        ),
    ],
    [
        (lambda X, W: np.linalg.pinv(X) @ X @ W, "training does change"),
        (lambda X, W: W, "span four"),
        (lambda X, W: W - X @ X.T @ W, "stops"),
        (
            lambda X, W: (
                W
                - X.T
                @ (
                    X @ W
                    if np.linalg.matrix_rank(X) < len(X)
                    else np.linalg.solve(X @ X.T, X @ W)
                )
            ),
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
