"""What the shipped datasets promise, whatever code reads them."""

import re
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from lsmtl.data import fingerprint

SHIPPED = Path(__file__).resolve().parents[1] / "lsmtl" / "data" / "shipped"
SHAPES = {  # samples, landmarks, targets
    "breast": (397, 734, 6372),
    "endometrial": (115, 945, 23015),
    "ecoli": (278, 191, 3732),
    "bladder": (57, 978, 21305),
}
HASHES = {
    "breast": "0161c82bd057a3b1d1b545a39b908daf3398cf0e233d03ca70870503bac6d02a",
    "endometrial": "5b42ee47e747aa623d21a3fd5bfe32172f58c4850cd59c4f2bee5eec837b3f10",
    "ecoli": "e0daf6602dcfe9256982d057869e86057375b146fb2fb5ea4cc4ea25f7e6e859",
    "bladder": "a20d0b844e15734c9065af6a93a3db16282babc03920fcad498732d047239a86",
}
SOURCE = {
    *("title", "package", "version", "member", "sha256", "licence", "accession"),
    *("reference", "rounding", "note"),
}
NAMES = sorted(SHAPES)


@pytest.fixture(scope="module")
def sets():
    return {name: anndata.read_h5ad(SHIPPED / f"{name}.h5ad") for name in NAMES}


@pytest.fixture(scope="module")
def l1000():
    return pd.read_csv(SHIPPED / "l1000.csv")


def test_shipped_files_stay_small():
    # the limit leaves room for the sets that other scripts ship
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 24e6


@pytest.mark.parametrize("name", NAMES)
def test_content_is_the_one_that_records_refer_to(sets, name):
    assert fingerprint(sets[name], "group") == HASHES[name]


@pytest.mark.parametrize("name", NAMES)
def test_shape_and_roles(sets, name):
    samples, landmarks, targets = SHAPES[name]
    adata = sets[name]
    assert adata.shape == (samples, landmarks + targets)
    role = adata.var["role"].astype(str).tolist()
    assert role == ["landmark"] * landmarks + ["target"] * targets
    for part in (adata.var_names[:landmarks], adata.var_names[landmarks:]):
        assert list(part) == sorted(part)
    assert adata.var_names.is_unique
    assert adata.obs_names.is_unique


@pytest.mark.parametrize("name", NAMES)
def test_values_are_finite_varying_and_rounded_as_declared(sets, name):
    x, rounding = sets[name].X, sets[name].uns["source"]["rounding"]
    bits = int(re.match(r"multiples of 2\*\*-(\d+) ", rounding)[1])
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert (np.ptp(x, axis=0) > 0).all()
    np.testing.assert_array_equal(x * 2**bits, np.round(x * 2**bits))
    assert np.any(x * 2 ** (bits - 1) % 1)  # the declared step is the real one
    assert not np.signbit(x[x == 0]).any()


@pytest.mark.parametrize("name", NAMES)
def test_matrix_is_stored_packed(name):
    with h5py.File(SHIPPED / f"{name}.h5ad") as file:
        stored = file["X"]
        assert stored.compression == "gzip"
        assert stored.shuffle
        assert stored.id.get_storage_size() < 0.5 * stored.nbytes


@pytest.mark.parametrize("name", NAMES)
def test_source_is_complete(sets, name):
    source = sets[name].uns["source"]
    assert set(source) == SOURCE
    assert all(isinstance(text, str) and text for text in source.values())
    hashes = source["sha256"].split("; ")
    assert all(re.fullmatch("[0-9a-f]{64}", text) for text in hashes)
    assert len(hashes) == len(source["member"].split("; "))


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_has_a_group(sets, name):
    assert sets[name].obs["group"].notna().all()


def test_l1000_is_a_sorted_list_of_978_genes(l1000):
    assert list(l1000.columns) == ["symbol", "entrez", "probe"]
    assert len(l1000) == 978
    assert all(l1000[column].is_unique for column in l1000)
    assert l1000["symbol"].tolist() == sorted(l1000["symbol"])


@pytest.mark.parametrize("name", ["breast", "endometrial"])
def test_human_landmarks_are_exactly_the_l1000_genes(sets, l1000, name):
    var = sets[name].var
    is_l1000 = var.index.isin(l1000["symbol"])
    np.testing.assert_array_equal(var["role"] == "landmark", is_l1000)


def test_breast_cohorts(sets):
    adata = sets["breast"]
    assert adata.uns["within"] == "cohort"
    assert [name for name in NAMES if "within" in sets[name].uns] == ["breast"]
    counts = adata.obs["cohort"].value_counts().to_dict()
    assert counts == {"GSE1992": 124, "GSE3143": 158, "GSE4335": 115}
    assert (adata.obs.groupby("cohort", observed=True)["platform"].nunique() == 1).all()
    for rows in adata.obs.groupby("cohort", observed=True).indices.values():
        assert adata.X[rows].std(axis=0).min() > 0.09  # no gene is flat in a cohort
    assert adata.obs["event"].isin([0, 1]).all()
    assert (adata.obs["time"] > 0).all()
    for column in ("er_status", "node_status"):
        assert set(adata.obs[column].dropna()) == {0, 1}


def test_breast_near_duplicates_share_a_group(sets):
    """Within a cohort only one pair is alike beyond doubt."""
    adata = sets["breast"]
    for rows in adata.obs.groupby("cohort", observed=True).indices.values():
        r = np.corrcoef(adata.X[rows] - adata.X[rows].mean(axis=0))
        for i, j in np.argwhere(np.triu(r, 1) > 0.7):
            assert adata.obs["group"].iloc[rows[i]] == adata.obs["group"].iloc[rows[j]]


def test_endometrial_normals_have_their_tumour(sets):
    adata = sets["endometrial"]
    tissue = adata.obs["tissue"].astype(str)
    assert tissue.value_counts().to_dict() == {"tumour": 101, "adjacent normal": 14}
    tumours = adata.obs["group"][tissue == "tumour"]
    assert tumours.is_unique
    assert adata.obs["group"][tissue != "tumour"].isin(set(tumours)).all()


def test_endometrial_genes_are_expressed_and_two_decimals_come_back(sets):
    x = sets["endometrial"].X.astype(float)
    assert x.min() == 0
    assert ((x > 0).mean(axis=0) >= 0.2).all()
    source = np.round(x, 2)  # the source's grid: rounding it again gives our values
    np.testing.assert_array_equal(np.round(source * 128) / 128, x)


def test_ecoli_groups_are_conditions(sets):
    adata = sets["ecoli"]
    assert adata.obs["project"].nunique() == 21
    assert adata.obs["group"].nunique() == 162
    alike = {}
    for row, group in zip(adata.X, adata.obs["group"], strict=True):
        assert alike.setdefault(row.tobytes(), group) == group  # equal rows, one group


def test_ecoli_regulation_names_genes_of_the_matrix(sets):
    adata = sets["ecoli"]
    network = adata.uns["regulation"].astype(str)
    assert list(network.columns) == ["regulator", "gene", "effect", "regulator_gene"]
    assert len(network) == 7918
    assert not network.duplicated(["regulator", "gene"]).any()
    assert network["gene"].isin(adata.var_names).all()
    assert set(network["effect"]) == {"+", "-", "+-", "?"}
    known = network[network["regulator_gene"] != ""]
    landmarks = adata.var_names[adata.var["role"] == "landmark"]
    assert set(known["regulator_gene"]) == set(landmarks)
    symbols = adata.var["symbol"].loc[known["regulator_gene"]]
    assert symbols.tolist() == known["regulator"].tolist()
