"""Hiding targets: groups stay whole, and what is hidden stays hidden."""

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from lsmtl import data
from lsmtl.lab.chapters import unlabelled_profiles
from lsmtl.lab.chapters.unlabelled_profiles import hide, pca_ridge, recipe
from lsmtl.linear import ridge

D, T, N = 6, 4, 120


@pytest.fixture(params=[None, "cohort"])
def adata(request):
    """Two cohorts on different scales, donors with two or three samples each."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, D))
    y = x @ rng.normal(size=(D, T)) + rng.normal(size=(N, T))
    cohort = np.arange(N) % 2
    values = np.hstack([x, y]) * (1 + cohort[:, None]) + 5 * cohort[:, None]
    made = anndata.AnnData(
        values.astype(np.float32),
        obs=pd.DataFrame(
            {"donor": [f"d{i // 5}-{i % 2}" for i in range(N)], "cohort": cohort},
            index=[f"s{i}" for i in range(N)],
        ).astype({"cohort": str}),
        var=pd.DataFrame(
            {"role": ["landmark"] * D + ["target"] * T},
            index=[f"g{i}" for i in range(D + T)],
        ),
    )
    if request.param:
        made.uns["within"] = request.param
    return made


def hidden(adata, share=0.25, seed=3):
    return hide(adata, data.split(adata, 0, "donor"), share, seed, "donor")


def test_a_share_of_the_groups_keeps_its_targets(adata):
    splits = data.split(adata, 0, "donor")
    whole = len(splits.train)
    sizes = []
    for share in (0.25, 0.5, 1.0):
        h = hidden(adata, share)
        assert len(h.train) + len(h.unlabelled) == whole
        assert h.train.y.shape == (len(h.train), T)
        assert len(h.train) / whole == pytest.approx(share, abs=0.1)
        sizes.append(len(h.train))
    assert sizes[-1] == whole and sorted(sizes) == sizes
    assert not torch.equal(hidden(adata, seed=4).train.y, hidden(adata).train.y)


def test_a_cohort_without_training_profiles_is_refused(adata):
    splits, other = data.split(adata, 0, "donor"), adata.copy()
    other.uns["within"] = "cohort"
    other.obs.loc[splits.test.samples[0], "cohort"] = "another"
    with pytest.raises(ValueError, match="no training profile is of 'another'"):
        hide(other, splits, 0.25, 3, "donor")


def kept(adata, share=0.25, seed=3):
    """Names of the samples that keep their targets: those whose y matters."""
    names, splits = [], data.split(adata, 0, "donor")
    reference = hide(adata, splits, share, seed, "donor")
    for i, name in enumerate(splits.train.samples):
        y = splits.train.y.clone()
        y[i] += 1
        changed = data.Splits(
            data.Profiles(splits.train.x, y, splits.train.samples),
            splits.validation,
            splits.test,
            splits.landmarks,
            splits.targets,
        )
        found = hide(adata, changed, share, seed, "donor")
        same = torch.equal(found.validation.y, reference.validation.y)
        assert same == torch.equal(found.mean, reference.mean)
        if not same:
            names.append(name)
    return names


def test_groups_stay_whole_and_cohorts_are_all_there(adata):
    train = adata[list(data.split(adata, 0, "donor").train.samples)].obs
    names = kept(adata)
    assert len(names) == len(hidden(adata).train)
    share = train.index.isin(names)
    assert set(pd.Series(share).groupby(train["donor"].to_numpy()).mean()) == {0, 1}
    if "within" in adata.uns:
        assert set(train["cohort"][share]) == {"0", "1"}


def test_hidden_targets_change_nothing_but_the_scale_of_the_score(adata):
    train = data.split(adata, 0, "donor").train.samples
    lost = sorted(set(train) - set(kept(adata)))
    other = adata.copy()
    rows = other.obs_names.get_indexer(lost)
    rng = np.random.default_rng(1)
    other.X[rows, D:] = rng.normal(3, 9, size=(len(rows), T))
    one, two = hidden(adata), hidden(other)
    for a, b in [
        (one.train.x, two.train.x),
        (one.train.y, two.train.y),
        (one.unlabelled, two.unlabelled),
        (one.validation.y, two.validation.y),
        (one.test.x, two.test.x),
        (one.test.y, two.test.y),
    ]:
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_own_scale_and_scores_belong_together(adata):
    h = hidden(adata)
    torch.testing.assert_close(h.mean + h.test.y * h.deviation, h.target)
    assert h.scores(h.test.y)["mae"] == pytest.approx(0, abs=1e-5)
    nothing = (h.mean - h.target).abs().mean().item()
    assert h.scores(np.zeros((len(h.target), T)))["mae"] == pytest.approx(nothing)


def test_kept_profiles_have_mean_zero_and_their_targets_deviation_one(adata):
    train = hidden(adata, 0.5).train
    for v in (train.x, train.y):
        torch.testing.assert_close(
            v.mean(0), torch.zeros(v.shape[1]), atol=1e-5, rtol=0
        )
    torch.testing.assert_close(train.y.std(0, correction=0), torch.ones(T))


@pytest.mark.parametrize("unlabelled", [False, True])
def test_ridge_on_all_components_is_ridge(adata, unlabelled, monkeypatch):
    monkeypatch.setattr(unlabelled_profiles, "COMPONENTS", (D,))
    h = hidden(adata, 0.5)
    parts = h.train.x, h.train.y, h.validation.x, h.validation.y
    expected = ridge(*parts).coef_.numpy()
    found = pca_ridge(h, unlabelled, whiten=False)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(pca_ridge(h, unlabelled, whiten=True) - expected).max() > 1e-3


def test_a_recipe_has_about_that_many_steps():
    for n in (5, 32, 79, 317):
        r = recipe(300, 1e-3, n)
        assert r.epochs * (n // r.batch_size) == pytest.approx(300, rel=0.05)
