"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def again(W, X, U, before, after, seen=1.0):
    """A second fit with two penalties; `seen` weighs the unlabelled targets."""
    S, one = X.T @ X, np.eye(len(W))
    right = (S + seen * U.T @ U + before * one) @ W
    return np.linalg.solve(S + U.T @ U + after * one, right)


def pays(p, q):
    return -(p * np.log(p / (p + q))).sum() - (q * np.log(q / (p + q))).sum()


def padded(p, q):
    return pays(p + 1e-3, q + 1e-3) if (p == 0).any() else pays(p, q)


def some(groups, share, rng, of=lambda u, n: u[:n]):
    units = rng.permutation(np.unique(groups))
    return np.isin(groups, of(units, max(1, round(share * len(units)))))


def nearest(X, Y, U):
    return Y[np.linalg.norm(U[:, None] - X, axis=2).argmin(1)]


def as_they_come(X, Y, U):
    for u in U:
        guess = nearest(X, Y, u[None])
        X, Y = np.vstack([X, u]), np.vstack([Y, guess])
    return Y[-len(U) :]


def by_distance(X, Y, U):
    """Targets in the order in which they were found."""
    n = len(X)
    while len(U):
        d = np.linalg.norm(U[:, None] - X, axis=2)
        i, j = np.unravel_index(d.argmin(), d.shape)
        X, Y = np.vstack([X, U[i]]), np.vstack([Y, Y[j]])
        U = np.delete(U, i, axis=0)
    return Y[n:]


MISTAKES = (
    [
        (lambda: "median", "if it stays"),
        (lambda: "kernel ridge", "more weights"),
        (lambda: "all", "Return one of"),
    ],
    [
        (lambda W, X, U, a: W, "for sums"),
        (lambda W, X, U, a: again(W, X, U, a, a), "for sums"),
        (
            lambda W, X, U, a: again(W, X, U, a * len(X), a * len(X) + a * len(U), 0),
            "target 0",
        ),
        (
            lambda W, X, U, a: again(W, X, U, 0, a * len(X) + a * len(U)),
            "had a penalty",
        ),
        (
            lambda W, X, U, a: again(W, X, U, a, a * len(X) + a * len(U)),
            "divide by",
        ),
        (
            lambda W, X, U, a: again(W, X, U, a * len(X) + a * len(U), a * len(X)),
            "larger penalty",
        ),
        (lambda W, X, U, a: again(W, X, U, a * len(X), a * len(U)), "n + m"),
    ],
    [
        (lambda p, q: 2 * np.log(2), "½ everywhere"),
        (lambda p, q: 2 * np.log(2) - pays(p, q), "saves"),
        (lambda p, q: -pays(p, q), "A sign"),
        (lambda p, q: pays(p, q) / 2, "not averaged"),
        (lambda p, q: pays(p, q) / np.log(2), "bits"),
        (pays, "0 · log 0"),
        (padded, "never does"),
    ],
    [
        (lambda g, share, rng: rng.random(len(g)) < share, "torn apart"),
        (lambda g, share, rng: ~some(g, share, rng), "lose"),
        (
            lambda g, s, rng: some(g, s, np.random.default_rng(0)),
            "same groups",
        ),
        (
            lambda g, share, rng: some(g, share, rng, lambda u, n: u[: n + 1]),
            "should be",
        ),
    ],
    [
        (nearest, "nothing travels"),
        (as_they_come, "as they come"),
        (by_distance, "their order"),
        (lambda X, Y, U: np.repeat(Y.mean(0)[None], len(U), axis=0), "mean of all"),
        (lambda X, Y, U: nearest(X, Y, -U), "Not where"),
    ],
)
