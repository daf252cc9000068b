"""Experiments: a run is made once, and its numbers are those of its parts."""

import itertools
import json
from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from sets import here
from sklearn.linear_model import Ridge

from lsmtl import data, metrics
from lsmtl.data.companions import HistoneMarks
from lsmtl.lab import experiments, measuring, records, scenarios
from lsmtl.lab.chapters import (
    EXPERIMENTS,
    base_networks,
    linear_models,
    masked_low_rank,
    raw_to_tensors,
    rival_regularizers,
    transcriptome,
)
from lsmtl.lab.experiments import Experiment, Run, results
from lsmtl.lab.measuring import scores, thin
from lsmtl.lab.presets import ORIGINALS
from lsmtl.linear import STRENGTHS, LeastSquares


def toy(n=60, landmarks=8, targets=12):
    """Targets that are noisy linear maps of the landmarks, which stand in between."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, landmarks))
    y = x @ rng.normal(size=(landmarks, targets)) + rng.normal(size=(n, targets))
    half = targets // 2
    roles = ["target"] * half + ["landmark"] * landmarks + ["target"] * (targets - half)
    return anndata.AnnData(
        np.hstack([y[:, :half], x, y[:, half:]]).astype(np.float32),
        obs=pd.DataFrame({"donor": [f"d{i // 2}" for i in range(n)]}).set_axis(
            [f"s{i}" for i in range(n)]
        ),
        var=pd.DataFrame({"role": roles}, index=[f"g{i}" for i in range(len(roles))]),
    )


# --- Runs and their records -----------------------------------------------------


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """A stored set, and empty folders for records."""
    monkeypatch.setattr(records, "COMMITTED", tmp_path / "committed")
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path / "new"))
    path = tmp_path / "toy.h5ad"
    toy().write_h5ad(path)
    return str(path)


@pytest.fixture
def made():
    return []


@pytest.fixture
def experiment(dataset, made):
    """Two strengths and `seeds` seeds of a method that notes each run it makes."""

    def runs(sizes, landmarks):
        assert landmarks == 8
        for seed in range(sizes["seeds"]):
            for strength in (0.1, 1.0):
                yield Run("toy method", {"strength": strength}, seed)

    def measure(adata, run, device):
        assert device == "cpu"
        made.append(run)
        return {"mae": run.configuration["strength"] + run.seed, "n": adata.n_obs}

    sizes = {"ci": {"seeds": 2}, "laptop": {"seeds": 3}}
    return Experiment("toy", 1, {dataset: "donor"}, sizes, runs, measure)


def test_missing_runs_are_made_once(experiment, dataset, made):
    first = results(experiment, "ci", dataset)
    assert [(r.configuration["strength"], r.seed) for r in made] == [
        *((0.1, 0), (1.0, 0), (0.1, 1), (1.0, 1))
    ]
    assert first["mae"].tolist() == [0.1, 1.0, 1.1, 2.0]
    assert [*first] == ["method", "seed", "strength", "mae", "n", "done"]
    assert first["done"].all()
    pd.testing.assert_frame_equal(results(experiment, "ci", dataset), first)
    assert len(made) == 4


def test_a_larger_preset_makes_only_what_it_adds(experiment, dataset, made):
    results(experiment, "ci", dataset)
    assert len(results(experiment, "laptop", dataset)) == 6
    assert [run.seed for run in made[4:]] == [2, 2]


def test_a_killed_run_goes_on_where_it_stopped(experiment, dataset, made):
    def killed(adata, run, device):
        if len(made) == 3:
            raise KeyboardInterrupt
        return experiment.measure(adata, run, device)

    with pytest.raises(KeyboardInterrupt):
        results(replace(experiment, measure=killed), "ci", dataset)
    assert len(results(experiment, "ci", dataset)) == len(made) == 4


def test_show_makes_nothing_and_leaves_gaps(experiment, dataset, made, tmp_path):
    table = results(experiment, "ci", dataset, missing="show")
    assert not table["done"].any()
    assert table["strength"].tolist() == [0.1, 1.0, 0.1, 1.0]
    assert made == []
    assert not (tmp_path / "new").exists()
    results(experiment, "ci", dataset)
    table = results(experiment, "laptop", dataset, missing="show")
    assert table["done"].tolist() == [True] * 4 + [False] * 2
    assert table["mae"].isna().tolist() == [False] * 4 + [True] * 2
    assert len(made) == 4


def test_a_run_is_told_its_group_and_its_record_says_where_it_comes_from(
    experiment, dataset, made
):
    results(experiment, "ci", dataset)
    assert all(run.configuration["group"] == "donor" for run in made)
    for record in records.read("toy").values():
        assert record["data"] == data.fingerprint(data.load(dataset), "donor")
        assert (record["preset"], record["dataset"]) == ("ci", dataset)
        assert record["configuration"]["group"] == "donor"
        assert record["wall_s"] >= 0


def test_seed_is_added_to_every_run(experiment, dataset, made):
    table = results(experiment, "ci", dataset, seed=10)
    assert table["seed"].tolist() == [10, 10, 11, 11]
    assert [run.seed for run in made] == [10, 10, 11, 11]
    results(experiment, "ci", dataset, seed=11)
    assert [run.seed for run in made[4:]] == [12, 12]


def other_values(experiment, dataset):
    adata = toy()
    adata.X[0, 0] += 1
    adata.write_h5ad(dataset)
    return experiment


def other_version(experiment, dataset):
    return replace(experiment, recipe_version=2)


def other_group(experiment, dataset):
    return replace(experiment, datasets={dataset: None})


@pytest.mark.parametrize("change", [other_values, other_version, other_group])
def test_other_data_version_or_group_need_new_runs(change, experiment, dataset, made):
    results(experiment, "ci", dataset)
    results(change(experiment, dataset), "ci", dataset)
    assert len(made) == 8


def test_a_dataset_can_have_sizes_of_its_own(experiment, dataset):
    fewer = replace(experiment, special={("laptop", dataset): {"seeds": 1}})
    assert len(results(fewer, "ci", dataset, missing="show")) == 4
    assert len(results(fewer, "laptop", dataset, missing="show")) == 2


@pytest.mark.parametrize(
    ("preset", "chosen", "named"),
    [("tiny", None, "ci, laptop"), ("ci", "ecoli", "toy")],
)
def test_unknown_presets_and_datasets_are_refused(
    experiment, dataset, preset, chosen, named
):
    with pytest.raises(ValueError, match=named):
        results(experiment, preset, chosen or dataset)


def test_an_unknown_word_for_missing_is_refused(experiment, dataset):
    with pytest.raises(ValueError, match=r"run, show.* 'make'"):
        results(experiment, "ci", dataset, missing="make")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_runs_of_the_book_are_distinct_and_can_be_recorded(name):
    experiment = EXPERIMENTS[name]
    assert experiment.name == name
    assert set(experiment.datasets) <= {*data.names(), *scenarios.FROM, "simulated"}
    assert {p for p, _ in experiment.special} <= set(experiment.sizes)
    assert {d for _, d in experiment.special} <= set(experiment.datasets)
    for preset, chosen in itertools.product(experiment.sizes, experiment.datasets):
        assert preset in ("ci", "laptop", "gpu", "paper")
        sizes = experiment.size(preset, chosen)
        if sizes is None:  # not run there
            continue
        runs = list(experiment.runs(sizes, 191))
        lines = [json.dumps([r.method, r.configuration, r.seed]) for r in runs]
        assert len(set(lines)) == len(lines) > 0
        assert len({run.seed for run in runs}) == sizes.get("seeds", 1)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_groups_of_the_book_are_columns(name):
    for dataset, group in EXPERIMENTS[name].datasets.items():
        if dataset == "simulated":
            assert group is None
        elif here(dataset):
            found = scenarios.load(dataset)
            table = isinstance(found, pd.DataFrame | HistoneMarks)
            assert (table and group is None) or group in (found if table else found.obs)


@pytest.mark.parametrize("name", experiments.KNOWN)
def test_what_is_known_of_an_on_demand_set_is_so(name):
    if not here(name):
        pytest.skip(f"the files of {name} aren't here; `make data` gets them")
    groups = {e.datasets[name] for e in EXPERIMENTS.values() if name in e.datasets}
    for group in groups:
        assert experiments.source(name, group)[1:] == experiments.KNOWN[name]


def test_records_of_an_on_demand_set_show_without_its_files(
    experiment, dataset, made, monkeypatch
):
    adata = data.load(dataset)
    known = {dataset: (8, data.fingerprint(adata, "donor"))}
    table = results(experiment, "ci", dataset)

    def gone(name):
        raise FileNotFoundError(name)

    monkeypatch.setattr(data, "load", gone)
    monkeypatch.setattr(experiments, "KNOWN", known)
    shown = results(experiment, "ci", dataset, missing="show")
    pd.testing.assert_frame_equal(shown, table)
    with pytest.raises(FileNotFoundError):
        results(experiment, "laptop", dataset)
    monkeypatch.setattr(experiments, "KNOWN", {})
    with pytest.raises(FileNotFoundError):
        results(experiment, "ci", dataset, missing="show")


# --- What the runs compute ------------------------------------------------------


def test_scores_are_mean_spread_and_deciles_over_genes():
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(2, 20, 33))
    found = scores(prediction, target)
    for name, metric in (("mae", metrics.mae), ("cc", metrics.concordance)):
        genes = metric(prediction, target).numpy()
        assert found[name] == pytest.approx(np.mean(genes), abs=1e-6)
        assert found[f"{name}_sd"] == pytest.approx(np.std(genes), abs=1e-6)
        deciles = np.percentile(genes, range(0, 101, 10))
        np.testing.assert_allclose(found[f"{name}_deciles"], deciles, atol=1e-6)
    assert len(found) == 6
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("targets", [1, 2, 5, 11])
def test_thin_keeps_landmarks_and_that_many_targets(targets):
    adata = toy()
    found = thin(adata, targets)
    role = found.var["role"]
    every = adata.var_names[adata.var["role"] == "landmark"]
    assert found.var_names[role == "landmark"].tolist() == every.tolist()
    assert (role == "target").sum() == targets
    assert found.obs_names.equals(adata.obs_names)
    assert found.var_names.isin(adata.var_names).all()
    order = adata.var_names.get_indexer(found.var_names)
    assert (np.diff(order) > 0).all()  # as in the matrix
    np.testing.assert_array_equal(found.X, adata.X[:, order])
    assert thin(found, targets).var_names.equals(found.var_names)


def test_thin_spreads_over_the_matrix():
    kept = thin(toy(), 3).var.query("role == 'target'").index
    assert (kept[0], kept[-1]) == ("g0", "g19")


@pytest.mark.parametrize("targets", [None, 12, 1000])
def test_thin_keeps_all_where_there_are_no_more(targets):
    assert thin(toy(), targets).var_names.equals(toy().var_names)


def split_of(run):
    return data.split(toy(), run.seed, run.configuration["group"])


@pytest.mark.parametrize(
    "experiment", [transcriptome.EXPERIMENT, masked_low_rank.EXPERIMENT]
)
def test_training_mean_predicts_0(experiment):
    run = Run("training mean", {"group": "donor", "targets": None}, 3)
    found = experiment.measure(toy(), run, "cpu")
    assert found["mae"] == pytest.approx(
        split_of(run).test.y.abs().mean().item(), abs=1e-5
    )
    assert (found["cc"], found["cc_sd"]) == (0, 0)


def ridge_prediction(splits, x=slice(None)):
    train, valid = splits.train, splits.validation
    parts = (v.double().numpy() for v in (train.x, train.y, valid.x, valid.y))
    tx, ty, vx, vy = parts
    tx, vx = tx[:, x], vx[:, x]

    def fitted(alpha):
        return Ridge(alpha, fit_intercept=False).fit(tx, ty)

    alpha = min(STRENGTHS, key=lambda a: np.abs(fitted(a).predict(vx) - vy).mean())
    return fitted(alpha).predict(splits.test.x.double().numpy()[:, x])


def test_all_landmarks_are_ridge_in_both_experiments():
    run = Run("ridge", {"group": "donor", "targets": None}, 1)
    splits = split_of(run)
    expected = scores(ridge_prediction(splits), splits.test.y)
    found = masked_low_rank.EXPERIMENT.measure(toy(), run, "cpu")
    assert found["mae"] == pytest.approx(expected["mae"], abs=2e-6)
    assert found["cc"] == pytest.approx(expected["cc"], abs=2e-6)
    run = Run("landmarks", {"group": "donor", "genes": 8}, 1)
    again = transcriptome.EXPERIMENT.measure(toy(), run, "cpu")
    assert again["mae"] == pytest.approx(found["mae"], abs=2e-6)
    assert 0 < again["r2"] < 1


def test_more_landmarks_tell_more():
    mae = [
        transcriptome.EXPERIMENT.measure(
            toy(), Run("landmarks", {"group": "donor", "genes": k}, 0), "cpu"
        )["mae"]
        for k in (2, 4, 8)
    ]
    assert mae[0] > mae[1] > mae[2]


@pytest.fixture
def given_to_ridge(monkeypatch):
    """What the experiments hand to `ridge`, which answers with zeros."""
    seen = []

    def spy(*parts):
        seen.append([np.asarray(part) for part in parts])
        x, y = (0 * torch.as_tensor(part) for part in parts[:2])
        return LeastSquares(l2=1).fit(x, y)

    for module in (transcriptome, measuring):
        monkeypatch.setattr(module, "ridge", spy)
    return seen


@pytest.mark.parametrize(
    ("experiment", "method"),
    [(transcriptome.EXPERIMENT, "landmarks"), (masked_low_rank.EXPERIMENT, "ridge")],
)
def test_ridge_sees_training_and_validation_rows_only(
    experiment, method, given_to_ridge
):
    run = Run(method, {"group": "donor", "genes": 8, "targets": None}, 0)
    experiment.measure(toy(), run, "cpu")
    splits, (found,) = split_of(run), given_to_ridge
    expected = splits.train, splits.validation
    for part, x, y in zip(expected, found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(np.sort(x), np.sort(part.x))
        np.testing.assert_array_equal(y, part.y)


def test_random_genes_are_drawn_from_landmarks_and_targets(given_to_ridge):
    run = Run("random genes", {"group": "donor", "genes": 10}, 0)
    found = transcriptome.EXPERIMENT.measure(toy(), run, "cpu")
    ((x, y, _, _),) = given_to_ridge
    train = split_of(run).train
    genes = {c.tobytes() for c in np.hstack([train.x, train.y]).T.copy()}
    targets = {c.tobytes() for c in train.y.numpy().T.copy()}
    measured, inferred = ({c.tobytes() for c in v.T.copy()} for v in (x, y))
    assert len(measured) == 10
    assert measured <= genes
    assert 0 < len(measured & targets) < 10
    assert inferred == targets - measured  # only targets, none of those measured
    assert found["r2"] <= 0


def test_similarity_is_that_of_sample_pairs():
    run = Run("landmarks", {"group": "donor", "genes": 5}, 2)
    train = split_of(run).train
    chosen = np.random.default_rng(2).permutation(8)[:5]
    x, y = train.x.numpy()[:, chosen], train.y.numpy()
    pairs = [(i, j) for i in range(len(x)) for j in range(i)]
    alike = [[np.corrcoef(v[i], v[j])[0, 1] for i, j in pairs] for v in (x, y)]
    found = transcriptome.EXPERIMENT.measure(toy(), run, "cpu")["similarity"]
    assert found == pytest.approx(np.corrcoef(*alike)[0, 1], abs=1e-6)


NETWORK = {
    **{"group": "donor", "targets": 6, "hidden": [10], "epochs": 60},
    **{"head": "xavier", "lr": 3e-2},
}


@pytest.mark.parametrize("g", [{}, {"rank": 2, "strength": 0.3}])
@pytest.mark.parametrize("head", ["xavier", "zero"])
def test_networks_learn_and_repeat(g, head):
    run = Run("any", NETWORK | g | {"head": head}, 0)
    state = torch.get_rng_state()
    found = masked_low_rank.EXPERIMENT.measure(toy(), run, "cpu")
    torch.manual_seed(99)
    assert masked_low_rank.EXPERIMENT.measure(toy(), run, "cpu") == found
    torch.set_rng_state(state)
    y = data.split(thin(toy(), 6), 0, "donor").test.y
    assert found["mae"] < y.abs().mean()
    assert (found["spread_at_start"] == 0) is (head == "zero")
    assert found["spread"] > 0.1
    assert 0 <= found["best_epoch"] < 60
    assert len(found["mae_deciles"]) == 11


@pytest.mark.parametrize(
    "experiment",
    [m.EXPERIMENT for m in (base_networks, linear_models, rival_regularizers)],
    ids=lambda e: e.name,
)
def test_targets_of_test_rows_are_for_scoring_only_in_every_method(experiment):
    """What is chosen, and everything that isn't a score, stays the same."""
    runs = experiment.runs(experiment.sizes["ci"], landmarks=8)
    one_each = {r.method: r for r in runs if "tasks" not in r.configuration}
    assert len(one_each) >= 5
    small = {"hidden": [6], "epochs": 3, "rank": 2, "profiles": None, "targets": None}
    for run in one_each.values():
        c = {k: small.get(k, v) for k, v in run.configuration.items()}
        run, adata = replace(run, configuration=c | {"group": "donor"}), toy()
        before = experiment.measure(adata, run, "cpu")
        test = data.split(adata, run.seed, "donor").test
        rows = adata.obs_names.isin(test.samples)
        adata.X[np.ix_(rows, adata.var["role"] == "target")] += 50
        after = experiment.measure(adata, run, "cpu")
        differ = {k for k in before if before[k] != after[k]}
        assert "mae" in differ
        assert {k.split("_")[0] for k in differ} <= {"mae", "cc", "rmse"}, run.method


@pytest.mark.parametrize("g", [{}, {"rank": 2, "strength": 0.3}])
def test_targets_of_test_rows_are_for_scoring_only(g):
    run, adata = Run("any", NETWORK | g, 0), toy()
    before = masked_low_rank.EXPERIMENT.measure(adata, run, "cpu")
    test = adata.obs_names.isin(data.split(adata, 0, "donor").test.samples)
    adata.X[np.ix_(test, adata.var["role"] == "target")] += 50
    after = masked_low_rank.EXPERIMENT.measure(adata, run, "cpu")
    same = ("validation_mae", "best_epoch", "spread", "spread_at_start")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert after["mae"] > before["mae"] + 1


def test_strength_of_g_changes_the_result():
    found = [
        masked_low_rank.EXPERIMENT.measure(
            toy(), Run("Deep-LSMTL", NETWORK | {"rank": 2, "strength": s}, 0), "cpu"
        )["mae"]
        for s in (0.1, 1.0)
    ]
    assert found[0] != found[1]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_book_has_every_record_of_preset_laptop(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path))
    for chosen in {*EXPERIMENTS[name].datasets} - {*ORIGINALS}:
        if EXPERIMENTS[name].size("laptop", chosen) is not None:
            table = results(EXPERIMENTS[name], "laptop", chosen, missing="show")
            assert table["done"].all()


# --- From raw files to tensors --------------------------------------------------


def leak(rule, method="ridge", adata=None, seed=0):
    run = Run(method, {"group": "donor", "targets": None, "rule": rule}, seed)
    return raw_to_tensors.EXPERIMENT.measure(
        toy() if adata is None else adata, run, "cpu"
    )["mae"]


def test_honest_is_the_split_of_the_book():
    splits = data.split(toy(), 0, "donor")
    expected = scores(ridge_prediction(splits), splits.test.y)["mae"]
    assert leak("honest") == pytest.approx(expected, abs=2e-6)
    mean = splits.test.y.abs().mean().item()
    assert leak("honest", "training mean") == pytest.approx(mean, abs=1e-5)


def test_platforms_on_one_scale_pass_for_skill():
    adata = toy()
    platform = np.arange(adata.n_obs) % 2
    adata.obs["platform"] = platform.astype(str)
    adata.uns["within"] = "platform"
    adata.X = adata.X + 100 * platform[:, None].astype(np.float32)
    assert leak("one scale", "cohort mean", adata) < 0.2
    assert leak("honest", "cohort mean", adata) > 0.5


def test_twins_across_the_split_pass_for_skill():
    adata = toy()
    adata.X = np.repeat(adata.X[::2], 2, axis=0)
    adata.obs["donor"] = [f"pair{i // 2}" for i in range(adata.n_obs)]
    seeds = range(4)
    honest = np.mean([leak("honest", "cohort mean", adata, s) for s in seeds])
    assert np.mean([leak("no groups", "cohort mean", adata, s) for s in seeds]) < honest


def test_statistics_of_all_samples_are_those_of_all_samples():
    adata = toy()
    splits = data.split(adata, 0, "donor")
    found = raw_to_tensors._scaled_by_all(adata, splits)
    z = ((adata.X - adata.X.mean(0)) / adata.X.std(0)).T
    z = dict(zip(adata.var_names, z, strict=True))
    for name in ("train", "validation", "test"):
        part = getattr(found, name)
        rows = adata.obs_names.get_indexer(part.samples)
        for genes, values in ((found.landmarks, part.x), (found.targets, part.y)):
            expected = np.stack([z[gene][rows] for gene in genes], 1)
            np.testing.assert_allclose(values, expected, atol=1e-4)
    assert leak("all statistics") != leak("honest")


def test_library_of_all_genes_is_that_of_the_counts():
    rng = np.random.default_rng(0)
    adata = toy()
    counts = rng.integers(0, 1000, adata.shape).astype(np.float64)
    landmark = (adata.var["role"] == "landmark").to_numpy()
    library = counts[:, landmark].sum(1, keepdims=True)
    adata.X = np.log2(1e6 * counts / library + 1).astype(np.float32)
    expected = np.log2(1e6 * counts / counts.sum(1, keepdims=True) + 1)
    found = raw_to_tensors._by_whole_library(adata)
    np.testing.assert_allclose(found.X, expected, rtol=1e-5, atol=1e-5)


def test_recorded_steps_are_those_of_the_arrays():
    """What the chapter shows without the files is what it computes with them."""
    if not here("arrays"):
        pytest.skip("the files of arrays aren't here; `make data` gets them")
    run = Run("steps", {"group": "group"}, 0)
    found = raw_to_tensors.EXPERIMENT.measure(data.load("arrays"), run, "cpu")
    (recorded,) = (
        r["metrics"]
        for r in records.read("raw-to-tensors").values()
        if r["method"] == "steps"
    )
    assert recorded.keys() == found.keys()
    for name, values in found.items():
        np.testing.assert_allclose(recorded[name], values, atol=0.002)


def test_steps_find_what_was_planted():
    """One study brighter than the other, and a twin in each."""
    adata = toy(n=60, landmarks=40, targets=60)
    rng = np.random.default_rng(1)
    study = np.repeat(["a", "b"], 30)
    adata.obs["study"], adata.obs["group"] = study, [f"s{i}" for i in range(60)]
    adata.X[3] = adata.X[7] + 0.01 * rng.normal(size=100)
    adata.X[35] = adata.X[50] + 0.01 * rng.normal(size=100)
    adata.X = adata.X + 20 * (study == "b")[:, None].astype(np.float32)
    found = raw_to_tensors.steps(adata)
    assert (found["a first"][0], found["a second"][0]) == (4, 8)
    assert (found["b first"][0], found["b second"][0]) == (6, 21)
    assert min(found["a pairs"][0], found["b pairs"][0]) > 0.99
    gap = {
        w: np.subtract(found[f"b {w}"], found[f"a {w}"]) for w in ("before", "after")
    }
    assert np.median(gap["before"]) > 15
    assert abs(np.median(gap["after"])) < 0.5
    assert found["share before"] > 0.5 > found["share after"]
