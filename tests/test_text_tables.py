"""CSV and TSV of one's own, and the ways to say which genes are landmarks."""

import gzip
import io

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsmtl.data import (
    l1000,
    load,
    read_landmarks,
    read_matrix,
    read_table,
    select_landmarks,
    split,
    with_landmarks,
)
from lsmtl.data.splits import scaled_by
from lsmtl.data.tables import table_blocks

FRAME = pd.DataFrame(
    [[1, 0.25, -3], [2.5, 1e3, 0]], ["s1", "s,2"], ["TP53", 'a "b"', "µ"], dtype="f4"
)


def stored(path, frame=FRAME, **how):
    how = {"sep": "," if ".csv" in path.name else "\t"} | how
    frame.to_csv(path, **how)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz"])
@pytest.mark.parametrize("how", [{}, {"quoting": 2}, {"lineterminator": "\r\n"}])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_pandas_writes_comes_back(tmp_path, suffix, how, encoding):
    path = stored(tmp_path / f"own{suffix}", encoding=encoding, **how)
    pd.testing.assert_frame_equal(read_table(path).to_df(), FRAME)
    pd.testing.assert_frame_equal(read_matrix(path).to_df(), FRAME)


def test_genes_as_rows_are_turned(tmp_path):
    path = stored(tmp_path / "own.csv", FRAME.T)
    pd.testing.assert_frame_equal(read_table(path, "rows").to_df(), FRAME)


@pytest.mark.parametrize("genes", ["columns", "rows"])
def test_blocks_put_together_are_the_whole(tmp_path, genes):
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(7, 3)).astype("f4"))
    path = stored(tmp_path / "own.csv", x.rename(index="r{}".format))
    parts = [p.X for p in table_blocks(path, 3, genes)]
    sizes = [p.shape[genes == "rows"] for p in parts]
    assert sizes == [3, 3, 1]
    whole = np.concatenate(parts, axis=int(genes == "rows"))
    np.testing.assert_array_equal(whole, read_table(path, genes).X)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",a,b\ns,1,x\n", r"line 2: 'x' is no finite number \(gene 'b'\)"),
        (",a,b\ns,1,\n", r"line 2: an empty cell \(gene 'b'\)"),
        (",a,b\ns,1,nan\n", r"line 2: 'nan' .*gene 'b'"),
        (",a,b\ns,1,NA\n", r"line 2: 'NA' .*gene 'b'"),
        (",a,b\ns,1,inf\n", r"line 2: 'inf'"),
        (",a,b\ns,1,1e39\n", r"line 2: '1e39'"),
        (",a,b\ns,1,1_0\n", r"line 2: '1_0'"),
        (",a,b\ns,1,2\nt,1\n", "line 3: 2 cells, line 1 has 3"),
        ("a,b\ns,1,2\n", "line 1 needs a cell above the names"),
        (",a,a\ns,1,2\n", "gene 'a' occurs twice"),
        (",a,\ns,1,2\n", "gene 2 has an empty name"),
        (",a,b\ns,1,2\ns,1,2\n", "line 3: sample 's' occurs twice"),
        (
            "a,b\n0.5,1\n1.5,2\n",
            "decimals for names, such as 0.5: is 'a'",
        ),
        (",a,b\n,1,2\n", "line 2: sample 1 has an empty name"),
        (",a,b\ns,1,2\r\nt,1,2\n", "line 2 ends in"),
        (",a,b\ns,1,2", "line 2 is cut off"),
        (',a,b\n"s,1,2\n', "line 2: quotes that don't match"),
        (",a,b\n", "no samples"),
        ("a\tb\n1\t2\n", "line 1: expected a cell and the names"),
        ("", "line 1: expected a cell"),
    ],
)
def test_a_damaged_table_is_refused_where_it_is_damaged(tmp_path, text, said):
    path = tmp_path / "own.csv"
    path.write_bytes(text.encode())
    with pytest.raises(ValueError, match=rf"own\.csv.*{said}"):
        read_table(path)


def test_decimal_commas_are_named(tmp_path):
    path = tmp_path / "own.tsv"
    path.write_text("\ta\ns\t1,5\n")
    with pytest.raises(ValueError, match="decimals take a point"):
        read_table(path)


def test_bytes_that_are_no_text_or_no_whole_gzip(tmp_path):
    path = tmp_path / "own.csv"
    path.write_bytes(b",a\ns\xff,1\n")
    with pytest.raises(ValueError, match="line 2 is not UTF-8"):
        read_table(path)
    path = tmp_path / "own.csv.gz"
    path.write_bytes(gzip.compress(b",a\ns,1\n")[:-9])
    with pytest.raises(ValueError, match="no whole gzip"):
        read_table(path)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_bytes_are_read_right_or_refused(tmp_path_factory, data):
    raw = bytearray(FRAME.to_csv().encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "mutated.csv"
    path.write_bytes(raw)
    try:
        found = read_table(path).to_df()
    except ValueError:
        return
    expected = pd.read_csv(
        io.BytesIO(raw), index_col=0, dtype={0: str}, keep_default_na=False
    )
    np.testing.assert_allclose(found, expected.to_numpy(float), rtol=1e-6)


def test_files_of_any_kind_load_with_landmarks(tmp_path):
    genes = tmp_path / "genes.txt"
    genes.write_text("µ\n\nTP53\n", "utf-8")
    anndata.AnnData(FRAME).write_h5ad(tmp_path / "own.h5ad")
    stored(tmp_path / "own.csv")
    for name in ("own.h5ad", "own.csv"):
        for landmarks in (["µ", "TP53"], genes, str(genes)):
            adata = load(tmp_path / name, landmarks)
            assert adata.var["role"].tolist() == ["landmark", "target", "landmark"]
            np.testing.assert_array_equal(adata.X, FRAME)


def test_genes_on_the_other_axis_are_hinted_at(tmp_path):
    path = stored(tmp_path / "own.csv", FRAME.T)
    with pytest.raises(ValueError, match='are genes the rows, genes="rows"'):
        load(path, ["TP53"])
    assert load(path, ["TP53"], "rows").n_obs == 2


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a\nb\na\n", "'a' occurs twice"),
        (b"\n \n", "names no gene"),
        (b"\xff\n", "not UTF-8"),
    ],
)
def test_a_list_of_landmarks_may_be_wrong(tmp_path, raw, said):
    path = tmp_path / "genes.txt"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=rf"genes\.txt.*{said}"):
        read_landmarks(path)


def test_l1000_by_symbol_entrez_or_probe():
    breast = load("breast")
    assert set(l1000(breast)) == set(breast.var_names[breast.var["role"] == "landmark"])
    bladder = load("bladder")
    own = bladder.var_names[bladder.var["role"] == "landmark"]
    assert set(l1000(bladder)) == set(own)
    entrez = pd.DataFrame(index=["16", "10058", "7"])
    adata = anndata.AnnData(np.zeros((1, 3), "f4"), var=entrez)
    assert l1000(adata) == ["16", "10058"]
    with pytest.raises(ValueError, match="none of the 978"):
        l1000(load("ecoli"))


def explained(C, taken, noise):
    """The trace that conditioning on noisy landmarks takes off C, written out."""
    S = C[np.ix_(taken, taken)] + noise * np.eye(len(taken))
    return np.trace(C[:, taken] @ np.linalg.solve(S, C[taken]))


@pytest.mark.parametrize("noise", [0.01, 1.0])
def test_each_landmark_is_the_best_addition(noise):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 12)) + rng.normal(size=(30, 12))
    adata = anndata.AnnData(x.astype("f4"))
    z = scaled_by(adata, np.full(30, True)).astype(float)
    C, taken = z.T @ z / 30, []
    for name in select_landmarks(adata, 6, noise):
        gains = {
            j: explained(C, [*taken, j], noise) for j in range(12) if j not in taken
        }
        assert gains[int(name)] == pytest.approx(max(gains.values()))
        taken.append(int(name))


def test_selection_goes_past_the_number_of_samples_and_leaves_constants():
    x = np.random.default_rng(0).normal(size=(5, 20)).astype("f4")
    x[:, 3] = 7
    taken = select_landmarks(anndata.AnnData(x), 12)
    assert len(set(taken)) == 12
    assert "3" not in taken
    with pytest.raises(ValueError, match="less than the 19 genes that vary"):
        select_landmarks(anndata.AnnData(x), 19)


def test_selection_ignores_platform_means_and_order_of_samples():
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(40, 3)) @ rng.normal(size=(3, 15))).astype("f4")
    x += rng.normal(size=x.shape).astype("f4")
    cohort = np.repeat(["a", "b"], 20)
    obs = pd.DataFrame({"cohort": cohort}, index=np.arange(40).astype(str))
    uns = {"within": "cohort"}
    plain = anndata.AnnData(x, obs, uns=uns)
    shifted = anndata.AnnData(
        x + 100 * (obs[["cohort"]] == "b").to_numpy(), obs, uns=uns
    )
    assert select_landmarks(plain, 5) == select_landmarks(shifted, 5)
    order = rng.permutation(40)
    assert select_landmarks(plain[order], 5) == select_landmarks(plain, 5)


def test_selected_landmarks_predict_better_than_random_ones():
    from lsmtl.linear import LeastSquares

    ecoli = load("ecoli")
    half = np.arange(0, ecoli.n_obs, 2)
    chosen = select_landmarks(ecoli[half], 40)
    rng = np.random.default_rng(0)

    def error(names):
        splits = split(with_landmarks(ecoli, names), 0, "group")
        model = LeastSquares(l2=10.0).fit(splits.train.x, splits.train.y)
        return (model.predict(splits.test.x) - splits.test.y).abs().mean().item()

    others = [rng.choice(ecoli.var_names, 40, replace=False) for _ in range(3)]
    assert error(chosen) < min(error(names) for names in others)


def test_roles_of_the_original_are_left_alone():
    adata = anndata.AnnData(FRAME)
    assert "role" not in adata.var
    with_landmarks(adata, ["TP53"])
    assert "role" not in adata.var
    with pytest.raises(ValueError, match="named twice: TP53"):
        with_landmarks(adata, ["TP53", "TP53"])
    with pytest.raises(ValueError, match="'nosuch'"):
        with_landmarks(adata, "nosuch")
