"""DeepDiff against shallow rivals: few tasks that share features."""

import dataclasses
import itertools

import numpy as np
import torch

from lsmtl import data
from lsmtl.data.histones import log_expression
from lsmtl.deepdiff import VARIANTS, DeepDiff, fit, predict
from lsmtl.lab import histones
from lsmtl.lab.exercises import expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.histones import BASE, PAIRS

MAPS = "Raw"  # the variant whose attention is recorded
REGIONS = 5  # of occlusion
OCCLUDED = 300  # test genes
SVR_BINS = 50  # at most; their time grows with genes² × bins


def _runs(sizes, count):
    most = max(sizes["genes"])
    for seed, (a, b) in itertools.product(range(sizes["seeds"]), sizes["pairs"]):
        of_all = {k: sizes[k] for k in ("world", "bins", "split")} | {"pair": [a, b]}
        if sizes["world"] is None:
            yield Run("cell types", of_all, seed)
        for n in sizes["genes"]:
            given = of_all | {"genes": n}
            yield Run("training mean", given, seed)
            yield Run("ridge", given, seed)
            fewer = {"bins": min(sizes["bins"], SVR_BINS), "most": sizes["svr_genes"]}
            for name in ("SVR", BASE):
                yield Run(name, given | fewer, seed)
            trained = {k: sizes[k] for k in ("batch", "hidden", "tried")}
            epochs = max(sizes["epochs"], sizes["steps"] * sizes["batch"] // n)
            how = given | trained | {"epochs": epochs}
            how |= {"auxiliary": "regression", "form": "printed"}
            for name in VARIANTS if n in sizes["all"] else sizes["curve"]:
                yield Run(name, how | {"maps": name == MAPS and n == most}, seed)
            if n == sizes["all"][0]:
                other = how | {"maps": False}
                for name in sizes["classified"]:
                    yield Run(name, other | {"auxiliary": "classification"}, seed)
                for name in sizes["forms"]:
                    yield Run(name, other | {"form": "code"}, seed)


def look(chapter):
    """The marks and genes that a page itself looks at.

    Returns:
        `HistoneMarks`, and `GenePairs` by part with all training genes.
    """
    c = {k: chapter.sizes[k] for k in ("world", "bins", "split")}
    c |= {"pair": chapter.sizes["pairs"][0], "genes": None}
    marks = chapter.adata
    if marks is None:
        marks = data.simulate_histones(tuple(c["world"][0]), c["world"][1])
    return marks, genes_of(marks, c, 0)


def genes_of(marks, c, seed):
    """The `GenePairs` of a run by part, with as many to train on as it says.

    Args:
        marks: `HistoneMarks`, or None for a world that is drawn by `seed`.
        c: the run's configuration.
        seed: of the run; where `split` is `"dealt"` and it isn't 0, the genes of all
            parts are dealt out anew.
    """
    if marks is None:
        marks = data.simulate_histones(tuple(c["world"][0]), c["world"][1], seed)
    elif c["split"] == "dealt" and seed:
        part = np.random.default_rng(seed).permutation(marks.part)
        marks = dataclasses.replace(marks, part=part)
    if c["genes"] is not None:
        late = np.cumsum(marks.part == "train") > c["genes"]
        part = np.where((marks.part == "train") & late, "unused", marks.part)
        marks = dataclasses.replace(marks, part=part)
    return data.pairs(marks, *c["pair"], c["bins"])


def _measure(marks, run, device):
    c = run.configuration
    if run.method == "cell types":
        return _cell_types(marks)
    genes = genes_of(marks, c, run.seed)
    train, test = genes["train"], genes["test"]
    if run.method in histones.RIVALS:
        if c.get("most"):
            train = train[: c["most"]]
        model = histones.RIVALS[run.method](train, c["bins"], run.seed)
        measured = histones.scores(model(test), test)
        if run.method == "ridge":
            measured |= _levels(train, test, c["bins"])
        return measured
    network, validation, chosen = trained(run.method, c, genes, run.seed, device)
    found = predict(network, test)
    measured = histones.scores(found.difference.cpu(), test)
    measured |= {
        "validation_r": round(float(validation), 4),
        "dropout_chosen": chosen[1],
    }
    if found.expression_a is not None:
        for cell in "ab":
            truth = getattr(test, f"expression_{cell}")
            level = getattr(found, f"expression_{cell}").cpu()
            measured[f"r_{cell}"] = round(_r(level, truth), 4)
    if c["maps"]:
        planted = marks.planted if marks is not None else _planted(c, run.seed)
        measured |= _maps(network, test, planted)
    return measured


def trained(variant, c, genes, seed, device="cpu"):
    """Train with every learning rate and dropout of `tried`, and keep the best.

    Returns:
        The network, its correlation on the validation genes, and the pair.
    """
    found = []
    for lr, dropout in c["tried"]:
        torch.manual_seed(seed)
        bins, hidden = genes["train"].a.shape[2], tuple(c["hidden"])
        network = DeepDiff(variant, bins=bins, hidden=hidden, dropout=dropout)
        fitted = fit(
            network.to(device),
            genes["train"],
            genes["valid"],
            c["epochs"],
            c["batch"],
            lr,
            seed,
            c["auxiliary"],
            c["form"],
        )
        found.append((fitted.network, fitted.history["r"].max(), (lr, dropout)))
    return max(found, key=lambda one: one[1])


def _r(prediction, truth):
    return float(np.corrcoef(np.asarray(prediction), np.asarray(truth))[0, 1])


def _levels(train, test, bins):
    """r of ridge for the expression in A and in B, each from its own marks."""
    found = {}
    for cell in "ab":
        prediction = histones.ridge(train, bins, cell)(test)
        truth = getattr(test, f"expression_{cell}")
        found[f"r_{cell}"] = round(_r(prediction, truth), 4)
    return found


def _cell_types(marks):
    """How alike the cell types' log expression is over the set's genes."""
    level = log_expression(marks)
    r = np.corrcoef(level.to_numpy().T)
    return {"names": [*level.columns], "alike": np.round(r, 4).flatten().tolist()}


def _planted(c, seed):
    return data.simulate_histones((1, 1, 1), c["world"][1], seed).planted


def _maps(network, test, planted):
    """Attention and occlusion, flat, and how well they agree with what is planted."""
    maps = histones.attention(network, test).numpy()
    change = test.difference.numpy()
    regulated = test.regulated.numpy()
    measured = {"attention": maps.mean(0)}
    for name, which in (("up", change > 0), ("down", change < 0)):
        mine = maps[regulated & which]
        measured[f"attention_{name}"] = mine.sum(0) / max(len(mine), 1)

    def difference(genes):
        return predict(network, genes).difference.cpu().numpy()

    some = test[:OCCLUDED]
    measured["occlusion"] = histones.occlusion(difference, some, REGIONS)
    measured = {k: np.round(v, 5).flatten().tolist() for k, v in measured.items()}
    if planted is not None:
        size = np.abs(planted)
        for name, parts in (("attention", network.bins), ("occlusion", REGIONS)):
            truth = size.reshape(len(size), parts, -1).mean(2).flatten()
            agrees = _r(measured[name], truth)
            measured[f"planted_{name}"] = round(agrees, 4)
    return measured


CURVE = ["Raw:d", "Raw:c", "Raw", "Aux"]
LAPTOP = {
    "seeds": 2,
    "pairs": [("A", "B")],
    "world": [[2000, 200, 1000], 50],  # genes of each part, and bins
    "split": "given",
    "bins": 10,
    "genes": [200, 600, 2000],
    "all": [200],
    "curve": CURVE,
    "classified": ["Aux", "Raw+Aux"],
    "forms": ["Aux+Siamese"],
    "tried": [[3e-3, 0.0], [3e-3, 0.5]],
    "epochs": 6,
    "steps": 150,
    "batch": 20,
    "hidden": [32, 16],
    "svr_genes": None,
}
REAL = {
    "pairs": [PAIRS[0]],
    "world": None,
    "split": "dealt",
    "bins": 20,
    "genes": [50, 100, 200],
    "all": [200],
}
FULL = {"pairs": [*PAIRS], "world": None, "genes": [10_000], "all": [10_000]}
FEW = {
    "seeds": 1,
    "world": [[200, 100, 300], 50],
    "bins": 50,
    "genes": [200],
    "all": [200],
    "classified": [],
    "forms": [],
    "tried": [[1e-2, 0.0]],
    "epochs": 3,
    "steps": 0,
    "batch": 25,
    "hidden": [8, 8],
}
GPU = {
    "seeds": 1,
    "world": [[10_000, 2_360, 6_100], 200],
    "bins": 200,
    "genes": [10_000],
    "all": [10_000],
    "classified": [],
    "forms": [],
    "tried": [[1e-3, 0.5]],
    "epochs": 20,
    "steps": 0,
    "batch": 250,
    "svr_genes": 2_000,
}
EXPERIMENT = Experiment(
    name="deepdiff",
    recipe_version=1,
    datasets={"simulated": None, "deepdiff": None, "deepdiff-full": None},
    sizes={"ci": LAPTOP | FEW, "laptop": LAPTOP, "gpu": LAPTOP | GPU},
    special={
        ("ci", "deepdiff"): {**REAL, "genes": [200], "all": [200]},
        ("laptop", "deepdiff"): REAL,
        ("gpu", "deepdiff"): None,
        ("ci", "deepdiff-full"): FULL | {"genes": [200], "all": [200]},
        ("laptop", "deepdiff-full"): None,
        ("gpu", "deepdiff-full"): FULL,
    },
    runs=_runs,
    measure=_measure,
    minutes=dict.fromkeys(VARIANTS, 3.0) | {"SVR": 2.0, BASE: 4.0},
)


def _enough(ask):
    predicted(
        ask(),
        "one line",
        {
            "two lines": "A gene with a = b = 1 and one with a = b = 0 have the same "
            "difference of marks. What does expression do in each?",
            "one curve": "Genes with a = 1, b = 0 and a = −1, b = −2 have the same "
            "difference of marks. What does expression do in each?",
        },
    )


def _pull(ask):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 12, 3))
    a[:2] = b[:2] + 3  # beyond the margin
    S, m = np.arange(12) % 2 == 0, 2.0
    R = np.linalg.norm(a - b, axis=1, keepdims=True)
    u, S_ = (a - b) / R, S[:, None]
    push = np.maximum(0, m - R)
    right = np.where(S_, -push, 0.5) * u
    expect(
        ask(a.copy(), b.copy(), S.copy(), m),
        right,
        [
            (
                -right,
                "That is the direction of a step downhill; the gradient is the "
                "other way.",
            ),
            (right / 12, "That is for the mean over genes; each gene's own is asked."),
            (
                np.where(S_, -push * u, a - b),
                "For a gene that stays the loss has R, not R².",
            ),
            (np.where(S_, -push, 1.0) * u, "A half is missing for genes that stay."),
            (
                np.where(S_, -push / 2, 0.5) * u,
                "The square brings a 2 that the half takes away.",
            ),
            (
                np.where(S_, -(m - R), 0.5) * u,
                "A regulated gene beyond the margin is "
                "left alone; yours is pulled back.",
            ),
            (np.where(S_, push, 0.5) * u, "When R grows, does m − R grow, too?"),
            (np.where(S_, 0.5, -push) * u, "S = 1 are the regulated ones."),
            (
                np.where(S_, -push, 0.5) * (a - b),
                "R changes with a by a vector of length 1.",
            ),
        ],
        "Not the gradient: check one gene of each kind by a small step.",
    )


def _difference_r(ask):
    for R2, phi, kappa in ((0.6, 0.7, 0.2), (0.3, 0.1, 0.8)):
        told, untold = R2 * (1 - phi), (1 - R2) * (1 - kappa)
        r2 = told / (told + untold)
        swapped = R2 * (1 - kappa) / (R2 * (1 - kappa) + (1 - R2) * (1 - phi))
        plus = R2 * (1 + phi) / (R2 * (1 + phi) + (1 - R2) * (1 + kappa))
        amplitude = np.sqrt(R2) * (1 - phi)
        amplitude /= amplitude + np.sqrt(1 - R2) * (1 - kappa)
        expect(
            ask(R2, phi, kappa),
            r2**0.5,
            [
                (r2, "That is the share of variance; r is asked for."),
                (R2**0.5, "That is r of a level. What do correlations do to it?"),
                (told**0.5, "The variance of the difference isn't 1 any more."),
                (swapped**0.5, "φ and κ have changed places."),
                (plus**0.5, "That is for the sum of both cell types."),
                (amplitude**0.5, "Add variances, not deviations."),
            ],
            f"Not r for R² = {R2}, φ = {phi}, κ = {kappa}.",
        )


def _r_changes(ask):
    rng = np.random.default_rng(0)
    y, e1, e2 = rng.normal(size=(3, 60))
    first, second, y = y + e1 + 5, 3 * (y + 2 * e2), y - 1
    draws = rng.integers(60, size=(40, 60))
    r = [[_r(p[d], y[d]) for d in draws] for p in (first, second)]
    r1, r2 = np.array(r)
    wrong = [_r(p, y) for p in (first, second)]
    unpaired = np.array([_r(first[d], y) - _r(second[d], y) for d in draws])
    dots = [((first - second)[d] * y[d]).mean() for d in draws]
    expect(
        ask(first.copy(), second.copy(), y.copy(), draws.copy()),
        r1 - r2,
        [
            (r2 - r1, "From the second to the first: yours has the other sign."),
            (np.abs(r1 - r2), "Without its sign a change can't cross zero."),
            (r1, "That is r of the first; where is the second?"),
            (
                np.full(40, wrong[0] - wrong[1]),
                "Every draw gives the same: are the rows used?",
            ),
            (unpaired, "The truth must be drawn with the predictions."),
            (np.array(dots), "Pearson's r centres and scales what was drawn."),
            (r1**2 - r2**2, "That is r²."),
        ],
        "Not the change of Pearson's r, draw by draw.",
    )


def _falls(ask):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 3, 4))
    w = np.array([1.0, -2.0, 0.1])[:, None]
    order = rng.permutation(50)

    def model(a, b):
        return ((a - b) * w).sum((1, 2)) + (a * b).sum((1, 2)) / 3

    y = model(a, b) + rng.normal(size=50)

    def after(mark, of_a=True, of_b=True, own=order, keep=(a, b)):
        pair = [x.copy() for x in keep]
        for x, change in zip(pair, (of_a, of_b), strict=True):
            if change:
                x[:, mark] = x[own, mark]
        return pair

    def r(pair):
        return _r(model(*pair), y)

    def each(**how):
        return np.array([r((a, b)) - r(after(k, **how)) for k in range(3)])

    pair, piled = (a, b), []
    for k in range(3):
        pair = after(k, keep=pair)
        piled.append(r((a, b)) - r(pair))
    zeros = []
    for k in range(3):
        gone = [np.where(np.arange(3)[:, None] == k, 0, x) for x in (a, b)]
        zeros.append(r((a, b)) - r(gone))
    expect(
        ask(model, a.copy(), b.copy(), y.copy(), order.copy()),
        each(),
        [
            (
                -each(),
                "It falls from the r of everything in place: yours has the other sign.",
            ),
            (each(of_b=False), "Only A's marks are exchanged."),
            (each(of_a=False), "Only B's marks are exchanged."),
            (
                np.array(piled),
                "When a mark has its turn, the marks before it must be "
                "back in their place.",
            ),
            (r((a, b)) - each(), "That is the r that is left; how much did it fall?"),
            (np.array(zeros), "A mark set to zero is no other gene's mark."),
        ],
        "Not how much r falls, mark by mark.",
    )


CHECKERS = (_enough, _pull, _difference_r, _r_changes, _falls)
