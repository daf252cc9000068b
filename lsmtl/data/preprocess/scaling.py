"""Values that can be compared: quantile normalisation, means and deviations."""

import numpy as np

from lsmtl._checks import one_of
from lsmtl.data.preprocess.values import by_row, dense, finite_values, result_like


def reference_quantiles(adata):
    """The mean distribution of the samples (Bolstad et al., 2003).

    Args:
        adata: AnnData, samples × genes.

    Returns:
        (genes,) float32, ascending: the mean of all samples' lowest values, of their
        second lowest, and so on.

    Raises:
        ValueError: there are no samples, or a value is not finite.

    >>> import anndata
    >>> reference_quantiles(anndata.AnnData(np.float32([[3, 1], [5, 7]]))).tolist()
    [3.0, 5.0]
    """
    total = np.zeros(adata.n_vars)
    for row in finite_values(adata):
        total += np.sort(row)
    return (total / adata.n_obs).astype(np.float32)


def quantile_normalize(adata, reference, ties="mean"):
    """Give every sample the distribution of the reference.

    The values of a sample are ranked from 0 to k − 1, and rank r becomes the reference
    at r / (k − 1) of its length, linearly interpolated. Equal values stay equal. They
    share their mean rank among all values, or, as D-GEX maps another platform, count
    as one value; without ties both are ordinary quantile normalisation.

    Args:
        adata: AnnData, samples × genes.
        reference: (quantiles,) ascending values, as `reference_quantiles` gives them;
            of another platform with more or fewer genes, perhaps.
        ties: `"mean"` for the mean rank, `"unique"` for ranks of unique values.

    Returns:
        AnnData like `adata`, with `obs`, `var` and `uns` kept.

    Raises:
        ValueError: `ties` is another word, the reference is not 1-D, finite,
            ascending and of length 2 or more, a sample has one value only, there are
            no samples, or a value is not finite.

    >>> import anndata
    >>> profile = anndata.AnnData(np.float32([[0, 0, 0, 7, 9]]))
    >>> quantile_normalize(profile, [1, 2, 4, 8, 16]).X.tolist()
    [[2.0, 2.0, 2.0, 8.0, 16.0]]
    >>> quantile_normalize(profile, [1, 2, 4, 8, 16], ties="unique").X.tolist()
    [[1.0, 1.0, 1.0, 4.0, 16.0]]
    """
    one_of("ties", ties, ("mean", "unique"))
    reference = np.asarray(reference, dtype=np.float64)
    if reference.ndim != 1 or len(reference) < 2:
        raise ValueError(
            "reference must be 1-D with at least 2 values, got the shape "
            f"{reference.shape}"
        )
    if not np.isfinite(reference).all() or (np.diff(reference) < 0).any():
        raise ValueError("reference must be finite and ascending; see np.sort")
    values = finite_values(adata)
    constant = adata.obs_names[values.min(1) == values.max(1)]
    if len(constant):
        raise ValueError(
            f"{len(constant)} samples have one value only, which has no rank: "
            f"{', '.join(map(str, constant[:5]))}"
        )

    def normal(row):
        rank, last, own = ranked(row, ties)
        return at_ranks(rank, last, reference)[own]

    return result_like(adata, by_row(normal, values, adata.n_vars), adata.var)


def ranked(row, ties="mean"):
    """The ranks of a sample's distinct values, as `quantile_normalize` counts them.

    Args:
        row: (genes,) values.
        ties: as for `quantile_normalize`.

    Returns:
        (rank, last, own): (distinct,) rank of each distinct value, ascending, from 0;
        the rank that the highest of values without ties would have; and (genes,)
        which of the distinct values each value is.

    >>> rank, last, own = ranked([7, 0, 0])
    >>> rank.tolist(), last, own.tolist()
    ([0.5, 2.0], 2, [1, 0, 0])
    """
    _, own, count = np.unique(row, return_inverse=True, return_counts=True)
    if ties == "unique":
        return np.arange(len(count)), len(count) - 1, own
    return np.cumsum(count) - (count + 1) / 2, len(row) - 1, own


def at_ranks(rank, last, reference):
    """The reference at rank / last of its length, linearly interpolated."""
    places = np.arange(len(reference))
    return np.interp(rank * (places[-1] / last), places, reference)


def constant_genes(adata):
    """Which genes have one value only.

    Args:
        adata: AnnData, samples × genes.

    Returns:
        (genes,) bool.

    Raises:
        ValueError: there are no samples, or a value is not finite.

    >>> import anndata
    >>> constant_genes(anndata.AnnData(np.float32([[3, 1], [3, 2]]))).tolist()
    [True, False]
    """
    values = finite_values(adata)
    return values.min(0) == values.max(0)


def statistics(adata):
    """Mean and deviation of every gene.

    Args:
        adata: AnnData, samples × genes.

    Returns:
        (mean, deviation), each (genes,) float64; the deviation is the population's,
        and 1 for a constant gene, which `standardize` then makes 0.

    Raises:
        ValueError: there are no samples, or a value is not finite.

    >>> import anndata
    >>> mean, deviation = statistics(anndata.AnnData(np.float32([[3, 1], [3, 5]])))
    >>> mean.tolist(), deviation.tolist()
    ([3.0, 3.0], [1.0, 2.0])
    """
    values = finite_values(adata)
    constant = values.min(0) == values.max(0)
    mean = np.where(constant, values[0], values.mean(0, dtype=np.float64))
    total = np.zeros(adata.n_vars)
    for row in values:
        total += np.square(row - mean)
    return mean, np.where(constant, 1, np.sqrt(total / adata.n_obs))


def standardize(adata, mean, deviation):
    """Every gene minus its mean, in deviations.

    Args:
        adata: AnnData, samples × genes.
        mean: (genes,) as `statistics` gives it, of these samples or others.
        deviation: (genes,), positive.

    Returns:
        AnnData like `adata`, with `obs`, `var` and `uns` kept.

    Raises:
        ValueError: a length is not the number of genes, a number is not finite, or a
            deviation not positive.

    >>> import anndata
    >>> pair = anndata.AnnData(np.float32([[3, 1], [3, 5]]))
    >>> standardize(pair, *statistics(pair)).X.tolist()
    [[0.0, -1.0], [0.0, 1.0]]
    """
    mean = _per_gene("mean", mean, adata)
    deviation = _per_gene("deviation", deviation, adata)
    if (deviation <= 0).any():
        raise ValueError(
            f"deviation must be positive, got {deviation.min()} for gene "
            f"{adata.var_names[deviation.argmin()]!r}"
        )
    scaled = by_row(lambda row: (row - mean) / deviation, dense(adata), adata.n_vars)
    return result_like(adata, scaled, adata.var)


def _per_gene(name, numbers, adata):
    numbers = np.asarray(numbers, dtype=np.float64)
    if numbers.shape != (adata.n_vars,):
        raise ValueError(
            f"{name} must have one number for each of {adata.n_vars} genes, got the "
            f"shape {numbers.shape}"
        )
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise ValueError(
            f"{name} must be finite, got {numbers[bad][0]} for gene "
            f"{adata.var_names[bad][0]!r}"
        )
    return numbers
