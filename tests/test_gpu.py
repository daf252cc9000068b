"""Records from a borrowed GPU, tried on the processor: there and back, and no loss."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import anndata
import bare
import numpy as np
import pandas as pd
import pytest
import torch
from sets import here

from benchmarks import lasso
from benchmarks import step as step_benchmark
from lsmtl import data
from lsmtl.data import plain
from lsmtl.lab import gpu, lease, records, scenarios
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import Experiment, Run, planned, results
from lsmtl.lab.experiments import make as make_run
from lsmtl.lab.measuring import thin

SETS = sorted(
    {d for e in EXPERIMENTS.values() if "gpu" in e.sizes for d in e.datasets}
    - {"simulated", "deepdiff", "deepdiff-full"}
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Empty folders for records."""
    monkeypatch.setattr(records, "COMMITTED", tmp_path / "committed")
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path / "new"))
    return tmp_path


# --- Plain arrays ---------------------------------------------------------------


@pytest.fixture(scope="module", params=SETS)
def both(request, tmp_path_factory):
    """A set as AnnData and as it is read from its file."""
    if not here(request.param):
        pytest.skip(f"the files of {request.param} aren't here; `make data` gets them")
    adata = scenarios.load(request.param)
    path = tmp_path_factory.mktemp("plain") / "set.npz"
    plain.save(path, adata, ["group"])
    return adata, plain.read(path)


def test_a_plain_set_has_the_fingerprint_of_its_anndata(both):
    adata, found = both
    assert data.fingerprint(found, "group") == data.fingerprint(adata, "group")
    assert found.shape == adata.shape


def test_a_plain_set_keeps_what_is_known_of_its_genes(both):
    adata, found = both
    tables = {k: v for k, v in adata.uns.items() if isinstance(v, pd.DataFrame)}
    assert tables.keys() == found.uns.keys() - set(plain.KEPT)
    for a, b in [(adata.var, found.var), *((tables[k], found.uns[k]) for k in tables)]:
        assert (a.astype(str).to_numpy(str) == b.to_numpy(str)).all()
        assert [*a] == [*b]


def splits(adata):
    """At random, and one with a group or platform left out."""
    few = thin(adata, 30)
    yield data.split(few, 1, "group")
    yield next(data.leave_one_out(few, adata.uns.get("within", "group")))[1]


def test_splits_of_a_plain_set_are_those_of_its_anndata(both):
    for ours, theirs in zip(*map(splits, both), strict=True):
        assert ours.targets == theirs.targets
        assert ours.landmarks == theirs.landmarks
        for name in ("train", "validation", "test"):
            a, b = getattr(ours, name), getattr(theirs, name)
            assert torch.equal(a.x, b.x)
            assert torch.equal(a.y, b.y)
            assert a.samples == b.samples


# --- A bare machine -------------------------------------------------------------


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return bare.make_python(tmp_path_factory.mktemp("bare"))


def test_the_bare_machine_is_bare(python):
    code = """
import sys
from importlib.util import find_spec
print(*(name for name in sys.argv[1:] if find_spec(name)))
"""
    names = "torch", "pandas", "scipy", "sklearn", "h5py", "lightning"
    done = subprocess.run(
        [python, "-c", code, *names, *bare.ABSENT], capture_output=True, text=True
    )
    assert tuple(done.stdout.split()) == names


def make(*arguments):
    return subprocess.run(
        ["make", "--no-print-directory", *map(str, arguments)],
        cwd=records.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def shorten(content):
    """To one run of every method."""
    content["due"] = [*{item["method"]: item for item in content["due"]}.values()]


@pytest.fixture
def name(monkeypatch):
    """A real experiment, on one set."""
    name = "base-networks"
    small = replace(EXPERIMENTS[name], datasets={"ecoli": "group"})
    monkeypatch.setitem(EXPERIMENTS, name, small)
    return name


def test_there_and_back(name, python, folder):
    """Bundle, runs on a bare machine, merge: the records are those of `results`."""
    bundle, out = folder / "bundle", folder / "out"
    gpu.main(["bundle", str(bundle), "--preset", "ci", "--only", name])
    due = edit(bundle, shorten)["due"]
    assert {item["method"] for item in due} >= {"ridge", "D-GEX", "MLP", "DenseNet"}
    done = make("gpu-records", f"PY={python}", f"BUNDLE={bundle}", f"OUT={out}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" s, ") == len(due)  # a line a run
    assert "nothing is due any more" in done.stdout
    assert gpu.merge([out / "records.jsonl"]) == len(due)
    table = results(EXPERIMENTS[name], "ci", "ecoli", missing="show")
    assert table["done"].sum() == len(due)
    adata, _ = planned(EXPERIMENTS[name], "ci", "ecoli")
    here = make_run(EXPERIMENTS[name], due[2], adata)["metrics"]
    filed = records.read(name)[records.key(due[2])]["metrics"]
    for metric, value in here.items():
        assert filed[metric] == pytest.approx(value, rel=1e-4)

    left = gpu.bundle(folder / "second", "ci", [name])
    assert len(left) == len(table) - len(due)
    assert not {*map(records.key, left)} & {*map(records.key, due)}
    assert gpu.merge([out / "records.jsonl"]) == 0  # they are there


def test_a_signal_keeps_the_finished_runs(name, folder):
    """As `timeout` or a machine that is given back sends it."""
    bundle, out = folder / "bundle", folder / "out"
    gpu.bundle(bundle, "ci", [name])
    command = ["-m", "lsmtl.lab.gpu", "run", bundle, out, "9"]
    with subprocess.Popen(
        [sys.executable, *command], cwd=records.ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while not (out / "records.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        printed = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert "stopped, SIGTERM" in printed
    assert "still due" in printed
    lines = (out / "records.jsonl").read_text().splitlines()
    assert 1 <= len(lines) < 36
    assert gpu.merge([out / "records.jsonl"]) == len(lines)


# --- What is run, and when it ends ----------------------------------------------


@pytest.fixture
def acts():
    """What the toy runs do, by seed, before they give their metrics."""
    return {}


@pytest.fixture
def toy(acts, folder, monkeypatch):
    """An experiment of four runs that look at their data and do their act."""
    values = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    donors = pd.DataFrame({"donor": [f"d{i // 2}" for i in range(20)]})
    genes = pd.DataFrame({"role": ["landmark"] * 2 + ["target"] * 3}, [*"abcde"])
    path = folder / "toy.h5ad"
    adata = anndata.AnnData(
        values, donors.set_axis([f"s{i}" for i in range(20)]), genes
    )
    adata.write_h5ad(path)

    def runs(sizes, landmarks):
        return [Run("toy method", {"landmarks": landmarks}, seed) for seed in range(4)]

    def measure(found, run, device):
        assert device == "cpu"
        splits = data.split(found, run.seed, run.configuration["group"])
        expected = data.split(adata, run.seed, "donor")
        assert torch.equal(splits.test.y, expected.test.y)
        acts.get(run.seed, lambda: None)()
        return {"mae": acts.get("mae", 0.5)}

    sizes = {"ci": {}, "gpu": {}}
    made = Experiment("toy", 3, {str(path): "donor"}, sizes, runs, measure)
    monkeypatch.setitem(EXPERIMENTS, "toy", made)
    return made


@pytest.fixture
def bundle(toy, folder):
    gpu.bundle(folder / "bundle", "ci", ["toy"])
    return folder / "bundle"


def edit(bundle, change):
    """Change the list of a bundle."""
    file = bundle / lease.LIST
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return content


def made(folder):
    """Seeds of the records in a folder, all of them whole."""
    file = folder / lease.RECORDS
    lines = file.read_text().splitlines() if file.exists() else []
    return [records.parse(line)["seed"] for line in lines]


def test_what_is_due_is_made_once(bundle, folder, capsys):
    assert lease.run(bundle, folder, 1) == 0
    assert made(folder) == [0, 1, 2, 3]
    assert lease.run(bundle, folder, 1) == 0
    assert made(folder) == [0, 1, 2, 3]
    assert "0 of 4 runs due" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_and_keeps_those_before(
    number, acts, bundle, folder, capsys
):
    before = signal.getsignal(number)
    acts[2] = lambda: (os.kill(os.getpid(), number), time.sleep(60))
    assert lease.run(bundle, folder, 1) == 0
    assert made(folder) == [0, 1]
    assert number.name in capsys.readouterr().out
    assert signal.getsignal(number) is before
    acts.clear()
    lease.run(bundle, folder, 1)
    assert made(folder) == [0, 1, 2, 3]


def test_a_signal_while_a_record_is_filed_loses_nothing(bundle, folder, monkeypatch):
    write = lease._write

    def disturbed(file, lines):
        os.kill(os.getpid(), signal.SIGTERM)
        write(file, lines)

    monkeypatch.setattr(lease, "_write", disturbed)
    lease.run(bundle, folder, 1)
    assert made(folder) == [0]


def test_a_run_that_takes_too_long_is_given_up(acts, bundle, folder, capsys):
    edit(bundle, lambda c: [item.update(minutes=1e-4) for item in c["due"]])
    acts[1] = lambda: time.sleep(60)
    start = time.monotonic()
    assert lease.run(bundle, folder, 0.01) == 0
    assert time.monotonic() - start < 10
    assert made(folder) == [0]
    printed = capsys.readouterr().out
    assert "stopped, the time is up" in printed
    assert "still due: 3 of toy" in printed


def test_a_run_that_cannot_fit_is_not_begun_and_shorter_ones_are(acts, bundle, folder):
    def change(content):
        for item, minutes in zip(content["due"], [5, 0.01, 5, 0.01], strict=True):
            item["minutes"] = minutes
            item["method"] += str(minutes)  # of another kind

    edit(bundle, change)
    lease.run(bundle, folder, 1)
    assert made(folder) == [1, 3]


def test_what_runs_of_a_kind_took_is_remembered(acts, bundle, folder):
    edit(bundle, lambda c: [item.update(minutes=1e-4) for item in c["due"]])
    for seed in range(4):
        acts[seed] = lambda: time.sleep(0.7)
    start = time.monotonic()
    lease.run(bundle, folder, 0.02)  # 1.2 s
    assert made(folder) == [0]
    assert time.monotonic() - start < 1.2


def test_a_failure_is_not_the_others(acts, bundle, folder, capsys):
    def fail():
        raise RuntimeError("out of memory")

    acts[1] = fail
    assert lease.run(bundle, folder, 1) == 1
    assert made(folder) == [0, 2, 3]
    printed = capsys.readouterr().out
    assert "FAILED" in printed
    assert "out of memory" in printed
    assert "still due: 1 of toy" in printed


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_metric_that_is_no_number_is_a_failure(value, acts, bundle, folder):
    acts["mae"] = value
    assert lease.run(bundle, folder, 1) == 4
    assert made(folder) == []


# --- Bundles --------------------------------------------------------------------


def other_values(bundle):
    file = bundle / "toy.npz"
    arrays = dict(np.load(file))
    arrays["X"][0, 0] += 1e-5
    np.savez_compressed(file, **arrays)


def other_list(bundle):
    edit(bundle, lambda c: c["due"][1].update(data="0" * 64))


def other_version(bundle):
    edit(bundle, lambda c: c["due"][2].update(recipe_version=2))


def nothing_there(bundle):
    (bundle / lease.LIST).unlink()


def for_a_gpu(bundle):
    edit(bundle, lambda c: c.update(preset="gpu"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (other_values, "toy.npz is damaged"),
        (other_list, "toy.h5ad in the bundle have another hash"),
        (other_version, "recipe_version 2 of toy, the code has 3"),
        (nothing_there, "make gpu-bundle"),
        (for_a_gpu, "needs a GPU"),
    ],
)
def test_a_bundle_that_is_not_right_is_refused(
    damage, says, bundle, folder, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    damage(bundle)
    with pytest.raises(ValueError, match=says):
        lease.run(bundle, folder, 1)
    assert made(folder) == []


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), "9"])
def test_time_must_be_positive(minutes, bundle, folder):
    with pytest.raises(ValueError, match="minutes"):
        lease.run(bundle, folder, minutes)


def test_a_bundle_that_is_too_large_lists_the_sizes(toy, folder, monkeypatch):
    monkeypatch.setattr(gpu, "LIMIT", 1e-6)
    with pytest.raises(ValueError, match=r"1e-06 MB.*toy.h5ad 0\.0"):
        gpu.bundle(folder / "bundle", "ci", ["toy"])
    assert not (folder / "bundle" / lease.LIST).exists()


def test_a_bundle_replaces_an_earlier_one(bundle, toy):
    lease.run(bundle, bundle / "out", 1)
    gpu.merge([bundle / "out" / lease.RECORDS])
    assert gpu.bundle(bundle, "ci", ["toy"]) == []
    assert not (bundle / "toy.npz").exists()
    assert lease.run(bundle, bundle / "out", 1) == 0


def test_what_is_due_stands_in_the_order_of_value(toy, folder, monkeypatch):
    """Benchmarks, then what only a GPU can run, then what is done soonest."""

    def another(name, dataset, seeds, **configuration):
        def runs(sizes, landmarks):
            return [Run("m", configuration, seed) for seed in range(seeds)]

        changed = replace(toy, name=name, datasets={dataset: None}, runs=runs)
        monkeypatch.setitem(EXPERIMENTS, name, changed)

    another("longer", next(iter(toy.datasets)), 6)
    another("lasso", "simulated", 2, minutes=8)  # a benchmark has the same name
    for name in list(EXPERIMENTS):
        if name not in ("toy", "longer", "lasso"):
            monkeypatch.delitem(EXPERIMENTS, name)
    due = gpu.bundle(folder / "bundle")
    named = [item.get("benchmark") or item["experiment"] for item in due]
    count = len(gpu._benchmarks())
    assert set(named[:count]) == set(gpu._benchmarks()) >= {"lasso", "step"}
    assert named[count:] == ["lasso"] * 2 + ["toy"] * 4 + ["longer"] * 6
    assert [item["seed"] for item in due[-6:]] == [0, 1, 2, 3, 4, 5]
    assert [item["minutes"] for item in due[count : count + 2]] == [8, 8]

    due = gpu.bundle(folder / "bundle", only=["longer", "bench-lasso"])
    assert due[-1]["benchmark"] == "lasso"  # not the experiment
    assert [item["experiment"] for item in due[:-1]] == ["longer"] * 6
    with pytest.raises(ValueError, match=r"bench-lasso.*toy.*'fast'"):
        gpu.bundle(folder / "bundle", only=["fast"])


def test_earlier_records_say_how_long_a_run_takes(bundle, toy, folder):
    kept = edit(bundle, lambda c: c["due"].pop())["due"]
    lease.run(bundle, folder, 1)
    lines = (folder / lease.RECORDS).read_text().splitlines()
    slow = [json.dumps(json.loads(line) | {"wall_s": 120}) for line in lines]
    (folder / lease.RECORDS).write_text("\n".join(slow))
    assert gpu.merge([folder / lease.RECORDS]) == len(kept)
    (item,) = gpu.bundle(bundle, "ci", ["toy"])
    assert (item["seed"], item["minutes"]) == (3, 2)


def test_simulated_data_do_not_travel(toy, folder, monkeypatch):
    def measure(adata, run, device):
        assert adata is None
        return {"mae": 0.5}

    simulated = replace(toy, datasets={"simulated": None}, measure=measure)
    monkeypatch.setitem(EXPERIMENTS, "toy", simulated)
    assert len(gpu.bundle(folder / "bundle", "ci", ["toy"])) == 4
    assert [p.name for p in (folder / "bundle").iterdir()] == [lease.LIST]
    assert lease.run(folder / "bundle", folder, 1) == 0
    assert gpu.merge([folder / lease.RECORDS]) == 4


def test_a_set_whose_files_are_missing_is_left_out(toy, folder, monkeypatch, capsys):
    def gone(name):
        raise FileNotFoundError("`make data` gets them")

    monkeypatch.setattr(data, "load", gone)
    assert gpu.bundle(folder / "bundle", "ci", ["toy"]) == []
    assert "toy.h5ad: left out: `make data` gets them" in capsys.readouterr().err


# --- Merging --------------------------------------------------------------------


def version(record):
    return record | {"recipe_version": 2}


def hashed(record):
    return record | {"data": "0" * 64}


def configured(record):
    return record | {"configuration": {"landmarks": 7, "group": "donor"}}


def renamed(record):
    return record | {"experiment": "foreign"}


def more(record):
    return record | {"hostname": "x"}


def bench(record):
    return record | {"experiment": "bench", "recipe_version": 1}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (version, "recipe_version 2 of toy, the code has 3"),
        (hashed, "other data: .*toy.h5ad has the hash"),
        (configured, "no run of toy, ci, .*toy method.*7.*seed 1"),
        (lambda r: r | {"seed": 9}, "no run of toy.*seed 9"),
        (lambda r: r | {"preset": "laptop"}, "preset.*ci, gpu.*laptop"),
        (lambda r: r | {"dataset": "ecoli"}, "dataset.*toy.h5ad.*ecoli"),
        (renamed, "experiment.*toy.*'foreign'"),
        (more, "hostname"),
        (bench, "benchmark.*lasso.*None"),
        (lambda r: r | {"metrics": {}}, r"record.metrics"),
        (lambda r: json.dumps(r)[:80], "no JSON"),
        (lambda r: "", "no JSON"),
        (lambda r: json.dumps(r).replace("0.5", "NaN"), "NaN"),
    ],
)
def test_a_line_that_does_not_belong_is_refused_and_nothing_filed(
    change, says, bundle, folder, capsys
):
    lease.run(bundle, folder, 1)
    file = folder / lease.RECORDS
    lines = file.read_text().splitlines()
    changed = change(json.loads(lines[1]))
    lines[1] = changed if isinstance(changed, str) else json.dumps(changed)
    file.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=f"{file}, line 2: .*{says}"):
        gpu.merge([file])
    assert not records.folder().exists()
    with pytest.raises(SystemExit, match=r"^error: .*line 2"):
        gpu.main(["merge", str(file)])


def test_several_files_are_merged_and_doubles_filed_once(bundle, folder):
    for name in "ab":
        lease.run(bundle, folder / name, 1)
    files = [folder / name / lease.RECORDS for name in "ab"]
    assert gpu.merge(files) == 4
    assert len((records.folder() / "toy.jsonl").read_text().splitlines()) == 4


# --- Benchmarks -----------------------------------------------------------------


def test_benchmarks_travel_and_replace_what_was_measured(folder, monkeypatch):
    sizes = {"samples": 60, "landmarks": 20, "targets": 30, "factors": 5}
    monkeypatch.setattr(lasso, "SIZE", sizes)
    monkeypatch.setattr(lasso, "TIMED", 6)
    sizes = {"landmarks": 20, "targets": 120, "hidden": [8], "batch": 10}
    monkeypatch.setattr(step_benchmark, "SIZES", sizes)
    due = gpu.bundle(folder / "bundle", only=["bench-step", "bench-lasso"])
    assert [item["benchmark"] for item in due] == ["step", "lasso"]
    edit(folder / "bundle", lambda c: c.update(preset="ci"))
    assert lease.run(folder / "bundle", folder, 5) == 0
    file = folder / lease.RECORDS
    lines = file.read_text().splitlines()
    assert len(lines) == 7 + 3
    assert gpu.merge([file]) == gpu.merge([file]) == len(records.read("bench")) == 10
    assert lease.run(folder / "bundle", folder, 5) == 0
    assert file.read_text().splitlines() == lines
    assert (
        len(gpu.bundle(folder / "bundle", only=["bench-lasso"])) == 1
    )  # on a GPU: due
    for line in lines:
        record = json.loads(line)
        record["configuration"]["device"] = "cuda"
        records.write(record | {"preset": "gpu", "peak_gpu_memory_mb": 100})
    assert gpu.bundle(folder / "bundle", only=["bench-lasso", "bench-step"]) == []


# --- The commands ---------------------------------------------------------------


def test_the_commands_are_listed():
    listed = make("help").stdout
    for name in ("gpu-bundle", "gpu-records", "merge-records", "records", "help"):
        assert f"\n{name} " in f"\n{listed}"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["gpu-records", "OUT="], "OUT is missing"),
        (["-n", "merge-records"], "FILE is missing"),
    ],
)
def test_a_missing_variable_is_said(command, says):
    done = make(*command)
    assert done.returncode != 0
    assert says in done.stderr


def test_a_missing_bundle_is_said_in_a_line(folder):
    with pytest.raises(SystemExit, match=r"^error: no bundle at .*: `make gpu-bundle`"):
        gpu.main(["run", str(folder / "none"), str(folder), "1"])
