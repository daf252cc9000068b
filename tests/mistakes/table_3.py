"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""

import itertools

import numpy as np
from scipy import stats


def steps(d, m, g, mean=np.nanmean):
    """The two gains over the cells that all have."""
    there = np.isfinite(d + m + g)
    return mean((d - m)[there]), mean((m - g)[there])


def with_share(recipe, more):
    return recipe, more, recipe / (recipe + more)


def of_cells(d, m, g):
    return *steps(d, m, g), np.nanmean((d - m) / (d - g))


def two_way(table):
    """Effects of the depths, of the widths, and what is left."""
    rows, columns = (table.mean(k) - table.mean() for k in (1, 0))
    return rows, columns, table - table.mean() - rows[:, None] - columns


def shares(table, variance=np.var):
    depth, width, _ = (variance(part) / variance(table) for part in two_way(table))
    return depth, width, 1 - depth - width


def squares(table):
    parts = [(part**2).sum() for part in two_way(table)]
    return np.array(parts) / sum(parts)


def ranges(table):
    parts = [np.ptp(part) for part in two_way(table)]
    return np.array(parts) / sum(parts)


def flipped(d):
    return (np.array(list(itertools.product((-1, 1), repeat=len(d)))) * d).sum(1)


MISTAKES = (
    [
        (lambda: "smaller", "repaired anything yet"),
        (lambda: "the same", "different things"),
        (lambda: "more", "Return one of"),
    ],
    [
        (
            lambda *x: tuple(np.array(with_share(*steps(*x))) * [-1, -1, 1]),
            "above zero",
        ),
        (lambda d, m, g: with_share(*steps(g, m, d)[::-1]), "above zero"),
        (lambda *x: (*steps(*x), 1 - with_share(*steps(*x))[2]), "recipe's"),
        (lambda *x: (*steps(*x), 100 * with_share(*steps(*x))[2]), "percent"),
        (lambda *x: (*steps(*x), np.divide(*steps(*x))), "not of G's gain"),
        (of_cells, "share of the means"),
        (
            lambda d, m, g: (
                steps(d, m, g)[0],
                sum(steps(d, m, g)),
                with_share(*steps(d, m, g))[2],
            ),
            "not at D-GEX",
        ),
        (
            lambda *x: (*steps(*x, np.sum), with_share(*steps(*x))[2]),
            "sums",
        ),
        (
            lambda d, m, g: with_share(np.nanmean(d - m), np.nanmean(m - g)),
            "different cells",
        ),
        (
            lambda *x: with_share(*-np.diff([np.nanmean(errors) for errors in x])),
            "different cells",
        ),
        (
            lambda d, m, g: with_share((d - m).mean(), (m - g).mean()),
            "yours is NaN",
        ),
    ],
    [
        (lambda table: shares(table.T), "Depths are rows"),
        (lambda table: [part.var() for part in two_way(table)], "divide by"),
        (lambda table: shares(table, np.std), "Not the shares"),
        (lambda table: [p.std() / table.std() for p in two_way(table)], "deviation"),
        (ranges, "not ranges"),
        (squares, "every cell"),
        (lambda table: shares(table, lambda x: x.var(ddof=1)), "add up"),
        (
            lambda table: (*shares(table)[:2], sum(shares(table)[:2])),
            "neither explains",
        ),
        (lambda table: 100 * np.array(shares(table)), "percent"),
        (lambda table: (shares(table)[0], 1 - shares(table)[0], 0), "fit the widths"),
    ],
    [
        (
            lambda a, b: (abs(flipped(a - b)) > abs((a - b).sum())).mean(),
            "was seen counts",
        ),
        (lambda a, b: (flipped(a - b) >= (a - b).sum()).mean(), "Both directions"),
        (lambda a, b: (flipped(a - b) <= (a - b).sum()).mean(), "Both directions"),
        (
            lambda a, b: (abs(flipped(a - b)) >= abs((a - b).sum())).sum(),
            "number of choices",
        ),
        (
            lambda a, b: stats.binomtest((a > b).sum(), ((a != b).sum())).pvalue,
            "counts signs",
        ),
        (lambda a, b: stats.ttest_rel(a, b).pvalue, "t-test"),
    ],
)
