"""Does G find the known relations, and which tasks gain from it?"""

import functools

import numpy as np
import torch

from lsmtl import data
from lsmtl.data.simulation import simulate_splits
from lsmtl.data.splits import Profiles
from lsmtl.data.world import world
from lsmtl.lab.chapters.rival_regularizers import regularizer
from lsmtl.lab.experiments import Experiment, Run, scores, tested, thin
from lsmtl.lab.relations import (
    correlation,
    mates_found,
    quartiles,
    readings,
    regulated,
    regulators_found,
    ridge_v,
    symmetric,
    train_alone,
)
from lsmtl.linear import ridge
from lsmtl.metrics import mae
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank, SelfExpression
from lsmtl.training import Recipe, fit, predict

RIDGES = 10.0 ** np.arange(-2, 3)  # γ over the mean square of the targets
SCORED = 2000  # targets, drawn once, whose pairs are scored; V is left out above it
NOISE = 2.0  # deviations, on the training labels of the tasks that are made hard


def _runs(sizes, landmarks):
    world, net = {"world": sizes["world"]}, sizes["network"]
    small = (sizes["world"]["targets"] or np.inf) <= SCORED
    base = {"strength": 0.1, "rank": sizes["rank"], "masked": 0.1}
    of_g = [{"strength": s} for s in sizes["strengths"]]
    of_g += [{"rank": k} for k in sizes["ranks"]]
    of_g += [{"masked": m} for m in sizes["masks"]]
    for seed in range(sizes["seeds"]):
        yield Run("correlation", world, seed)
        yield Run("DenseNet", world | net, seed)
        for change in of_g:
            yield Run("Deep-LSMTL", world | net | base | change, seed)
        yield Run("G detached", world | net | base, seed)
        yield Run("G untrained", world | net | base, seed)
        for masked in sizes["alone"]:
            yield Run("G alone", world | net | base | {"masked": masked}, seed)
        if small:
            yield Run("V, ridge", world, seed)
            for strength in sizes["v"]:
                yield Run("V trained", world | net | {"strength": strength}, seed)
        for scene in sizes["scenes"]:
            yield Run("ridge", scene, seed)
            yield Run("DenseNet", scene, seed)
            for method, strengths in sizes["rivals"].items():
                for strength in strengths:
                    yield Run(method, scene | {"strength": strength}, seed)


def _measure(adata, run, device):
    c = run.configuration
    if adata is None:
        splits, score = _drawn(run.seed, **c["world"])
    else:
        splits = data.split(thin(adata, c["world"]["targets"]), run.seed, "group")
        score = functools.partial(_regulators, regulated(adata, splits.targets))
    if "noisy" in c:
        return _transfer(splits, run, device)
    return _relations(splits, run, device, score)


@functools.lru_cache(maxsize=1)  # runs on the same profiles follow each other
def _drawn(seed, samples, landmarks, targets, modules):
    """Simulated splits, and a function from strengths (T, T) to their scores."""
    splits = simulate_splits(
        samples,
        landmarks,
        targets,
        seed,
        group="group",
        split_seed=seed,
        modules=modules,
    )
    truth = world(landmarks, targets, seed, modules=modules)
    some = np.random.default_rng(seed).permutation(targets)[:SCORED]
    module, share = (v[landmarks:][some] for v in (truth.module, truth.strength))
    return splits, lambda R: mates_found(R[np.ix_(some, some)], module, share)


def _regulators(truth, strength):
    """Scores of pairs in different operons, and of all."""
    found = regulators_found(strength, *truth)
    apart = {"ap": found["ap_apart"], "chance": found["chance_apart"]}
    return apart | {"ap_all": found["ap"]}


def _relations(splits, run, device, score):
    c, y = run.configuration, splits.train.y
    D, T = len(splits.landmarks), y.shape[1]
    if run.method == "correlation":
        return score(correlation(y))
    if run.method == "V, ridge":
        return _ridge(y.numpy(), splits.validation.y.numpy(), score)
    torch.manual_seed(run.seed)
    network = DenseNet(D, T, tuple(c["hidden"])).to(device)
    g = None
    if run.method == "V trained":
        g = SelfExpression(T, c["strength"])
    elif run.method != "DenseNet":
        detach = run.method == "G detached"
        g = MaskedLowRank(T, c["rank"], c["strength"], c["masked"], detach=detach)
        g = g.to(device)
    if run.method == "G untrained":
        return _read(g, y.to(device), score)
    if run.method == "G alone":
        steps = c["epochs"] * (len(y) // c["batch_size"])
        train_alone(g, y.to(device), steps, c["batch_size"], seed=run.seed)
        return _read(g, y.to(device), score)
    recipe = Recipe(epochs=c["epochs"], batch_size=c["batch_size"])
    trained = fit(network, splits.train, splits.validation, g, recipe, run.seed)
    f = predict(trained.network, splits.train.x)
    _, found = tested(trained, splits.test)
    for name, values in {"predictions": f.cpu(), "residuals": y - f.cpu()}.items():
        found[f"ap_{name}"] = score(correlation(values))["ap"]
    if run.method == "V trained":
        found |= score(symmetric(g.coefficients().detach().cpu().numpy()))
    elif g is not None:
        found |= _read(g, f, score)
    return found


def _ridge(train, validation, score):
    """V of measured targets; γ rebuilds those of validation rows best."""
    lowest = np.inf
    for gamma in RIDGES:
        V = ridge_v(train, gamma * (train**2).mean())
        error = float(np.mean((validation - validation @ V) ** 2))
        if error < lowest:
            lowest, best, chosen = error, V, float(gamma)
    return {"error": lowest, "gamma": chosen, **score(symmetric(best))}


def _read(g, f, score):
    """Scores of all readings; those of the mean Jacobian in full."""
    found = {}
    for name, R in readings(g, f).items():
        scored = score(symmetric(R))
        found |= scored if name == "jacobian" else {f"ap_{name}": scored["ap"]}
    return found


def with_noise(train, deviation, seed):
    """Training profiles with noise on the labels of half of the tasks, and which (T,).

    Args:
        train: `Profiles`, standardised.
        deviation: of the noise.
        seed: decides the tasks and the noise.
    """
    n, T = train.y.shape
    draw = torch.Generator().manual_seed(seed)
    noisy = torch.randperm(T, generator=draw) < T // 2
    noise = torch.randn(n, T, generator=draw) * noisy
    return Profiles(train.x, train.y + deviation * noise), noisy


def _transfer(splits, run, device):
    c, validation, test = run.configuration, splits.validation, splits.test
    train, noisy = with_noise(splits.train, c["noisy"], run.seed)
    simple = ridge(train.x, train.y, validation.x, validation.y)
    hard = mae(predict(simple, validation.x), validation.y).numpy()
    if run.method == "ridge":
        prediction = predict(simple, test.x)
        found = scores(prediction, test.y) | {"validation_mae": float(hard.mean())}
    else:
        D, T = len(splits.landmarks), len(splits.targets)
        torch.manual_seed(run.seed)
        network = DenseNet(D, T, tuple(c["hidden"]), head="zero").to(device)
        w = network.head.in_features
        penalty = regularizer(run.method, T, w, c.get("strength"))
        recipe = Recipe(epochs=c["epochs"], batch_size=c["batch_size"])
        trained = fit(network, train, validation, penalty, recipe, run.seed)
        prediction, found = tested(trained, test)
    genes = mae(prediction, test.y)
    by = [genes[quartiles(hard) == q].mean().item() for q in range(4)]
    return found | {
        "mae_quartiles": by,
        "mae_noisy": genes[noisy].mean().item(),
        "mae_clean": genes[~noisy].mean().item(),
    }


RIVALS = {
    "shrunken head": [0.3, 1.0, 3.0],
    "Deep-CNMTL": [0.3, 1.0, 3.0],
    "Deep-AMTL": [1.0, 3.0, 10.0],
    "Deep-LSMTL": [0.03, 0.1, 0.3],
}


def _scenes(world, network):
    """Where transfer is looked for: linear or deep, hard tasks made or as they are."""
    linear, deep = network | {"hidden": []}, network
    yield {"scene": "linear", "world": world, **linear, "noisy": NOISE}
    yield {"scene": "deep", "world": world, **deep, "noisy": NOISE}
    yield {"scene": "deep, no noise added", "world": world, **deep, "noisy": 0.0}
    if "modules" in world:
        alone = world | {"modules": world["targets"]}
        scene = {"scene": "linear, no modules", "world": alone, **linear}
        yield scene | {"noisy": NOISE}


def _sizes(world, network, transfer, short, **more):
    """The sizes of a preset: data and network, and those for the scenes."""
    return more | {
        "world": world,
        "network": network,
        "scenes": list(_scenes(transfer, network | short)),
    }


def _world(samples, landmarks, targets, modules):
    return dict(samples=samples, landmarks=landmarks, targets=targets, modules=modules)


def _network(hidden, epochs, batch_size):
    return dict(hidden=hidden, epochs=epochs, batch_size=batch_size)


SMALL = {
    "rank": 12,
    "strengths": [0.1, 1.0],
    "ranks": [],
    "masks": [0.5],
    "alone": [0.1],
    "v": [],
    "rivals": {name: strengths[1:2] for name, strengths in RIVALS.items()},
    "seeds": 2,
}
GRID = {
    "strengths": [0.03, 0.1, 0.3, 1.0, 3.0],
    "masks": [0.02, 0.5, 0.9],
    "alone": [0.1, 0.5],
    "v": [0.1, 1.0],
    "rivals": RIVALS,
    "seeds": 3,
}
LARGE = GRID | {"strengths": [0.1, 1.0], "masks": [0.5], "alone": [0.1], "seeds": 2}
SHORT = {"epochs": 60}

EXPERIMENT = Experiment(
    name="learned-relations",
    recipe_version=1,
    datasets={"simulated": None, "ecoli": "group"},
    sizes={
        "ci": _sizes(
            _world(250, 40, 120, 6),
            _network([40], 40, 25),
            _world(120, 40, 60, 6),
            {"epochs": 20},
            **SMALL,
        ),
        "laptop": _sizes(
            _world(1500, 200, 500, 20),
            _network([200], 60, 40),
            _world(250, 200, 300, 12),
            SHORT,
            rank=50,
            ranks=[15, 150],
            **GRID,
        ),
        "gpu": _sizes(
            _world(20_000, 943, 9520, 190),
            _network([3000, 3000], 30, 100),
            _world(1000, 943, 2000, 40),
            SHORT | {"hidden": [1000]},
            rank=1000,
            ranks=[300],
            **LARGE,
        ),
    },
    special={
        ("ci", "ecoli"): _sizes(
            {"targets": 200}, _network([40], 40, 25), {"targets": 60}, {"epochs": 20}
        ),
        ("laptop", "ecoli"): _sizes(
            {"targets": 1000},
            _network([200], 200, 25),
            {"targets": 300},
            SHORT,
            rank=100,
            ranks=[30, 300],
        ),
        ("gpu", "ecoli"): _sizes(
            {"targets": None},
            _network([1000, 1000], 200, 25),
            {"targets": None},
            SHORT,
            rank=390,
            ranks=[100],
        ),
    },
    runs=_runs,
    measure=_measure,
)

CHECKERS = ()
