"""Models of one's own: learned, kept in a file, used on profiles of any number."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lsmtl import __main__ as command
from lsmtl.__main__ import main
from lsmtl.data import select_landmarks, with_landmarks
from lsmtl.inference import (
    METHODS,
    cross_validate,
    infer,
    learn,
    learning_curve,
    load_model,
    methods,
    recommend,
)
from lsmtl.inference.model import _digest, statistics

D, T, N = 6, 9, 60


def world(n=N, seed=0, cohorts=1, shift=0.0):
    """Genes that follow three factors; cohorts may differ in every gene's level."""
    rng = np.random.default_rng(7)
    mix, level = rng.normal(size=(3, D + T)), rng.uniform(5, 9, D + T)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) @ mix + 0.4 * rng.normal(size=(n, D + T)) + level
    cohort = np.arange(n) % cohorts
    x += shift * cohort[:, None] * np.arange(D + T)
    obs = pd.DataFrame(
        {"cohort": cohort.astype(str), "pair": (np.arange(n) // 2).astype(str)},
        index=[f"s{seed}_{i}" for i in range(n)],
    )
    var = pd.DataFrame(
        {"role": ["landmark"] * D + ["target"] * T},
        index=[f"L{i}" for i in range(D)] + [f"T{i}" for i in range(T)],
    )
    uns = {"within": "cohort"} if cohorts > 1 else {}
    return anndata.AnnData(x.astype("f4"), obs, var, uns)


@pytest.fixture(scope="module")
def models():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "STEPS", 20)
        patch.setattr(methods, "INNER", 2)
        return {method: learn(world(), method, folds=2) for method in METHODS}


@pytest.fixture
def model(models):
    return models["ridge"]


def parts(adata):
    landmark = (adata.var["role"] == "landmark").to_numpy()
    return adata.X[:, landmark].astype(float), adata.X[:, ~landmark].astype(float)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_from_its_file_predicts_the_same_bits(models, method, tmp_path):
    models[method].save(tmp_path / "m.safetensors")
    found, new = load_model(tmp_path / "m.safetensors"), world(30, 1)
    assert (found.predict(new).X == models[method].predict(new).X).all()
    assert found.digest == models[method].digest
    assert found.about == models[method].about
    pd.testing.assert_frame_equal(found.expected, models[method].expected)


def scikit(kind, setting):
    inner = (
        Ridge(setting["l2"], fit_intercept=False)
        if kind == "ridge"
        else KernelRidge(alpha=setting["l2"], kernel="rbf", gamma=setting["g"] / D)
    )
    scaled = TransformedTargetRegressor(inner, transformer=StandardScaler())
    return make_pipeline(StandardScaler(), scaled)


@pytest.mark.parametrize("method", ["ridge", "kernel ridge"])
def test_on_raw_units_a_model_is_scikit_learns_pipeline(models, method):
    x, y = parts(world())
    new = world(20, 1)
    reference = scikit(method, models[method].settings).fit(x, y)
    expected = reference.predict(parts(new)[0])
    np.testing.assert_allclose(models[method].predict(new).X, expected, atol=2e-4)


def test_the_training_mean_is_the_mean(models):
    found = models["training mean"].predict(world(5, 1)).X
    np.testing.assert_allclose(found, np.tile(parts(world())[1].mean(0), (5, 1)), 1e-6)


def test_some_centres_are_nystroem_and_near_the_whole(monkeypatch):
    whole = learn(world(), "kernel ridge", folds=2).predict(world(20, 1)).X
    monkeypatch.setattr(methods, "CENTRES", 40)
    some = learn(world(), "kernel ridge", folds=2)
    assert some.weights["centres"].shape == (40, D)
    assert np.abs(some.predict(world(20, 1)).X - whole).mean() < 0.1


def test_expected_errors_are_those_of_another_cross_validation():
    adata = world(cohorts=1)
    found = cross_validate(adata, "training mean", 3, "pair", 4)
    fold = methods.folds(adata.obs["pair"].to_numpy(), 4, 3)
    _, y = parts(adata)
    mae, sd = np.zeros(T), np.zeros(T)
    for k in range(4):
        known, asked = y[fold != k], y[fold == k]
        error = np.abs(asked - known.mean(0))
        mae += error.sum(0) / N
        sd += (error / known.std(0)).sum(0) / N
    np.testing.assert_allclose(found["mae"], mae, rtol=1e-5)
    np.testing.assert_allclose(found["mae_sd"], sd, rtol=1e-5)
    assert list(found.index) == [f"T{i}" for i in range(T)]


def test_expected_errors_hold_for_new_samples(model):
    new = world(2000, 5)
    error = np.abs(model.predict(new).X - parts(new)[1]).mean(0)
    assert model.expected["mae"].mean() == pytest.approx(error.mean(), rel=0.1)
    assert (model.expected["r"] > 0.5).mean() > 0.5


@given(st.integers(0, 99), st.integers(2, 5), st.integers(5, 40))
def test_folds_keep_groups_and_are_even(seed, count, units):
    labels = np.repeat(np.arange(units), 2)
    fold = methods.folds(labels, count, seed)
    assert (fold[::2] == fold[1::2]).all()
    sizes = np.bincount(fold, minlength=count)
    assert np.ptp(sizes) <= 2


def test_order_of_genes_and_other_genes_do_not_matter(model):
    new = world(10, 1)
    order = np.random.default_rng(0).permutation(new.n_vars)
    assert (model.predict(new[:, order]).X == model.predict(new).X).all()
    assert (model.predict(new[:, :D]).X == model.predict(new).X).all()


def test_landmarks_that_are_missing_are_refused_or_filled(model):
    new = world(10, 1)
    lacking = new[:, new.var_names != "L2"]
    with pytest.raises(ValueError, match=r"1 of the model's 6 landmarks.*: L2;"):
        model.predict(lacking)
    found = model.predict(lacking, absent="zero")
    new.X[:, 2] = model.scaling["x_mean"][0, 2]
    np.testing.assert_allclose(found.X, model.predict(new).X, atol=1e-5)
    assert found.uns["inference"]["absent"].tolist() == ["L2"]
    with pytest.raises(ValueError, match="none of the model's 6 landmarks"):
        model.predict(new[:, D:], absent="zero")


def test_landmarks_that_occur_twice_are_refused(model):
    twice = world(5, 1)
    twice.var_names = ["L0", *twice.var_names[:-1]]
    with pytest.raises(ValueError, match=r"1 landmarks occur twice.*L0"):
        model.predict(twice)


def test_values_that_are_no_numbers_are_named(model):
    new = world(5, 1)
    new.X[3, 1] = np.nan
    with pytest.raises(ValueError, match="sample 's1_3', gene 'L1' has nan"):
        model.predict(new)


@pytest.mark.parametrize("change", [np.exp2, lambda x: x - 7, lambda x: x * 10])
def test_another_scale_is_refused(model, change):
    new = world(50, 1)
    new.X = change(new.X)
    with pytest.raises(ValueError, match="another scale than the training data"):
        model.predict(new)
    assert np.isfinite(model.predict(new, anyway=True).X).all()


def test_platforms_are_scaled_each_by_itself():
    adata = world(cohorts=2, shift=3.0)
    model = learn(adata, "ridge", folds=3)
    plain = learn(world(), "ridge", folds=3)
    assert model.platforms == ("0", "1")
    assert model.expected["mae_sd"].mean() < 1.3 * plain.expected["mae_sd"].mean()
    new = world(40, 1, cohorts=2, shift=3.0)
    found = model.predict(new)
    for k in "01":
        rows = new.obs["cohort"] == k
        alone = model.predict(new[rows], platform=k)
        np.testing.assert_allclose(found[rows.to_numpy()].X, alone.X, atol=1e-4)
    new.obs["cohort"] = "7"
    with pytest.raises(ValueError, match=r"has 7; the model knows 0, 1"):
        model.predict(new)
    del new.obs["cohort"]
    with pytest.raises(ValueError, match="no column 'cohort'"):
        model.predict(new)


def test_an_unknown_platform_is_scaled_by_itself(model):
    new = world(50, 1)
    found = model.predict(new, platform="own")
    new.X = 100 + 30 * new.X
    again = model.predict(new, platform="own")
    np.testing.assert_allclose(again.X, found.X, atol=1e-3)
    assert found.uns["inference"]["units"] == "deviations"
    with pytest.raises(ValueError, match="9 profiles are too few"):
        model.predict(new[:9], platform="own")


def test_a_cohort_left_out_is_scored_in_its_own_deviations():
    adata = world(90, cohorts=3, shift=5.0)
    found = cross_validate(adata, "ridge", group="cohort", folds=3)
    within = cross_validate(adata, "ridge", group="pair", folds=3)
    assert found["mae_sd"].mean() == pytest.approx(within["mae_sd"].mean(), rel=0.2)


def test_quantiles_make_monotone_changes_of_a_profile_harmless():
    adata = world()
    adata.uns["normalize"] = "quantile"
    model, new = learn(adata, "ridge", folds=3), world(10, 1)
    before = model.predict(new)
    new.X = np.exp(new.X)
    np.testing.assert_allclose(model.predict(new).X, before.X, atol=1e-4)
    assert not before.uns["inference"]["scale_checked"]


def test_statistics_of_blocks_are_numpys():
    x = np.random.default_rng(0).normal(1e4, 1, size=(50, 3)).astype("f4")
    x[:, 2] = 5
    mean, deviation = statistics([x[:20], x[20:21], x[21:]])
    np.testing.assert_allclose(mean, x.mean(0, dtype=float))
    np.testing.assert_allclose(deviation[:2], x.std(0, dtype=float)[:2])
    assert deviation[2] == np.inf


# Files


def test_any_mutated_byte_of_a_model_is_noticed(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "m.safetensors"
    model.save(path)
    raw = path.read_bytes()

    @settings(
        max_examples=int(os.environ.get("LSMTL_EXAMPLES", "300")),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(1, 255))),
        st.integers(0, 100),
    )
    def mutated(changes, cut):
        found = bytearray(raw)
        for place, by in changes:
            found[place] ^= by
        found = found[: len(found) - cut]
        path.write_bytes(found)
        if bytes(found) == raw:
            assert load_model(path).digest == model.digest
            return
        with pytest.raises(ValueError, match=r"m\.safetensors"):
            load_model(path)

    mutated()


def forged(model, path, about=None, arrays=None):
    """A file whose hash is right and whose content is not."""
    text, own = model._parts
    text = json.dumps(json.loads(text) | (about or {}))
    own = {k: v for k, v in (own | (arrays or {})).items() if v is not None}
    path.write_bytes(save(own, {"lsmtl": text, "sha256": _digest(text, own)}))
    return path


@pytest.mark.parametrize(
    ("about", "arrays", "said"),
    [
        ({"format": 2}, {}, "format"),
        ({"method": "pickle"}, {}, "method"),
        ({"landmarks": ["L0"] * D}, {}, "landmarks occur twice"),
        ({"landmarks": ["L0"]}, {}, "not float32"),
        ({"targets": []}, {}, "targets"),
        ({"settings": {"l2": -1}}, {}, "l2|oneOf|settings"),
        ({"settings": {}}, {}, "l2|settings"),
        ({}, {"weights.coef": np.zeros((D, T))}, "coef is float64"),
        ({}, {"weights.coef": None}, "arrays missing or unknown: weights.coef"),
        ({}, {"weights.more": np.zeros(1, "f4")}, "unknown: weights.more"),
        ({}, {"weights.coef": np.full((D, T), np.nan, "f4")}, "out of range"),
        ({}, {"scaling.x_deviation": np.zeros((1, D))}, "out of range"),
    ],
)
def test_a_file_with_other_content_is_refused(model, tmp_path, about, arrays, said):
    path = forged(model, tmp_path / "m.safetensors", about, arrays)
    with pytest.raises(ValueError, match=rf"m\.safetensors is no model.*({said})"):
        load_model(path)


def test_a_forged_file_without_a_change_is_read(model, tmp_path):
    assert load_model(forged(model, tmp_path / "m.safetensors")).method == "ridge"


def test_a_network_of_another_shape_is_refused(models, tmp_path):
    settings = models["DenseNet"].settings | {"hidden": [100, 50]}
    path = forged(models["DenseNet"], tmp_path / "m", {"settings": settings})
    with pytest.raises(ValueError, match=r"0\.layers.*is float32"):
        load_model(path)


def test_other_files_are_no_models(tmp_path):
    path = tmp_path / "m.safetensors"
    for raw in (b"", b"PK\x03\x04 a zip", b"\x80\x04 a pickle", b"\x89HDF\r\n\x1a\n"):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match="no whole safetensors file"):
            load_model(path)
    path.write_bytes(save({"x": np.zeros(1)}))
    with pytest.raises(ValueError, match="but no model"):
        load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none")


def test_a_file_that_is_there_stays(model, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_text("mine")
    with pytest.raises(ValueError, match="is there already"):
        model.save(path)
    assert path.read_text() == "mine"
    model.save(path, force=True)
    assert load_model(path).digest == model.digest
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="can't be written: No such file"):
        model.save(tmp_path / "none" / "m")


# Streaming


def profiles(folder, kind, adata):
    """The same profiles in a file of any kind, and how to read it."""
    path = folder / f"profiles{kind.removeprefix('csr').removeprefix('rows')}"
    frame = adata.to_df()
    if kind == ".gct":
        lines = [["#1.2"], [adata.n_vars, adata.n_obs]]
        lines += [["Name", "Description", *adata.obs_names]]
        lines += [[g, "", *map(repr, frame[g].tolist())] for g in frame]
        path.write_text("".join("\t".join(map(str, k)) + "\n" for k in lines))
    elif kind == ".gctx":
        with h5py.File(path, "w") as file:
            file.attrs["version"] = "GCTX1.0"
            file["0/DATA/0/matrix"] = adata.X
            for axis, names in (("ROW", adata.var_names), ("COL", adata.obs_names)):
                file[f"0/META/{axis}/id"] = names.to_numpy(object)
    elif kind.endswith(".csv"):
        (frame.T if "rows" in kind else frame).to_csv(path)
    else:
        adata = adata.copy()
        if "csr" in kind:
            adata.X = sparse.csr_matrix(adata.X)
        adata.write_h5ad(path)
    return path, {"genes": "rows"} if "rows" in kind else {}


KINDS = [".h5ad", "csr.h5ad", ".csv", "rows.csv", ".gct", ".gctx"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("platform", [None, "own"])
@pytest.mark.parametrize("rows", [256, 7])
def test_streamed_is_as_in_memory(model, tmp_path, monkeypatch, kind, platform, rows):
    monkeypatch.setattr("lsmtl.inference.streaming.ROWS", rows)
    new = world(30, 1)
    path, how = profiles(tmp_path, kind, new)
    out = infer(model, path, tmp_path / "out.h5ad", platform, landmarks=True, **how)
    found, expected = anndata.read_h5ad(out), model.predict(new, platform)
    assert found.obs_names.tolist() == new.obs_names.tolist()
    assert found.var_names.tolist() == new.var_names.tolist()
    np.testing.assert_array_equal(found.X[:, :D], new.X[:, :D])
    np.testing.assert_allclose(found.X[:, D:], expected.X, atol=1e-5)
    targets = found.var[found.var["role"] == "target"]
    np.testing.assert_allclose(targets["expected_mae"], model.expected["mae"])
    assert found.uns["inference"]["model"] == model.digest
    if "h5ad" in kind:
        pd.testing.assert_frame_equal(found.obs.astype(str), new.obs)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, "out.h5ad"}


def test_landmarks_that_are_absent_do_not_come_along(model, tmp_path):
    new = world(12, 1)[:, 1:].copy()
    new.write_h5ad(tmp_path / "new.h5ad")
    files = tmp_path / "new.h5ad", tmp_path / "out.h5ad"
    out = infer(model, *files, absent="zero", landmarks=True)
    found = anndata.read_h5ad(out)
    assert found.var_names.tolist() == new.var_names.tolist()
    np.testing.assert_array_equal(found.X[:, : D - 1], new.X[:, : D - 1])
    assert found.uns["inference"]["absent"].tolist() == ["L0"]


def test_platforms_are_streamed(tmp_path):
    model = learn(world(cohorts=2, shift=3.0), "ridge", folds=3)
    new = world(20, 1, cohorts=2, shift=3.0)
    for kind in (str, "category"):
        new.obs["cohort"] = new.obs["cohort"].astype(kind)
        new.write_h5ad(tmp_path / "new.h5ad")
        out = infer(model, tmp_path / "new.h5ad", tmp_path / "o.h5ad", force=True)
        found = anndata.read_h5ad(out).X
        np.testing.assert_allclose(found, model.predict(new).X, atol=1e-5)


def bad_values(adata):
    adata.X[17, 3] = np.inf
    return adata


def other_layout(adata):
    adata.X = sparse.csc_matrix(adata.X)
    return adata


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (bad_values, "sample 's1_17', gene 'L3' has inf"),
        (other_layout, "make it dense or CSR"),
        (lambda a: a[:, 1:], "1 of the model's 6 landmarks"),
        (lambda a: a[:0], "no profiles"),
    ],
)
def test_what_can_not_be_used_leaves_no_result(model, tmp_path, change, said):
    change(world(20, 1)).copy().write_h5ad(tmp_path / "new.h5ad")
    with pytest.raises(ValueError, match=said):
        infer(model, tmp_path / "new.h5ad", tmp_path / "out.h5ad")
    assert [p.name for p in tmp_path.iterdir()] == ["new.h5ad"]


@pytest.mark.parametrize("raw", [b"", b"\x89HDF\r\n\x1a\n broken", b"text"])
@pytest.mark.parametrize("kind", [".h5ad", ".gctx", ".gct", ".csv"])
def test_damaged_profiles_are_one_line_and_exit_code_2(
    model, tmp_path, capsys, raw, kind
):
    model.save(tmp_path / "m")
    path = tmp_path / f"new{kind}"
    path.write_bytes(raw)
    out = str(tmp_path / "out.h5ad")
    assert main(["infer", str(tmp_path / "m"), str(path), "-o", out]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert len(list(tmp_path.iterdir())) == 2


FULL = """
import resource, signal, sys
from lsmtl.__main__ import main
import lsmtl.inference
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_disk_that_is_full_is_one_line(model, tmp_path):
    model.save(tmp_path / "m")
    world(10_000, 1)[:, :D].copy().write_h5ad(tmp_path / "new.h5ad")
    files = [str(tmp_path / name) for name in ("m", "new.h5ad", "out.h5ad")]
    command = [sys.executable, "-c", FULL, "infer", *files[:2], "-o", files[2]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "can't be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "new.h5ad"]


# Which method, how many samples


def test_a_curve_falls_and_its_end_is_the_cross_validation():
    curve = learning_curve(world(), ["ridge"], folds=3, sizes=[10, 20, 40])
    mean = curve.groupby("samples")["mae"].mean()
    assert mean[10] > mean[20] > mean[40]
    full = cross_validate(world(), "ridge", folds=3)["mae_sd"].mean()
    assert mean[40] == pytest.approx(full, rel=1e-5)
    with pytest.raises(ValueError, match=r"between 10 and 40.*got 41"):
        learning_curve(world(), ["ridge"], folds=3, sizes=[41])
    with pytest.raises(ValueError, match="folds must be at least 2, got 1"):
        learning_curve(world(), ["ridge"], folds=1)


def test_ten_samples_are_enough_for_a_curve():
    curve = learning_curve(world(10), METHODS[:2])
    assert set(curve["samples"]) == {8}
    assert recommend(curve).enough.startswith("Only 8 samples")


def test_a_curve_goes_where_the_few_samples_are_of_one_group():
    adata = world()
    adata.obs["study"] = (np.arange(N) // 20).astype(str)
    curve = learning_curve(adata, ["ridge"], folds=3, sizes=[10, 40], group="study")
    assert curve["mae"].notna().all()
    assert len(cross_validate(adata[:40], "ridge", 0, "study", 2)) == T


def test_a_platform_too_small_to_be_scaled_is_not_judged():
    adata = world(cohorts=1)
    adata.obs["cohort"] = adata.obs["pair"].replace(["0", "1"], ["odd", "odd"])
    adata.obs.loc[adata.obs["cohort"] != "odd", "cohort"] = "usual"
    adata.uns["within"] = "cohort"
    adata.obs["group"] = np.where(adata.obs["cohort"] == "odd", "0", adata.obs["pair"])
    found = cross_validate(adata, "training mean", 0, "group", 4)
    adata.X[:4] += 100  # of the odd cohort, which no other fold has
    other = cross_validate(adata, "training mean", 0, "group", 4)
    pd.testing.assert_frame_equal(found, other)
    with pytest.raises(ValueError, match="fewer than 10 samples each of odd"):
        cross_validate(adata, "training mean", 0, "cohort", 2)


def made(**means):
    """A curve of two sizes with these errors at the end, five folds."""
    rows = []
    for method, (first, last) in means.items():
        for size, value in ((50, first), (100, last)):
            for fold, noise in enumerate([-0.01, 0.01, 0, 0.005, -0.005]):
                twist = noise if method.startswith("r") else -noise
                rows.append((method.replace("_", " "), size, fold, value + twist))
    return pd.DataFrame(rows, columns=["method", "samples", "fold", "mae"])


def test_the_simpler_of_equals_is_recommended():
    one = made(training_mean=(0.8, 0.8), ridge=(0.6, 0.5), kernel_ridge=(0.6, 0.499))
    advice = recommend(one)
    assert advice.method == "ridge"
    assert "not surely" in advice.reasons[-1]
    assert advice.enough.startswith("Not enough yet")
    other = made(training_mean=(0.8, 0.8), ridge=(0.5, 0.5), kernel_ridge=(0.4, 0.4))
    advice = recommend(other)
    assert advice.method == "kernel ridge"
    assert advice.enough.startswith("From 50 samples on")
    assert "25.0 % higher (" in " ".join(advice.reasons)


def test_where_nothing_is_learned_the_mean_is_recommended():
    adata = world()
    rng = np.random.default_rng(0)
    adata.X[:, D:] = rng.normal(size=(N, T))
    curve = learning_curve(adata, METHODS[:3], folds=3)
    advice = recommend(curve)
    assert advice.method == "training mean"
    assert advice.reasons[-1].startswith("The landmarks tell little")


def test_learning_takes_the_recommended_method():
    curve = learning_curve(world(), METHODS[:2], folds=3)
    model = learn(world(), folds=3, curve=curve)
    assert model.method == "ridge"
    assert model.about["recommendation"] == [*recommend(curve)[1], recommend(curve)[2]]
    assert json.loads(json.dumps(model.about)) == model.about


def test_the_command_from_a_table_to_predictions(tmp_path, capsys):
    world().to_df().to_csv(tmp_path / "own.csv")
    (tmp_path / "genes.txt").write_text("".join(f"L{i}\n" for i in range(D)))
    path = {k: str(tmp_path / k) for k in ("own.csv", "genes.txt", "m", "o.h5ad")}
    learned = ["learn", path["own.csv"], "-o", path["m"], "--method", "ridge"]
    assert main([*learned, "--landmarks", path["genes.txt"]]) == 0
    assert "6 landmarks → 9 targets" in capsys.readouterr().out
    assert main(["infer", path["m"], path["own.csv"], "-o", path["o.h5ad"]]) == 0
    found = anndata.read_h5ad(path["o.h5ad"])
    expected = learn(world(), "ridge").predict(world())
    np.testing.assert_allclose(found.X, expected.X, atol=1e-5)
    assert main([*learned, "--landmarks", "4"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*learned, "--landmarks", "4", "--force"]) == 0
    assert main(["show", path["m"]]) == 0
    assert capsys.readouterr().out.count("4 landmarks → 11 targets") == 2


def test_a_matrix_that_cannot_be_used_is_refused_before_landmarks_are_chosen(
    tmp_path, capsys
):
    for name, x, trouble in (
        ("none", None, "X holds no numbers"),
        ("nan", world().X * np.nan, "sample 's0_0', gene 'L0'"),
    ):
        path = tmp_path / f"{name}.h5ad"
        anndata.AnnData(x, world().obs, world().var).write_h5ad(path)
        command = ["learn", str(path), "-o", str(tmp_path / "m"), "--landmarks", "3"]
        assert main(command) == 2
        assert trouble in capsys.readouterr().err


def test_the_command_offers_all_methods():
    assert list(command.METHODS) == ["recommended", *METHODS]


def test_help_does_not_wait_for_torch():
    code = (
        "import sys\nfrom lsmtl.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'anndata'} & set(sys.modules)"
    )
    assert not subprocess.run([sys.executable, "-c", code], stdout=-3).returncode


def test_a_model_without_expected_errors_can_be_kept(model, tmp_path):
    replace(model, expected=None).save(tmp_path / "m")
    assert load_model(tmp_path / "m").expected is None


def test_a_sparse_matrix_is_learned_from_like_a_dense_one(models):
    adata = world()
    adata.X = sparse.csr_matrix(adata.X)
    found, dense = learn(adata, "ridge", folds=2), models["ridge"]
    assert found.about["data"] == dense.about["data"]
    np.testing.assert_allclose(found.predict(adata).X, dense.predict(world()).X, 1e-6)


def test_an_old_file_is_refused_with_advice(model, tmp_path):
    with h5py.File(tmp_path / "new.h5ad", "w") as file:
        file["X"] = np.zeros((2, D), "f4")
        file["obs"] = file["var"] = np.array([(b"a",)], [("index", "S1")])
    with pytest.raises(ValueError, match=r"before AnnData 0\.7"):
        infer(model, tmp_path / "new.h5ad", tmp_path / "out.h5ad")


def test_landmarks_are_chosen_without_the_fold_that_is_asked():
    adata = world()
    rng = np.random.default_rng(0)
    adata.X[:] = rng.normal(size=adata.shape)  # nothing can be learned
    honest = learn(adata, "ridge", folds=3, select=5)
    assert len(honest.landmarks) == 5
    assert honest.about["selected"] == 5
    fold = methods.folds(np.arange(N).astype(str), 3, 0)
    total, count = np.zeros(D + T), np.zeros(D + T)
    for k in range(3):
        own = select_landmarks(adata[fold != k], 5)
        known = with_landmarks(adata[fold != k], own)
        target = (known.var["role"] == "target").to_numpy()
        said = learn(known, "training mean", folds=2).predict(adata[fold == k]).X
        total[target] += np.abs(said - adata.X[fold == k][:, target]).sum(0)
        count[target] += (fold == k).sum()
    found = cross_validate(adata, "training mean", folds=3, select=5)
    assert set(found.index) == set(adata.var_names[D:])
    np.testing.assert_allclose(found["mae"], (total / count)[D:], rtol=1e-5)


def test_a_block_of_its_own_kind_is_no_other_scale(tmp_path):
    adata = with_landmarks(world(), ["L0"])
    model = learn(adata, "ridge", folds=2)
    many = anndata.concat([adata] * 120, index_unique="-")
    many = many[np.argsort(many[:, "L0"].X[:, 0])].copy()
    first = many[:256, "L0"].X
    with pytest.raises(ValueError, match="another scale"):
        model.check_scale(first)
    many.write_h5ad(tmp_path / "sorted.h5ad")
    infer(model, tmp_path / "sorted.h5ad", tmp_path / "out.h5ad")
    many.X = 100 * many.X
    many.write_h5ad(tmp_path / "large.h5ad")
    with pytest.raises(ValueError, match="another scale"):
        infer(model, tmp_path / "large.h5ad", tmp_path / "none.h5ad")
    assert not (tmp_path / "none.h5ad").exists()
