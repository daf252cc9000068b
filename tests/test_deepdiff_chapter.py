"""DeepDiff's rivals and maps, its runs, and the chapter on them."""

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import bootstrap, pearsonr
from sklearn.linear_model import RidgeCV
from sklearn.svm import SVR

from lsmtl import data, lab
from lsmtl.data import companions, fetch
from lsmtl.deepdiff import VARIANTS, DeepDiff, predict
from lsmtl.lab import experiments, gpu, histones, pairs
from lsmtl.lab.chapters import EXPERIMENTS, deepdiff
from lsmtl.lab.experiments import planned, results

M, L = 5, 20
EXPERIMENT = EXPERIMENTS["deepdiff"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of its own for records."""
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path / "records"))


@pytest.fixture(scope="module")
def marks():
    return data.simulate_histones((120, 40, 60), bins=L)


@pytest.fixture(scope="module")
def genes(marks):
    return data.pairs(marks, "A", "B")


# --- Rivals ---------------------------------------------------------------------


def test_marks_in_fewer_bins_are_means_of_neighbours(genes):
    some = genes["test"]
    found = histones.summed(some, 4)
    assert found.shape == (60, 3 * M, 4)
    a, b = some.a.numpy(), some.b.numpy()
    assert np.allclose(found[7, 2, 1], a[7, 2, 5:10].mean(), atol=1e-6)
    assert np.allclose(found[7, M + 2, 1], b[7, 2, 5:10].mean(), atol=1e-6)
    assert np.allclose(found[:, 2 * M :], found[:, :M] - found[:, M : 2 * M], atol=1e-5)
    with pytest.raises(ValueError, match="bins must divide 20, got 6"):
        histones.summed(some, 6)


def test_ridge_sees_differences_and_a_level_its_own_cell_type(genes):
    train, test = genes["train"], genes["test"]
    x, new = ((g.a - g.b).flatten(1).numpy() for g in (train, test))
    want = RidgeCV(histones.ALPHAS).fit(x, train.difference.numpy()).predict(new)
    assert np.allclose(histones.ridge(train, L)(test), want, atol=1e-4)
    x, new = (g.b.flatten(1).numpy() for g in (train, test))
    want = RidgeCV(histones.ALPHAS).fit(x, train.expression_b.numpy()).predict(new)
    assert np.allclose(histones.ridge(train, L, "b")(test), want, atol=1e-4)


def test_the_svr_is_the_best_of_its_strengths(genes):
    train, test = genes["train"], genes["test"]
    found = histones.svr(train, 4)(test)
    x, new = (histones.summed(g, 4).reshape(len(g), -1) for g in (train, test))
    every = [SVR(C=c).fit(x, train.difference).predict(new) for c in histones.C]
    assert any(np.allclose(found, one, atol=1e-6) for one in every)


def test_a_bin_of_two_layers_sees_its_own_marks_only(genes):
    """Signal in one bin: the others' SVRs can't tell, so they can't matter."""
    train, test = genes["train"], genes["test"]
    model = histones.two_layer_svr(train, 4)
    near = model(test)
    a, b = test.a.clone(), test.b.clone()
    a[:, :, 5:10] += 1e3  # the second of four bins, beyond its kernel's reach
    lost = model(dataclasses.replace(test, a=a))
    assert not np.allclose(lost, near)
    b[:, :, 5:10] = torch.randn_like(b[:, :, 5:10])  # nobody reads it any more
    assert np.allclose(model(dataclasses.replace(test, a=a, b=b)), lost)


@pytest.mark.parametrize("name", histones.RIVALS)
def test_rivals_learn_from_training_genes(name, genes):
    model = histones.RIVALS[name](genes["train"], 4, 0)
    found = histones.scores(model(genes["test"]), genes["test"])
    assert found["r_low"] <= found["r"] <= found["r_high"]
    if name == "training mean":
        assert found["r"] == 0
    else:
        assert found["r"] > 0.2
        assert found["mse"] < float((genes["test"].difference ** 2).mean())


def test_the_interval_is_a_percentile_bootstrap():
    rng = np.random.default_rng(1)
    x = rng.normal(size=150)
    y = x + rng.normal(size=150)
    found = histones.interval(x, y)
    want = bootstrap(
        (x, y),
        lambda x, y: pearsonr(x, y).statistic,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=1000,
        rng=2,
    ).confidence_interval
    assert found == pytest.approx([want.low, want.high], abs=0.02)


# --- Maps -----------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_map_of_attention_sums_to_one_and_knows_its_marks(name, genes):
    torch.manual_seed(0)
    network = DeepDiff(name, M, L, hidden=(6, 4)).eval()
    some = genes["test"][:7]
    maps = histones.attention(network, some)
    assert maps.shape == (7, M, L)
    assert torch.allclose(maps.sum((1, 2)), torch.ones(7), atol=1e-5)
    found = predict(network, some)
    levels = 1 if VARIANTS[name].raw else 2
    third = [k for k, (_, mark) in enumerate(network.rows) if mark == 3]
    share = found.mark_attention[:, third].sum(1) / levels
    assert torch.allclose(maps[:, 3].sum(1), share, atol=1e-5)


def test_occlusion_finds_what_a_model_reads(genes):
    def model(genes):
        return (genes.a[:, 2, :5] - genes.b[:, 2, :5]).sum(1).numpy()

    found = histones.occlusion(model, genes["test"], 4)
    assert found.shape == (M, 4)
    assert found[2, 0] > 0.5
    found[2, 0] = 0
    assert not found.any()
    before = genes["test"].a.clone()
    histones.occlusion(model, genes["test"], 4)
    assert torch.equal(genes["test"].a, before)
    with pytest.raises(ValueError, match="regions"):
        histones.occlusion(model, genes["test"], 3)


# --- Runs -----------------------------------------------------------------------

TINY = {
    "world": [[40, 20, 30], 10],
    "bins": 10,
    "genes": [20, 40],
    "all": [40],
    "epochs": 1,
    "hidden": [4, 3],
    "svr_genes": 30,
    "classified": ["Aux"],
    "forms": ["Aux+Siamese"],
}


@pytest.fixture
def tiny(monkeypatch):
    """The experiment with the smallest sizes."""
    monkeypatch.setitem(EXPERIMENT.sizes, "ci", EXPERIMENT.sizes["ci"] | TINY)
    return EXPERIMENT


def test_runs_on_a_simulated_world(tiny):
    runs = results(tiny, "ci", "simulated")
    assert runs["done"].all()
    assert set(runs["method"]) == {*histones.RIVALS, *VARIANTS}
    table = pairs.standing(runs)
    assert [*table.index] == [*pairs.ORDER]
    assert table["relative"][pairs.BASE] == pytest.approx(100)
    assert [*pairs.standing(runs, 20).index] == [*histones.RIVALS, *deepdiff.CURVE]
    main = pairs.main(runs)
    assert len(runs) - len(main) == 2  # classes, and the code's loss
    d = pairs.changes(runs, "Aux", "ridge")
    r = main[main["genes"] == 40].set_index("method")["r"]
    assert d.tolist() == pytest.approx([r["Aux"] - r["ridge"]])
    with_maps = runs[runs["method"].eq("Raw") & runs["genes"].eq(40)].iloc[0]
    attention = np.reshape(with_maps["attention"], (M, 10))
    assert attention.sum() == pytest.approx(1, abs=1e-3)
    assert len(with_maps["occlusion"]) == M * deepdiff.REGIONS


def test_training_genes_are_the_first_and_test_genes_stay(marks):
    c = {"bins": 5, "pair": ["A", "B"], "split": "given"}
    few, all_ = (deepdiff.genes_of(marks, c | {"genes": n}, 0) for n in (30, None))
    assert [len(few[p]) for p in few] == [30, 40, 60]
    assert len(all_["train"]) == 120
    assert torch.equal(few["test"].regulated, all_["test"].regulated)


def test_genes_are_dealt_anew_but_for_the_first_seed(marks):
    c = {"bins": 5, "pair": ["A", "B"], "split": "dealt", "genes": None}
    given, again, other = (deepdiff.genes_of(marks, c, s) for s in (0, 1, 2))
    want = data.pairs(marks, "A", "B", 5)
    assert torch.equal(given["test"].a, want["test"].a)
    for found in (again, other):
        assert [len(found[p]) for p in found] == [120, 40, 60]
        assert not torch.equal(found["test"].regulated, want["test"].regulated)


def test_the_kept_setting_is_the_best_on_validation_genes(genes):
    c = {"tried": [[1e-12, 0.0], [1e-2, 0.0]], "epochs": 8, "batch": 20}
    c |= {"hidden": [8, 8], "auxiliary": "regression", "form": "printed"}
    _, r, chosen = deepdiff.trained("Raw:d", c, genes, 0)
    each = [c | {"tried": [setting]} for setting in c["tried"]]
    alone = [deepdiff.trained("Raw:d", one, genes, 0) for one in each]
    assert r == max(one[1] for one in alone)
    assert chosen == tuple(c["tried"][int(alone[1][1] > alone[0][1])])


# --- Files of the full set ------------------------------------------------------


def write_full(folder, genes=(30, 12, 16), bins=10):
    """Files of nine cell types in the form of the originals, but small."""
    rng = np.random.default_rng(0)
    names = [f"ENSG{i:05d}" for i in range(sum(genes))]
    for cell in fetch.CELLS:
        counts = rng.integers(1, 500, size=len(names))
        lines = [f"{g},{n}" for g, n in zip(names, counts, strict=True)]
        (folder / f"{cell}.expr.csv").write_text("\n".join(lines))
        start = 0
        for part, n in zip(fetch.PARTS, genes, strict=True):
            rows = [
                f"{g}_X_{k}," + ",".join(map(str, rng.integers(0, 9, size=5)))
                for g in names[start : start + n]
                for k in range(1, bins + 1)
            ]
            (folder / f"{cell}.{part}.csv").write_text("\n".join(rows) + "\n")
            start += n


def git_blob(file):
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def full(tmp_path, monkeypatch, tiny):
    """Small files of the full set, with a registry that knows them."""
    folder = tmp_path / "files"
    folder.mkdir()
    write_full(folder)
    rows = fetch.registry()
    for name in fetch.DATASETS["deepdiff-full"]:
        file = folder / name
        known = {"sha256": "", "git_blob": git_blob(file)}
        rows[name] = rows[name] | known | {"bytes": str(file.stat().st_size)}
    monkeypatch.setattr(fetch, "registry", lambda: rows)
    monkeypatch.setenv("LSMTL_DATA", str(folder))
    sizes = {"genes": [30], "all": [30], "world": None, "svr_genes": 20}
    special = EXPERIMENT.special["ci", "deepdiff-full"] | sizes
    monkeypatch.setitem(EXPERIMENT.special, ("ci", "deepdiff-full"), special)
    return folder


def test_ten_pairs_from_the_files_give_a_table_that_shows_without_them(
    full, monkeypatch, tmp_path
):
    runs = results(EXPERIMENT, "ci", "deepdiff-full")
    table = pairs.by_pair(runs)
    assert [*table.index] == ["-".join(pair) for pair in pairs.PAIRS]
    assert [*table] == [*pairs.ORDER]
    assert table.notna().all(axis=None)
    monkeypatch.setenv("LSMTL_DATA", str(tmp_path / "empty"))
    shown = lab.evidence("deepdiff")["deepdiff-full"][0]
    pd.testing.assert_frame_equal(pairs.by_pair(shown), table)


def test_without_files_and_records_nothing_is_downloaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSMTL_DATA", str(tmp_path))
    monkeypatch.setattr(fetch, "_download", lambda *_: pytest.fail("a download"))
    assert planned(EXPERIMENT, "gpu", "deepdiff-full", files=False) == (None, [])
    due = experiments.due(EXPERIMENT, "gpu")
    assert [dataset for dataset, _, runs in due if runs] == ["simulated"]
    assert "deepdiff-full: left out" in capsys.readouterr().err


def test_pairs_of_cell_types_stay_out_of_a_bundle(full, tmp_path):
    due = gpu.bundle(tmp_path / "bundle", "ci", ["deepdiff"])
    assert {run["dataset"] for run in due} == {"simulated"}


def test_the_hash_knows_counts_expression_genes_and_parts(marks):
    def changed(**fields):
        names = ("signal", "expression", "genes", "part")
        found = {name: getattr(marks, name) for name in names}
        return companions.HistoneMarks(**(found | fields))

    signal = {k: v.copy() for k, v in marks.signal.items()}
    signal["B"][3, 2, 1] += 1
    expression = marks.expression.copy()
    expression.iloc[5, 1] += 1
    every = [
        changed(),
        changed(signal=signal),
        changed(expression=expression),
        changed(genes=marks.genes[::-1]),
        changed(part=marks.part[::-1]),
        changed(signal={"A": marks.signal["B"], "B": marks.signal["A"]}),
    ]
    assert len({companions.fingerprint(m) for m in every}) == len(every)
    assert companions.fingerprint(changed()) == companions.fingerprint(marks)
