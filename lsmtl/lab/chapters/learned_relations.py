"""Does G find the known relations, and which tasks gain from it?"""

import functools

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from lsmtl import data
from lsmtl.data.splits import Profiles
from lsmtl.data.world import world
from lsmtl.lab import strongest
from lsmtl.lab.exercises import expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import drawn, scores, tested, thin
from lsmtl.lab.penalties import regularizer
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
from lsmtl.regularizers import AMTL, MaskedLowRank, SelfExpression
from lsmtl.training import Recipe, fit, predict

RIDGES = 10.0 ** np.arange(-2, 3)  # γ over the mean square of the targets
SCORED = 2000  # targets, drawn once, whose pairs are scored; V is left out above it
NOISE = 2.0  # deviations, on the training labels of the tasks that are made hard


class OnePrice(AMTL):
    """AMTL in which leaning on any task costs the same: sparse, not asymmetric."""

    def forward(self, network, features, predictions, losses):
        """The penalty with the mean loss in the place of each task's."""
        same = losses.mean().expand_as(losses)
        return super().forward(network, features, predictions, same)


CONTROLS = {
    "Deep-AMTL, α = 1": functools.partial(AMTL, outgoing=0.0),
    "Deep-AMTL, one price": OnePrice,
}


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
        for masked in sizes["detached"]:
            yield Run("G detached", world | net | base | {"masked": masked}, seed)
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
    for strength in sizes["looked"]:
        yield Run(strongest.METHOD, world | net | base | {"strength": strength}, 0)


def _measure(adata, run, device):
    c = run.configuration
    if adata is None:
        splits, score = _drawn(run.seed, **c["world"])
    else:
        splits = data.split(thin(adata, c["world"]["targets"]), run.seed, "group")
        score = functools.partial(_regulators, regulated(adata, splits.targets))
    if "noisy" in c:
        return _transfer(splits, run, device)
    if run.method == strongest.METHOD:
        return _strongest(adata, splits, run, device)
    return _relations(splits, run, device, score)


_truth = functools.lru_cache(maxsize=1)(world)


def _drawn(seed, samples, landmarks, targets, modules):
    """Simulated splits, and a function from strengths (T, T) to their scores."""
    splits = drawn(
        samples,
        landmarks,
        targets,
        seed,
        group="group",
        split_seed=seed,
        modules=modules,
    )
    truth = _truth(landmarks, targets, seed, modules=modules)
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


def _strongest(adata, splits, run, device):
    """A few tasks by group, and the strongest pairs among them as G has them."""
    targets, c = np.array(splits.targets), run.configuration
    if adata is None:
        w = c["world"]
        truth = _truth(w["landmarks"], w["targets"], run.seed, modules=w["modules"])
        places, groups = strongest.of_modules(truth.module[w["landmarks"] :])
        names = targets[places]
    else:
        places, groups = strongest.of_regulators(adata, splits.targets)
        names = adata.var.loc[targets[places], "symbol"]
    found = strongest.measure(splits, places, c, run.seed, device)
    return found | {"tasks": [*map(str, names)], "groups": groups}


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
        if run.method in CONTROLS:
            penalty = CONTROLS[run.method](T, c["strength"])
        else:
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
    "shrunken head": [0.3, 1.0, 3.0, 10.0],
    "Deep-CNMTL": [0.3, 1.0, 3.0, 10.0],
    "Deep-AMTL": [1.0, 3.0, 10.0, 30.0],
    **{name: [1.0, 3.0, 10.0, 30.0] for name in CONTROLS},
    "Deep-LSMTL": [0.01, 0.03, 0.1, 0.3],
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
    "detached": [0.1, 0.5],
    "alone": [0.1],
    "v": [],
    "rivals": {name: strengths[1:2] for name, strengths in RIVALS.items()},
    "seeds": 2,
    "looked": [],
}
GRID = {
    "strengths": [0.03, 0.1, 0.3, 1.0, 3.0],
    "masks": [0.02, 0.5, 0.9],
    "detached": [0.1, 0.5],
    "alone": [0.02, 0.1, 0.5, 0.9],
    "v": [0.1, 1.0],
    "rivals": RIVALS,
    "seeds": 3,
    "looked": [0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0],
}
LARGE = GRID | {
    "strengths": [0.1, 1.0],
    "masks": [0.5],
    "alone": [0.1],
    "rivals": {name: strengths[1:3] for name, strengths in RIVALS.items()},
    "seeds": 2,
}
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
    kept=("ecoli",),  # whose regulators are known
    runs=_runs,
    measure=_measure,
)


def _twin(ask):
    predicted(
        ask(),
        "about half",
        {
            "the same": "So it is with a correlation, which looks at two tasks only. V "
            "has one penalty for all who explain t.",
            "gone": "Then the copy would do all the work: why the copy, and not s?",
        },
    )


def _jacobian(ask):
    rng = np.random.default_rng(0)
    V1, V2, f = (rng.normal(size=shape) for shape in [(3, 5), (5, 3), (8, 5)])
    z = f @ V1.T

    def through(slope):
        return (V2 * slope) @ V1

    right = through(np.where(z > 0, 1, 0.2).mean(0))
    middle = f.mean(0) @ V1.T
    expect(
        ask(V1.copy(), V2.copy(), f.copy()),
        right,
        [
            (V2 @ V1, "That is the linear path: where are the slopes of σ?"),
            (
                through(np.where(z > 0, 1, 0).mean(0)),
                "A LeakyReLU has a slope on its negative side as well.",
            ),
            (
                through(np.where(z > 0, 0.2, 1).mean(0)),
                "Your slopes are the wrong way round.",
            ),
            (
                through(np.where(middle > 0, 1, 0.2)),
                "That is the slope at the mean profile; the mean of the slopes is "
                "asked for.",
            ),
            (8 * right, "That is the sum over profiles; take their mean."),
            (
                through(np.where(z > 0, z, 0.2 * z).mean(0)),
                "σ itself stands where its slope should.",
            ),
            (right.T, "Row t is the task that is rebuilt; yours is the transpose."),
        ],
        "Not the mean Jacobian of G for 8 profiles, 5 tasks and 3 units.",
    )


def _quarters(ask):
    rng = np.random.default_rng(2)
    plain, change, hard = rng.random(40) + 1, rng.normal(size=40), rng.random(40)
    for tasks in (slice(None), slice(20)):
        p, d, h = plain[tasks], change[tasks], hard[tasks]

        def by(order, values=d):
            return values[np.argsort(order)].reshape(4, -1).mean(1)

        right = by(h)
        expect(
            ask(p.copy(), (p + d).copy(), h.copy()),
            right,
            [
                (-right, "A change below zero should mean a gain: mind the sign."),
                (right[::-1], "The easiest quarter comes first."),
                (-right[::-1], "Both the order and the sign are turned."),
                (
                    by(p),
                    "Your quarters follow the test error of the plain network: then "
                    "a task that was unlucky there seems to gain.",
                ),
                (by(p + d), "Your quarters follow the error that you compare."),
                (right * len(p) / 4, "Means are asked for, yours are sums."),
                (d.reshape(4, -1).mean(1), "Sort the tasks by difficulty first."),
                (by(h, d / p), "The change is a difference, not a share."),
            ],
            "Not the mean change in the quarters of difficulty.",
        )


def _found(ask):
    rng = np.random.default_rng(1)
    module = np.array([0, 2, 1, 0, 0, 2, 1, 0, 0, 0])
    same = module[:, None] == module
    R = rng.normal(size=same.shape) + 2 * same * rng.choice([-1, 1], size=same.shape)
    np.fill_diagonal(R, 0)
    a, b = np.triu_indices(10, 1)

    def precision(strength, chosen=(a, b)):
        return average_precision_score(same[chosen].ravel(), strength[chosen].ravel())

    both, every = (np.abs(R) + np.abs(R).T) / 2, (slice(None), slice(None))
    ap, chance = numbers(ask(R.copy(), module.copy()), (2,))
    expect(
        ap,
        precision(both),
        [
            (precision(both, every), "A task is no pair with itself: the diagonal."),
            (
                precision((R + R.T) / 2),
                "A strong negative relation is a relation too.",
            ),
            (precision(R), "A strong negative relation is a relation too."),
            (
                precision(np.abs(R)),
                "You look at one direction only; a pair has two strengths.",
            ),
            (same[a, b].mean(), "That is chance; average precision comes first."),
        ],
        "The first number is not the average precision over the 45 pairs of 10 tasks.",
    )
    expect(
        chance,
        same[a, b].mean(),
        [
            (same.mean(), "Your chance counts the pairs of a task with itself."),
            (1 / 3, "Modules differ in size: count the related pairs."),
            (same[a, b].sum(), "That is the number of related pairs, not their share."),
            (0.5, "A half is the chance level of the area under the ROC curve."),
        ],
        "The average precision is right. Chance is what a random order would get.",
    )


CHECKERS = (_twin, _jacobian, _quarters, _found)  # in the order of the exercises
