"""Table 1: every method at its best, within a platform and across platforms."""

import itertools
import math

import numpy as np

from lsmtl.lab.exercises import Wrong, expect, predicted
from lsmtl.lab.rows import LEFT_OUT, Row, deep, experiment

UNEQUAL = {  # hidden units in the paper, which took what fitted on its card
    "Deep-GO-MTL": 8000,
    "Deep-CNMTL": 4000,
    "Deep-AMTL": 7000,
    "Deep-AMTFL": 5000,
}


ROWS = [
    *(Row(method) for method in ("LSR", "LSR-L1", "LSR-L2", "KNN")),
    deep("D-GEX", base=None),
    deep("SemiGAN"),
    *(deep(method, units) for method, units in UNEQUAL.items()),
    deep("DenseNet"),
    deep("Deep-LSMTL"),
    Row("training mean", ours=True),
    Row("kernel ridge", ours=True),
    deep("MLP", base="MLP", ours=True),
    *(deep(method, head="zero", ours=True) for method in ("DenseNet", "Deep-LSMTL")),
    *(deep(method, ours=True) for method in UNEQUAL),
    *(deep(method, batch=25, ours=True) for method in ("DenseNet", "Deep-LSMTL")),
]
FEW = [  # with a study left out
    "training mean",
    "LSR-L2",
    "kernel ridge",
    "D-GEX",
    "DenseNet",
    "Deep-LSMTL",
    "DenseNet, zero head",
    "Deep-LSMTL, zero head",
]


def rows(sizes):
    """The rows of the table that are run at some size."""
    if sizes["scenario"] == "left out":
        return [row for row in ROWS if row.label in FEW]
    return [row for row in ROWS if sizes["scenario"] == "within" or not row.batch]


MINUTES = {"SemiGAN": 0.6, "Deep-AMTFL": 0.4, "D-GEX": 0.3}
EXPERIMENT = experiment("table-1", rows, LEFT_OUT, minutes=MINUTES)


def _again(ask):
    predicted(
        ask(),
        "about half",
        {
            "all of it": "The winner is not any row: could luck have helped to choose "
            "it?",
            "nothing": "Some rows are truly better than others: are they not more "
            "likely to win?",
        },
    )


def _words(ask):
    theirs = {
        "DenseNet": "0.4000",
        "D-GEX": "0.4120",
        "SemiGAN": "0.4100",
        "KNN": "0.4360",
        "Deep-GO-MTL": "0.3960",
        "Deep-LSMTL": "0.3800",
    }
    ours = {
        "DenseNet": 0.8,
        "D-GEX": 0.828,
        "SemiGAN": 0.796,
        "KNN": None,
        "Deep-GO-MTL": 0.8,
        "Deep-LSMTL": 0.78,
    }
    right = _judged(theirs, ours, 1.5)
    hints = [
        (["matches", *right], "The reference itself gets no word."),
        (
            _judged(theirs, ours, 1.5, lambda mae, at: 100 * mae),
            "Plain MAE of other data can't match: compare the effects.",
        ),
        (
            _judged(theirs, ours, 1.5, lambda mae, at: 100 * (mae - at)),
            "Effects are in percent of the reference's MAE.",
        ),
        (
            _judged(theirs, ours, 1.5, lambda mae, at: 100 * (mae - at) / 0.4),
            "Each side has its own reference.",
        ),
        (
            _judged(theirs, ours, 1.5, lambda mae, at: mae / at),
            "The tolerance is in points of percent, your effects are shares.",
        ),
        (
            _judged(theirs, ours, 1.5, lambda mae, at: np.sign(mae - at) * 9),
            "The same direction is not enough: look at the size of the effect.",
        ),
        (
            _judged(theirs, ours, 1.5, size=lambda gap: gap),
            "An effect that is too far below the paper's differs, too.",
        ),
        (
            [w.replace("not run", "differs") for w in right],
            "What was not run doesn't differ: it says nothing.",
        ),
        ([w for w in right if w != "not run"], "What was not run needs its word, too."),
    ]
    _same(ask(dict(theirs), dict(ours), 1.5), right, hints)
    lone = ours | {"DenseNet": None}
    _same(
        ask(dict(theirs), lone, 1.5),
        ["not run"] * 5,
        [],
        "Right where all is there; but without our reference no effect is known.",
    )


def _judged(theirs, ours, points, effect=None, size=abs):
    """The words for effects, perhaps of another definition."""
    effect = effect or (lambda mae, at: 100 * (mae / at - 1))
    (first, at), *methods = ((m, float(text)) for m, text in theirs.items())
    found = []
    for method, printed in methods:
        if ours[method] is None:
            found.append("not run")
            continue
        gap = effect(ours[method], ours[first]) - effect(printed, at)
        found.append("matches" if size(gap) <= points else "differs")
    return found


def _same(got, right, hints, otherwise=None):
    """Compare lists of words."""
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    if isinstance(got, dict | str) or not hasattr(got, "__len__"):
        raise Wrong(f"A list of words is needed, your function returns {got!r}.")
    got = list(got)
    if got == right:
        return
    for mistake, hint in hints:
        if got == mistake:
            raise Wrong(hint)
    if len(got) != len(right):
        raise Wrong(f"{len(right)} words are needed, yours are {len(got)}.")
    raise Wrong(
        otherwise or "Not the words for the effects: " + ", ".join(map(str, got))
    )


def _interval(ask):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        counts = rng.integers(1, 9, size=12)
        hard = rng.gamma(9, 0.05, size=12)
        a, b = hard * rng.uniform(0.8, 1.1, size=12), hard
        draws = rng.integers(12, size=(201, 12))  # its percentiles are drawn ones
        each = [(counts * m)[draws].sum(1) / counts[draws].sum(1) for m in (a, b)]
        d, weights = each[0] - each[1], counts / counts.sum()

        def ends(values, at=(2.5, 97.5)):
            return np.percentile(values, at)

        middle, s = weights @ (a - b), d.std()
        expect(
            ask(a.copy(), b.copy(), counts.copy(), draws.copy()),
            ends(d),
            [
                (ends(d)[::-1], "The low end comes first."),
                (ends(-d), "The sign is turned: the first method's MAE minus b's."),
                (
                    ends((a - b)[draws].mean(1)),
                    "Groups differ in size: the MAE is one over profiles.",
                ),
                (
                    ends((counts * (a - b))[draws].sum(1) / counts.sum()),
                    "A draw has more or fewer profiles than the test set: divide by "
                    "those that it has.",
                ),
                (
                    ends((weights * (a - b))[draws].mean(1)),
                    "Weights that add up to one for all groups don't for a draw.",
                ),
                (
                    ends((counts * (a - b))[draws].mean(1)),
                    "Divide by the profiles drawn, not by the number of groups.",
                ),
                (
                    ends(each[0]) - ends(each[1]),
                    "Those are differences of two intervals; take the difference in "
                    "each draw.",
                ),
                (ends(d, (5, 95)), "That leaves out 5% on each side."),
                (ends(d, (0.025, 0.975)), "np.percentile wants percent."),
                (ends(each[0]), "That is the first method's MAE, not a difference."),
                (
                    [middle - 1.96 * s, middle + 1.96 * s],
                    "That supposes a normal distribution; percentiles are asked for.",
                ),
            ],
            "Not the percentiles of the difference of the two MAE over the draws.",
        )


def _search(ask):
    def bowl(s):  # the best of each grid depends on the others
        x, y, z = s
        return (x - 2) ** 2 + (y - 3 + x) ** 2 + (z - 5 * y) ** 2 / 10

    grids = [[4, 1, 3, 2], [-1, 2, 1], [9, 0, 6]]
    alone = [_walk(bowl, grids, keep=False)[0], _walk(bowl, grids, start=0)[0]]
    best = min(itertools.product(*grids), key=bowl)
    right, number = _walk(bowl, grids)
    trained = []

    def error(settings):
        trained.append(tuple(settings))
        return bowl(settings)

    got = ask(error, [list(grid) for grid in grids])
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    if not isinstance(got, tuple | list) or len(got) != 2 or np.ndim(got[0]) != 1:
        raise Wrong(f"The settings and a number are needed, yours is {got!r}.")
    places = tuple(grid.index(v) for grid, v in zip(grids, right, strict=True))
    expect(
        got[0],
        right,
        [
            (best, "That is the best of all settings; this search doesn't see them."),
            (alone[0], "Keep what one grid chose when you turn to the next."),
            (alone[1], "Start in the middle of the grids, not at their first values."),
            (_walk(bowl, grids[::-1], turned=True)[0], "Begin with the first grid."),
            (_walk(lambda s: -bowl(s), grids)[0], "That is the largest error."),
            (places, "The values are asked for, yours are their places."),
        ],
        "Not the settings that the search finds.",
    )
    expect(
        got[1],
        number,
        [
            (sum(map(len, grids)), "Settings met again in the next grid count once."),
            (math.prod(map(len, grids)), "The settings are right, but that is all."),
            (bowl(right), "The settings are right; then comes a number of trainings."),
        ],
        "The settings are right, their number is not.",
    )
    if len(trained) > number:
        raise Wrong(f"Right, but you train {len(trained)} times: keep the errors.")


def _walk(error, grids, start=None, keep=True, turned=False):
    """The search of the page, or one that makes a mistake."""
    at = [grid[len(grid) // 2 if start is None else start] for grid in grids]
    final, seen = list(at), set()

    def of(settings):
        return error(settings[::-1] if turned else settings)

    for i, grid in enumerate(grids):
        line = [(*at[:i], v, *at[i + 1 :]) for v in grid]
        seen.update(line)
        final[i] = min(line, key=of)[i]
        at = list(final) if keep else at
    return tuple(final[::-1] if turned else final), len(seen)


# in the order of the exercises
CHECKERS = (_again, _words, _interval, _search)
