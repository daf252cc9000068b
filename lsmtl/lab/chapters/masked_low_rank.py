"""The masked low-rank sub-network: does G help?"""

import numpy as np
import torch

from lsmtl import data
from lsmtl.lab.exercises import Wrong, expect
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


def _case(rng):
    """Random predictions (B, T), a mask that hides two tasks, and G's weights."""
    B, T, K = 5, 6, 3
    mask = np.ones(T)
    mask[[1, 4]] = 0
    return (
        rng.normal(size=(B, T)),
        mask,
        rng.normal(size=(K, T)),
        rng.normal(size=(T, K)),
    )


def _rebuild(ask):
    f, mask, V1, V2 = _case(np.random.default_rng(0))

    def g(f, slope=0.2):
        hidden = f @ V1.T
        return np.where(hidden > 0, hidden, slope * hidden) @ V2.T

    expect(
        ask(V1.copy(), V2.copy(), f.copy(), mask.copy()),
        g(mask * f),
        [
            (g((1 - mask) * f), "Your mask is the wrong way round: 1 means visible."),
            (g(f), "G sees the hidden tasks as well: where does the mask come in?"),
            (g(mask * f, 1), "That is linear: σ between V1 and V2 is missing."),
            (g(mask * f, 0), "σ is a LeakyReLU: negative values are not cut to 0."),
            (g(mask * f, 0.01), "The paper's leakiness is 0.2, not 0.01."),
            (mask * g(mask * f), "Mask what goes into G, not what comes out of it."),
        ],
        "Not G(β ⊙ F(x)): check the order mask, V1, σ, V2 and the transposes.",
    )


def _penalty(ask):
    f, mask, _, _ = _case(np.random.default_rng(1))
    rebuilt = f + np.random.default_rng(2).normal(size=f.shape)
    error = (f - rebuilt) ** 2
    expect(
        ask(f.copy(), rebuilt.copy(), mask.copy()),
        error[:, mask == 0].mean(),
        [
            (
                error.mean(),
                "That is the mean over all tasks; only the hidden ones count.",
            ),
            (
                error[:, mask == 1].mean(),
                "That is the error of the visible tasks, which G can copy; take the "
                "hidden ones.",
            ),
            (
                ((1 - mask) * error).mean(),
                "The visible entries are zero now, but you still divide by their "
                "number: divide by the number of hidden entries.",
            ),
            (
                ((1 - mask) * error).sum(),
                "That is the sum of Eq. 5 as printed; here the mean over the hidden "
                "entries is asked for.",
            ),
            (
                np.abs(f - rebuilt)[:, mask == 0].mean(),
                "The penalty squares the errors (‖·‖² in Eq. 5); yours are absolute.",
            ),
        ],
        "Not the mean squared error of the hidden entries for a batch of 5 profiles.",
    )
    masks = np.tile(mask, (len(f), 1))
    masks[0] = 1 - mask
    for_each = "Right for one mask a batch; a mask a sample, (B, T), should work too."
    try:
        got = ask(f.copy(), rebuilt.copy(), masks.copy())
    except Wrong:
        raise Wrong(for_each) from None
    expect(got, error[masks == 0].mean(), [], for_each)


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


CHECKERS = (_rebuild, _penalty, _weights)  # in the order of the exercises
