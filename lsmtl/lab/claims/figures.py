"""Claims on the figures: what relevance shows.

A rule's docstring says when a comparison is *for* its claim. It is *against* the claim
where the opposite is as sure, and else *open*.
"""

import itertools

import numpy as np
from scipy import stats

from lsmtl.lab import explaining
from lsmtl.lab.chapters import relevance
from lsmtl.lab.claims.common import of, signed
from lsmtl.lab.verdicts import Case, each

ALIKE = 0.5  # correlation of two rows of a heat map
STABLE = 0.7  # rank correlation of two seeds


def _picture(runs):
    """Shares (m, D) of profile clusters and of target clusters, seed 0's network."""
    D = len(of(runs, "ridge").iloc[0]["genes"])
    run = of(runs, relevance.LSMTL, head="xavier").iloc[0]
    panels = (explaining.unpack(run, name, D) for name in ("profiles", "targets"))
    return [v / v.sum(1, keepdims=True) for v in panels]


@each("relevance")
def groups(runs):
    """For: the rows of panel a (clusters of profiles) correlate by less than 0.5 in the
    mean, over all landmarks; those of panel c (of targets) do, and the closest two by
    more.
    """
    profiles, targets = map(explaining.alike, _picture(runs))
    found = "for" if profiles[0] < ALIKE else "against"
    yield "profiles, mean r =", found, signed(profiles[0])
    found = "for" if targets[0] < ALIKE < targets[1] else "against"
    yield "targets, mean r, closest two:", found, ", ".join(map(signed, targets))


def more_notable(book):
    """For: the shares of panel a spread more across platforms than on the set that the
    network was trained with, in units of an even share.
    """
    found = book.runs("relevance")
    pairs = (("breast", "breast-endometrial"), ("arrays", "arrays-rnaseq"))
    for near, far in (*pairs, *[("geo", "geo-gtex")] * ("geo-gtex" in found)):
        (a, _), (b, mark) = found.get(near, (None, "")), found[far]
        if a is None or b is None:
            yield Case(f"{far}, relevance", "not run", "not run")
            continue
        a, b = (v.shape[1] * v.std() for v in (_picture(a)[0], _picture(b)[0]))
        yield Case(
            mark, "spread", "for" if b > a else "against", f"{b:.2f}, was {a:.2f}"
        )


@each("relevance")
def stable(runs):
    """For: the order of all landmarks correlates between two seeds by 0.7 or more, and
    half of the top 20 are the same. Against: neither.
    """
    mine = of(runs, relevance.LSMTL, head="xavier")
    values = [explaining.unpack(run, "importance") for _, run in mine.iterrows()]
    pairs = list(itertools.combinations(values, 2))
    r = np.mean([stats.spearmanr(a, b)[0] for a, b in pairs])
    top = np.mean([explaining.shared(*map(explaining.top, pair)) for pair in pairs])
    found = {2: "for", 1: "open", 0: "against"}[int(r >= STABLE) + int(top >= 0.5)]
    yield "two seeds:", found, f"r = {r:.2f}, {top:.0%} of the top 20"
