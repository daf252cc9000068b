"""What chapters there are, what each one takes, and what its runs took."""

import ast
import re
from typing import NamedTuple

from lsmtl.lab import contents, notebooks

_CELL = re.compile(
    r"^```\{code-cell\}.*\n:tags: \[parameters\]\n(.*?)^```$", re.M | re.S
)


class Chapter(NamedTuple):
    """A chapter as its text has it."""

    name: str
    title: str
    minutes: int  # to read and run, exercises included
    path: object
    parameters: dict  # name → default


def chapters():
    """All pages with code, by name, in the order of the book.

    Raises:
        FileNotFoundError: this is no checkout of the book.
    """
    with_code = {*notebooks.chapters()}
    pages = [page.path for page in contents.pages().values() if page.path in with_code]
    return {page.stem: read_chapter(page) for page in pages}


def read_chapter(path):
    """A `Chapter` from its text."""
    page = contents.read(path, path.parent)
    cell = _CELL.search(path.read_text("utf-8"))
    if not cell:
        raise ValueError(f"{path.name} has no parameters cell")
    return Chapter(
        page.stem,
        page.title,
        page.minutes,
        path,
        {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in ast.parse(cell[1]).body
        },
    )


def presets(experiment):
    """The presets of an experiment, or of a page that has none (None)."""
    from lsmtl.lab.presets import PRESETS

    return [p for p in PRESETS if experiment is None or p in experiment.sizes]


def datasets(experiment):
    """The datasets of an experiment in words; those of a page: none."""
    from lsmtl.lab.presets import ORIGINALS

    if experiment is None:
        return []
    names = [
        f"{name} (preset paper)" if name in ORIGINALS else name
        for name in experiment.datasets
    ]
    return [*names, *(["the path of a file"] if experiment.takes_files else [])]


def allowed(chapter, name, experiment):
    """The type of a chapter's parameter and its allowed values, in words.

    Args:
        chapter: a `Chapter`.
        name: of the parameter.
        experiment: the chapter's `Experiment`, or None.
    """
    known = {
        "preset": ("text", ", ".join(presets(experiment))),
        "dataset": ("text", ", ".join(datasets(experiment))),
        "seed": ("whole number", "0 or more"),
        "landmarks": ("text or list", "with a file: names, their text file, or l1000"),
        "genes": ("text", "with a text file: columns or rows"),
    }
    kind = type(chapter.parameters[name]).__name__
    return known.get(name, (kind, "as the chapter says"))


def inventory(experiments, preset=None, dataset=None):
    """What records there are, and what the runs took.

    Args:
        experiments: `Experiment`s.
        preset, dataset: the one to look at; None means all.

    Returns:
        DataFrame, a row a preset of a dataset of an experiment: `experiment`,
        `dataset`, `preset`, `runs` (None where only the original files would tell),
        `recorded`, `own` (of these, those that weren't made for another preset),
        `wall_s` (together), `longest_s` and `peak_mb`.
    """
    import pandas as pd

    from lsmtl.lab import records
    from lsmtl.lab.experiments import planned
    from lsmtl.lab.presets import shown

    rows = []
    for experiment in experiments:
        known = records.read(experiment.name)
        pairs = [
            (name, size)
            for name in experiment.datasets
            for size in reversed(experiment.presets(name))
            if dataset in (None, name) and preset in (None, size)
        ]
        for name, size in pairs:
            try:
                _, runs = planned(experiment, size, name, files=False, known=known)
            except FileNotFoundError:  # an on-demand set that has no known hash
                runs = []
            keys = dict.fromkeys(map(records.key, runs))
            found = [known[key] for key in keys if key in known]
            wall = [record["wall_s"] for record in found]
            peak = [record["peak_memory_mb"] for record in found]
            own = sum(record["preset"] == shown(size) for record in found)
            row = experiment.name, name, size, len(keys) or None, len(found), own
            rows.append((*row, sum(wall), max(wall, default=0), max(peak, default=0)))
    columns = ["experiment", "dataset", "preset", "runs", "recorded", "own"]
    return pd.DataFrame(rows, columns=[*columns, "wall_s", "longest_s", "peak_mb"])
