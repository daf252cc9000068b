"""GCT: what is read, and what is refused with the line that is wrong."""

import gzip

import numpy as np
import pytest

from lsmtl.data import read_gct

LINES = [
    "#1.2",
    "2\t3",
    "Name\tDescription\ts1\ts2\ts3",
    "ENSG1.1\tTP53\t1\t2.5\t3",
    'ENSG2.4\tMYC, "c"\t0\t1e3\t-4',
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counts.gct"


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def changed(number, line):
    return [*LINES[: number - 1], line, *LINES[number:]]


def test_genes_become_columns(path):
    adata = read_gct(write(path, LINES))
    assert adata.X.tolist() == [[1, 0], [2.5, 1000], [3, -4]]
    assert adata.X.dtype == np.float32
    assert adata.obs_names.tolist() == ["s1", "s2", "s3"]
    assert adata.var_names.tolist() == ["ENSG1.1", "ENSG2.4"]
    assert adata.var["description"].tolist() == ["TP53", 'MYC, "c"']


def test_packed_is_the_same(path):
    plain = read_gct(write(path, LINES))
    packed = path.with_suffix(".gct.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_gct(packed).X, plain.X)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (changed(1, "#1.4"), r"start with #1\.2 or #1\.3, got '#1\.4'"),
        (changed(2, "two\t3"), r"line 2.*'two'"),
        (changed(2, "2"), "line 2"),
        (changed(3, "Gene\tDescription\ts1\ts2\ts3"), "line 3.*'Gene'"),
        (changed(2, "2\t4"), "has 3 samples, its header announces 4"),
        (changed(2, "9\t3"), "has 2 genes, expected 9.*rows=2 reads it"),
        (changed(2, "1\t3"), "has 2 genes, expected 1"),
        (changed(4, "ENSG1.1\tTP53\t1\t2"), "line 4: 4 columns, expected 5"),
        (changed(5, "ENSG2\tMYC\t0\tmany\t1"), "line 5.*many"),
        (changed(5, "ENSG2\tMYC\t0\tnan\t1"), "line 5: 'nan' is no finite"),
        (changed(5, "ENSG1.1\tMYC\t0\t1\t1"), "line 5: gene 'ENSG1.1' occurs twice"),
        (changed(3, "Name\tDescription\ts1\ts2\ts1"), "sample 's1' occurs twice"),
        (LINES[:1], "line 2"),
        ([""], "start with"),
    ],
)
def test_what_is_wrong_is_named(path, lines, named):
    with pytest.raises(ValueError, match=named):
        read_gct(write(path, lines))


def test_rows_overrule_a_lying_header(path):
    write(path, changed(2, "56200\t3"))
    assert read_gct(path, rows=2).shape == (3, 2)
    with pytest.raises(ValueError, match="has 2 genes, expected 59"):
        read_gct(path, rows=59)


def test_a_cut_off_gzip_file_is_refused(path):
    packed = path.with_suffix(".gct.gz")
    packed.write_bytes(gzip.compress(("\n".join(LINES) + "\n").encode())[:-9])
    with pytest.raises(ValueError, match="no whole gzip file"):
        read_gct(packed)


def test_a_missing_file_is_missing(path):
    with pytest.raises(FileNotFoundError):
        read_gct(path)
