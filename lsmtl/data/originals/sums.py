"""Sums that samples are added to, block by block: arrays that a state can hold."""

import numpy as np

CONVENTIONS = ("ours", "dgex")
OFFSET = 1e-3  # what D-GEX adds to a deviation
SHARES = (0, 5, 25, 50, 75, 95, 100)  # percent
MOMENTS = {"n": 0.0, "shift": 0.0, "sum": 0.0, "square": 0.0}
MOMENTS |= {"low": np.inf, "high": -np.inf}


def new_moments(genes):
    """Sums that means and deviations (genes,) come from, for both conventions."""
    return {
        f"{c} {m}": np.full(genes, v) for c in CONVENTIONS for m, v in MOMENTS.items()
    }


def add_moments(sums, convention, values):
    """Add samples (n, genes) to the sums of differences from the very first one."""
    if not len(values):
        return
    n, shift, total, square, low, high = (sums[f"{convention} {m}"] for m in MOMENTS)
    if not n[0]:
        shift[:] = values[0]
    n += len(values)
    for row in values:
        total += row - shift
        square += np.square(row - shift)
    np.minimum(low, values.min(0), out=low)
    np.maximum(high, values.max(0), out=high)


def moments_of(sums, convention):
    """Mean and deviation (genes,) as the convention takes them."""
    n, shift, total, square, low, high = (sums[f"{convention} {m}"] for m in MOMENTS)
    mean = total / n
    deviation = np.sqrt(np.maximum(square / n - np.square(mean), 0))
    deviation[low == high] = 0
    if convention == "ours":
        return shift + mean, np.where(low == high, 1, deviation)
    return shift + mean, deviation + OFFSET


def add_difference(total, found):
    """Add the largest and the summed difference of the two conventions' values."""
    apart = np.abs(found["ours"] - found["dgex"])
    if apart.size:
        total["max"][0] = max(total["max"][0], apart.max())
        total["sum"] += apart.sum(dtype=np.float64)


def new_spread():
    """Sums for the quantiles of samples: how many, their sum, lowest and highest."""
    count = len(SHARES)
    return {
        "samples": np.zeros(1),
        "total": np.zeros(count),
        "lowest": np.full(count, np.inf),
        "highest": np.full(count, -np.inf),
    }


def add_spread(sums, ascending):
    """Add samples (n, genes), each in ascending order, to the sums of `new_spread`."""
    places = np.rint(np.array(SHARES) / 100 * (ascending.shape[1] - 1)).astype(int)
    found = ascending[:, places].astype(np.float64)
    sums["samples"] += len(found)
    sums["total"] += found.sum(0)
    sums["lowest"][:] = np.minimum(sums["lowest"], found.min(0, initial=np.inf))
    sums["highest"][:] = np.maximum(sums["highest"], found.max(0, initial=-np.inf))
