"""Training at full size: what larger batches, fewer bits and a narrow head buy."""

import time

import numpy as np
import torch

from lsmtl.lab.exercises import expect, numbers
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import baseline, drawn, scores, tested
from lsmtl.networks import DenseNet, count_weights
from lsmtl.regularizers import MaskedLowRank
from lsmtl.training import Recipe, fit

COMPENDIUM = ("samples", "landmarks", "targets")
NETWORK = ("hidden", "epochs", "precision")


def _runs(sizes, landmarks):
    compendium = {k: sizes[k] for k in COMPENDIUM}
    plain = compendium | {k: sizes[k] for k in NETWORK}
    plain |= {"batch_size": 100, "lr": 1e-3, "moments": "fp32", "bottleneck": None}
    g = {"rank": sizes["rank"], "strength": 0.1}
    if "minutes" in sizes:  # as much of the paper's training as fits
        full = {"epochs": 500, "minutes": sizes["minutes"]}
        yield Run("Deep-LSMTL", plain | g | full, 0)
    for seed in range(sizes["seeds"]):
        yield Run("ridge", compendium, seed)
        for change in ({}, *sizes["changes"]):
            yield Run("DenseNet", plain | change, seed)
        yield Run("Deep-LSMTL", plain | g, seed)


def _measure(adata, run, device):
    began, c = time.monotonic(), run.configuration
    size = [c[k] for k in COMPENDIUM]
    splits = drawn(*size, run.seed, split_seed=run.seed, device=device)
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method == "ridge":
        return scores(baseline("ridge", train, validation, test), test.y)
    D, T = len(splits.landmarks), len(splits.targets)
    torch.manual_seed(run.seed)
    with torch.device(device):
        network = DenseNet(D, T, c["hidden"], bottleneck=c["bottleneck"])
        g = MaskedLowRank(T, c["rank"], c["strength"]) if "rank" in c else None
    names = ("epochs", "batch_size", "lr", "precision", "moments")
    recipe = Recipe(**{k: c[k] for k in names}, final_lr=c["lr"] / 100)
    left, start = None, time.monotonic()
    if "minutes" in c:
        left = max(c["minutes"] - (start - began) / 60, 0)
    trained = fit(network, train, validation, g, recipe, run.seed, minutes=left)
    spent = time.monotonic() - start
    return tested(trained, test)[1] | {
        "epochs_done": len(trained.history),
        "seconds_an_epoch": spent / len(trained.history),
        "weights": count_weights(*filter(None, (network, g))),
        "validation_by_epoch": trained.history["validation_mae"].round(5).tolist(),
    }


CHANGES = (
    {"batch_size": 400},
    {"batch_size": 400, "lr": 2e-3},
    {"batch_size": 1600},
    {"batch_size": 1600, "lr": 4e-3},
    {"moments": "bf16"},
)

EXPERIMENT = Experiment(
    name="engine",
    recipe_version=1,
    datasets={"simulated": None},
    sizes={
        "ci": {
            "samples": 1000,
            "landmarks": 50,
            "targets": 200,
            "hidden": [50, 50],
            "epochs": 8,
            "precision": "fp32",
            "changes": (*CHANGES[:2], CHANGES[-1], {"bottleneck": 20}),
            "rank": 20,
            "seeds": 2,
        },
        "laptop": {
            "samples": 10_000,
            "landmarks": 200,
            "targets": 1000,
            "hidden": [300] * 3,
            "epochs": 15,
            "precision": "fp32",
            "changes": (*CHANGES, {"precision": "bf16"}, {"bottleneck": 100}),
            "rank": 100,
            "seeds": 3,
        },
        "gpu": {
            "samples": 111_009,
            "landmarks": 943,
            "targets": 9520,
            "hidden": [9000] * 3,
            "epochs": 10,
            "precision": "tf32",
            "changes": (*CHANGES, {"precision": "bf16"}, {"bottleneck": 1000}),
            "rank": 1000,
            "minutes": 8,
            "seeds": 1,
        },
    },
    runs=_runs,
    measure=_measure,
    minutes={"DenseNet": 2.5, "Deep-LSMTL": 2.5, "ridge": 1.0},
    timed=lambda record: record["method"] != "ridge",
)


def _counted(ask):
    expect(
        ask(),
        0.5,
        [
            (
                10,
                "So it is without rounding. Which number is a step of 0.001 too small "
                "to change?",
            ),
            (0, "The first steps arrive: near 0 the neighbours are close."),
            (0.25, "There half the distance to the next value is 2⁻¹⁰ = 0.00098."),
            (1, "It doesn't get there: look at the neighbours below 1."),
            (4, "It doesn't get there: look at the neighbours below 1."),
            (2**-8, "Neighbours are that far apart below 1, but where does it end?"),
            (0.128, "Half the distance counts: a step beyond the middle moves on."),
        ],
        "Not where it ends: at which power of two is 0.001 less than half the distance "
        "to the next value?",
    )


def _all_together(ask):
    rng = np.random.default_rng(0)
    sizes = np.array([3, 1, 4])
    gradients = rng.normal(size=(3, 5))
    weighted = sizes @ gradients
    hints = [
        (
            gradients.mean(0),
            "That counts every process alike; one with more profiles must count more.",
        ),
        (
            gradients.sum(0),
            "The loss is a mean over the batch: a sum of means is too large.",
        ),
        (
            weighted / len(sizes),
            "Right weights; but divide by the number of profiles, not of processes.",
        ),
        (
            weighted,
            "These are sums over the profiles; the loss is their mean: divide.",
        ),
    ]
    expect(
        ask(gradients.copy(), sizes.copy()),
        weighted / sizes.sum(),
        hints,
        "Not the gradient of the mean over all profiles of all processes.",
    )
    equal = np.array([2, 2, 2])
    expect(
        ask(gradients.copy(), equal),
        gradients.mean(0),
        [],
        "Right where shares differ; where they are equal it should be the plain mean.",
    )


def _at_random(ask):
    rng = np.random.default_rng(1)
    x, u = rng.normal(size=200), rng.uniform(size=200)
    step = 0.25
    got = numbers(ask(x.copy(), step, u.copy()), x.shape)
    low, share = np.floor(x / step), x / step % 1
    if np.allclose(got, (low + (u < share)) * step):
        return  # up where u < share is as right as up where u ≥ 1 − share
    expect(
        got,
        np.floor(x / step + u) * step,
        [
            (
                np.round(x / step) * step,
                "That is the nearest value: u plays no part, and a small change is "
                "lost every time.",
            ),
            (
                np.floor(x / step) * step,
                "That is always the value below: the mean is half a step too low.",
            ),
            (
                np.round(x / step + u) * step,
                "Rounding to the nearest after u is added gives half a step too much "
                "in the mean.",
            ),
            (
                np.floor(x / step + u),
                "These count the steps; give values: times step.",
            ),
            (
                np.floor((x + u) / step) * step,
                "u is a share of a step: x/step + u, not (x + u)/step.",
            ),
            (
                np.where(u < 0.5, np.floor(x / step), np.ceil(x / step)) * step,
                "A coin decides here; the nearer neighbour must be the likelier one.",
            ),
        ],
        "Not x rounded up with the probability of its share of the step.",
    )


def _go_on(ask):
    rng = np.random.default_rng(2)
    w, m, g = rng.normal(size=(3, 4))
    v, t = rng.uniform(size=4), 7

    def adam(w, m, v, t, g, lr=0.01, b1=0.9, b2=0.999, eps=1e-8):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        return w - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)

    zero = np.zeros(4)
    expect(
        ask(w.copy(), m.copy(), v.copy(), t, g.copy(), 0.01),
        adam(w, m, v, t + 1, g),
        [
            (
                adam(w, zero, zero, 1, g),
                "This starts anew: m, v and t were saved, and not used.",
            ),
            (
                adam(w, m, v, 1, g),
                "The moments go on, the count of steps doesn't: the corrections are "
                "those of a first step.",
            ),
            (
                adam(w, m, v, t, g),
                "t steps were taken before this one, so this is step t + 1.",
            ),
            (adam(w, m, zero, t + 1, g), "m goes on, v starts anew."),
            (adam(w, zero, v, t + 1, g), "v goes on, m starts anew."),
            (w - 0.01 * g, "That is plain gradient descent; Adam scales by m and v."),
        ],
        "Not Adam's step t + 1 with β₁ = 0.9, β₂ = 0.999, ε = 1e-8.",
    )


# in the order of the exercises
CHECKERS = (_counted, _all_together, _at_random, _go_on)
