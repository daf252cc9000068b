"""Peptides that bind to alleles: each alone, pooled, related by name or by data."""

import itertools

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold, GroupShuffleSplit

from lsmtl import kernels
from lsmtl.lab import tasks
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.peptides import by_name, by_profile, encode
from lsmtl.lab.tasks import few_each

FOLDS = 3
LEAST = 10  # binders and others that an allele must have
TESTED = 3  # of each that must be tested, for an allele to be scored


class FromProfiles:
    """Graph-regularised with relations from the rows it is fitted to.

    Args:
        alleles: all of them.
        strength, coupling: of the penalty.
        shuffled: None, or the seed by which the relations are dealt out anew.
    """

    def __init__(self, alleles, strength, coupling, shuffled=None):
        self.alleles, self.strength, self.coupling = alleles, strength, coupling
        self.shuffled = shuffled

    def fit(self, X, y, task):
        """As the estimators of `lsmtl.kernels`."""
        A = by_profile(X, y, task, self.alleles)
        if self.shuffled is not None:
            A = tasks.shuffled(A, self.shuffled)
        self.model = kernels.GraphRegularized(
            A, self.strength, coupling=self.coupling, **LOGISTIC
        ).fit(X, y, task)
        return self

    def decision_function(self, X, task):
        """Scores (n,)."""
        return self.model.decision_function(X, task)


LOGISTIC = {"loss": "logistic", "tol": 1e-3}
METHODS = {  # → (strength, coupling, alleles, seed) → an estimator
    "alone": lambda s, c, names, seed: kernels.Individual(s, **LOGISTIC),
    "pooled": lambda s, c, names, seed: kernels.Pooled(s, **LOGISTIC),
    "mean": lambda s, c, names, seed: kernels.MeanRegularized(
        s, coupling=c, **LOGISTIC
    ),
    "graph": lambda s, c, names, seed: kernels.GraphRegularized(
        by_name(names), s, coupling=c, **LOGISTIC
    ),
    "graph from data": lambda s, c, names, seed: FromProfiles(names, s, c),
    "graph, shuffled": lambda s, c, names, seed: FromProfiles(names, s, c, seed),
}
SCENES = ("all", "few", "rare")


def grid(method, strengths, couplings):
    """The pairs (strength, coupling) that a method chooses from.

    Without a coupling the best strengths are larger, so there is another one.
    """
    if method in ("alone", "pooled"):
        return [(strength, 0.0) for strength in (*strengths, 3 * max(strengths))]
    return [*itertools.product(strengths, couplings)]


def _runs(sizes, count):
    shared = {k: sizes[k] for k in ("strengths", "couplings", "most")}
    of_few = shared | {k: sizes[k] for k in ("focal", "enough")}
    of_rare = shared | {k: sizes[k] for k in ("ratio", "negatives")}
    for seed in range(sizes["seeds"]):
        for method in sizes["methods"]:
            yield Run(method, {"scene": "all"} | shared, seed)
        for peptides, method in itertools.product(sizes["peptides"], sizes["few"]):
            yield Run(method, {"scene": "few", "peptides": peptides} | of_few, seed)
        for method in sizes["rare"]:
            yield Run(method, {"scene": "rare"} | of_rare, seed)


def _measure(frame, run, device):
    c, seed = run.configuration, run.seed
    frame = usable(frame)
    y, task = frame["y"].to_numpy(), frame["task"].to_numpy(str)
    train, test = split(frame["group"], seed)
    scored = sorted(set(task))
    if c["scene"] == "rare":
        train, scored = rare(y, task, train, c["ratio"], c["negatives"], seed)
    train = few_each(task, train, c["most"] or len(task), seed)
    if c["scene"] == "few":
        scored = focal(y, task, train, c["focal"], c["enough"])
        thin = few_each(task, train, c["peptides"], seed)
        train = np.sort(
            [*train[~np.isin(task[train], scored)], *_of(thin, task, scored)]
        )
    test = _of(test, task, scored)
    X = encode(frame["peptide"].iloc[[*train, *test]])
    X, new = X[: len(train)], X[len(train) :]
    names = sorted(set(task[train]))
    settings = grid(run.method, c["strengths"], c["couplings"])
    models = [METHODS[run.method](*pair, names, seed) for pair in settings]
    fold = folds(frame["group"].to_numpy()[train], seed)
    best, found = tasks.choose(models, X, y[train], task[train], fold, likelihood)
    model = models[best].fit(X, y[train], task[train])
    ratio = c.get("ratio") if c["scene"] == "rare" else None
    score = model.decision_function(new, task[test])
    by_allele = precision(y[test], score, task[test], ratio)
    size = pd.Series(task[train]).value_counts()
    strength, coupling = settings[best]
    return {
        "auprc": round(float(np.mean([*by_allele.values()])), 5),
        "by_allele": {k: round(v, 4) for k, v in by_allele.items()},
        "trained": {k: int(size[k]) for k in by_allele},
        "strength": strength,
        "coupling": coupling,
        "cv": np.round(found, 4).tolist(),
    }


def usable(frame):
    """The rows of alleles with enough binders and enough others."""
    counts = pd.crosstab(frame["task"], frame["y"])
    alleles = counts.index[(counts >= LEAST).all(axis=1)]
    return frame[frame["task"].isin(alleles)].reset_index(drop=True)


def _of(rows, task, names):
    return rows[np.isin(task[rows], names)]


def split(group, seed, test=0.25):
    """Rows to train on and rows to test on; no group is in both."""
    parts = GroupShuffleSplit(1, test_size=test, random_state=seed)
    ((train, tested),) = parts.split(group, groups=group)
    return train, tested


def folds(group, seed):
    """(n,) the fold of every row; a group is in one fold."""
    found = np.empty(len(group), dtype=int)
    parts = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (_, rows) in enumerate(parts.split(group, groups=group)):
        found[rows] = number
    return found


def focal(y, task, rows, count, enough):
    """Some alleles that have many of both labels among the rows, evenly spaced."""
    counts = pd.crosstab(task[rows], y[rows])
    able = counts[(counts >= enough).all(axis=1)].sum(axis=1).sort_values().index
    return [*able[np.linspace(0, len(able) - 1, min(count, len(able))).astype(int)]]


def rare(y, task, rows, ratio, negatives, seed):
    """Training rows with `ratio` others for each binder, and the alleles they have.

    Alleles with fewer than `negatives` others among the rows are left out.
    """
    other = few_each(task, rows[y[rows] < 0], negatives, seed)
    count = pd.Series(task[other]).value_counts()
    names = sorted(count.index[count == negatives])
    binders = few_each(task, rows[y[rows] > 0], max(negatives // ratio, 1), seed)
    return np.sort([*_of(other, task, names), *_of(binders, task, names)]), names


def likelihood(y, score, task):
    """Mean over tasks of the mean log likelihood."""
    found = -np.logaddexp(0, -y * score)
    return pd.Series(found).groupby(task).mean().mean()


def precision(y, score, task, ratio=None):
    """auPRC of every allele with enough of both labels.

    Args:
        y: (n,) 1 or −1.
        score: (n,).
        task: (n,) alleles.
        ratio: how many others are to stand against one binder; all are used, with
            weights that make it so. None leaves them as they are.

    Returns:
        dict of allele → average precision.
    """
    found = {}
    for allele in np.unique(task):
        mine = task == allele
        binds = y[mine] > 0
        if min(binds.sum(), (~binds).sum()) < TESTED:
            continue
        weight = None
        if ratio:
            weight = np.where(binds, (~binds).sum() / ratio / binds.sum(), 1.0)
        found[str(allele)] = float(
            average_precision_score(binds, score[mine], sample_weight=weight)
        )
    return found


LAPTOP = {
    "seeds": 3,
    "methods": [*METHODS],
    "few": ["alone", "graph", "graph from data"],
    "rare": ["alone", "mean", "graph", "graph from data"],
    "strengths": [0.1, 0.5],
    "couplings": [3, 12],
    "most": 300,
    "peptides": [10, 30, 100],
    "focal": 12,
    "enough": 60,
    "ratio": 100,
    "negatives": 600,
}
EXPERIMENT = Experiment(
    name="peptides",
    recipe_version=1,
    datasets={"simulated-peptides": "group", "mhc": "group"},
    sizes={
        "ci": LAPTOP
        | {
            "seeds": 2,
            "methods": ["alone", "pooled", "mean", "graph", "graph from data"],
            "few": ["alone", "graph"],
            "rare": ["alone", "graph"],
            "strengths": [0.3],
            "couplings": [1, 3],
            "most": 150,
            "peptides": [10],
            "focal": 6,
            "enough": 30,
            "ratio": 20,
            "negatives": 100,
        },
        "laptop": LAPTOP,
    },
    special={
        ("laptop", "simulated-peptides"): {"negatives": 200, "ratio": 20, "seeds": 5}
    },
    runs=_runs,
    measure=_measure,
)
