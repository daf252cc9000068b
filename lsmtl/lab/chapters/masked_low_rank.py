"""The masked low-rank sub-network: does G help?"""

import numpy as np
import torch

from lsmtl import data
from lsmtl.lab.exercises import expect
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import BASELINES, baseline, scores, tested, thin
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank
from lsmtl.training import Recipe, fit, predict


def _runs(sizes, landmarks):
    network = {k: sizes[k] for k in ("targets", "hidden", "epochs")}
    for seed in range(sizes["seeds"]):
        for method in BASELINES:
            yield Run(method, {"targets": sizes["targets"]}, seed)
        for head, lr in sizes["starts"]:
            start = network | {"head": head, "lr": lr}
            yield Run("DenseNet", start, seed)
            for strength in sizes["strengths"]:
                g = {"rank": sizes["rank"], "strength": strength}
                yield Run("Deep-LSMTL", start | g, seed)


def _measure(adata, run, device):
    c = run.configuration
    splits = data.split(thin(adata, c["targets"]), run.seed, c["group"])
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method in BASELINES:
        return scores(baseline(run.method, train, validation, test), test.y)
    D, T = len(splits.landmarks), len(splits.targets)
    torch.manual_seed(run.seed)
    network = DenseNet(D, T, tuple(c["hidden"]), head=c["head"]).to(device)
    g = MaskedLowRank(T, c["rank"], c["strength"]) if "strength" in c else None
    recipe = Recipe(epochs=c["epochs"], lr=c["lr"], final_lr=c["lr"] / 100)
    start = predict(network, test.x).std(0).mean().item()
    trained = fit(network, train, validation, g, recipe, run.seed)
    prediction, found = tested(trained, test)
    return found | {
        "spread_at_start": start,
        "spread": prediction.std(0).mean().item(),
    }


FULL = {
    "targets": None,
    "starts": [(head, lr) for head in ("xavier", "zero") for lr in (1e-3, 1e-4)],
    "strengths": [0.03, 0.1, 0.3, 1.0],
    "seeds": 3,
}

EXPERIMENT = Experiment(
    name="masked-low-rank",
    recipe_version=2,  # 2: G draws from a stream of its own, Adam is fused
    datasets={
        "breast": "group",
        "ecoli": "group",
        "arrays": "group",
        "gtex59": "group",
        "geo": "group",
    },
    sizes={
        "ci": {
            "targets": 250,
            "hidden": [100, 100],
            "epochs": 40,
            "rank": 50,
            "starts": [("xavier", 1e-3), ("zero", 1e-4)],
            "strengths": [0.1, 0.3, 1.0],
            "seeds": 2,
        },
        "laptop": FULL | {"hidden": [300, 300], "epochs": 100, "rank": 300},
        "gpu": FULL | {"hidden": [3000, 3000], "epochs": 500, "rank": 1000},
        "paper": {"seeds": 2},
    },
    special={  # 14,000 training profiles make 139 steps an epoch; T = 39
        ("ci", "gtex59"): {"epochs": 2, "rank": 4},
        ("laptop", "gtex59"): {"epochs": 20, "rank": 4},
        ("gpu", "gtex59"): {"hidden": [1000, 1000], "epochs": 50, "rank": 4},
    },
    runs=_runs,
    measure=_measure,
)


def _factor(ask):
    for c in (0.5, 3.0):
        expect(
            ask(c),
            c**2,
            [
                (
                    1.0,
                    "The relations stay as they are, but the penalty has a size, too.",
                ),
                (c, "The difference F - G changes so; what does its norm do to it?"),
                (c**4, "Once too often: G changes by the same factor as F."),
                (1 / c**2, "The other way round: is small harder to rebuild?"),
            ],
            f"Not the factor for c = {c}: follow it through G and the norm.",
        )


def _weights(ask):
    for L in (3, 1, 4):
        D, H, T, K = 7, 5, 11, 2
        hidden = sum((D + i * H) * H for i in range(L))
        base = hidden + (D + L * H) * T
        mlp = D * H + (L - 1) * H * H + H * T
        expect(
            ask(D, H, L, T, K),
            base + 2 * T * K,
            [
                (
                    mlp + 2 * T * K,
                    "That is an MLP: in a DenseNet every layer, and the head, sees all "
                    "that came before it.",
                ),
                (base, "The base network is right; G's two matrices are missing."),
                (
                    base + T * K,
                    "G has two matrices, into the bottleneck and out of it.",
                ),
                (
                    base + T * T,
                    "T² is what one square matrix V would need; G goes through a "
                    "bottleneck of K units.",
                ),
                (
                    hidden + H * T + 2 * T * K,
                    "The hidden layers are right; the head sees all features.",
                ),
            ],
            f"Wrong for {L} hidden layers: count them one by one; how many inputs has "
            "each, how many units?",
        )


def _our_strength(ask):
    for printed, T, hidden in ((2.0, 50, 5), (10.0, 9520, 1)):
        expect(
            ask(printed, T, hidden),
            printed * hidden / T,
            [
                (
                    printed,
                    "Sums and means differ by the number of terms; loss and penalty "
                    "have not the same number.",
                ),
                (
                    printed * T / hidden,
                    "The wrong way round: which sum has more terms?",
                ),
                (printed / T, "How many terms has the penalty's sum for a profile?"),
                (printed * hidden, "How many terms has the loss's sum for a profile?"),
                (
                    printed * hidden / (T - hidden),
                    "The loss sums over all tasks, hidden or not.",
                ),
            ],
            f"Not the λ of means for a printed λ = {printed}, {hidden} of {T} tasks "
            "hidden.",
        )


def _tell_hidden(ask):
    rng = np.random.default_rng(0)
    mask = np.array([1, 0, 1, 1, 0, 1.0])
    known, new = (
        rng.normal(size=(n, 2)) @ rng.normal(size=(2, 6)) + rng.normal(size=(n, 6))
        for n in (12, 5)
    )
    l2, seen, hidden = 3.0, mask == 1, mask == 0

    def ridge(x, y, l2=l2):
        return np.linalg.solve(x.T @ x + l2 * np.eye(x.shape[1]), x.T @ y)

    W = ridge(known[:, seen], known[:, hidden])
    right = new[:, seen] @ W
    expect(
        ask(known.copy(), new.copy(), mask.copy(), l2),
        right,
        [
            (
                new @ ridge(known, known)[:, hidden],
                "The hidden genes are among your inputs, so they tell of themselves.",
            ),
            (
                new[:, seen] @ ridge(known[:, seen], known[:, hidden], 0),
                "That is least squares: where is λ?",
            ),
            (
                new[:, seen] @ ridge(new[:, seen], new[:, hidden]),
                "You fit the new rows: their hidden genes must not be looked at.",
            ),
            (
                new[:, seen] @ ridge(known[:, seen], known[:, hidden], l2 * len(known)),
                "λ is that of a sum over the rows, yours is that of a mean.",
            ),
            (new[:, hidden] - right, "Those are errors; predictions are asked for."),
        ],
        "Not the ridge predictions of two hidden genes from four visible ones for "
        "five new rows.",
    )


CHECKERS = (_factor, _weights, _our_strength, _tell_hidden)  # as the exercises
