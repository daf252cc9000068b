"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import itertools

import numpy as np


def ends(values, at=(2.5, 97.5)):
    return np.percentile(values, at)


def weighted(errors, counts, draws):
    return (counts * errors)[draws].sum(1) / counts[draws].sum(1)


def judged(theirs, ours, points, effect=lambda mae, at: 100 * (mae / at - 1), size=abs):
    (first, at), *methods = ((m, float(text)) for m, text in theirs.items())
    for method, printed in methods:
        if ours[method] is None:
            yield "not run"
        else:
            gap = effect(ours[method], ours[first] or 1) - effect(printed, at)
            yield "matches" if size(gap) <= points else "differs"


def walk(error, grids, start=None, keep=True):
    """The search with what may be wrong about it, and all that it trained."""
    at = [grid[len(grid) // 2 if start is None else start] for grid in grids]
    final, tried = list(at), []
    for i, grid in enumerate(grids):
        line = [(*at[:i], v, *at[i + 1 :]) for v in grid]
        tried += line
        final[i] = min(line, key=error)[i]
        at = list(final) if keep else at
    return tuple(final), tried


def counted(error, grids, **wrong):
    final, tried = walk(error, grids, **wrong)
    return final, len(set(tried))


def by_place(error, grids):
    final, number = counted(error, grids)
    return [grid.index(v) for grid, v in zip(grids, final, strict=True)], number


def every(error, grids):
    tried = list(itertools.product(*grids))
    return min(tried, key=error), len(tried)


def last_first(error, grids):
    final, number = counted(lambda s: error(s[::-1]), grids[::-1])
    return final[::-1], number


MISTAKES = (
    [
        (lambda: "all of it", "luck"),
        (lambda: "nothing", "truly better"),
        (lambda: 0.5, "Return one of"),
    ],
    [
        (lambda t, o, p: ["matches", *judged(t, o, p)], "gets no word"),
        (lambda t, o, p: [*judged(t, o, p, lambda m, at: 100 * m)], "Plain MAE"),
        (
            lambda t, o, p: [*judged(t, o, p, lambda m, at: 100 * (m - at))],
            "in percent of",
        ),
        (
            lambda t, o, p: [*judged(t, o, p, lambda m, at: 100 * (m - at) / 0.4)],
            "its own reference",
        ),
        (lambda t, o, p: [*judged(t, o, p, lambda m, at: m / at)], "points of percent"),
        (lambda t, o, p: [*judged(t, o, p, size=lambda gap: gap)], "below the paper's"),
        (
            lambda t, o, p: [w.replace("not run", "differs") for w in judged(t, o, p)],
            "says nothing",
        ),
        (lambda t, o, p: [w for w in judged(t, o, p) if w != "not run"], "its word"),
        (lambda t, o, p: [*judged(t, o, p)], "without our reference"),
        (lambda t, o, p: None, "return missing"),
        (
            lambda t, o, p: dict(zip(t, judged(t, o, p), strict=False)),
            "list of words",
        ),
        (
            lambda t, o, p: [*judged(t, o, p, lambda m, at: 9 * np.sign(m - at))],
            "same direction",
        ),
    ],
    [
        (lambda a, b, n, i: ends(weighted(b - a, n, i)), "sign"),
        (lambda a, b, n, i: ends((a - b)[i].mean(1)), "differ in size"),
        (
            lambda a, b, n, i: ends((n * (a - b))[i].sum(1) / n.sum()),
            "more or fewer profiles",
        ),
        (lambda a, b, n, i: ends((n * (a - b))[i].mean(1)), "number of groups"),
        (lambda a, b, n, i: ends((n / n.sum() * (a - b))[i].mean(1)), "add up to one"),
        (
            lambda a, b, n, i: ends(weighted(a, n, i)) - ends(weighted(b, n, i)),
            "two intervals",
        ),
        (lambda a, b, n, i: ends(weighted(a - b, n, i), (5, 95)), "5% on each side"),
        (lambda a, b, n, i: ends(weighted(a - b, n, i), (0.025, 0.975)), "percent"),
        (lambda a, b, n, i: ends(weighted(a - b, n, i))[::-1], "low end"),
        (lambda a, b, n, i: ends(weighted(a, n, i)), "not a difference"),
        (lambda a, b, n, i: weighted(a - b, n, i).mean(), "shape (2,)"),
    ],
    [
        (every, "doesn't see them"),
        (lambda e, g: counted(e, g, keep=False), "Keep what"),
        (lambda e, g: counted(e, g, start=0), "middle"),
        (last_first, "first grid"),
        (lambda e, g: counted(lambda s: -e(s), g), "largest"),
        (by_place, "their places"),
        (lambda e, g: (walk(e, g)[0], len(walk(e, g)[1])), "count once"),
        (lambda e, g: (walk(e, g)[0], every(e, g)[1]), "that is all"),
        (lambda e, g: (walk(e, g)[0], e(walk(e, g)[0])), "number of trainings"),
        (counted, "keep the errors"),
        (lambda e, g: walk(e, g)[0], "settings and a number"),
    ],
)
