"""A compendium whose truth is known: is it like real data, and like the paper's?"""

import time

import numpy as np
import torch

from lsmtl import data, dgex
from lsmtl.data import Profiles
from lsmtl.data.preprocess import quantile_normalize, reference_quantiles
from lsmtl.data.world import CHUNK, world
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import drawn, scores
from lsmtl.linear import LeastSquares
from lsmtl.networks import MLP
from lsmtl.training import Recipe, fit, predict

LIKE = {  # real set → what is drawn beside it: as many profiles and genes, in worlds
    # whose studies, among seeds below 40, are like the real ones in number and size
    "arrays": {
        "samples": 297,
        "genes": (943, 9520),
        "per_study": 120,
        "worlds": (13, 5, 18),
    },
    "breast": {
        "samples": 397,
        "genes": (734, 6372),
        "per_study": 250,
        "worlds": (10, 28, 18),
    },
}
LEVELS = np.linspace(0, 1, 41)  # of the quantiles in a description
SEEN = 2000  # profiles of a real set that are described
NEIGHBOURS = (4, 8, 16, 32, 64, 128)


def _runs(sizes, landmarks):
    described = {"described": sizes["described"]}
    if landmarks is not None:
        yield Run("description", described, 0)
        return
    for real, like in LIKE.items():
        for seed in like["worlds"][: sizes["worlds"]]:
            same = {"like": real, "divide": sizes["divide"]}
            yield Run("description", described | same, seed)
    size = {k: sizes[k] for k in ("samples", "landmarks", "targets")}
    yield Run("draw", size | {"on": sizes["on"]}, 0)
    yield Run("LSR", size, 0)
    near = {"scored": sizes["scored"], "neighbours": list(NEIGHBOURS)}
    yield Run("KNN", size | near, 0)
    some = {"kept": sizes["MLP"]["kept"]}
    yield Run("LSR", size | some, 0)
    for method in ("MLP", "D-GEX"):
        if method in sizes:
            yield Run(method, size | sizes[method], 0)
    apart = {"together": "study"}
    yield Run("LSR", size | some | apart, 0)
    yield Run("KNN", size | near | apart, 0)


def _measure(adata, run, device):
    c = run.configuration
    if run.method == "description":
        return _described(adata, run)
    size = c["samples"], c["landmarks"], c["targets"]
    if run.method == "draw":
        return _drawn(size, run.seed, device)
    splits = drawn(*size, run.seed, group=c.get("together"), device=device)
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method == "KNN":
        valid_x, valid_y, test_x, test_y = (
            v[np.linspace(0, len(v) - 1, c["scored"]).astype(int)]
            for p in (validation, test)
            for v in (p.x, p.y)
        )
        tried = [_neighbours(k, train, valid_x) for k in c["neighbours"]]
        errors = [(p - valid_y).abs().mean().item() for p in tried]
        k = c["neighbours"][np.argmin(errors)]
        return scores(_neighbours(k, train, test_x), test_y) | {"k": k}
    if "kept" in c:
        kept = np.linspace(0, size[2] - 1, c["kept"]).astype(int)
        train, validation, test = (
            Profiles(p.x, p.y[:, kept]) for p in (train, validation, test)
        )
    if run.method == "LSR":
        return scores(LeastSquares().fit(train.x, train.y).predict(test.x), test.y)
    torch.manual_seed(run.seed)
    shape = size[1], test.y.shape[1], tuple(c["hidden"])
    if run.method == "D-GEX":
        network = dgex.DGEX(*shape, c["dropout"]).to(device)
        recipe = dgex.recipe(len(c["hidden"]), c["epochs"])
        trained = dgex.fit(network, train, validation, recipe, run.seed)
        return scores(predict(trained.network, test.x), test.y)
    options = {"dropout": 0.0, "head": "small", "activation": "tanh"}
    network = MLP(*shape, **options, batch_norm=False).to(device)
    recipe = Recipe(c["epochs"], c["batch"], c["lr"], 1e-5)
    trained = fit(network, train, validation, recipe=recipe, seed=run.seed)
    return scores(predict(trained.network, test.x), test.y) | {
        "validation_mae": trained.history["validation_mae"].min()
    }


def _described(adata, run):
    """What `describe` finds in a real set, or in the draw that stands beside one."""
    c = run.configuration
    if adata is None:
        like = LIKE[c["like"]]
        made = world(
            *(count // c["divide"] for count in like["genes"]),
            run.seed,
            per_study=like["per_study"],
        )
        n = like["samples"]
        values = torch.cat([made.chunk(k) for k in range(-(-n // CHUNK))])[:n].numpy()
        landmark = np.arange(len(made.module)) < made.landmarks
        study, within = made.labels(n)["study"], c["like"] == "breast"
    else:
        few = np.linspace(0, adata.n_obs - 1, min(adata.n_obs, SEEN)).astype(int)
        adata = adata[few]
        if adata.uns.get("normalize") == "quantile":
            adata = quantile_normalize(adata, reference_quantiles(adata))
        values, within = adata.X, "within" in adata.uns
        landmark = (adata.var["role"] == "landmark").to_numpy()
        label = next((k for k in ("study", "cohort") if k in adata.obs), None)
        study = adata.obs[label].to_numpy(str) if label else np.full(len(values), "")
    values = np.array(values, dtype=float)
    for name in np.unique(study) if within else [None]:
        rows = (study == name) | (not within)
        spread = values[rows].std(0)
        values[rows] -= values[rows].mean(0)
        values[rows] /= np.where(spread == 0, 1, spread)
    targets = np.flatnonzero(~landmark)
    kept = np.linspace(0, len(targets) - 1, min(c["described"], len(targets)))
    return describe(values[:, targets[kept.astype(int)]], values[:, landmark], study)


def describe(y, x, study):
    """The shape of a set of profiles, as numbers.

    Args:
        y: (n, T) targets, every gene in its standard deviations.
        x: (n, D) landmarks.
        study: (n,) labels.

    Returns:
        dict: quantiles (41) over pairs of targets of their correlation (`pair`), over
        targets of the correlation with the best landmark (`best`), of the share of
        the variance between studies (`study`), of skewness and kurtosis; and the
        share of the targets' variance in the first 1 to 100 components (`spectrum`).
    """
    squares = np.linalg.eigvalsh(y @ y.T)[::-1]
    found = {
        "pair": (y.T @ y / len(y))[np.triu_indices(y.shape[1], 1)],
        "best": (y.T @ x / len(y)).max(1),
        "study": study_share(y, study),
        "skewness": (y**3).mean(0),
        "kurtosis": (y**4).mean(0),
    }
    found = {k: np.quantile(v, LEVELS) for k, v in found.items()}
    found["spectrum"] = (squares.cumsum() / squares.sum())[:100]
    found = {k: np.round(v, 5).tolist() for k, v in found.items()}
    return found | {"studies": len(np.unique(study)), "profiles": len(y)}


def study_share(values, study):
    """Share of the variance of each gene (G,) that lies between studies."""
    centred = values - values.mean(0)
    between = np.zeros(values.shape[1])
    for name in np.unique(study):
        rows = centred[study == name]
        between += len(rows) * rows.mean(0) ** 2
    return between / (centred**2).sum(0).clip(1e-12)


def _drawn(size, seed, device):
    start, total = time.perf_counter(), 0
    for block in data.simulate_blocks(*size, seed, device=device):
        total += block.numel() * block.element_size()
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "gigabytes": total / 1e9}


def _neighbours(k, train, x):
    """The mean over the k nearest training profiles, by their landmarks."""
    nearest = torch.cdist(x, train.x).topk(k, largest=False).indices
    return torch.stack([train.y[rows].mean(0) for rows in nearest])


PAPER = {
    "samples": 111_009,
    "landmarks": 943,
    "targets": 9520,
    "divide": 1,
    "described": 1000,
    "worlds": 3,
    "scored": 500,
    "MLP": {
        "kept": 500,
        "hidden": [500, 500],
        "epochs": 14,
        "batch": 200,
        "lr": 3e-3,
    },
}
DGEX = {"hidden": [9000, 9000, 9000], "dropout": 0.1, "epochs": 60}

EXPERIMENT = Experiment(
    name="compendium",
    recipe_version=1,
    datasets={
        "simulated": None,
        "arrays": "group",
        "breast": "group",
        "geo": "group",
    },
    sizes={
        "ci": {
            "samples": 600,
            "landmarks": 100,
            "targets": 300,
            "divide": 20,
            "described": 200,
            "worlds": 1,
            "on": "cpu",
            "scored": 60,
            "MLP": {"kept": 300, "hidden": [50], "epochs": 10, "batch": 50, "lr": 3e-3},
        },
        "laptop": PAPER | {"on": "cpu"},
        "gpu": PAPER | {"on": "cuda", "D-GEX": DGEX},
    },
    runs=_runs,
    measure=_measure,
    minutes={"D-GEX": 7},
    timed=lambda record: record["method"] == "draw",
)


def _ideal(ask):
    predicted(
        ask(),
        "higher",
        {
            "lower": "Which of the two comparisons has more noise in it? Count the "
            "noisy sides of each.",
            "the same": "The first measurement has its noise in both comparisons. And "
            "the other side?",
        },
    )


def _share(ask):
    rng = np.random.default_rng(0)
    study = np.repeat([0, 1, 2], [3, 9, 5])[rng.permutation(17)]
    values = rng.normal(size=(17, 4)) + rng.normal(size=(3, 4))[study] + 5
    groups = [values[study == s] for s in range(3)]
    means = np.array([g.mean(0) for g in groups])
    within = np.array([g.var(0) for g in groups])
    expect(
        ask(values.copy(), study.copy()),
        study_share(values, study),
        [
            (
                means.var(0) / values.var(0),
                "Studies differ in size: a large one counts for more.",
            ),
            (
                1 - within.mean(0) / values.var(0),
                "Studies differ in size: a large one counts for more.",
            ),
            (
                1 - study_share(values, study),
                "That is the share within the studies; the share between is asked for.",
            ),
            (
                study_share(values, study) * values.var(0),
                "That is a variance; divide by the variance of the gene.",
            ),
        ],
        "Not the share of the variance that lies between studies, for 17 profiles of "
        "three studies and four genes.",
    )


def _level(ask):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(8, 5)) * [1, 2, 3, 4, 5] + 7
    share = np.array([0.1, 0.5, 0.0, 0.3, 0.8])
    variance = signal.var(0)
    expect(
        ask(signal.copy(), share.copy()),
        np.sqrt(variance * share / (1 - share)),
        [
            (
                np.sqrt(variance * share),
                "That is the share of the signal's variance. The share is one of the "
                "whole variance, with the noise in it.",
            ),
            (
                variance * share / (1 - share),
                "That is a variance; the root is missing.",
            ),
            (
                signal.std(0) * share / (1 - share),
                "A share is one of variances, not of deviations.",
            ),
            (
                np.sqrt(signal.var(0, ddof=1) * share / (1 - share)),
                "Close: take the population's variance (divide by n).",
            ),
        ],
        "Not the noise's deviation for eight profiles and five genes.",
    )


def _stream(ask):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(11, 3)) * [1, 5, 0.1] + [0, -3, 4]
    blocks = np.split(values, [4, 8])
    want = np.array([values.mean(0), values.std(0)])
    deviations = np.array([b.std(0) for b in blocks])
    sizes = np.array([4, 4, 3])[:, None]
    pooled = np.sqrt((sizes * deviations**2).sum(0) / 11)
    got = numbers(ask(iter([b.copy() for b in blocks])), (2, 3))
    if np.allclose(got[0], np.mean([b.mean(0) for b in blocks], 0)):
        raise Wrong("The last block is shorter: blocks count by their profiles.")
    expect(
        got,
        want,
        [
            (
                np.array([want[0], deviations.mean(0)]),
                "Deviations of blocks can't be averaged.",
            ),
            (
                np.array([want[0], pooled]),
                "The blocks differ in their means as well; that is missing.",
            ),
            (
                np.array([want[0], values.var(0)]),
                "The second row is a variance; deviations are asked for.",
            ),
            (
                np.array([want[0], values.std(0, ddof=1)]),
                "Close: the deviation is the population's (divide by n).",
            ),
        ],
        "Not the means and deviations of 11 profiles that come in three blocks.",
    )


CHECKERS = (_ideal, _share, _level, _stream)  # as the exercises
