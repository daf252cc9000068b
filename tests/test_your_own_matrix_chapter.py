"""What the runs of the chapter on one's own matrix compute."""

import numpy as np
import pytest

from lsmtl import data
from lsmtl.data.landmarks import select_landmarks
from lsmtl.lab.chapters import your_own_matrix
from lsmtl.lab.chapters.your_own_matrix import CHOICES, expected, measured
from lsmtl.lab.measuring import thin


@pytest.fixture(scope="module")
def adata():
    return data.simulate(200, 20, 80, seed=0)


def test_no_choice_of_landmarks_sees_the_scored_genes_or_test_samples(
    adata, monkeypatch
):
    seen = {}

    def select(given, count):
        seen["samples"], seen["genes"] = set(given.obs_names), set(given.var_names)
        return select_landmarks(given, count)

    split = data.split

    def splits(given, *arguments):
        made = split(given, *arguments)
        seen["test"], seen["targets"] = set(made.test.samples), set(made.targets)
        return made

    monkeypatch.setattr(your_own_matrix, "select_landmarks", select)
    monkeypatch.setattr(your_own_matrix.data, "split", splits)
    measured(adata, "selected", 5, 30, 0, "group")
    assert len(seen["targets"]) == 30
    assert not seen["genes"] & seen["targets"]
    assert not seen["samples"] & seen["test"]


def test_all_choices_predict_the_same_genes_and_more_landmarks_help(adata):
    for choice in CHOICES:
        few, many = (
            measured(adata, choice, count, 30, 0, "group")["mae"] for count in (2, 20)
        )
        assert many < few


def test_a_small_matrix_leaves_targets_to_choose_from(adata):
    for choice in CHOICES:
        assert measured(adata, choice, 20, 1000, 0, "group")["mae"] > 0


def test_the_error_is_as_promised_where_all_samples_are_alike():
    adata = data.simulate(600, 20, 80, seed=1)
    found = expected(adata, "ridge", 0, "group")
    assert found["r"] > 0.8
    assert abs(found["mae"] / found["promised"] - 1) < 0.1
    bins = found["promised_bins"]
    assert bins == sorted(bins)
    assert np.corrcoef(bins, found["found_bins"])[0, 1] > 0.95


def test_promise_and_finding_are_on_one_scale_where_samples_are_mapped():
    adata = data.simulate(600, 20, 80, seed=1)
    adata.uns["normalize"] = "quantile"
    factor = np.random.default_rng(0).uniform(0.5, 2, (600, 1))  # undone by the map
    adata.X = (factor * adata.X).astype(np.float32)
    found = expected(thin(adata, 40), "ridge", 0, "group")
    assert abs(found["mae"] / found["promised"] - 1) < 0.15
