"""Samples that are too alike to be independent, and who belongs together."""

import numpy as np
import pandas as pd

from lsmtl._checks import finite, whole
from lsmtl.data.preprocess.values import finite_values, occur_once

TIE = 1e-6  # correlations closer than this count as equal
SLACK = 1e-5  # more than what float32 gets wrong in a correlation


def near_duplicates(adata, at_least, block=1024):
    """The pairs of samples that are each other's nearest neighbour.

    Nearness is the Pearson correlation over genes, after each gene's mean over the
    samples was subtracted. A pair counts if its correlation is at least `at_least`
    and, up to 1e-6, the highest of both samples; so all three pairs of a triplicate
    are found. A high correlation alone says little: a typical tissue sample is close
    to many others, which have closer ones themselves, whereas a replicate is closest
    to its twin, and its twin to it. A sample that differs from the mean by the same
    amount in every gene has no correlation and no partner.

    Args:
        adata: AnnData, samples × genes.
        at_least: the lowest correlation of a pair.
        block: samples compared with all others at a time; the result does not
            depend on it, the memory (block × samples) does.

    Returns:
        DataFrame with the columns `first` and `second`, names of samples in the order
        of the matrix, and `correlation`, in which it descends.

    Raises:
        ValueError: `at_least` is no correlation, `block` no positive whole number, a
            sample name occurs twice, there are no samples, or a value is not finite.

    >>> import anndata
    >>> values = np.random.default_rng(0).normal(size=(5, 50)).astype(np.float32)
    >>> values[4] = values[1]
    >>> near_duplicates(anndata.AnnData(values), at_least=0.9)
      first second  correlation
    0     1      4          1.0
    """
    if finite("at_least", at_least, minimum=-1) > 1:
        raise ValueError(f"at_least must be at most 1, got {at_least!r}")
    whole("block", block)
    occur_once("sample names", adata.obs_names)
    unit, flat = _unit_rows(finite_values(adata))
    n = len(unit)
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, n, block):
        near = unit[start : start + block] @ unit.T
        i = np.arange(len(near))
        near[i, start + i] = -np.inf
        near[:, flat] = near[flat[start : start + block]] = -np.inf
        lowest = np.maximum(near.max(1), np.float32(at_least)) - np.float32(SLACK)
        i, j = np.nonzero(near >= lowest[:, None])
        i += start
        found.append(np.minimum(i, j) * n + np.maximum(i, j))
    # Float32 has chosen generously; float64 decides, pair by pair.
    first, second = np.divmod(np.unique(np.concatenate(found)), n)
    correlation = np.array(
        [_cosine(unit[i], unit[j]) for i, j in zip(first, second, strict=True)],
        dtype=np.float64,
    )
    highest = np.full(n, -np.inf)
    np.maximum.at(highest, first, correlation)
    np.maximum.at(highest, second, correlation)
    mutual = correlation >= np.maximum(highest[first], highest[second]) - TIE
    kept = np.flatnonzero(mutual & (correlation >= at_least))
    kept = kept[np.argsort(-correlation[kept], kind="stable")]
    names = adata.obs_names.to_numpy()
    return pd.DataFrame(
        {
            "first": names[first[kept]],
            "second": names[second[kept]],
            "correlation": correlation[kept],
        }
    )


def _unit_rows(values):
    """Rows as float32 whose dot products are correlations; which rows have none."""
    mean = values.mean(0, dtype=np.float64)
    unit, flat = np.zeros_like(values), np.zeros(len(values), dtype=bool)
    for i, row in enumerate(values):
        centred = row - mean
        centred -= centred.mean()
        norm = np.linalg.norm(centred)
        rounding = np.finfo(np.float32).eps * np.linalg.norm(row.astype(np.float64))
        flat[i] = norm <= rounding
        if not flat[i]:
            unit[i] = centred / norm
    return unit, flat


def _cosine(a, b):
    """Exactly 1 for equal rows, which unit length in float32 does not give."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return min(a @ b / np.sqrt((a @ a) * (b @ b)), 1.0)


def groups(adata, pairs):
    """Who belongs together: samples that are linked by pairs, directly or by others.

    Args:
        adata: AnnData, samples × genes.
        pairs: DataFrame with the columns `first` and `second`, as `near_duplicates`
            gives it.

    Returns:
        (samples,) array of strings: the name of the first sample, in the order of
        the matrix, of everyone's group; the own name for a sample without a pair.

    Raises:
        ValueError: `pairs` names a sample that `adata` lacks, or a sample name
            occurs twice.

    >>> import anndata
    >>> pairs = pd.DataFrame({"first": ["1", "2"], "second": ["2", "4"]})
    >>> groups(anndata.AnnData(np.zeros((5, 1), np.float32)), pairs).tolist()
    ['0', '1', '1', '3', '1']
    """
    from scipy import sparse  # here, because training needs none

    occur_once("sample names", adata.obs_names)
    named = pairs[["first", "second"]].to_numpy()
    rows = adata.obs_names.get_indexer(named.ravel()).reshape(named.shape)
    unknown = pd.unique(named[rows < 0])
    if len(unknown):
        raise ValueError(
            f"{len(unknown)} samples of the pairs are not in the data: "
            f"{', '.join(map(str, unknown[:5]))}"
        )
    shape = (adata.n_obs, adata.n_obs)
    links = sparse.coo_matrix((np.ones(len(rows)), rows.T), shape)
    _, component = sparse.csgraph.connected_components(links, directed=False)
    _, first, own = np.unique(component, return_index=True, return_inverse=True)
    return adata.obs_names.to_numpy(str)[first[own]]
