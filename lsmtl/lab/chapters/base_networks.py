"""Deep base networks: architecture, loss, recipe, and the head's start."""

import numpy as np
import torch

from lsmtl import data, dgex
from lsmtl.data import Profiles
from lsmtl.lab.exercises import Wrong, expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import BASELINES, baseline, scores, thin
from lsmtl.networks import MLP, DenseNet
from lsmtl.training import Recipe, fit, predict

BASES = {"MLP": MLP, "DenseNet": DenseNet}
STEPS = 3  # in an epoch, of every network, however few training profiles there are
LARGEST = 1000  # batch: thousands of profiles make more steps
USUAL = {"dropout": 0.1, "batch_norm": True}


def _runs(sizes, landmarks):
    size = {k: sizes[k] for k in ("targets", "hidden", "epochs")}
    modern = [
        {"profiles": None, "loss": loss, "head": head} | USUAL
        for loss in ("absolute", "squared")
        for head in ("xavier", "zero")
    ]
    curve = [
        {"profiles": n, "loss": "absolute", "head": head} | USUAL
        for n in [*sizes["profiles"], None]
        for head in ("xavier", "small", "zero")
    ]
    parts = [
        {"profiles": None, "loss": "absolute", "head": "zero"} | change
        for change in (
            {"dropout": 0.0, "batch_norm": True},
            {"dropout": 0.25, "batch_norm": True},
            {"dropout": 0.1, "batch_norm": False},
        )
    ]
    both = modern + [c for c in curve if c not in modern]
    for seed in range(sizes["seeds"]):
        for n in [*sizes["profiles"], None]:
            for method in BASELINES:
                yield Run(method, {"targets": sizes["targets"], "profiles": n}, seed)
        for method, changes in (("MLP", both + parts), ("DenseNet", both)):
            for change in changes:
                for lr in sizes["rates"][method]:
                    yield Run(method, size | change | {"lr": lr}, seed)
        for dropout in sizes["dropouts"]:
            own = {"epochs": sizes["dgex_epochs"], "dropout": dropout}
            yield Run("D-GEX", size | {"profiles": None} | own, seed)


def _measure(adata, run, device):
    c = run.configuration
    splits = data.split(thin(adata, c["targets"]), run.seed, c["group"])
    train, validation, test = splits.train, splits.validation, splits.test
    tails = _tails(train.y)
    rows = np.random.default_rng(run.seed).permutation(len(train.x))[: c["profiles"]]
    train = Profiles(train.x[rows], train.y[rows])
    if run.method in BASELINES:
        return _scores(baseline(run.method, train, validation, test), test.y, tails)
    shape = len(splits.landmarks), len(splits.targets), tuple(c["hidden"])
    torch.manual_seed(run.seed)
    batch = min(len(train.x) // STEPS, LARGEST)
    if run.method == "D-GEX":
        network = dgex.DGEX(*shape, dropout=c["dropout"]).to(device)
        recipe = dgex.recipe(len(c["hidden"]), c["epochs"], batch)
        train_it = dgex.fit
    else:
        options = {k: c[k] for k in ("dropout", "head", "batch_norm")}
        network = BASES[run.method](*shape, **options).to(device)
        recipe = Recipe(c["epochs"], batch, c["lr"], c["lr"] / 100, loss=c["loss"])
        train_it = fit
    start = predict(network, test.x).std(0).mean().item()
    trained = train_it(network, train, validation, recipe=recipe, seed=run.seed)
    of_validation = predict(trained.network, validation.x).cpu()
    best = trained.history["validation_mae"].idxmin()
    prediction = predict(trained.network, test.x).cpu()
    return _scores(prediction, test.y, tails) | {
        "validation_mae": (of_validation - validation.y).abs().mean().item(),
        "best_epoch": int(trained.history["epoch"][best]),
        "spread_at_start": start,
        "spread": prediction.std(0).mean().item(),
    }


def _tails(y):
    """Targets in five groups, from light to heavy tails in the training profiles."""
    z = y.numpy().astype(float) - y.numpy().mean(0)
    kurtosis = (z**4).mean(0) / np.maximum((z**2).mean(0) ** 2, 1e-12)
    return np.array_split(np.argsort(kurtosis), 5)


def _scores(prediction, target, tails):
    error = np.asarray(prediction, float) - np.asarray(target, float)
    return scores(prediction, target) | {
        "mae_by_tail": [float(np.abs(error[:, g]).mean()) for g in tails],
        "rmse_by_tail": [float(np.sqrt((error[:, g] ** 2).mean())) for g in tails],
    }


EXPERIMENT = Experiment(
    name="base-networks",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group", "geo": "group"},
    sizes={
        "ci": {
            "targets": 200,
            "hidden": [50, 50],
            "epochs": 15,
            "dgex_epochs": 40,
            "profiles": [40],
            "rates": {"MLP": [1e-2], "DenseNet": [1e-3]},
            "dropouts": [0.1],
            "seeds": 2,
        },
        "laptop": {
            "targets": None,
            "hidden": [200, 200],
            "epochs": 30,
            "dgex_epochs": 200,
            "profiles": [40, 100],
            "rates": {"MLP": [1e-2, 3e-3], "DenseNet": [1e-3, 3e-4]},
            "dropouts": [0.1, 0.25],
            "seeds": 3,
        },
        "gpu": {  # the paper's width and epochs
            "targets": None,
            "hidden": [3000, 3000],
            "epochs": 500,
            "dgex_epochs": 500,
            "profiles": [40, 100],
            "rates": {"MLP": [1e-3], "DenseNet": [1e-3, 1e-4]},
            "dropouts": [0.1, 0.25],
            "seeds": 3,
        },
        "paper": {"profiles": [1000, 10_000], "seeds": 2},
    },
    runs=_runs,
    measure=_measure,
)


def _by_logarithms(ask):
    predicted(
        ask("absolute"),
        "same",
        dict.fromkeys(
            ("lower", "higher"),
            "A logarithm changes distances and keeps the order. Which of them does the "
            "ℓ1 loss look at?",
        ),
    )
    predicted(
        ask("squared"),
        "lower",
        {
            "same": "Right for the ℓ1 loss. The squared error looks at distances, and "
            "a logarithm changes them.",
            "higher": "Right for the ℓ1 loss. Do large values pull harder or less hard "
            "once they are logarithms?",
        },
    )


def _fold(ask):
    rng = np.random.default_rng(0)
    W, eps = rng.normal(size=(3, 4)), 0.2
    b, gamma, beta, m = rng.normal(size=(4, 4))
    v = rng.uniform(0.3, 3, size=4)
    scale = gamma / np.sqrt(v + eps)
    got = ask(*(a.copy() for a in (W, b, gamma, beta, m, v)), eps)
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise Wrong("Return two arrays, W' and b'.")
    without = "The weights don't belong to a unit's γ and variance: "
    expect(
        got[0],
        W * scale,
        [
            (W * gamma / (v + eps), without + "a deviation is a root."),
            (W * gamma / np.sqrt(v), without + "where is ε?"),
            (W / np.sqrt(v + eps), without + "γ is missing."),
            (W, without + "they haven't changed, but a unit's scale has."),
        ],
        "W' is not right for three features and four units: a column is a unit.",
    )
    expect(
        got[1],
        (b - m) * scale + beta,
        [
            (b * scale + beta, "W' is right; b' forgets the mean m."),
            (b - m * scale + beta, "W' is right; the old b is scaled as well."),
            (b + beta, "W' is right; where do b and m go when a unit is scaled?"),
            ((b - m) * scale, "W' is right; b' forgets β."),
            (beta - m * scale, "W' is right; b' forgets the old b."),
            ((b - m + beta) * scale, "W' is right; β is added after the scaling."),
        ],
        "W' is right, b' is not: put z = 0 into both layers.",
    )


def _unseen(ask):
    rng = np.random.default_rng(0)
    X, start = rng.normal(size=(4, 7)), rng.normal(size=(7, 3))
    eta, decay, steps = 0.02, 6.0, 5
    shrunk = (1 - eta * decay) ** steps
    reached = np.linalg.pinv(X) @ X
    outside = start - reached @ start
    expect(
        ask(X.copy(), start.copy(), eta, decay, steps),
        shrunk * outside,
        [
            (outside, "Right without decay: what does decay do to this part?"),
            (
                shrunk * start,
                "The factor is right; the profiles span four of seven directions, and "
                "there the targets decide.",
            ),
            (
                shrunk * reached @ start,
                "The factor is right; that is the part in the row space of X, the rest "
                "is asked for.",
            ),
            (
                (1 - eta * decay * steps) * outside,
                "Decay takes a share of what is left, step by step.",
            ),
            (
                np.exp(-eta * decay * steps) * outside,
                "That is the limit of small steps; these are not small.",
            ),
            (
                (1 - decay) ** steps * outside,
                "The decay is multiplied by the learning rate, too.",
            ),
        ],
        "Not (I - P)W after five steps of descent with decay, for four profiles of "
        "seven features.",
    )
    copies = np.vstack([X[:2], X[:2]])  # four profiles, two directions
    expect(
        ask(copies.copy(), start.copy(), eta, decay, steps),
        shrunk * (start - np.linalg.pinv(copies) @ copies @ start),
        [],
        "Right for profiles in general position, not for repeated ones: XXᵀ has no "
        "inverse there.",
    )


def _rates(ask):
    mae = np.array([0.9, 0.8, 0.85, 0.84, 0.84, 0.86, 0.9, 0.7, 0.75])

    def rates(floor=0.75, best=False, ties=False, early=False):
        found, rate = [], 1.0
        for epoch in range(len(mae)):
            last = epoch if early else epoch - 1
            if last >= 1:
                before = mae[:last].min() if best else mae[last - 1]
                if mae[last] > before or (ties and mae[last] == before):
                    rate *= 0.9
            found.append(max(rate, floor))
        return found

    expect(
        ask(mae.copy(), 1.0, 0.75),
        rates(),
        [
            (
                rates(early=True),
                "One epoch early: the MAE after an epoch decides the rate of the next.",
            ),
            (rates(best=True), "Compare with the epoch before, not with the best."),
            (rates(ties=True), "An MAE that stays the same has not risen."),
            (rates(floor=0), "Below its floor the rate must not fall."),
            (1.0 * 0.9 ** np.arange(len(mae)), "Only a rise of the MAE lowers it."),
        ],
        "Not the rates of nine epochs in which the MAE rises now and then.",
    )


CHECKERS = (_by_logarithms, _fold, _unseen, _rates)  # as the exercises
