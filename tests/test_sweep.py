"""The sweep: many runs at a time, none of them twice, none of them lost."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import sweep_toy
import torch
from distributed import Client

from lsmtl.lab import cluster, experiments, records, sweep
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.cluster import worker_environments
from lsmtl.lab.sweep import Progress, Task, choose

TESTS = Path(__file__).parent
PATIENCE = 120  # seconds for processes to start or end, on a busy machine


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Empty folders for records and for what the toy notes; Dask's settings undone."""
    monkeypatch.setattr(records, "COMMITTED", tmp_path / "committed")
    records.code.cache_clear()  # an edit since the first test is none of its business
    with mock.patch.dict(os.environ, TOY_FOLDER=str(tmp_path)):
        os.environ["LSMTL_RECORDS"] = str(tmp_path / "new")
        os.environ.pop(cluster.ADDRESS, None)
        os.environ.pop("TQDM_DISABLE", None)
        yield tmp_path


@pytest.fixture
def acts(monkeypatch):
    """A function that says what the toy's runs do; what is due then."""
    monkeypatch.setitem(EXPERIMENTS, "toy", sweep_toy.TOY)

    def say(words):
        os.environ["TOY_ACTS"] = words
        return sweep.plan([sweep_toy.TOY], "ci")

    return say


def command(*more):
    """The command line, in this process."""
    return sweep.main(["--preset", "ci", "--experiment", "toy", *more])


def recorded():
    """Seeds of the toy's records; every line is valid."""
    file = records.folder() / "toy.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return sorted(records.parse(line)["seed"] for line in lines)


def begun(folder):
    """How often each seed's run was begun."""
    files = folder.glob("*.begun")
    return {int(path.stem): len(path.read_text().splitlines()) for path in files}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the package, which nobody edits while processes start; its hash."""
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copytree(records.ROOT / "lsmtl", copy / "lsmtl")
    with mock.patch.object(records, "ROOT", copy):
        return copy, records.code.__wrapped__()


@contextlib.contextmanager
def python(checkout, *arguments, **more):
    """A process that finds the toy and a checkout, in a session of its own."""
    path = os.pathsep.join([str(TESTS), str(checkout[0])])
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        start_new_session=True,
        text=True,
        **more,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


# --- On this machine ------------------------------------------------------------


def test_what_dies_or_fails_costs_itself_only(acts, folder, capsys):
    acts("ok fail die-once ok nan timed timed ok")
    assert command("--workers", "2") == 1
    assert recorded() == [0, 2, 3, 5, 6, 7]
    assert begun(folder) == dict.fromkeys(range(8), 1) | {2: 2}
    printed = capsys.readouterr().out
    assert printed.count("] toy, ") == 8  # a line a run
    assert "[6 of 8 done, 0 running, 2 failed, 0 s left]" in printed
    assert "6 runs recorded" in printed
    failed = [line for line in printed.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 2
    for words in (
        r"toy fail,.*seed 1: RuntimeError\('the toy is broken'\) at .*sweep_toy.py:\d",
        r"toy nan,.*seed 4: ValueError",
    ):
        assert re.search(words, "\n".join(failed))

    spans = {}  # by seed, of the last that was begun
    for record in records.read("toy").values():
        note = (folder / f"{record['seed']}.begun").read_text().split()
        spans[record["seed"]] = float(note[-1]), record["metrics"]["ended"]
    for timed in (5, 6):
        begins, ends = spans.pop(timed)
        assert all(end <= begins or ends <= begin for begin, end in spans.values())


def test_ctrl_c_leaves_valid_records_and_the_rest_for_later(
    acts, folder, checkout, request
):
    acts("ok stuck-once ok ok stuck-once ok")
    toy = ["-c", "import sweep_toy; sweep_toy.main()"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    five = dict.fromkeys(range(5), 1)  # 1 or 4 begins last: processes start at leisure
    with python(checkout, *toy, **pipe) as process:
        until(lambda: begun(folder) == five or process.poll() is not None)
        assert process.returncode is None, process.communicate(timeout=PATIENCE)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers as well
        printed, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
    assert "3 runs recorded" in printed
    assert "stopped: 3 still due" in printed
    assert errors == ""
    assert recorded() == [0, 2, 3]
    request.getfixturevalue("elsewhere")
    assert command() == 0
    assert recorded() == [0, 1, 2, 3, 4, 5]
    assert begun(folder) == {0: 1, 1: 2, 2: 1, 3: 1, 4: 2, 5: 1}


def test_a_worker_for_each_gpu_sees_no_other(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with cluster.local("gpu") as made, Client(made) as client:
        seen = client.run(lambda: os.environ["CUDA_VISIBLE_DEVICES"])
        assert sorted(seen.values()) == ["0", "1"]
        slow = client.run(lambda: "MALLOC_TRIM_THRESHOLD_" in os.environ)
        assert not any(slow.values())  # Dask would set it, and runs take twice the time
        assert cluster.slots(client, {"GPU": 1}) == 2


@pytest.mark.parametrize(
    ("variable", "count", "workers", "expected"),
    [
        (None, 3, None, ["0", "1", "2"]),
        ("5,2", 2, None, ["5", "2"]),
        ("GPU-a1", 1, 8, ["GPU-a1"]),
        (None, 3, 2, ["0", "1"]),
    ],
)
def test_workers_have_the_gpus_that_may_be_used(
    monkeypatch, variable, count, workers, expected
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if variable:
        os.environ["CUDA_VISIBLE_DEVICES"] = variable
    found = worker_environments("gpu", workers)
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in found] == expected


@pytest.mark.parametrize(("threads", "workers"), [(None, 8), ("", 8), ("3", 2)])
def test_there_is_a_worker_a_core(monkeypatch, threads, workers):
    monkeypatch.setattr(cluster, "CPU_COUNT", 8)
    os.environ.pop("OMP_NUM_THREADS", None)
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = threads
    assert len(worker_environments("laptop")) == workers
    assert len(worker_environments("laptop", 5)) == 5


# --- On a cluster elsewhere -----------------------------------------------------


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory, checkout):
    """The address of a scheduler with one worker, started as on a cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    with (folder / "log").open("w") as log, contextlib.ExitStack() as stack:
        for words in (
            ["scheduler", "--host", "127.0.0.1", "--port", "0"],
            ["worker", "--nthreads", "2", "--local-directory", str(folder)],
        ):
            dask_cli = ["-m", "dask", *words, *common]
            stack.enter_context(python(checkout, *dask_cli, stdout=log, stderr=log))
            until(file.exists)
        with Client(scheduler_file=file, timeout=PATIENCE) as client:
            client.wait_for_workers(1, timeout=PATIENCE)
            address = client.scheduler.address
        yield address


@pytest.fixture
def elsewhere(scheduler, checkout, monkeypatch):
    """The command line uses that scheduler, and has the code of its worker."""
    monkeypatch.setattr(records, "code", lambda: checkout[1])
    os.environ[cluster.ADDRESS] = scheduler


def test_the_second_time_nothing_is_done(acts, folder, elsewhere, capsys):
    acts("ok ok ok")
    assert command() == 0
    assert recorded() == [0, 1, 2]
    with mock.patch.object(sweep, "connected", side_effect=AssertionError):
        assert command() == 0
    assert "nothing is due" in capsys.readouterr().out
    assert begun(folder) == {0: 1, 1: 1, 2: 1}
    assert command("--seed", "2") == 0
    assert recorded() == [0, 1, 2, 3, 4]


def test_a_corrupted_record_is_named_and_made_again(acts, folder, elsewhere):
    acts("ok ok ok")
    assert command() == 0
    file = records.folder() / "toy.jsonl"
    lines = file.read_text().splitlines()
    spoilt = records.parse(lines[1])["seed"]
    file.write_text("\n".join([lines[0], lines[1][:70], lines[2]]))
    with pytest.warns(UserWarning, match=rf"{file}, line 2: set aside"):
        assert command() == 0
    assert begun(folder) == {0: 1, 1: 1, 2: 1} | {spoilt: 2}
    with pytest.warns(UserWarning, match="line 2"):
        assert len(records.read("toy")) == 3


def test_a_worker_makes_what_this_process_makes(elsewhere):
    experiment = EXPERIMENTS["masked-low-rank"]
    tasks = sweep.plan([experiment], "ci", ["ecoli"])
    tasks = [*{task.record["method"]: task for task in tasks}.values()]
    assert len(tasks) == 4
    assert sweep.sweep(tasks) == (4, [], False)
    found = records.read("masked-low-rank")
    adata, _ = experiments.planned(experiment, "ci", "ecoli")
    for task in tasks:
        made = found[records.key(task.record)]
        assert (
            made["metrics"]
            == experiments.make(experiment, task.record, adata)["metrics"]
        )
        assert made["threads"] == 1


def test_a_worker_with_other_code_or_data_makes_no_records(
    acts, elsewhere, monkeypatch
):
    (task,) = acts("ok")
    other = replace(task, record=task.record | {"data": "0" * 64})
    made, failed, _ = sweep.sweep([other])
    assert (made, str(failed[0][1])) == (0, "the worker has another simulated")
    monkeypatch.setattr(records, "code", lambda: "0" * 16)
    made, failed, _ = sweep.sweep([task])
    assert made == 0
    assert "has other code" in str(failed[0][1])
    assert recorded() == []


def test_a_worker_without_a_gpu_gets_no_run_that_needs_one(scheduler):
    with Client(scheduler) as client:
        assert cluster.slots(client, {"GPU": 1}) == 0
        assert cluster.slots(client, None) == 1  # in two threads, one run at a time


def test_workers_cannot_be_counted_elsewhere(acts, elsewhere):
    acts("ok")
    with pytest.raises(SystemExit, match="workers are processes here, but DASK_SCH"):
        command("--workers", "2")


# --- What is made when ----------------------------------------------------------


def task(memory=1.0, alone=False, minutes=1.0):
    return Task(sweep_toy.TOY, {}, minutes, memory, alone)


def test_runs_share_the_memory():
    big, small = task(6), task(3)
    assert choose([big, small], [], 10) is big
    assert choose([big, small], [big], 10) is small
    assert choose([big, small], [big, small], 10) is None
    assert choose([task(20)], [small], 10) is None
    huge = task(20)
    assert choose([huge], [], 10) is huge  # it may swap, but it's tried


def test_a_timed_run_has_no_company():
    timed, other = task(alone=True), task()
    assert choose([timed, other], [other], 10) is other
    assert choose([timed, other], [timed], 10) is None
    assert choose([timed], [other], 10) is None
    assert choose([timed], [], 10) is timed


def test_the_longest_known_run_comes_first(acts):
    long, *_ = acts("long")
    finished = {"metrics": {"mae": 1}, "wall_s": 120, **records.provenance("cpu")}
    records.write(long.record | finished | {"seed": 9, "peak_memory_mb": 2000})
    due = acts("timed ok long ok")
    assert [t.record["seed"] for t in due] == [2, 1, 3, 0]
    assert (due[0].minutes, due[0].memory) == (2, 2000)
    assert [t.alone for t in due] == [False, False, False, True]


def test_time_left_is_that_of_the_workers():
    tasks = [task() for _ in range(5)]
    show = Progress(tasks)
    now = time.monotonic()
    running = [(tasks[0], now), (tasks[1], now - 30)]
    assert show.left(tasks[2:], running, 2) == pytest.approx(2.25, abs=0.01)
    assert show.left([task(minutes=9)], [], 4) == 9  # no run is shared
    show.tally(tasks[4], 120)  # twice the estimate
    assert show.left(tasks[2:4], [], 2) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("hidden", ["", "1"])
def test_a_terminal_shows_a_bar_and_a_log_has_lines(
    terminal, hidden, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    os.environ["TQDM_DISABLE"] = hidden
    with Progress([task()] * 3) as show:
        show.state(1, ["a failed one"], [], [(task(minutes=2), time.monotonic())], 1)
        show.line("toy: 1 s")
    printed = capsys.readouterr()
    state = "1 of 3 done, 1 running, 1 failed, 2 min left"
    assert (f"{state} |" in printed.err) == (terminal and not hidden)
    lines = "" if terminal or hidden else f"[{state}] toy: 1 s\n"
    assert printed.out == lines


def test_an_unknown_dataset_is_refused():
    with pytest.raises(SystemExit, match=r"error: dataset must be .*ecoli.*'mars'"):
        sweep.main(["--dataset", "mars"])


def test_a_gpu_is_asked_for(acts, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    acts("ok")
    with pytest.raises(SystemExit, match="preset gpu needs a GPU"):
        command("--preset", "gpu")
