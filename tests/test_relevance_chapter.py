"""What the runs of the chapter on relevance compute."""

import itertools
import json

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from sklearn.feature_selection import f_classif
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression

from lsmtl.data import load
from lsmtl.lab import explaining, scenarios
from lsmtl.lab.chapters import relevance as chapter
from lsmtl.lab.experiments import Run
from lsmtl.networks import DenseNet

EXPERIMENT = chapter.EXPERIMENT


def linear(n=60, D=5, T=8):
    """Profiles of mean 0, and the weights (D, T) of a linear model."""
    torch.manual_seed(0)
    x = torch.randn(n, D, dtype=torch.double) @ torch.randn(D, D, dtype=torch.double)
    return x - x.mean(0), torch.randn(D, T, dtype=torch.double)


def test_of_a_linear_model_it_is_weight_times_covariance():
    x, W = linear()
    rho = explaining.contributions(explaining.as_network(W), x, np.zeros(8, int))
    f = x @ W
    covariance = x.T @ f / len(x)  # (D, T); all means are 0
    expected = (W * covariance).mean(1)
    np.testing.assert_allclose(rho[0].mean(0), expected, rtol=1e-4)
    total = f.square().mean().item()
    assert rho[0].mean(0).sum() == pytest.approx(total, rel=1e-4)


def test_groups_of_targets_add_up_to_all():
    torch.manual_seed(0)
    network, x = DenseNet(7, 12, (5, 5)).eval(), torch.randn(9, 7)
    groups = np.array([0, 1, 2, 2, 1, 1, 1, 0, 2, 1, 1, 1])
    parts = explaining.contributions(network, x, groups)
    assert parts.shape == (3, 9, 7)
    whole = explaining.contributions(network, x, np.zeros(12, int))[0]
    together = np.tensordot(np.bincount(groups) / 12, parts, 1)
    np.testing.assert_allclose(together, whole, atol=1e-5)
    f = network(x).detach().numpy()
    for g in range(3):
        expected = np.square(f[:, groups == g]).mean(1)
        np.testing.assert_allclose(parts[g].sum(1), expected, rtol=1e-3)


def test_shuffling_a_landmark_hurts_as_scikit_learn_says():
    x, W = linear(n=400)
    W[2] = 0

    model = LinearRegression(fit_intercept=False).fit(x, x @ W)
    network = explaining.as_network(W)
    y = x @ W + 0.1 * torch.randn(400, 8)
    rises = explaining.permutation(network, x, y, repeats=20)
    score = "neg_mean_absolute_error"
    args = dict(scoring=score, n_repeats=20, random_state=0)
    expected = permutation_importance(model, x.numpy(), y.numpy(), **args)
    np.testing.assert_allclose(rises, expected.importances_mean, rtol=0.05, atol=1e-9)
    assert abs(rises[2]) < 1e-9 < rises.max()


def test_shuffling_may_look_at_some_targets_only():
    x, W = linear()
    W[1, ::7], y = 0, torch.zeros(60, 8)
    rises = explaining.permutation(explaining.as_network(W), x, y, targets=2)
    assert abs(rises[1]) < 1e-9  # the first and the last target have no use for it
    assert abs(rises[0]) > 1e-3


def test_a_cleaned_picture_keeps_the_largest_by_size():
    values = np.array([[1.0, -5, 3, 0.5], [0, 2, 2, -1]])
    assert explaining.cleaned(values, 2).tolist() == [[0, -5, 3, 0], [0, 2, 2, 0]]
    assert explaining.top(values, 2).tolist() == [[1, 2], [1, 2]]


def test_sums_of_clusters_keep_the_total():
    values, labels = (
        np.random.default_rng(0).random((3, 6)),
        np.array([1, 0, 1, 2, 2, 1]),
    )
    found = explaining.sums(values, labels)
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found.sum(1), values.sum(1))
    np.testing.assert_allclose(found[:, 0], values[:, 1])


def test_neighbours_in_the_order_are_nearer_than_before():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    distance = squareform(pdist(rows))
    order = explaining.order(rows)
    assert sorted(order) == list(range(20))
    steps = [distance[i, j] for i, j in itertools.pairwise(order)]
    assert sum(steps) < 0.7 * np.diag(distance, 1).sum()
    assert list(explaining.order(rows[:2])) == [0, 1]


def test_two_random_lists_share_what_chance_says():
    rng = np.random.default_rng(0)
    one, other = (
        np.stack([rng.permutation(100)[:20] for _ in range(2000)]) for _ in range(2)
    )
    share = explaining.shared(one, other)
    expected, high = explaining.by_chance(100)
    assert share.mean() == pytest.approx(expected, rel=0.03)
    assert (share > high).mean() <= 0.05 < (share >= high).mean()
    assert (explaining.shared(one, one) == 1).all()


def test_the_share_between_labels_is_that_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    labels, values = rng.choice(list("abc"), 50), rng.normal(size=(50, 4))
    values[:, 1] += labels == "b"
    F, _ = f_classif(values, labels)
    share = explaining.explained_between(values, labels)
    np.testing.assert_allclose(share / (1 - share) * 47 / 2, F)


def test_numbers_survive_the_record():
    values = np.random.default_rng(0).normal(size=(4, 7))
    run = json.loads(json.dumps(explaining.pack("v", values)))
    found = explaining.unpack(run, "v", 7)
    np.testing.assert_allclose(found, values, atol=np.abs(values).max() / 1900)
    assert np.abs(run["v"]).max() == 999
    assert not explaining.unpack(explaining.pack("v", np.zeros(3)), "v").any()


def measured(method, head=None, dataset="breast", seed=0):
    sizes = EXPERIMENT.size("ci", dataset) | {"targets": 40, "epochs": 2, "seeds": 2}
    runs = EXPERIMENT.runs(sizes, None)
    (run,) = (
        r
        for r in runs
        if (r.method, r.configuration.get("head"), r.seed) == (method, head, seed)
    )
    run = Run(method, run.configuration | {"group": EXPERIMENT.datasets[dataset]}, seed)
    return EXPERIMENT.measure(load(dataset), run, "cpu")


def test_a_run_says_what_the_pictures_need():
    ridge, found = measured("ridge"), measured("Deep-LSMTL", "zero")
    D, count = len(ridge["genes"]), len(ridge["sizes"])
    assert D == 734 and ridge["genes"][0] == "AARS"
    assert sum(ridge["sizes"]) == 397 and sum(ridge["target_sizes"]) == 40
    assert ridge["kinds"] == ["ER+", "ER−"] and sum(ridge["counts"]) == 235
    assert len(ridge["counts"]) == 2 * count
    assert len(ridge["parts"]) == len(ridge["highest"]) == D
    rows = explaining.unpack(found, "profiles", D)
    assert len(rows) == count
    weights = np.array(ridge["sizes"]) / 397
    importance = explaining.unpack(found, "importance")
    np.testing.assert_allclose(weights @ rows, importance, atol=2e-3 * rows.max())
    columns = explaining.unpack(found, "targets", D)
    weights = np.array(ridge["target_sizes"]) / 40
    atol = 2e-3 * columns.max()
    np.testing.assert_allclose(weights @ columns, importance, atol=atol)


def test_known_marker_of_the_receptor_separates_its_status():
    ridge = measured("ridge")
    gene = ridge["genes"].index("GATA3")
    between = explaining.unpack(ridge, "between")
    assert between[gene] > np.quantile(between, 0.95)
    assert ridge["kinds"][ridge["highest"][gene]] == "ER+"


def test_two_untrained_networks_draw_other_pictures():
    one, other = (measured("untrained", "xavier", seed=s) for s in (0, 1))
    assert set(one) == {"importance", "importance_unit"}
    assert one["importance"] != other["importance"]


def test_a_short_training_is_the_same_with_fewer_epochs():
    sizes = EXPERIMENT.size("laptop", "breast")
    runs = list(EXPERIMENT.runs(sizes, None))
    short = [r for r in runs if r.method == "trained for less"]
    assert {r.configuration["epochs"] for r in short} == set(sizes["short"])
    for run in short:
        full = run.configuration | {"epochs": sizes["epochs"]}
        assert Run("Deep-LSMTL", full, run.seed) in runs
    assert not EXPERIMENT.size("laptop", "arrays-rnaseq")["short"]


def test_across_platforms_only_the_other_one_is_explained():
    adata = scenarios.load("breast-endometrial")
    c = {"scenario": "across", "targets": 5, "group": "use"}
    splits = chapter.split(adata, c, 0)
    shown = chapter.explained(splits, "across")
    assert len(shown) == 115
    kinds = chapter.kinds(adata, shown.samples)
    assert (kinds == "normal").sum() == 14 and "POLE" in kinds


def test_neighbours_are_averaged_where_a_picture_is_too_wide():
    values = np.random.default_rng(0).normal(size=(3, 734))
    found = explaining.narrowed(values, 367)
    np.testing.assert_allclose(found, (values[:, ::2] + values[:, 1::2]) / 2)
    np.testing.assert_array_equal(explaining.narrowed(values, 1000), values)


def test_alike_rows_correlate():
    row = np.random.default_rng(0).normal(size=50)
    mean, highest = explaining.alike(np.stack([row, 2 * row + 1, -row]))
    assert mean == pytest.approx(-1 / 3) and highest == pytest.approx(1)


def drawn(D=8):
    """A described run and a network's run with made-up numbers."""
    rng = np.random.default_rng(0)
    described = {
        "genes": list("abcdefgh"),
        "kinds": ["x", "y"],
        "counts": [3, 1, 0, 2, 0, 0],
        "sizes": [4, 2, 5],
        "target_sizes": [3, 9],
        "parts": [0, 1, 1, 2, 0, 2, 2, 1],
    }
    profiles, targets = rng.random((3, D)), rng.random((2, D))
    packed = explaining.pack("profiles", profiles) | explaining.pack("targets", targets)
    return described, packed, profiles, targets


def test_panels_hold_shares_and_keep_names_with_their_values(monkeypatch):
    described, run, profiles, targets = drawn()
    monkeypatch.setattr(explaining.cleaned, "__defaults__", (2,))
    found = explaining.panels(described, run)
    np.testing.assert_allclose(found["a"].sum(1), 100)
    share = 100 * profiles / profiles.sum(1, keepdims=True)
    names = ["x 75%, 4", "y 100%, 2", "unknown, 5"]
    assert sorted(found["a"].index) == sorted(names)
    for name, row in zip(names, share, strict=True):
        np.testing.assert_allclose(
            found["a"].loc[name, described["genes"]], row, rtol=5e-3, atol=0.02
        )
        best = set(np.argsort(row)[-2:])
        kept = found["b"].loc[name]
        assert {described["genes"].index(g) for g in kept.index[kept != 0]} == best
    assert list(found["c"].columns) == list(found["b"].columns)
    share = 100 * targets / targets.sum(1, keepdims=True)
    c = found["c"].loc["9 targets"]
    where = [described["genes"].index(g) for g in c.index]
    np.testing.assert_allclose(c, share[1, where], rtol=5e-3, atol=0.02)
    np.testing.assert_allclose(found["d"].sum(1), 0, atol=1e-9)
    pair = found["d"].loc["9 targets", "2 landmarks"]
    assert pair == pytest.approx(share[1, [0, 4]].sum() - 25, abs=0.1)


def test_a_kind_has_the_mean_of_the_clusters_that_its_profiles_are_in():
    described, run, profiles, _ = drawn()
    found = explaining.by_kind(described, run)
    expected = (profiles[0] + 2 * profiles[1]) / 3  # y: one profile, and two
    expected *= 100 / expected.sum()
    np.testing.assert_allclose(found.loc["y"], expected, rtol=5e-3, atol=0.02)
    np.testing.assert_allclose(found.sum(1), 100)
