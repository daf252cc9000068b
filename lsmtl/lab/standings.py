"""What the records say of a table's rows: effects and how sure they are.

A standing has a line a row of the table; effects are differences of the MAE to a
reference row, in percent of its MAE, so that data of different difficulty compare.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lsmtl.lab import records
from lsmtl.lab.experiments import results
from lsmtl.lab.presets import ORIGINALS
from lsmtl.lab.rows import ACROSS
from lsmtl.lab.show import badge

DRAWS = 2000  # of a bootstrap
MEASURED = (  # what a standing says of a row that is run
    *("validation", "mae", "mae_seeds", "mae_genes", "cc", "cc_genes", "r"),
    *("mae_apart", "effect", "effect_seeds", "low", "high"),
)
NAMES = {  # dataset → how tables and figures call it
    "breast": "breast",
    "ecoli": "ecoli",
    "arrays": "arrays",
    "gtex59": "gtex59",
    "simulated": "simulated",
    "breast-endometrial": "breast → endometrial",
    "arrays-rnaseq": "arrays → RNA-seq",
    "breast-cohorts": "breast, a cohort left out",
    "arrays-studies": "arrays, a study left out",
    "geo": "geo",
    "geo-gtex": "geo → GTEx",
}


class Evidence(NamedTuple):
    """The runs that a page shows of a dataset, R of them a seed, and their `Row`s."""

    dataset: str
    rows: list
    runs: pd.DataFrame
    badge: str

    @property
    def name(self):
        """How the page calls the dataset."""
        return NAMES.get(self.dataset, self.dataset)

    def of(self, row):
        """The runs of a row, a line a seed."""
        return self.runs.iloc[self.rows.index(row) :: len(self.rows)]

    def effect(self, row, other):
        """The difference of two rows' MAE in percent of the other's.

        Returns:
            dict: `effect`, the mean over seeds; `effect_seeds`, its standard deviation;
            `low` and `high`, the ends of `interval`; `sure`, whether that is without 0
            and all seeds agree in sign.
        """
        own, other = self.of(row), self.of(other)
        scale = 100 / other["mae"].mean()
        d = scale * (own["mae"].to_numpy() - other["mae"].to_numpy())
        shared = self.dataset in (*ACROSS, *ORIGINALS)  # the test profiles of all seeds
        low, high = scale * np.array(interval(own, other, shared))
        sure = low * high > 0 and abs(np.sign(d).sum()) == len(d)
        found = {"effect": d.mean(), "effect_seeds": _spread(d), "sure": sure}
        return found | {"low": low, "high": high}


def own(chapter, rows):
    """The `Evidence` that a chapter makes or looks up at its own preset.

    Args:
        chapter: a `Chapter` of one of the three tables.
        rows: function of the sizes that gives its `Row`s.
    """
    size = chapter.experiment.size(chapter.preset, chapter.dataset)
    listed = list(rows(size))
    return Evidence(chapter.dataset, listed, chapter.results(), chapter.badge)


def evidence(experiment, rows):
    """What the records say of every dataset: the largest preset that is complete.

    Where none is complete it is the one with the largest share of its runs; a row that
    misses one of them is not run.

    Args:
        experiment: one of the three tables'.
        rows: function of the sizes that gives its `Row`s.

    Returns:
        dict of dataset → `Evidence`.
    """
    known, found = records.read(experiment.name), {}
    for dataset in filter(NAMES.get, experiment.datasets):  # not a file of one's own
        best = 0.0
        for preset in experiment.presets(dataset):
            if preset == "ci":
                continue
            runs = results(experiment, preset, dataset, "show", known=known)
            if not len(runs):
                continue
            share = runs["done"].mean()
            if share > best or share == best == 0:
                size = experiment.size(preset, dataset)
                best, listed = share, list(rows(size))
                mark = badge(preset, NAMES[dataset])
                found[dataset] = Evidence(dataset, listed, runs, mark)
    return found


def standing(item, reference):
    """How the rows of a table stand.

    Args:
        item: an `Evidence`.
        reference: (row, rows) → the row that a row is compared with, or None.

    Returns:
        DataFrame, a line a row: `row`; means over seeds `validation` (MAE), `mae`,
        `cc`, `r` and of the spread over genes `mae_genes`, `cc_genes`; `mae_seeds`,
        the standard deviation over seeds; what `Evidence.effect` gives; `done`. A row
        that isn't run has NaN. As text: `shown`, the MAE ± over seeds, `change`, the
        effect, and `range`, its interval.
    """
    lines = []
    for row in item.rows:
        own = item.of(row)
        line = {"row": row, "done": bool(own["done"].all()), "sure": False}
        line |= dict.fromkeys(MEASURED, np.nan)
        if line["done"]:
            line |= {k: own[k].mean() for k in ("mae", "cc", "r")}
            line |= {f"{k}_genes": own[f"{k}_sd"].mean() for k in ("mae", "cc")}
            line["mae_seeds"] = _spread(own["mae"])
            line["validation"] = own["validation_mae"].mean()
            if "mae_apart" in own:
                line["mae_apart"] = own["mae_apart"].mean()
            against = reference(row, item.rows)
            if against is not None and item.of(against)["done"].all():
                line |= item.effect(row, against)
        lines.append(line)
    found = pd.DataFrame(lines)
    ours = [
        f"{m:.4f} ± {s:.4f}"
        for m, s in zip(found["mae"], found["mae_seeds"], strict=True)
    ]
    found["shown"] = np.where(found["done"], ours, "not run")
    found["change"] = found["effect"].map(percent)
    found["range"] = list(map(within, found["low"], found["high"]))
    return found


def against(label, *shared):
    """A reference for `standing`: the row of a label, for every row but itself.

    Args:
        label: of the row that others are compared with.
        *shared: what it has in common with them, such as `"units"`.
    """

    def reference(row, rows):
        of = [getattr(row, name) for name in shared]
        line = next(
            r
            for r in rows
            if r.label == label and [getattr(r, name) for name in shared] == of
        )
        return None if row is line else line

    return reference


def only(standing, condition=lambda row: True):
    """The lines of a standing that are run and whose row fulfils a condition."""
    pairs = zip(standing["row"], standing["done"], strict=True)
    return standing[np.array([done and condition(row) for row, done in pairs], bool)]


def _spread(values):
    """The standard deviation over seeds; 0 for one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def interval(own, other, shared, level=0.95):
    """A bootstrap interval of the difference of two MAEs over test profiles.

    Whole groups of profiles (replicates, a patient's samples) are drawn, the same for
    both. It says what other test profiles would change, not what other training
    profiles or seeds would.

    Args:
        own, other: runs with `errors` and `counts`, a line a seed.
        shared: whether all seeds have the same test profiles, which are then drawn
            once for all; else each seed's are drawn on their own.
        level: of the interval.

    Returns:
        Its ends.
    """
    rng, drawn, drawings = np.random.default_rng(0), 0.0, None
    for a, b in zip(own.itertuples(), other.itertuples(), strict=True):
        counts = np.asarray(a.counts, dtype=float)
        total = counts * (np.asarray(a.errors) - np.asarray(b.errors))
        if drawings is None or not shared:
            drawings = rng.integers(len(counts), size=(DRAWS, len(counts)))
        drawn = drawn + total[drawings].sum(1) / counts[drawings].sum(1)
    tail = 100 * (1 - level) / 2
    return tuple(np.percentile(drawn / len(own), [tail, 100 - tail]))


def printed(lines, column, reference):
    """The paper's effects: a column against a reference line, in percent.

    Args:
        lines: what `lab.paper_table` gives.
        column: such as `"geo_mae"`.
        reference: (line) → the index of the line that it is compared with.

    Returns:
        Series, NaN for a line that is its own reference.
    """
    values = lines[column].astype(float)
    found = {}
    for index, line in lines.iterrows():
        at = reference(line)
        same = at == index
        found[index] = np.nan if same else 100 * (values[index] / values[at] - 1)
    return pd.Series(found)


def percent(value, digits=1):
    """An effect as text."""
    return "" if value != value else f"{value:+z.{digits}f} %".replace("-", "−")


def within(low, high, digits=1):
    """An interval as text."""
    if low != low:
        return ""
    return f"{low:+z.{digits}f} to {high:+z.{digits}f}".replace("-", "−")


def p_text(p):
    """A p-value as HTML."""
    return "&lt; 0.001" if p < 0.001 else f"{p:.3f}"
