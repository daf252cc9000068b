"""On a borrowed machine: make what is due in a bundle while there is time.

This needs no AnnData. A run of preset `gpu` needs a GPU; those of the smaller presets
use the processor, so that all this can be tried without one.
"""

import collections
import contextlib
import hashlib
import json
import os
import signal
import time
from pathlib import Path

import torch

from lsmtl import data
from lsmtl._checks import finite
from lsmtl.data import plain, simulation
from lsmtl.lab import experiments, records
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import make

LIST, RECORDS = "due.json", "records.jsonl"


def run(folder, out, minutes):
    """Make what is due, in the order of the list, until the time is up.

    A run that is expected to take longer than is left isn't begun; one that takes
    longer nevertheless is given up, as it is when SIGTERM or SIGINT comes. The file
    `records.jsonl` is whole after every run, and what is in it isn't made again.

    Args:
        folder: the bundle.
        out: the folder for `records.jsonl`.
        minutes: the time.

    Returns:
        How many runs failed; the others were made all the same.

    Raises:
        ValueError: there is no bundle, it is damaged or not of this code, or it needs
            a GPU and there is none.
    """
    finite("minutes", minutes, minimum=1e-3)
    due, sets = opened(folder)
    file = Path(out) / RECORDS
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    before = len(lines)
    finished = {_identity(records.parse(line)) for line in lines}
    waiting = [item for item in due if _identity(item) not in finished]
    print(f"{len(waiting)} of {len(due)} runs due, {minutes:g} min", flush=True)
    longest, failed = {}, 0  # minutes that the runs of a kind took
    with Stop(60 * minutes) as stop:
        for item in list(waiting):
            if longest.get(kind(item), item["minutes"]) > stop.left():
                continue
            start = time.monotonic()
            try:
                with stop.interrupts():
                    lines += _made(item, sets)
            except Stopped:
                break
            except Exception as error:  # one run's failure isn't the others'
                print(f"FAILED: {_name(item)}: {error!r}", flush=True)
                failed += 1
                continue
            _write(file, lines)
            waiting.remove(item)
            took = (time.monotonic() - start) / 60
            longest[kind(item)] = max(took, longest.get(kind(item), 0))
            print(
                f"{_name(item)}: {60 * took:.1f} s, {max(stop.left(), 0):.1f} min left",
                flush=True,
            )
    _report(stop.why, file, len(lines) - before, waiting, failed)
    return failed


def opened(folder):
    """What is due in a bundle, and its data by name; all of it checked.

    Raises:
        ValueError: as for `run`.
    """
    try:
        content = json.loads((Path(folder) / LIST).read_text("utf-8"))
    except OSError:
        raise ValueError(
            f"no bundle at {folder}: `make gpu-bundle` writes one"
        ) from None
    if content["preset"] == "gpu" and not torch.cuda.is_available():
        raise ValueError("the bundle needs a GPU, and PyTorch sees none here")
    sets, hashes = {"simulated": None}, {("simulated", None): simulation.fingerprint()}
    for name, entry in content["data"].items():
        file = Path(folder) / entry["file"]
        if hashlib.sha256(file.read_bytes()).hexdigest() != entry["sha256"]:
            raise ValueError(f"{file} is damaged: another hash than in {LIST}")
        sets[name] = plain.read(file)
    for item in content["due"]:
        if "benchmark" in item:
            continue
        experiment = EXPERIMENTS.get(item["experiment"])
        version = experiment and experiment.recipe_version
        if item["recipe_version"] != version:
            raise ValueError(
                f"the bundle is for recipe_version {item['recipe_version']} of "
                f"{item['experiment']}, the code has {version}: make the bundle anew"
            )
        which = item["dataset"], item["configuration"]["group"]
        if which not in hashes:
            hashes[which] = data.fingerprint(sets[which[0]], which[1])
        if item["data"] != hashes[which]:
            raise ValueError(
                f"the data of {which[0]} in the bundle have another hash than the "
                "list says: make the bundle anew"
            )
    return content["due"], sets


class Stopped(BaseException):
    """Ends a run; no Exception, so that nothing takes it for a failure."""


class Stop(contextlib.AbstractContextManager):
    """Knows when the time is up or a signal came, and then ends what may be ended.

    Args:
        seconds: the time.
    """

    SIGNALS = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)

    def __init__(self, seconds):
        self.why, self._may_end = "", False
        self._deadline = time.monotonic() + seconds
        self._before = {n: signal.signal(n, self._note) for n in self.SIGNALS}
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def __exit__(self, *error):
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def left(self):
        """Minutes."""
        return (self._deadline - time.monotonic()) / 60

    @contextlib.contextmanager
    def interrupts(self):
        """What is done inside ends with `Stopped` when the time is up."""
        self._may_end = True
        try:
            if self.why:
                raise Stopped
            yield
        finally:
            self._may_end = False

    def _note(self, number, frame):
        up = number == signal.SIGALRM
        self.why = "the time is up" if up else signal.Signals(number).name
        if self._may_end:
            raise Stopped


def kind(item):
    """What runs of about the same length share."""
    if "benchmark" in item:
        return item["benchmark"]
    return experiments.kind(item)


def _identity(item):
    """The same for what is due and for the record of it."""
    if item.get("experiment") == "bench":
        item = item["configuration"]
    return item["benchmark"] if "benchmark" in item else records.key(item)


def _name(item):
    if "benchmark" in item:
        return f"benchmark {item['benchmark']}"
    return experiments.label(item)


def _made(item, sets):
    """The lines of the records of what is due."""
    if "benchmark" in item:
        from benchmarks.__main__ import measured  # here: it is no part of the package

        made = [*measured(item["benchmark"])]
    else:
        record = {k: v for k, v in item.items() if k != "minutes"}
        experiment = EXPERIMENTS[item["experiment"]]
        made = [make(experiment, record, sets[item["dataset"]])]
    lines = [json.dumps(record, sort_keys=True) for record in made]
    for line in lines:
        records.parse(line)
    return lines


def _write(file, lines):
    """Replace the file in one step: a reader finds the old or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    os.replace(part, file)


def _report(why, file, new, waiting, failed):
    if waiting and not why:
        why = "no other run fits in the time" if not failed else "all were tried"
    print(f"{f'stopped, {why}: ' if why else ''}{new} new records in {file}")
    if failed:
        print(f"{failed} failed and stay due")
    parts = collections.Counter(
        _name(item)
        if "benchmark" in item
        else f"{item['experiment']}, {item['dataset']}"
        for item in waiting
    )
    for name, count in parts.items():
        print(f"still due: {count} of {name}")
    if not waiting:
        print("nothing is due any more")
