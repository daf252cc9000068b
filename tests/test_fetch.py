"""On-demand files: what is downloaded, checked, resumed and refused."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lsmtl import _progress
from lsmtl.data import fetch

ROOT = Path(__file__).resolve().parents[1]
BODY = bytes(range(256)) * 2000
FIELDS = ("file", "url", "sha256", "git_blob", "bytes", "licence", "content")


def blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Gives `server.body` as `server` is set: cut short, without ranges, or not."""

    def do_GET(self):
        server, given = self.server, self.headers.get("Range")
        server.ranges.append(given)
        start = int(given[len("bytes=") : -1]) if given and server.knows_ranges else 0
        if self.path == "/nothing" or server.broken:
            return self.answer(server.broken or 404, 0)
        if given and server.knows_ranges and start >= len(server.body):
            return self.answer(416, 0)
        rest = server.body[start:]
        self.answer(206 if start else 200, len(rest))
        sent = rest[: server.cut]
        server.sent.append(len(sent))  # before the client has it all and looks
        self.wfile.write(sent)

    def answer(self, status, length):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.body, server.cut, server.broken = BODY, None, None
        server.knows_ranges, server.ranges, server.sent = True, [], []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def place(server, tmp_path, monkeypatch):
    """An empty data folder, and a registry whose files the local server has."""
    url = f"http://127.0.0.1:{server.server_port}"
    rows = [
        ("a.bin", f"{url}/a", sha256(BODY), blob(BODY), len(BODY), "MIT", "bytes"),
        ("b.bin", f"{url}/b", "", blob(BODY), "", "GPL-2", '"large, unsized"'),
        ("gone.bin", f"{url}/nothing", sha256(BODY), blob(BODY), 9, "MIT", "nothing"),
    ]
    table = tmp_path / "registry.csv"
    table.write_text("\n".join(",".join(map(str, r)) for r in [FIELDS, *rows]))
    monkeypatch.setattr(fetch, "REGISTRY", table)
    datasets = {"one": ("a.bin",), "two": ("a.bin", "b.bin"), "gone": ("gone.bin",)}
    monkeypatch.setattr(fetch, "DATASETS", datasets)
    monkeypatch.setattr(fetch, "LARGE", "two")
    monkeypatch.setenv("LSMTL_DATA", str(tmp_path / "deep" / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "deep" / "data"


def left(place):
    """The files in a folder, without the lock."""
    names = {path.name for path in place.iterdir()} if place.exists() else set()
    return sorted(names - {".lock"})


# --- Downloads --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.bin", "b.bin"])
def test_a_file_is_downloaded_once(place, server, name, capfd):
    for _ in range(2):
        assert fetch.path(name) == place / name
        assert (place / name).read_bytes() == BODY
    assert server.ranges == [None]
    assert left(place) == [name]
    assert "pooch" not in "".join(capfd.readouterr()).lower()


class Bar:
    def __init__(self, shown):
        self.update = shown.append

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_progress_counts_bytes_and_can_be_silenced(place, monkeypatch):
    shown = []
    monkeypatch.setattr(fetch, "tqdm", lambda **bar: shown.append(bar) or Bar(shown))
    fetch.path("a.bin")
    bar, *steps = shown
    assert bar["desc"] == "a.bin"
    assert bar["total"] == sum(steps) == len(BODY)
    assert "disable" not in bar  # it would win over TQDM_DISABLE


def test_without_tqdm_files_come_all_the_same(place, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    spec = importlib.util.spec_from_file_location("bare", _progress.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.tqdm is not _progress.tqdm
    monkeypatch.setattr(fetch, "tqdm", module.tqdm)
    assert fetch.path("a.bin").read_bytes() == BODY
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "kind"), [("a.bin", "sha256"), ("b.bin", "git_blob")])
def test_wrong_bytes_leave_nothing(place, server, name, kind):
    server.body = BODY[:-1] + b"!"
    right, wrong = (
        {"sha256": sha256, "git_blob": blob}[kind](b) for b in (BODY, server.body)
    )
    message = rf"http://127\S+/{name[0]} .*expected {kind} {right}, found {wrong}"
    with pytest.raises(ValueError, match=message):
        fetch.path(name)
    assert left(place) == []
    server.body = BODY
    assert fetch.path(name).read_bytes() == BODY


@pytest.mark.parametrize("name", ["a.bin", "b.bin"])
def test_what_was_cut_short_is_resumed(place, server, name):
    server.cut = 100_001
    message = rf"{name} isn't in .*ended after 100001 of {len(BODY)} bytes.*make data"
    with pytest.raises(FileNotFoundError, match=message):
        fetch.path(name)
    assert left(place) == [f"{name}.part"]
    server.cut = None
    assert fetch.path(name).read_bytes() == BODY
    assert server.ranges == [None, "bytes=100001-"]
    assert server.sent == [100_001, len(BODY) - 100_001]
    assert left(place) == [name]


def test_resuming_can_be_cut_short_again(place, server):
    server.cut = 200_000
    for got in (200_000, 400_000):
        with pytest.raises(FileNotFoundError, match=f"{got} of {len(BODY)} bytes"):
            fetch.path("a.bin")
    assert fetch.path("a.bin").read_bytes() == BODY
    assert server.ranges == [None, "bytes=200000-", "bytes=400000-"]


def test_a_server_without_ranges_starts_again(place, server):
    server.knows_ranges = False
    place.mkdir(parents=True)
    (place / "a.bin.part").write_bytes(b"x" * 1000)
    assert fetch.path("a.bin").read_bytes() == BODY
    assert server.sent == [len(BODY)]


@pytest.mark.parametrize("more", [b"", b"more"])
def test_a_part_that_is_too_long_starts_again(place, server, more):
    place.mkdir(parents=True)
    (place / "a.bin.part").write_bytes(BODY + more)
    assert fetch.path("a.bin").read_bytes() == BODY
    assert server.ranges == [f"bytes={len(BODY + more)}-", None]


def test_a_wrong_part_is_thrown_away(place):
    place.mkdir(parents=True)
    (place / "a.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match=f"expected sha256 {sha256(BODY)}"):
        fetch.path("a.bin")
    assert left(place) == []


def test_many_at_once_get_one_whole_file(place, server):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch.path("a.bin").read_bytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BODY] * 4
    assert server.ranges == [None]
    assert left(place) == ["a.bin"]


# --- No network -------------------------------------------------------------------


def no_file(name, reason, place):
    message = (
        rf"{name} isn't in {re.escape(str(place))} and can't be downloaded \(.*{reason}"
        r".*`make data` gets it where there is a network, or set LSMTL_DATA to a folder"
    )
    with pytest.raises(FileNotFoundError, match=message):
        fetch.path(name)
    assert left(place) == []


def test_a_refused_connection_is_an_error_that_says_what_to_do(place):
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", fetch.REGISTRY.read_text())
    fetch.REGISTRY.write_text(text)
    no_file("a.bin", "refused", place)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("gone.bin", None, "404 Client Error"),
        ("a.bin", 503, "503 Server Error"),
        ("a.bin", 416, "416 Client Error"),
    ],
)
def test_an_error_of_the_server_is_named(place, server, name, status, reason):
    server.broken = status
    no_file(name, reason, place)


def test_a_server_that_says_nothing_is_named(place, server, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", (1, 0.1))
    block = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda self: block.wait(5))
    try:
        no_file("a.bin", "Read timed out", place)
    finally:
        block.set()


@pytest.mark.parametrize("module", ["pooch", "requests", "filelock"])
def test_what_is_there_needs_no_package(place, server, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    no_file("a.bin", module, place)
    place.mkdir(parents=True, exist_ok=True)
    (place / "a.bin").write_bytes(BODY)
    assert fetch.path("a.bin") == place / "a.bin"
    monkeypatch.delenv("LSMTL_DATA")
    assert fetch.folder().name == "lsmtl"
    assert not fetch.available("one")


# --- Files that are there ---------------------------------------------------------


@pytest.mark.parametrize(("name", "digest"), [("a.bin", sha256), ("b.bin", blob)])
def test_a_wrong_file_is_refused_and_stays(place, server, name, digest):
    place.mkdir(parents=True)
    (place / name).write_bytes(b"mine")
    message = f"{name} .*{digest(BODY)}, found {digest(b'mine')}; remove it"
    with pytest.raises(ValueError, match=message):
        fetch.path(name)
    assert (place / name).read_bytes() == b"mine"
    assert server.ranges == []


@pytest.mark.parametrize("content", [b"", b"a\r\n", BODY])
def test_the_blob_id_is_that_of_git(tmp_path, content):
    file = tmp_path / "file"
    file.write_bytes(content)
    if shutil.which("git"):
        command = ["git", "hash-object", "--no-filters", file]
        known = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    else:
        known = blob(content)
    assert fetch._mismatch(file, {"sha256": "", "git_blob": known}) == ""
    assert known in fetch._mismatch(file, {"sha256": "", "git_blob": known[::-1]})


@pytest.mark.parametrize("name", ["c.bin", "", "../a.bin", "A.bin"])
def test_unknown_files_are_refused_with_those_known(place, name):
    with pytest.raises(ValueError, match=rf"a\.bin, b\.bin.* got '{name}'"):
        fetch.path(name)


def test_a_read_only_folder_is_read_and_the_cache_is_written(
    place, server, monkeypatch
):
    place.mkdir(parents=True)
    (place / "a.bin").write_bytes(BODY)
    monkeypatch.setattr(fetch, "can_write", lambda folder: folder != place)
    cache = fetch.writable()
    assert cache != place == fetch.folder()
    assert fetch.path("a.bin") == place / "a.bin"
    for _ in range(2):
        assert fetch.path("b.bin") == cache / "b.bin"
    assert server.ranges == [None]
    assert left(place) == ["a.bin"]
    assert fetch.available("two")


def test_a_folder_is_written_where_it_can_be(place, monkeypatch):
    assert fetch.folder() == fetch.writable() == place
    assert not place.parent.exists()

    def refuse(dir):
        raise OSError(30, "Read-only file system", str(dir))

    monkeypatch.setattr(fetch.tempfile, "TemporaryFile", refuse)
    assert fetch.writable() != place
    assert not place.parent.exists()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere"
)
def test_permissions_of_the_folder_count(place):
    place.mkdir(parents=True)
    place.chmod(0o555)
    assert fetch.writable() != place
    place.chmod(0o755)
    assert fetch.writable() == place


def test_without_a_variable_the_cache_of_the_user_is_the_folder(place, monkeypatch):
    pooch = pytest.importorskip("pooch")
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv("LSMTL_DATA")
        else:
            monkeypatch.setenv("LSMTL_DATA", value)
        assert fetch.folder() == fetch.writable() == Path(pooch.os_cache("lsmtl"))


def test_the_folder_must_not_be_a_file(place, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("x")
    monkeypatch.setenv("LSMTL_DATA", str(file))
    with pytest.raises(ValueError, match=f"LSMTL_DATA .*{re.escape(str(file))}"):
        fetch.folder()
    with pytest.raises(ValueError, match="LSMTL_DATA"):
        fetch.path("a.bin")


def test_available_asks_for_all_files_and_their_sizes(place, server):
    place.mkdir(parents=True)
    assert not fetch.available("one")
    (place / "a.bin").write_bytes(BODY[1:])
    assert not fetch.available("one")
    (place / "a.bin").write_bytes(BODY)
    assert fetch.available("one")
    assert not fetch.available("two")
    (place / "b.bin").write_bytes(b"a size is not known")
    assert fetch.available("two")
    with pytest.raises(ValueError, match="one, two, gone; got 'three'"):
        fetch.available("three")
    assert server.ranges == []


# --- The command ------------------------------------------------------------------


def test_the_command_goes_on_after_a_failure(place, server, capsys):
    fetch.DATASETS["gone"] = ("gone.bin", "a.bin")
    assert fetch.main(["gone", "two"]) == 1
    gone, two = capsys.readouterr().out.splitlines()
    assert re.match(r"gone: 2 files, 0\.5 MB, MIT, missing: gone\.bin isn't in", gone)
    assert two == "two: 2 files, 1.0 MB, GPL-2, MIT, there"


def test_the_command_gets_all_but_what_is_large(place, server, capsys):
    del fetch.DATASETS["gone"]
    assert fetch.main([]) == 0
    there, originals = capsys.readouterr().out.splitlines()
    assert there == "one: 1 file, 0.5 MB, MIT, there"
    assert re.match("geo, geo-rnaseq, .*: not made; `make data DGEX=", originals)
    assert left(place) == ["a.bin"]


def test_the_command_names_a_wrong_file(place, capsys):
    place.mkdir(parents=True)
    (place / "a.bin").write_bytes(b"mine")
    assert fetch.main(["one"]) == 1
    assert re.search(r"missing: .*a\.bin .*remove it", capsys.readouterr().out)


def test_the_command_refuses_what_it_does_not_know(place, capsys, monkeypatch):
    with pytest.raises(SystemExit, match="2"):
        fetch.main(["one", "three"])
    assert "one, two, gone; got 'three'" in capsys.readouterr().err
    monkeypatch.setenv("LSMTL_DATA", __file__)
    with pytest.raises(SystemExit, match="2"):
        fetch.main([])
    assert "LSMTL_DATA must be a folder" in capsys.readouterr().err
    assert left(place) == []


# --- The registry -----------------------------------------------------------------


def test_the_registry_has_all_files_of_all_datasets():
    files = {name for names in fetch.DATASETS.values() for name in names}
    assert files == set(fetch.registry())
    assert all(len(set(names)) == len(names) for names in fetch.DATASETS.values())
    assert len(fetch.DATASETS["deepdiff"]) == 17
    assert len(fetch.DATASETS["deepdiff-full"]) == 36


def test_the_registry_is_complete():
    for name, row in fetch.registry().items():
        assert set(row) == set(FIELDS)
        assert Path(name).name == name
        assert re.fullmatch(r"https://\S+/[0-9a-f]{40}/\S+", row["url"])  # one commit
        assert re.fullmatch("[0-9a-f]{40}", row["git_blob"])
        assert row["licence"]
        assert row["content"]
        if name in fetch.SIGNAL:
            assert row["sha256"] == row["bytes"] == ""
        else:
            assert re.fullmatch("[0-9a-f]{64}", row["sha256"])
            assert int(row["bytes"]) > 0


def test_only_the_large_dataset_has_files_without_sha256():
    rows = fetch.registry()
    for dataset, names in fetch.DATASETS.items():
        without = [name for name in names if not rows[name]["sha256"]]
        assert bool(without) == (dataset == fetch.LARGE)


def test_real_files_are_those_of_the_registry():
    if not os.environ.get("LSMTL_DATA"):
        pytest.skip("LSMTL_DATA is not set")
    present = [n for n in fetch.registry() if (fetch.folder() / n).is_file()]
    if not present:
        pytest.skip("LSMTL_DATA has none of the files")
    assert [fetch.path(name).name for name in present] == present


def test_no_on_demand_file_is_committed():
    command = ["git", "-C", ROOT, "ls-files", "-s", "-z"]
    done = shutil.which("git") and subprocess.run(command, capture_output=True)
    if not done or done.returncode or not done.stdout:
        pytest.skip("not a git checkout")
    rows = fetch.registry().values()
    known = {row[kind] for row in rows for kind in ("sha256", "git_blob")} - {""}
    for line in done.stdout.decode().split("\0")[:-1]:
        about, name = line.split("\t")
        assert about.split()[1] not in known, name
        if (ROOT / name).is_file():
            assert sha256((ROOT / name).read_bytes()) not in known, name
        if not name.startswith("lsmtl/data/shipped/"):
            assert not name.endswith((".h5ad", ".RData", ".rda", ".gct.gz", ".mat"))
