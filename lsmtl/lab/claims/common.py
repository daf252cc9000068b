"""What the rules share: when a difference counts, and which runs are compared."""

import numpy as np

from lsmtl.lab.changes import change
from lsmtl.lab.chapters import ablations, table_1
from lsmtl.lab.presets import ORIGINALS
from lsmtl.lab.rows import ACROSS, WITHIN
from lsmtl.lab.standings import percent, within

LEAST = 0.1  # percent of the MAE; a smaller difference is open, however sure it is
LEAST_SCORE = 0.001  # the same for concordance and average precision
LEVEL = 0.05  # of a test
G, PLAIN = "Deep-LSMTL", "DenseNet"
SHALLOW = ("LSR", "LSR-L1", "LSR-L2", "KNN")
DEEP = ("D-GEX", "SemiGAN")
RIVALS = tuple(table_1.UNEQUAL)
ALL = (*WITHIN, "simulated", *ACROSS, *ORIGINALS)  # these once they have records


def outcome(d, least=0.0):
    """What differences say, below zero for a claim: all seeds agree, and it matters.

    Args:
        d: a difference a seed, at least two.
        least: the smallest mean that matters.
    """
    d = np.asarray(d, dtype=float)
    if len(d) < 2 or abs(d.mean()) < least:
        return "open"
    return "for" if (d < 0).all() else "against" if (d > 0).all() else "open"


def better(own, other, score="mae"):
    """Outcome and text for runs against others of the same seeds; all must be there.

    Args:
        own, other: DataFrames, a row a seed.
        score: its column; an MAE is told in percent, others as they are.
    """
    own, other = (runs.set_index("seed")[score] for runs in (own, other))
    if own.empty or (own - other).isna().any():
        return "not run", ""
    if score.endswith("mae"):
        d = change(own, other)
        return outcome(d, LEAST), percent(d.mean(), 2)
    d = own - other
    return outcome(-d, LEAST_SCORE), signed(d.mean(), 3)


def printed_mae(dataset):
    """The column of the paper's tables that a dataset stands beside."""
    return "gtex_mae" if dataset in (*ACROSS, "geo-gtex") else "geo_mae"


def signed(value, digits=2):
    """A number with its sign, as text."""
    return f"{value:+z.{digits}f}".replace("-", "−")


def row(item, label, units=None, layers=None):
    """The first row of a label (the paper's, if it has one) and a shape."""
    for found in item.rows:
        shape = units in (None, found.units) and layers in (None, found.layers)
        if found.label == label and shape:
            return found
    return None


def versus(item, label, other, units=None, layers=None):
    """Outcome and text of a row's MAE against another of the same shape."""
    pair = [row(item, name, units, layers) for name in (label, other)]
    if not all(line and item.of(line)["done"].all() for line in pair):
        return "not run", ""
    d = item.effect(*pair)
    text = f"{percent(d['effect'], 2)} ({within(d['low'], d['high'], 2)})"
    if not d["sure"] or abs(d["effect"]) < LEAST:
        return "open", text
    return "for" if d["effect"] < 0 else "against", text


def concordance(item, label, other):
    """Outcome and text of a row's concordance against another's."""
    pair = [item.of(row(item, name)) for name in (label, other)]
    ran = all(runs["done"].all() for runs in pair)
    return better(*pair, "cc") if ran else ("not run", "")


def of(runs, method, **settings):
    """The runs of a method with some settings; None means that it has none."""
    mine = runs[runs["method"] == method]
    for name, value in settings.items():
        same = mine[name].isna() if value is None else mine[name] == value
        mine = mine[same]
    return mine


def at_start(runs, method, head, factor=None):
    """Runs of the ablations in which no setting but one has another value."""
    start = ablations.NETWORK | {"head": head}
    if method == G:
        start |= ablations.G | {"rank": runs["rank"].mode()[0]}
    return of(runs, method, **{k: v for k, v in start.items() if k != factor})
