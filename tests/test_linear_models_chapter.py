"""The experiment of the chapter on linear models: what is chosen, and on which rows."""

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

from lsmtl import data
from lsmtl.lab import shallow
from lsmtl.lab.chapters.linear_models import _measure
from lsmtl.lab.experiments import Run
from lsmtl.lab.measuring import scores


def toy(n=60, landmarks=8, targets=12):
    """Targets that are noisy linear maps of the landmarks."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, landmarks))
    y = x @ rng.normal(size=(landmarks, targets)) + 3 * rng.normal(size=(n, targets))
    names = [f"g{i}" for i in range(landmarks + targets)]
    roles = ["landmark"] * landmarks + ["target"] * targets
    return anndata.AnnData(
        np.hstack([x, y]).astype(np.float32),
        obs=pd.DataFrame({"donor": [f"d{i}" for i in range(n)]}).set_axis(
            [f"s{i}" for i in range(n)]
        ),
        var=pd.DataFrame({"role": roles}, index=names),
    )


def run(method):
    grid = {"strengths": [0.5, 0.1]} if method == "lasso" else {}
    return Run(method, {"targets": None, "group": "donor"} | grid, 0)


@pytest.mark.parametrize("method", shallow.METHODS)
def test_the_setting_is_chosen_and_scored_on_rows_of_their_own(method):
    adata = toy()
    before = _measure(adata, run(method), "cpu")
    assert before["validation_mae"] == min(before["errors"])
    test = adata.obs_names.isin(data.split(adata, 0, "donor").test.samples)
    adata.X[np.ix_(test, adata.var["role"] == "target")] += 50
    after = _measure(adata, run(method), "cpu")
    same = set(before) - {k for k in before if k.startswith(("mae", "cc"))}
    assert {k: after[k] for k in same} == {k: before[k] for k in same}
    assert after["mae"] > before["mae"] + 1


def test_ridge_is_scored_at_the_strength_that_is_recorded():
    splits = data.split(toy(), 0, "donor")
    found = _measure(toy(), run("ridge"), "cpu")
    model = Ridge(found["l2"], fit_intercept=False).fit(splits.train.x, splits.train.y)
    expected = scores(model.predict(splits.test.x.numpy()), splits.test.y)
    assert found["mae"] == pytest.approx(expected["mae"], abs=2e-6)
    assert len(found["errors"]) == 11


def test_many_samples_are_approximated_well(monkeypatch):
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(700, 2)), rng.normal(size=(50, 2))
    y = np.sin(x @ rng.normal(size=(2, 3)))
    settings, exact = next(shallow.kernel_ridge(x, y))
    monkeypatch.setattr(shallow, "MANY", 700)
    same, close = next(shallow.kernel_ridge(x, y))
    assert same == settings and type(close) is not type(exact)
    np.testing.assert_allclose(close.predict(new), exact.predict(new), atol=0.02)


def test_neighbours_are_no_more_than_there_are_samples():
    models = list(shallow.METHODS["KNN"](torch.zeros(6, 2), torch.zeros(6, 3)))
    assert [setting["k"] for setting, _ in models] == [1, 2, 3, 5]
