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
        "alleles": [*by_allele],
        "by_allele": [round(v, 4) for v in by_allele.values()],
        "trained": [int(size[k]) for k in by_allele],
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
        ("laptop", "simulated-peptides"): {"negatives": 200, "ratio": 20},
        ("laptop", "mhc"): {"seeds": 2},
    },
    runs=_runs,
    measure=_measure,
)


def _rarer(ask):
    predicted(
        ask(),
        "auPRC falls",
        {
            "auROC falls": "It compares a binder with another peptide, pair by pair. "
            "What does a pair know of how many others there are?",
            "both": "Take them apart: one of the two only knows shares within the "
            "binders and within the others.",
            "neither": "Look at the first hundred of the list: who has come in "
            "between the binders?",
        },
    )


def _average_precision(ask):
    rng = np.random.default_rng(0)
    for n in (12, 60):
        score, binds = rng.normal(size=n), rng.random(n) < 0.3
        score = score + binds
        order = np.argsort(-score)
        hit = binds[order]
        precise = np.cumsum(hit) / np.arange(1, n + 1)
        upward = binds[order[::-1]]
        expect(
            ask(score.copy(), binds.copy()),
            average_precision_score(binds, score),
            [
                (precise.mean(), "Only the places of binders count."),
                (
                    (np.cumsum(upward) / np.arange(1, n + 1))[upward].mean(),
                    "The list begins with the lowest score.",
                ),
                (
                    (np.cumsum(binds) / np.arange(1, n + 1))[binds].mean(),
                    "Nothing is sorted by the scores.",
                ),
                (
                    precise[hit].sum() / n,
                    "The mean goes over the binders, not over all peptides.",
                ),
                ((np.cumsum(hit) / hit.sum()).mean(), "That is recall; see precision."),
            ],
            f"Not the average precision of {n} peptides.",
        )


def _slope(ask):
    rng = np.random.default_rng(0)
    n, T, d, strength = 60, 4, 3, 0.7
    X, task = rng.normal(size=(n, d)), np.arange(n) % T
    y = np.where(rng.normal(size=n) + X[:, 0] > 0, 1, -1)
    A = np.ones((T, T)) - np.eye(T)
    H = np.eye(T) + kernels.laplacian(A)
    model = kernels.GraphRegularized(A, strength, loss="logistic", tol=1e-12)
    best = model.fit(X, y, task).coef_
    other = best + rng.normal(size=(T, d))

    def slope(W, sign=1, factor=2, miss=False):
        margin = y * (X * W[task]).sum(1)
        pull = -y / (1 + np.exp(sign * margin))
        loss = np.zeros((T, d))
        np.add.at(loss, task, (pull if not miss else -y)[:, None] * X)
        return loss + factor * strength * H @ W

    got = ask(best.copy(), X.copy(), y.copy(), task.copy(), H.copy(), strength)
    got = numbers(got, (T, d))
    hints = [
        (lambda W: slope(W, factor=1), "A square's derivative has a 2."),
        (lambda W: slope(W, -1), "A sign: a large margin should pull weakly."),
        (lambda W: slope(W, factor=0), "Where is the penalty?"),
        (lambda W: slope(W, miss=True), "That is a loss that never has enough."),
        (lambda W: -slope(W), "That is the way down; the slope points up."),
    ]
    for wrong, hint in hints:
        if np.allclose(got, wrong(best), atol=1e-4) and not np.allclose(
            wrong(best), slope(best), atol=1e-4
        ):
            raise Wrong(hint)
    if not np.allclose(got, 0, atol=1e-4):
        raise Wrong("These weights are the minimum: the slope should be 0 there.")
    got = ask(other.copy(), X.copy(), y.copy(), task.copy(), H.copy(), strength)
    expect(
        got,
        slope(other),
        [(wrong(other), hint) for wrong, hint in hints],
        "Right at the minimum, wrong elsewhere.",
    )


def _deal(ask):
    rng = np.random.default_rng(0)
    sizes = np.array([40, 25, 24, 15, 9, 8, 7, 6, 5, 5, 4, 3, 2, 1, 1, 1])
    names = rng.permutation(100)[: len(sizes)]
    group = rng.permutation(np.repeat(names, sizes))
    got = numbers(ask(group.copy(), 3), (len(group),))
    if not np.isin(got, (0, 1, 2)).all() or len(np.unique(got)) < 3:
        raise Wrong("Three folds are asked for, with the numbers 0, 1 and 2.")
    if max(len(np.unique(got[group == name])) for name in names) > 1:
        raise Wrong("A cluster is in more than one fold.")
    filled = np.bincount(got.astype(int), minlength=3)
    if filled.max() - filled.min() <= 5:
        return
    raise Wrong(
        f"The folds have {', '.join(map(str, filled))} peptides; scikit-learn's "
        "GroupKFold makes them nearly equal. In which order do clusters come?"
    )


CHECKERS = (_rarer, _average_precision, _slope, _deal)
