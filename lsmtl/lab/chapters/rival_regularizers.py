"""The rival regularisers: what they cost as tasks grow, and whether they help."""

from itertools import combinations

import numpy as np
import torch

from lsmtl import data
from lsmtl.lab.exercises import expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import BASELINES, baseline, scores, tested, thin
from lsmtl.lab.penalties import regularizer
from lsmtl.lab.timing import seconds, step
from lsmtl.networks import DenseNet
from lsmtl.training import Recipe, fit

LANDMARKS, BATCH = 943, 100  # of a timed step


def _runs(sizes, landmarks):
    network = {k: sizes[k] for k in ("targets", "hidden", "epochs", "lr")}
    for seed in range(sizes["seeds"]):
        for method in BASELINES:
            yield Run(method, {"targets": sizes["targets"]}, seed)
        for head in ("xavier", "zero"):
            yield Run("DenseNet", network | {"head": head}, seed)
        for method, strengths in sizes["strengths"].items():
            for strength in strengths:
                more = {"head": "xavier", "strength": strength}
                yield Run(method, network | more, seed)
    for method in sizes["timed"]:
        for tasks in sizes["tasks"]:
            timed = {"tasks": tasks, "units": sizes["units"]}
            yield Run(method, timed | {"rounds": sizes["rounds"]}, 0)


def _measure(adata, run, device):
    c = run.configuration
    if "tasks" in c:
        return _time(run.method, c["tasks"], c["units"], c["rounds"])
    splits = data.split(thin(adata, c["targets"]), run.seed, c["group"])
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method in BASELINES:
        return scores(baseline(run.method, train, validation, test), test.y)
    D, T = len(splits.landmarks), len(splits.targets)
    torch.manual_seed(run.seed)
    network = DenseNet(D, T, tuple(c["hidden"]), head=c["head"]).to(device)
    penalty = regularizer(run.method, T, network.head.in_features, c.get("strength"))
    recipe = Recipe(epochs=c["epochs"], lr=c["lr"], final_lr=c["lr"] / 100)
    trained = fit(network, train, validation, penalty, recipe, run.seed)
    _, found = tested(trained, test)
    return found | {
        "head_norm": trained.network.head.weight.square().sum(1).mean().item(),
    }


def _time(method, tasks, units, rounds):
    """Median processor seconds of a step, with and without the penalty, and bytes.

    One thread, so that its processor time is its time on an idle machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = DenseNet(LANDMARKS, tasks, (units, units))
    penalty = regularizer(method, tasks, network.head.in_features)
    x, y = torch.randn(BATCH, LANDMARKS), torch.randn(BATCH, tasks)
    steps = {name: step(network, r, x, y) for name, r in (("", None), ("R", penalty))}
    found = seconds(steps, rounds, processor=True)
    torch.set_num_threads(threads)
    modules = [network] if penalty is None else [network, penalty]
    weights = [p for module in modules for p in module.parameters()]
    return {
        "seconds": float(np.median(found["R"])),
        "plain_seconds": float(np.median(found[""])),
        "parameters": sum(p.numel() for p in weights),
    }


FULL = {
    "hidden": [100, 100],
    "lr": 1e-3,
    "units": 100,
    "timed": [
        "DenseNet",
        "Deep-GO-MTL",
        "Deep-CNMTL",
        "Deep-AMTL",
        "Deep-AMTL, all columns",
        "Deep-AMTFL",
        "Deep-LSMTL",
    ],
}

MANY = [100, 300, 1000, 3000, 9520]  # tasks
GRID = {
    "shrunken head": [0.3, 1.0, 3.0, 10.0],
    "Deep-GO-MTL": [0.01, 0.1, 1.0],
    "Deep-CNMTL": [0.3, 1.0, 3.0, 10.0],
    "Deep-AMTL": [0.3, 1.0, 3.0, 10.0],
    "Deep-AMTFL": [0.3, 1.0, 3.0],
    "Deep-LSMTL": [0.03, 0.1, 0.3, 1.0],
}

EXPERIMENT = Experiment(
    name="rival-regularizers",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group", "geo": "group"},
    sizes={
        "ci": FULL
        | {
            "targets": 100,
            "epochs": 30,
            "strengths": {
                "shrunken head": [1.0],
                "Deep-GO-MTL": [0.1],
                "Deep-CNMTL": [1.0],
                "Deep-AMTL": [1.0],
                "Deep-AMTFL": [1.0],
                "Deep-LSMTL": [0.1],
            },
            "seeds": 2,
            "tasks": [100, 300, 1000],
            "rounds": 3,
        },
        "laptop": FULL
        | {
            "targets": 500,
            "epochs": 100,
            "strengths": GRID,
            "seeds": 3,
            "tasks": MANY,
            "rounds": 5,
        },
        "gpu": FULL  # all targets, the paper's width and epochs; the same times
        | {
            "targets": None,
            "hidden": [3000, 3000],
            "epochs": 500,
            "strengths": GRID,
            "seeds": 3,
            "tasks": MANY,
            "rounds": 5,
        },
        "paper": {"seeds": 2},
    },
    special={(preset, "ecoli"): {"tasks": MANY[:3]} for preset in ("laptop", "gpu")},
    runs=_runs,
    measure=_measure,
    timed=lambda record: "tasks" in record["configuration"],
)


def _weights(rng, w=4, T=7):
    """Columns w_t of a head (w, T), and relations V (T, T) with a zero diagonal."""
    V = np.abs(rng.normal(size=(T, T)))
    np.fill_diagonal(V, 0)
    return rng.normal(size=(w, T)), V


def _rebuilt(ask):
    needs = "Which coefficient would rebuild it, and what does Eq. 9 ask of V here?"
    predicted(
        ask("AMTL"),
        "nothing",
        {
            "everything": needs,
            "half": "Does any coefficient that is allowed bring WV closer to the "
            "mirror image than 0 does?",
        },
    )
    predicted(
        ask("self-expression"),
        "everything",
        dict.fromkeys(
            ("nothing", "half"),
            "Right for AMTL. Which coefficient would rebuild it, and what is against "
            "it here?",
        ),
    )


def _count(ask):
    for L in (2, 1, 3):
        D, H, T = 7, 5, 11
        w = D + L * H
        base = sum((D + i * H) * H for i in range(L)) + w * T
        expect(
            ask(D, H, L, T),
            base + T * w,
            [
                (base, "That is the base network; V of AMTFL is missing."),
                (base + T * T, "V has T² weights in AMTL; AMTFL's leads to features."),
                (
                    base + T * H,
                    "Close: the counts of Table 2 need a V that leads to all that the "
                    "head sees, not to the last hidden layer only.",
                ),
                (base + 2 * T * w, "There is one V, from the tasks to the features."),
            ],
            f"Wrong for {L} hidden layers: count the DenseNet, then add V.",
        )


def _deviation(ask):
    terms = np.random.default_rng(3).exponential(size=7)
    for m in (2, 5, 7):
        draws = [7 / m * sum(d) for d in combinations(terms, m)]
        independent = 7 * terms.std() / m**0.5
        repeated = "That holds for draws with repetition: what is left when all are in?"
        expect(
            ask(terms.copy(), m),
            np.std(draws),
            [
                (
                    independent,
                    repeated,
                ),
                (
                    7 * terms.std(ddof=1) / m**0.5,
                    repeated,
                ),
                (
                    7 * terms.std() * np.sqrt(1 / m - 1 / 7),
                    "Close: with how many others does a draw share what is fixed?",
                ),
                (np.var(draws), "That is the variance; its root is asked for."),
                (
                    np.std(draws) / 7,
                    "That is the deviation of the mean, not of the sum.",
                ),
            ],
            f"Not the deviation of the estimate from m = {m} of seven terms.",
        )


def _estimate(ask):
    W, V = _weights(np.random.default_rng(2))
    drawn = np.array([5, 0, 3])
    error = (W - W @ V)[:, drawn]
    expect(
        ask(W.copy(), V.copy(), drawn.copy()),
        (error**2).sum() * 7 / 3,
        [
            (
                (error**2).sum(),
                "That is the sum of three of seven columns, too small on average.",
            ),
            (
                (error**2).sum() / 3,
                "That is the mean of a column; the sum over all seven is asked for.",
            ),
            (
                ((W[:, drawn] - W[:, drawn] @ V[np.ix_(drawn, drawn)]) ** 2).sum()
                * 7
                / 3,
                "A drawn task may be rebuilt from all tasks, not from the drawn only.",
            ),
            (
                ((W - W @ V) ** 2).sum(),
                "That is the whole sum, at its whole cost: use the drawn columns only.",
            ),
        ],
        "Not an unbiased estimate from three of seven columns.",
    )
    everything = np.arange(7)
    expect(
        ask(W.copy(), V.copy(), everything),
        ((W - W @ V) ** 2).sum(),
        [],
        "Right for three columns; with all of them it should be exact.",
    )


CHECKERS = (_rebuilt, _count, _deviation, _estimate)  # as the exercises
