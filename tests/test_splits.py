"""Splits: who goes where, and that nothing leaks from one set into another."""

import re

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from lsmtl.data import leave_one_out, load, split, transfer

D, T = 4, 6
SETS = ("train", "validation", "test")


def toy(n=40, seed=0, **obs):
    """Random values; landmarks and targets take turns, then come targets only."""
    rng = np.random.default_rng(seed)
    roles = [*("target", "landmark") * D, *("target",) * (T - D)]
    return anndata.AnnData(
        rng.normal(5, rng.uniform(1, 3, D + T), (n, D + T)).astype(np.float32),
        obs=pd.DataFrame(obs, index=[f"s{i}" for i in range(n)]),
        var=pd.DataFrame({"role": roles}, index=[f"g{i}" for i in range(D + T)]),
    )


def cohorts(offset=0.0, n=40, within=True):
    """Two platforms that take turns, the second higher by `offset` in each gene."""
    adata = toy(n, cohort=["a", "b"] * (n // 2))
    adata.X[1::2] += offset
    if within:
        adata.uns["within"] = "cohort"
    return adata


def rows(adata, profiles):
    return adata.obs_names.get_indexer(profiles.samples)


def parts(splits):
    return [getattr(splits, name) for name in SETS]


def both(profiles, splits):
    """x and y side by side, columns in the order of their genes' names."""
    genes = [*splits.landmarks, *splits.targets]
    values = torch.cat([profiles.x, profiles.y], dim=1).numpy()
    return pd.DataFrame(values, columns=genes, index=profiles.samples)


def equal(a, b):
    return torch.equal(a.x, b.x) and torch.equal(a.y, b.y) and a.samples == b.samples


def assert_partition(adata, splits):
    names = [name for part in parts(splits) for name in part.samples]
    assert sorted(names) == sorted(adata.obs_names)
    assert all(len(p.x) == len(p.y) == len(p.samples) == len(p) for p in parts(splits))


# --- Scaling --------------------------------------------------------------------


def test_values_are_z_scores_by_the_training_rows():
    adata = toy()
    splits = split(adata)
    training = adata.X[rows(adata, splits.train)].astype(float)
    for part in parts(splits):
        expected = (adata.X[rows(adata, part)] - training.mean(0)) / training.std(0)
        found = both(part, splits)[adata.var_names]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert part.x.dtype == part.y.dtype == torch.float32


def test_training_genes_have_mean_0_and_deviation_1():
    splits = split(toy(200), seed=3)
    found = both(splits.train, splits)
    np.testing.assert_allclose(found.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(ddof=0), 1, rtol=1e-6)
    assert both(splits.test, splits).mean().abs().max() > 0.01


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("held_out", ["validation", "test"])
def test_held_out_rows_touch_no_other_set(held_out, within):
    adata = cohorts(within=within)
    before = split(adata)
    changed = rows(adata, getattr(before, held_out))
    adata.X[changed] = 1e4 * np.random.default_rng(1).normal(size=(len(changed), D + T))
    after = split(adata)
    for name in SETS:
        same = equal(getattr(before, name), getattr(after, name))
        assert same is (name != held_out)


@pytest.mark.parametrize("within", [False, True])
def test_a_test_row_does_not_touch_another_test_row(within):
    adata = cohorts(within=within)
    before = split(adata).test
    adata.X[rows(adata, before)[0]] = 1e4
    after = split(adata).test
    assert torch.equal(before.x[1:], after.x[1:])
    assert torch.equal(before.y[1:], after.y[1:])
    assert not torch.equal(before.x[0], after.x[0])


def test_platforms_are_scaled_by_their_own_training_rows():
    adata = cohorts(offset=100, n=60)
    splits = split(adata)
    training = rows(adata, splits.train)
    for part in parts(splits):
        for i, row in enumerate(rows(adata, part)):
            own = adata.X[[r for r in training if r % 2 == row % 2]].astype(float)
            expected = (adata.X[row] - own.mean(0)) / own.std(0)
            found = both(part, splits)[adata.var_names].iloc[i]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("within", [False, True])
def test_platform_identity_passes_for_skill_only_without_the_rule(within):
    splits = split(cohorts(offset=100, n=200, within=within))
    ridge = Ridge(10.0).fit(splits.train.x, splits.train.y)
    skill = ridge.score(splits.test.x, splits.test.y)
    assert skill < 0.1 if within else skill > 0.9


def test_a_held_out_platform_is_scaled_by_itself():
    adata = cohorts(offset=100, n=60)
    for name, splits in leave_one_out(adata, "cohort"):
        own = adata.X[adata.obs["cohort"] == name].astype(float)
        expected = (own - own.mean(0)) / own.std(0)
        found = both(splits.test, splits)[adata.var_names]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(both(splits.train, splits).mean(), 0, atol=1e-5)


def test_inputs_of_a_held_out_platform_ignore_its_targets():
    adata = cohorts()
    before = dict(leave_one_out(adata, "cohort"))
    adata.X[:, adata.var["role"] == "target"] *= 7
    for name, splits in leave_one_out(adata, "cohort"):
        assert torch.equal(splits.test.x, before[name].test.x)


def test_without_the_rule_a_held_out_study_is_scaled_by_the_training_rows():
    adata = cohorts(within=False)
    for _, splits in leave_one_out(adata, "cohort"):
        training = adata.X[rows(adata, splits.train)].astype(float)
        held_out = adata.X[rows(adata, splits.test)]
        expected = (held_out - training.mean(0)) / training.std(0)
        found = both(splits.test, splits)[adata.var_names]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("constant", [0, 0.1, 1e6])
@pytest.mark.parametrize("n", [12, 40, 41])
def test_constant_genes_are_0(constant, n):
    adata = toy(n)
    adata.X[:, :2] = constant  # a target and a landmark
    splits = split(adata)
    for part in parts(splits):
        found = both(part, splits)
        assert (found[["g0", "g1"]] == 0).all(axis=None)
        assert (found.drop(columns=["g0", "g1"]) != 0).all(axis=None)


@pytest.mark.parametrize("scale", [1e-3, 1000.0])
def test_units_of_a_gene_do_not_matter(scale):
    adata = toy()
    before = split(adata)
    adata.X[:] = scale * adata.X + 3
    for a, b in zip(parts(before), parts(split(adata)), strict=True):
        torch.testing.assert_close(a.x, b.x, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(a.y, b.y, rtol=1e-3, atol=1e-3)


def test_large_values_keep_their_spread():
    adata = toy()
    before = split(adata).train
    adata.X += 4096  # float32 keeps 11 bits after the point
    after = split(adata).train
    torch.testing.assert_close(before.y, after.y, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("role", ["landmark", "target"])
def test_columns_are_the_genes_of_their_role_in_the_order_of_the_matrix(role):
    adata = toy()
    splits = split(adata)
    expected = adata.var_names[adata.var["role"] == role]
    assert (splits.landmarks if role == "landmark" else splits.targets) == (*expected,)
    values = splits.train.x if role == "landmark" else splits.train.y
    for column, gene in enumerate(expected):
        raw = adata[list(splits.train.samples), gene].X.ravel().astype(float)
        z = (raw - raw.mean()) / raw.std()
        np.testing.assert_allclose(values[:, column], z, rtol=1e-5, atol=1e-6)


def test_order_of_genes_does_not_matter():
    adata = toy()
    shuffled = adata[:, np.random.default_rng(2).permutation(D + T)].copy()
    a, b = split(adata), split(shuffled)
    for name in SETS:
        x = both(getattr(a, name), a)
        pd.testing.assert_frame_equal(x, both(getattr(b, name), b)[x.columns])


@pytest.mark.parametrize(
    "kind",
    [
        scipy.sparse.csr_matrix,
        scipy.sparse.csc_matrix,
        lambda x: x.astype(float),
        lambda x: x.astype(int),
        lambda x: x.astype(np.uint8),
        np.asfortranarray,
    ],
    ids=["csr", "csc", "float64", "int64", "uint8", "columns first"],
)
def test_storage_of_the_matrix_does_not_matter(kind):
    adata = toy()
    adata.X = np.abs(adata.X).round()
    stored = anndata.AnnData(kind(adata.X), obs=adata.obs, var=adata.var)
    for a, b in zip(parts(split(adata)), parts(split(stored)), strict=True):
        assert equal(a, b)


def test_the_matrix_itself_is_left_alone():
    adata = cohorts()
    before = adata.copy()
    splits = split(adata)
    splits.train.x.zero_()
    list(leave_one_out(adata, "cohort"))
    np.testing.assert_array_equal(adata.X, before.X)
    pd.testing.assert_frame_equal(adata.obs, before.obs)


# --- Who goes where -------------------------------------------------------------


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.lists(st.integers(0, 12), min_size=10, max_size=40), st.integers(0, 99))
def test_groups_never_straddle_and_no_set_is_empty(labels, seed):
    assume(len(set(labels)) >= 3)
    adata = toy(len(labels), donor=labels)
    splits = split(adata, seed, group="donor")
    assert_partition(adata, splits)
    donors = [set(adata.obs["donor"].iloc[rows(adata, p)]) for p in parts(splits)]
    assert all(donors)
    assert sum(map(len, donors)) == len(set(labels))


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(10, 60), st.integers(0, 99))
def test_every_sample_is_in_exactly_one_set(n, seed):
    adata = toy(n)
    splits = split(adata, seed)
    assert_partition(adata, splits)
    assert all(len(part) for part in parts(splits))


@pytest.mark.parametrize(
    "fractions", [(0.8, 0.1, 0.1), (0.5, 0.2, 0.3), [0.4, 0.4, 0.2]]
)
def test_fractions_are_shares_of_the_samples(fractions):
    sizes = [len(part) for part in parts(split(toy(200), fractions=fractions))]
    np.testing.assert_allclose(sizes, 200 * np.array(fractions))


def test_fractions_are_shares_of_the_groups():
    adata = toy(100, donor=np.repeat(range(20), 5))
    splits = split(adata, group="donor", fractions=(0.6, 0.1, 0.3))
    assert [len(part) for part in parts(splits)] == [60, 10, 30]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(10, 20), st.floats(0.01, 0.3), st.floats(0.2, 0.8))
def test_whatever_the_fractions_no_set_is_empty(n, train, validation):
    rest = (1 - train) * validation
    try:
        splits = split(toy(n), fractions=(train, rest, 1 - train - rest))
    except ValueError as error:
        assert re.search("fractions|^'all' has 1 sample", str(error))
    else:
        assert all(len(part) for part in parts(splits))


@pytest.mark.parametrize("group", [None, "donor"])
def test_seed_decides(group):
    adata = toy(60, donor=np.repeat(range(20), 3))
    first, again, other = (split(adata, seed, group) for seed in (4, 4, 5))
    assert all(map(equal, parts(first), parts(again)))
    assert set(first.test.samples) != set(other.test.samples)
    assert set(first.validation.samples) != set(other.validation.samples)


def test_over_seeds_every_sample_is_tested():
    adata = toy(20)
    tested = [name for seed in range(60) for name in split(adata, seed).test.samples]
    assert set(tested) == set(adata.obs_names)


def test_leave_one_out_tests_each_study_once():
    adata = toy(60, study=[*"aabbbc"] * 10)
    names = []
    for name, splits in leave_one_out(adata, "study", validation=0.2):
        names.append(name)
        assert_partition(adata, splits)
        own = adata.obs["study"] == name
        assert set(splits.test.samples) == set(adata.obs_names[own])
        assert len(splits.validation) == round(0.2 * (~own).sum())
    assert sorted(names) == ["a", "b", "c"]


def test_leave_one_out_seed_decides_validation():
    adata = toy(60, study=[*"abc"] * 20)
    first, again, other = (dict(leave_one_out(adata, "study", s)) for s in (0, 0, 1))
    for name in "abc":
        assert all(map(equal, parts(first[name]), parts(again[name])))
        found = {first[name].validation.samples, other[name].validation.samples}
        assert len(found) == 2


@pytest.mark.parametrize("group", ["code", "kind", "flag"])
def test_group_columns_may_be_numbers_categories_or_flags(group):
    adata = toy(
        40,
        code=np.arange(40) % 4 * 1.5,
        kind=pd.Categorical([*"wxyz"] * 10, categories=[*"zyxwv"]),
        flag=np.arange(40) % 2 == 0,
    )
    names = [name for name, _ in leave_one_out(adata, group)]
    assert sorted(names) == sorted(adata.obs[group].astype(str).unique())


# --- Transfer -------------------------------------------------------------------


def platforms():
    """Three platforms that share g1 … g8, in other orders and units."""
    train, validation, test = (toy(n, seed=n) for n in (30, 20, 25))
    validation.X *= 50
    test.X += 1000
    return (
        train[:, [8, 1, 2, 3, 4, 5, 6, 7, 9]].copy(),
        validation[:, ::-1].copy(),
        test[:, [0, 3, 1, 2, 6, 4, 5, 8, 7]].copy(),
    )


def test_transfer_uses_the_common_genes_in_the_order_of_train():
    splits = transfer(*platforms())
    assert splits.landmarks == ("g1", "g3", "g5", "g7")
    assert splits.targets == ("g8", "g2", "g4", "g6")
    assert [p.x.shape for p in parts(splits)] == [(30, 4), (20, 4), (25, 4)]


def test_transfer_scales_each_platform_by_itself():
    sets = platforms()
    splits = transfer(*sets)
    for adata, part in zip(sets, parts(splits), strict=True):
        own = adata[:, [*splits.landmarks, *splits.targets]].X.astype(float)
        expected = (own - own.mean(0)) / own.std(0)
        np.testing.assert_allclose(both(part, splits), expected, rtol=1e-2, atol=1e-3)
        assert part.samples == (*adata.obs_names,)


def test_transfer_keeps_apart_what_a_set_says_is_not_comparable():
    train, validation, test = platforms()
    train.obs["cohort"] = ["a", "b"] * 15
    train.uns["within"] = "cohort"
    train.X[1::2] += 100
    found = transfer(train, validation, test).train.y.double()
    for rows_ in (found[::2], found[1::2]):
        np.testing.assert_allclose(rows_.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(rows_.std(0, correction=0), 1, rtol=1e-3)


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_transfer_leaks_nothing(changed):
    sets = platforms()
    before = transfer(*sets)
    sets[changed].X[:5] *= 3
    after = transfer(*sets)
    for k, name in enumerate(SETS):
        assert equal(getattr(before, name), getattr(after, name)) is (k != changed)


@pytest.mark.parametrize("where", [1, 2])
def test_transfer_refuses_a_gene_of_two_roles(where):
    sets = platforms()
    sets[where].var.loc["g3", "role"] = "target"
    with pytest.raises(ValueError, match=f"1 genes .* {SETS[where]} .* g3"):
        transfer(*sets)


def test_a_gene_of_two_roles_that_is_not_common_does_not_matter():
    train, validation, test = platforms()
    validation.var.loc["g0", "role"] = "landmark"
    transfer(train, validation, test)


@pytest.mark.parametrize("role", ["landmark", "target"])
def test_transfer_needs_common_genes_of_both_roles(role):
    train, validation, test = platforms()
    renamed = test.var["role"] == role
    test.var_names = np.where(renamed, "other-" + test.var_names, test.var_names)
    with pytest.raises(ValueError, match=f"no {role} in common"):
        transfer(train, validation, test)


@pytest.mark.parametrize("where", [0, 1, 2])
def test_transfer_says_which_set_cant_be_used(where):
    sets = platforms()
    sets[where].X[3, 2] = np.nan
    gene = sets[where].var_names[2]
    with pytest.raises(ValueError, match=f"{SETS[where]}: .*'s3', gene '{gene}'"):
        transfer(*sets)


def test_transfer_refuses_a_platform_of_one_sample():
    train, validation, test = platforms()
    with pytest.raises(ValueError, match=r"validation/all\W+ has 1 sample"):
        transfer(train, validation[:1], test)


# --- Refusals -------------------------------------------------------------------


def without_role(adata):
    del adata.var["role"]


def no_landmark(adata):
    adata.var["role"] = "target"


def no_target(adata):
    adata.var["role"] = "landmark"


def other_role(adata):
    adata.var.loc["g3", "role"] = "tf"


def missing_role(adata):
    adata.var.loc["g3", "role"] = None


def not_a_number(adata):
    adata.X[4, 7] = np.nan


def infinite(adata):
    adata.X[4, 7] = -np.inf


def sparse_nan(adata):
    adata.X[4, 7] = np.nan
    adata.X = scipy.sparse.csr_matrix(adata.X)


def twice(adata):
    adata.var_names = ["g1", *adata.var_names[1:]]


def text(adata):
    adata.X = adata.X.astype(str).astype(object)


def too_large(adata):
    adata.X = adata.X.astype(float)
    adata.X[4, 7] = 1e300  # infinite in single precision


def no_matrix(adata):
    adata.X = None


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (without_role, 'var\\["role"\\] is missing'),
        (no_landmark, "no gene .* 'landmark'"),
        (no_target, "no gene .* 'target'"),
        (other_role, "landmark, target; got 'tf'"),
        (missing_role, 'var\\["role"\\] must be one of'),
        (not_a_number, "1 values .* 's4', gene 'g7'"),
        (infinite, "1 values .* 's4', gene 'g7'"),
        (sparse_nan, "1 values .* 's4', gene 'g7'"),
        (twice, "1 gene names occur twice: g1"),
        (text, "X holds no numbers"),
        (no_matrix, "X holds no numbers"),
        (too_large, "'s4', gene 'g7'"),
    ],
)
@pytest.mark.parametrize("how", [split, lambda a: leave_one_out(a, "study")])
@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_a_matrix_that_cant_be_used_is_refused(spoil, named, how):
    adata = toy(study=[*"abcd"] * 10)
    spoil(adata)
    with pytest.raises(ValueError, match=named):
        how(adata)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match=r"9 samples .* at least 10"):
        split(toy(9))
    assert len(split(toy(10)).train) == 8


def test_too_few_samples_to_leave_one_out_are_refused():
    with pytest.raises(ValueError, match=r"9 samples .* at least 10"):
        leave_one_out(toy(9, study=[*"abc"] * 3), "study")


@pytest.mark.parametrize("how", [lambda a, g: split(a, group=g), leave_one_out])
def test_an_unknown_column_is_refused_with_those_there_are(how):
    with pytest.raises(ValueError, match="no column 'batch'; columns: study, sex"):
        how(toy(study="a", sex="f"), "batch")
    with pytest.raises(ValueError, match="columns: none"):
        how(toy(), "batch")


@pytest.mark.parametrize("how", [lambda a, g: split(a, group=g), leave_one_out])
def test_a_sample_without_a_group_is_refused(how):
    adata = toy(study=[*"abcd"] * 10)
    adata.obs.loc[["s7", "s9"], "study"] = None
    with pytest.raises(ValueError, match=r"'study'.* missing for 2 samples.*'s7'"):
        how(adata, "study")


@pytest.mark.parametrize("groups", [1, 2])
def test_fewer_than_three_groups_are_refused(groups):
    adata = toy(donor=np.arange(40) % groups)
    with pytest.raises(ValueError, match=rf"'donor'.* has {groups} group\(s\)"):
        split(adata, group="donor")


def test_leaving_out_the_only_group_is_refused():
    with pytest.raises(ValueError, match=r"'study'.* has 1 group\(s\)"):
        leave_one_out(toy(study="a"), "study")


@pytest.mark.parametrize(
    "fractions",
    [
        (0.8, 0.1),
        (0.8, 0.1, 0.2),
        (0.9, 0.1, 0.0),
        (1.2, -0.1, -0.1),
        (0.5, 0.5, float("nan")),
        0.8,
    ],
)
def test_fractions_that_are_no_shares_are_refused(fractions):
    with pytest.raises(ValueError, match=r"fractions .* three .*, got .*"):
        split(toy(), fractions=fractions)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_validation_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match=f"validation .* {share}"):
        leave_one_out(toy(study=[*"abcd"] * 10), "study", validation=share)


def test_a_validation_share_that_leaves_no_training_row_is_refused():
    adata = toy(20, study=["a"] * 15 + ["b"] * 5)
    with pytest.raises(ValueError, match="validation"):
        list(leave_one_out(adata, "study", validation=0.95))


def test_a_platform_of_one_sample_is_refused():
    adata = toy(cohort=["lonely", *["a"] * 39])
    adata.uns["within"] = "cohort"
    with pytest.raises(ValueError, match="'lonely' has 1 sample"):
        split(adata)


def test_an_unknown_platform_column_is_refused():
    adata = toy()
    adata.uns["within"] = "cohort"
    with pytest.raises(ValueError, match="no column 'cohort'"):
        split(adata)


# --- The shipped sets -----------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    return {name: load(name) for name in ("breast", "ecoli", "endometrial")}


def assert_sound(adata, splits):
    assert_partition(adata, splits)
    assert all(v.isfinite().all() for p in parts(splits) for v in (p.x, p.y))
    assert splits.landmarks == (*adata.var_names[adata.var["role"] == "landmark"],)
    assert splits.targets == (*adata.var_names[adata.var["role"] == "target"],)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("breast", "cohort"),
        ("breast", "group"),
        ("ecoli", "project"),
        ("endometrial", "group"),
    ],
)
def test_shipped_sets_split_by_group(shipped, name, group):
    adata = shipped[name]
    splits = split(adata, group=group)
    assert_sound(adata, splits)
    groups = [set(adata.obs[group].iloc[rows(adata, p)]) for p in parts(splits)]
    assert sum(map(len, groups)) == adata.obs[group].nunique()


def test_shipped_cohorts_are_scaled_each_by_itself(shipped):
    adata = shipped["breast"]
    train = split(adata, group="group").train
    cohort = adata.obs["cohort"].iloc[rows(adata, train)].to_numpy()
    for name in np.unique(cohort):
        y = train.y[torch.from_numpy(cohort == name)].double()
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(y.std(0, correction=0), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "group"), [("breast", "cohort"), ("ecoli", "project")]
)
def test_shipped_sets_leave_one_out(shipped, name, group):
    adata = shipped[name]
    tested = []
    for study, splits in leave_one_out(adata, group):
        assert_sound(adata, splits)
        assert set(adata.obs[group].iloc[rows(adata, splits.test)]) == {study}
        tested += splits.test.samples
    assert sorted(tested) == sorted(adata.obs_names)


def test_shipped_sets_transfer_from_arrays_to_sequencing(shipped):
    breast, endometrial = shipped["breast"], shipped["endometrial"]
    chosen_on = breast.obs["cohort"] == "GSE4335"
    splits = transfer(breast[~chosen_on], breast[chosen_on], endometrial)
    common = breast.var_names.intersection(endometrial.var_names, sort=False)
    role = breast.var.loc[common, "role"]
    assert splits.landmarks == (*common[role == "landmark"],)
    assert splits.targets == (*common[role == "target"],)
    assert len(splits.landmarks) > 700
    assert [len(part) for part in parts(splits)] == [282, 115, 115]
    for part in parts(splits):
        assert part.x.isfinite().all()
        np.testing.assert_allclose(part.y.double().mean(0), 0, atol=1e-5)
