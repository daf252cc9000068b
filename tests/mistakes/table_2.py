"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import numpy as np


def ranks(printed, D, T, H, units=1.0, each=2, digits=3, less=0, ends=np.ceil):
    unit = units * 10.0 ** (int(printed.split("e")[1]) + 1 - digits)
    base = D * H + (D + H) * H + (D + 2 * H) * T - less
    low, high = (float(printed) + s * unit - base for s in (-1, 1))
    return ends(low / (each * T)), -ends(-high / (each * T))


def as_shown(printed, *sizes):
    return ranks(printed, *sizes, digits=len(printed.split("e")[0]) - 1)


def spread(a):
    return a.mean(0).std()


def error(a, b, ddof=1):
    return (a - b).mean(1).std(ddof=ddof) / len(a) ** 0.5


def apart(a, b):
    return ((a.mean(1).var(ddof=1) + b.mean(1).var(ddof=1)) / len(a)) ** 0.5


def same(mae, cc):
    """1, 0 or -1 for each pair: the same order, a tie, the other order."""
    i, j = np.triu_indices(len(mae), 1)
    return np.sign(mae[i] - mae[j]) * np.sign(cc[j] - cc[i])


def share(mae, cc):
    return ((1 + same(mae, cc)) / 2).mean()


def with_itself(mae, cc):
    signs = np.sign(mae[:, None] - mae) * np.sign(cc - cc[:, None])
    return ((1 + signs) / 2).mean()


MISTAKES = (
    [
        (lambda: "Deep-LSMTL", "9,520 targets"),
        (lambda: "Deep-AMTFL", "every feature"),
        (lambda: "G", "Return one of"),
    ],
    [
        (lambda *a: ranks(*a)[::-1], "comes first"),
        (lambda *a: ranks(*a, ends=lambda v: v), "whole number"),
        (lambda *a: ranks(*a, ends=np.floor), "outside"),
        (lambda *a: ranks(*a, units=0.5), "not a half"),
        (lambda *a: ranks(*a, each=1), "two matrices"),
        (lambda p, D, T, H: ranks(p, D, T, H, less=H * T), "both hidden layers"),
        (lambda p, D, T, H: ranks(p, D, T, H, less=H * H), "second layer"),
        (as_shown, "1.90e8"),
        (lambda *a: ranks(*a)[0], "shape (2,)"),
    ],
    [
        (lambda a, b: (error(a, b), spread(a)), "spread comes first"),
        (lambda a, b: (a.mean(1).std(), error(a, b)), "over profiles"),
        (lambda a, b: (a.std(), error(a, b)), "MAE of each gene"),
        (lambda a, b: (a.mean(0).std(ddof=1), error(a, b)), "population"),
        (lambda a, b: (spread(a - b), error(a, b)), "one method"),
        (lambda a, b: (spread(a) / a.shape[1] ** 0.5, error(a, b)), "deviation itself"),
        (lambda a, b: (spread(a), apart(a, b)), "same profiles"),
        (lambda a, b: (spread(a), (a - b).mean(1).std(ddof=1)), "one profile"),
        (lambda a, b: (spread(a), error(a, b, 0)), "degree of freedom"),
        (
            lambda a, b: (spread(a), (a - b).std(ddof=1) / a.size**0.5),
            "no independent draws",
        ),
        (lambda a, b: (spread(a), error(a.T, b.T)), "draws genes"),
    ],
    [
        (lambda mae, cc: same(mae, cc).mean(), "Kendall"),
        (lambda mae, cc: share(mae, -cc), "high concordance"),
        (lambda mae, cc: (same(mae, cc) > 0).mean(), "not nothing"),
        (lambda mae, cc: (same(mae, cc) >= 0).mean(), "not one"),
        (lambda mae, cc: share(mae, cc) * len(same(mae, cc)), "number of pairs"),
        (with_itself, "with itself"),
        (
            lambda mae, cc: (np.argsort(mae) == np.argsort(-cc)).mean(),
            "places",
        ),
        (lambda mae, cc: -np.corrcoef(mae, cc)[0, 1], "correlation"),
    ],
)
