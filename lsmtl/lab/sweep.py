"""Run records, many at a time: `python -m lsmtl.lab --preset laptop`.

The client plans what is due, keeps each worker busy with one run, and alone writes the
records, each as its run ends. So there is nothing to lock, and whatever is killed
costs the runs it was in. The workers are processes of this machine, or those of the
Dask cluster that `DASK_SCHEDULER_ADDRESS` names; they load the data themselves.
"""

import argparse
import contextlib
import logging
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import NamedTuple

from distributed import CancelledError, wait

from lsmtl._checks import one_of
from lsmtl._progress import tqdm
from lsmtl.lab import experiments, records
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.cluster import ADDRESS, connected, slots, work
from lsmtl.lab.presets import PRESETS, on_gpu

WORKER = 500  # MB that a run needs of which nothing is known


@dataclass(frozen=True, eq=False)
class Task:
    """A run that is due, and what is expected of it.

    Args:
        experiment: its `Experiment`.
        record: what `planned` gives.
        minutes, memory: estimates; MB.
        alone: whether no other run may be made beside it.
    """

    experiment: experiments.Experiment
    record: dict
    minutes: float
    memory: float
    alone: bool


class Outcome(NamedTuple):
    """How many runs were made, the failed ones (Task, error), and if it was stopped."""

    made: int
    failed: list
    stopped: bool


def plan(chosen, preset, datasets=None, seed=0):
    """The runs that have no record yet, longest first, as far as that is known.

    Args:
        chosen: `Experiment`s.
        preset, datasets, seed: as for `experiments.due`.

    Returns:
        `Task`s; those that must be alone come last.
    """
    tasks = []
    for experiment in chosen:
        known = records.read(experiment.name)
        peaks = experiments.most(known, "peak_memory_mb")
        for _, _, runs in experiments.due(experiment, preset, datasets, seed, known):
            for run in runs:
                minutes = run.pop("minutes")
                memory = peaks.get(experiments.kind(run), WORKER)
                alone = not on_gpu(preset) and bool(experiment.timed(run))
                tasks.append(Task(experiment, run, minutes, memory, alone))
    return sorted(tasks, key=lambda task: (task.alone, -task.minutes))


def sweep(tasks, workers=None):
    """Make runs, many at a time, and record each as it ends.

    A run whose worker is killed is made again by another; one that fails, or kills four
    workers, is left out.

    Args:
        tasks: what `plan` gives, of one preset.
        workers: how many processes on this machine; None means one for every core, or
            for presets gpu and paper one for every GPU.

    Returns:
        An `Outcome`.

    Raises:
        ValueError: preset gpu or paper, and no GPU here; or `workers`, and a cluster
            elsewhere.
        OSError: no scheduler answers at `DASK_SCHEDULER_ADDRESS`, or not any more.
    """
    if not tasks:
        return Outcome(0, [], False)
    preset, code = tasks[0].record["preset"], records.code()
    resources = {"GPU": 1} if on_gpu(preset) else None
    waiting, running, made, failed = list(tasks), {}, 0, []
    with (
        _signals() as came,
        connected(preset, workers) as (client, memory),
        Progress(tasks) as show,
    ):
        while (waiting or running) and not came:
            places = slots(client, resources)
            while len(running) < places:
                task = choose(waiting, [t for t, _ in running.values()], memory)
                if task is None:
                    break
                waiting.remove(task)
                future = client.submit(
                    work,
                    task.experiment,
                    task.record,
                    code,
                    key=f"run-{records.key(task.record)}",
                    resources=resources,
                    pure=False,
                )
                running[future] = task, time.monotonic()
            show.state(made, failed, waiting, running.values(), places)
            for future in _ended(client, [*running]):
                task, _ = running.pop(future)
                try:
                    record = future.result()
                    records.write(record)
                except Exception as error:
                    failed.append((task, error))
                    ended = "failed"
                else:
                    made += 1
                    show.tally(task, record["wall_s"])
                    ended = f"{record['wall_s']:.1f} s"
                future.release()  # else it is made again where its worker is killed
                show.state(made, failed, waiting, running.values(), places)
                show.line(f"{experiments.label(task.record)}: {ended}")
    return Outcome(made, failed, bool(waiting or running))


def choose(waiting, running, memory):
    """The first task that may start beside those that run; None if there is none.

    Args:
        waiting, running: `Task`s.
        memory: MB that all runs together may need.
    """
    if any(task.alone for task in running):
        return None
    used = sum(task.memory for task in running)
    for task in waiting:
        fits = not task.alone and used + task.memory <= memory
        if fits or not running:
            return task
    return None


def _ended(client, futures):
    """The futures that are done, after half a second at most."""
    if client.status != "running":
        raise OSError("the scheduler has gone")
    if not futures:
        time.sleep(0.2)
        return ()
    try:
        return wait(futures, timeout=0.5, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return ()
    except CancelledError:
        raise OSError("the scheduler has gone, or gave up the runs") from None


@contextlib.contextmanager
def _signals():
    """What is inside isn't interrupted by Ctrl-C or SIGTERM, unless it comes twice.

    Yields:
        A list of those that came.
    """
    came = []

    def note(number, frame):
        came.append(number)
        signal.signal(number, before[number])

    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- What is shown --------------------------------------------------------------


class Progress(contextlib.AbstractContextManager):
    """A bar, or a line for every finished run where there is no terminal.

    Args:
        tasks: all that are to be made.
    """

    def __init__(self, tasks):
        self._due, self._spent, self._expected, self._text = len(tasks), 0.0, 0.0, ""
        shown, terminal = not os.environ.get("TQDM_DISABLE"), sys.stderr.isatty()
        self._lines, bar = shown and not terminal, shown and terminal
        self._bar = tqdm(total=self._due, bar_format="{desc} |{bar}|", disable=not bar)

    def __exit__(self, *error):
        self._bar.close()

    def state(self, made, failed, waiting, running, slots):
        """Show how far it is; `running` are pairs (Task, when it began)."""
        left = _span(self.left(waiting, running, slots))
        text = f"{made} of {self._due} done, {len(running)} running"
        text += f", {len(failed)} failed, {left} left"
        nobody = ", no worker that could"
        before, self._text = self._text, text if slots else text + nobody
        if not slots and not before.endswith(nobody):
            self.line("waiting for one")
        self._bar.set_description_str(self._text, refresh=False)
        self._bar.n = made + len(failed)
        self._bar.refresh()

    def left(self, waiting, running, slots):
        """Minutes, from the estimates and how they have held so far."""
        pace = self._spent / self._expected if self._expected else 1.0
        ends = [
            max(pace * task.minutes - (time.monotonic() - began) / 60, 0.0)
            for task, began in running
        ]
        ends += [pace * task.minutes for task in waiting]
        return max([sum(ends) / max(slots, 1), *ends])

    def tally(self, task, seconds):
        """Note how long a run took."""
        self._spent += seconds / 60
        self._expected += max(task.minutes, 1e-3)

    def line(self, text):
        """A line for the log, with the state."""
        if self._lines:
            print(f"[{self._text}] {text}", flush=True)


def _span(minutes):
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"


def main(arguments=None):
    """The command line; 1 if a run failed, 130 if it was stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m lsmtl.lab",
        description="Make the runs that have no record yet, many at a time, here or on "
        f"the Dask cluster whose scheduler {ADDRESS} names.",
    )
    parser.add_argument("--preset", default="laptop", choices=PRESETS)
    parser.add_argument("--experiment", choices=EXPERIMENTS, help="default: all")
    parser.add_argument("--dataset", help="default: all of the experiment")
    parser.add_argument("--workers", type=int, help="processes here; default: cores")
    parser.add_argument("--seed", type=int, default=0, help="added to every run's seed")
    given = parser.parse_args(arguments)
    logging.getLogger("distributed").setLevel(logging.WARNING)
    chosen = [e for n, e in EXPERIMENTS.items() if given.experiment in (None, n)]
    datasets = None
    try:
        if given.dataset is not None:
            known = sorted({name for e in chosen for name in e.datasets})
            datasets = [one_of("dataset", given.dataset, known)]
        tasks = plan(chosen, given.preset, datasets, given.seed)
        if not tasks:
            print("nothing is due")
            return 0
        print(f"{len(tasks)} runs due", flush=True)
        made, failed, stopped = sweep(tasks, given.workers)
    except KeyboardInterrupt:  # while it planned, or for the second time
        return 130
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    for task, error in failed:
        print(f"FAILED: {experiments.label(task.record)}: {error!r}{_place(error)}")
    print(f"{made} runs recorded in {records.folder()}, {len(failed)} failed")
    if stopped:
        print(f"stopped: {len(tasks) - made} still due; the same command goes on")
    return 130 if stopped else int(bool(failed))


def _place(error):
    """Where an error was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
