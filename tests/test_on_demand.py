"""On-demand sets: what the conversions promise, on the real files where they are."""

import anndata
import numpy as np
import pandas as pd
import pytest

from lsmtl import data
from lsmtl.data import companions, fetch, on_demand
from lsmtl.data.preprocess import quantile_normalize, reference_quantiles


def real(name):
    """The dataset, or skip: its files are nowhere to be had."""
    if not fetch.available(name):
        pytest.skip(f"the files of {name} aren't here; `make data` gets them")
    return data.load(name)


# --- The conversion is made once, whole or not at all ---------------------------


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A dataset "toy" of one file, and how often it was converted."""
    file, made = tmp_path / "toy.txt", []
    file.write_text("3")

    def make(files):
        made.append(files["toy.txt"].read_text())
        var = pd.DataFrame({"role": ["landmark", "target"]}, index=["a", "b"])
        return anndata.AnnData(np.full((2, 2), float(made[-1])), var=var)

    monkeypatch.setenv("LSMTL_DATA", str(tmp_path))
    monkeypatch.setattr(fetch, "DATASETS", {"toy": ("toy.txt",)})
    monkeypatch.setattr(fetch, "path", lambda name: tmp_path / name)
    monkeypatch.setattr(on_demand, "MAKERS", {"toy": make})
    return file, made


def test_a_set_is_converted_once(toy):
    _, made = toy
    assert data.load("toy").X.tolist() == data.load("toy").X.tolist() == [[3, 3]] * 2
    assert len(made) == 1


def test_another_file_is_converted_anew(toy):
    file, made = toy
    data.load("toy")
    file.write_text("4")
    assert data.load("toy").X.tolist() == [[4, 4]] * 2
    assert made == ["3", "4"]


def test_a_killed_conversion_is_never_taken_for_whole(toy, monkeypatch):
    file, made = toy

    def killed(self, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(anndata.AnnData, "write_h5ad", killed)
        with pytest.raises(KeyboardInterrupt):
            data.load("toy")
    assert [*(file.parent / "converted").iterdir()] == []
    assert data.load("toy").X[0, 0] == 3
    assert len(made) == 2


def test_a_process_that_died_leaves_nothing_that_counts(toy):
    _, made = toy
    path = on_demand.converted("toy")
    path.rename(path.with_suffix(".99999.part"))  # as if it had died before the rename
    assert data.load("toy").X[0, 0] == 3
    assert len(made) == 2


def test_a_read_only_folder_of_originals_is_left_alone(toy, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setattr(fetch, "_cache", lambda: cache)
    monkeypatch.setattr(fetch, "can_write", lambda place: place == cache)
    assert data.load("toy").X[0, 0] == 3
    assert not (tmp_path / "converted").exists()
    assert len([*(cache / "converted").iterdir()]) == 1


@pytest.mark.parametrize("name", [*on_demand.MAKERS, "school", "mhc", "deepdiff"])
def test_without_files_and_network_the_error_says_what_to_do(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("LSMTL_DATA", str(tmp_path))
    monkeypatch.setattr(fetch, "_cache", lambda: tmp_path)
    nowhere = {  # a port that nobody listens on
        file: row | {"url": "http://127.0.0.1:9/x"}
        for file, row in fetch.registry().items()
    }
    monkeypatch.setattr(fetch, "registry", lambda: nowhere)
    with pytest.raises(FileNotFoundError, match=r"can't be downloaded .*`make data`"):
        data.load(name)


# --- arrays ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def arrays():
    return real("arrays")


def test_arrays_are_297_in_the_gene_space_of_d_gex(arrays):
    assert arrays.shape == (297, 943 + 9520)
    assert (arrays.var["role"] == "landmark").sum() == 943
    counts = arrays.obs["study"].value_counts().to_dict()
    assert counts == {"nakayama": 105, "chowdary": 104, "bladder": 57, "borovecki": 31}
    probes = arrays.var["probes"].str.split(",").explode()
    assert len(probes) == probes.nunique() == 16687
    assert arrays.X.min() >= 0
    assert 10 < arrays.X.max() < 17  # log2 of up to 85,000


def test_a_gene_is_the_mean_log_signal_of_its_probes(arrays):
    import rdata

    raw = rdata.read_rda(fetch.path("borovecki.RData"))["borovecki"]["x"].to_pandas()
    mine = arrays[arrays.obs["study"] == "borovecki"]
    for gene in [*arrays.var_names[:3], *arrays.var_names[-40:]]:
        probes = arrays.var.loc[gene, "probes"].split(",")
        expected = np.log2(np.maximum(raw[probes].to_numpy(), 1)).mean(1)
        found = np.asarray(mine[:, gene].X).ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_targets_that_are_a_landmarks_gene_are_marked(arrays):
    var = arrays.var
    landmarks = set(var.loc[var["role"] == "landmark", "ensembl"])
    targets = var[var["role"] == "target"]
    same = targets["ensembl"].isin(landmarks)
    assert same.sum() == 445
    np.testing.assert_array_equal(targets["landmark_gene"], same)
    assert var.index.is_unique


def test_near_duplicates_of_arrays_never_straddle(arrays):
    """Both preservations of a tumour, and all that are alike beyond doubt."""
    group = arrays.obs["group"].to_numpy(str)
    study = arrays.obs["study"].to_numpy(str)
    chowdary = group[study == "chowdary"]
    np.testing.assert_array_equal(chowdary[::2], chowdary[1::2])
    for name in np.unique(study):
        rows = np.flatnonzero(study == name)
        r = np.corrcoef(arrays.X[rows] - arrays.X[rows].mean(0))
        np.fill_diagonal(r, -1)
        best = r.argmax(1)
        for i, j in enumerate(best):
            if best[j] == i and r[i, j] >= on_demand.ALIKE:
                assert group[rows[i]] == group[rows[j]]
    for seed in range(3):
        splits = data.split(arrays, seed, "group")
        label = dict(zip(arrays.obs_names, group, strict=True))
        parts = [
            {label[sample] for sample in part.samples}
            for part in (splits.train, splits.validation, splits.test)
        ]
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_without_groups_near_duplicates_flatter_the_nearest_neighbour(arrays):
    """The leak that the groups prevent: a test sample's twin in the training set."""

    def neighbour_error(group):
        errors = []
        for seed in range(4):
            s = data.split(arrays, seed, group)
            names = np.array(s.test.samples)
            mine = arrays.obs.loc[names, "study"].to_numpy() == "chowdary"
            x, y = s.test.x.numpy()[mine], s.test.y.numpy()[mine]
            train = s.train.x.numpy()
            d = (x**2).sum(1)[:, None] - 2 * x @ train.T + (train**2).sum(1)
            errors.append(np.abs(s.train.y.numpy()[d.argmin(1)] - y).mean())
        return np.mean(errors)

    assert neighbour_error(None) < neighbour_error("group") - 0.02


def test_arrays_are_mapped_onto_quantiles_of_training_arrays_only(arrays):
    before = data.split(arrays, 0, "group")
    changed = arrays.copy()
    test = changed.obs_names.isin(before.test.samples)
    changed.X[test] *= 4  # another scale, the same order
    after = data.split(changed, 0, "group")
    for part in ("train", "validation", "test"):
        for values in ("x", "y"):
            np.testing.assert_allclose(
                getattr(getattr(after, part), values),
                getattr(getattr(before, part), values),
                atol=1e-5,
            )


# --- rnaseq ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def rnaseq():
    return real("rnaseq")


def by_study(adata):
    return [adata[adata.obs["study"] == s] for s in ("lcl", "colon", "endometrial")]


def test_rnaseq_has_the_genes_that_all_studies_share(rnaseq):
    assert [len(part) for part in by_study(rnaseq)] == [129, 106, 115]
    assert rnaseq.var["role"].value_counts().to_dict() == {
        "landmark": 473,
        "target": 4029,
    }
    assert rnaseq.uns["within"] == "study"
    colon = pd.read_csv(fetch.path("colon_transcriptomics.gz"), sep="\t", index_col=0).T
    symbols = rnaseq.var["symbol"]
    np.testing.assert_array_equal(
        by_study(rnaseq)[1].X, colon[symbols].to_numpy(np.float32)
    )


def test_targets_that_are_a_landmarks_gene_are_equal_to_it_in_rnaseq(rnaseq):
    """Probes differ on an array; RNA-seq has one value a gene: 204 targets leak."""
    targets = rnaseq.var[rnaseq.var["role"] == "target"]
    leaks = targets[targets["landmark_gene"]]
    assert len(leaks) == 204
    for name, symbol in leaks["symbol"].head(10).items():
        assert name != symbol
        np.testing.assert_array_equal(rnaseq[:, name].X, rnaseq[:, symbol].X)


def test_transfer_trains_on_the_shared_genes(arrays, rnaseq):
    lcl, colon, _ = by_study(rnaseq)
    splits = data.transfer(arrays, lcl, colon)
    assert splits.train.x.shape == (297, 473)
    assert splits.test.y.shape == (106, 4029)
    reference = reference_quantiles(arrays[:, [*splits.landmarks, *splits.targets]])
    mapped = quantile_normalize(colon, reference, "unique")
    z = mapped[:, list(splits.targets)].X
    z = (z - z.mean(0, dtype=float)) / np.where(np.ptp(z, 0) > 0, z.std(0), 1)
    np.testing.assert_allclose(splits.test.y, z, atol=2e-3)


def test_absent_landmarks_can_be_filled_with_zeros(arrays, rnaseq):
    lcl, colon, _ = by_study(rnaseq)
    splits = data.transfer(arrays, lcl, colon, absent="zero")
    assert splits.train.x.shape == (297, 943)
    assert splits.test.y.shape == (106, 4029)
    present = np.isin(splits.landmarks, rnaseq.var_names)
    assert present.sum() == 473
    assert not splits.test.x[:, ~present].any()
    assert splits.test.x[:, present].std(0).min() > 0
    assert splits.train.x.std(0).min() > 0


# --- gtex59 ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def gtex59():
    return real("gtex59")


def counts():
    (file,) = fetch.DATASETS["gtex59"]
    return data.read_gct(fetch.path(file), rows=59)


def test_gtex59_has_a_lying_header():
    real("gtex59")
    (file,) = fetch.DATASETS["gtex59"]
    with pytest.raises(ValueError, match=r"has 59 genes, expected 56200.*rows=59"):
        data.read_gct(fetch.path(file))


def test_gtex59_is_split_by_donor(gtex59):
    assert gtex59.shape == (17382, 59)
    assert gtex59.obs["group"].nunique() == 948
    donors = gtex59.obs_names.str.extract("^(GTEX-[^-]+)-", expand=False)
    assert donors.tolist() == gtex59.obs["group"].tolist()


def test_gtex59_is_normalised_by_landmark_counts_only(gtex59):
    raw, landmark = counts(), (gtex59.var["role"] == "landmark").to_numpy()
    assert landmark.sum() == 20
    medians = np.median(raw.X, 0)
    assert medians[landmark].min() >= medians[~landmark].max()
    library = raw.X[:, landmark].sum(1, dtype=float)
    np.testing.assert_allclose(
        gtex59.X, np.log2(1e6 * raw.X / library[:, None] + 1), rtol=1e-5
    )


def test_landmarks_of_gtex59_are_those_that_training_donors_choose(gtex59):
    raw, landmark = counts(), (gtex59.var["role"] == "landmark").to_numpy()
    for seed in range(5):
        train = data.split(gtex59, seed, "group").train
        median = np.median(raw.X[gtex59.obs_names.isin(train.samples)], axis=0)
        assert set(np.argsort(-median)[:20]) == set(np.flatnonzero(landmark))


def test_a_targets_count_reaches_no_other_gene_of_gtex59(gtex59, monkeypatch):
    """With a library size over all genes, landmarks would tell of the targets."""
    raw = counts()
    target = int(np.flatnonzero(gtex59.var["role"] == "target")[0])
    raw.X[::10, target] += 1e5
    monkeypatch.setattr(on_demand, "read_gct", lambda path, rows: raw)
    (file,) = fetch.DATASETS["gtex59"]
    differs = (on_demand.gtex59({file: fetch.path(file)}).X != gtex59.X).any(0)
    assert np.flatnonzero(differs).tolist() == [target]


# --- The companions' sets -------------------------------------------------------


def test_exam():
    frame = data.load("exam")
    assert frame.shape == (4059, 10)
    assert frame["task"].nunique() == 65
    assert abs(frame["y"].mean()) < 0.01
    assert frame["y"].std() == pytest.approx(1, abs=0.01)
    assert frame.notna().all().all()


def test_school():
    frame = real("school")
    assert len(frame) == 15362
    assert frame["task"].nunique() == 139
    assert [*frame][:2] == ["task", "y"]
    assert len([*frame]) == 2 + 28
    assert (frame["x28"] == 1).all()
    assert frame["task"].is_monotonic_increasing
    assert len(frame.attrs["splits"]) == 10
    for train, test in frame.attrs["splits"]:
        assert sorted([*train, *test]) == [*range(15362)]
        assert set(frame["task"].iloc[train]) == set(frame["task"])


def test_mhc():
    frame = real("mhc")
    assert len(frame) == 141224
    assert frame["task"].nunique() == 135
    assert set(frame["y"]) == {-1, 1}
    assert frame["peptide"].str.fullmatch("[A-Z]+").all()


def test_deepdiff():
    found = real("deepdiff")
    assert [*found.signal] == ["E123", "E003"]
    for signal in found.signal.values():
        assert signal.shape == (600, 5, 200)
        assert (signal >= 0).all()
    assert found.marks == companions.MARKS
    assert pd.Series(found.part).value_counts().to_dict() == dict.fromkeys(
        ("train", "valid", "test"), 200
    )
    assert found.expression.shape == (19795, 9)
    assert set(found.genes) <= set(found.expression.index)
    lines = fetch.path("Cell1.train.csv").read_text().splitlines()
    gene, *values = lines[201 - 1 + 2].split(",")  # the third bin of the second gene
    assert gene.startswith(found.genes[1])
    assert found.signal["E123"][1, :, 2].tolist() == [int(v) for v in values]


def test_a_table_has_no_landmarks():
    with pytest.raises(ValueError, match=r"exam has no landmarks, got \['x'\]"):
        data.load("exam", landmarks=["x"])
