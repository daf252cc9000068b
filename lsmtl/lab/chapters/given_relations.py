"""Tasks whose relations are given: each alone, pooled, coupled; a source and a target."""

import itertools

import numpy as np
import pandas as pd

from lsmtl import kernels
from lsmtl.lab import tasks
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run

FOLDS = 3
WIDTH = 0.5  # of the bell that turns what describes the schools into weights
PUBLISHED = (  # explained variance of `school` in percent: method, value, key
    ("Bayesian multi-level network", "29.5", "bakker2003"),
    ("multi-task feature learning", "26.7 ± 2.0", "argyriou2008"),
)
PUPIL = {  # the features that vary within every kind of school
    "exam": ["standLRT", "sex_M", "intake_mid 50%", "intake_top 25%", "one"],
    "school": [f"x{i}" for i in (*range(1, 22), 28)],
}
KINDS = {  # a label of the kind of school: of the source, of the target
    "exam": ("schgend", "mixed", "girls"),
    "school": ("x22", "x23"),
}


def related(frame):
    """Schools that are alike, as an adjacency: the mean sum of a row is 1."""
    return tasks.neighbours(tasks.described(frame), WIDTH)


METHODS = {  # → (strength, coupling, adjacency) → an estimator
    "alone": lambda s, c, A: kernels.Individual(s),
    "pooled": lambda s, c, A: kernels.Pooled(s),
    "mean, A = 1/T": lambda s, c, A: kernels.MeanRegularized(s),
    "mean": lambda s, c, A: kernels.MeanRegularized(s, coupling=c),
    "mean, RBF kernel": lambda s, c, A: kernels.MeanRegularized(
        s, coupling=c, dual=True, kernel="rbf", solver="direct"
    ),
    "graph": lambda s, c, A: kernels.GraphRegularized(A, s, coupling=c),
    "graph, shuffled": lambda s, c, A: kernels.GraphRegularized(A, s, coupling=c),
}


def grid(method, strengths, couplings):
    """The pairs (strength, coupling) that a method chooses from."""
    if method in ("alone", "pooled"):
        couplings = (0.0,)
    if method == "mean, A = 1/T":
        couplings = (1.0,)
    return [*itertools.product(strengths, couplings)]


def _runs(sizes, count):
    of_grid = {k: sizes[k] for k in ("strengths", "couplings")}
    of_pair = {k: sizes[k] for k in ("own", "common")}
    for seed in range(sizes["seeds"]):
        yield Run("task means", {"pupils": None}, seed)
        for method in sizes["methods"]:
            yield Run(method, of_grid | {"pupils": None}, seed)
        for pupils, method in itertools.product(sizes["pupils"], sizes["few"]):
            yield Run(method, of_grid | {"pupils": pupils}, seed)
        for method in ("target, all labels", "source only"):
            yield Run(method, of_pair, seed)
        for labels in sizes["labels"]:
            for method in ("target, few labels", "joint"):
                yield Run(method, of_pair | {"labels": labels}, seed)


def _measure(frame, run, device):
    c = run.configuration
    if "own" in c:
        return _source_and_target(frame, run.method, c, run.seed)
    X = tasks.features(frame).to_numpy(float)
    y, task = frame["y"].to_numpy(), frame["task"].to_numpy()
    train, test = tasks.split(frame, run.seed)
    if c["pupils"]:
        train = few_each(task, train, c["pupils"], run.seed)
    if run.method == "task means":
        means = pd.Series(y[train]).groupby(task[train]).mean()
        return scores(y, means.loc[task[test]].to_numpy(), task, train, test)
    settings = grid(run.method, c["strengths"], c["couplings"])
    A = related(frame)
    if run.method == "graph, shuffled":
        A = tasks.shuffled(A, run.seed)
    models = [METHODS[run.method](*pair, A) for pair in settings]
    fold = tasks.folds(task[train], FOLDS, run.seed)
    best, found = tasks.choose(
        models, X[train], y[train], task[train], fold, _explained
    )
    model = models[best].fit(X[train], y[train], task[train])
    strength, coupling = settings[best]
    return scores(y, model.predict(X[test], task[test]), task, train, test) | {
        "strength": strength,
        "coupling": coupling,
        "cv": np.round(found, 3).tolist(),
    }


def _explained(y, prediction, task):
    return tasks.explained(y, prediction)


def few_each(task, rows, count, seed):
    """At most `count` of the given rows of every task, drawn at random."""
    rows = np.random.default_rng(seed).permutation(rows)
    place = pd.Series(task[rows]).groupby(task[rows]).cumcount().to_numpy()
    return np.sort(rows[place < count])


def scores(y, prediction, task, train, test):
    """Explained variance in percent, over all and by how many rows a task trains on.

    Args:
        y, task: (n,) of the whole table.
        prediction: (rows,) for the rows `test`.
        train, test: row numbers.

    Returns:
        dict for a record: `explained`; for four quarters of the tasks, from small to
        large, `by_size`, and the median number of rows in `quarters`.
    """
    size = pd.Series(task[train]).value_counts()
    quarter = pd.qcut(size.rank(method="first"), 4, labels=False)
    of = quarter.loc[task[test]].to_numpy()
    by_size = [tasks.explained(y[test][of == q], prediction[of == q]) for q in range(4)]
    return {
        "explained": round(tasks.explained(y[test], prediction), 4),
        "by_size": np.round(by_size, 3).tolist(),
        "quarters": size.groupby(quarter).median().tolist(),
    }


# --- A source and a target ----------------------------------------------------------


def pair(frame):
    """Pupils of mixed schools as the source, of girls' schools as the target.

    Returns:
        Features (n, d) that vary in both, values (n,), and `"source"`, `"target"` or
        `""` (n,).
    """
    name = "school" if "x1" in frame else "exam"
    column, *values = KINDS[name]
    if name == "school":
        of = [frame[column] == 1, frame[values[0]] == 1]
    else:
        of = [frame[column] == value for value in values]
    X = tasks.features(frame)[PUPIL[name]].to_numpy(float)
    return X, frame["y"].to_numpy(), np.select(of, ["source", "target"], "")


def coupled(own, common):
    """The coupling of a source and a target by a shared component."""
    names = ["source", "target"]
    K = pd.DataFrame(kernels.shared_component(2, own, common), names, names)
    return kernels.TaskKernel(K, strength=0.5)


def labelled(domain, labels, seed):
    """Rows of the source, labelled rows of the target, and rows to test on.

    A quarter of the target is tested on, the same whatever the labels.

    Args:
        domain: as `pair` gives it.
        labels: how many, or the share of what isn't tested on; None for all.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(domain == "target"))
    test, rest = np.split(rows, [len(rows) // 4])
    if labels is not None:
        rest = rest[: labels if labels >= 1 else round(labels * len(rest))]
    return np.flatnonzero(domain == "source"), rest, test


def _source_and_target(frame, method, c, seed):
    X, y, domain = pair(frame)
    source, target, test = labelled(domain, c.get("labels"), seed)
    train = {"source only": source, "joint": np.concatenate([source, target])}
    train = train.get(method, target)
    if method == "joint":
        settings = [*itertools.product(c["own"], c["common"])]
        models = [coupled(*setting) for setting in settings]
    else:
        settings = [(0.0, common) for common in c["common"]]
        models = [kernels.Pooled(common / 2) for _, common in settings]
    fold = tasks.folds(domain[train], FOLDS, seed)

    def score(y, prediction, domain):  # of the target, where there is one
        mine = domain == ("source" if method == "source only" else "target")
        return -np.square(y - prediction)[mine].mean()

    best, _ = tasks.choose(models, X[train], y[train], domain[train], fold, score)
    model = models[best].fit(X[train], y[train], domain[train])
    known = "source" if method == "source only" else "target"
    prediction = model.predict(X[test], np.full(len(test), known))
    own, common = settings[best]
    return {
        "error": round(float(np.square(y[test] - prediction).mean()), 5),
        "own_chosen": own,
        "common_chosen": common,
        "count": len(target),
    }


LAPTOP = {
    "seeds": 10,
    "methods": [*METHODS],
    "strengths": [0.1, 0.3, 1, 3, 10],
    "couplings": [1, 10, 100, 1000],
    "pupils": [4, 8, 16, 32],
    "few": ["alone", "pooled", "mean", "graph"],
    "labels": [10, 20, 40, 80, 0.25],
    "own": [1, 10, 100, 1000],
    "common": [0.1, 1, 10],
}
EXPERIMENT = Experiment(
    name="given-relations",
    recipe_version=1,
    datasets={"exam": None, "school": None},
    sizes={
        "ci": LAPTOP
        | {
            "seeds": 2,
            "methods": ["alone", "pooled", "mean, A = 1/T", "mean", "graph"],
            "strengths": [0.3, 3],
            "couplings": [10, 100],
            "pupils": [8],
            "labels": [20, 0.25],
            "own": [10, 100],
            "common": [1],
        },
        "laptop": LAPTOP,
    },
    runs=_runs,
    measure=_measure,
)
