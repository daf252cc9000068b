"""A recipe of ours: what to use today, against ridge, kernel ridge and Deep-LSMTL."""

import numpy as np
import torch
from scipy.optimize import nnls

from lsmtl import metrics
from lsmtl.data import Profiles
from lsmtl.lab import shallow
from lsmtl.lab.exercises import expect, numbers, predicted
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


def _worse(ask):
    predicted(
        ask(),
        "negative",
        {
            "positive": "So it would be if the second erred elsewhere; most of its "
            "error is the first's, enlarged.",
            "zero": "That is what a bound would make of it. Without one, what becomes "
            "of the common error as the weight moves away from zero?",
        },
    )


def _first(ask):
    for seed in (0, 1, 2):
        rng = np.random.default_rng(seed)
        y, e, own = rng.normal(size=(3, 8, 5))
        near, far = y + 0.6 * e + 0.1, y + 1.2 * e + 0.1 * own  # errors alike
        f, g = [(0.7 * y + 0.8 * e, y + 0.5 * own), (near, far), (far, near)][seed]
        d, left = f - g, y - g
        free = (left * d).sum() / (d**2).sum()
        right = float(np.clip(free, 0, 1))
        alone = np.linalg.lstsq(np.stack([f.ravel(), g.ravel()], 1), y.ravel())[0]
        own = [((v - y) ** 2).sum() for v in (f, g)]
        hints = [
            (1 - right, "That is the second one's weight."),
            (free, "A weight is below 0 or above 1."),
            (alone[0], "Free weights: these don't add up to 1."),
            (alone[0] / alone.sum(), "Dividing by the sum afterwards isn't the least."),
            (
                (left * d).mean() / (d - d.mean()).var(),
                "No intercept: nothing is to be centred.",
            ),
            (
                own[1] / sum(own),
                "By the errors alone: right only if they are unrelated.",
            ),
            (own[0] / sum(own), "The part with the smaller error gets more."),
            (
                (y * f).sum() / (f**2).sum(),
                "That is the first part without the second.",
            ),
            ((y * d).sum() / (d**2).sum(), "It is the second's error that is to fall."),
        ]
        if right in (0, 1):
            hints = hints[1:]
        expect(numbers(ask(f, g, y), ()), right, hints, "Not the least squared error.")


def _more(ask):
    for single, averaged, M, N in ((1.0, 0.7, 3, 12), (0.9, 0.8, 2, 5), (2, 1.9, 5, 2)):
        own = (single - averaged) * M / (M - 1)
        shared = single - own
        expect(
            ask(single, averaged, M, N),
            shared + own / N,
            [
                (single / N, "So it were if nothing in the errors were shared."),
                (averaged * M / N, "Only what members have of their own is divided."),
                (averaged, "That is for M members, not for N."),
                (shared, "That is for infinitely many; N still leave something."),
                (own / N, "What all share stays in every average."),
                (own, "That is what a member has of its own."),
                (
                    averaged + (single - averaged) / N,
                    "An average of M has a part of its own left, too.",
                ),
                (
                    single - (single - averaged) * N / M,
                    "Each further member takes off less than the one before.",
                ),
                (
                    shared + own / N**0.5,
                    "Squared errors fall with N, their root with √N.",
                ),
            ],
            f"Wrong for M = {M}, N = {N}: test your formula with N = 1 and N = M.",
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


def _ways(ask):
    for seed, third in ((0, -0.5), (1, 0.8)):
        rng = np.random.default_rng(seed)
        y, truth = rng.normal(size=(9, 5)), rng.normal(size=(7, 5))
        share = np.reshape([0.8, 0.7, third], (3, 1, 1))
        known, asked = (
            share * v + 0.6 * rng.normal(size=(3, *v.shape)) for v in (y, truth)
        )
        A = known.reshape(3, -1).T
        best, worst = np.abs(known - y).mean((1, 2)).argsort()[[0, -1]]
        hindsight = np.abs(asked - truth).mean((1, 2)).argmin()
        w = nnls(A, y.ravel())[0]
        free = np.linalg.lstsq(A, y.ravel())[0]
        late = nnls(asked.reshape(3, -1).T, truth.ravel())[0]

        def score(f, truth=truth):
            return np.abs(f - truth).mean()

        def ways(best, w, parts=asked):
            return parts[best], parts.mean(0), np.tensordot(w, parts, 1)

        def errors(best, w, ways=ways, score=score):
            return [score(f) for f in ways(best, w)]

        right = np.array(errors(best, w))
        seen = [np.abs(f - y).mean() for f in ways(best, w, known)]
        squared = [((f - truth) ** 2).mean() for f in ways(best, w)]
        apart = np.abs(asked - truth).mean((1, 2))
        hints = [
            (errors(worst, w), "The best has the lowest MAE, not the highest."),
            (errors(best, w / w.sum()), "The weights needn't add up to 1."),
            (right[[2, 1, 0]], "In the order: best, mean, stack."),
            (right[[1, 0, 2]], "In the order: best, mean, stack."),
            (seen, "Those are errors on validation profiles."),
            (
                (right[0], apart.mean(), right[2]),
                "The error of the mean, not the mean of the errors.",
            ),
            (squared, "Absolute errors are asked for."),
            (errors(hindsight, w), "The best was chosen on test profiles."),
            (errors(best, late), "The weights have seen the test profiles."),
        ]
        if (free < 0).any():
            hints += [
                (errors(best, free), "A weight of the stack is negative."),
                (
                    errors(best, free.clip(0)),
                    "Cutting off below 0 leaves the others as they were.",
                ),
            ]
        given = (v.copy() for v in (known, y, asked, truth))
        expect(
            numbers(ask(*given), (3,)),
            right,
            hints,
            "Not the test MAE of the three ways.",
        )


CHECKERS = (_worse, _first, _more, _projected, _ways)  # in the order of the exercises
