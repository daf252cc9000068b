"""Is the difference real? Deep-LSMTL against every other method, by 5×2 halves."""

import numpy as np

from lsmtl.lab.exercises import expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.protocol import measure
from lsmtl.lab.rows import ORIGINAL, SIZES, WITHIN, Row, deep, special

PAIR = [deep("DenseNet"), deep("Deep-LSMTL")]  # the paper's comparison
ZERO = [deep(row.method, head="zero", ours=True) for row in PAIR]
FEW = [*PAIR, Row("LSR-L2")]
ROWS = [
    *PAIR,
    *(Row(method) for method in ("LSR", "LSR-L1", "LSR-L2", "KNN")),
    deep("D-GEX", base=None),
    deep("SemiGAN"),
    *(deep(f"Deep-{name}") for name in ("GO-MTL", "CNMTL", "AMTL", "AMTFL")),
    Row("kernel ridge", ours=True),
    *ZERO,
]
FOLDS = 10  # two halves, five times


def rows(sizes):
    """The rows that are compared at some size."""
    return ROWS if sizes["all"] else FEW


def _runs(sizes, landmarks):
    for seed in range(sizes["seeds"]):
        for row in rows(sizes):
            run = row.run(sizes, seed, landmarks)
            detail = {"detail": True} if row in FEW and seed < 2 else {}
            yield Run(run.method, run.configuration | detail, seed)
    for seed in range(1, sizes["starts"]):  # more starts on the split of seed 0
        for row in PAIR:
            run = row.run(sizes, seed, landmarks)
            yield Run(run.method, run.configuration | {"split": 0}, seed)


def _measure(adata, run, device):
    found = measure(adata, run, device)
    return {k: v for k, v in found.items() if k not in ("errors", "counts")}


def _size(preset):
    every, starts = preset == "laptop", 4 if preset == "ci" else FOLDS
    more = {"scenario": "halves", "seeds": FOLDS, "all": every, "starts": starts}
    return SIZES[preset] | more


EXPERIMENT = Experiment(
    name="significance",
    recipe_version=1,
    datasets=WITHIN | {"geo": ORIGINAL["geo"]},
    sizes={preset: _size(preset) for preset in SIZES},
    special=special(WITHIN),
    runs=_runs,
    measure=_measure,
)


def _fifty(ask):
    predicted(
        ask(),
        "more often",
        {
            "less often": "More divisions average out chance, but only that of dividing"
            "; and the standard error?",
            "as often": "So it would be if each new difference brought a new sample; "
            "all of these come from one.",
        },
    )


def _combined(ask):
    for seed in (0, 1):
        p = np.random.default_rng(seed).normal(0.4, size=(5, 2))
        s2 = p.var(1, ddof=1)
        t = p / np.sqrt(s2.mean())
        squares = (t**2).mean()
        expect(
            ask(t.copy()),
            squares,
            [
                ((t**2).sum(), "That counts the denominator ten times."),
                (5 * squares, "Each t has a mean of five variances, F a sum."),
                (2 * squares, "The denominator of F is twice a sum."),
                (squares / 2, "Count the factors once more: 2, 5 and ten squares."),
                (t[0, 0] ** 2, "F takes no difference for the first."),
                (t.mean() ** 2, "Differences of opposite sign may not cancel."),
                (t.sum() ** 2, "Differences of opposite sign may not cancel."),
                (t.mean(), "F has squared differences in its numerator."),
                (np.abs(t).mean(), "F has squared differences in its numerator."),
                (np.sqrt(squares), "F is a ratio of squares; no root is left."),
                (t.var(), "Squares of differences, not around their mean."),
                ((t**2).max(), "All ten differences are in F, not only the largest."),
            ],
            "Not the F of the differences that these ten belong to.",
        )


def _components(ask):
    for seed, spread in ((0, 1.0), (1, 0.0)):
        rng = np.random.default_rng(seed)
        d = 0.2 + spread * rng.normal(size=(5, 1)) + rng.normal(size=(5, 4))
        if not spread:
            d -= 0.9 * d.mean(1, keepdims=True)  # splits that hardly differ
        S, R = d.shape
        b, means = d.var(1, ddof=1).mean(), d.mean(1).var(ddof=1)
        rest = means - b / R

        def of(a, b=b, S=S, R=R):
            return a, b, a / S + b / (S * R)

        a = max(rest, 0)
        loose = d.var(1).mean()
        expect(
            ask(d.copy()),
            of(a),
            [
                (of(rest), "A variance is not below 0."),
                (
                    of(means),
                    "The splits' means vary by their starts, too: take b/R off.",
                ),
                (of(max(means - b, 0)), "A mean of R starts has b/R left, not b."),
                ((b, a, of(a)[2]), "The split's part comes first."),
                (
                    of(max(means - loose / R, 0), loose),
                    "Within a split divide by R - 1.",
                ),
                (
                    of(max(d.mean(1).var() - b / R, 0)),
                    "Over the splits divide by S - 1.",
                ),
                (of(a, d.var(ddof=1)), "b is the variance within a split, not of all."),
                (
                    (a, b, a / S + b / S),
                    "Each split has R starts: b is divided by S R.",
                ),
                (
                    (a, b, (a + b) / (S * R)),
                    "The starts of a split share its part: a is divided by S only.",
                ),
                ((a, b, d.var(ddof=1) / (S * R)), "The S R differences are not alike."),
                ((a, b, a + b), "That is the variance of one difference."),
                (np.sqrt(of(a)), "Variances are asked for, not deviations."),
            ],
            "Not the two variances and that of the mean.",
        )


def _adjusted(ask):
    for p in ([0.03, 0.001, 0.2, 0.011], [0.04, 0.6, 0.03, 0.9, 0.035]):
        p = np.array(p)
        m, order = len(p), np.argsort(p)
        rank = np.argsort(order)
        steps = p[order] * np.arange(m, 0, -1)
        right = np.minimum(np.maximum.accumulate(steps), 1)[rank]
        below = np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1]
        expect(
            ask(p.copy()),
            right,
            [
                (right[order], "Give them back in the order in which they came."),
                (np.minimum(m * p, 1), "That is Bonferroni: m for each."),
                (m * p, "That is Bonferroni: m for each."),
                (np.minimum(steps, 1)[rank], "None is smaller than one before it."),
                (np.maximum.accumulate(steps)[rank], "A p-value is not above 1."),
                (steps[rank], "None is smaller than one before it, none above 1."),
                (
                    np.minimum(np.maximum.accumulate(p * np.arange(m, 0, -1)), 1),
                    "Sort them first: the smallest is multiplied by m.",
                ),
                (
                    np.minimum(
                        np.maximum.accumulate(p[order] * np.arange(1, m + 1)), 1
                    )[rank],
                    "The smallest is multiplied by m, not by 1.",
                ),
                (below[rank], "That is Benjamini and Hochberg's: another promise."),
                (
                    np.minimum(1 - (1 - p) ** m, 1),
                    "That is Šidák's, which supposes independent tests.",
                ),
            ],
            "Not Holm's adjusted p-values.",
        )


CHECKERS = (_fifty, _combined, _components, _adjusted)  # in the order of the exercises
