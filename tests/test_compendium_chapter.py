"""What the compendium's runs measure, against independent references."""

import numpy as np
import pytest
import torch
from sklearn.feature_selection import f_classif
from sklearn.neighbors import KNeighborsRegressor

from lsmtl import data
from lsmtl.data import Profiles
from lsmtl.lab.chapters.compendium import (
    EXPERIMENT,
    LEVELS,
    _neighbours,
    describe,
    study_share,
)
from lsmtl.lab.experiments import Run


def test_the_share_between_studies_is_that_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    study = np.repeat(["a", "b", "c"], [5, 20, 15])
    values = rng.normal(size=(40, 7))
    values[study == "c"] += 2
    f, _ = f_classif(values, study)
    ratio = f * 2 / 37  # between / within sums of squares
    np.testing.assert_allclose(study_share(values, study), ratio / (1 + ratio))


def test_neighbours_are_those_of_scikit_learn():
    x, y = torch.randn(60, 5), torch.randn(60, 3)
    new = torch.randn(20, 5)
    theirs = KNeighborsRegressor(4).fit(x.numpy(), y.numpy()).predict(new.numpy())
    np.testing.assert_allclose(_neighbours(4, Profiles(x, y), new), theirs, atol=1e-5)


def test_white_noise_is_described_as_such():
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(4000, 50)), rng.normal(size=(4000, 10))
    found = describe(y, x, np.arange(4000) % 4)
    middle = len(LEVELS) // 2
    assert found["pair"][middle] == pytest.approx(0, abs=0.01)
    assert max(map(abs, found["pair"])) < 0.08
    assert found["kurtosis"][middle] == pytest.approx(3, abs=0.1)
    assert found["study"][middle] == pytest.approx(3 / 4000, abs=1e-3)
    flat = (np.arange(50) + 1) / 50
    np.testing.assert_allclose(found["spectrum"][:50], flat, atol=0.1)
    assert found["studies"] == 4


def test_a_landmark_among_the_targets_is_found():
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(500, 50)), rng.normal(size=(500, 10))
    x[:, 3] = y[:, 7] = (y[:, 7] - y[:, 7].mean()) / y[:, 7].std()
    found = describe(y, x, np.zeros(500))
    assert found["best"][-1] == pytest.approx(1, abs=0.01)
    assert found["best"][0] < 0.2


def test_a_real_set_is_described_within_its_platforms():
    adata = data.load("breast")
    run = Run("description", {"described": 100, "group": "group"}, 0)
    before = adata.X.copy()
    found = EXPERIMENT.measure(adata, run, "cpu")
    assert np.array_equal(adata.X, before)
    assert max(found["study"]) < 1e-6
    assert (found["studies"], found["profiles"]) == (3, 397)
