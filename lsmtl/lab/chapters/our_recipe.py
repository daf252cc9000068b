"""A recipe of ours: what to use today, against ridge, kernel ridge and Deep-LSMTL."""

import numpy as np
import torch
from scipy.optimize import nnls

from lsmtl import metrics
from lsmtl.data import Profiles
from lsmtl.lab import shallow
from lsmtl.lab.exercises import expect, numbers
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import scores
from lsmtl.lab.protocol import measure, search, split
from lsmtl.lab.rows import ACROSS, ORIGINAL, PAPER, SIZES, WITHIN, deep, special
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank
from lsmtl.training import Recipe, fit, predict

OURS = "our recipe"
RIVAL = deep("Deep-LSMTL")  # as Table 1 has it
SHALLOW = ("ridge", "kernel ridge", "KNN")
GRIDS = {"dropout": (0.0, 0.25), "lr": (3e-4, 3e-3)}
RANKS = (10, 30, 100)  # components of the measured targets; bottleneck of the head
MIX = (0.1, 0.25, 0.5, 1.0)  # how far predictions are moved to G's
HIDDEN = 0.5  # share of the measured targets while G learns from them
FOLDS = 10  # two halves, five times


def _runs(sizes, landmarks):
    own = {k: sizes[k] for k in ("scenario", "targets", "units", "members", "steps")}
    if landmarks is None:
        own |= {k: sizes[k] for k in ("samples", "landmarks")}
    for seed in range(sizes["seeds"]):
        yield RIVAL.run(sizes, seed, landmarks)
        yield Run(OURS, own, seed)


def _measure(adata, run, device):
    if run.method != OURS:
        found = measure(adata, run, device)
        return {k: v for k, v in found.items() if k not in ("errors", "counts")}
    splits = split(adata, run.configuration, run.seed, device)
    parts = splits.train, splits.validation, splits.test
    return recipe(*parts, run.configuration, run.seed, device)


def recipe(train, validation, test, c, seed, device):
    """Stack ridge, kernel ridge, neighbours and networks; with what each part adds.

    Args:
        train, validation, test: `Profiles`.
        c: `units` of each of two hidden layers, `members` trained from different
            starts, `steps` of training at least.
        seed: decides starts, batches and dropout.
        device: where networks train.

    Returns:
        dict: the stack's scores; the test MAE of each part, as `mae_ridge`; of the
        stack moved to G's reconstruction (`mae_refined`) or into a low-rank space
        (`mae_low_rank`), each at what validation prefers, and of one network with a
        low-rank head (`mae_low_rank_head`) to be set beside `mae_network`; `…_gain`,
        what validation gains by each; the `weights`; what was chosen.
    """
    known, asked = {}, {}  # part → predictions of validation and test profiles

    def predicted(name, model):
        known[name], asked[name] = (predict(model, p.x).cpu() for p in parts)

    parts = validation, test
    cpu = [Profiles(p.x.cpu(), p.y.cpu()) for p in (train, validation)]
    for method in SHALLOW:
        predicted(method, shallow.best(method, *cpu)[1])
    trained, settings = _networks(train, validation, c, seed, device)
    for number, network in enumerate(trained):
        predicted(number, network)
    for found in (known, asked):
        members = torch.stack([found.pop(n) for n in range(len(trained))])
        found["network"], found["networks"] = members[0], members.mean(0)
    stacked = (*SHALLOW, "networks")
    y, truth = validation.y.cpu(), test.y.cpu()
    weights = stack([known[name] for name in stacked], y)
    for found in (known, asked):
        found["stack"] = sum(
            w * found[name] for w, name in zip(weights, stacked, strict=True)
        )
    g = relations_of(train.y.cpu(), seed)
    V = torch.linalg.svd(train.y.cpu(), full_matrices=False).Vh  # (min(n, T), T)
    ideas = {
        "refined": [lambda p, a=a: p + a * (_rebuilt(g, p) - p) for a in MIX],
        "low_rank": [lambda p, k=k: p @ V[:k].T @ V[:k] for k in RANKS],
    }
    base = metrics.mae(known["stack"], y).mean()
    gains, chosen = {}, {}
    for name, tried in ideas.items():
        errors = [metrics.mae(f(known["stack"]), y).mean() for f in tried]
        at = int(np.argmin(errors))
        asked[name] = tried[at](asked["stack"])
        gains[f"{name}_gain"] = (base - errors[at]).item()
        chosen[name] = (MIX, RANKS)[name == "low_rank"][at]
    low = _train(train, validation, c, settings, seed, device, rank=RANKS[1])
    asked["low_rank_head"] = predict(low, test.x).cpu()
    gains["low_rank_head_gain"] = (
        metrics.mae(known["network"], y).mean()
        - metrics.mae(predict(low, validation.x).cpu(), y).mean()
    ).item()
    found = scores(asked.pop("stack"), truth) | {"validation_mae": base.item()}
    found |= {
        f"mae_{k.replace(' ', '_')}": metrics.mae(v, truth).mean().item()
        for k, v in asked.items()
    }
    found |= gains | {"weights": [round(float(w), 4) for w in weights]}
    return found | {f"chosen_{k}": v for k, v in (chosen | settings).items()}


def stack(predictions, y):
    """Weights of predictions, none negative, by least squares on profiles known.

    Args:
        predictions: M tensors (n, T) for profiles that no model was trained on.
        y: (n, T), what is measured.

    Returns:
        array (M,)

    >>> parts = [torch.ones(2, 3), torch.eye(3)[:2]]
    >>> stack(parts, 2 * torch.ones(2, 3)).round(6).tolist()
    [2.0, 0.0]
    """
    A = np.stack([p.double().numpy().ravel() for p in predictions], 1)  # (n T, M)
    Q, R = np.linalg.qr(A)
    return nnls(R, Q.T @ y.double().numpy().ravel())[0]


def relations_of(y, seed, rank=100, steps=600):
    """G trained to rebuild measured targets y (n, T), half of them hidden at a time."""
    torch.manual_seed(seed)
    T = y.shape[1]
    g = MaskedLowRank(T, min(rank, T), masked=HIDDEN)
    adam = torch.optim.Adam(g.parameters(), lr=1e-3, fused=True)
    for _ in range(steps):
        adam.zero_grad()
        g(None, None, y[torch.randint(len(y), (min(100, len(y)),))]).backward()
        adam.step()
    return g


@torch.no_grad()
def _rebuilt(g, predictions):
    """G's answer where nothing is hidden, at the strength that it learned from."""
    return g.reconstruct(predictions, torch.full((1, g.targets), 1 - HIDDEN))


def _train(train, validation, c, settings, seed, device, rank=None):
    """A network with a head that starts at zero; with a rank, through a bottleneck."""
    D, T, n = train.x.shape[1], train.y.shape[1], len(train.x)
    torch.manual_seed(seed)
    shape = {"head": "zero", "bottleneck": rank}
    network = DenseNet(D, T, (c["units"],) * 2, settings["dropout"], **shape)
    batch = min(100, max(n // 3, 2))
    epochs = max(-(-c["steps"] * batch // n), 15)
    lr = settings["lr"]
    training = Recipe(epochs, batch, lr=lr, final_lr=lr / 100)
    return fit(network.to(device), train, validation, None, training, seed).network


def _networks(train, validation, c, seed, device):
    """Networks from different starts, and their settings, chosen on some targets."""
    every = max(train.y.shape[1] // 1000, 1)
    thin = [Profiles(p.x, p.y[:, ::every].contiguous()) for p in (train, validation)]

    def error(settings):
        network = _train(*thin, c, settings, seed, device)
        return metrics.mae(predict(network, thin[1].x), thin[1].y).mean().item()

    settings = search({}, GRIDS, error)
    starts = range(seed * 100, seed * 100 + c["members"])
    given = train, validation, c, settings
    return [_train(*given, start, device) for start in starts], settings


OWN = {"scenario": "halves", "units": 100, "members": 3, "steps": 300}
OWN |= {"seeds": FOLDS}
DATASETS = {"breast": "group", "ecoli": "group", "arrays": "group"}
DATASETS |= {"gtex59": WITHIN["gtex59"], **ACROSS, "simulated": None, **ORIGINAL}
SPECIAL = {key: value and dict(value) for key, value in special(DATASETS).items()}
for (_preset, _dataset), _size in SPECIAL.items():
    if _size and (_dataset in ACROSS or _dataset == "simulated"):
        _size |= {"seeds": 2 if _preset == "ci" else 3}
SPECIAL["ci", "simulated"] |= {"scenario": "within"}
SPECIAL["laptop", "simulated"] |= {"scenario": "within", "steps": 600}
SPECIAL["laptop", "gtex59"] |= {"units": 200, "steps": 1600}
SPECIAL["paper", "geo"] = {"scenario": "within"}  # the fixed split
SPECIAL |= {("gpu", "ecoli"): None, ("gpu", "gtex59"): None}
EXPERIMENT = Experiment(
    name="our-recipe",
    recipe_version=1,
    datasets=DATASETS,
    sizes={
        "ci": SIZES["ci"] | OWN | {"units": 16, "members": 2, "steps": 40, "seeds": 2},
        "laptop": SIZES["laptop"] | OWN,
        "gpu": SIZES["gpu"] | OWN | {"units": 3000},
        "paper": PAPER | {"steps": 20_000},
    },
    special=SPECIAL,
    runs=_runs,
    measure=_measure,
    minutes={OURS: 1.0},
)


def _weights(ask):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(12, 5))
        parts = np.stack(
            [0.7 * y + 0.4 * rng.normal(size=y.shape) for _ in range(2)]
            + [-0.5 * y + rng.normal(size=y.shape)]
        )
        A = parts.reshape(3, -1).T
        free = np.linalg.lstsq(A, y.ravel(), rcond=None)[0]
        right = nnls(A, y.ravel())[0]
        gene = np.mean([nnls(A.reshape(12, 5, 3)[:, t], y[:, t])[0] for t in range(5)])
        expect(
            numbers(ask(parts.copy(), y.copy()), (3,)),
            right,
            [
                (free, "A weight is negative."),
                (free.clip(0), "Cutting off below 0 leaves the others as they were."),
                (right / right.sum(), "They needn't add up to 1."),
                (np.full(3, 1 / 3), "That is the plain mean."),
                (right[::-1], "In the order in which the parts came."),
                (np.full(3, gene), "One weight a part, for all genes."),
                (
                    (free.clip(0) / free.clip(0).sum()),
                    "Cutting off below 0 leaves the others as they were.",
                ),
            ],
            "These are not the non-negative weights of least squared error.",
        )


def _ambiguity(ask):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(8, 3))
        parts = y + rng.normal(size=(4, 8, 3)) * 0.5
        mean = parts.mean(0)
        error = ((parts - y) ** 2).mean()
        spread = ((parts - mean) ** 2).mean()
        expect(
            numbers(ask(parts.copy(), y.copy()), (3,)),
            (error, spread, error - spread),
            [
                (
                    (error, parts.var(0, ddof=1).mean(), error - spread),
                    "Divide by the number of members, not by one less.",
                ),
                ((error, spread, error + spread), "The spread is taken off."),
                ((error, error - spread, spread), "The mean's error comes last."),
                (
                    (((mean - y) ** 2).mean(), spread, error - spread),
                    "First the members' own error, on average.",
                ),
                (
                    np.sqrt([error, spread, error - spread]),
                    "Squared errors, without the root.",
                ),
                ((error, parts.var(), error - spread), "Around the members' mean."),
            ],
            "Not the members' error, their spread and the mean's error.",
        )


def _projected(ask):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(7, 2)) @ rng.normal(size=(2, 6)) * 2
        y += rng.normal(size=y.shape)
        f = rng.normal(size=(4, 6))
        V = np.linalg.svd(y, full_matrices=False)[2]
        own = np.linalg.svd(f, full_matrices=False)[2]
        expect(
            ask(f.copy(), y.copy(), 2),
            f @ V[:2].T @ V[:2],
            [
                (f @ own[:2].T @ own[:2], "The components of what is measured."),
                (f @ V[-2:].T @ V[-2:], "The largest components, not the smallest."),
                (f - f @ V[:2].T @ V[:2], "That is what the projection takes away."),
                (f @ V.T @ V, "Only the first K."),
            ],
            "Not the predictions within the first K components.",
        )


CHECKERS = (_weights, _ambiguity, _projected)  # in the order of the exercises
