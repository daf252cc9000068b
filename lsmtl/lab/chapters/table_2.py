"""Table 2: the multi-task methods side by side, at equal widths."""

import numpy as np

from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.rows import Row, experiment

WIDTHS = (3000, 6000, 9000)
METHODS = ("Deep-GO-MTL", "Deep-CNMTL", "Deep-AMTL", "Deep-AMTFL", "Deep-LSMTL")
TOO_LARGE = {("Deep-CNMTL", 9000), ("Deep-AMTFL", 9000)}  # for the paper's card

ROWS = [
    *(
        Row(method, units, 2, "DenseNet", ours=(method, units) in TOO_LARGE)
        for units in WIDTHS
        for method in METHODS
    ),
    *(Row("DenseNet", units, 2, "DenseNet", ours=True) for units in WIDTHS),
    *(
        Row(method, WIDTHS[-1], 2, "DenseNet", head="zero", ours=True)
        for method in ("DenseNet", "Deep-LSMTL")
    ),
]


def rows(sizes):
    """The rows of the table."""
    return ROWS


EXPERIMENT = experiment("table-2", rows)


def _fewest(ask):
    predicted(
        ask(),
        "Deep-AMTL",
        {
            "Deep-AMTFL": "Its map has a row for every feature at the head, and they "
            "are thousands here, too.",
            "Deep-LSMTL": "So it is with 9,520 targets. Is K small here, beside T?",
        },
    )


def _ranks(ask):
    sizes = ((943, 9520, 6000), (943, 9520, 3000), (50, 700, 400))
    for cell, (D, T, H) in zip(("1.9e8", "9.98e7", "1.50e6"), sizes, strict=True):
        power = np.floor(np.log10(float(cell)))
        shown = len(cell.split("e")[0]) - 2  # digits behind the point
        count = D * H + (D + H) * H + (D + 2 * H) * T

        def ends(unit, base=count, each=2 * T, inside=True, cell=float(cell)):
            low, high = (cell - unit - base) / each, (cell + unit - base) / each
            if inside:
                return np.ceil(low), np.floor(high)
            return np.floor(low), np.ceil(high)

        unit = 10 ** (power - 2)
        got = numbers(ask(cell, D, T, H), (2,))
        if not np.allclose(got, np.round(got)):
            raise Wrong("A rank is a whole number.")
        expect(
            got,
            ends(unit),
            [
                (ends(unit)[::-1], "The least rank comes first."),
                (ends(unit, inside=False), "Your ends lie just outside: look at both."),
                (ends(unit / 2), "A unit to either side, not a half: see the text."),
                (ends(unit, each=T), "G has two matrices, T × K and K × T."),
                (
                    ends(unit, base=count - H * T),
                    "The head sees landmarks and both hidden layers.",
                ),
                (
                    ends(unit, base=count - H * H),
                    "The second layer sees the landmarks and the first layer.",
                ),
                (
                    ends(unit, base=0),
                    "A part of the weights is the base network's: take it off.",
                ),
                (ends(10 ** (power - shown)), "1.9e8 has three digits: 1.90e8."),
            ],
            f"Not the least and the greatest K for {cell} with D = {D:,}, T = {T:,} "
            f"and H = {H:,}.",
        )


def _spread_and_error(ask):
    for n, T in ((30, 8), (5, 20)):
        rng = np.random.default_rng(n)
        hard = rng.uniform(0.2, 0.8, size=T) + rng.normal(size=(n, 1)) ** 2 / 5
        a, b = (
            hard * rng.uniform(0.5, 1.4, (n, T)),
            hard * rng.uniform(0.8, 1.3, (n, T)),
        )
        d = (a - b).mean(1)
        got = numbers(ask(a.copy(), b.copy()), (2,))
        spread, error = a.mean(0).std(), d.std(ddof=1) / n**0.5
        apart = (a.mean(1).var(ddof=1) + b.mean(1).var(ddof=1)) / n
        expect(
            got[0],
            spread,
            [
                (error, "The spread comes first."),
                (a.mean(1).std(), "That is the spread over profiles, not over genes."),
                (a.std(), "First the MAE of each gene, then the deviation."),
                (a.mean(0).std(ddof=1), "The population's: divided by T, not T - 1."),
                (spread / T**0.5, "± is the deviation itself, no standard error."),
                ((a - b).mean(0).std(), "± belongs to one method, not to two."),
                (b.mean(0).std(), "That is the second method's."),
            ],
            "The first number is not the spread of the genes' MAE.",
        )
        expect(
            got[1],
            error,
            [
                (
                    apart**0.5,
                    "Both met the same profiles: take the difference in each.",
                ),
                (d.std(ddof=1), "That is the deviation of one profile's difference."),
                (
                    d.std() / n**0.5,
                    "n profiles have lost one degree of freedom to their mean.",
                ),
                (
                    (a - b).std(ddof=1) / (n * T) ** 0.5,
                    "The genes of a profile are no independent draws.",
                ),
                (
                    (a - b).mean(0).std(ddof=1) / T**0.5,
                    "That draws genes; the profiles are drawn.",
                ),
                (d.var(ddof=1) / n, "That is its square."),
                (d.std(ddof=1) / n, "Divide by the square root of n."),
            ],
            "The spread is right. The second number is not the standard error of the "
            "difference.",
        )


def _agreement(ask):
    cases = (
        ([0.30, 0.33, 0.31, 0.32, 0.29], [0.88, 0.86, 0.85, 0.84, 0.87], "no ties"),
        (
            [0.29, 0.31, 0.31, 0.31, 0.30, 0.29],
            [0.88, 0.87, 0.86, 0.86, 0.88, 0.86],
            "ties",
        ),
    )
    for mae, cc, where in cases:
        mae, cc = np.array(mae), np.array(cc)
        M, (i, j) = len(mae), np.triu_indices(len(mae), 1)
        same = np.sign(mae[i] - mae[j]) * np.sign(cc[j] - cc[i])
        right = ((1 + same) / 2).mean()
        places = np.argsort(mae) == np.argsort(-cc)
        hints = [
            (
                same.mean(),
                "That is Kendall's tau: same minus turned; a share is asked.",
            ),
            (right * len(i), "That is a number of pairs, not their share."),
            (
                (right * len(i) * 2 + M / 2) / M**2,
                "A method is no pair with itself.",
            ),
            (right * len(i) * 2 / M**2, "There are M (M - 1) / 2 pairs, not M² / 2."),
            (places.mean(), "That compares places in the order, not pairs."),
            (
                -np.corrcoef(mae, cc)[0, 1],
                "That is a correlation; only the order of two methods counts.",
            ),
        ]
        if where == "ties":
            both = np.sign(mae[i] - mae[j]) == np.sign(cc[j] - cc[i])
            hints += [
                ((same > 0).mean(), "A tie counts one half, not nothing."),
                ((same >= 0).mean(), "A tie counts one half, not one."),
                ((same[same != 0] > 0).mean(), "Tied pairs count, too: one half."),
                (both.mean(), "Tied in both columns is a tie, too: one half."),
            ]
        hints.append((1 - right, "A low MAE is good, and a high concordance."))
        expect(
            ask(mae.copy(), cc.copy()),
            right,
            hints,
            f"Not the share of pairs in the same order, with {where} in the columns.",
        )


# in the order of the exercises
CHECKERS = (_fewest, _ranks, _spread_and_error, _agreement)
