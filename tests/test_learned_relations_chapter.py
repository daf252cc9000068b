"""What the runs of the chapter on learned relations compute."""

import numpy as np
import pytest
import torch

from lsmtl import data
from lsmtl.data.simulation import simulate
from lsmtl.data.splits import Profiles
from lsmtl.lab.chapters import learned_relations as chapter
from lsmtl.lab.experiments import Run

WORLD = {"samples": 80, "landmarks": 8, "targets": 24, "modules": 4}
NETWORK = {"world": WORLD, "hidden": [5], "epochs": 2, "batch_size": 20}
G = {"strength": 0.1, "rank": 3, "masked": 0.2}


def measure(method, configuration, seed=0):
    return chapter.EXPERIMENT.measure(None, Run(method, configuration, seed), "cpu")


def test_drawn_profiles_and_truth_are_those_of_simulate():
    splits, score = chapter._drawn(3, **WORLD)
    adata = simulate(seed=3, **WORLD)
    expected = data.split(adata, 3, "group")
    torch.testing.assert_close(splits.train.y, expected.train.y)
    torch.testing.assert_close(splits.test.x, expected.test.x)
    module = adata.uns["relations"]["module"]
    perfect = score(1.0 * (module[:, None] == module))
    assert perfect["ap"] == 1 and perfect["chance"] < 0.5


def test_half_of_the_tasks_get_noise_on_their_training_labels():
    train = Profiles(torch.randn(2000, 3), torch.zeros(2000, 7))
    found, noisy = chapter.with_noise(train, 2.0, seed=1)
    assert noisy.sum() == 3
    assert found.x is train.x and not train.y.any()
    assert not found.y[:, ~noisy].any()
    np.testing.assert_allclose(found.y[:, noisy].std(0), 2.0, rtol=0.1)
    again, _ = chapter.with_noise(train, 2.0, seed=2)
    assert not torch.equal(again.y, found.y)


@pytest.mark.parametrize("method", ["ridge", "DenseNet", "Deep-AMTL"])
def test_parts_of_the_transfer_add_up_to_the_mean(method):
    scene = NETWORK | {"scene": "deep", "noisy": 1.0, "strength": 1.0}
    found = measure(method, scene)
    assert np.mean(found["mae_quartiles"]) == pytest.approx(found["mae"], abs=1e-5)
    both = (found["mae_noisy"] + found["mae_clean"]) / 2
    assert both == pytest.approx(found["mae"], abs=1e-5)


def test_noise_makes_tasks_hard():
    easy, hard = (
        measure("ridge", NETWORK | {"scene": "deep", "noisy": noise})
        for noise in (0.0, 5.0)
    )
    assert hard["mae_noisy"] > easy["mae_noisy"] + 0.1
    lost = {k: hard[k] - easy[k] for k in ("mae_noisy", "mae_clean")}
    assert lost["mae_noisy"] > lost["mae_clean"] + 0.03  # the ridge is one for all


def test_a_detached_g_leaves_the_network_alone_and_another_does_not():
    plain = measure("DenseNet", NETWORK)
    detached = measure("G detached", NETWORK | G | {"strength": 10.0})
    coupled = measure("Deep-LSMTL", NETWORK | G | {"strength": 10.0})
    assert detached["mae"] == plain["mae"] != coupled["mae"]
    assert detached["ap_predictions"] == plain["ap_predictions"]


def test_looked_at_without_strength_a_network_is_that_without_g():
    few = WORLD | {"targets": 60, "modules": 6}
    settings = NETWORK | G | {"world": few, "strength": 0.0}
    found = measure("strongest pairs", settings)
    assert found["mae"] == measure("DenseNet", NETWORK | {"world": few})["mae"]
    assert len(found["tasks"]) == len(found["groups"])
    assert {*found["groups"]} == {f"module {m}" for m in range(1, 7)}
    for read in ("jacobian", "rows"):
        pairs = np.reshape(found[f"pairs_{read}"], (-1, 2))
        assert len(np.unique(pairs, axis=0)) == 60
        assert (pairs[:, 0] < pairs[:, 1]).all()


def test_each_share_hidden_of_a_detached_g_has_a_coupled_twin():
    for preset in chapter.EXPERIMENT.sizes:
        runs = [*chapter._runs(chapter.EXPERIMENT.size(preset, "simulated"), 40)]
        detached = [r.configuration for r in runs if r.method == "G detached"]
        coupled = [r.configuration for r in runs if r.method == "Deep-LSMTL"]
        assert len(detached) > 2 and all(c in coupled for c in detached)


def test_g_reads_by_its_mean_jacobian_and_untrained_it_knows_nothing():
    many = WORLD | {"targets": 200}
    found = measure("G untrained", NETWORK | G | {"world": many})
    for name in ("ap", "ap_along", "ap_path", "ap_hiding", "ap_rows", "ap_columns"):
        assert found[name] == pytest.approx(found["chance"], abs=0.05)


def test_ridge_v_is_chosen_by_what_it_rebuilds():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(3, 9))
    train, validation = (rng.normal(size=(50, 3)) @ mix for _ in range(2))
    found = chapter._ridge(train, validation, lambda strength: {"ap": 0.0})
    errors = [
        np.mean((validation - validation @ V) ** 2)
        for V in (
            chapter.ridge_v(train, gamma * (train**2).mean())
            for gamma in chapter.RIDGES
        )
    ]
    assert found["error"] == pytest.approx(min(errors))
    assert found["gamma"] == chapter.RIDGES[np.argmin(errors)]
