"""Runs on pairs of cell types, as tables; what sharing brought in three systems."""

import numpy as np
import pandas as pd

from lsmtl.deepdiff import VARIANTS
from lsmtl.lab import histones, records
from lsmtl.lab.experiments import tuned
from lsmtl.lab.histones import BASE, PAIRS
from lsmtl.lab.show import badge

PRINTED = {"Aux": (173.20, 172.58), "Raw+Aux": (179.17, 192.33)}  # Table 3, percent
ORDER = (*histones.RIVALS, *VARIANTS)


def relative(runs):
    """r in percent of the two-layer SVR's, on the same genes and of the same seed.

    Args:
        runs: DataFrame of runs, as `results` gives them.

    Returns:
        The runs with the column `relative`.
    """
    runs = runs[runs["method"] != "cell types"].copy()
    runs["pair"] = runs["pair"].map("-".join)
    at = ["pair", "genes", "seed"]
    base = runs[runs["method"] == BASE].set_index(at)["r"]
    mine = pd.MultiIndex.from_frame(runs[at])
    runs["relative"] = 100 * runs["r"] / base.loc[mine].to_numpy()
    return runs


def main(runs):
    """The runs with the usual losses: auxiliary regression, Eq. 2 as printed."""
    runs = runs[runs["method"] != "cell types"]
    if "auxiliary" not in runs:
        return runs
    return runs[(runs["auxiliary"] != "classification") & (runs["form"] != "code")]


def standing(runs, n=None):
    """Every method's r on test genes, means over seeds.

    Args:
        runs: as `results` gives them, of one dataset.
        n: number of training genes; None takes the largest.

    Returns:
        DataFrame, a row a method in the order of `ORDER`: `r`, `r_low`, `r_high`,
        `relative`, `mse`, and `seeds`, the deviation of r over seeds.
    """
    runs = relative(main(runs))
    runs = runs[runs["genes"] == (n or runs["genes"].max())]
    by = runs.groupby("method")
    found = by[["r", "r_low", "r_high", "relative", "mse"]].mean()
    found["seeds"] = by["r"].std().fillna(0)
    return found.loc[[name for name in ORDER if name in found.index]]


def changes(runs, own, other, n=None):
    """How r changes from one method to another, seed by seed.

    Args:
        runs: as for `standing`.
        own, other: methods; `own` is compared with `other`.
        n: number of training genes; None takes the largest.

    Returns:
        Series by seed (and pair of cell types).
    """
    runs = relative(main(runs))
    runs = runs[runs["genes"] == (n or runs["genes"].max())]
    r = runs.set_index(["pair", "seed", "method"])["r"].unstack()
    return (r[own] - r[other]).dropna()


def by_pair(runs):
    """r of every method, a row a pair of cell types, in the order of Table 6."""
    runs = relative(main(runs))
    runs = runs[runs["genes"] == runs["genes"].max()]
    r = runs.groupby(["pair", "method"])["r"].mean().unstack()
    pairs = [pair for pair in map("-".join, PAIRS) if pair in r.index]
    return r.loc[pairs, [name for name in ORDER if name in r]]


def of_relations(runs):
    """How G changes the MAE, seed by seed: runs of the chapter that derives it."""
    pair = (tuned(runs, name, "xavier") for name in ("Deep-LSMTL", "DenseNet"))
    own, other = (ran.set_index("seed")["mae"] for ran in pair)
    return own - other


def of_parameters(runs):
    """How coupling to the mean changes what is explained, against each task alone."""
    runs = runs[runs["pupils"].isna() & runs["method"].isin(["mean", "alone"])]
    explained = runs.set_index(["seed", "method"])["explained"].unstack()
    return explained["mean"] - explained["alone"]


SHARING = {  # experiment → what is shared; with, without, what else a run must have
    "deepdiff": ("features", "Aux", "Raw:c", {"genes": 200}),
    "masked-low-rank": ("predictions", "Deep-LSMTL", "DenseNet", {}),
    "given-relations": ("parameters", "mean", "alone", {"pupils": None}),
}


def costs():
    """Yields what is shared, the time with it over that without, and the badge.

    Times are medians over the runs of preset laptop, of each dataset.
    """
    for name, (what, own, other, given) in SHARING.items():
        times = {}
        for record in records.read(name).values():
            c = record["configuration"]
            if record["preset"] != "laptop" or any(
                k in c and c[k] != v for k, v in given.items()
            ):
                continue
            times.setdefault(record["dataset"], {}).setdefault(
                record["method"], []
            ).append(record["wall_s"])
        for dataset, found in times.items():
            if own in found and other in found:
                took = np.median(found[own]) / np.median(found[other])
                what_and = f"{what}: {own} over {other}"
                yield what_and, took, badge("laptop", dataset)
