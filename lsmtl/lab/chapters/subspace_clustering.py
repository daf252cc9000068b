"""Subspace clustering of tasks: does V find relations that are known?"""

import numpy as np
import torch

from lsmtl import data
from lsmtl.lab.exercises import expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import scores, thin
from lsmtl.lab.relations import (
    TOL,
    in_subspaces,
    lasso_v,
    modules_found,
    regulated,
    regulators_found,
    ridge_v,
)
from lsmtl.linear import ridge
from lsmtl.networks import DenseNet
from lsmtl.regularizers import SelfExpression
from lsmtl.training import Recipe, fit, predict

RIDGES = 10.0 ** np.arange(-3, 3)  # γ over the mean square of f, the same for both
LASSOS = (0.003, 0.01, 0.03, 0.1, 0.3)


def _runs(sizes, landmarks):
    genes = {"genes": "measured", "targets": sizes["targets"]}
    network = genes | {k: sizes[k] for k in ("hidden", "epochs")}
    for seed in range(sizes["seeds"]):
        for samples, noise, of in sizes["simulations"]:
            what = {"genes": "simulated", "of": of, "samples": samples}
            what |= {"noise": noise, **sizes["modules"]}
            for method in ("correlation", "V, ridge"):
                yield Run(method, what, seed)
            yield Run("V, lasso", what | {"tol": TOL}, seed)
        for of in ("targets", "predictions", "weights"):
            for method in ("correlation", "V, ridge"):
                yield Run(method, genes | {"of": of}, seed)
        for head in ("xavier", "zero"):
            yield Run("DenseNet", network | {"head": head}, seed)
        for head, strength, sparsity in sizes["trained"]:
            start = network | {"head": head, "strength": strength}
            yield Run("V trained", start | {"sparsity": sparsity}, seed)
            if not sparsity:
                yield Run("V = 0", start | {"sparsity": sparsity}, seed)


def _measure(adata, run, device):
    c = run.configuration
    if c["genes"] == "simulated":
        sizes = {k: c[k] for k in ("modules", "size", "dim")}
        x, y, module = in_subspaces(c["samples"], c["noise"], run.seed, **sizes)
        kept = len(x) * 4 // 5
        parts = [(v[:kept], v[kept:]) for v in (x, y)]
        train, validation = zip(*parts, strict=True)
        found, best, _ = _strengths(run.method, c["of"], train, validation)
        return found | modules_found(best, module)
    splits = data.split(thin(adata, c["targets"]), run.seed, c["group"])
    truth = regulated(adata, splits.targets)
    if "hidden" in c:
        return _trained(splits, run, truth, device)
    train, validation = (
        (p.x.numpy(), p.y.numpy()) for p in (splits.train, splits.validation)
    )
    found, best, every = _strengths(run.method, c["of"], train, validation)
    if every:
        by_gamma = [regulators_found(V, *truth)["ap_apart"] for V in every]
        found |= {"ap_apart_by_gamma": by_gamma}
    return found | regulators_found(best, *truth)


def _strengths(method, of, train, validation):
    """How strongly each pair is related, (T, T), with the best γ and with every γ.

    The best γ has the V that rebuilds the measured targets of validation rows best.
    """
    f = _source(of, train, validation)
    if method == "correlation":
        return {}, np.abs(np.corrcoef(f.T)), []
    penalised, gammas = {
        "V, ridge": (ridge_v, RIDGES),
        "V, lasso": (lasso_v, LASSOS),
    }[method]
    y, errors, shares, every = validation[1], [], [], []
    for gamma in gammas:
        V = penalised(f, gamma * (f**2).mean())
        errors.append(float(np.mean((y - y @ V) ** 2)))
        shares.append(float((V != 0).mean()))
        every.append(_both(V))
    best = int(np.argmin(errors))
    found = {
        "gamma": float(gammas[best]),
        "error": errors[best],
        "nonzero": shares[best],
    }
    return found, every[best], every


def _source(of, train, validation):
    """What is related to what: rows of measured targets, of predictions, or W."""
    if of == "targets":
        return train[1]
    W = ridge(*train, *validation).coef_.numpy()  # (D, T)
    return train[0] @ W if of == "predictions" else W


def _both(V):
    """|V| + |V|ᵀ, in place: V may be large."""
    np.abs(V, out=V)
    return V + V.T


def _trained(splits, run, truth, device):
    c = run.configuration
    D, T = len(splits.landmarks), len(splits.targets)
    torch.manual_seed(run.seed)
    network = DenseNet(D, T, tuple(c["hidden"]), head=c["head"]).to(device)
    v = None
    if run.method != "DenseNet":
        v = SelfExpression(T, c["strength"], c["sparsity"])
        v.V.requires_grad_(run.method == "V trained")
    recipe = Recipe(epochs=c["epochs"])
    trained = fit(network, splits.train, splits.validation, v, recipe, run.seed)
    prediction = predict(trained.network, splits.test.x).cpu()
    found = scores(prediction, splits.test.y) | {
        "validation_mae": trained.history["validation_mae"].min(),
        "spread": prediction.std(0).mean().item(),
    }
    if run.method == "V trained":
        V = v.coefficients().detach().cpu().numpy()
        found |= regulators_found(_both(V), *truth)
    return found


EXPERIMENT = Experiment(
    name="subspace-clustering",
    recipe_version=1,
    datasets={"ecoli": "group"},
    sizes={
        "ci": {
            "targets": 500,
            "hidden": [50],
            "epochs": 10,
            "trained": [("xavier", 1.0, 0.0)],
            "modules": {"modules": 4, "size": 15, "dim": 3},
            "simulations": [(60, 0.5, "targets"), (240, 0.5, "targets")],
            "seeds": 2,
        },
        "laptop": {
            "targets": None,
            "hidden": [300, 300],
            "epochs": 50,
            "trained": [
                ("xavier", 0.1, 0.0),
                ("xavier", 1.0, 0.0),
                ("xavier", 1.0, 0.01),
                ("zero", 0.1, 0.0),
            ],
            "modules": {"modules": 6, "size": 20, "dim": 4},
            "simulations": [
                (samples, noise, "targets")
                for noise in (0.1, 0.5, 1.0)
                for samples in (50, 100, 200, 400, 800)
            ]
            + [(200, 0.5, "predictions"), (200, 0.5, "weights")],
            "seeds": 3,
        },
    },
    kept=("ecoli",),  # whose regulators are known
    runs=_runs,
    measure=_measure,
)


def _between_regulators(ask):
    predicted(
        ask(),
        "negative",
        {
            "zero": "a and b tell nothing of each other alone, but V rebuilds b from a "
            "*and* c.",
            "positive": "c is high today. Does a high a then make a high b more "
            "likely, or less?",
        },
    )


def _partial(ask):
    rng = np.random.default_rng(1)
    V = ridge_v(rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)), 0.01)
    right = np.sign(V) * np.sqrt(V * V.T)
    expect(
        ask(V.copy()),
        right,
        [
            (np.abs(right), "The sizes are right; a partial correlation has a sign."),
            (-right, "The sign is turned: V and the partial correlation agree in it."),
            (V * V.T, "That is the square of the partial correlation."),
            (
                (V + V.T) / 2,
                "The arithmetic mean still depends on the scales of the tasks.",
            ),
            (right + np.eye(5), "The diagonal should stay zero."),
        ],
        "Not the partial correlations: write V_st and V_ts with P; what is left when "
        "you combine them?",
    )


def _largest(ask):
    for gib, w in ((12, 943), (80, 6943), (0.5, 20)):
        room = gib * 2**30

        def tasks(each, room=room, w=w):
            return np.floor((np.sqrt(w**2 + 4 * room / each) - w) / 2)

        expect(
            ask(gib, w),
            tasks(16),
            [
                (
                    np.floor(np.sqrt(room / 16)),
                    "There is room for V, but none for the head beside it.",
                ),
                (
                    tasks(4),
                    "That is room for the weights alone: what else does Adam keep?",
                ),
                (tasks(8), "Weights and gradients are counted; Adam keeps more."),
                (tasks(12), "Count a weight, its gradient, and Adam's two averages."),
                (tasks(16 * 2**30 / 1e9), "A GiB has 2³⁰ bytes."),
                (np.floor(room / 16 / w), "That is room for the head; V is missing."),
                (
                    (np.sqrt(w**2 + 4 * room / 16) - w) / 2,
                    "Close: there are no half tasks.",
                ),
            ],
            f"Wrong for {gib} GiB and w = {w}: how many weights do head and V have, "
            "and how many numbers does training keep for each?",
        )


def _precision(ask):
    rng = np.random.default_rng(2)
    score = rng.permutation(12) / 10
    related = np.array([1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0], dtype=bool)

    def precisions(order):
        hit = related[order]
        return hit.cumsum() / np.arange(1, 13), hit

    precision, hit = precisions(np.argsort(-score))
    turned, turned_hit = precisions(np.argsort(score))
    wins = (score[related][:, None] > score[~related]).mean()
    expect(
        ask(score.copy(), related.copy()),
        precision[hit].mean(),
        [
            (turned[turned_hit].mean(), "Your ranking begins with the weakest pair."),
            (precision.mean(), "Take the precision at the related pairs only."),
            (precision[hit].sum(), "That is the sum over the related pairs."),
            (precision[hit].sum() / 12, "Divide by the number of related pairs."),
            (wins, "That is the area under the ROC curve."),
            (precision[hit.sum() - 1], "That is the precision at a single cut."),
        ],
        "Not the average precision of a ranking of 12 pairs, 4 of them related.",
    )


CHECKERS = (_between_regulators, _partial, _largest, _precision)  # as the exercises
