"""Tests of models' differences, and the halves that they are taken on."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlxtend.evaluate import combined_ftest_5x2cv, paired_ttest_5x2cv
from scipy import stats

from lsmtl import data
from lsmtl.significance import combined_5x2cv, holm, interval_5x2cv, paired_5x2cv

number = st.floats(-3, 3).map(lambda x: round(x, 3))
tables = st.lists(st.tuples(number, number), min_size=5, max_size=5).filter(
    lambda d: any(abs(a - b) > 0.01 for a, b in d)
)
probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=8)


class Model:
    """What mlxtend may fit."""

    def fit(self, x, y):
        return self


def theirs(test, differences):
    """What mlxtend says of ten differences, handed to it as two models' scores."""
    first, second = Model(), Model()
    ten = iter(np.ravel(differences))

    def score(model, x, y):
        return next(ten) if model is first else 0.0

    return test(first, second, np.zeros((20, 1)), np.zeros(20), scoring=score)


# --- Statistics and p-values ----------------------------------------------------


@given(tables)
def test_both_tests_are_mlxtends(d):
    pairs = (paired_5x2cv, paired_ttest_5x2cv), (combined_5x2cv, combined_ftest_5x2cv)
    for ours, other in pairs:
        np.testing.assert_allclose(ours(d), theirs(other, d), rtol=1e-6, atol=1e-12)


@given(tables, st.floats(0.1, 9))
def test_the_other_model_turns_the_sign_and_units_do_not_matter(d, unit):
    d = np.array(d)
    t, p = paired_5x2cv(d)
    assert paired_5x2cv(-unit * d) == pytest.approx((-t, p))
    assert combined_5x2cv(-unit * d) == pytest.approx(combined_5x2cv(d))


def test_the_f_test_does_not_depend_on_what_comes_first_and_the_t_test_does():
    d = np.random.default_rng(0).normal(0.5, size=(5, 2))
    orders = [d[[*order]] for order in itertools.permutations(range(5))]
    orders += [o[:, ::-1] for o in orders]
    F = [combined_5x2cv(o).statistic for o in orders]
    np.testing.assert_allclose(F, F[0])
    t = {round(paired_5x2cv(o).statistic, 9) for o in orders}
    assert len(t) == 10  # one for each difference that can come first


@given(tables, st.floats(0.5, 0.999))
def test_the_interval_holds_what_the_test_does_not_reject(d, level):
    for end in interval_5x2cv(d, level):
        assert paired_5x2cv(np.array(d) - end).p == pytest.approx(1 - level, rel=1e-6)


def rejected(test, draws):
    """The 99.9% interval of how often a test rejects at 5%."""
    count = sum(test(d).p < 0.05 for d in draws)
    return stats.binomtest(count, len(draws)).proportion_ci(0.999)


def test_independent_differences_without_a_mean_are_rejected_in_three_percent():
    draws = np.random.default_rng(0).normal(size=(4000, 5, 2))
    t, F = (rejected(test, draws) for test in (paired_5x2cv, combined_5x2cv))
    assert t.low < 0.03 < t.high < 0.05
    assert 0 < F.low < F.high < t.high


def test_the_rate_is_five_percent_where_the_numerator_is_in_no_variance():
    """Why it is lower otherwise: the numerator enters the first variance."""
    rng = np.random.default_rng(0)
    draws, p = rng.normal(size=(4000, 5, 2)), rng.normal(size=4000)
    t = p / np.sqrt(((draws[..., 0] - draws[..., 1]) ** 2 / 2).mean(1))
    count = (2 * stats.t.sf(np.abs(t), 5) < 0.05).sum()
    ends = stats.binomtest(int(count), 4000).proportion_ci(0.999)
    assert ends.low < 0.05 < ends.high


def test_two_models_that_differ_by_chance_are_told_apart_in_seven_percent_at_most():
    """Ridge on random features against itself, on halves of 1,000 simulated sets."""
    rng, draws = np.random.default_rng(0), []
    for _ in range(1000):
        x, W = rng.normal(size=(60, 10)), rng.normal(size=(10, 5))
        y, errors = x @ W + rng.normal(size=(60, 5)), []
        for half in (rng.permutation(60) < 30 for _ in range(5)):
            for train in (half, half, ~half, ~half):  # two starts on each
                z = np.maximum(x @ rng.normal(size=(10, 15)), 0)
                A = z[train].T @ z[train] + np.eye(15)
                B = np.linalg.solve(A, z[train].T @ y[train])
                errors.append(np.abs(z[~train] @ B - y[~train]).mean())
        draws.append(np.reshape(errors, (5, 2, 2)) @ [1, -1])
    assert rejected(paired_5x2cv, draws).high <= 0.07


def test_a_real_difference_is_found():
    draws = np.random.default_rng(0).normal(3, size=(300, 5, 2))
    assert np.mean([paired_5x2cv(d).p < 0.05 for d in draws]) > 0.5
    assert np.mean([combined_5x2cv(d).p < 0.05 for d in draws]) > 0.8


# --- Many comparisons -----------------------------------------------------------


@given(probabilities, st.floats(0.001, 0.999))
def test_holm_rejects_what_its_steps_reject(p, level):
    adjusted = holm(p)
    rejected, order = set(), np.argsort(p)
    for step, k in enumerate(order):  # as the procedure is written
        if p[k] > level / (len(p) - step):
            break
        rejected.add(k)
    near = np.abs(adjusted - level) < 1e-9
    for k in range(len(p)):
        assert near[k] or (adjusted[k] <= level) == (k in rejected)


@given(probabilities)
def test_holm_lies_between_nothing_and_bonferroni(p):
    adjusted, p = holm(p), np.array(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(len(p) * p, 1) + 1e-12).all()
    order = np.argsort(p)
    assert (np.diff(adjusted[order]) >= 0).all()


# --- Bad input ------------------------------------------------------------------


@pytest.mark.parametrize("test", [paired_5x2cv, combined_5x2cv, interval_5x2cv])
def test_what_are_no_ten_differences_is_an_error(test):
    d = np.arange(10.0).reshape(5, 2)
    with pytest.raises(ValueError, match=r"shape \(5, 2\).*got \(2, 5\)"):
        test(d.T)
    d[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"must be finite.*nan"):
        test(d)
    with pytest.raises(ValueError, match="are the models the same"):
        test(np.full((5, 2), 0.3))


def test_what_is_no_probability_is_an_error():
    for p in ([0.2, 1.2], [-0.1], [np.nan], [[0.1, 0.2]]):
        with pytest.raises(ValueError, match="numbers from 0 to 1"):
            holm(p)
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="level must lie between 0 and 1"):
            interval_5x2cv(np.arange(10.0).reshape(5, 2), level)


# --- Halves ---------------------------------------------------------------------


def parts(splits):
    return [set(p.samples) for p in (splits.train, splits.validation, splits.test)]


@pytest.mark.parametrize("group", [None, "group", "cohort"])
def test_every_sample_tests_once_and_trains_once(group):
    adata = data.load("breast")
    if group == "cohort":
        adata.obs["cohort"] = np.arange(adata.n_obs) // 50  # eight of them
    one, other = map(parts, data.two_halves(adata, 3, group))
    everyone = set(adata.obs_names)
    assert one[0] | one[1] == other[2]
    assert other[0] | other[1] == one[2]
    assert one[2] | other[2] == everyone
    for train, validation, test in (one, other):
        assert not (train & validation or train & test or validation & test)
        if group:
            labels = [
                set(adata.obs.loc[[*p], group]) for p in (train, validation, test)
            ]
            assert not (labels[0] & labels[1] | labels[0] & labels[2])


def test_halves_differ_by_seed_and_not_otherwise():
    adata = data.load("breast")
    draws = [parts(next(data.two_halves(adata, seed, "group"))) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_what_tests_does_not_scale_what_trains():
    adata = data.load("breast")
    one = next(data.two_halves(adata, 0, "group"))
    noisy = adata.copy()
    noisy.X[noisy.obs_names.isin(one.test.samples)] *= 3
    again = next(data.two_halves(noisy, 0, "group"))
    assert one.train.x.equal(again.train.x)
    assert one.train.y.equal(again.train.y)
    assert not one.test.y.equal(again.test.y)


def test_halves_that_cannot_be_are_an_error():
    adata = data.load("breast")
    with pytest.raises(ValueError, match=r"3 group\(s\).*at least 4"):
        data.two_halves(adata, 0, "cohort")
    with pytest.raises(ValueError, match="validation must lie between"):
        data.two_halves(adata, 0, validation=1.0)
    with pytest.raises(ValueError, match="seed must be"):
        data.two_halves(adata, -1)
