"""The tables' protocol: what is chosen and on what, and what a record says of it."""

import functools
import itertools
from dataclasses import replace
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

from lsmtl.data import plain
from lsmtl.lab import experiments, protocol, records
from lsmtl.lab.chapters import table_1, table_2, table_3
from lsmtl.lab.measuring import drawn
from lsmtl.lab.paper import paper_table
from lsmtl.lab.protocol import measure, split
from lsmtl.lab.rows import LAPTOP, LEFT_OUT, SIZES, Row
from lsmtl.linear import STRENGTHS

TABLES = {1: table_1, 2: table_2, 3: table_3}
SMALL = LAPTOP | {
    "targets": 16,
    "divide": 2250,  # 9000 units become 4
    "epochs": {"DenseNet": 3, "MLP": 3, "D-GEX": 3},
    "search": [4, 2, 2],
    "ranks": [4, 8, 12],
}
HOW = {"within": "group", "halves": "group", "across": "use", "left out": "study"}
ROWS = [row for row in table_1.ROWS if row.head == "xavier" and not row.batch]
DEEP = [row for row in ROWS if row.units]
FEW = [row for row in ROWS if row.label in ("LSR-L2", "D-GEX", "SemiGAN", "Deep-LSMTL")]
ids = {"ids": lambda row: f"{row.label} {row.units}"}


source = functools.cache(experiments.source)


@functools.cache
def toy():
    """Samples in pairs, of four platforms, and of three studies; 20 targets."""
    rng = np.random.default_rng(0)
    n, D, T = 96, 8, 20
    x = rng.normal(size=(n, D))
    y = np.tanh(x) @ rng.normal(size=(D, T)) + rng.normal(size=(n, T))
    i = np.arange(n)
    obs = {
        "group": [f"pair{k}" for k in i // 2],
        "platform": np.array(list("abcd"))[i // 24],
        "use": np.array(["train", "train", "validation", "test"])[i // 24],
        "study": np.array(["one", "two", "three"])[i // 32],
    }
    var = {
        "role": ["landmark"] * D + ["target"] * T,
        "landmark_gene": [True] * D + [k % 5 == 0 for k in range(T)],
    }
    return anndata.AnnData(
        np.hstack([x, y]).astype(np.float32),
        pd.DataFrame(obs, [f"s{k}" for k in i]),
        pd.DataFrame(var, [f"g{k}" for k in range(D + T)]),
        uns={"within": "platform"},
    )


def run_of(row, seed=0, how="within"):
    """A row's run on the toy."""
    run = row.run(SMALL | {"scenario": how}, seed, 8)
    run.configuration["group"] = HOW[how]
    return run


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Nothing is known of earlier splits and choices."""
    monkeypatch.setattr(protocol, "_cases", {})


@pytest.fixture
def predicted(monkeypatch):
    """What each run predicted for its test profiles."""
    found, tested = [], protocol._tested

    def note(case, prediction):
        found.append(prediction)
        return tested(case, prediction)

    monkeypatch.setattr(protocol, "_tested", note)
    return found


def chosen(metrics):
    """What validation decided."""
    told = ("chosen_", "validation_mae", "best_epoch")
    return {k: v for k, v in metrics.items() if k.startswith(told)}


# --- Test profiles decide nothing -----------------------------------------------


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("row", FEW, **ids)
def test_noise_for_test_targets_changes_neither_choice_nor_model(row, how, predicted):
    run, noisy = run_of(row, how=how), toy().copy()
    test = split(noisy, run.configuration, run.seed).test
    rows, target = noisy.obs_names.isin(test.samples), noisy.var["role"] == "target"
    noise = np.random.default_rng(1).normal(size=(rows.sum(), target.sum()))
    noisy.X[np.ix_(rows, target)] = noise
    before, after = measure(toy(), run, "cpu"), measure(noisy, run, "cpu")
    assert chosen(before) == chosen(after)
    assert torch.equal(*predicted)
    assert before["mae"] != after["mae"]


@pytest.mark.parametrize("row", FEW, **ids)
def test_validation_targets_decide(row):  # else the test above could not fail
    run, noisy = run_of(row), toy().copy()
    rows = split(noisy, run.configuration, run.seed).validation.samples
    noisy.X[noisy.obs_names.isin(rows), 8:] *= 3
    before, after = measure(toy(), run, "cpu"), measure(noisy, run, "cpu")
    assert before["validation_mae"] != after["validation_mae"]


def test_the_order_of_the_runs_does_not_matter():
    runs = [run_of(row, seed) for row in FEW for seed in range(2)]
    first = [measure(toy(), run, "cpu") for run in runs]
    protocol._cases.clear()
    backwards = [measure(toy(), run, "cpu") for run in reversed(runs)]
    assert backwards[::-1] == first
    for run, expected in zip(runs[::-1], backwards, strict=True):
        protocol._cases.clear()
        assert measure(toy(), run, "cpu") == expected


def test_splits_are_kept_for_a_few_seeds_and_told_apart(monkeypatch):
    monkeypatch.setattr(protocol, "KEPT", 3)
    row = Row("training mean")
    runs = [run_of(row, seed, how) for seed in range(2) for how in HOW]
    first = [measure(toy(), run, "cpu") for run in runs]
    assert len(protocol._cases) == 3
    assert [measure(toy(), run, "cpu") for run in runs] == first
    assert len({record["mae"] for record in first}) == 7  # across has no chance
    assert measure(toy().copy()[:, :-1], runs[-1], "cpu") != first[-1]


# --- What is chosen -------------------------------------------------------------


@pytest.fixture
def tried(monkeypatch):
    """Settings → their made-up error, as they are tried; all errors differ."""
    found, random, networks = {}, np.random.default_rng(0), set()

    def train(method, c, settings, train, validation, seed, device):
        key = method, *sorted(settings.items())
        network = *key, c.get("base"), c.get("head")
        assert network not in networks, "tried twice"
        networks.add(network)
        found[key] = random.random()
        return SimpleNamespace(
            history=pd.DataFrame({"validation_mae": found[key] + np.array([2, 0, 1])})
        )

    monkeypatch.setattr(protocol, "train_row", train)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("row", DEEP, **ids)
def test_the_lowest_error_that_was_tried_is_chosen(row, seed, tried):
    run = run_of(row, seed)
    c = run.configuration
    case = protocol._Case(toy(), run, "cpu")
    found = case.choose(run, "cpu")

    base = row.base if row.method != "D-GEX" else "D-GEX"
    grid = protocol.DGEX_DROPOUT if base == "D-GEX" else protocol.DROPOUT
    assert {key[1:] for key in tried if key[0] == base} == {
        (("dropout", value),) for value in grid
    }
    dropout = min(grid, key=lambda value: tried[base, ("dropout", value)])
    assert found["dropout"] == dropout
    if row.method == base:
        assert found == {"dropout": dropout}
        return

    mine = {key[1:]: e for key, e in tried.items() if key[0] == row.method}
    strengths = protocol.STRENGTH[row.method]
    if row.method != "Deep-LSMTL":
        expected = {(("dropout", dropout), ("strength", s)) for s in strengths}
        assert set(mine) == expected
        assert dict(min(mine, key=mine.get)) == found
        return
    ranks = [rank // 2 for rank in c["ranks"]]  # as many fewer as targets
    error = {(dict(k)["strength"], dict(k)["rank"]): e for k, e in mine.items()}
    strength = min(strengths, key=lambda s: error[s, ranks[1]])
    assert set(error) == {(s, ranks[1]) for s in strengths} | {
        (strength, rank) for rank in ranks
    }
    assert (found["strength"], ranks[found["rank"]]) == min(error, key=error.get)


def test_rows_of_the_same_base_and_head_share_its_dropout(tried, monkeypatch):
    train, number = protocol.train_row, []

    def count(*args):
        number.append(args[0])
        return train(*args)

    monkeypatch.setattr(protocol, "train_row", count)
    rows = {  # and how many networks are trained that were not trained before
        Row("DenseNet", 9000, 1, "DenseNet"): 3,
        Row("DenseNet", 9000, 3, "DenseNet"): 0,
        Row("DenseNet", 3000, 3, "DenseNet", batch=25): 0,
        Row("Deep-AMTL", 9000, 1, "DenseNet"): 3,
        Row("Deep-LSMTL", 9000, 1, "DenseNet"): 5,
        Row("Deep-LSMTL", 9000, 1, "MLP"): 3 + 5,
        Row("MLP", 9000, 1, "MLP"): 0,
        Row("Deep-LSMTL", 9000, 1, "DenseNet", head="zero"): 3 + 5,
        Row("DenseNet", 9000, 1, "DenseNet", head="zero"): 0,
    }
    case = protocol._Case(toy(), run_of(Row("LSR")), "cpu")
    for row, expected in rows.items():
        number.clear()
        found = case.choose(run_of(row), "cpu")
        assert len(number) == expected
        found["dropout"] = "changed"
        assert case.choose(run_of(row), "cpu")["dropout"] in protocol.DROPOUT


def test_what_is_chosen_is_what_is_trained(monkeypatch):
    calls, train = [], protocol.train_row

    def note(method, c, settings, *rest):
        calls.append((method, c["hidden"], c["batch_size"], settings))
        calls[-1] += tuple(part.y.shape[1] for part in rest[:2])
        return train(method, c, settings, *rest)

    monkeypatch.setattr(protocol, "train_row", note)
    found = measure(toy(), run_of(replace(DEEP[-2], method="Deep-LSMTL")), "cpu")
    method, hidden, _, settings, *targets = calls[-1]
    assert (method, hidden, targets) == ("Deep-LSMTL", [4, 4, 4], [16, 16])
    assert settings == {k[7:]: v for k, v in found.items() if k.startswith("chosen_")}
    assert settings["rank"] in SMALL["ranks"]
    assert len(calls) == 3 + 5 + 1
    for _, hidden, batch, settings, *targets in calls[:-1]:  # narrow, on every second
        assert (hidden, batch, targets) == ([4, 4], 100, [8, 8])
        assert settings.get("rank", 2) in (2, 4, 6)


# --- What is reported -----------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_what_a_record_says_of_predictions(how, predicted):
    adata, run = toy(), run_of(Row("LSR"), how=how)
    found = measure(adata, run, "cpu")
    splits = split(adata, run.configuration, run.seed)
    y, p = splits.test.y.double().numpy(), predicted[0].double().numpy()
    error = np.abs(p - y)
    assert found["mae"] == pytest.approx(error.mean(), abs=1e-6)

    r = np.array([np.corrcoef(p[:, t], y[:, t])[0, 1] for t in range(y.shape[1])])
    assert found["r"] == pytest.approx(r.mean(), abs=2e-6)
    assert found["r_sd"] == pytest.approx(r.std(), abs=2e-6)

    groups = adata.obs["group"][list(splits.test.samples)]
    expected = pd.Series(error.mean(1), groups.to_numpy()).groupby(level=0, sort=False)
    np.testing.assert_allclose(found["errors"], expected.mean(), atol=1e-5)
    assert found["counts"] == expected.size().tolist()
    assert sum(found["counts"]) == len(y)
    mean = np.average(found["errors"], weights=found["counts"])
    assert mean == pytest.approx(found["mae"], abs=1e-5)

    own = adata.var["landmark_gene"][list(splits.targets)].to_numpy(bool)
    assert 0 < own.sum() < len(own)
    assert found["mae_apart"] == pytest.approx(error[:, ~own].mean(), abs=1e-6)


def test_without_groups_every_profile_is_one():
    adata = toy().copy()
    del adata.obs["group"], adata.var["landmark_gene"]
    run = run_of(Row("training mean"), how="across")
    found = measure(adata, run, "cpu")
    assert found["counts"] == [1] * 24
    assert np.mean(found["errors"]) == pytest.approx(found["mae"], abs=1e-5)
    assert "mae_apart" not in found
    assert (found["r"], found["cc"]) == (0, 0)


def test_simulated_profiles_are_drawn_by_each_seed():
    world = {"samples": 60, "landmarks": 8}
    run = replace(Row("LSR-L2").run(SMALL | world, 1, None), seed=1)
    found = measure(None, run, "cpu")
    splits = drawn(60, 8, 16, 1, device="cpu")
    assert found["counts"] == [1] * len(splits.test)
    assert found["mae"] != measure(None, replace(run, seed=2), "cpu")["mae"]


def test_linear_rows_are_those_of_scikit_learn():
    runs = [run_of(Row(method)) for method in ("LSR", "LSR-L2")]
    least, ridge = (measure(toy(), run, "cpu") for run in runs)
    s = split(toy(), runs[0].configuration, 0)
    (x, y), (valid_x, valid_y), (test_x, test_y) = (
        (p.x.double().numpy(), p.y.double().numpy())
        for p in (s.train, s.validation, s.test)
    )
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    assert least["mae"] == pytest.approx(np.abs(test_x @ weights - test_y).mean(), 1e-4)
    error = np.abs(valid_x @ weights - valid_y).mean()
    assert least["validation_mae"] == pytest.approx(error, 1e-4)
    errors = {}
    for l2 in STRENGTHS:
        model = Ridge(l2, fit_intercept=False).fit(x, y)
        errors[l2] = np.abs(model.predict(valid_x) - valid_y).mean()
    assert ridge["chosen_l2"] == min(errors, key=errors.get)
    assert ridge["validation_mae"] == pytest.approx(min(errors.values()), 1e-4)


@pytest.mark.parametrize("how", HOW)
def test_a_set_from_a_file_for_a_gpu_machine_gives_the_same(how, tmp_path):
    plain.save(tmp_path / "toy.npz", toy(), {HOW[how]})
    read = plain.read(tmp_path / "toy.npz")
    for row in FEW:
        run = run_of(row, how=how)
        assert measure(read, run, "cpu") == measure(toy(), run, "cpu")


def test_details_are_those_of_the_test_profiles_and_the_epochs(predicted):
    plain, detailed = (run_of(DEEP[-2]) for _ in range(2))
    detailed.configuration["detail"] = True
    before, found = (measure(toy(), run, "cpu") for run in (plain, detailed))
    y = split(toy(), plain.configuration, 0).test.y
    genes = (predicted[1] - y).abs().mean(0)
    np.testing.assert_allclose(found["genes"], genes, atol=1e-4)
    assert len(found["curve"]) == detailed.configuration["epochs"]
    assert min(found["curve"]) == pytest.approx(found["validation_mae"], abs=1e-5)
    assert before == {k: v for k, v in found.items() if k not in ("genes", "curve")}


def test_ridge_keeps_the_error_of_each_gene_when_asked():
    plain, detailed = (run_of(Row("LSR-L2")) for _ in range(2))
    detailed.configuration["detail"] = True
    before, found = (measure(toy(), run, "cpu") for run in (plain, detailed))
    genes = found.pop("genes")
    assert before == found
    assert np.mean(genes) == pytest.approx(found["mae"], abs=1e-4)
    assert np.quantile(genes, [0, 1]) == pytest.approx(
        np.array(found["mae_deciles"])[[0, -1]], abs=1e-4
    )


def test_a_fixed_split_leaves_the_start_to_the_seed():
    runs = [run_of(DEEP[-2], seed, "halves") for seed in range(3)]
    for run in runs[1:]:
        run.configuration["split"] = 0
    tests = [split(toy(), r.configuration, protocol._draw(r)).test for r in runs]
    assert tests[0].samples == tests[1].samples == tests[2].samples
    found = [measure(toy(), run, "cpu") for run in runs]
    assert found[0]["counts"] == found[1]["counts"]
    assert len({record["mae"] for record in found}) == 3


def test_two_seeds_are_the_two_sides_of_a_division():
    one, other, third = (
        split(toy(), run_of(Row("LSR"), seed, "halves").configuration, seed).test
        for seed in range(3)
    )
    assert {*one.samples} | {*other.samples} == {*toy().obs_names}
    assert not {*one.samples} & {*other.samples}
    assert {*third.samples} not in ({*one.samples}, {*other.samples})


# --- The rows -------------------------------------------------------------------


@pytest.mark.parametrize("number", TABLES)
def test_every_row_of_the_paper_has_one_of_ours(number):
    rows = [row for row in TABLES[number].ROWS if not row.ours]
    for _, printed in paper_table(number).iterrows():
        units, layers = (printed.get(f"hidden_{k}", "") for k in ("units", "layers"))
        (row,) = (
            row
            for row in rows
            if row.method == printed["method"]
            and units in ("", str(row.units))
            and layers in ("", str(row.layers))
        )
        assert (row.head, row.batch) == ("xavier", None)  # as in the paper
        rows.remove(row)
    assert not rows


@pytest.mark.parametrize("number", TABLES)
def test_no_two_runs_have_the_same_key(number, monkeypatch):
    experiment = TABLES[number].EXPERIMENT
    monkeypatch.setattr(experiments, "source", source)
    for preset in ("ci", "laptop", "gpu"):
        keys = [
            records.key(run)
            for dataset in experiment.datasets
            for run in experiments.planned(experiment, preset, dataset, False)[1]
        ]
        assert len(set(keys)) == len(keys) > 0


@pytest.mark.parametrize("number", TABLES)
def test_labels_and_sizes_tell_rows_apart(number):
    rows = TABLES[number].ROWS
    told = [(row.label, row.units, row.layers) for row in rows]
    assert len(set(told)) == len(rows)
    known = set(protocol.SHALLOW) | {"training mean"}
    for row, sizes in itertools.product(rows, SIZES.values()):
        run = row.run(sizes, 0, 943)
        assert (row.units is None) == (row.method in known)
        if row.units:
            hidden = [max(row.units // sizes["divide"], 4)] * row.layers
            assert run.configuration["hidden"] == hidden


def test_a_few_rows_are_run_where_a_study_is_left_out():
    for name in LEFT_OUT:
        rows = table_1.rows(table_1.EXPERIMENT.size("ci", name))
        assert sorted(row.label for row in rows) == sorted(table_1.FEW)
