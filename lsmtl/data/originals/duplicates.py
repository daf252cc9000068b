"""Samples that were measured once and filed twice: all pairs closer than a limit.

D-GEX looks for pairs within the clusters of an unseeded k-means; here all pairs count,
and none is compared in vain. No projection onto orthonormal directions makes two
samples farther apart, so every close pair is close in its projections; those few
candidates are compared in full.
"""

import numpy as np

LIMIT = 1.0  # Euclidean distance over all probes, in log2 units
DIRECTIONS = 64
ROUNDING = 1e-3  # more than float32 gets wrong in a distance of log2 values


def directions(values, count=DIRECTIONS):
    """Orthonormal directions in which samples differ most.

    Args:
        values: (samples, probes), some of the samples.
        count: of the directions.

    Returns:
        (probes, count) float64 with orthonormal columns; the last ones are 0 where
        samples don't differ in so many directions.

    >>> abs(directions(np.float32([[0, 5], [0, 1], [0, 2]]), count=2).round(6))
    array([[0., 0.],
           [1., 0.]])
    """
    centred = values - values.mean(0, dtype=np.float64)
    weight, vectors = np.linalg.eigh(centred @ centred.T)
    kept = np.flatnonzero(weight > 1e-9 * weight[-1])[-count:]
    found = np.zeros((values.shape[1], count))
    if len(kept):
        long = centred.T @ (vectors[:, kept] / np.sqrt(weight[kept]))
        found[:, : len(kept)] = np.linalg.qr(long)[0]
    return found


def gene_weights(columns, starts, probes):
    """Weights (genes,) that keep distances between genes below those between probes.

    Σ_g w_g (Δ mean_g)² ≤ Σ_p (Δ_p)², because a mean of k probes obeys
    k (Δ mean)² ≤ Σ Δ_p², and because no probe counts more than once in all.

    Args:
        columns: probes of the first gene, then those of the second, …
        starts: (genes,) where each gene's probes begin in `columns`.
        probes: how many there are.

    >>> gene_weights([0, 1, 1], [0, 2], 3).tolist()
    [1.0, 0.5]
    """
    used = np.bincount(columns, minlength=probes)[columns]
    count = np.diff([*starts, len(columns)])
    return count / np.maximum.reduceat(used, starts)


def earlier_twin(rows, tree, projections, first, may_be, distance):
    """Of each of these samples the first that it repeats, and their distance.

    Args:
        rows: the samples, ascending.
        tree: SciPy's `KDTree` of the projections of all samples.
        projections: (samples, k) of these.
        first: (samples,) of all: the first that has the very same values.
        may_be: function of two samples: False where they can't be a pair.
        distance: function of two samples, over all probes.

    Returns:
        (twin, distance), each (rows,); the twin is −1 where there is none.
    """
    twin, apart = np.full(len(rows), -1), np.zeros(len(rows))
    near = tree.query_ball_point(projections, LIMIT + ROUNDING)
    for k, (row, found) in enumerate(zip(rows, near, strict=True)):
        if first[row] < row:
            twin[k] = first[row]
        for other in sorted(found):
            if other >= min(row, first[row]):
                break
            if first[other] == other and may_be(other, row):
                d = distance(other, row)
                if d < LIMIT:
                    twin[k], apart[k] = other, d
                    break
    return twin, apart


def first_equal(digests):
    """Of each sample the first with the same digest, (samples,).

    >>> first_equal(np.array([[3], [1], [3], [1]], dtype=np.uint8)).tolist()
    [0, 1, 0, 1]
    """
    whole = np.ascontiguousarray(digests).view(f"V{digests[0].nbytes}").ravel()
    _, first, own = np.unique(whole, return_index=True, return_inverse=True)
    return first[own]
