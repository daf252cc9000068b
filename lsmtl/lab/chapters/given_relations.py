"""Tasks with given relations: each alone, pooled, coupled; a source and a target."""

import itertools

import numpy as np
import pandas as pd

from lsmtl import kernels
from lsmtl.lab import tasks
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run

FOLDS = 3
WIDTH = 0.5  # of the bell that turns what describes the schools into weights
PUBLISHED = (  # explained variance of `school` in percent: method, value, by whom
    ("Bayesian multi-task network", "29.5", "Bakker and Heskes 2003"),
    ("multi-task feature learning", "26.7 ± 2.0", "Argyriou et al. 2008"),
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
        train = tasks.few_each(task, train, c["pupils"], run.seed)
    if run.method == "task means":
        means = pd.Series(y[train]).groupby(task[train]).mean()
        return scores(y, means.loc[task[test]].to_numpy(), task, train, test)
    settings = grid(run.method, c["strengths"], c["couplings"])
    A = related(frame) if "graph" in run.method else None
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
    "strengths": [0.001, 0.01, 0.1, 1, 10],
    "couplings": [1, 10, 100, 1000, 10_000],
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
            "strengths": [0.1, 1],
            "couplings": [10, 100],
            "pupils": [8],
            "labels": [20, 0.25],
            "own": [10, 100],
            "common": [1],
        },
        "laptop": LAPTOP,
    },
    special={
        ("laptop", "school"): {
            "methods": [m for m in METHODS if "RBF" not in m],
            "strengths": [0.01, 0.1, 1, 10],
            "couplings": [100, 10_000, 1_000_000],  # its features are larger
        }
    },
    runs=_runs,
    measure=_measure,
)


def _correlation(ask):
    predicted(
        ask(),
        "down",
        {
            "up": "More schools make the average better known. But K_T is made before "
            "any pupil is seen: look at the force between two schools, 1/T.",
            "same": "The pull towards the average stays the same, that's true. But two "
            "schools only meet through the average, and each is 1/T of it.",
        },
    )


def _without_pupils(ask):
    rng = np.random.default_rng(0)
    W, a = rng.normal(size=(4, 3)), np.array([0.5, 0.0, 2.0, 1.0])
    right = a @ W / (1 + a.sum())
    expect(
        ask(W.copy(), a.copy()),
        right,
        [
            (a @ W / a.sum(), "The school has a penalty of its own, ‖w‖², too."),
            (a @ W, "That is the slope of one term; where is it zero?"),
            (a @ W / (2 + a.sum()), "Each pair stands twice in the sum, with a ½."),
            (a @ W / (1 + a.sum() / 2), "Each pair stands twice in the sum, with a ½."),
            (W.mean(0), "The weights of the edges are left out."),
        ],
        "Not the minimum of ‖w‖² + Σ a_s‖w − w_s‖²: set the derivative to zero.",
    )


def _mean_kernel(ask):
    for T, c in ((4, 1.0), (3, 5.0)):
        eye, ones = np.eye(T), np.ones((T, T))
        right = np.linalg.inv((1 + c) * eye - c / T * ones)
        expect(
            ask(T, c),
            right,
            [
                ((1 + c) * eye - c / T * ones, "That is H; its inverse is asked for."),
                (eye + c / T * ones, "Nearly: multiply it by H, what comes out?"),
                ((eye + c * ones) / (1 + c), "A is c/T, not c."),
                (eye / (1 + c), "That is only what a school has of its own."),
                (
                    (eye + c / (T * (1 + c)) * ones) / (1 + c),
                    "Its rows must add up to 1, as those of every (I + L)⁻¹ do.",
                ),
            ],
            f"Times H it isn't the identity, for T = {T} and c = {c:g}.",
        )


def _augmented(ask):
    rng = np.random.default_rng(0)
    X, target = rng.normal(size=(30, 3)), np.arange(30) % 3 == 0
    y, own, common = rng.normal(size=30), 4.0, 0.5
    got = ask(X.copy(), target.copy(), own, common)
    if getattr(np.asarray(got), "shape", None) not in ((30, 9), (30, 6)):
        numbers(got, (30, 9))
    got = numbers(got, np.shape(got))
    names = np.where(target, "target", "source")
    right = coupled(own, common).fit(X, y, names).predict(X, names)

    def ridge(features, strength=0.5):
        gram = features.T @ features + strength * np.eye(features.shape[1])
        return features @ np.linalg.solve(gram, features.T @ y)

    def made(a, b, source=True):
        parts = [a * X, b * X * target[:, None]]
        return np.hstack(parts + [b * X * ~target[:, None]] * source)

    if np.allclose(ridge(got), right, atol=1e-5):
        return
    for features, hint in (
        (made(common**-0.5, own**-0.5, False), "Where is the source's own part?"),
        (made(own**-0.5, common**-0.5), "λ1 and λ2 have changed places."),
        (
            made(1 / common, 1 / own),
            "A feature that is twice as large costs a quarter.",
        ),
        (made(common**0.5, own**0.5), "A strong penalty needs small features."),
        (made(1.0, 1.0), "That is λ1 = λ2 = 1; where do the strengths come in?"),
    ):
        if np.shape(got) == features.shape and np.allclose(ridge(got), ridge(features)):
            raise Wrong(hint)
    raise Wrong(
        "Ridge on these features with strength ½ predicts otherwise than the coupling."
    )


CHECKERS = (_correlation, _without_pupils, _mean_kernel, _augmented)
