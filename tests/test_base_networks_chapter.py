"""What the runs of the chapter on base networks compute."""

from itertools import pairwise

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from lsmtl import data, dgex, metrics, training
from lsmtl.lab.chapters import base_networks
from lsmtl.lab.experiments import Run
from lsmtl.networks import DenseNet
from lsmtl.training import Recipe

GROUP = {"group": "donor", "targets": None, "profiles": None}
NETWORK = GROUP | {
    **{"hidden": [9, 6], "epochs": 5, "loss": "absolute", "head": "xavier"},
    **{"lr": 1e-2, "dropout": 0.1, "batch_norm": True},
}
DGEX = GROUP | {"hidden": [9, 6], "epochs": 5, "dropout": 0.25}


def toy(n=80, landmarks=6, targets=10):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, landmarks))
    y = x @ rng.normal(size=(landmarks, targets)) + rng.normal(size=(n, targets))
    names = [f"g{i}" for i in range(landmarks + targets)]
    roles = ["landmark"] * landmarks + ["target"] * targets
    return anndata.AnnData(
        np.hstack([x, y]).astype(np.float32),
        obs=pd.DataFrame(
            {"donor": [f"d{i}" for i in range(n)]}, index=[f"s{i}" for i in range(n)]
        ),
        var=pd.DataFrame({"role": roles}, index=names),
    )


def measure(method, configuration, seed=0, adata=None):
    run = Run(method, configuration, seed)
    return base_networks._measure(toy() if adata is None else adata, run, "cpu")


@pytest.fixture
def fits(monkeypatch):
    """What the runs hand to `fit`, of plain networks and of D-GEX."""
    seen = []

    def spy(real):
        def fit(network, train, validation, recipe, seed):
            seen.append((network, train, validation, recipe, seed))
            return real(network, train, validation, recipe=recipe, seed=seed)

        return fit

    monkeypatch.setattr(base_networks, "fit", spy(training.fit))
    monkeypatch.setattr(base_networks.dgex, "fit", spy(dgex.fit))
    return seen


@pytest.mark.parametrize("profiles", [None, 30])
@pytest.mark.parametrize(("method", "configuration"), [
    ("DenseNet", NETWORK), ("D-GEX", DGEX)
])  # fmt: skip
def test_fewer_profiles_are_fewer_to_train_on(method, configuration, profiles, fits):
    measure(method, configuration | {"profiles": profiles}, seed=2)
    splits = data.split(toy(), 2, "donor")
    ((_, train, validation, recipe, seed),) = fits
    n = profiles or len(splits.train.x)
    assert len(train.x) == len(train.y) == n
    assert recipe.batch_size == n // 3
    whole = {row.tobytes() for row in np.hstack([splits.train.x, splits.train.y])}
    rows = {row.tobytes() for row in np.hstack([train.x, train.y])}
    assert len(rows) == n and rows <= whole
    assert torch.equal(validation.y, splits.validation.y)
    assert seed == 2


@pytest.mark.parametrize("loss", ["absolute", "squared"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_network_is_as_configured(loss, batch_norm, fits):
    change = {"loss": loss, "batch_norm": batch_norm, "head": "small", "dropout": 0.25}
    found = measure("DenseNet", NETWORK | change)
    ((network, train, _, recipe, _),) = fits
    assert isinstance(network, DenseNet)
    kinds = [type(m) for m in network.modules()]
    assert (torch.nn.BatchNorm1d in kinds) is batch_norm
    assert {m.p for m in network.modules() if hasattr(m, "p")} == {0.25}
    expected = Recipe(5, len(train.x) // 3, 1e-2, 1e-4, loss=loss)
    assert recipe == expected
    assert 0 < found["spread_at_start"] < 1e-2
    assert 0 <= found["best_epoch"] < 5


def test_dgex_has_its_own_recipe(fits):
    found = measure("D-GEX", DGEX)
    ((network, train, _, recipe, _),) = fits
    assert recipe == dgex.recipe(2, 5, len(train.x) // 3)
    assert {m.p for m in network.modules() if hasattr(m, "p")} == {0.25}
    assert 0 <= found["best_epoch"] < 5


@pytest.mark.parametrize(("method", "configuration"), [
    ("MLP", NETWORK), ("D-GEX", DGEX), ("ridge", GROUP), ("training mean", GROUP)
])  # fmt: skip
def test_test_rows_are_for_scoring_only(method, configuration):
    adata = toy()
    before = measure(method, configuration, adata=adata)
    assert before == measure(method, configuration, adata=adata)
    test = adata.obs_names.isin(data.split(adata, 0, "donor").test.samples)
    adata.X[np.ix_(test, adata.var["role"] == "target")] += 50
    after = measure(method, configuration, adata=adata)
    same = ("validation_mae", "best_epoch", "spread", "spread_at_start")
    assert [after.get(k) for k in same] == [before.get(k) for k in same]
    assert after["mae"] > before["mae"] + 1


def test_validation_mae_is_of_the_network_that_is_scored(fits):
    found = measure("D-GEX", DGEX)
    ((network, _, validation, _, _),) = fits
    prediction = training.predict(network, validation.x)
    expected = metrics.mae(prediction, validation.y).mean()
    assert found["validation_mae"] == pytest.approx(expected.item(), rel=1e-5)


def test_fifths_run_from_light_to_heavy_tails():
    rng = np.random.default_rng(0)
    y = rng.standard_t(np.repeat([3.0, 5, 10, 30, 300], 4), size=(500, 20)) + 7
    groups = base_networks._tails(torch.tensor(y).float())
    assert sorted(np.concatenate(groups)) == list(range(20))
    kurtosis = stats.kurtosis(y)
    for lighter, heavier in pairwise(groups):
        assert kurtosis[lighter].max() < kurtosis[heavier].min()


def test_errors_by_tail():
    rng = np.random.default_rng(0)
    prediction, target = torch.tensor(rng.normal(size=(2, 12, 10)))
    groups = np.array_split(rng.permutation(10), 5)
    found = base_networks._scores(prediction, target, groups)
    error = (prediction - target).numpy()
    for k, genes in enumerate(groups):
        assert found["mae_by_tail"][k] == pytest.approx(np.abs(error[:, genes]).mean())
        rmse = np.linalg.norm(error[:, genes]) / np.sqrt(error[:, genes].size)
        assert found["rmse_by_tail"][k] == pytest.approx(rmse)
