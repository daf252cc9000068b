"""How a chapter starts: one call that checks its parameters and loads its data."""

import ast
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lsmtl._checks import natural, one_of
from lsmtl.data.datasets import ENDINGS, SUFFIXES
from lsmtl.data.tables import kind
from lsmtl.lab import carried, records, scenarios
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import Experiment, results
from lsmtl.lab.presets import ORIGINALS, PRESETS, dry_run, need_gpu
from lsmtl.lab.show import badge

HOW = ("landmarks", "genes")  # of a file of one's own, as `lsmtl.data.load` has them
LOOK = 1000  # profiles of each use that a page itself looks at, at preset paper


@dataclass(frozen=True)
class Chapter:
    """A chapter's checked parameters, its data and its experiment.

    `adata` is an AnnData; a companion's table of tasks is a DataFrame, pairs of
    cell types are `HistoneMarks`.
    """

    experiment: Experiment
    preset: str
    dataset: str
    seed: int
    adata: object

    @property
    def sizes(self):
        """How large the steps of the page are.

        They are those of its runs, but at preset `paper` those of `laptop`, so that
        the page itself runs without a GPU.
        """
        size = self.experiment.size(self.preset, self.dataset)
        if self.dataset not in ORIGINALS or dry_run():
            return size
        special = self.experiment.special.get((self.preset, self.dataset), {})
        return size | self.experiment.sizes["laptop"] | special

    @property
    def badge(self):
        """The mark of numbers that this run of the chapter made."""
        return badge(self.preset, self.dataset)

    def results(self):
        """The experiment's runs at this preset; missing ones are made now."""
        return results(self.experiment, self.preset, self.dataset, seed=self.seed)

    def evidence(self, presets=PRESETS):
        """The largest preset whose runs all have a record, for every dataset.

        Args:
            presets: those that are looked at, the smallest first.

        Returns:
            dict of dataset → (DataFrame of the runs, badge).
        """
        return evidence(self.experiment.name, presets)


def evidence(name, presets=PRESETS):
    """What an experiment's records show: the largest complete preset of each dataset.

    Args:
        name: the experiment.
        presets: those that are looked at, the smallest first.

    Returns:
        dict of dataset → (DataFrame of the runs, badge).

    Raises:
        ValueError: there is no such experiment.
    """
    experiment = EXPERIMENTS[one_of("experiment", name, EXPERIMENTS)]
    known, found = records.read(name), {}
    for dataset in experiment.datasets:
        for preset in experiment.presets(dataset):
            if preset not in presets:
                continue
            runs = results(experiment, preset, dataset, "show", known=known)
            if len(runs) and runs["done"].all():
                found[dataset] = runs, badge(preset, dataset)
                break
    return found


def page(preset=None):
    """Check the parameters of a page that shows records and has no runs of its own.

    Args:
        preset: accepted and checked as in a chapter; the page is the same for all.

    Raises:
        ValueError: there is no such preset, or papermill was given a parameter that
            the page doesn't have.
    """
    _refuse_others(["preset"])
    preset = one_of("preset", usual(preset), PRESETS)
    carried.begin(None, {"preset": preset})


def usual(preset):
    """The preset that None stands for."""
    return preset or os.environ.get("LSMTL_PRESET") or "ci"


def start(name, preset=None, dataset=None, seed=0, **more):
    """Check a chapter's parameters and load its dataset.

    Args:
        name: the chapter's experiment.
        preset: how large the runs are; None means `$LSMTL_PRESET`, else `ci`.
        dataset: one of the experiment's datasets, or the path of a file as
            `lsmtl.data.load` takes it; None means the first.
        seed: added to the seeds of all runs.
        **more: further parameters of the chapter. `landmarks` and `genes` say how
            such a file is read; others are checked by the chapter.

    Returns:
        A `Chapter`.

    Raises:
        ValueError: a parameter has a value that is not allowed, or papermill was
            given a parameter that the chapter doesn't have.
    """
    _refuse_others(["preset", "dataset", "seed", *more])
    experiment, preset, dataset = check(name, preset, dataset, seed, **more)
    carried.begin(name, {"preset": preset, "dataset": dataset, "seed": seed} | more)
    if is_file(dataset):
        experiment = experiment.on(dataset, **_how(more))
        dataset = Path(dataset).name
    if preset == "ci" or dry_run():
        torch.set_num_threads(1)  # as fast for small runs, and the same everywhere
    adata = experiment.files.get(dataset)
    if adata is None and dataset != "simulated":
        adata = scenarios.load(dataset)
    if dataset in ORIGINALS:
        adata = _look(adata)
    return Chapter(experiment, preset, dataset, seed, adata)


def check(name, preset=None, dataset=None, seed=0, **more):
    """Check a chapter's parameters without loading anything.

    Args: as for `start`.

    Returns:
        The chapter's `Experiment`, its preset and its dataset, or the path of a file.

    Raises:
        ValueError: a parameter has a value that is not allowed.
    """
    experiment = EXPERIMENTS[one_of("chapter", name, EXPERIMENTS)]
    preset = one_of("preset", usual(preset), experiment.sizes)
    dataset = str(dataset or next(iter(experiment.datasets)))
    if is_file(dataset):
        experiment.refuse_files()
        if not Path(dataset).is_file():
            raise ValueError(f"dataset: there is no file {dataset!r}")
    elif how := _how(more):
        raise ValueError(f"{', '.join(how)}: only for a file, not for {dataset!r}")
    else:
        or_file = [f"the path of a file, {ENDINGS}"] if experiment.takes_files else []
        one_of("dataset", dataset, [*experiment.datasets, *or_file])
    if experiment.size(preset, dataset) is None:
        runs_on = [d for d in experiment.datasets if experiment.size(preset, d)]
        one_of(f"dataset for preset {preset}", dataset, runs_on)
    natural("seed", seed)
    need_gpu(preset)
    return experiment, preset, dataset


def is_file(dataset):
    """Whether a dataset is the path of a file, by its suffix."""
    return kind(Path(dataset)) in SUFFIXES


def _how(more):
    return {k: v for k, v in more.items() if k in HOW and v is not None}


def _look(adata):
    """At most `LOOK` profiles of each use, evenly spaced: enough for a page."""
    rows = [
        mine[np.linspace(0, len(mine) - 1, min(LOOK, len(mine))).astype(int)]
        for mine in adata.obs.groupby("use", observed=True).indices.values()
    ]
    return adata[np.sort(np.concatenate(rows))].copy()


def _refuse_others(known):
    for parameter in _injected():
        one_of("parameter", parameter, known)


def _injected():
    """Names that papermill's cell assigns; it begins with the line `# Parameters`."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    cells = shell.user_ns["In"] if shell else []
    for cell in cells:
        if cell.startswith("# Parameters\n"):
            for node in ast.parse(cell).body:
                yield from (t.id for t in getattr(node, "targets", []))
