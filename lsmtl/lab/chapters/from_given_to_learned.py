"""Relations that are learned, by MTRL and by G, against given, random and none."""

import itertools

import numpy as np
import pandas as pd
import torch

from lsmtl import data, kernels
from lsmtl.data.splits import Profiles
from lsmtl.lab import tasks
from lsmtl.lab.exercises import expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import scores, thin
from lsmtl.lab.relations import regulated
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank
from lsmtl.training import Recipe, fit, predict

FOLDS = 3  # of a table's training rows, on which strength and coupling are chosen
WIDTH = 0.5  # of the bell that makes weights of what describes the schools
NEIGHBOURS = 10  # targets that each target keeps
ROUNDS = 8  # of MTRL; later ones hardly change its predictions
LEARNED = "MTRL"


def model(adjacency, method, strength, coupling, **how):
    """The estimator of a method with its strength and coupling.

    Args:
        adjacency: (T, T); None for methods that don't need it.
        method: `"alone"`, `"mean"`, `"MTRL"`, or one with an adjacency.
        strength: λ.
        coupling: c; MTRL, whose Ω is about 1/T, takes c/T of the T that `how` says.
        **how: further arguments of the estimator.
    """
    T = how.pop("tasks", 1)
    if method == "alone":
        return kernels.Individual(strength, **how)
    if method == "mean":
        return kernels.MeanRegularized(strength, coupling, **how)
    if method == LEARNED:
        return kernels.MTRL(strength, coupling / T, rounds=ROUNDS, tol=1e-5, **how)
    return kernels.GraphRegularized(adjacency, strength, coupling=coupling, **how)


def grid(method, strengths, couplings):
    """The pairs (strength, coupling) that a method chooses from."""
    return [*itertools.product(strengths, [0.0] if method == "alone" else couplings)]


def _runs(sizes, landmarks):
    base = {k: sizes[k] for k in ("strengths", "couplings")}
    if "targets" not in sizes:  # a table of tasks
        for seed, method in itertools.product(range(sizes["seeds"]), sizes["methods"]):
            yield Run(method, sizes["learned"] if method == LEARNED else base, seed)
        return
    base |= {"targets": sizes["targets"]}
    net = {k: sizes[k] for k in ("hidden", "epochs", "rank", "g_strength")}
    for seed, labels, method in itertools.product(
        range(sizes["seeds"]), sizes["labels"], sizes["methods"]
    ):
        of_g = net if method.startswith("G's") else {}
        yield Run(method, base | {"labels": labels} | of_g, seed)


def _measure(found, run, device):
    of = _table if isinstance(found, pd.DataFrame) else _expression
    return of(found, run)


# --- A table: tasks with examples of their own --------------------------------------


def given(frame):
    """Schools that are alike by what describes them; mean sum of a row 1."""
    return tasks.neighbours(tasks.described(frame), WIDTH)


def _table(frame, run):
    c, method = run.configuration, run.method
    X, y = tasks.features(frame).to_numpy(float), frame["y"].to_numpy()
    task = frame["task"].to_numpy()
    train, test = tasks.split(frame, run.seed)
    A = given(frame)
    if method == "random relations":
        A = tasks.shuffled(A, run.seed)
    pairs = grid(method, c["strengths"], c["couplings"])
    of = {"tasks": len(A)} if method == LEARNED else {}
    models = [model(A, method, *pair, **of) for pair in pairs]
    fold = tasks.folds(task[train], FOLDS, run.seed)
    best, _ = tasks.choose(
        models,
        X[train],
        y[train],
        task[train],
        fold,
        lambda y, prediction, task: tasks.explained(y, prediction),
    )
    fitted = models[best].fit(X[train], y[train], task[train])
    found = tasks.explained(y[test], fitted.predict(X[test], task[test]))
    strength, coupling = pairs[best]
    explained = float(round(found, 4))
    return {"explained": explained, "strength": strength, "coupling": coupling}


# --- Expression: tasks that share their samples --------------------------------------


def _expression(adata, run):
    c, method = run.configuration, run.method
    splits = data.split(thin(adata, c["targets"]), run.seed, c["group"])
    first, rows = halves(splits.train, c["labels"], run.seed)
    A = adjacency(adata, splits, first, run)
    (x, y), (valid_x, valid_y), (test_x, _) = (
        [v.double().numpy() for v in (p.x, p.y)]
        for p in (splits.train, splits.validation, splits.test)
    )
    how = {"dual": c["labels"] is not None or len(x) < x.shape[1]}
    if method == LEARNED:
        how["tasks"] = y.shape[1]
    examples = (x, y)
    if c["labels"]:
        of = np.repeat(np.arange(y.shape[1]), c["labels"])
        examples = x[rows], y[rows, of], of
    pairs = grid(method, c["strengths"], c["couplings"])
    lowest = np.inf
    for pair in pairs:
        fitted = model(A, method, *pair, **how).fit(*examples)
        error = np.abs(fitted.predict(valid_x) - valid_y).mean()
        if error < lowest:
            lowest, best, prediction = error, pair, fitted.predict(test_x)
    prediction = torch.from_numpy(prediction).float()
    strength, coupling = best
    return scores(prediction, splits.test.y) | {
        "validation_mae": float(lowest),
        "strength": strength,
        "coupling": coupling,
    }


def halves(train, labels, seed):
    """Profiles that tell the relations, and those in which each target is measured.

    Args:
        train: `Profiles`.
        labels: in how many profiles a target is measured; None: in all.
        seed: of the halves, and of each target's profiles.

    Returns:
        `Profiles` with all targets, of one half, and row numbers (T·labels,) of the
        other half, target by target; without `labels` all profiles, and None.
    """
    if labels is None:
        return train, None
    rng, T = np.random.default_rng(seed), train.y.shape[1]
    order = rng.permutation(len(train.x))
    half = len(order) // 2
    first = Profiles(train.x[order[:half]], train.y[order[:half]])
    rest = order[half:]
    rows = [rng.choice(rest, min(labels, len(rest)), replace=False) for _ in range(T)]
    return first, np.concatenate(rows)


def adjacency(adata, splits, train, run):
    """The adjacency (T, T) of a method; None where it needs none.

    Args:
        adata: what was split; its regulators are the given relations.
        splits: of it; they name the targets.
        train: `Profiles` to learn relations from.
        run: its `Run`; its configuration has the network's sizes for G's relations.
    """
    method = run.method
    if method in ("alone", "mean", LEARNED):
        return None
    if method == "given relations":
        return kernels.adjacency_from(share_regulator(adata, splits.targets))
    if method.startswith("G's"):
        R = g_relations(splits, train, run.configuration, run.seed)
        R = np.abs(R) if "signs" in method else R
        return kernels.adjacency_from(R, NEIGHBOURS)
    A = kernels.adjacency_from(np.corrcoef(train.y.numpy().T), NEIGHBOURS)
    if method == "random relations":
        order = np.random.default_rng(run.seed).permutation(len(A))
        return A[np.ix_(order, order)]
    return A


def share_regulator(adata, targets):
    """1 where two targets share a local regulator, else 0, (T, T)."""
    known, related, _ = regulated(adata, targets)
    places = np.flatnonzero(known)
    a, b = np.triu_indices(len(places), 1)
    R = np.zeros((len(targets), len(targets)))
    R[places[a], places[b]] = related
    return R + R.T


def g_relations(splits, train, c, seed):
    """Relations in G (T, T) of a Deep-LSMTL that is trained with these profiles.

    Args:
        splits: its validation profiles choose the epoch.
        train: `Profiles`.
        c: dict with `hidden`, `epochs`, `rank` and `g_strength`.
        seed: of the network and of training.
    """
    T = train.y.shape[1]
    torch.manual_seed(seed)
    network = DenseNet(train.x.shape[1], T, tuple(c["hidden"]), head="zero")
    g = MaskedLowRank(T, c["rank"], c["g_strength"])
    recipe = Recipe(epochs=c["epochs"], batch_size=min(25, len(train.x)))
    network = fit(network, train, splits.validation, g, recipe, seed).network
    return g.relations(predict(network, train.x)).detach().numpy()


TABLE = ["alone", "mean", "random relations", "given relations", LEARNED]
EXPRESSION = ["alone", "mean", "random relations", "correlation", "G's relations"]
EXPRESSION += ["G's, no signs", LEARNED]
SMALL = {
    "targets": 40,
    "labels": [5, None],
    "methods": EXPRESSION,
    "strengths": [10.0, 100.0, 1000.0],
    "couplings": [3.0],
    "hidden": [40],
    "epochs": 20,
    "rank": 8,
    "g_strength": 0.1,
    "seeds": 1,
}
LARGE = SMALL | {
    "targets": 100,
    "labels": [3, 10, None],
    "strengths": [3.0, 10.0, 30.0, 100.0, 300.0, 1000.0],
    "couplings": [0.3, 3.0, 30.0],
    "hidden": [100],
    "epochs": 60,
    "rank": 20,
    "seeds": 3,
}
REGULATED = {"methods": [*EXPRESSION, "given relations"]}

EXPERIMENT = Experiment(
    name="from-given-to-learned",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group", "exam": None, "school": None},
    sizes={
        "ci": {
            "methods": TABLE,
            "strengths": [1.0, 3.0],
            "couplings": [100.0],
            "learned": {"strengths": [0.1], "couplings": [100.0, 1000.0]},
            "seeds": 2,
        },
        "laptop": {
            "methods": TABLE,
            "strengths": [1.0, 3.0, 10.0],
            "couplings": [10.0, 100.0, 1000.0],
            "learned": {
                "strengths": [0.01, 0.1, 1.0],
                "couplings": [10.0, 100.0, 1000.0, 10_000.0],
            },
            "seeds": 5,
        },
    },
    special={
        ("ci", "breast"): SMALL,
        ("ci", "ecoli"): SMALL | REGULATED,
        ("ci", "school"): {"seeds": 1, "strengths": [3.0]},
        ("laptop", "breast"): LARGE,
        ("laptop", "ecoli"): LARGE | REGULATED,
        ("laptop", "school"): {"seeds": 2},
    },
    runs=_runs,
    measure=_measure,
)


# --- Exercises ------------------------------------------------------------------------


def _endless(ask):
    predicted(
        ask(),
        "equal",
        {
            "true": "The truth is in which tasks are joined. How far apart may joined "
            "tasks still be at an endless coupling, and the neighbours of neighbours?",
            "shuffled": "What would a graph with the wrong names have to know to win? "
            "Ask what any graph still allows when every edge is endlessly strong.",
        },
    )


def _shares(ask):
    W = np.random.default_rng(0).normal(size=(4, 3)) * [[1], [2], [0.5], [3]]
    norm = np.linalg.norm(W, axis=1)
    expect(
        ask(W.copy()),
        norm / norm.sum(),
        [
            (
                norm**2 / (norm**2).sum(),
                "Those are shares of the squares: is the "
                "derivative of ‖w‖²/ω set to the same number for all tasks?",
            ),
            (norm, "They don't add up to 1."),
            (norm**2, "They don't add up to 1, and should they be squares?"),
            (
                np.full(4, 0.25),
                "With equal shares the largest task pays most: can "
                "moving a little of a small one's share to it lower the sum?",
            ),
            (np.sqrt(norm) / np.sqrt(norm).sum(), "One root too many."),
            (
                1 / norm / (1 / norm).sum(),
                "Turned around: whose weights should be "
                "cheap, those of a task with large or with small ones?",
            ),
        ],
        "Not the shares with the smallest Σ‖w_t‖²/ω_t: compare with a few random ones.",
    )


def _surrogate(ask):
    rng = np.random.default_rng(1)
    w, w0, a = rng.normal(size=(3, 4))

    def u(w):
        return float((w**4).sum() + a @ w)

    def v(w):
        return float((w**2).sum())

    def slope(w):
        return 2 * w

    right = u(w) - v(w0) - slope(w0) @ (w - w0)
    expect(
        ask(u, v, slope, w.copy(), w0.copy()),
        right,
        [
            (u(w) - v(w), "That is the objective itself, which isn't convex."),
            (
                u(w) - v(w0) - slope(w) @ (w - w0),
                "The slope is that of the tangent's point, which stays where it is.",
            ),
            (
                u(w) - slope(w0) @ w,
                "It has the right minimum and the wrong height: at w0 it should touch "
                "the objective.",
            ),
            (
                u(w) - slope(w0) @ (w - w0),
                "At w0 it should touch the objective: what is missing there?",
            ),
            (
                u(w) - v(w0) + slope(w0) @ (w - w0),
                "Below the objective on one side: check the sign of the tangent.",
            ),
            (
                u(w0) + (a + 4 * w0**3) @ (w - w0) - v(w),
                "You replaced u; a tangent of u lies below it, so that it is no bound.",
            ),
        ],
        "Not a convex function that lies above u − v and touches it at w0.",
    )


def _signed(ask):
    rng = np.random.default_rng(2)
    R = np.triu(rng.normal(size=(5, 5)), 1)
    R = R + R.T
    eye, size = np.eye(5), np.diag(np.abs(R).sum(0))
    inv = np.linalg.inv
    expect(
        ask(R.copy()),
        inv(eye + size - R),
        [
            (eye + size - R, "That is H; the task kernel is its inverse."),
            (inv(size - R + 1e-12 * eye), "Each task also has its own ‖w‖²."),
            (
                inv(eye + size - np.abs(R)),
                "You pull mirrored tasks together: the sign is gone.",
            ),
            (
                inv(eye + np.diag(R.clip(0).sum(0)) - R.clip(0)),
                "You left the negative relations out, as an adjacency does.",
            ),
            (
                inv(eye + np.diag(R.sum(0)) - R),
                "A negative relation must make its tasks pay, too: what is the "
                "factor of ‖w_t‖² when the square is written out?",
            ),
            (inv(eye + size + R), "The sign between the tasks is turned."),
            (
                inv(eye + (size - R) / 2),
                "Every pair stands twice in the sum: the ½ is used up by that.",
            ),
        ],
        "Not the inverse of the H that the penalty has.",
    )


CHECKERS = (_endless, _shares, _surrogate, _signed)  # in the order of the exercises
