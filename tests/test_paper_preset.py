"""Preset `paper`: what it runs on, how large, and what a dry run may not pass for."""

import dataclasses
import runpy

import numpy as np
import pandas as pd
import pytest
import torch

from lsmtl import data, lab
from lsmtl.data import splits as splitting
from lsmtl.data.preprocess import dense
from lsmtl.lab import (
    chapter,
    effects,
    experiments,
    presets,
    protocol,
    records,
    scenarios,
    standings,
    tables,
)
from lsmtl.lab.chapters import EXPERIMENTS, relevance, table_1
from lsmtl.lab.presets import ORIGINALS
from lsmtl.lab.verdicts import Book

SETS = [
    pytest.param(name, dataset, id=f"{name}-{dataset}")
    for name, experiment in EXPERIMENTS.items()
    for dataset in experiment.datasets
    if dataset in ORIGINALS
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which the pipeline has made small originals."""
    folder = tmp_path_factory.mktemp("originals")
    runpy.run_path(str(lab.ROOT / "scripts" / "dry_run.py"))["simulate"](folder)
    return folder


@pytest.fixture
def originals(made, tmp_path, monkeypatch):
    """Small originals where `load` finds them, and a folder of records."""
    monkeypatch.setenv("LSMTL_DATA", str(made))
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path))
    experiments._identity.cache_clear()
    yield tmp_path
    experiments._identity.cache_clear()


@pytest.fixture
def dry(originals, monkeypatch):
    """A dry run on them."""
    monkeypatch.setenv("LSMTL_DRY_RUN", "1")
    return originals


@pytest.fixture
def absent(tmp_path, monkeypatch):
    """No original files, and no records but the committed ones."""
    monkeypatch.setenv("LSMTL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path / "records"))


# --- Sizes -------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_runs_of_preset_paper_and_in_a_dry_run(name, monkeypatch):
    """But for the companions, whose data aren't the paper's."""
    experiment = EXPERIMENTS[name]
    companion = (lab.ROOT / "book" / "companions" / f"{name}.md").exists()
    assert "paper" in experiment.sizes or companion
    for given in ("0", "1"):
        monkeypatch.setenv("LSMTL_DRY_RUN", given)
        sizes = {d: experiment.size("paper", d) for d in experiment.datasets}
        assert any(sizes.values()) is ("paper" in experiment.sizes)
        for dataset, size in sizes.items():
            if size:
                count = None if dataset == "simulated" else 943
                assert list(experiment.runs(size, count))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_original_files_have_no_other_preset_and_paper_no_other_set(name):
    experiment = EXPERIMENTS[name]
    for dataset in experiment.datasets:
        for preset in ("ci", "laptop", "gpu"):
            if preset in experiment.sizes and dataset in ORIGINALS:
                assert experiment.size(preset, dataset) is None
        if dataset not in (*ORIGINALS, *experiment.kept, "simulated"):
            assert experiment.size("paper", dataset) is None


@pytest.mark.parametrize(("name", "dataset"), SETS)
def test_paper_is_as_large_as_the_paper_and_a_dry_run_is_small(
    name, dataset, monkeypatch
):
    experiment = EXPERIMENTS[name]
    full = experiment.size("paper", dataset)
    monkeypatch.setenv("LSMTL_DRY_RUN", "1")
    small = experiment.size("paper", dataset)
    assert full.get("targets") in (None, 9520)
    assert min(full.get("hidden", [3000])) >= 3000
    assert full.get("divide", 1) == 1
    assert full.keys() >= small.keys() - {"seeds"}
    assert full.get("scenario") == small.get("scenario")
    kept = experiment.special.get(("paper", dataset), {})
    for key in small.keys() - kept.keys() - {"seeds", "scenario"}:
        assert small[key] == experiment.sizes["ci"][key]


def test_simulated_data_have_the_sizes_of_gpu_or_are_left_out():
    for experiment in EXPERIMENTS.values():
        if "simulated" in experiment.datasets and "gpu" in experiment.sizes:
            gpu = experiment.size("gpu", "simulated")
            assert experiment.size("paper", "simulated") == gpu


# --- The data ----------------------------------------------------------------------


def test_the_split_is_the_fixed_one_whatever_the_seed_and_values_stay(originals):
    adata = scenarios.load("geo")
    for seed, group in ((0, "group"), (5, None)):
        splits = data.split(adata, seed, group)
        for part in ("train", "validation", "test"):
            mine = getattr(splits, part)
            rows = adata[adata.obs["use"] == part]
            assert list(mine.samples) == list(rows.obs_names)
            assert np.array_equal(mine.x, dense(rows[:, list(splits.landmarks)]))
            assert np.array_equal(mine.y, dense(rows[:, list(splits.targets)]))
    assert torch.allclose(splits.train.y.mean(0), torch.zeros(1), atol=1e-5)


def test_another_split_of_them_is_scaled_by_its_own_training_rows(originals):
    adata = scenarios.load("geo")
    for halves in data.two_halves(adata, 0, "group"):
        assert torch.allclose(halves.train.y.mean(0), torch.zeros(1), atol=1e-5)
        spread = halves.train.y.std(0, correction=0)
        assert torch.allclose(spread, torch.ones(1), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda use: use.replace("test", "tset"), r"obs\[\"use\"\] must be one of"),
        (lambda use: use.replace("test", "train"), "no sample .* 'test'"),
        (lambda use: use.where(use != "test"), "missing for"),
    ],
)
def test_a_use_that_is_wrong_or_missing_is_refused(originals, change, message):
    adata = scenarios.load("geo")
    adata.obs["use"] = change(adata.obs["use"].astype(object))
    with pytest.raises(ValueError, match=message):
        data.split(adata)


def test_across_platforms_training_rows_of_geo_train_and_nothing_else(originals):
    geo, rnaseq = data.load("geo"), data.load("geo-rnaseq")
    adata = scenarios.load("geo-gtex")
    c = {"scenario": "across", "targets": None, "group": "use"}
    for seed in (0, 3):
        splits = protocol.split(adata, c, seed)
        use = geo.obs["use"] == "train"
        assert list(splits.train.samples) == list(geo.obs_names[use])
        platform = rnaseq.obs["platform"]
        for part, name in (("validation", "1000G"), ("test", "GTEx")):
            mine = getattr(splits, part)
            rows = rnaseq[platform == name]
            assert list(mine.samples) == list(rows.obs_names)
            assert np.allclose(mine.y, dense(rows[:, list(splits.targets)]), atol=1e-5)
        train = geo[use.to_numpy(), list(splits.targets)]
        assert np.allclose(splits.train.y, dense(train), atol=1e-5)


def test_samples_of_a_gtex_donor_are_a_group_and_others_are_alone():
    import anndata

    names = ["GTEX-AB12-0011", "GTEX-AB12-0226", "GTEX-C9-1", "HG00096", "GSM1"]
    adata = anndata.AnnData(np.zeros((5, 1)), pd.DataFrame(index=names))
    group = scenarios.grouped(adata).obs["group"]
    assert list(group) == ["GTEX-AB12", "GTEX-AB12", "GTEX-C9", "HG00096", "GSM1"]
    adata.obs["group"] = "one"
    assert set(scenarios.grouped(adata).obs["group"]) == {"one"}


def test_the_hash_knows_the_fixed_split(originals):
    adata = scenarios.load("geo")
    before = data.fingerprint(adata, "group")
    adata.obs["use"] = adata.obs["use"].to_numpy()[::-1]
    assert data.fingerprint(adata, "group") != before


def test_many_test_groups_are_pooled_without_changing_the_mean(monkeypatch):
    run = experiments.Run(
        "LSR-L2",
        {"scenario": "within", "targets": 30, "group": "group"},
        0,
    )
    adata = data.load("breast")
    protocol._cases.clear()
    plain = protocol.measure(adata, run, "cpu")
    monkeypatch.setattr(protocol, "GROUPS", 7)
    pooled = protocol.measure(adata, run, "cpu")
    assert len(plain["counts"]) > 7 == len(pooled["counts"])
    assert sum(plain["counts"]) == sum(pooled["counts"])
    for found in (plain, pooled):
        mean = np.average(found["errors"], weights=found["counts"])
        assert mean == pytest.approx(found["mae"], abs=1e-4)


# --- Without files, without a GPU ---------------------------------------------------


def test_without_the_files_the_error_says_how_to_make_them(absent, monkeypatch):
    monkeypatch.setattr(chapter, "need_gpu", lambda preset: None)
    with pytest.raises(FileNotFoundError, match=r"make data DGEX=/path"):
        lab.start("table-1", preset="paper", dataset="geo")


def test_without_a_gpu_preset_paper_is_refused_but_not_a_dry_run(dry, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert lab.start("table-1", preset="paper", dataset="geo").adata.n_obs > 200
    monkeypatch.delenv("LSMTL_DRY_RUN")
    with pytest.raises(ValueError, match="preset paper needs a GPU"):
        lab.start("table-1", preset="paper", dataset="geo")


@pytest.mark.parametrize(
    ("preset", "dataset", "allowed"),
    [
        ("paper", "breast", "geo, geo-gtex"),
        ("laptop", "geo", "breast, arrays"),
        ("paper", "goe", "geo-gtex, the path of a file"),
    ],
)
def test_what_does_not_go_together_is_refused_with_what_does(preset, dataset, allowed):
    with pytest.raises(ValueError, match=allowed):
        lab.start("table-1", preset=preset, dataset=dataset)


def test_a_word_for_the_dry_run_is_refused(monkeypatch):
    monkeypatch.setenv("LSMTL_DRY_RUN", "yes")
    with pytest.raises(ValueError, match=r"0 or 1.*yes"):
        presets.dry_run()


def test_without_records_pages_show_what_they_showed(absent):
    for name, experiment in EXPERIMENTS.items():
        assert not {*ORIGINALS} & {*chapter.evidence(name)}
        for dataset in ORIGINALS:
            if dataset in experiment.datasets:
                assert experiments.planned(experiment, "paper", dataset, False)[1] == []
    found = standings.evidence(EXPERIMENTS["table-1"], table_1.rows)
    assert not {*ORIGINALS} & {*found}
    assert "geo" not in Book().runs("ablations")
    pair = {"method": "ridge", "rule": "honest"}, {"method": "ridge", "rule": "honest"}
    shown = effects.compared("raw-to-tensors", *pair)
    assert "geo" not in [effect.dataset for effect in shown]


# --- Records -----------------------------------------------------------------------


def quick():
    """An experiment that is fast."""
    return EXPERIMENTS["raw-to-tensors"]


def test_a_dry_run_is_recorded_and_shown_as_one_and_counts_nowhere_else(
    dry, monkeypatch
):
    runs = experiments.results(quick(), "paper", "geo")
    assert runs["done"].all()
    every = records.read(quick().name).values()
    mine = [record for record in every if record["dataset"] == "geo"]
    assert {record["preset"] for record in mine} == {"dry run"}
    assert {record["device"] for record in mine}.isdisjoint({"cuda"})
    badge = chapter.evidence(quick().name)["geo"][1]
    assert "dry run · geo" in badge and "lsmtl-dry-run" in badge
    assert "paper" not in badge
    monkeypatch.delenv("LSMTL_DRY_RUN")
    assert "geo" not in chapter.evidence(quick().name)
    assert not [r for r in records.read(quick().name).values() if r["dataset"] == "geo"]


def test_records_of_a_dry_run_are_kept_out_of_the_committed_ones(dry, monkeypatch):
    monkeypatch.setattr(records, "COMMITTED", dry)
    with pytest.raises(ValueError, match="dry run don't belong"):
        experiments.results(quick(), "paper", "geo")
    assert not [*dry.glob("*.jsonl")]
    monkeypatch.delenv("LSMTL_RECORDS")
    assert records.folder().name == "dry-run"


def test_records_of_preset_paper_show_without_the_files(originals, monkeypatch):
    """On a laptop, after a GPU machine has made them."""
    monkeypatch.setattr(experiments, "on_gpu", lambda preset: False)
    small = quick().sizes["ci"] | {"rules": ("honest",), "seeds": 1}
    sizes = {"ci": quick().sizes["ci"], "laptop": small, "paper": {}}
    experiment = dataclasses.replace(quick(), sizes=sizes, special={})
    monkeypatch.setitem(EXPERIMENTS, experiment.name, experiment)
    assert experiments.results(experiment, "paper", "geo")["done"].all()
    monkeypatch.setenv("LSMTL_DATA", str(originals / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(originals / "cache"))
    with pytest.raises(FileNotFoundError):
        data.load("geo")
    runs, badge = chapter.evidence(experiment.name)["geo"]
    assert runs["done"].all() and "paper · geo" in badge
    known = records.read(experiment.name)
    newest = max(known.values(), key=lambda record: record["date"])
    later = newest | {"data": "f" * 64, "date": "9999-01-01T00:00:00"}
    records.write(later)  # other files: the earlier records don't count any more
    assert "geo" not in chapter.evidence(experiment.name)


# --- Words -------------------------------------------------------------------------


def test_on_the_papers_data_its_numbers_are_compared_themselves():
    rows = [row for row in table_1.ROWS if row.method in ("LSR", "DenseNet", "KNN")]
    rows = [row for row in rows if not row.ours]
    paper = lab.paper_table(1).set_index("method", drop=False)
    theirs = [float(paper["geo_mae"][row.method]) for row in rows]
    theirs_cc = [float(paper["geo_cc"][row.method]) for row in rows]
    lines = pd.DataFrame({"row": rows})
    lines["mae"] = np.array(theirs) * [1.009, 0.989, np.nan]
    lines["cc"] = np.add(theirs_cc, [0.009, -0.011, np.nan])
    item = standings.Evidence("geo", rows, None, "<mark>")
    (shown,) = tables.on_originals(
        {"geo": item}, {"geo": lines}, lambda r: r.label, paper, lambda r: r.method
    )
    found = shown.data
    assert "<mark>" in found and found.count("✓ matches") == 2
    assert found.count("≠ differs") == 2 and found.count("– not run") == 2
    (sentence,) = tables.on_originals({}, {}, None, paper, None)
    assert "not run" in sentence.data


# --- A file of one's own -----------------------------------------------------------


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file with roles and nothing else."""
    import anndata

    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path / "records"))
    made = data.simulate(60, 10, 30, 0)
    var = made.var[["role"]].astype(str).astype(object)
    obs = pd.DataFrame(index=[f"s{i}" for i in range(60)])
    path = tmp_path / "my mouse.h5ad"
    anndata.AnnData(np.asarray(made.X), obs, var).write_h5ad(path)
    return path


def test_a_chapter_runs_on_a_file(file):
    found = lab.start("raw-to-tensors", preset="ci", dataset=str(file))
    assert "ci · my mouse.h5ad" in found.badge
    assert found.results()["done"].all()
    names = [r["dataset"] for r in records.read("raw-to-tensors").values()]
    assert names.count("my mouse.h5ad") == len(found.results())
    assert list(EXPERIMENTS["raw-to-tensors"].datasets).count(str(file)) == 0


def test_a_chapter_that_needs_more_than_profiles_refuses_a_file(file):
    with pytest.raises(ValueError, match="cost doesn't run on a file, only on sim"):
        lab.start("cost", preset="ci", dataset=str(file))
    with pytest.raises(ValueError, match="no file"):
        lab.start("table-1", preset="ci", dataset=str(file) + ".h5ad")
    with pytest.raises(ValueError, match="preset paper must be one of geo"):
        lab.start("table-1", preset="paper", dataset=str(file))


def test_profiles_without_labels_are_of_one_kind(file):
    adata = scenarios.load(str(file))
    kinds = relevance.kinds(adata, adata.obs_names)
    assert set(kinds) == {relevance.UNLABELLED}


def test_uses_are_numbered_as_parts(originals):
    adata = scenarios.load("geo")
    names = np.array(["train", "validation", "test"])
    assert (names[splitting.uses(adata)] == adata.obs["use"].astype(str)).all()
