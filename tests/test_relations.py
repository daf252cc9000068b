"""V of measured values against scikit-learn, and scores whose answer is known."""

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Lasso, Ridge
from sklearn.metrics import average_precision_score

from lsmtl.lab import relations
from lsmtl.lab.relations import (
    correlation,
    directions,
    hiding,
    in_subspaces,
    lasso_v,
    mates_found,
    modules_found,
    quartiles,
    readings,
    regulated,
    regulators_found,
    ridge_v,
    symmetric,
    train_alone,
)
from lsmtl.regularizers import MaskedLowRank


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
    x, y, module = in_subspaces(
        300, 0.0, seed=1, modules=3, size=7, dim=2, landmarks=10
    )
    W = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(x @ W, y, atol=1e-8)
    assert np.linalg.matrix_rank(W, tol=1e-8) == 6
    for m in range(3):
        assert np.linalg.matrix_rank(W[:, module == m], tol=1e-8) == 2
    assert np.bincount(module).tolist() == [7, 7, 7]


def test_simulated_tasks_have_variance_1_before_noise():
    calm, noisy = (in_subspaces(20_000, noise, seed=0)[1] for noise in (0.0, 2.0))
    np.testing.assert_allclose(calm.var(0), 1, rtol=0.06)
    np.testing.assert_allclose(noisy.var(0), 5, rtol=0.06)


def test_v_finds_subspaces_without_noise():
    _, y, module = in_subspaces(100, 0.0, seed=2)
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


# --- Read out of G --------------------------------------------------------------


def blocks(rank=6, T=10):
    """G with half of its units for the first six tasks, half for the others."""
    torch.manual_seed(0)
    g = MaskedLowRank(T, rank, masked=0.3).double()
    for weight in (g.V1.weight.data.T, g.V2.weight.data):
        weight[:6, rank // 2 :] = 0
        weight[6:, : rank // 2] = 0
    return g


def values(n=40, T=10):
    return torch.from_numpy(mixed(n, T))


NAMES = ("jacobian", "along", "path", "hiding", "rows", "columns")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "along"])
def test_a_reading_is_zero_between_blocks(name):
    block = np.arange(10) < 6
    R = readings(blocks(), values())[name]
    assert not R.diagonal().any()
    np.testing.assert_allclose(R[block[:, None] != block], 0, atol=1e-12)
    within = R[(block[:, None] == block) & ~np.eye(10, dtype=bool)]
    assert np.abs(within).min() > 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_no_reading_depends_on_the_scale_of_units_or_the_order_of_tasks(name):
    g, f = blocks(), values()
    before = readings(g, f)[name]
    units = torch.tensor([0.1, 1, 5, 2, 0.5, 30], dtype=torch.double)
    order = torch.randperm(10, generator=torch.manual_seed(3))
    g.V1.weight.data = (g.V1.weight.data * units[:, None])[:, order]
    g.V2.weight.data = (g.V2.weight.data / units)[order]
    after = readings(g, f[:, order])[name]
    np.testing.assert_allclose(after, before[order][:, order], atol=1e-10)


def test_directions_span_what_the_predictions_do():
    f = values(T=4) @ torch.randn(4, 10).double() + 3  # of rank 4 about its mean
    u = (f - f.mean(0)) / f.std(0)
    U = directions(f, 4)
    np.testing.assert_allclose(U.T @ U, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(u @ U @ U.T, u, atol=1e-8)


def test_along_the_data_is_the_jacobian_in_these_directions():
    g, f = blocks(), values()
    found, U = readings(g, f), directions(f, 6).numpy()
    expected = found["jacobian"] @ U @ U.T
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found["along"], expected, atol=1e-12)


def test_hiding_is_what_the_mask_does():
    g, f = blocks(), values()
    moved = hiding(g, f, rows=len(f)).detach().numpy()
    everything = torch.ones(1, 10, dtype=torch.double)
    for s in (0, 7):
        beta = everything.clone()
        beta[0, s] = 0
        with torch.no_grad():
            change = g.reconstruct(f, everything) - g.reconstruct(f, beta)
        expected = change.square().mean(0).sqrt().numpy()
        np.testing.assert_allclose(moved[:, s], expected, rtol=1e-9, atol=1e-12)


def test_a_unit_that_never_moves_tells_nothing():
    g, f = blocks(), values()
    g.V1.weight.data[4] = 0
    assert all(np.isfinite(R).all() for R in readings(g, f).values())
    g.V2.weight.data[:, 4] *= 9
    f[:, 3] = 0  # then so does a unit that feeds on this task alone
    before = readings(g, f)
    g.V1.weight.data[4, 3] = 1
    after = readings(g, f)
    for name in ("rows", "columns"):
        np.testing.assert_allclose(after[name], before[name], atol=1e-12)


def test_hiding_looks_at_the_first_profiles():
    g, f = blocks(), values()
    moved = hiding(g, f, rows=5)
    torch.testing.assert_close(moved, hiding(g, f[:5], rows=40))
    assert not torch.allclose(moved, hiding(g, f, rows=40))


def test_hiding_sees_a_relation_whose_mean_slope_is_zero():
    """G makes |f0| of task 0: two units of opposite sign, added up."""
    g = MaskedLowRank(3, 2).double()
    g.V1.weight.data = torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]).double()
    g.V2.weight.data = torch.tensor([[0.0, 0], [1.0, 1.0], [0, 0]]).double()
    f = torch.tensor([[1.0, 2, 0], [-1, 0, 1], [2, 1, 3], [-2, 3, 1]]).double()
    found = readings(g, f)
    assert abs(found["jacobian"][1, 0]) < 1e-12 < 0.1 < found["hiding"][1, 0]


def test_correlation_is_numpys_and_a_constant_has_none():
    f = mixed(30, 5)
    np.testing.assert_allclose(
        correlation(f), np.abs(np.corrcoef(f.T)), rtol=1e-4, atol=1e-5
    )
    f[:, 2] = 3.0
    found = correlation(torch.from_numpy(f))
    assert np.isfinite(found).all() and not found[2].any() and found[0, 1] > 0


def test_strengths_of_pairs_are_the_same_both_ways():
    R = np.array([[0.0, -3], [1, 0]])
    assert symmetric(R).tolist() == [[0, 2], [2, 0]]


def test_g_alone_learns_to_rebuild():
    torch.manual_seed(0)
    g, y = MaskedLowRank(12, 4, masked=0.25), torch.randn(200, 3)
    y = y.repeat_interleave(4, dim=1)  # three groups of four equal tasks
    train_alone(g, y, steps=800, batch=50, lr=1e-2)
    group = np.arange(12) // 4
    assert g(None, None, y).item() < 0.3 * y.square().mean().item()
    assert mates_found(symmetric(g.relations(y).numpy()), group, group)["ap"] > 0.9


def test_mates_by_quartile_are_scored_among_their_own():
    rng = np.random.default_rng(0)
    module, share = rng.integers(3, size=24), rng.random(24)
    R = symmetric(rng.normal(size=(24, 24)))
    found = mates_found(R, module, share)
    pairs = [(i, j) for i in range(24) for j in range(i)]
    lowest = np.argsort(share)[:6]
    among = [(i, j) for i, j in pairs if i in lowest and j in lowest]
    for got, chosen in [(found["ap"], pairs), (found["ap_quartiles"][0], among)]:
        same = [module[i] == module[j] for i, j in chosen]
        assert got == pytest.approx(
            average_precision_score(same, [R[p] for p in chosen])
        )
    assert found["chance"] == np.mean([module[i] == module[j] for i, j in pairs])


def test_quartiles_are_equal_in_number_and_in_order():
    found = quartiles(np.array([5.0, 1, 9, 3, 3, 8, 0, 2]))
    assert found.tolist() == [2, 0, 3, 1, 2, 3, 0, 1]
    assert np.bincount(quartiles(np.random.default_rng(0).random(10))).max() <= 3
