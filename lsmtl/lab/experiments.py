"""The experiments of the book: which runs each one has, and how a run is made.

An experiment lists its runs for a preset; `results` looks each one up among the run
records and makes those that are missing. Changing what a run computes means raising
the experiment's `recipe_version`, so that old records no longer count.
"""

import collections
import dataclasses
import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch

from lsmtl import data
from lsmtl._checks import one_of
from lsmtl._progress import tqdm
from lsmtl.data import companions, fetch, simulation
from lsmtl.lab import carried, records, scenarios
from lsmtl.lab.presets import ORIGINALS, PRESETS, dry_run, on_gpu, shown

UNKNOWN = 0.1  # minutes, the estimate for a run of which nothing is known
LASTING = ("minutes", "epochs", "batch_size")  # of a configuration
BROUGHT = (*ORIGINALS, fetch.LARGE)  # what is never loaded unless it is asked for
KNOWN = {  # on-demand set → its landmarks or tasks, and fingerprint, for its records
    "gtex59": (20, "40973e627f9a05f68960c5adc4d92b54915f5f840095762e64a6d08db9691240"),
    "arrays": (943, "3cd17db887127a26561c36aa23ae8c26ebf4c1adab1d623d1b1458b1f8fdc1eb"),
    "arrays-rnaseq": (
        473,
        "066a9edfc4a04bc20b04c66b9c2ed20b2500ca6c2f262d70b71ac16fef456ba1",
    ),
    "arrays-studies": (
        943,
        "d1cf817acde9854d9fd0a49e67ae66340ae6bc9bfff4cd17d3d8036f5d5b82d1",
    ),
    "school": (139, "16b58d40349b2f632ca2b3f0ace9c01e3e8051c6b13dea08de03557d9249d4f5"),
    "mhc": (135, "f40a5deb31d73b25f6b5b7070dfc44386c261fd054be671a47df7c083c07bd3c"),
    "deepdiff": (
        2,
        "7e9c65aea6d69e1e12971b006cd7b44077f5a477e8fe065bb955a4be3322b996",
    ),
}


@dataclass(frozen=True)
class Run:
    """One line of an experiment: a method, its configuration, a seed."""

    method: str
    configuration: dict
    seed: int


@dataclass(frozen=True)
class Experiment:
    """What is run, on what, and how large.

    Args:
        name: also the name of the chapter and of the records' file.
        recipe_version: raised by hand when a run would give another result.
        datasets: the name of a dataset, or of a scenario (`lsmtl.lab.scenarios`) → the
            obs column that never straddles two sets; `"simulated"` is drawn by each
            run, from its configuration.
        sizes: a preset's name → how large the runs are; for `paper` what differs from
            `gpu`, or from `laptop` if there is no `gpu`. Without a set that preset
            `paper` could run on, there is no such preset.
        special: (preset, dataset) → what differs from that for this dataset; None if
            it isn't run there.
        kept: real sets on which preset `paper` runs as well, because they know what
            the original files don't tell.
        runs: (sizes, number of landmarks, of tasks in a table, or of cell types) → the
            `Run`s.
        measure: (AnnData, table, histone marks or None, Run, device) → metrics.
        files: a dataset that is a file of one's own → its AnnData.
        minutes: method → about how long its longest run takes on a GPU, if that is
            more than seconds.
        timed: (record) → whether the run measures time, and so wants no company.
    """

    name: str
    recipe_version: int
    datasets: dict
    sizes: dict
    runs: Callable
    measure: Callable = field(repr=False)
    special: dict = field(default_factory=dict)
    kept: tuple = ()
    files: dict = field(default_factory=dict, repr=False, compare=False)
    minutes: dict = field(default_factory=dict)
    timed: Callable = field(default=lambda record: False, repr=False)

    def __post_init__(self):
        if {*ORIGINALS, "simulated", *self.kept} & {*self.datasets}:
            paper = self.sizes[self._largest] | self.sizes.get("paper", {})
            object.__setattr__(self, "sizes", self.sizes | {"paper": paper})

    @property
    def _largest(self):
        """The preset that `paper` begins from."""
        return next(p for p in ("gpu", "laptop", "ci") if p in self.sizes)

    def size(self, preset, dataset):
        """How large the runs of a preset are on a dataset; None if there are none.

        Preset `paper` runs on the original files, and no other preset does. What is
        simulated has the sizes of `gpu` there.
        """
        original, paper = dataset in ORIGINALS, preset == "paper"
        if paper and dataset in (*self.kept, "simulated"):
            size = self.size(self._largest, dataset)
            return self.size("ci", dataset) if size and dry_run() else size
        special = self.special.get((preset, dataset), {})
        if original != paper or special is None:
            return None
        size = self.sizes[preset] | special
        if paper and dry_run():
            few = min(size.get("seeds", 1), self.sizes["ci"].get("seeds", 1))
            return self.sizes["ci"] | special | {"seeds": few}
        return size

    def presets(self, dataset):
        """Presets that a page may show of a dataset, the largest first.

        Only the original files have runs that are no other preset's, too.
        """
        every = [p for p in reversed(PRESETS) if self.sizes.get(p)]
        every = [p for p in every if self.size(p, dataset) is not None]
        return [p for p in every if (p == "paper") == (dataset in ORIGINALS)]

    @property
    def takes_files(self):
        """Whether it also runs on a file of profiles that a user brings."""
        return "geo" in self.datasets

    def refuse_files(self):
        """A ValueError if it needs what a file of profiles doesn't tell."""
        if not self.takes_files:
            raise ValueError(
                f"{self.name} doesn't run on a file, only on {', '.join(self.datasets)}"
            )

    def on(self, path, **how):
        """The experiment with a file as one more dataset, by its name.

        Args:
            path: of the file, as `lsmtl.data.load` takes it.
            **how: what that takes besides.

        Raises:
            ValueError: the file can't be used, or the experiment needs what a file of
                profiles doesn't tell.
        """
        self.refuse_files()
        name = Path(path).name
        adata = scenarios.grouped(data.load(path, **how))
        datasets, files = self.datasets | {name: "group"}, {name: adata}
        return dataclasses.replace(self, datasets=datasets, files=files)


def results(experiment, preset, dataset, missing="run", seed=0, known=None):
    """The runs of an experiment as a table, from their records.

    Args:
        experiment: an `Experiment`.
        preset: how large; a key of its `sizes`.
        dataset: a key of its `datasets`.
        missing: `"run"` makes the missing runs and records them; `"show"` leaves
            their metrics empty.
        seed: added to the seed of every run.
        known: what `records.read` gave; None reads the records now.

    Returns:
        DataFrame, a row a run: `method`, `seed`, the configuration's entries, the
        metrics, and `done`.
    """
    one_of("missing", missing, ("run", "show"))
    known = records.read(experiment.name) if known is None else known
    adata, runs = planned(experiment, preset, dataset, missing == "run", seed, known)
    rows, used = [], {True: [], False: []}  # by whether they are made now
    name = f"{experiment.name}, {preset}, {dataset}"
    # an explicit disable=False would overrule TQDM_DISABLE
    if missing == "run":
        runs = tqdm(runs, desc=name, unit="run", mininterval=1)
    for record in runs:
        key = records.key(record)
        found = known.get(key)
        if found is not None or missing == "run":
            used[found is None].append(key)
        if found is None and missing == "run":
            found = make(experiment, record, adata)
            records.write(found)
        measured = (
            {"done": False} if found is None else found["metrics"] | {"done": True}
        )
        row = {"method": record["method"], "seed": record["seed"]}
        row |= record["configuration"] | measured
        rows.append({k: v for k, v in row.items() if k != "group"})
    if missing == "run":
        carried.note(used[True], used[False])
    else:
        carried.note_read(name, len(used[False]))
    return pd.DataFrame(rows)


def planned(experiment, preset, dataset, files=True, seed=0, known=None):
    """The runs of an experiment, each as the record that it will be.

    Args:
        experiment: an `Experiment`.
        preset: how large; a key of its `sizes`.
        dataset: a key of its `datasets`.
        files: whether the data are needed; without, their known hash is enough, and
            for the original files and `deepdiff-full` that of their newest record.
        seed: added to the seed of every run.
        known: what `records.read` gave; None reads the records now.

    Returns:
        The AnnData (None where it isn't needed), and a list of records that lack what
        a run adds: metrics and provenance. There are none of such files that are not
        needed and have no record.

    Raises:
        FileNotFoundError: the data are needed, and on demand, and not here.
    """
    one_of("preset", preset, experiment.sizes)
    group = experiment.datasets[one_of("dataset", dataset, experiment.datasets)]
    size = experiment.size(preset, dataset)
    if size is None:
        return None, []
    if not files and dataset in BROUGHT:
        known = records.read(experiment.name) if known is None else known
        adata, (landmarks, content) = None, _recorded(known, dataset, group)
        if content is None:
            return None, []
    elif dataset in experiment.files:
        adata = experiment.files[dataset]
        landmarks, content = _identified(adata, group)
    else:
        adata, landmarks, content = source(dataset, group, files)
    return adata, [
        {
            "experiment": experiment.name,
            "recipe_version": experiment.recipe_version,
            "preset": shown(preset),
            "dataset": dataset,
            "data": content,
            "method": run.method,
            "configuration": run.configuration | {"group": group},
            "seed": run.seed + seed,
        }
        for run in experiment.runs(size, landmarks)
    ]


def source(dataset, group, files=True):
    """A dataset's AnnData, its number of landmarks and its hash.

    Args: as for `planned`.
    """
    if dataset == "simulated":  # each run draws it, as its configuration says
        return None, None, simulation.fingerprint()
    if not files:
        return None, *(KNOWN.get(dataset) or _identity(dataset, group))
    adata = scenarios.load(dataset)
    return adata, *_identified(adata, group)


def _recorded(known, dataset, group):
    """Landmarks and hash of what is brought, as its newest record has them."""
    original, preset = dataset in ORIGINALS, shown("paper")
    mine = [
        (record["date"], record["data"])
        for record in known.values()
        if record["dataset"] == dataset
        if not original or record["preset"] == preset
    ]
    if not mine:
        return None, None
    if not original:
        return len(fetch.CELLS), max(mine)[1]
    return _identity(dataset, group) if dry_run() else (943, max(mine)[1])


@functools.cache
def _identity(dataset, group):
    """What stands for a set's files, read once."""
    return _identified(scenarios.load(dataset), group)


def _identified(adata, group):
    if isinstance(adata, pd.DataFrame):  # a table of tasks
        return adata["task"].nunique(), companions.fingerprint(adata)
    if isinstance(adata, companions.HistoneMarks):
        return len(adata.signal), companions.fingerprint(adata)
    landmarks = int((adata.var["role"] == "landmark").sum())
    return landmarks, data.fingerprint(adata, group)


def due(experiment, preset, datasets=None, seed=0, known=None):
    """The runs of an experiment that have no record yet.

    A set whose files are missing is left out, with a line that says so; the one of
    several GB is downloaded only when it is named.

    Args:
        experiment: an `Experiment`.
        preset: how large; an experiment without it has nothing due.
        datasets: which of its `datasets`; None means all.
        seed: added to the seed of every run.
        known: what `records.read` gave; None reads the records now.

    Yields:
        A dataset, its AnnData and its runs as `planned` gives them, with `minutes`: the
        longest that a run of its `kind` took, else what the experiment says, and no
        less than a run is given by its configuration.
    """
    known = records.read(experiment.name) if known is None else known
    longest = most(known, "wall_s")
    for dataset in experiment.datasets if preset in experiment.sizes else ():
        if datasets is not None and dataset not in datasets:
            continue
        if datasets is None and dataset == fetch.LARGE and not fetch.available(dataset):
            print(f"{experiment.name}, {dataset}: left out: not named", file=sys.stderr)
            continue
        try:
            adata, runs = planned(experiment, preset, dataset, seed=seed)
        except FileNotFoundError as error:  # an on-demand set
            print(f"{experiment.name}, {dataset}: left out: {error}", file=sys.stderr)
            continue
        for run in runs:
            guess = experiment.minutes.get(run["method"], UNKNOWN)
            guess = round(longest.get(kind(run), 60 * guess) / 60, 2)
            run["minutes"] = max(guess, run["configuration"].get("minutes", 0))
        missing = {records.key(run): run for run in runs}
        yield dataset, adata, [run for k, run in missing.items() if k not in known]


def kind(record):
    """What runs of about the same length share."""
    fields = [record[k] for k in ("experiment", "preset", "dataset", "method")]
    return (*fields, *(record["configuration"].get(k) for k in LASTING))


def most(known, field):
    """The largest value of a field of the records of each kind."""
    found = collections.defaultdict(list)
    for record in known.values():
        found[kind(record)].append(record[field])
    return {name: max(values) for name, values in found.items()}


def label(record):
    """What a run is called where it is listed."""
    settings = [f"{k} {v}" for k, v in record["configuration"].items() if k != "group"]
    where = f"{record['experiment']}, {record['dataset']}, {record['method']}"
    return ", ".join([where, *settings, f"seed {record['seed']}"])


def make(experiment, record, adata):
    """Make a planned run; those of presets `gpu` and `paper` are made on a GPU.

    Args:
        experiment: an `Experiment`.
        record: one of `planned`.
        adata: what `planned` gave with it.

    Returns:
        The complete record.
    """
    device = "cuda" if on_gpu(record["preset"]) else "cpu"
    records.forget_peak()
    start = time.perf_counter()
    run = Run(record["method"], record["configuration"], record["seed"])
    with torch.random.fork_rng():  # runs seed it; the chapter's own draws go on
        measured = experiment.measure(adata, run, device)
    wall = round(time.perf_counter() - start, 3)
    return record | {"metrics": measured, "wall_s": wall} | records.provenance(device)


def tuned(runs, method, head=None):
    """Runs of a method, learning rate and λ chosen by validation MAE over the seeds.

    Args:
        runs: the table that `results` gives.
        method: `"DenseNet"`, `"Deep-LSMTL"`, or one that has nothing to choose.
        head: how the networks' head starts; None for methods without one.
    """
    mine = runs[runs["method"] == method]
    if head is None:
        return mine
    mine = mine[mine["head"] == head]
    return preferred(mine, "lr", "strength")


def preferred(runs, *by):
    """The runs of the settings with the lowest validation MAE, its mean over seeds.

    Args:
        runs: as `results` gives them, of one method.
        *by: the columns whose values are chosen.
    """
    mean = runs.groupby(list(by), dropna=False)["validation_mae"].transform("mean")
    return runs[mean == mean.min()]
