"""What the steps have in common: values to work on, and a result of the same kind."""

from copy import deepcopy

import numpy as np
import pandas as pd


def dense(adata):
    """X as a float32 array; values too large for it become infinite."""
    values = adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)


def finite_values(adata):
    """X as a float32 array (samples, genes) that statistics can be taken of."""
    values = dense(adata)
    if not len(values):
        raise ValueError("there are no samples")
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        bad = ~np.isfinite(values.sum(1, dtype=np.float64))
    if bad.any():
        raise ValueError(
            f"{bad.sum()} samples have values that are NaN or infinite, the first is "
            f"{adata.obs_names[bad][0]!r}"
        )
    return values


def by_row(function, values, width):
    """A row-wise function of `values` as a float32 array (samples, width)."""
    result = np.empty((len(values), width), dtype=np.float32)
    for i, row in enumerate(values):
        result[i] = function(row)
    return result


def result_like(adata, values, var):
    """Of the same kind: an AnnData, or a `Plain` where AnnData is missing."""
    uns = deepcopy(dict(adata.uns))
    return type(adata)(values, obs=adata.obs.copy(), var=var.copy(), uns=uns)


def occur_once(what, names):
    """A ValueError that lists the names that occur twice, if any do."""
    names = pd.Index(names, dtype=object)
    twice = names[names.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{len(twice)} {what} occur twice: {', '.join(map(str, twice[:5]))}"
        )
