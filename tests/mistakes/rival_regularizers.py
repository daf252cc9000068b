"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def spread(W, labels):
    """The squared distances of the columns to their cluster's centre, a list."""
    return [
        (W[:, labels == k] - W[:, labels == k].mean(1, keepdims=True)) ** 2
        for k in np.unique(labels)
    ]


def amtl(W, V, losses, mu, lam, axis=1):
    gives = (1 + mu * np.abs(V).sum(axis)) * losses
    return gives.sum() + lam * ((W - W @ V) ** 2).sum()


def base(D, H, L, T):
    return sum((D + i * H) * H for i in range(L)) + (D + L * H) * T


MISTAKES = (
    [
        (lambda W, k: ((W - W.mean(1, keepdims=True)) ** 2).sum(), "mean of all tasks"),
        (lambda W, k: sum(v.mean(1).sum() for v in spread(W, k)), "size of its clus"),
        (lambda W, k: sum(v.sum() for v in spread(W, k)) / W.shape[1], "divide by the"),
        (lambda W, k: (W**2).sum(), "subtract the centres"),
        (lambda W, k: sum(v.sum() for v in spread(W.T, k)), "stops"),
    ],
    [
        (lambda *a: amtl(*a, axis=0), "takes"),
        (lambda W, V, losses, mu, lam: amtl(W, V, losses, 0, lam), "α is missing"),
        (lambda W, V, losses, mu, lam: amtl(W, V, losses, mu, 0), "second term"),
        (lambda W, V, losses, mu, lam: amtl(W, V, losses, mu, 1), "λ is missing"),
        (lambda *a: amtl(*a) - a[2].sum(), "losses themselves"),
    ],
    [
        (lambda W, V, d: ((W - W @ V)[:, d] ** 2).sum(), "too small"),
        (lambda W, V, d: ((W - W @ V)[:, d] ** 2).sum() / len(d), "mean of a column"),
        (lambda W, V, d: ((W - W @ V) ** 2).sum(), "whole cost"),
        (
            lambda W, V, d: (
                ((W[:, d] - W[:, d] @ V[np.ix_(d, d)]) ** 2).sum() * V.shape[0] / len(d)
            ),
            "drawn only",
        ),
        (lambda W, V, d: ((W - W @ V)[:, d] ** 2).sum() * 7 / 3, "all of them"),
    ],
    [
        (base, "base network"),
        (lambda D, H, L, T: base(D, H, L, T) + T * T, "T²"),
        (lambda D, H, L, T: base(D, H, L, T) + T * H, "last hidden"),
    ],
)
