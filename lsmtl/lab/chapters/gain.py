"""Where does the gain come from? G against plain shrinkage, each at its best."""

import math

import numpy as np
import torch

from lsmtl import metrics
from lsmtl.data import Profiles
from lsmtl.lab import shallow
from lsmtl.lab.changes import change
from lsmtl.lab.exercises import expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import drawn, scores
from lsmtl.lab.penalties import regularizer
from lsmtl.lab.protocol import search, split
from lsmtl.networks import DenseNet
from lsmtl.training import Recipe, fit, predict

HEADS = ("xavier", "zero")
G = "Deep-LSMTL"
CONTROL = "shrunken predictions"  # G's penalty where G = 0
DEEP = (G, CONTROL, "shrunken head")
SHALLOW = ("ridge", "reduced rank", "kernel ridge")
STRENGTHS = (0.03, 0.1, 0.3, 1.0)  # λ, of G and of the controls
START = {"dropout": 0.1, "lr": 1e-3, "weight_decay": 0.0, "keep": "best"}
WAYS = {  # what else shrinks a network → what validation chooses from
    "as printed": {},
    "dropout": {"dropout": (0.1, 0.25, 0.5)},
    "learning rate": {"lr": (3e-3, 1e-3, 3e-4, 1e-4)},
    "weight decay": {"weight_decay": (0.0, 1e-5, 1e-4, 1e-3)},
    "no early stopping": {"keep": ("last",)},
}
WAYS["all of them"] = WAYS["dropout"] | WAYS["learning rate"] | WAYS["weight decay"]
FOLDS = 10  # two halves, five times


def _networks(common, deep=DEEP, ways=("as printed",)):
    """Each penalty as printed, its control also unstopped, and G with every way."""
    for head in HEADS:
        for way in ways:
            of_way = {"as printed": deep, "no early stopping": (G, CONTROL)}
            for method in of_way.get(way, (G,)):
                yield method, common | {"head": head, "way": way}


def _runs(sizes, landmarks):
    within = {"scenario": "within", "targets": sizes["targets"]}
    within |= {"hidden": sizes["hidden"], "epochs": sizes["epochs"]}
    listed = []
    if landmarks is None:
        within |= {k: sizes[k] for k in ("samples", "landmarks")}
        for n in sizes["train"]:
            epochs = max(sizes["epochs"], math.ceil(sizes["steps"] / (n / 100)))
            c = within | {"train": n, "epochs": epochs}
            listed += [(method, c) for method in SHALLOW]
            listed += _networks(c, (G, CONTROL))
    else:
        listed += [(method, within) for method in SHALLOW]
        listed += _networks(within, ways=list(WAYS)[: sizes["ways"]])
    for seed in range(sizes["splits"]):
        yield from (Run(method, c, seed) for method, c in listed)
    if not sizes["halves"]:
        return
    halves = within | {"scenario": "halves", "epochs": 2 * sizes["epochs"]}
    listed = [(method, halves) for method in SHALLOW]
    listed += _networks(halves, (G, CONTROL))
    for seed in range(sizes["seeds"]):
        yield from (Run(method, c, seed) for method, c in listed)


def _parts(adata, c, seed, device):
    """A run's training, validation and test profiles.

    Simulated ones are cut to `train`, drawn at random, and an eighth as many to choose
    on; the scale is that of what is left to train on.
    """
    if adata is not None:
        splits = split(adata, c, seed)
        return splits.train, splits.validation, splits.test
    size = c["samples"], c["landmarks"], c["targets"]
    splits = drawn(*size, seed, group="group", device=device)
    rng, kept = np.random.default_rng(seed), []
    for part, n in (
        (splits.train, c["train"]),
        (splits.validation, max(c["train"] // 8, 10)),
        (splits.test, None),
    ):
        rows = torch.from_numpy(rng.permutation(len(part))[:n]).to(part.x.device)
        kept.append((part.x[rows], part.y[rows]))
    scale = [torch.std_mean(v, dim=0) for v in kept[0]]  # of x, of y
    return [
        Profiles(*((v - m) / s.clamp(1e-6) for v, (s, m) in zip(p, scale, strict=True)))
        for p in kept
    ]


def _train(method, c, settings, train, validation, seed, device):
    """A network with settings, and the history's row of the epoch that is kept."""
    D, T = train.x.shape[1], train.y.shape[1]
    own = {k: settings[k] for k in ("lr", "weight_decay", "keep")}
    recipe = Recipe(c["epochs"], final_lr=own["lr"] / 100, **own)
    torch.manual_seed(seed)
    network = DenseNet(D, T, c["hidden"], settings["dropout"], head=c["head"])
    penalty = None
    if "strength" in settings:
        w, strength = network.head.in_features, settings["strength"]
        penalty = regularizer(method, T, w, strength)
    trained = fit(network.to(device), train, validation, penalty, recipe, seed)
    errors = trained.history["validation_mae"]
    at = errors.idxmin() if settings["keep"] == "best" else len(errors) - 1
    return trained.network, trained.history.loc[at]


def _measure(adata, run, device):
    """What validation chose and its test scores, for a network also without penalty.

    The network without penalty (`plain_…`) is chosen first; the one with it has the
    same settings, and λ is chosen last. `scale` is the least-squares factor of the
    predictions on validation profiles, and `mae_scaled` the test MAE of predictions
    times that: shrinking afterwards, which needs no training.
    """
    c = run.configuration
    parts = train, validation, _ = _parts(adata, c, run.seed, device)
    if run.method in SHALLOW:
        known = [Profiles(part.x.cpu(), part.y.cpu()) for part in (train, validation)]
        settings, model, errors = shallow.best(run.method, *known)
        found = _tested(model, *parts[1:]) | {"validation_mae": min(errors)}
        return found | {f"chosen_{k}": v for k, v in settings.items()}
    trained = {}

    def error(settings):
        given = run.method, c, settings, train, validation, run.seed, device
        key = tuple(settings.items())
        trained[key] = _train(*given)
        return trained[key][1]["validation_mae"]

    found = {}
    settings = search(START, WAYS[c["way"]], error)
    for prefix in ("plain_", ""):
        if prefix == "":
            settings = search(settings, {"strength": STRENGTHS}, error)
        elif tuple(settings.items()) not in trained:  # there was nothing to choose
            error(settings)
        network, row = trained[tuple(settings.items())]
        scored = _tested(network, *parts[1:])
        scored |= {"validation_mae": float(row["validation_mae"])}
        scored |= {"best_epoch": int(row["epoch"])}
        found |= {f"{prefix}{k}": v for k, v in scored.items()}
    del settings["keep"]  # no number, and no choice
    return found | {f"chosen_{name}": value for name, value in settings.items()}


def _tested(model, validation, test):
    known, found = (predict(model, p.x).to(p.y.device) for p in (validation, test))
    scale = ((known * validation.y).mean() / known.square().mean()).item()
    scaled = metrics.mae(scale * found, test.y).mean().item()
    return scores(found, test.y) | {"scale": scale, "mae_scaled": scaled}


def of(runs, method, head=None, way="as printed", scenario="within"):
    """The runs of a row, a line a seed, in their order.

    Args:
        runs: what `results` gives.
        method: `G`, its control, or another of `DEEP` and `SHALLOW`.
        head: of `HEADS`; None for a method without one.
        way: of `WAYS`, for networks.
        scenario: `"within"` or `"halves"`.
    """
    mine = runs[(runs["method"] == method) & (runs["scenario"] == scenario)]
    if head is not None:
        mine = mine[(mine["head"] == head) & (mine["way"] == way)]
    return mine.sort_values("seed", kind="stable")


def effect(mine, column, reference):
    """Difference of two columns in percent of the reference's mean, a value a seed."""
    return change(mine[column], mine[reference])


LAPTOP = {
    "targets": 500,  # so that w / (w + T), and the start's spread, is as in the paper
    "hidden": [100, 100, 100],
    "epochs": 80,
    "ways": len(WAYS),
    "splits": 3,
    "halves": True,
    "seeds": FOLDS,
}
CURVE = {"landmarks": 300, "targets": 250, "steps": 500, "halves": False, "seeds": 3}
EXPERIMENT = Experiment(
    name="gain",
    recipe_version=1,
    datasets={
        "breast": "group",
        "ecoli": "group",
        "arrays": "group",
        "simulated": None,
        "geo": "group",
    },
    sizes={
        "ci": LAPTOP
        | {"targets": 60, "hidden": [20, 20], "epochs": 15, "ways": 2}
        | {"splits": 1, "seeds": 2},
        "laptop": LAPTOP,
        "gpu": LAPTOP
        | {"targets": None, "hidden": [9000, 9000, 9000], "epochs": 500, "ways": 2}
        | {"splits": 1, "halves": False, "seeds": 1},
        "paper": {"hidden": [3000, 3000, 3000]},
    },
    special={
        ("ci", "simulated"): CURVE
        | {"samples": 1000, "landmarks": 30, "targets": 60, "steps": 20}
        | {"train": [100, 300], "seeds": 1},
        ("laptop", "simulated"): CURVE
        | {"samples": 13000, "epochs": 10, "train": [100, 1000, 10000]},
        ("gpu", "simulated"): CURVE
        | {"samples": 111009, "landmarks": 943, "targets": 9520, "epochs": 10}
        | {"hidden": [3000, 3000, 3000], "train": [100, 1000, 10000, 88000]}
        | {"seeds": 1},
        ("gpu", "breast"): None,
        ("gpu", "ecoli"): None,
    },
    runs=_runs,
    measure=_measure,
    minutes=dict.fromkeys((*DEEP, *SHALLOW), 4.0),
)


def _average(ask):
    predicted(
        ask(),
        "higher",
        {
            "lower": "Take the two sums one by one: which of them do random parts of "
            "five starts enlarge, and do they add up when averaged?",
            "the same": "So it would be if the five networks were one and the same.",
        },
    )


def _explained(ask):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        plain = 0.6 + 0.1 * rng.random(4)
        g, control = (
            plain - gain - 0.002 * rng.random(4) for gain in (0.009, 0.004 + seed)
        )
        of = plain.mean()
        a, b = (100 * (of - v.mean()) / of for v in (g, control))
        each = [100 * (plain - v) / plain for v in (g, control)]
        expect(
            numbers(ask(plain.copy(), g.copy(), control.copy()), (3,)),
            (a, b, b / a),
            [
                ((-a, -b, b / a), "Positive where the MAE falls."),
                ((a / 100, b / 100, b / a), "In percent."),
                ((a, b, a / b), "The share is the control's part of G's gain."),
                ((a, b, 100 * b / a), "The share is a ratio, not a percentage."),
                ((a, b, 1 - b / a), "That is what the control doesn't explain."),
                ((a, b, b / (a + b)), "The gains are not parts of one sum."),
                (
                    (a, b, (each[1] / each[0]).mean()),
                    "A share of means, not the mean of the seeds' shares.",
                ),
                (
                    (each[0].mean(), each[1].mean(), each[1].mean() / each[0].mean()),
                    "Percent of the mean MAE, not of each seed's own.",
                ),
                (
                    (100 * (of - g.mean()) / g.mean(), b, b / a),
                    "Percent of the MAE without a penalty.",
                ),
            ],
            "Not the two gains and their ratio.",
        )


def _matching(ask):
    for small, large in (
        ((734, (100, 100, 100)), (943, (9000, 9000), 9520)),
        ((50, (20,)), (943, (3000, 3000, 3000), 9520)),
    ):
        w, many = small[0] + sum(small[1]), large[0] + sum(large[1])
        T = large[2]
        expect(
            numbers(ask(*small, *large), ()),
            round(T * w / many),
            [
                (
                    round(T * (small[0] + small[1][-1]) / (large[0] + large[1][-1])),
                    "The head sees all hidden layers, not only the last.",
                ),
                (
                    round(T * sum(small[1]) / sum(large[1])),
                    "The head sees the landmarks, too.",
                ),
                (round(T * small[1][-1] / large[1][-1]), "Count all the head sees."),
                (round(T * small[0] / large[0]), "Count the hidden units, too."),
                (round(T * many / w), "The small network has fewer targets."),
                (T, "With the large one's T its start would be much smaller."),
                (T * w / many, "A whole number of targets."),
            ],
            "2w/(w + T) is not that of the large network.",
        )


def _scaled(ask):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        y, truth = rng.normal(size=(6, 4)) + 0.5, rng.normal(size=(5, 4)) + 0.5
        known = 2 * y + rng.normal(size=(6, 4)) * [0.5, 1, 2, 3] + 0.3
        asked = 2 * truth + rng.normal(size=(5, 4)) + 0.3

        def score(c, asked=asked, truth=truth):
            return np.abs(c * asked - truth).mean()

        def factors(f, y, axis=None):
            return (f * y).sum(axis) / (f**2).sum(axis)

        def errors(one, each, score=score):
            return score(1), score(one), score(each)

        one, each = factors(known, y), factors(known, y, 0)
        spread = y.std() / known.std(), y.std(0) / known.std(0)
        ratios = (y / known).mean(), (y / known).mean(0)
        right = np.array(errors(one, each))
        around = [v - v.mean(0) for v in (known, y)]
        expect(
            numbers(ask(known.copy(), y.copy(), asked.copy(), truth.copy()), (3,)),
            right,
            [
                (
                    errors(factors(asked, truth), factors(asked, truth, 0)),
                    "Your factors have seen the test profiles.",
                ),
                (
                    errors(factors(y, known), factors(y, known, 0)),
                    "The error is y's, so f is what is squared.",
                ),
                (errors(1 / one, 1 / each), "Upside down."),
                (errors(*spread), "The ratio of spreads forgets the noise."),
                (errors(*ratios), "Not the mean of ratios: a ratio of sums."),
                (
                    errors(one, factors(*around, 0)),
                    "No intercept: one factor a gene, nothing else.",
                ),
                (
                    errors(each.mean(), each),
                    "One factor is not the mean of the genes'.",
                ),
                (right[[0, 2, 1]], "The one factor comes before those of the genes."),
                (right[[1, 2, 0]], "The predictions as they are come first."),
                (
                    errors(one, factors(known, y, 1)[:5, None]),
                    "A factor a gene, not one a profile.",
                ),
                (
                    [((c * asked - truth) ** 2).mean() for c in (1, one, each)],
                    "Absolute errors; the squared one is only for the factors.",
                ),
                (right[0] * np.ones(3), "The factors change nothing: are they used?"),
            ],
            "Not the test MAE with no factor, with one, and with one a gene.",
        )


CHECKERS = (_average, _explained, _matching, _scaled)  # in the order of the exercises
