"""DeepDiff against shallow rivals: few tasks that share features."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import torch

from lsmtl import data
from lsmtl.deepdiff import VARIANTS, DeepDiff, fit, predict
from lsmtl.lab import histones
from lsmtl.lab.experiments import Experiment, Run

PAIRS = (  # Table 6 of the appendix: cell types A and B
    ("E123", "E003"),
    ("E116", "E003"),
    ("E123", "E116"),
    ("E003", "E005"),
    ("E003", "E006"),
    ("E006", "E007"),
    ("E005", "E006"),
    ("E003", "E004"),
    ("E004", "E006"),
    ("E037", "E038"),
)
PRINTED = {"Aux": (173.20, 172.58), "Raw+Aux": (179.17, 192.33)}  # Table 3, percent
SIAMESE = ("Aux+Siamese", "Raw+Aux+Siamese")
BASE = "two-layer SVR"  # what relative performance is relative to
MAPS = "Raw"  # the variant whose attention is recorded
REGIONS = 5  # of occlusion
OCCLUDED = 300  # test genes


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
            for name in ("SVR", BASE):
                yield Run(name, given | {"most": sizes["svr_genes"]}, seed)
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
    measured |= {"validation_r": round(validation, 4), "dropout_chosen": chosen[1]}
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
        found[f"r_{cell}"] = round(
            _r(prediction, getattr(test, f"expression_{cell}")), 4
        )
    return found


def _cell_types(marks):
    """How alike the cell types' log expression is over the set's genes."""
    million = marks.expression / marks.expression.sum() * 1e6
    level = np.log2(1 + million.loc[marks.genes])
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
        measured[f"attention_{name}"] = maps[regulated & which].mean(0)

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


def relative(runs):
    """r in percent of the two-layer SVR's, on the same genes and of the same seed.

    Args:
        runs: DataFrame of runs, as `results` gives them.

    Returns:
        The runs with the column `relative`.
    """
    runs = runs[runs["method"] != "cell types"].copy()
    runs["pair"] = runs["pair"].map("-".join)
    at = ["pair", "genes", "seed"]
    base = runs[runs["method"] == BASE].set_index(at)["r"]
    runs["relative"] = (
        100 * runs["r"] / base.loc[pd.MultiIndex.from_frame(runs[at])].to_numpy()
    )
    return runs


CURVE = ["Raw:d", "Raw:c", "Raw", "Aux"]
LAPTOP = {
    "seeds": 2,
    "pairs": [("A", "B")],
    "world": [[2000, 200, 1000], 50],  # genes of each part, and bins
    "split": "given",
    "bins": 10,
    "genes": [200, 600, 2000],
    "all": [200, 2000],
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
        ("laptop", "deepdiff"): REAL | {"seeds": 3},
        ("gpu", "deepdiff"): None,
        ("ci", "deepdiff-full"): FULL | {"genes": [200], "all": [200]},
        ("laptop", "deepdiff-full"): None,
        ("gpu", "deepdiff-full"): FULL,
    },
    runs=_runs,
    measure=_measure,
    minutes=dict.fromkeys(VARIANTS, 3.0) | {"SVR": 1.0, BASE: 2.0},
)
CHECKERS = ()
