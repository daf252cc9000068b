"""Preprocessing: every step against plain NumPy, and what it must leave as it is."""

import tracemalloc

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lsmtl.data.preprocess import (
    add_absent,
    common_genes,
    constant_genes,
    groups,
    near_duplicates,
    probes_to_genes,
    quantile_normalize,
    reference_quantiles,
    standardize,
    statistics,
)

seeds = st.integers(0, 2**32 - 1)
quick = settings(deadline=None, max_examples=60, derandomize=True)


def matrix(values, **uns):
    """AnnData of samples s0, s1, … and genes g0, g1, …, with something to keep."""
    values = np.asarray(values, dtype=np.float32)
    n, genes = values.shape
    return anndata.AnnData(
        values,
        obs=pd.DataFrame({"batch": range(n)}, index=[f"s{i}" for i in range(n)]),
        var=pd.DataFrame(
            {"chromosome": range(genes)}, index=[f"g{i}" for i in range(genes)]
        ),
        uns={"source": {"name": "toy"}, **uns},
    )


def random(n=12, genes=8, seed=0):
    """Values without ties, each gene with its own mean and deviation."""
    rng = np.random.default_rng(seed)
    return matrix(
        rng.normal(rng.uniform(4, 9, genes), rng.uniform(1, 3, genes), (n, genes))
    )


def pair_set(pairs):
    return {frozenset(p) for p in zip(pairs["first"], pairs["second"], strict=True)}


# --- All steps ------------------------------------------------------------------

REFERENCE = np.arange(11) ** 2
PROBES = {"TP53": ["g4"], "EGFR": ["g6", "g1", "g3"], "MYC": ["g0", "g1"]}
TO_ANNDATA = {
    "probes_to_genes": lambda a: probes_to_genes(a, PROBES),
    "quantile_normalize": lambda a: quantile_normalize(a, REFERENCE),
    "standardize": lambda a: standardize(a, range(a.n_vars), [2] * a.n_vars),
    "add_absent": lambda a: add_absent(a, ["g3", "new", "g1"]),
}
TO_ARRAYS = {
    "near_duplicates": lambda a: near_duplicates(a, 0.0, block=5)["correlation"],
    "reference_quantiles": reference_quantiles,
    "constant_genes": constant_genes,
    "statistics": statistics,
}
STEPS = {**TO_ANNDATA, **TO_ARRAYS}


@pytest.mark.parametrize("step", TO_ANNDATA.values(), ids=TO_ANNDATA)
def test_samples_and_their_labels_are_kept(step):
    adata = random()
    found = step(adata)
    assert found.X.dtype == np.float32
    pd.testing.assert_frame_equal(found.obs, adata.obs)
    assert found.uns == {"source": {"name": "toy"}}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("sparse", [False, True])
def test_the_input_stays_as_it_is(step, sparse):
    adata = random()
    if sparse:
        adata.X = scipy.sparse.csr_matrix(adata.X)
    before = adata.copy()
    found = step(adata)
    if isinstance(found, anndata.AnnData):  # nor is it shared with the result
        found.X[:] = -1
        found.obs["batch"] = 7
        found.var["chromosome"] = 7
        found.uns["source"]["name"] = "changed"
    assert type(adata.X) is type(before.X)
    difference = adata.X != before.X
    assert not (difference.nnz if sparse else difference.any())
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    pd.testing.assert_frame_equal(adata.var, before.var)
    assert adata.uns == before.uns


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize(
    "stored", [scipy.sparse.csr_matrix, scipy.sparse.csc_matrix, np.float64]
)
def test_how_the_matrix_is_stored_does_not_matter(step, stored):
    adata = random()
    other = adata.copy()
    other.X = stored(adata.X)
    found, expected = step(other), step(adata)
    if isinstance(found, anndata.AnnData):
        found, expected = found.X, expected.X
        assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("step", TO_ANNDATA.values(), ids=TO_ANNDATA)
def test_every_sample_is_treated_by_itself(step):
    adata = random()
    order = np.random.default_rng(1).permutation(adata.n_obs)[:7]
    pd.testing.assert_frame_equal(
        step(adata[order]).to_df(), step(adata).to_df().iloc[order]
    )


@pytest.mark.parametrize("name", TO_ARRAYS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(name, value):
    adata = random()
    adata.X[[3, 5], 2] = value
    with pytest.raises(ValueError, match=r"2 samples .* NaN or infinite.* 's3'"):
        STEPS[name](adata)


@pytest.mark.parametrize("name", [*TO_ARRAYS, "quantile_normalize"])
def test_a_matrix_without_samples_is_refused(name):
    with pytest.raises(ValueError, match="no samples"):
        STEPS[name](matrix(np.empty((0, 8))))


def peak(step, adata):
    step(adata[:3].copy())  # imports
    tracemalloc.start()
    try:
        kept = step(adata)
        return tracemalloc.get_traced_memory()[1], kept
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_no_step_holds_more_than_one_matrix_besides_its_input(step):
    adata = random(20, 200_000)
    whole = adata.X.nbytes
    allowed = {"near_duplicates": 1.7, "quantile_normalize": 1.7, "standardize": 1.7}
    name = next(key for key, value in STEPS.items() if value is step)
    adata.obs, adata.var = adata.obs[[]], adata.var[[]]
    assert peak(step, adata)[0] < allowed.get(name, 0.7) * whole + 1e6


# --- Probes to genes ------------------------------------------------------------


@quick
@given(seeds, st.data())
def test_a_gene_is_the_mean_of_its_probes(seed, data):
    adata = random(seed=seed)
    own = st.lists(st.sampled_from([*adata.var_names]), min_size=1, unique=True)
    probes = data.draw(st.dictionaries(st.text("ABC", min_size=1), own, min_size=1))
    found = probes_to_genes(adata, probes)
    assert [*found.var_names] == [*probes]
    for gene, names in probes.items():
        expected = adata.to_df()[names].astype(float).mean(axis=1)
        np.testing.assert_allclose(found[:, gene].X[:, 0], expected, rtol=1e-7)


def test_probe_means_are_taken_in_float64():
    adata = matrix([[2**24, 1, 1, 1, 1, 2**24]])
    found = probes_to_genes(adata, {"A": ["g0", "g1", "g2", "g3", "g4", "g5"]})
    assert found.X.item() == np.float32((2**25 + 4) / 6)


@pytest.mark.parametrize(
    ("probes", "named"),
    [
        ({}, "no gene"),
        ({"A": ["g1"], "B": []}, "'B' has no probes"),
        ({"A": "g1"}, "'A' must be a list, got 'g1'"),
        ({"A": ["g1", "g2", "g1"]}, "1 probes of 'A' occur twice: g1"),
        ({"A": ["x1", "g1"], "B": ["x2", "x1"]}, "2 probes are not .*: x1, x2$"),
        ({"A": [f"x{i}" for i in range(9)]}, "9 probes .*: x0, x1, x2, x3, x4$"),
    ],
)
def test_probes_that_cant_be_used_are_refused(probes, named):
    with pytest.raises(ValueError, match=named):
        probes_to_genes(random(), probes)


# --- Near-duplicates ------------------------------------------------------------


def plain_pairs(adata, at_least):
    """All correlations at once, as the definition says."""
    values = adata.X.astype(float)
    near = np.corrcoef(values - values.mean(0))
    np.fill_diagonal(near, -np.inf)
    highest = near.max(1)
    pairs = (near >= at_least) & (near >= np.maximum.outer(highest, highest) - 1e-6)
    names = adata.obs_names
    return {
        frozenset([names[i], names[j]]): near[i, j]
        for i, j in np.argwhere(np.triu(pairs))
    }


def replicates(seed, n=30, genes=40, twins=6, noise=0.05):
    """Independent samples, and noisy copies of the first few, in any order."""
    rng = np.random.default_rng(seed)
    values = rng.normal(rng.uniform(4, 9, genes), size=(n, genes))
    copies = values[:twins] + noise * rng.normal(size=(twins, genes))
    adata = matrix(np.concatenate([values, copies]))
    pairs = {frozenset([f"s{i}", f"s{n + i}"]) for i in range(twins)}
    return adata[rng.permutation(n + twins)].copy(), pairs


@quick
@given(seeds)
def test_planted_replicates_are_found_and_no_others(seed):
    adata, planted = replicates(seed)
    found = near_duplicates(adata, at_least=0.97)
    assert pair_set(found) == planted
    assert len(found) == len(planted)
    assert found["correlation"].is_monotonic_decreasing
    rows = adata.obs_names.get_indexer
    assert (rows(found["first"]) < rows(found["second"])).all()


@quick
@given(seeds, st.integers(2, 40), st.integers(5, 60), st.floats(-1, 1))
def test_pairs_are_those_of_all_correlations_at_once(seed, n, genes, at_least):
    adata, _ = replicates(seed, n, genes, twins=n // 3, noise=0.8)
    found = near_duplicates(adata, at_least)
    expected = plain_pairs(adata, at_least)
    assert pair_set(found) == set(expected)
    correlation = [expected[frozenset(p)] for p in found.iloc[:, :2].to_numpy()]
    np.testing.assert_allclose(found["correlation"], correlation, atol=1e-6)


@quick
@given(seeds, st.integers(1, 50))
def test_the_block_does_not_matter(seed, block):
    adata, _ = replicates(seed, noise=0.5)
    found = near_duplicates(adata, 0.1, block)
    assert len(found) > 3
    pd.testing.assert_frame_equal(found, near_duplicates(adata, 0.1), check_exact=True)


@quick
@given(seeds)
def test_the_order_of_samples_and_genes_does_not_matter(seed):
    adata, _ = replicates(seed, noise=0.5)
    rng = np.random.default_rng(seed)
    order = rng.permutation(adata.n_obs), rng.permutation(adata.n_vars)
    found = near_duplicates(adata[order[0]][:, order[1]], 0.1)
    expected = near_duplicates(adata, 0.1)
    assert pair_set(found) == pair_set(expected)
    np.testing.assert_allclose(found["correlation"], expected["correlation"], atol=1e-6)


def test_what_all_samples_share_does_not_make_them_alike():
    adata, planted = replicates(0)
    adata.X += np.linspace(0, 1000, adata.n_vars, dtype=np.float32)
    assert pair_set(near_duplicates(adata, at_least=0.97)) == planted


@pytest.mark.parametrize("block", [1, 3, 100])
@pytest.mark.parametrize("at_least", [0.9, 1.0])
def test_all_pairs_of_exact_copies_are_found(block, at_least):
    adata = random(20, 1001)
    adata.X[[4, 9]] = adata.X[2]
    adata.X[[8, 12, 19]] = adata.X[0]
    found = near_duplicates(adata, at_least, block)
    copies = (["s2", "s4", "s9"], ["s0", "s8", "s12", "s19"])
    expected = {frozenset([a, b]) for own in copies for a in own for b in own if a != b}
    assert pair_set(found) == expected
    assert (found["correlation"] == 1).all()


def test_copies_that_differ_by_rounding_only_are_tied():
    adata = random(20, 300)
    adata.X[[4, 9]] = adata.X[2]
    adata.X[4] *= np.linspace(0.9999, 1.0001, 300, dtype=np.float32)
    adata.X[9] *= np.linspace(1.0001, 0.9999, 300, dtype=np.float32)
    found = near_duplicates(adata, 0.9)
    assert found["correlation"].nunique() > 1
    assert pair_set(found) == {
        frozenset(p) for p in (["s2", "s4"], ["s2", "s9"], ["s4", "s9"])
    }


def test_the_limit_itself_is_enough_and_a_little_less_is_not():
    adata, _ = replicates(0, twins=1)
    (correlation,) = near_duplicates(adata, 0.97)["correlation"]
    assert len(near_duplicates(adata, correlation)) == 1
    assert len(near_duplicates(adata, correlation + 1e-9)) == 0


def test_the_nearest_of_one_that_is_nearer_to_another_is_no_partner():
    rng = np.random.default_rng(0)
    adata = matrix(rng.normal(size=(20, 500)))
    adata.X[1] = adata.X[0] + 0.05 * rng.normal(size=500)
    adata.X[2] = adata.X[0] + 0.2 * rng.normal(size=500)  # alike, but a third
    assert pair_set(near_duplicates(adata, 0.9)) == {frozenset(["s0", "s1"])}
    assert pair_set(near_duplicates(adata[[0, *range(2, 20)]], 0.9)) == {
        frozenset(["s0", "s2"])
    }


@pytest.mark.parametrize("at_least", [-1, 0, 0.5])
def test_a_sample_at_a_constant_distance_from_the_mean_has_no_partner(at_least):
    adata = random(9, 30)
    mean = adata.X.mean(0, dtype=np.float64)
    adata = matrix([*adata.X, mean, mean, mean + 3, mean - 3])
    found = near_duplicates(adata, at_least)
    assert not {"s9", "s10", "s11", "s12"} & {*found["first"], *found["second"]}
    if at_least == -1:
        assert len(found)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_without_a_difference_or_a_second_sample_there_is_no_pair(n):
    found = near_duplicates(matrix(np.tile(random(1).X, (n, 1))), -1)
    assert [*found.columns] == ["first", "second", "correlation"]
    assert len(found) == 0
    assert groups(matrix(np.zeros((n, 2))), found).tolist() == [
        f"s{i}" for i in range(n)
    ]


def test_no_matrix_of_all_samples_by_all_is_held():
    rng = np.random.default_rng(0)
    adata = matrix(rng.normal(size=(3000, 50)))
    used, _ = peak(lambda a: near_duplicates(a, 0.9, block=100), adata)
    assert used < 3000 * 3000 * 4 / 6


@pytest.mark.parametrize("at_least", [1.01, -1.01, np.nan, "high", None, True])
def test_a_limit_that_is_no_correlation_is_refused(at_least):
    with pytest.raises(ValueError, match=f"at_least .*{at_least}"):
        near_duplicates(random(), at_least)


@pytest.mark.parametrize("block", [0, -1, 2.0])
def test_a_block_that_is_no_number_of_samples_is_refused(block):
    with pytest.raises(ValueError, match=f"block .* {block}"):
        near_duplicates(random(), 0.9, block)


# --- Groups ---------------------------------------------------------------------


def frame(pairs):
    return pd.DataFrame([*pairs], columns=["first", "second"], dtype=object)


def test_groups_follow_links_and_are_named_by_their_first_member():
    adata = random(7)
    pairs = [("s5", "s3"), ("s4", "s6"), ("s1", "s5")]
    expected = ["s0", "s1", "s2", "s1", "s4", "s1", "s4"]
    assert groups(adata, frame(pairs)).tolist() == expected


@quick
@given(st.lists(st.tuples(*[st.integers(0, 11)] * 2), max_size=12))
def test_groups_are_the_connected_components(links):
    label = [*range(12)]
    for _ in label:  # the lowest label spreads along all links
        for i, j in links:
            label[i] = label[j] = min(label[i], label[j])
    pairs = frame((f"s{i}", f"s{j}") for i, j in links)
    assert groups(random(12), pairs).tolist() == [f"s{i}" for i in label]


def test_replicates_share_a_group():
    adata, planted = replicates(0)
    found = groups(adata, near_duplicates(adata, 0.97))
    assert len(np.unique(found)) == adata.n_obs - len(planted)


def test_unknown_samples_are_refused():
    pairs = frame([("s1", "x2"), ("x1", "s2"), ("x1", "x2")])
    with pytest.raises(ValueError, match=r"2 samples .* not in the data: x2, x1$"):
        groups(random(), pairs)


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_sample_names_that_occur_twice_are_refused():
    adata = random(5)
    adata.obs_names = ["a", "b", "a", "c", "b"]
    for step in (lambda: near_duplicates(adata, 0.9), lambda: groups(adata, frame([]))):
        with pytest.raises(ValueError, match="2 sample names occur twice: a, b"):
            step()


# --- Quantile normalisation -----------------------------------------------------


def ladder(length, seed=0):
    """An ascending reference with clear steps."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.5, 2, length))


@quick
@given(seeds, st.integers(1, 9), st.integers(1, 9))
def test_the_reference_is_the_mean_of_sorted_samples(seed, n, genes):
    adata = random(n, genes, seed)
    found = reference_quantiles(adata)
    assert found.dtype == np.float32
    assert (np.diff(found) >= 0).all()
    expected = np.sort(adata.X, axis=1).mean(0, dtype=np.float64)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_reference_is_summed_in_float64():
    adata = matrix([[2**24, 2**24]] + [[1, 1]] * 100)
    expected = np.float32((2**24 + 100) / 101)
    assert reference_quantiles(adata).tolist() == [expected] * 2


@quick
@given(seeds, st.integers(1, 9), st.integers(2, 20))
def test_without_ties_the_sorted_samples_become_the_reference(seed, n, genes):
    adata = random(n, genes, seed)
    reference = reference_quantiles(adata)
    found = quantile_normalize(adata, reference).X
    expected = reference[adata.X.argsort(1).argsort(1)]
    np.testing.assert_array_equal(found, expected)


@quick
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=15).filter(
        lambda row: len({*row}) > 1
    ),
    st.integers(2, 20),
    seeds,
    st.sampled_from(["mean", "unique"]),
)
def test_ranks_are_places_in_the_reference(row, length, seed, ties):
    reference = ladder(length, seed)
    found = quantile_normalize(matrix([row]), reference, ties).X[0]
    if ties == "mean":
        ranks = (scipy.stats.rankdata(row) - 1) / (len(row) - 1)
    else:
        ranks = (scipy.stats.rankdata(row, "dense") - 1) / (len({*row}) - 1)
    for rank, result in zip(ranks, found, strict=True):
        place = rank * (length - 1)
        low = min(int(place), length - 2)
        part = place - low
        expected = (1 - part) * reference[low] + part * reference[low + 1]
        np.testing.assert_allclose(result, expected, rtol=1e-6)


@quick
@given(seeds, st.integers(2, 30))
def test_normalisation_keeps_the_order_within_a_sample(seed, length):
    adata = random(seed=seed)
    adata.X = adata.X.round()
    adata.X[:, 0] = -1  # no constant sample
    found = quantile_normalize(adata, ladder(length), "unique").X
    for before, after in zip(adata.X, found, strict=True):
        np.testing.assert_array_equal(
            np.sign(np.subtract.outer(before, before)),
            np.sign(np.subtract.outer(after, after)),
        )
        assert after.min() == np.float32(ladder(length)[0])
        assert after.max() == np.float32(ladder(length)[-1])


def test_ties_share_their_mean_rank_unless_told_otherwise():
    found = quantile_normalize(matrix([[0, 0, 0, 7, 9]]), [1, 2, 4, 8, 16])
    assert found.X.tolist() == [[2, 2, 2, 8, 16]]
    with pytest.raises(ValueError, match=r"ties must be one of mean, unique.*'max'"):
        quantile_normalize(random(), REFERENCE, ties="max")


@quick
@given(seeds, st.integers(2, 30))
def test_normalising_twice_changes_nothing(seed, length):
    once = quantile_normalize(random(seed=seed), ladder(length))
    twice = quantile_normalize(once, ladder(length))
    np.testing.assert_array_equal(twice.X, once.X)


@quick
@given(seeds)
def test_only_the_order_of_values_matters(seed):
    adata = random(seed=seed)
    adata.X = adata.X.round(2)
    other = adata.copy()
    other.X[::2] = 2 ** adata.X[::2]
    other.X[1::2] = 50 * adata.X[1::2] - 400
    np.testing.assert_array_equal(
        quantile_normalize(other, REFERENCE).X, quantile_normalize(adata, REFERENCE).X
    )


def test_the_order_of_genes_does_not_matter():
    adata = random()
    order = np.random.default_rng(1).permutation(adata.n_vars)
    found = quantile_normalize(adata[:, order], REFERENCE)
    expected = quantile_normalize(adata, REFERENCE)[:, order].copy()
    pd.testing.assert_frame_equal(found.to_df(), expected.to_df())
    pd.testing.assert_frame_equal(found.var, expected.var)
    np.testing.assert_array_equal(
        reference_quantiles(adata[:, order]), reference_quantiles(adata)
    )


def test_a_constant_sample_is_refused():
    adata = random()
    adata.X[[3, 5]] = 4
    with pytest.raises(ValueError, match=r"2 samples .* one value only.*: s3, s5$"):
        quantile_normalize(adata, REFERENCE)


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ([1], r"at least 2 values, .* \(1,\)"),
        (3.0, r"1-D .* \(\)"),
        ([[1, 2]], r"1-D .* \(1, 2\)"),
        ([1, 3, 2], "ascending"),
        ([1, np.nan, 2], "finite"),
        ([1, np.inf], "finite"),
    ],
)
def test_a_reference_that_cant_be_used_is_refused(reference, named):
    with pytest.raises(ValueError, match=f"reference must be .*{named}"):
        quantile_normalize(random(), reference)


# --- Standardising --------------------------------------------------------------


@quick
@given(seeds, st.integers(1, 30))
def test_statistics_are_mean_and_population_deviation(seed, n):
    adata = random(n, seed=seed)
    mean, deviation = statistics(adata)
    assert mean.dtype == deviation.dtype == np.float64
    values = adata.X.astype(float)
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(deviation, values.std(0) if n > 1 else 1, rtol=1e-9)


@quick
@given(
    st.floats(-1e6, 1e6, width=32),
    st.integers(1, 300),
)
def test_a_constant_gene_becomes_exactly_0(value, n):
    adata = matrix([[value, i] for i in range(n)])
    mean, deviation = statistics(adata)
    assert deviation[0] == 1
    assert mean[0] == np.float32(value)
    assert not standardize(adata, mean, deviation).X[:, 0].any()
    assert constant_genes(adata).tolist() == [True, n == 1]


def test_the_smallest_difference_makes_a_gene_vary():
    adata = matrix(np.full((40, 2), 0.1))
    adata.X[7, 1] = np.nextafter(adata.X[7, 1], np.float32(1))
    assert constant_genes(adata).tolist() == [True, False]
    assert statistics(adata)[1][0] == 1
    assert 0 < statistics(adata)[1][1] < 1e-8


@quick
@given(seeds)
def test_standardised_genes_have_mean_0_and_deviation_1(seed):
    adata = random(40, seed=seed)
    found = standardize(adata, *statistics(adata))
    assert found.X.dtype == np.float32
    np.testing.assert_allclose(found.X.mean(0, dtype=float), 0, atol=1e-7)
    np.testing.assert_allclose(found.X.std(0, dtype=float), 1, rtol=1e-6)
    pd.testing.assert_frame_equal(found.var, adata.var)


def test_the_scale_may_come_from_other_samples():
    train, test = random(seed=1), random(seed=2)
    mean, deviation = statistics(train)
    expected = (test.X.astype(float) - mean) / deviation
    found = standardize(test, mean, deviation).X
    np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize(
    ("mean", "deviation", "named"),
    [
        (np.zeros(7), np.ones(8), r"mean must have .* 8 genes, .* \(7,\)"),
        (np.zeros(8), np.ones(9), r"deviation must have .* 8 genes, .* \(9,\)"),
        (0.0, np.ones(8), r"mean must have .* \(\)"),
        (np.zeros(8), np.r_[1, 0, np.ones(6)], "positive, got 0.0 for gene 'g1'"),
        (np.zeros(8), np.r_[1, 0, -2, np.ones(5)], "positive, got -2.0 .* 'g2'"),
        (np.zeros(8), np.r_[1, np.nan, np.ones(6)], "deviation .* nan for gene 'g1'"),
        (np.zeros(8), np.r_[np.ones(7), np.inf], "deviation .* inf for gene 'g7'"),
        (np.r_[np.nan, np.ones(7)], np.ones(8), "mean must be finite.* 'g0'"),
    ],
)
def test_a_scale_that_cant_be_used_is_refused(mean, deviation, named):
    with pytest.raises(ValueError, match=named):
        standardize(random(), mean, deviation)


# --- Genes of several sets ------------------------------------------------------


@quick
@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1))
def test_common_genes_are_in_all_sets_in_the_order_of_the_first(sets):
    expected = [gene for gene in sets[0] if all(gene in s for s in sets)]
    if expected:
        assert common_genes(*sets) == expected
    else:
        with pytest.raises(ValueError, match=f"{len(sets)} sets have no gene"):
            common_genes(*sets)


def test_sets_may_be_matrices():
    first, second = random()[:, [5, 2, 7]], random()[:, [0, 2, 5]]
    assert common_genes(first, second) == ["g5", "g2"]
    assert common_genes(first, ["g7"]) == ["g7"]
    with pytest.raises(ValueError, match="no set"):
        common_genes()


@quick
@given(
    st.lists(st.sampled_from("vwxyz"), unique=True),
    st.lists(st.integers(0, 7), unique=True, min_size=1),
    st.floats(-99, 99, width=32),
    st.randoms(),
)
def test_present_genes_keep_their_values_and_absent_ones_get_one(
    absent, present, value, order
):
    adata = random()
    genes = [*absent, *(f"g{i}" for i in present)]
    order.shuffle(genes)
    found = add_absent(adata, genes, value)
    assert [*found.var_names] == genes
    assert found.X.dtype == np.float32
    for gene in genes:
        column, row = found[:, gene].X[:, 0], found.var.loc[gene]
        assert row["absent"] == (gene in absent)
        if gene in absent:
            assert (column == value).all()
            assert pd.isna(row["chromosome"])
        else:
            np.testing.assert_array_equal(column, adata[:, gene].X[:, 0])
            assert row["chromosome"] == int(gene[1:])


def test_a_gene_that_was_filled_stays_absent():
    once = add_absent(random(), ["g1", "new"])
    again = add_absent(once, ["newer", "new", "g1"])
    assert again.var["absent"].tolist() == [True, True, False]


def test_absent_genes_are_0_unless_told():
    assert not add_absent(random(), ["g1", "new"])[:, "new"].X.any()


@pytest.mark.parametrize(
    ("genes", "value", "named"),
    [
        (["x", "y"], 0.0, "none of the 2 genes"),
        ([], 0.0, "none of the 0 genes"),
        (["g1", "x", "g1"], 0.0, "1 names of genes occur twice: g1"),
        ("g1", 0.0, "genes must be a list .* 'g1'"),
        (["g1"], np.nan, "value must be finite .* nan"),
        (["g1"], -np.inf, "value must be finite .* -inf"),
    ],
)
def test_genes_that_cant_be_added_are_refused(genes, value, named):
    with pytest.raises(ValueError, match=named):
        add_absent(random(), genes, value)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_gene_names_that_occur_twice_are_refused():
    adata = random()
    adata.var_names = ["a", "b", "c", "a", *"defg"]
    with pytest.raises(ValueError, match="1 gene names occur twice: a"):
        add_absent(adata, ["b", "new"])
    with pytest.raises(ValueError, match="1 probe names occur twice: a"):
        probes_to_genes(adata, {"B": ["b"]})
