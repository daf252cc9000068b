"""Scenarios: who is trained on and who is tested, and what may not pass between."""

import functools

import numpy as np
import pytest
import torch
from sets import here

from lsmtl import data
from lsmtl.data import plain
from lsmtl.lab import experiments, protocol, scenarios
from lsmtl.lab.measuring import thin
from lsmtl.lab.rows import ACROSS, LEFT_OUT, SIZES, SPECIAL, WITHIN

PARTS = ("train", "validation", "test")
GROUPS = {**WITHIN, **ACROSS, **LEFT_OUT}
CONFIGURATION = {"targets": 50}


@functools.cache
def loaded(name):
    """A scenario's AnnData, or skip: its files are nowhere to be had."""
    if not here(name):
        pytest.skip(f"the files of {name} aren't here; `make data` gets them")
    return scenarios.load(name)


def how(name):
    """What of a run's configuration decides its splits."""
    scenario = SPECIAL.get(("ci", name), {}).get("scenario", "within")
    return CONFIGURATION | {"scenario": scenario, "group": GROUPS[name]}


def labels(adata, part, column):
    return set(adata.obs[column][list(part.samples)].astype(str))


def equal(one, other):
    """Whether two `Splits` hold the same numbers, samples and genes."""
    genes = one.landmarks == other.landmarks and one.targets == other.targets
    parts = [(getattr(one, name), getattr(other, name)) for name in PARTS]
    return genes and all(
        a.samples == b.samples and torch.equal(a.x, b.x) and torch.equal(a.y, b.y)
        for a, b in parts
    )


# --- Across platforms -----------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 4])
def test_breast_to_endometrial_is_a_transfer(seed):
    joined, breast = loaded("breast-endometrial"), data.load("breast")
    found = protocol.split(joined, how("breast-endometrial") | {"targets": None}, seed)
    cohort = breast.obs["cohort"].astype(str)
    chosen_on = cohort == sorted(cohort.unique())[seed % 3]
    sets = breast[~chosen_on], breast[chosen_on], data.load("endometrial")
    assert equal(found, data.transfer(*sets))


@pytest.mark.parametrize("seed", [0, 1])
def test_arrays_to_rna_seq_is_a_transfer(seed):
    joined = loaded("arrays-rnaseq")
    arrays, rnaseq = data.load("arrays"), data.load("rnaseq")
    found = protocol.split(joined, how("arrays-rnaseq") | {"targets": None}, seed)
    lcl = rnaseq.obs["study"].astype(str) == "lcl"
    assert equal(found, data.transfer(arrays, rnaseq[lcl], rnaseq[~lcl]))
    assert labels(joined, found.test, "platform") == {"colon", "endometrial"}


@pytest.mark.parametrize("name", ACROSS)
def test_platforms_stay_whole(name):
    adata = loaded(name)
    splits = protocol.split(adata, how(name), seed=1)
    sets = [labels(adata, getattr(splits, part), "platform") for part in PARTS]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 4
    assert labels(adata, splits.test, "use") == {"test"}
    assert sum(len(getattr(splits, part)) for part in PARTS) == adata.n_obs


# --- A study left out -----------------------------------------------------------


@pytest.mark.parametrize("name", LEFT_OUT)
def test_each_seed_leaves_out_the_whole_of_a_study_and_nothing_else(name):
    adata = loaded(name)
    study = adata.obs[GROUPS[name]].astype(str)
    left_out = []
    for seed in range(study.nunique()):
        test = protocol.split(adata, how(name), seed).test
        left_out += labels(adata, test, study.name)
        assert test.samples == tuple(adata.obs_names[study == left_out[-1]])
    assert sorted(left_out) == sorted(study.unique())
    for preset in ("laptop", "gpu"):  # as many seeds as there are studies
        special = SPECIAL[preset, name]
        if special is not None:
            seeds = (SIZES[preset] | special)["seeds"]
            assert seeds == study.nunique()


# --- Nothing passes between the parts -------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GROUPS)
def test_groups_do_not_straddle_parts(name, seed):
    adata = loaded(name)
    splits = protocol.split(adata, how(name), seed)
    column = GROUPS[name]
    train, validation, test = (
        labels(adata, getattr(splits, part), column) for part in PARTS
    )
    assert train and validation and test
    assert not train & test and not validation & test
    if "group" in adata.obs:  # near-duplicates, whatever the experiment's group
        sets = [labels(adata, getattr(splits, part), "group") for part in PARTS]
        assert sum(map(len, sets)) == len(set.union(*sets))


@pytest.mark.parametrize("held_out", ["validation", "test"])
@pytest.mark.parametrize("name", ["breast", "breast-endometrial", "breast-cohorts"])
def test_targets_of_held_out_profiles_touch_nothing_else(name, held_out):
    adata = loaded(name).copy()
    before = protocol.split(adata, how(name), 0)
    rows = adata.obs_names.isin(getattr(before, held_out).samples)
    target = (adata.var["role"] == "target").to_numpy()
    adata.X[np.ix_(rows, target)] = np.random.default_rng(0).normal(
        size=(rows.sum(), target.sum())
    )
    after = protocol.split(adata, how(name), 0)
    for part in PARTS:
        one, other = getattr(before, part), getattr(after, part)
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.y, other.y) is (part != held_out)


@pytest.mark.parametrize("name", ACROSS)
def test_training_profiles_know_nothing_of_the_other_platforms(name):
    adata = loaded(name).copy()
    before = protocol.split(adata, how(name), 0)
    adata.X[~adata.obs_names.isin(before.train.samples)] *= -3
    after = protocol.split(adata, how(name), 0)
    assert torch.equal(before.train.x, after.train.x)
    assert torch.equal(before.train.y, after.train.y)
    assert not torch.equal(before.test.y, after.test.y)


# --- The same without AnnData ---------------------------------------------------


@pytest.mark.parametrize("name", GROUPS)
def test_a_file_for_a_gpu_machine_splits_as_the_set_does(name, tmp_path):
    adata, group = thin(loaded(name), 100), GROUPS[name]
    plain.save(tmp_path / "set.npz", adata, {group})
    found = plain.read(tmp_path / "set.npz")
    assert data.fingerprint(found, group) == data.fingerprint(adata, group)
    for seed in range(2):
        one, other = (protocol.split(a, how(name), seed) for a in (adata, found))
        assert equal(one, other)
    run = experiments.Run("training mean", how(name), 0)
    one, other = (protocol.measure(a, run, "cpu") for a in (adata, found))
    assert one == other


def test_an_unknown_scenario_is_refused():
    with pytest.raises(ValueError, match=r"within, halves, across, left out.*'beyond'"):
        protocol.split(None, {"scenario": "beyond"}, 0)
