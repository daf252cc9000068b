"""Table 3: D-GEX and Deep-LSMTL on the same MLP, and what lies between them."""

import itertools
import math

import numpy as np
from scipy import stats

from lsmtl.lab.exercises import Wrong, expect, predicted
from lsmtl.lab.rows import Row, experiment

WIDTHS = (3000, 6000, 9000)
LAYERS = (1, 2, 3)

ROWS = [
    *(
        Row(method, units, layers, base, ours=ours)
        for method, base, ours in (
            ("D-GEX", None, False),
            ("Deep-LSMTL", "MLP", False),
            ("MLP", "MLP", True),
        )
        for layers in LAYERS
        for units in WIDTHS
    ),
    *(
        Row(method, WIDTHS[-1], layers, "MLP", head="zero", ours=True)
        for method in ("MLP", "Deep-LSMTL")
        for layers in LAYERS
    ),
    *(
        Row(method, WIDTHS[-1], LAYERS[-1], base, part=4, ours=True)
        for method, base in (("D-GEX", None), ("MLP", "MLP"))
    ),
]


def rows(sizes):
    """The rows of the table."""
    return ROWS


EXPERIMENT = experiment("table-3", rows)


def _order(ask):
    predicted(
        ask(),
        "larger",
        {
            "smaller": "Nobody has repaired anything yet when the first step is taken.",
            "the same": "So it were if the two repaired different things.",
        },
    )


def _gains(ask):
    for missing in (False, True):
        rng = np.random.default_rng(3)
        d = rng.uniform(0.45, 0.55, size=(3, 4))
        m, g = d - rng.uniform(0, 0.06, d.shape), d - rng.uniform(0.01, 0.06, d.shape)
        if missing:
            d[0, 1], m[2, 3], g[1, 0] = np.nan, np.nan, np.nan
        there = np.isfinite(d + m + g)

        def of(first, last, cells=there):
            return np.nanmean((first - last)[cells])

        recipe, more = of(d, m), of(m, g)
        whole = recipe + more
        right = np.array([recipe, more, recipe / whole])
        every = np.ones_like(there)
        loose = of(d, m, every), of(m, g, every)
        of_cells = np.nanmean(((d - m) / (d - g))[there])
        relative = np.array([((d - m) / d)[there].mean(), ((m - g) / m)[there].mean()])
        hints = [
            ([-recipe, -more, right[2]], "A fall of the MAE is a gain, above zero."),
            ([recipe, more, more / whole], "The share asked for is the recipe's."),
            ([recipe, more, 100 * right[2]], "A share, not percent: divide by 100."),
            ([recipe, more, recipe / more], "The share of the whole, not of G's gain."),
            (
                [recipe, more, of_cells],
                "That is a mean of the cells' shares; take the share of the means.",
            ),
            (
                [recipe, whole, right[2]],
                "G's step begins at the plain MLP, not at D-GEX.",
            ),
            ([recipe, whole, recipe / (recipe + whole)], "G's step begins at the MLP."),
            ([more, recipe, more / whole], "The recipe comes first."),
            (
                [*relative, relative[0] / relative.sum()],
                "Gains are differences of the MAE here, not percent.",
            ),
            (
                [recipe * there.sum(), more * there.sum(), right[2]],
                "Means over the cells are asked for, yours are sums.",
            ),
        ]
        if missing:
            means = [np.nanmean(x) for x in (d, m, g)]
            steps = means[0] - means[1], means[1] - means[2]
            hints += [
                (
                    [*pair, pair[0] / sum(pair)],
                    "The steps use different cells: only those that all three have.",
                )
                for pair in (loose, steps)
            ]
        got = ask(d.copy(), m.copy(), g.copy())
        if missing and got is not None and np.isnan(np.asarray(got, dtype=float)).any():
            raise Wrong("Right in a full table; with a cell that is NaN yours is NaN.")
        expect(
            got,
            right,
            hints,
            "Right in a full table, wrong where cells are missing."
            if missing
            else "Not the mean gains of the two steps and the share of the first.",
        )


def _shares(ask):
    for seed, shape in enumerate(((3, 3), (2, 4))):
        rng = np.random.default_rng(seed)
        table = rng.uniform(0.4, 0.5, size=shape) + 0.03 * np.arange(shape[1])
        rows, columns = table.mean(1) - table.mean(), table.mean(0) - table.mean()
        rest = table - table.mean() - rows[:, None] - columns

        def share(*parts):
            parts = np.array(parts)
            return parts / parts.sum()

        v = rows.var(), columns.var(), rest.var()
        depth, width, neither = right = share(*v)
        sd, spans = np.sqrt(v), [np.ptp(rows), np.ptp(columns)]
        squares = np.array([(rows**2).sum(), (columns**2).sum(), (rest**2).sum()])
        total = ((table - table.mean()) ** 2).sum()
        sample = np.array([rows.var(ddof=1), columns.var(ddof=1)]) / table.var(ddof=1)
        within = [table.var(0).mean(), table.var(1).mean()]
        expect(
            ask(table.copy()),
            right,
            [
                ((width, depth, neither), "Depths are rows, widths are columns."),
                (v, "Those are variances; divide by the table's."),
                (sd / table.std(), "Shares of the variance, not of the deviation."),
                (share(*sd), "Shares of the variance, not of the deviation."),
                (share(*spans, np.ptp(rest)), "Variances, not ranges."),
                (100 * right, "Shares, not percent."),
                ((depth, width, depth + width), "The third is what neither explains."),
                (share(*squares), "An effect is in every cell of its row or column."),
                (squares / total, "An effect is in every cell of its row or column."),
                (
                    [
                        squares[0] / total,
                        squares[1] / total,
                        1 - squares[:2].sum() / total,
                    ],
                    "An effect is in every cell of its row or column.",
                ),
                (
                    [*sample, 1 - sample.sum()],
                    "The population's variances add up; those with n - 1 don't.",
                ),
                (
                    [*np.array(within) / table.var(), neither],
                    "That is the variance within a row or column, not of their means.",
                ),
                (
                    [*np.array(within[::-1]) / table.var(), neither],
                    "That is the variance within a row or column, not of their means.",
                ),
                (
                    (depth, 1 - depth, 0),
                    "What the depths leave is not all the widths': fit the widths.",
                ),
            ],
            f"Not the shares in a table of {shape[0]} depths and {shape[1]} widths.",
        )


def _p_value(ask):
    for eighths in (
        (-1, -3, -2),
        (4, 6, 3, -1, 7),
        (-5, 2, 2, -4, -6, -1),
        (2, -1, -1),
    ):
        d = np.array(eighths) / 8  # so that sums are exact
        S, b = len(d), 0.5 + np.arange(len(d)) / 4
        signs = np.array(list(itertools.product((-1, 1), repeat=S)))
        sums, seen = (signs * d).sum(1), d.sum()
        right = (np.abs(sums) >= abs(seen)).mean()
        most = max((d > 0).sum(), (d < 0).sum())
        counted = min(1, 2 * sum(math.comb(S, k) for k in range(most, S + 1)) / 2**S)
        hints = [
            (
                (np.abs(sums) > abs(seen)).mean(),
                "At least as far: the choice that was seen counts, too.",
            ),
            ((np.abs(sums) == abs(seen)).mean(), "At least as far, not just as far."),
            (right * 2**S, "That is a number of choices, not their share."),
            ((sums >= seen).mean(), "Both directions count: far from zero."),
            ((sums <= seen).mean(), "Both directions count: far from zero."),
            ((sums >= abs(seen)).mean(), "Both directions count: far from zero."),
            (
                ((np.abs(sums) >= abs(seen)).sum() - 1) / (2**S - 1),
                "The signs as they are count as a choice, too.",
            ),
            (counted, "That counts signs; the mean difference has sizes, too."),
            (1 - right, "That is the share that is nearer to zero."),
        ]
        if d.any():
            hints.append(
                (
                    float(stats.ttest_rel(b + d, b).pvalue),
                    "That is the t-test; no normal distribution is needed here.",
                )
            )
        expect(ask(b + d, b.copy()), right, hints, f"Not the share for {S} seeds.")


CHECKERS = (_order, _gains, _shares, _p_value)  # in the order of the exercises
