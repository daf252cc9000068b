"""V of measured values against scikit-learn, and scores whose answer is known."""

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Lasso, Ridge

from lsmtl.lab import relations
from lsmtl.lab.relations import (
    lasso_v,
    modules_found,
    regulated,
    regulators_found,
    ridge_v,
    simulate,
)


def mixed(n, T, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, T)) @ rng.normal(size=(T, T))


def task_by_task(f, model):
    """Each column from the others, by a model of scikit-learn."""
    V = np.zeros((f.shape[1], f.shape[1]))
    for t in range(f.shape[1]):
        others = np.delete(np.arange(f.shape[1]), t)
        V[others, t] = model.fit(f[:, others], f[:, t]).coef_
    return V


@pytest.mark.parametrize(("n", "T"), [(30, 6), (5, 12)])
@pytest.mark.parametrize("gamma", [0.01, 1.0, 100.0])
def test_ridge_v_is_a_ridge_of_each_task_on_the_others(n, T, gamma):
    f = mixed(n, T)
    expected = task_by_task(f, Ridge(n * gamma, fit_intercept=False))
    np.testing.assert_allclose(ridge_v(f, gamma), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
def test_lasso_v_is_a_lasso_of_each_task_on_the_others(gamma):
    f = mixed(40, 8)
    model = Lasso(gamma / 2, fit_intercept=False, tol=1e-10, max_iter=100_000)
    V = lasso_v(f, gamma)
    np.testing.assert_allclose(V, task_by_task(f, model), atol=1e-3)
    assert not V.diagonal().any()


def test_a_large_ridge_leaves_the_covariance():
    f = mixed(30, 6)
    covariance = f.T @ f / 30
    np.fill_diagonal(covariance, 0)
    np.testing.assert_allclose(1e9 * ridge_v(f, 1e9), covariance, rtol=1e-5)


def test_simulated_modules_are_subspaces_of_their_own():
    x, y, module = simulate(300, 0.0, seed=1, modules=3, size=7, dim=2, landmarks=10)
    W = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(x @ W, y, atol=1e-8)
    assert np.linalg.matrix_rank(W, tol=1e-8) == 6
    for m in range(3):
        assert np.linalg.matrix_rank(W[:, module == m], tol=1e-8) == 2
    assert np.bincount(module).tolist() == [7, 7, 7]


def test_simulated_tasks_have_variance_1_before_noise():
    calm, noisy = (simulate(20_000, noise, seed=0)[1] for noise in (0.0, 2.0))
    np.testing.assert_allclose(calm.var(0), 1, rtol=0.06)
    np.testing.assert_allclose(noisy.var(0), 5, rtol=0.06)


def test_v_finds_subspaces_without_noise():
    _, y, module = simulate(100, 0.0, seed=2)
    V = np.abs(ridge_v(y, 1e-9))
    assert V[module[:, None] == module].sum() > 0.999 * V.sum()
    found = modules_found(V + V.T, module)
    assert found["ap"] > 0.95 and found["ari"] == pytest.approx(1)


def test_scores_of_a_perfect_and_of_a_blind_relation():
    module = np.repeat(np.arange(4), 10)
    perfect = 1.0 * (module[:, None] == module)
    assert modules_found(perfect, module) == pytest.approx(
        {"ap": 1.0, "chance": 9 / 39, "ari": 1.0}
    )
    blind = modules_found(np.ones((40, 40)), module)
    assert blind["ap"] == pytest.approx(blind["chance"])
    noise = np.random.default_rng(0).random((40, 40))
    assert abs(modules_found(noise + noise.T, module)["ari"]) < 0.2


@pytest.fixture
def network(monkeypatch):
    """r acts on a and b, q on c and d, hub on all five; b and d are an operon."""
    monkeypatch.setattr(relations, "LOCAL", 2)
    pairs = [("r", "a"), ("r", "b"), ("q", "c"), ("q", "d"), ("q", "d")]
    pairs += [("hub", gene) for gene in "abcde"]
    var = pd.DataFrame({"operon": ["1", "2", "3", "2", "5"]}, index=list("abcde"))
    regulation = pd.DataFrame(pairs, columns=["regulator", "gene"])
    adata = anndata.AnnData(np.zeros((1, 5), dtype=np.float32), var=var)
    adata.uns["regulation"] = regulation.astype("category")
    return adata


def test_pairs_share_a_local_regulator(network):
    known, related, apart = regulated(network, list("abcde"))
    assert known.tolist() == [True, True, True, True, False]
    pairs = ["ab", "ac", "ad", "bc", "bd", "cd"]
    assert [p for p, r in zip(pairs, related, strict=True) if r] == ["ab", "cd"]
    assert [p for p, r in zip(pairs, apart, strict=True) if not r] == ["bd"]


def test_a_regulator_is_local_by_all_its_genes_and_order_follows_the_targets(network):
    known, related, _ = regulated(network, ["d", "e", "b", "a"])  # hub has 5 elsewhere
    assert known.tolist() == [True, False, True, True]
    assert related.tolist() == [False, False, True]  # db, da, ba


def test_regulators_found_scores_known_targets_only(network):
    truth = regulated(network, list("abcde"))
    strength = np.zeros((5, 5))
    for pair, value in {"ab": 9, "bd": 8, "cd": 7, "ae": 99}.items():
        i, j = ("abcde".index(gene) for gene in pair)
        strength[i, j] = strength[j, i] = value
    found = regulators_found(strength, *truth)
    assert found["ap"] == pytest.approx((1 + 2 / 3) / 2)  # ab, bd, cd
    assert found["ap_apart"] == pytest.approx(1)
    assert found["chance"] == pytest.approx(2 / 6)
    assert found["chance_apart"] == found["top_apart"] == pytest.approx(2 / 5)
