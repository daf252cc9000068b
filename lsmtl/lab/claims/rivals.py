"""Claims on other methods: does Deep-LSMTL err less than they do?

A rule's docstring says when a comparison is *for* its claim. It is *against* the claim
where the opposite is as sure, and else *open*.
"""

import itertools

from scipy import stats

from lsmtl.lab.claims import common
from lsmtl.lab.claims.common import (
    ALL,
    DEEP,
    RIVALS,
    SHALLOW,
    G,
    printed_mae,
    row,
    signed,
    versus,
)
from lsmtl.lab.paper import paper_table
from lsmtl.lab.verdicts import tabled

ORDER = 0.8  # rank correlation with the paper's column
CHANCE = 0.5  # a random order of twelve has more in one case of twenty
SHAPES = tuple(itertools.product((1, 2, 3), (3000, 6000, 9000)))


def _against(names):
    def cases(item):
        for name in names:
            yield name, *versus(item, G, name)

    return cases


@tabled(1, ALL)
def shallow(item):
    """For: Deep-LSMTL has a lower MAE than least squares, the lasso, ridge or KNN,
    surely.
    """
    yield from _against(SHALLOW)(item)


@tabled(1, ALL)
def deep(item):
    """For: Deep-LSMTL has a lower MAE than D-GEX or SemiGAN, surely."""
    yield from _against(DEEP)(item)


@tabled(1, ALL)
def multitask(item):
    """For: Deep-LSMTL has a lower MAE than the multi-task method at the width that the
    paper gives it, surely.
    """
    yield from _against(RIVALS)(item)


@tabled(1, ALL)
def concordance(item):
    """For: Deep-LSMTL has a higher concordance than the method in all seeds, by 0.001
    or more in the mean.
    """
    for name in (*SHALLOW, *DEEP, *RIVALS):
        yield name, *common.concordance(item, G, name)


@tabled(1, ALL)
def order(item):
    """For: the MAEs of the paper's twelve rows have a rank correlation of 0.8 or more
    with its column. Against: below 0.5, which one random order in twenty exceeds.
    """
    column = printed_mae(item.dataset)
    theirs = paper_table(1).set_index("method")[column].astype(float)
    mine = {r.method: item.of(r) for r in item.rows if not r.ours}
    if not all(runs["done"].all() for runs in mine.values()):
        yield "twelve rows", "not run", ""
        return
    r = stats.spearmanr([runs["mae"].mean() for runs in mine.values()], theirs[[*mine]])
    found = "for" if r[0] >= ORDER else "against" if r[0] < CHANCE else "open"
    yield "r =", found, signed(r[0])


@tabled(2, ALL)
def equal_widths(item):
    """For: Deep-LSMTL has a lower MAE than the multi-task method of the same width,
    surely.
    """
    for units in (3000, 6000, 9000):
        for name in RIVALS:
            if not row(item, name, units).ours:
                what = f"{name.removeprefix('Deep-')} {units:,}"
                yield what, *versus(item, G, name, units)


@tabled(3, ALL)
def dgex_shapes(item):
    """For: Deep-LSMTL on an MLP has a lower MAE than D-GEX of the shape, surely."""
    for layers, units in SHAPES:
        yield f"{layers} × {units:,}", *versus(item, G, "D-GEX", units, layers)


@tabled(3, ALL)
def mlp_shapes(item):
    """For: with G the same MLP has a lower MAE, surely."""
    for layers, units in SHAPES:
        yield f"{layers} × {units:,}", *versus(item, G, "MLP", units, layers)
