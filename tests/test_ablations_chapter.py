"""Ablations: changes are paired, and what they are computed from is as it should be."""

import anndata
import numpy as np
import pandas as pd
import pytest

from lsmtl.lab.changes import by_value, change, extreme, span
from lsmtl.lab.chapters import ablations
from lsmtl.lab.experiments import Run
from lsmtl.lab.panels import curves, dots

SMALL = {"targets": None, "hidden": [8], "epochs": 6, "group": "donor"}
NETWORK = ablations.NETWORK | SMALL | {"head": "xavier"}
G = ablations.G | {"rank": 3}


def toy(n=80, landmarks=6, targets=150):
    """More targets than are scored; every sample a group of its own."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, landmarks))
    y = x @ rng.normal(size=(landmarks, targets)) + rng.normal(size=(n, targets))
    names = [f"s{i}" for i in range(n)]
    roles = ["landmark"] * landmarks + ["target"] * targets
    return anndata.AnnData(
        np.hstack([x, y]).astype(np.float32),
        obs=pd.DataFrame({"donor": names}, index=names),
        var=pd.DataFrame({"role": roles}, index=[f"g{i}" for i in range(len(roles))]),
    )


def measured(method, **changes):
    of_g = G if method == "Deep-LSMTL" else {}
    run = Run(method, NETWORK | of_g | changes, 0)
    return ablations.EXPERIMENT.measure(toy(), run, "cpu")


# --- What the runs compute ------------------------------------------------------


def test_detached_g_leaves_the_network_as_it_would_be_without():
    plain, g = measured("DenseNet"), measured("Deep-LSMTL", strength=1.0, detach=True)
    assert g["mae"] == plain["mae"] and g["cc"] == plain["cc"]
    assert measured("Deep-LSMTL", strength=1.0)["mae"] != plain["mae"]


@pytest.mark.parametrize(("strength", "masked"), [(1.0, 0.1), (5.0, 0.4)])
def test_sums_are_means_with_strength_times_the_share(strength, masked):
    sums = measured("Deep-LSMTL", reduction="sum", strength=strength, masked=masked)
    means = measured("Deep-LSMTL", strength=strength * masked, masked=masked)
    other = measured("Deep-LSMTL", strength=strength, masked=masked)
    assert sums["mae"] == pytest.approx(means["mae"], rel=1e-3)
    assert abs(other["mae"] / means["mae"] - 1) > 1e-3


@pytest.mark.parametrize("samples", [20, 40])
def test_left_out_profiles_leave_means_and_other_sets_alone(samples):
    configuration = {"targets": None, "group": "donor", "samples": None}
    every = ablations._splits(toy(), configuration, 3)
    few = ablations._splits(toy(), configuration | {"samples": samples}, 3)
    assert len(few.train.x) == samples
    assert set(few.train.samples) < set(every.train.samples)
    assert list(few.test.samples) == list(every.test.samples)
    assert list(few.validation.samples) == list(every.validation.samples)
    np.testing.assert_allclose(few.train.y.mean(0), 0, atol=1e-5)


def test_the_same_tasks_are_scored_whatever_is_trained():
    """Ridge, whose strength is chosen for all at once, fits each task by itself."""
    few, more = (measured("ridge", tasks=t) for t in (100, None))
    assert few["mae_few"] == pytest.approx(few["mae"], abs=2e-6)
    assert more["mae_few"] == pytest.approx(few["mae_few"], rel=1e-3)
    assert more["mae"] != pytest.approx(few["mae"], rel=1e-3)


# --- What is made of them -------------------------------------------------------


@pytest.fixture
def runs():
    """Two seeds of a start, of two changed settings and of the plain network."""
    rows = []
    for seed in (0, 1):
        start = NETWORK | {"seed": seed, "method": "Deep-LSMTL"} | G
        base = 0.5 + 0.1 * seed
        rows += [start | {"mae": base, "cc": 0.4}]
        rows += [start | {"mae": base + 0.01, "cc": 0.3, "strength": 1.0}]
        rows += [start | {"mae": base + 0.02, "cc": 0.3, "samples": 30}]
        rows += [start | {"mae": 9.0, "cc": 0.0, "samples": 30, "head": "zero"}]
        both = {"reduction": "sum", "strength": 10.0}
        rows += [start | {"mae": base - 0.03, "cc": 0.4} | both]
        plain = NETWORK | {"seed": seed, "method": "DenseNet"}
        rows += [plain | {"mae": base + 0.05, "cc": 0.5}]
    return pd.DataFrame(rows)


def test_only_runs_that_differ_in_nothing_else_count(runs):
    start = ablations.start(runs, "xavier")
    found = by_value(runs, "Deep-LSMTL", start, "strength")
    assert found.to_dict("list") == {0.1: [0.5, 0.6], 1.0: [0.51, 0.61]}
    found = by_value(runs, "Deep-LSMTL", start, "samples")
    assert list(found) == [30, np.inf]
    assert by_value(runs, "DenseNet", start).tolist() == [0.55, 0.65]


def test_changes_are_percent_of_the_start_and_plain_for_concordance(runs):
    found = ablations.changed(runs, "strength", "Deep-LSMTL", "xavier")
    np.testing.assert_allclose(found[1.0], 100 * 0.01 / 0.55)
    assert (found[0.1] == 0).all()
    found = ablations.changed(runs, "strength", "Deep-LSMTL", "xavier", "cc")
    np.testing.assert_allclose(found[1.0], -0.1)


def test_sums_and_the_network_without_g_are_set_against_the_start_with_g(runs):
    found = ablations.changed(runs, "reduction", "Deep-LSMTL", "xavier")
    assert list(found) == [10.0]
    np.testing.assert_allclose(found[10.0], -100 * 0.03 / 0.55)
    plain = ablations.changed(runs, "strength", "DenseNet", "xavier")
    assert list(plain) == [0.1, 1.0]
    np.testing.assert_allclose(plain, 100 * 0.05 / 0.55)


def test_what_seeds_share_cancels():
    rng = np.random.default_rng(0)
    first = pd.Series(rng.normal(0.6, 0.1, 50))
    noise = 0.001 * rng.normal(size=50)
    found = change(pd.DataFrame({"a": first + noise}), first)["a"]
    np.testing.assert_allclose(found * first.mean() / 100, noise)
    assert found.std() < 0.1 * 100 * first.std() / first.mean()


def test_extreme_and_span_take_means_over_seeds():
    tables = {
        "a": pd.DataFrame({1: [9.0, -9.0], 2: [1.0, 2.0]}),
        "b": pd.DataFrame({1: [-2.0, -2.0]}),
    }
    assert extreme(tables) == (-2.0, "b", 1)
    assert span(tables) == (-2.0, 1.5)
    assert span({"a": pd.DataFrame({1: [1.0]})}) == (0.0, 1.0)


def test_pictures_have_a_row_a_dataset_and_mark_the_paper():
    table = pd.DataFrame({0.1: [0.0, 0.0], 1.0: [1.0, 3.0]})
    lines = {("Deep-LSMTL", "zero"): table}
    fig = curves({"one": [lines], "two": [lines]}, "λ", ("MAE",), marks=(0.1, 1))
    assert len(fig.axes) == 2
    for axis in fig.axes:
        vertical = [line for line in axis.lines if len(set(line.get_xdata())) == 1]
        assert sorted(line.get_xdata()[0] for line in vertical) == [0.1, 1]
        assert axis.lines[0].get_ydata().tolist() == [0.0, 2.0]
    seeds = {("Deep-LSMTL", "zero"): table[1.0], ("DenseNet", "zero"): table[0.1]}
    fig = dots({"one": [seeds, seeds]}, ("MAE", "CC"))
    names = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert names == ["Deep-LSMTL, zero head", "DenseNet, zero head"]
