"""Readers of expression files: round trips, blocks, and what damaged files give.

`LSMTL_EXAMPLES=10000 pytest tests/test_readers.py` tries as many examples.
"""

import gzip
import io
import os
import re
import signal
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lsmtl.data.gctx as gctx_module
from lsmtl.data import read_blocks, read_gct, read_gctx, read_geuvadis


def examples(number):
    return settings(
        max_examples=int(os.environ.get("LSMTL_EXAMPLES", number)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


EXAMPLES = examples(200)
FEWER = examples(30)  # HDF5: a process each
TEXT = st.text("aB1_-. ,;\"'#µ", min_size=1, max_size=6)
LABEL = TEXT.filter(lambda text: text == text.rstrip())  # GCTX fills up with blanks
NAME = TEXT.filter(lambda name: name == name.strip())
FLOAT = st.floats(-1e6, 1e6, width=32)


@st.composite
def tables(draw):
    """Values (samples, genes), names, and a metadata column of either."""
    samples = draw(st.lists(NAME, min_size=1, max_size=4, unique=True))
    genes = draw(st.lists(NAME, min_size=1, max_size=5, unique=True))
    n, d = len(samples), len(genes)
    x = draw(st.lists(FLOAT, min_size=n * d, max_size=n * d))
    return {
        "x": np.array(x, np.float32).reshape(n, d),
        "samples": samples,
        "genes": genes,
        "obs": draw(st.lists(LABEL, min_size=n, max_size=n)),
        "var": draw(st.lists(LABEL, min_size=d, max_size=d)),
    }


SMALL = {
    "x": np.array([[1, 0.25, -3], [2.5, 1e3, 0]], np.float32),
    "samples": ["s1", "s2"],
    "genes": ["g1", "g2", "g3"],
    "obs": ["lung", "liver"],
    "var": ["TP53", "MYC", "EGFR"],
}


def lines(table, *head):
    rows = zip(table["genes"], table["var"], table["x"].T, strict=True)
    body = [[*head, *table["samples"]]]
    body += [
        [g, v, *["na"] * (len(head) - 2), *map(repr, r.tolist())] for g, v, r in rows
    ]
    return ["\t".join(map(str, line)) for line in body]


def gct2(table):
    n, d = table["x"].shape
    return ["#1.2", f"{d}\t{n}", *lines(table, "Name", "Description")]


def gct3(table):
    n, d = table["x"].shape
    names, *body = lines(table, "id", "symbol")
    about = "\t".join(["tissue", "na", *table["obs"]])
    return ["#1.3", f"{d}\t{n}\t1\t1", names, about, *body]


def geuvadis(table):
    return lines(table, "TargetID", "Gene_Symbol", "Chr", "Coord")


def joined(found, end="\n"):
    return "".join(line + end for line in found).encode()


def gctx(table, **options):
    """The bytes of a GCTX file, written by hand."""
    stream = io.BytesIO()
    kwargs = {"fletcher32": True, "chunks": True} if options else {}
    with h5py.File(stream, "w", **options) as file:
        file.attrs["version"] = "GCTX1.0"
        file.create_dataset("/0/DATA/0/matrix", data=table["x"], **kwargs)
        for axis, names, label in (
            ("ROW", "genes", "var"),
            ("COL", "samples", "obs"),
        ):
            for name, values in (("id", table[names]), ("about", table[label])):
                data = np.char.encode(np.array(values), "utf-8")
                file.create_dataset(f"/0/META/{axis}/{name}", data=data, **kwargs)
    return stream.getvalue()


def read(reader, data, suffix, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"file{suffix}")
        path.write_bytes(data)
        return reader(path, **options)


def same(adata, table, var=None, obs=None):
    np.testing.assert_array_equal(adata.X, table["x"])
    assert adata.X.dtype == np.float32
    assert [*adata.obs_names] == table["samples"]
    assert [*adata.var_names] == table["genes"]
    assert var is None or [*adata.var[var]] == table["var"]
    assert obs is None or [*adata.obs[obs]] == table["obs"]


@EXAMPLES
@given(tables(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_text_round_trips(table, end, packed):
    pack = gzip.compress if packed else bytes
    gz = ".gz" * packed
    old = read(read_gct, pack(joined(gct2(table), end)), ".gct" + gz)
    same(old, table, "description")
    new = read(read_gct, pack(joined(gct3(table), end)), ".gct" + gz)
    same(new, table, "symbol", "tissue")
    third = read(read_geuvadis, pack(joined(geuvadis(table), end)), ".txt" + gz)
    same(third, table, "Gene_Symbol")


@FEWER
@given(tables())
def test_gctx_round_trips(table):
    same(read(read_gctx, gctx(table), ".gctx"), table, "about", "about")


def blocks(path, size):
    return [*read_blocks(path, size)]


@FEWER
@given(tables(), st.integers(1, 6))
def test_blocks_joined_are_the_whole(table, size):
    n, d = table["x"].shape
    parts = read(blocks, gctx(table), ".gctx", size=size)
    assert [len(p) for p in parts] == [min(size, n - i) for i in range(0, n, size)]
    np.testing.assert_array_equal(np.vstack([p.X for p in parts]), table["x"])
    assert [s for p in parts for s in p.obs_names] == table["samples"]
    assert all([*p.var["about"]] == table["var"] for p in parts)
    for make, suffix in ((gct2, ".gct"), (gct3, ".gct"), (geuvadis, ".txt")):
        parts = read(blocks, joined(make(table)), suffix, size=size)
        assert [p.n_vars for p in parts] == [
            min(size, d - i) for i in range(0, d, size)
        ]
        np.testing.assert_array_equal(np.hstack([p.X for p in parts]), table["x"])
        assert [g for p in parts for g in p.var_names] == table["genes"]
        assert all([*p.obs_names] == table["samples"] for p in parts)


# Damage at random

FILES = {
    "gct2": (read_gct, ".gct", joined(gct2(SMALL))),
    "gct3": (read_gct, ".gct", joined(gct3(SMALL))),
    "geuvadis": (read_geuvadis, ".txt", joined(geuvadis(SMALL))),
    "gz": (read_gct, ".gct.gz", gzip.compress(joined(gct3(SMALL)))),
    "gctx": (read_gctx, ".gctx", gctx(SMALL)),
    "checked": (read_gctx, ".gctx", gctx(SMALL, libver="latest")),
}


@st.composite
def damages(draw):
    """A function of bytes: some replaced, or a piece cut out, doubled or put in."""
    kind = draw(st.sampled_from(["replace", "cut", "end", "double", "insert"]))
    place, other = draw(st.floats(0, 1)), draw(st.integers(1, 40))
    changes = draw(
        st.lists(
            st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4
        )
    )
    piece = draw(
        st.sampled_from([b"\t", b"\n", b"\r", b"nan", b"-", b"\xff", b"\0", b"1"])
    )

    def damage(data):
        start = int(place * (len(data) - 1))
        if kind == "replace":
            data = bytearray(data)
            for where, value in changes:
                data[int(where * (len(data) - 1))] = value
            return bytes(data)
        middle = {"cut": b"", "double": data[start : start + other] * 2}
        if kind == "end":
            return data[:start]
        if kind == "insert":
            return data[:start] + piece + data[start:]
        return data[:start] + middle[kind] + data[start + other :]

    return damage


def outcome(name, damage):
    """What a damaged file reads as, None where it is refused as documented."""
    reader, suffix, data = FILES[name]
    damaged = damage(data)
    try:
        return damaged, read(reader, damaged, suffix)
    except ValueError as error:
        assert str(error).startswith("file"), error
        return damaged, None


@pytest.mark.parametrize("name", ["gz", "checked"])
@FEWER
@given(damage=damages())
def test_a_file_with_checksums_reads_as_it_was_or_not_at_all(name, damage):
    _, adata = outcome(name, damage)
    if adata is not None:
        same(adata, SMALL)


@pytest.mark.parametrize("name", ["gct2", "gct3", "geuvadis"])
@EXAMPLES
@given(damage=damages())
def test_damaged_text_reads_as_what_it_says_or_not_at_all(name, damage):
    damaged, adata = outcome(name, damage)
    if adata is not None:
        n, d = adata.shape
        found = damaged.decode().replace("\r\n", "\n").split("\n")[:-1]
        rows = [line.split("\t") for line in found[len(found) - d :]]
        assert [row[0] for row in rows] == [*adata.var_names]
        says = [[np.float32(v) for v in row[len(row) - n :]] for row in rows]
        assert adata.X.T.tolist() == np.array(says).tolist()
        assert np.isfinite(adata.X).all()


@FEWER
@given(damage=damages())
def test_damaged_gctx_reads_as_a_whole_table_or_not_at_all(damage):
    _, adata = outcome("gctx", damage)
    if adata is not None:
        assert np.isfinite(adata.X).all()
        assert adata.obs_names.is_unique and adata.var_names.is_unique
        assert adata.shape == (2, 3)


# Damage by hand

GCT3, GEUVADIS = gct3(SMALL), geuvadis(SMALL)


def changed(found, number, line):
    return [*found[: number - 1], line, *found[number:]]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", r"start with #1\.2 or #1\.3, got ''"),
        (joined(GCT3)[:-1], "line 7 is cut off"),
        (joined(GCT3, "\r"), "line 1: a carriage return"),
        (joined(GCT3[:4]) + joined(GCT3[4:], "\r\n"), r"line 5 ends in b'\\r\\n'"),
        (joined(GCT3).replace(b"MYC", b"M\xffC"), "line 6 is not UTF-8"),
        (joined(GCT3[:-1]), "has 2 genes, expected 3"),
        (joined(changed(GCT3, 2, "1000000000000\t2\t1\t1")), "3 genes, expected 10000"),
        (joined(changed(GCT3, 2, "3\t1000000000000\t1\t1")), "has 2 samples.*10000"),
        (joined(changed(GCT3, 2, "3\t2\t1\t1000000000000")), "line 8: expected"),
        (joined(changed(GCT3, 2, "3\t2\t1")), "line 2: expected.*metadata lines"),
        (joined(changed(GCT3, 2, "-3\t2\t1\t1")), "line 2: expected"),
        (joined(changed(GCT3, 3, "name\tsymbol\ts1\ts2")), "start with id, got 'name'"),
        (joined(changed(GCT3, 3, "id\tsymbol\ts1\t")), "sample 2 has an empty name"),
        (joined(changed(GCT3, 3, "id\tsymbol\ts1\ts1")), "sample 's1' occurs twice"),
        (joined(changed(GCT3, 4, "tissue\tna\tlung")), "line 4: expected.*3 columns"),
        (joined(changed(GCT3, 3, "id\tsymbol\ts1\ts2 ")), "sample 2 is 's2 '"),
        (joined(changed(GCT3, 3, "id\tsymbol\ts\x1f\ts2")), r"sample 1 is 's\\x1f'"),
        (joined(changed(GCT3, 6, "g\u2028\tMYC\t1\t2")), r"line 6: gene 2 is 'g\\u202"),
        (joined(changed(GCT3, 6, "g2\tM\0C\t1\t2")), "line 6 has a NUL byte"),
        (joined(["#1.2", "0\t1", "Name\tDescription\ta"]), "file.gct has no genes"),
        (joined(["#1.2", "0\t0", "Name\tDescription"]), "file.gct has no samples"),
        (joined(["#1.2", "0\t99", "Name"]), "line 3 must start with Name and Desc"),
        (joined(changed(GCT3, 5, "\tTP53\t1\t2")), "line 5: gene 1 has an empty name"),
        (joined(changed(GCT3, 5, "g1\tTP53\t1\t1_0")), "line 5: '1_0'.*sample 's2'"),
        (joined(changed(GCT3, 5, "g1\tTP53\tinf\t2")), "line 5: 'inf'.*sample 's1'"),
        (joined(changed(GCT3, 5, "g1\tTP53\t1\t1e39")), "line 5: '1e39'"),
        (joined(changed(GCT3, 5, "g1\tTP53\t1\t")), "line 5: an empty cell"),
        (joined(changed(GCT3, 5, "g1\tTP53\t1\t٣")), "line 5: '٣'"),
    ],
)
def test_what_is_wrong_in_gct_is_named(data, named):
    with pytest.raises(ValueError, match=named):
        read(read_gct, data, ".gct")


def test_what_is_wrong_in_geuvadis_is_named():
    for found, named in (
        (changed(GEUVADIS, 1, GEUVADIS[0].lower()), "columns TargetID, Gene_Symbol"),
        (changed(GEUVADIS, 2, "g1\ta\tb\tc\t1"), "line 2: 5 columns, expected 6"),
        (changed(GEUVADIS, 2, "g2\ta\tb\tc\t1\t1"), "line 3: gene 'g2' occurs twice"),
    ):
        with pytest.raises(ValueError, match=named):
            read(read_geuvadis, joined(found), ".txt")
    with pytest.raises(ValueError, match="has 3 genes, expected 4"):
        read(read_geuvadis, joined(GEUVADIS), ".txt", rows=4)
    with pytest.raises(ValueError, match="has no genes"):
        read(read_geuvadis, joined(GEUVADIS[:1]), ".txt")
    with pytest.raises(ValueError, match="rows must be a positive whole number"):
        read(read_geuvadis, joined(GEUVADIS), ".txt", rows=0)


@pytest.mark.parametrize("name", ["gct2", "geuvadis", "gctx"])
def test_values_below_the_minimum_are_refused_where_asked(name):
    reader, suffix, data = FILES[name]
    with pytest.raises(ValueError, match=r"'s1', gene 'g3' has -3\.0.*at least 0"):
        read(reader, data, suffix, minimum=0)
    same(read(reader, data, suffix, minimum=-3), SMALL)


def put(name, **options):
    def change(file):
        if name in file:
            del file[name]
        file.create_dataset(name, **options)

    return change


def dropped(name):
    return lambda file: file.__delitem__(name)


def linked(file):
    del file["/0/DATA/0/matrix"]
    file["/0/DATA/0/matrix"] = h5py.ExternalLink("other.h5", "/x")


def circle(file):
    del file["/0/META/COL"]
    file["/0/META/COL"] = h5py.SoftLink("/0/META/COL")


def filtered(file):
    put(X, data=SMALL["x"], chunks=(2, 2), scaleoffset=2)(file)


def odd(file):
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(128)
    del file[X]
    space = h5py.h5s.create_simple((2, 3))
    data = h5py.h5d.create(file.id, X.encode(), kind, space)
    data.write(h5py.h5s.ALL, h5py.h5s.ALL, SMALL["x"])


def elsewhere(file):
    layout = h5py.VirtualLayout((2, 3), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "x", (2, 3))
    del file["/0/DATA/0/matrix"]
    file.create_virtual_dataset("/0/DATA/0/matrix", layout)


X, ROWS, COLUMNS = "/0/DATA/0/matrix", "/0/META/ROW/id", "/0/META/COL/id"
HUGE = {"shape": (10**6, 10**6), "dtype": "f4"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda file: file.attrs.__delitem__("version"), "version GCTX1.0, got"),
        (lambda file: file.attrs.__setitem__("version", "2"), "got '2'"),
        (dropped(X), f"no dataset {X}"),
        (dropped("/0/META/COL"), f"no dataset {COLUMNS}"),
        (dropped(ROWS), f"no dataset {ROWS}"),
        (lambda file: file[ROWS].parent.create_group("g"), "no dataset .*ROW/g"),
        (put(ROWS, data=[b"a", b"b"]), "ROW/id has 2 entries, the matrix 3 genes"),
        (put(ROWS, data=[b"a", b"b", b"a"]), "gene 'a' occurs twice"),
        (put(ROWS, data=[b"a", b"", b"c"]), "gene 2 has an empty name"),
        (put(ROWS, data=[b"a", b"\xff", b"c"]), "id is not UTF-8"),
        (put(ROWS, data=[1, 2, 3]), "id must be text"),
        (put("/0/META/COL/c", data=np.ones(2, complex)), "text or numbers, got compl"),
        (put(X, data=SMALL["x"].T), "has 2 entries, the matrix 3 samples|COL/id has 2"),
        (put(X, data=SMALL["x"][0]), r"2 dimensions, got the shape \(3,\)"),
        (put(X, data=np.full((2, 3), b"1")), "matrix must hold"),
        (put(X, data=[[1, 2, 3], [4, np.nan, 6]]), "'s2', gene 'g2' has nan"),
        (put(X, data=[[1, 2, 3], [4, 5, np.inf]]), "'s2', gene 'g3' has inf"),
        (put(X, data=[[1, 2, 3], [4, 5, 1e39]]), r"'s2', gene 'g3' has 1e\+39"),
        (put(X, **HUGE), "has fewer values"),
        (put(X, **HUGE, chunks=(100, 100)), "has fewer values"),
        (put(ROWS, shape=(10**12,), dtype="S20", chunks=(10,)), "has fewer values"),
        (linked, f"the way to {X} is a link"),
        (elsewhere, "lies in another file"),
        (circle, f"the way to {COLUMNS} is a link"),
        (filtered, f"{X} is packed by the HDF5 filter 6, expected one of gzip"),
        (odd, "matrix must hold numbers"),
        (lambda file: file.attrs.__setitem__("version", [1.0]), "got dtype"),
        (put(X, shape=(0, 3), dtype="f4"), "0 samples|has no samples"),
        (put(ROWS, data=[b"a", b" b", b"c"]), "gene 2 is ' b'"),
        (put(ROWS, data=[b"a", b"b\n", b"c"]), r"gene 2 is 'b\\n'"),
        (put("/0/META/ROW/t", data=np.array([b"a", b"b\0c", b"c"])), "ROW/t has a NUL"),
        (put(X, data=np.zeros((2, 3), "f4,i4")), "matrix must hold numbers"),
        (put(X, **HUGE, chunks=(10**5, 10**4)), "more than 1073741824 bytes"),
    ],
)
def test_what_is_wrong_in_gctx_is_named(change, named, tmp_path):
    path = tmp_path / "file.gctx"
    path.write_bytes(gctx(SMALL))
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=f"file.gctx.*({named})"):
        read_gctx(path)


def test_a_chunk_that_lies_outside_the_matrix_is_missed(tmp_path):
    path = tmp_path / "file.gctx"
    path.write_bytes(gctx(SMALL))
    with h5py.File(path, "r+") as file:
        put(X, data=SMALL["x"], chunks=(1, 3))(file)
    same(read_gctx(path), SMALL)
    data = bytearray(path.read_bytes())
    (start,) = [m.start() for m in re.finditer(b"TREE\x01", data)]
    row = start + 24 + 6 * 8  # of the second chunk: 1
    assert data[row] == 1
    data[row] = 5
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"{X} announces .* has fewer values"):
        read_gctx(path)


def test_a_link_into_another_file_is_not_followed(tmp_path):
    path = tmp_path / "file.gctx"
    path.write_bytes(gctx(SMALL))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = SMALL["x"]
    with h5py.File(path, "r+") as file:
        linked(file)
    with pytest.raises(ValueError, match=f"the way to {X} is a link"):
        read_gctx(path)


@pytest.mark.parametrize("kind", ["<f2", ">f4", "<f8", ">i2", "u1", "<i8"])
def test_gctx_of_other_numbers_is_read(kind, tmp_path):
    path = tmp_path / "file.gctx"
    table = SMALL | {"x": np.array([[1, 2, 3], [4, 5, 250]], np.float32)}
    path.write_bytes(gctx(table))
    with h5py.File(path, "r+") as file:
        put(X, data=table["x"].astype(kind), chunks=(1, 2), shuffle=True)(file)
        put(ROWS, data=np.array([b"g1   ", b"g2   ", b"g3   "]))(file)  # filled up
    same(read_gctx(path), table, "about", "about")


def test_gctx_of_other_types_is_read(tmp_path):
    path = tmp_path / "file.gctx"
    path.write_bytes(gctx(SMALL))
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array([b"GCTX1.0"])
        put(X, data=SMALL["x"].astype("f8"), chunks=(2, 2), compression="gzip")(file)
        put(ROWS, data=SMALL["genes"])(file)  # text of any length
        put("/0/META/COL/dose", data=[1.5, 2])(file)
    adata = read_gctx(path)
    same(adata, SMALL, "about", "about")
    assert adata.obs["dose"].tolist() == [1.5, 2]


def test_what_is_no_file_of_the_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got b'#1\.2"):
        read(read_gctx, joined(gct2(SMALL)), ".gctx")
    with pytest.raises(ValueError, match="signature of HDF5, got b''"):
        read(read_gctx, b"", ".gctx")
    with pytest.raises(ValueError, match="can't be read as HDF5"):
        read(read_gctx, gctx(SMALL)[:-100], ".gctx")
    with pytest.raises(ValueError, match="no whole gzip file"):
        read(read_gct, joined(GCT3), ".gct.gz")
    with pytest.raises(ValueError, match=r"suffix of file\.csv must be one of \.gctx"):
        read(blocks, b"", ".csv", size=1)
    with pytest.raises(ValueError, match="size must be a positive whole number"):
        read(blocks, b"", ".gct", size=0)


@pytest.mark.parametrize("reader", [read_gct, read_gctx, read_geuvadis])
def test_only_files_are_read(reader, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError, match="none"):
        reader(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        reader(tmp_path)
    path.symlink_to("none")
    with pytest.raises(FileNotFoundError, match="no file where the link leads, none"):
        reader(path)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(OSError, match=r"Too many levels of symbolic links.*file"):
        reader(path)
    path.unlink()
    os.mkfifo(path)
    for special in (path, "/dev/zero"):
        with pytest.raises(ValueError, match=r"(file|zero) is a pipe or a device"):
            reader(special)


@pytest.mark.parametrize("name", ["gct2", "geuvadis", "gctx"])
def test_a_link_to_a_file_is_followed(name, tmp_path):
    reader, suffix, data = FILES[name]
    (tmp_path / "real").write_bytes(data)
    (tmp_path / f"link{suffix}").symlink_to("real")
    adata = reader(tmp_path / f"link{suffix}")
    same(adata, SMALL)
    assert adata.uns["source"] == {"file": f"link{suffix}"}


def test_a_packed_line_without_end_is_refused(tmp_path):
    path = tmp_path / "file.gct.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(b"#1.2\n3\t9999999\nName\tDescription")
        for _ in range(70):
            file.write(b"\ta" * 2**19)
    with pytest.raises(ValueError, match="line 3 is cut off or too long"):
        read_gct(path)


@pytest.mark.parametrize("harm", ["crashes", "takes more than 1 s"])
def test_a_crash_or_hang_of_hdf5_is_an_error(harm, tmp_path, monkeypatch):
    path = tmp_path / "file.gctx"
    path.write_bytes(gctx(SMALL))

    def content(path, file):
        if harm == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(30)

    monkeypatch.setattr(gctx_module, "_content", content)
    monkeypatch.setattr(gctx_module, "LIMIT", 1)
    with pytest.raises(ValueError, match=f"file.gctx is damaged: HDF5 {harm}"):
        read_gctx(path)
