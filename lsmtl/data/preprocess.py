"""The steps between a raw file and a matrix of genes, each on AnnData.

Matrices are samples × genes. No step changes its input. Values stay float32; sums are
taken in float64, row by row, so that a step needs little memory besides its result.
"""

from copy import deepcopy

import numpy as np
import pandas as pd

from lsmtl._checks import finite, one_of, whole

TIE = 1e-6  # correlations closer than this count as equal
SLACK = 1e-5  # more than what float32 gets wrong in a correlation


def dense(adata):
    """X as a float32 array; values too large for it become infinite."""
    values = adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)


def probes_to_genes(adata, probes):
    """The mean of each gene's probes, D-GEX's rule for probes joined by commas.

    Args:
        adata: AnnData, samples × probes.
        probes: dict of gene name to the list of its probes' names. A probe may serve
            several genes.

    Returns:
        AnnData, samples × genes in the order of `probes`, with `obs` and `uns` kept.

    Raises:
        ValueError: there is no gene, a gene has no probe or one twice, or a probe is
            not in `adata`.

    >>> import anndata
    >>> chip = anndata.AnnData(np.float32([[1, 3, 5]]))
    >>> probes_to_genes(chip, {"TP53": ["2"], "EGFR": ["0", "1"]}).X.tolist()
    [[5.0, 2.0]]
    """
    means = gene_means(adata.var_names, probes)
    var = pd.DataFrame(index=pd.Index([*probes], dtype=object))
    return _result(adata, by_row(means, dense(adata), len(probes)), var)


def gene_means(names, probes):
    """The function that makes a sample's genes (genes,) of its probes (probes,).

    Args:
        names: of the sample's probes, in their order.
        probes: as for `probes_to_genes`.

    Raises:
        ValueError: as for `probes_to_genes`.

    >>> gene_means(["a", "b", "c"], {"EGFR": ["a", "c"]})(np.float32([1, 5, 3]))
    array([2.])
    """
    if not probes:
        raise ValueError("probes names no gene")
    for gene, own in probes.items():
        if isinstance(own, str):
            raise ValueError(f"the probes of {gene!r} must be a list, got {own!r}")
        if not len(own):
            raise ValueError(f"gene {gene!r} has no probes")
        _once(f"probes of {gene!r}", own)
    _once("probe names", names)
    wanted = [probe for own in probes.values() for probe in own]
    columns = pd.Index(names, dtype=object).get_indexer(wanted)
    if (columns < 0).any():
        unknown = pd.unique(np.array(wanted, dtype=object)[columns < 0])
        raise ValueError(
            f"{len(unknown)} probes are not in the data: "
            f"{', '.join(map(str, unknown[:5]))}"
        )
    counts = [len(own) for own in probes.values()]
    starts = np.cumsum([0, *counts[:-1]])

    def means(row):
        return np.add.reduceat(row[columns], starts, dtype=np.float64) / counts

    return means


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
    _once("sample names", adata.obs_names)
    unit, flat = _unit_rows(_finite(adata))
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

    _once("sample names", adata.obs_names)
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
    for row in _finite(adata):
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
    values = _finite(adata)
    constant = adata.obs_names[values.min(1) == values.max(1)]
    if len(constant):
        raise ValueError(
            f"{len(constant)} samples have one value only, which has no rank: "
            f"{', '.join(map(str, constant[:5]))}"
        )

    def normal(row):
        rank, last, own = ranked(row, ties)
        return at_ranks(rank, last, reference)[own]

    return _result(adata, by_row(normal, values, adata.n_vars), adata.var)


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
    values = _finite(adata)
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
    values = _finite(adata)
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
    return _result(adata, scaled, adata.var)


def common_genes(*sets):
    """The genes that all sets have.

    Args:
        sets: AnnData, or lists of gene names.

    Returns:
        List of names, in the order of the first set.

    Raises:
        ValueError: there is no set, or no common gene.

    >>> common_genes(["TP53", "EGFR", "MYC"], ["MYC", "ACTB", "TP53"])
    ['TP53', 'MYC']
    """
    if not sets:
        raise ValueError("no set to take genes from")
    first, *others = (dict.fromkeys(getattr(s, "var_names", s)) for s in sets)
    common = [gene for gene in first if all(gene in other for other in others)]
    if not common:
        raise ValueError(f"the {len(sets)} sets have no gene in common")
    return common


def add_absent(adata, genes, value=0.0):
    """The given genes as columns, with a constant for those that are absent.

    Args:
        adata: AnnData, samples × genes.
        genes: names of the columns wanted.
        value: what absent genes get in every sample.

    Returns:
        AnnData, samples × `genes`, with `obs` and `uns` kept; `var` is missing for
        absent genes but for `var["absent"]`, which says which they are.

    Raises:
        ValueError: `genes` is no list, none of them is present, a name occurs twice
            in it or in `adata`, or the value is not finite.

    >>> import anndata
    >>> full = add_absent(anndata.AnnData(np.float32([[7, 8]])), ["1", "TP53"])
    >>> full.X.tolist(), full.var["absent"].tolist()
    ([[8.0, 0.0]], [False, True])
    """
    if isinstance(genes, str):
        raise ValueError(f"genes must be a list of names, got {genes!r}")
    finite("value", value, minimum=np.finfo(np.float32).min.item())
    _once("names of genes", genes)
    _once("gene names", adata.var_names)
    genes = pd.Index(genes, dtype=object)
    columns = adata.var_names.get_indexer(genes)
    present = columns >= 0
    if not present.any():
        raise ValueError(f"none of the {len(genes)} genes is in the data")

    def complete(row):
        return np.where(present, row[columns], value)

    absent = ~present
    if "absent" in adata.var:  # filled before
        absent[present] = adata.var["absent"].to_numpy(bool)[columns[present]]
    var = adata.var.reindex(genes).assign(absent=absent)
    return _result(adata, by_row(complete, dense(adata), len(genes)), var)


def _once(what, names):
    names = pd.Index(names, dtype=object)
    twice = names[names.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{len(twice)} {what} occur twice: {', '.join(map(str, twice[:5]))}"
        )


def _finite(adata):
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


def by_row(function, values, width):
    """A row-wise function of `values` as a float32 array (samples, width)."""
    result = np.empty((len(values), width), dtype=np.float32)
    for i, row in enumerate(values):
        result[i] = function(row)
    return result


def _result(adata, values, var):
    """Of the same kind: an AnnData, or a `Plain` where AnnData is missing."""
    uns = deepcopy(dict(adata.uns))
    return type(adata)(values, obs=adata.obs.copy(), var=var.copy(), uns=uns)
