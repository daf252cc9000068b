"""D-GEX's original files: every step against plain NumPy, kills, and what is wrong."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.spatial
import scipy.stats
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from lsmtl import data
from lsmtl.data import fetch, originals
from lsmtl.data.datasets import validate
from lsmtl.data.gctx import MATRIX
from lsmtl.data.on_demand import STUDIES
from lsmtl.data.originals import duplicates, files, pipeline, stages, work
from lsmtl.data.originals.simulated import write_originals
from lsmtl.data.splits import partition

quick = settings(deadline=None, max_examples=40, derandomize=True)
BLOCK = 64


def write_maps(folder, landmarks=8, targets=30):
    """Small maps: genes of one to three probes, two genes that share a probe and id."""
    rng, probe, found = np.random.default_rng(0), 0, {}
    for file, count in (("map_lm.txt", landmarks), ("map_tg.txt", targets)):
        lines = []
        for i in range(count):
            own = [f"{p}_at" for p in range(probe, probe + rng.integers(1, 4))]
            probe += len(own)
            ensembl = f"ENSG{file[4:6]}{i:05d}"
            if file == "map_tg.txt" and i == 0:  # the first landmark, measured again
                own, ensembl = [*own, "0_at"], "ENSGlm00000"
            lines.append(f"{file[4]}{i}\t{ensembl}\t{','.join(own)}\n")
        found[file] = folder / file
        found[file].write_text("".join(lines))
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Simulated files, their maps, what must be removed, and the products of both."""
    folder = tmp_path_factory.mktemp("originals")
    maps = write_maps(folder)
    sizes = {"probes": 120, "gtex": (30, 60), "geuvadis": (20, 50)}
    truth = write_originals(
        folder / "in", maps, samples=300, families=4, copies=9, **sizes
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "BLOCK", BLOCK)
        report, paths = originals.prepare(folder / "in", "both", folder / "out", maps)
    return SimpleNamespace(
        folder=folder / "in",
        maps=maps,
        truth=truth,
        report=report,
        paths={path.name: path for path in paths},
    )


@pytest.fixture
def own(small, tmp_path, monkeypatch):
    """A copy of the files that may be changed, and where to put what is made."""
    monkeypatch.setattr(stages, "BLOCK", BLOCK)
    shutil.copytree(small.folder, tmp_path / "in")

    def prepare(conventions="both"):
        out = tmp_path / "out"
        return originals.prepare(tmp_path / "in", conventions, out, small.maps)

    return SimpleNamespace(
        folder=tmp_path / "in", out=tmp_path / "out", maps=small.maps, prepare=prepare
    )


def table(path):
    """A GCTX file as DataFrame, read by hand."""
    with h5py.File(path) as file:
        names = [
            [text.decode() for text in file[f"/0/META/{axis}/id"][()]]
            for axis in ("COL", "ROW")
        ]
        return pd.DataFrame(file[MATRIX][()], *names)


# --- Equality with NumPy, step by step ---------------------------------------------


def plain_removed(values):
    """All distances: which rows have an earlier one closer than 1, and the first."""
    near = scipy.spatial.distance.cdist(values, values)
    found = {}
    for j, d in enumerate(near):
        if (d[:j] < 1).any():
            found[j] = int(np.argmax(d[:j] < 1)), d[np.argmax(d[:j] < 1)]
    return found


def plain_standardized(values, known, offset):
    mean, deviation = values[known].mean(0), values[known].std(0)
    return (values - mean) / (deviation + offset)


def plain_genes(folder, maps):
    """Kept arrays by gene, 1000G and GTEx by gene; DataFrames."""
    geo, gtex = (table(folder / name) for name in (files.GEO, files.GTEX))
    text = pd.read_csv(folder / files.GEUVADIS, sep="\t", index_col=0)
    geuvadis = text.iloc[:, 3:].T.astype(np.float32)
    genes = pd.concat(pd.read_csv(m, sep="\t", header=None) for m in maps.values())
    wide = geo.to_numpy(np.float64)
    kept = [*{*range(len(geo))} - {*plain_removed(wide)}]
    where = {probe: i for i, probe in enumerate(geo.columns)}
    own = [[where[p] for p in probes.split(",")] for probes in genes[2]]
    wide = wide[kept]
    values = np.stack([wide[:, p].mean(1) for p in own], axis=1)
    parts = [pd.DataFrame(np.float32(values), geo.index[kept])]
    for platform in (geuvadis, gtex):
        ids = [name.split(".")[0] for name in platform.columns]
        parts.append(platform.iloc[:, [ids.index(gene) for gene in genes[1]]])
    return parts


def plain(arrays, platforms, convention):
    """What the products must hold, from the descriptions of D-GEX and of ours."""
    values, ours = arrays.to_numpy(), convention == "ours"
    use = partition(len(values), 0, (0.8, 0.1, 0.1))
    known = use == 0 if ours else use >= 0
    reference = np.sort(values, axis=1)[known].mean(0, dtype=np.float64)
    reference = reference.astype(np.float32)
    G, rows = len(reference), np.arange(len(reference))
    rank = scipy.stats.rankdata(values, axis=1) - 1
    if ours:
        values = np.float32([np.interp(r, rows, reference) for r in rank])
    else:
        values = reference[np.floor(rank).astype(int)]
    z = plain_standardized(values.astype(np.float64), known, 0 if ours else 1e-3)
    order = np.argsort(use, kind="stable")
    found = {"geo": pd.DataFrame(z[order], arrays.index[order])}
    parts = []
    for platform in platforms:
        u = scipy.stats.rankdata(platform, "dense", axis=1)
        U = u.max(1, keepdims=True)
        if ours:
            mapped = np.interp((u - 1) / (U - 1) * (G - 1), rows, reference)
        else:
            mapped = reference[u * G // U - 1]
        mapped = mapped.astype(np.float32).astype(np.float64)
        flat = mapped.min(0) == mapped.max(0)  # ours gives it the deviation 1
        mapped[:, flat] = 0
        offset = flat if ours else 1e-3
        scaled = plain_standardized(mapped, np.full(len(mapped), True), offset)
        parts.append(pd.DataFrame(scaled, platform.index))
    found["geo-rnaseq"] = pd.concat(parts)
    return found, reference, use


def check(folder, maps, out):
    arrays, *platforms = plain_genes(folder, maps)
    for convention, suffix in (("ours", ""), ("dgex", "-dgex")):
        expected, reference, use = plain(arrays, platforms, convention)
        for name, table in expected.items():
            found = anndata.read_h5ad(out / f"{name}{suffix}.h5ad")
            assert found.X.dtype == np.float32
            assert [*found.obs_names] == [*table.index]
            np.testing.assert_allclose(found.X, table, rtol=1e-4, atol=2e-5)
            assert found.uns["conventions"] == convention
            np.testing.assert_array_equal(found.uns["reference"], reference)
            if name == "geo":
                uses = np.array(stages.USES)[np.sort(use)]
                assert [*found.obs["use"]] == [*uses]


def test_products_are_those_of_plain_numpy(small):
    check(small.folder, small.maps, small.paths["geo.h5ad"].parent)


def test_with_ties_too(own):
    with h5py.File(own.folder / files.GEO, "r+") as file:
        file[MATRIX][:] = np.round(file[MATRIX][:])
    own.prepare()
    check(own.folder, own.maps, own.out)


def test_the_real_arrays_come_out_as_those_of_plain_numpy(tmp_path):
    if not fetch.available("arrays"):
        pytest.skip("the files of arrays aren't here; `make data` gets them")
    import rdata

    maps = {name: fetch.path(name) for name in fetch.GENES}
    sizes = {"probes": 16_687, "gtex": (6, 10_500), "geuvadis": (4, 10_500)}
    write_originals(tmp_path / "in", maps, samples=2, families=0, **sizes)
    parts = []
    for study in STUDIES:
        x = rdata.read_rda(fetch.path(f"{study}.RData"))[study]["x"]
        columns = x.coords["dim_1"].to_numpy().astype(str)
        x = np.log2(np.maximum(x.to_numpy(), 1)).astype(np.float32)
        parts.append(pd.DataFrame(x, columns=columns))
    arrays = pd.concat(parts, join="inner", ignore_index=True)
    arrays = pd.concat([arrays, arrays.iloc[[7, 50]] + np.float32(0.006)])
    with h5py.File(tmp_path / "in" / files.GEO, "w") as file:
        file.attrs["version"] = "GCTX1.0"
        file[MATRIX] = arrays.to_numpy()
        file["/0/META/COL/id"] = [f"a{i}" for i in range(len(arrays))]
        file["/0/META/ROW/id"] = [*arrays.columns]
    originals.prepare(tmp_path / "in", "both", tmp_path / "out", maps)
    check(tmp_path / "in", maps, tmp_path / "out")
    removed = pd.read_csv(tmp_path / "out" / "geo-duplicates.csv")
    assert [*removed["removed"].iloc[-2:]] == ["a240", "a241"]
    assert [*removed["repeats"].iloc[-2:]] == ["a7", "a50"]


# --- Duplicates --------------------------------------------------------------------


def test_planted_duplicates_are_found_and_no_others(small):
    found = pd.read_csv(small.paths["geo-duplicates.csv"])
    assert [*found["removed"]] == [*small.truth["removed"]]
    assert [*found["repeats"]] == [*small.truth["repeats"]]
    np.testing.assert_allclose(found["distance"], small.truth["distance"], atol=1e-4)
    assert len(found) == 4 * (2 + 1 + 0 + 2 + 1 + 2) + 8
    values = table(small.folder / files.GEO)
    expected = plain_removed(values.to_numpy(np.float64))
    assert [*values.index[[*expected]]] == [*found["removed"]]
    assert not {*found["removed"]} & {*data.load(small.paths["geo.h5ad"]).obs_names}


@quick
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 12))
def test_twins_are_those_of_all_distances(seed, n, probes):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, probes)).astype(np.float32) * 2 / np.sqrt(probes)
    values = values[rng.integers(n, size=n)]  # some twice
    basis = duplicates.directions(values, 3)
    projections = values.astype(np.float64) @ basis
    first = duplicates.first_equal(values.view(np.uint8).reshape(n, -1))
    wide = values.astype(np.float64)
    twin, distance = duplicates.earlier_twin(
        range(n),
        scipy.spatial.KDTree(projections),
        projections,
        first,
        lambda a, b: True,
        lambda a, b: np.sqrt(np.square(wide[a] - wide[b]).sum()),
    )
    expected = plain_removed(wide)
    assert {j: (twin[j], distance[j]) for j in np.flatnonzero(twin >= 0)} == expected


@quick
@given(st.integers(0, 2**32 - 1))
def test_neither_projections_nor_genes_are_farther_apart_than_probes(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(10, 40)) ** 3
    near = values @ duplicates.directions(values, 6)
    own = [rng.choice(40, rng.integers(1, 9), replace=False) for _ in range(25)]
    starts = np.cumsum([0, *map(len, own[:-1])])
    weights = duplicates.gene_weights(np.concatenate(own), starts, 40)
    genes = np.stack([values[:, p].mean(1) for p in own], axis=1) * np.sqrt(weights)
    limit = np.linalg.norm(values[:, None] - values, axis=2) + 1e-9
    for shorter in (near, genes):
        assert (np.linalg.norm(shorter[:, None] - shorter, axis=2) <= limit).all()


def test_equal_samples_make_no_pairs_of_all_with_all(monkeypatch):
    compared = []
    n, first = 3000, np.zeros(3000, dtype=int)
    projections = np.zeros((n, 4))
    twin, _ = duplicates.earlier_twin(
        range(n),
        scipy.spatial.KDTree(projections),
        projections,
        first,
        None,
        compared.append,
    )
    assert (twin[1:] == 0).all() and twin[0] == -1
    assert not compared


# --- What is kept, and where -------------------------------------------------------


def test_the_division_of_the_paper_comes_out():
    twin = np.full(129_158, -1)
    twin[np.random.default_rng(0).permutation(len(twin))[:18_149]] = 0
    use = stages.divide(twin)
    assert [(use == u).sum() for u in (-1, 0, 1, 2)] == [18_149, 88_807, 11_101, 11_101]
    assert ((use < 0) == (twin == 0)).all()


def test_products_are_loaded_by_name(small, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LSMTL_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"geo\.h5ad .*make data DGEX=/path"):
        data.load("geo")
    shutil.copytree(small.paths["geo.h5ad"].parent, tmp_path / "converted")
    geo, rnaseq = data.load("geo"), data.load("geo-rnaseq-dgex")
    assert [*geo.var["role"]] == ["landmark"] * 8 + ["target"] * 30
    assert [*geo.var_names] == [*rnaseq.var_names]
    uses = rnaseq.obs.groupby("platform", observed=True)["use"].unique()
    assert {k: [*v] for k, v in uses.items()} == {
        "1000G": ["validation"],
        "GTEx": ["test"],
    }
    raw = table(small.folder / files.GEO)
    assert [*raw.index[geo.obs["row"]]] == [*geo.obs_names]
    monkeypatch.setattr(fetch, "DATASETS", {})
    assert fetch.main([]) == 0
    assert capsys.readouterr().out.count("made of D-GEX's files, there") == 4


def test_a_new_profile_can_be_put_on_the_scale(small):
    """Reference, means and deviations of the product are those that it was made by."""
    geo = data.load(small.paths["geo.h5ad"])
    raw = table(small.folder / files.GEO).loc[geo.obs_names[5]].astype(np.float64)
    genes = np.float32([raw[p.split(",")].mean() for p in geo.var["probes"]])
    new = anndata.AnnData(genes[None], var=geo.var[[]])
    new = data.preprocess.quantile_normalize(new, geo.uns["reference"])
    new = data.preprocess.standardize(new, geo.var["mean"], geo.var["deviation"])
    np.testing.assert_array_equal(new.X[0], geo.X[5])


def test_the_report_tells_what_happened(small):
    unused = pd.read_csv(small.paths["geo-unused.csv"])
    counts = unused.groupby("file")["name"].count()
    genes = pd.read_csv(small.maps["map_tg.txt"], sep="\t", header=None)
    assert counts[files.GTEX] == 60 - 37
    again = unused["reason"].str.contains("comes first")
    assert [*unused.loc[again, "name"]] in (["ENSGlm00000.0"], ["ENSGlm00000.1"])
    assert len(genes) == 30
    kept = 300 - len(small.truth)
    assert f"300 arrays; {len(small.truth)} removed" in small.report
    assert f"{kept} kept" in small.report
    assert small.report == small.paths["geo-report.md"].read_text()
    for stage in ("GTEx", "directions", "probes to genes", "duplicates", "quantiles"):
        assert f"\n| {stage} |" in small.report


def test_looking_at_a_large_matrix_takes_little_memory():
    values = np.zeros((5000, 1000), np.float32)
    roles = pd.DataFrame({"role": ["landmark", "target"] * 500}, map(str, range(1000)))
    adata = anndata.AnnData(values, var=roles)
    for look in (validate, data.fingerprint):
        tracemalloc.start()
        look(adata)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert used < 0.7 * values.nbytes


# --- Kills -------------------------------------------------------------------------


class Killed(BaseException):
    """What no code expects."""


def content(folder):
    """The bytes of all that is made but the report, which tells times."""
    kinds = (".h5ad", ".csv")
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in kinds}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_at_any_file_goes_on_with_the_same_bytes(
    own, small, monkeypatch, when
):
    """Every run may file a file more than the one before, so that they get on."""
    expected, replace = content(small.paths["geo.h5ad"].parent), os.replace
    read, rows, count, last = files.Gctx.read, [], [0], [1]

    def killing(*paths):
        count[0] += 1
        if when == "after":
            replace(*paths)
        if count[0] == last[0]:
            raise Killed
        if when == "before":
            replace(*paths)

    def counted(self, start, stop, minimum=None):
        rows.append((self.path.name, start, stop))
        return read(self, start, stop, minimum)

    monkeypatch.setattr(os, "replace", killing)
    monkeypatch.setattr(files.Gctx, "read", counted)
    while True:
        last[0] += 1
        count[0] = 0
        try:
            own.prepare()
            break
        except Killed:
            whole = content(own.out)  # what has its name is whole
            assert whole.items() <= expected.items()
    assert last[0] >= 8
    assert content(own.out) == expected
    assert not (own.out / "geo.work").exists()
    blocks = [r for r in rows if r[0] == files.GEO and r[2] - r[1] > 1]
    assert len(blocks) - len({*blocks}) < last[0]
    if when == "after":
        assert len(blocks) == len({*blocks})


@pytest.mark.parametrize("k", [1, 4, 9, 14, 21])
def test_a_block_that_is_not_filed_is_made_again(own, small, monkeypatch, k):
    count, sync = [0], work.Rows.sync

    def killing(self):
        count[0] += 1
        if count[0] == k:
            self.file.seek(self.offset)
            raise Killed
        sync(self)

    with monkeypatch.context() as patch:
        patch.setattr(work.Rows, "sync", killing)
        with pytest.raises(Killed):
            own.prepare()
    own.prepare()
    assert content(own.out) == content(small.paths["geo.h5ad"].parent)


SUICIDE = """
import os, signal, sys
from pathlib import Path
from lsmtl.data import originals
from lsmtl.data.originals import stages
replace, count = os.replace, [0]
def killing(*paths):
    count[0] += 1
    if count[0] == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*paths)
os.replace, stages.BLOCK = killing, int(sys.argv[2])
folder, out, *maps = map(Path, sys.argv[3:])
originals.prepare(folder, "both", out, {path.name: path for path in maps})
"""


def test_a_process_killed_by_the_system_leaves_what_the_next_one_needs(own, small):
    args = (12, BLOCK, own.folder, own.out, *own.maps.values())
    done = subprocess.run([sys.executable, "-c", SUICIDE, *map(str, args)])
    assert done.returncode == -signal.SIGKILL
    assert len([*(own.out / "geo.work").glob("*.npz")]) > 2
    own.prepare()
    assert content(own.out) == content(small.paths["geo.h5ad"].parent)


def test_what_is_whole_is_not_made_again(own, monkeypatch):
    first = own.prepare("ours")
    monkeypatch.setattr(files.Gctx, "read", None)
    assert own.prepare("ours") == first


def test_other_files_are_prepared_anew(own, monkeypatch):
    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(stages, "find_duplicates", killed)
        with pytest.raises(Killed):
            own.prepare()
    with h5py.File(own.folder / files.GEO, "r+") as file:
        file[MATRIX][0] += 1
    own.prepare()
    check(own.folder, own.maps, own.out)
    plan = data.load(own.out / "geo.h5ad").uns["plan"]
    with h5py.File(own.folder / files.GEO, "r+") as file:
        file[MATRIX][1] += 1
    own.prepare("ours")
    assert data.load(own.out / "geo.h5ad").uns["plan"] != plan


def test_a_state_cut_short_by_another_program_is_no_silent_wrong_number(own):
    own.out.mkdir()
    (own.out / "geo.work").mkdir()
    (own.out / "geo.work" / "plan.json").write_text('{"half":')
    own.prepare()
    check(own.folder, own.maps, own.out)


# --- What is wrong -----------------------------------------------------------------


def test_a_link_is_as_good_as_the_file(own, tmp_path, small):
    (own.folder / files.GEO).rename(tmp_path / "elsewhere.gctx")
    (own.folder / files.GEO).symlink_to(tmp_path / "elsewhere.gctx")
    own.prepare("ours")
    check_one = data.load(own.out / "geo.h5ad").X
    np.testing.assert_array_equal(check_one, data.load(small.paths["geo.h5ad"]).X)


def change(own, name, row, column, value):
    with h5py.File(own.folder / name, "r+") as file:
        file[MATRIX][row, column] = value


def rename_column(own, name, old, new):
    with h5py.File(own.folder / name, "r+") as file:
        names = [new if n == old else n for n in file["/0/META/ROW/id"][()]]
        file["/0/META/ROW/id"][...] = names


def gone(own, name):
    (own.folder / name).unlink()


def dangling(own):
    gone(own, files.GTEX)
    (own.folder / files.GTEX).symlink_to("nowhere.gctx")


def cut(own):
    path = own.folder / files.GEO
    path.write_bytes(path.read_bytes()[:-1000])


def small_text(own):
    path = own.folder / files.GEUVADIS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "ENSGtg00007" not in line))


WRONG = {
    "gone": (lambda o: gone(o, files.GEO), "bgedv2_QNORM.gctx is missing"),
    "dangling": (dangling, "GTEx.* is a link to nowhere.gctx, which isn't there"),
    "cut": (cut, "bgedv2_QNORM.gctx (is a damaged HDF5 file|can't be read as HDF5)"),
    "nan": (
        lambda o: change(o, files.GEO, 250, 3, np.nan),
        "bgedv2_QNORM.gctx: sample 'GSM000250', gene .* has nan, expected a finite",
    ),
    "negative": (
        lambda o: change(o, files.GTEX, 2, 0, -1),
        "GTEx.*: sample 'GTEX-0002', .* -1.0, expected .* at least 0",
    ),
    "constant": (
        lambda o: change(o, files.GEO, 250, slice(None), 7),
        "bgedv2_QNORM.gctx: sample 'GSM000250' has one value only, 7.0",
    ),
    "silent": (
        lambda o: change(o, files.GTEX, 2, slice(None), 0),
        "GTEx: sample 'GTEX-0002' has one value only, 0.0",
    ),
    "probe": (
        lambda o: rename_column(o, files.GEO, b"5_at", b"x_at"),
        "bgedv2_QNORM.gctx: 1 probes are not in the data: 5_at",
    ),
    "gene": (
        lambda o: rename_column(o, files.GTEX, b"ENSGtg00007.15", b"ENSGnew.15"),
        "GTEx.* lacks 1 of 38 genes: t7",
    ),
    "text": (small_text, "GD462.* lacks 1 of 38 genes: t7"),
}


@pytest.mark.parametrize(("harm", "named"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_file_is_named(own, harm, named):
    harm(own)
    with pytest.raises(ValueError, match=named):
        own.prepare()
    assert not content(own.out) if own.out.exists() else True


def test_a_folder_that_is_not_there_is_named(tmp_path, small):
    with pytest.raises(ValueError, match=r"folder of D-GEX's files isn't there: .*no'"):
        originals.prepare(tmp_path / "no", "ours", tmp_path, small.maps)


def test_unknown_conventions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="ours, dgex, both; got 'mine'"):
        originals.prepare(tmp_path, "mine")


def test_a_folder_that_is_read_only_is_named(own):
    own.out.mkdir()
    own.out.chmod(0o555)
    with pytest.raises(ValueError, match=f"folder '{own.out}' can't be written"):
        own.prepare()
    assert not [*own.out.iterdir()]


def test_a_disk_that_is_too_small_is_named_before_work_begins(own, monkeypatch):
    usage = SimpleNamespace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(ValueError, match=f"'{own.out}' needs 0.1 GB more.* 0.0 GB"):
        own.prepare()
    assert not (own.out / "geo.work").exists()


@pytest.mark.parametrize("k", [1, 5, 12, 17])
def test_a_disk_that_fills_up_is_named_and_the_run_goes_on(own, small, monkeypatch, k):
    count, write = [0], work.Rows.write

    def full(self, start, values):
        count[0] += 1
        if count[0] == k:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, start, values)

    with monkeypatch.context() as patch:
        patch.setattr(work.Rows, "write", full)
        with pytest.raises(ValueError, match=f"no space left in '{own.out}': .* GB"):
            own.prepare()
    assert not content(own.out)
    own.prepare()
    assert content(own.out) == content(small.paths["geo.h5ad"].parent)


def test_files_that_change_meanwhile_give_no_product(own, monkeypatch):
    divide = stages.divide

    def changed(twin):
        os.utime(own.folder / files.GTEX)
        return divide(twin)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "divide", changed)
        with pytest.raises(ValueError, match="changed meanwhile; start again"):
            own.prepare()
    assert not content(own.out)


def test_two_at_once_are_refused(own):
    own.out.mkdir()
    with (
        FileLock(own.out / "geo.lock"),
        pytest.raises(ValueError, match=r"another process is making .*out'"),
    ):
        own.prepare()


def test_the_command_prepares_or_says_in_a_line_why_not(own, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "path", own.maps.get)
    arguments = ["--dgex", str(own.folder), "--output", str(own.out)]
    assert fetch.main(arguments) == 0
    told = capsys.readouterr().out
    assert told.startswith("# D-GEX's original files, prepared")
    assert str(own.out / "geo.h5ad") in told.splitlines()
    assert not (own.out / "geo-dgex.h5ad").exists()
    gone(own, files.GTEX)
    assert fetch.main([*arguments, "--conventions", "dgex"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    for wrong in (["--conventions", "dgex"], ["--dgex", "x", "mhc"]):
        with pytest.raises(SystemExit, match="2"):
            fetch.main(wrong)


def test_the_plan_knows_all_code_that_makes_products():
    names = {path.name for path in pipeline.USED}
    assert {"stages.py", "duplicates.py", "scaling.py"} <= names
    assert all(path.is_file() for path in pipeline.USED)


def test_simulated_files_do_not_depend_on_the_run(small, tmp_path):
    sizes = {"probes": 120, "gtex": (30, 60), "geuvadis": (20, 50)}
    write_originals(tmp_path, small.maps, samples=300, families=4, copies=9, **sizes)
    for name in (files.GEO, files.GTEX):
        pd.testing.assert_frame_equal(
            table(tmp_path / name), table(small.folder / name)
        )
    with pytest.raises(ValueError, match="10 samples are too few for families of 25"):
        write_originals(tmp_path, small.maps, samples=10, families=1, copies=9, **sizes)
