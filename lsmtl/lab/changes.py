"""One setting changed at a time: what that does to a metric.

A *start* maps settings to where every run starts; None stands for all there are.
Runs of the same seed have the same splits, so their differences are paired.
"""

import numpy as np
import pandas as pd


def by_value(runs, method, start, factor=None, metric="mae"):
    """A metric by the value of one setting, all others as at the start.

    Args:
        runs: what `results` gives.
        method: of the runs that count.
        start: dict of setting → value; what the method doesn't have is passed over.
        factor: the setting; None gives the start itself.
        metric: a column of `runs`.

    Returns:
        DataFrame, a row a seed and a column a value, rising; all there are is ∞. With
        no factor a Series by seed.

    >>> runs = pd.DataFrame({"method": "ridge", "seed": 0, "mae": [0.5, 0.6],
    ...                      "samples": [None, 30]})
    >>> by_value(runs, "ridge", {"samples": None, "rank": 5}, "samples").to_numpy()
    array([[0.6, 0.5]])
    """
    mine = runs[runs["method"] == method]
    for name, value in start.items():
        if name == factor or name not in mine:
            continue
        if value is None:
            mine = mine[mine[name].isna()]
        elif mine[name].notna().any():
            mine = mine[mine[name] == value]
    if factor is None:
        return mine.set_index("seed")[metric]
    values = [np.inf if pd.isna(v) else v for v in mine[factor]]
    return mine.assign(value=values).pivot(index="seed", columns="value", values=metric)


def change(values, reference):
    """Differences to a reference in percent of its mean, paired by seed.

    Args:
        values: DataFrame, a row a seed, or a Series by seed.
        reference: Series by seed.

    >>> start = pd.Series([0.4, 0.6])
    >>> change(pd.DataFrame({"λ = 1": [0.41, 0.61]}), start)["λ = 1"].round(6).tolist()
    [2.0, 2.0]
    """
    return 100 * values.sub(reference, axis=0) / reference.mean()


def extreme(tables):
    """The largest mean change among tables, and where it is.

    Args:
        tables: dict of name → DataFrame of changes, a row a seed.

    Returns:
        The mean over seeds, the table's name, the column.
    """
    means = {(k, v): t[v].mean() for k, t in tables.items() for v in t}
    where = max(means, key=lambda k: abs(means[k]))
    return means[where], *where


def span(tables):
    """The lowest and the highest mean change among tables; none is 0."""
    means = [0.0, *(mean for t in tables.values() for mean in t.mean())]
    return min(means), max(means)
