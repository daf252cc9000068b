"""What choosing otherwise does: two settings of an experiment, compared by records."""

import functools
import html
from dataclasses import dataclass

import numpy as np

from lsmtl._checks import one_of
from lsmtl.lab import records
from lsmtl.lab.changes import change
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import preferred, results
from lsmtl.lab.presets import ORIGINALS
from lsmtl.lab.show import badge, say
from lsmtl.lab.standings import percent


@dataclass(frozen=True)
class Effect:
    """The change of a metric on a dataset, in percent of what it is compared with.

    Args:
        dataset: where.
        effect: mean over seeds; NaN if a run is missing.
        seeds: its standard deviation over seeds.
        count: number of seeds.
        genes: the spread over genes of what it is compared with, in percent.
        badge: the mark of the runs, "" without.
    """

    dataset: str
    effect: float = float("nan")
    seeds: float = float("nan")
    count: int = 0
    genes: float = float("nan")
    badge: str = ""

    @property
    def found(self):
        """Whether all runs have a record."""
        return self.count > 0

    def __str__(self):
        if not self.found:
            return "not run"
        digits = 2 if abs(self.effect) < 1 else 1
        spread = f" ± {self.seeds:.{digits}f}" if self.count > 1 else ""
        return f"{percent(self.effect, digits)[:-2]}{spread} %"


def picked(runs, wanted, choose=()):
    """The runs with some settings, a line a seed.

    Args:
        runs: what `results` gives.
        wanted: dict of column → value, or a function that says whether a value will
            do; None stands for an empty one.
        choose: columns whose values are chosen by the lowest validation MAE, its mean
            over seeds, among the runs that are left.

    Raises:
        ValueError: a column doesn't exist, or a seed has more than one run.
    """
    for name in (*wanted, *choose):
        one_of("setting", name, list(runs.columns))
    found = runs[
        [
            all(_same(row[name], value) for name, value in wanted.items())
            for row in runs.to_dict("records")
        ]
    ]
    if not found["done"].all():
        return found
    if choose:
        found = preferred(found, *choose)
    if found["seed"].duplicated().any():
        raise ValueError(f"a seed has more than one run with {wanted}")
    return found.sort_values("seed")


def recorded(name):
    """A function that gives an experiment's runs, each table made once.

    Args:
        name: the experiment.

    Returns:
        (preset, dataset) → what `results` gives without making runs.

    Raises:
        ValueError: there is no such experiment.
    """
    experiment = EXPERIMENTS[one_of("experiment", name, EXPERIMENTS)]
    known = records.read(name)

    @functools.cache
    def runs(preset, dataset):
        return results(experiment, preset, dataset, "show", known=known)

    return runs


def compared(name, own, other, datasets=None, choose=(), metric="mae", runs=None):
    """A setting of an experiment against another, from records, by dataset.

    It takes the largest preset above `ci` in which all runs of the two have a record.

    Args:
        name: the experiment.
        own, other: dicts of settings, see `picked`; `own` is compared with `other`.
        datasets: which of the experiment's; None means all.
        choose: see `picked`; for either of them.
        metric: what is compared, such as `"mae"`.
        runs: what `recorded` gave; None reads the records now.

    Returns:
        list of `Effect`, one a dataset; not `found` where a run is missing. The
        original files are left out before they have records.

    Raises:
        ValueError: there is no such experiment, or the settings fit no run, or several.
    """
    experiment = EXPERIMENTS[one_of("experiment", name, EXPERIMENTS)]
    runs, found = runs or recorded(name), []
    for dataset in datasets or experiment.datasets:
        effect, planned = Effect(dataset), False
        for preset in experiment.presets(dataset):
            if preset == "ci":
                continue
            ran = runs(preset, dataset)
            if not len(ran):
                continue
            pair = [picked(ran, wanted, choose) for wanted in (own, other)]
            planned |= all(map(len, pair))
            if all(len(p) and p["done"].all() for p in pair):
                effect = _effect(dataset, *pair, metric, badge(preset, dataset))
                break
        if not planned and dataset in ORIGINALS:
            continue
        if not planned:
            raise ValueError(f"{name} has no runs on {dataset} with {own} and {other}")
        found.append(effect)
    return found


def told(label, effects):
    """A line that shows effects: what is chosen otherwise, then each dataset."""
    cells = [
        f"{e}&nbsp;{e.badge}".replace(" ± ", "&nbsp;±&nbsp;").replace(" %", "&nbsp;%")
        if e.found
        else f"{html.escape(e.dataset)} {e}"
        for e in effects
    ]
    return say(f"<b>{html.escape(label)}:</b> {', '.join(cells)}")


def _effect(dataset, own, other, metric, mark):
    own, other = own.set_index("seed"), other.set_index("seed")
    if not own.index.equals(other.index):
        raise ValueError(f"the two have different seeds on {dataset}")
    d = change(own[metric], other[metric])
    spread = float(d.std()) if len(d) > 1 else 0.0
    has = "mae_sd" in other
    genes = 100 * other["mae_sd"].mean() / other[metric].mean() if has else np.nan
    return Effect(dataset, float(d.mean()), spread, len(d), float(genes), mark)


def _same(value, wanted):
    """Whether a cell holds what is wanted; an empty cell is None or NaN."""
    empty = value is None or (isinstance(value, float) and value != value)
    if wanted is None or empty:
        return wanted is None and empty
    if callable(wanted):
        return wanted(value)
    if isinstance(wanted, list | tuple):
        return isinstance(value, list | tuple) and list(value) == list(wanted)
    return value == wanted
