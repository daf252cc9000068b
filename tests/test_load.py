"""Loading: by name or by path, what is refused, and the fingerprint."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from lsmtl import data
from lsmtl.data import fingerprint, load, names


def toy(x=None, role=True):
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(5, 2, (5, 4)) * 8) / 8 if x is None else x
    var = pd.DataFrame(index=["A", "B", "C", "D"])
    if role:
        var["role"] = ["landmark", "target", "landmark", "target"]
    return anndata.AnnData(x, obs=pd.DataFrame(index=[*"vwxyz"]), var=var)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own.h5ad"


def stored(adata, path):
    adata.write_h5ad(path)
    return path


SHIPPED = ["bladder", "breast", "ecoli", "endometrial"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_set_loads(name):
    adata = load(name)
    assert adata.X.dtype == np.float32
    assert set(adata.var["role"]) == {"landmark", "target"}
    assert adata.uns["source"]["licence"]


def test_names_are_sorted_and_name_all_sets():
    on_demand = {"arrays", "rnaseq", "gtex59", "deepdiff", "deepdiff-full", "mhc"}
    assert names() == sorted(names())
    originals = {"geo", "geo-rnaseq", "geo-dgex", "geo-rnaseq-dgex"}
    assert set(names()) == {*SHIPPED, *on_demand, *originals, "exam", "school"}


@pytest.mark.parametrize("name", ["brest", "", "breast.xls"])
def test_an_unknown_name_is_refused_with_those_allowed(name):
    with pytest.raises(ValueError, match=f"{', '.join(names())}.* got {name!r}"):
        load(name)


def test_a_path_without_a_file_is_refused(path):
    with pytest.raises(ValueError, match=rf"no file .*own\.h5ad.*{names()[0]}"):
        load(path)


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_file_comes_back_as_it_was_written(path, kind):
    found, adata = load(kind(stored(toy(), path))), toy()
    np.testing.assert_array_equal(found.X, adata.X)
    assert found.X.dtype == np.float32
    assert found.var["role"].tolist() == adata.var["role"].tolist()
    assert found.obs_names.tolist() == adata.obs_names.tolist()


def test_a_file_without_roles_needs_landmarks(path):
    stored(toy(role=False), path)
    with pytest.raises(ValueError, match=r'own\.h5ad: var\["role"\].*landmarks='):
        load(path)


@pytest.mark.parametrize("role", [False, True])
@pytest.mark.parametrize("kind", [list, tuple, pd.Index, np.array])
def test_landmarks_decide_roles_whatever_the_file_says(path, role, kind):
    found = load(stored(toy(role=role), path), landmarks=kind(["D", "B"]))
    assert found.var["role"].tolist() == ["target", "landmark", "target", "landmark"]
    assert found.var_names.tolist() == ["A", "B", "C", "D"]


def test_landmarks_of_a_shipped_set_can_be_chosen():
    genes = load("ecoli").var_names[[5, 3000]].tolist()
    chosen = load("ecoli", landmarks=genes).var.query("role == 'landmark'")
    assert chosen.index.tolist() == genes


def test_unknown_landmarks_are_named(path):
    stored(toy(), path)
    with pytest.raises(ValueError, match=r"own\.h5ad: 2 of 3 landmarks .*: TP53, b"):
        load(path, landmarks=["A", "TP53", "b"])


@pytest.mark.parametrize(
    ("landmarks", "named"), [([], "'landmark'"), ([*"ABCD"], "'target'")]
)
def test_both_roles_are_needed(path, landmarks, named):
    with pytest.raises(ValueError, match=f"no gene has the role {named}"):
        load(stored(toy(), path), landmarks=landmarks)


@pytest.mark.parametrize(
    "kind",
    [
        scipy.sparse.csr_matrix,
        scipy.sparse.csc_matrix,
        scipy.sparse.csr_array,
        np.asfortranarray,
        lambda x: x.astype(np.float32),
        lambda x: x.astype(">f8"),
    ],
    ids=["csr", "csc", "csr array", "columns first", "float32", "big endian"],
)
def test_storage_changes_neither_values_nor_fingerprint(path, kind):
    adata = toy()
    found = load(stored(toy(kind(adata.X)), path))
    assert isinstance(found.X, np.ndarray)
    np.testing.assert_array_equal(found.X, adata.X)
    assert fingerprint(found) == fingerprint(adata)


def test_categories_of_roles_do_not_change_the_fingerprint():
    adata = toy()
    adata.var["role"] = pd.Categorical(adata.var["role"])
    assert fingerprint(adata) == fingerprint(toy())


def test_whole_numbers_load_as_float32(path):
    found = load(stored(toy(np.arange(20).reshape(5, 4)), path))
    assert found.X.dtype == np.float32
    np.testing.assert_array_equal(found.X.ravel(), range(20))


def test_text_is_refused(path):
    stored(toy(), path)
    with h5py.File(path, "a") as file:
        del file["X"]
        file["X"] = np.full((5, 4), b"high")
        file["X"].attrs.update({"encoding-type": "string-array"})
        file["X"].attrs["encoding-version"] = "0.2.0"
    with pytest.raises(ValueError, match=r"own\.h5ad: X holds no numbers"):
        load(path)


def test_a_file_without_a_matrix_is_refused(path):
    adata = toy()
    adata.X = None
    with pytest.raises(ValueError, match=r"own\.h5ad: X holds no numbers"):
        load(stored(adata, path))


@pytest.mark.parametrize("kind", [np.array, scipy.sparse.csr_matrix])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_named(path, kind, value):
    x = toy().X
    x[3, 2] = value
    with pytest.raises(ValueError, match=r"own\.h5ad: 1 values .* 'y', gene 'C'"):
        load(stored(toy(kind(x)), path))


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_gene_names_that_occur_twice_are_named(path):
    adata = toy()
    adata.var_names = ["A", "B", "A", "D"]
    with pytest.raises(ValueError, match=r"own\.h5ad: 1 gene names occur twice: A"):
        load(stored(adata, path))


def changed_value(adata):
    adata.X[4, 3] += 2**-9


def swapped_values(adata):
    adata.X[:] = adata.X[:, ::-1].copy()


def renamed_gene(adata):
    adata.var_names = [*"ABCE"]


def other_role(adata):
    adata.var["role"] = [*["landmark"] * 3, "target"]


def renamed_sample(adata):
    adata.obs_names = [*"vwxyq"]


def shifted_names(adata):
    adata.var_names = ["AB", "", "C", "D"]


CHANGES = (
    *(changed_value, swapped_values, renamed_gene),
    *(other_role, renamed_sample, shifted_names),
)


def test_fingerprint_sees_every_value_gene_role_and_sample():
    found = [fingerprint(toy())]
    for change in CHANGES:
        adata = toy(toy().X.astype(np.float32))
        change(adata)
        found.append(fingerprint(adata))
    assert len(set(found)) == 1 + len(CHANGES)
    assert all(len(digits) == 64 and int(digits, 16) for digits in found)


def test_fingerprint_passes_over_what_processors_disagree_on():
    adata = toy(np.float32(toy().X.round(2)))
    again = toy(adata.X * np.float32(1 + 2e-7))
    assert (adata.X != again.X).any()
    assert fingerprint(adata) == fingerprint(again)


def test_fingerprint_sees_platforms_and_groups():
    def labelled(**obs):
        adata = toy()
        for name, labels in obs.items():
            adata.obs[name] = labels
        return adata

    n = toy().n_obs
    same, other = ["a"] * n, ["b", *["a"] * (n - 1)]
    by_group = [fingerprint(labelled(donor=v), "donor") for v in (same, other)]
    platforms = [labelled(cohort=v) for v in (same, other)]
    for adata in platforms:
        adata.uns["within"] = "cohort"
    found = [fingerprint(toy()), *by_group, *map(fingerprint, platforms)]
    assert len(set(found[1:3])) == len(set(found[3:])) == 2
    assert fingerprint(labelled(donor=other)) == found[0]


def test_fingerprint_sees_the_order_of_samples_and_genes():
    adata = toy()
    found = {fingerprint(a) for a in (adata, adata[::-1], adata[:, ::-1])}
    assert len(found) == 3


def test_fingerprints_of_shipped_sets_differ():
    assert len({fingerprint(load(name)) for name in SHIPPED}) == len(SHIPPED)


def test_fingerprint_sees_the_rule_of_normalisation():
    plain, mapped = toy(), toy()
    mapped.uns["normalize"] = "quantile"
    assert fingerprint(plain) != fingerprint(mapped)


def test_loading_twice_gives_independent_copies():
    first = load("ecoli")
    first.X[:] = 0
    assert load("ecoli").X.any()


def test_every_public_name_is_there():
    assert all(hasattr(data, name) for name in data.__all__)
