"""Learning from unlabelled profiles: do landmarks without targets help?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from lsmtl import data
from lsmtl.data import Profiles
from lsmtl.lab.experiments import Experiment, Run, ridge, scores, thin
from lsmtl.networks import DenseNet
from lsmtl.semigan import SemiGAN, fit_semigan
from lsmtl.training import Recipe, fit, predict

COMPONENTS = (5, 10, 20, 50, 100, 200)  # to choose from on validation profiles


@dataclass(frozen=True)
class Hidden:
    """Splits of which some training profiles have lost their targets.

    Args:
        train: training profiles that kept them.
        unlabelled: x (m, D) of those that lost them.
        validation: validation profiles.
        test: test profiles. All of these are in the scale of `train`.
        target: y (n, T) of the test profiles in the scale of the splits.
        mean: (n, T), what a zero in the scale of `train` means there.
        deviation: (T,), what a one means.
    """

    train: Profiles
    unlabelled: torch.Tensor
    validation: Profiles
    test: Profiles
    target: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    def scores(self, prediction):
        """Scores of predictions (n, T) for `test.x`."""
        prediction = torch.as_tensor(prediction, dtype=torch.float32)
        return scores(self.mean + prediction * self.deviation, self.target)


def hide(adata, splits, share, seed, group):
    """Take the targets from all but a share of the training groups, in each cohort.

    Means (by cohort) and deviations then come from the profiles that kept them:
    those that `splits` used know the hidden targets too.
    """
    within = adata.uns.get("within")
    cohorts = pd.Series("", adata.obs_names)
    cohorts += adata.obs[within].astype(str) if within else ""
    parts = splits.train, splits.validation, splits.test
    cohort = cohorts[list(splits.train.samples)].to_numpy()
    own = adata.obs[group][list(splits.train.samples)].to_numpy()
    kept = np.zeros(len(own), dtype=bool)
    rng = np.random.default_rng(seed)
    for name in np.unique(cohort):
        units = rng.permutation(np.unique(own[cohort == name]))
        kept |= np.isin(own, units[: max(2, round(share * len(units)))])
    scaled, scales = [], []
    for values in zip(*((p.x, p.y) for p in parts), strict=True):  # x, then y
        known = values[0][kept]
        means = {c: known[cohort[kept] == c].mean(0) for c in np.unique(cohort)}
        mean = [
            torch.stack([means[c] for c in cohorts[list(p.samples)]]) for p in parts
        ]
        deviation = (known - mean[0][kept]).std(0, correction=0).clamp(min=0.1)
        scaled.append([(v - m) / deviation for v, m in zip(values, mean, strict=True)])
        scales.append((mean[2], deviation))
    (x, valid_x, test_x), (y, valid_y, test_y) = scaled
    return Hidden(
        Profiles(x[kept], y[kept]),
        x[~kept],
        Profiles(valid_x, valid_y),
        Profiles(test_x, test_y),
        splits.test.y,
        *scales[1],
    )


def pca_ridge(hidden, unlabelled, whiten):
    """Weights (D, T) of ridge on the first principal components of x.

    Args:
        hidden: a `Hidden`, whose validation profiles choose strength and components.
        unlabelled: whether the components come from all training profiles, or only
            from those with targets.
        whiten: whether each component is scaled to variance 1.
    """
    x, y = hidden.train.x.numpy(), hidden.train.y.numpy()
    valid_x, valid_y = hidden.validation.x.numpy(), hidden.validation.y.numpy()
    every = np.vstack([x, hidden.unlabelled.numpy()]) if unlabelled else x
    _, s, vt = np.linalg.svd(every, full_matrices=False)
    found = {}
    for k in COMPONENTS:
        k = min(k, int((s > 1e-3 * s[0]).sum()))
        V = vt[:k].T  # (D, k)
        if whiten:
            V = V / s[:k] * len(every) ** 0.5
        W = V @ ridge(x @ V, y, valid_x @ V, valid_y)
        found[np.abs(valid_x @ W - valid_y).mean()] = W
    return found[min(found)]


def _runs(sizes, landmarks):
    network = {k: sizes[k] for k in ("hidden", "steps", "lr")}
    for seed in range(sizes["seeds"]):
        for share in sizes["shares"]:
            run = {"targets": sizes["targets"], "share": share}
            pools = [
                {"unlabelled": v} for v in ((False, True) if share < 1 else (False,))
            ]
            yield Run("training mean", run, seed)
            yield Run("ridge", run, seed)
            for pool in pools:
                for whiten in (False, True):
                    yield Run("PCA + ridge", run | pool | {"whiten": whiten}, seed)
            yield Run("DenseNet", run | network, seed)
            for a, b in sizes["weights"]:
                gan = {"gan": sizes["gan"], "generated": a, "estimated": b}
                for pool in pools:
                    yield Run("SemiGAN", run | network | gan | pool, seed)


def recipe(steps, lr, n):
    """A recipe of about that many steps for n profiles with targets."""
    batch = min(32, n)
    return Recipe(max(1, round(steps / (n // batch))), batch, lr, lr / 100)


def _measure(adata, run, device):
    c = run.configuration
    adata = thin(adata, c["targets"])
    splits = data.split(adata, run.seed, c["group"])
    hidden = hide(adata, splits, c["share"], run.seed, c["group"])
    train, validation, test = hidden.train, hidden.validation, hidden.test
    if run.method == "training mean":
        return hidden.scores(torch.zeros_like(test.y))
    if run.method == "ridge":
        parts = [v.numpy() for v in (train.x, train.y, validation.x, validation.y)]
        return hidden.scores(test.x.numpy() @ ridge(*parts))
    if run.method == "PCA + ridge":
        return hidden.scores(
            test.x.numpy() @ pca_ridge(hidden, c["unlabelled"], c["whiten"])
        )
    D, T = len(splits.landmarks), len(splits.targets)
    torch.manual_seed(run.seed)
    network = DenseNet(D, T, tuple(c["hidden"]), head="zero").to(device)
    how = recipe(c["steps"], c["lr"], len(train))
    if run.method == "DenseNet":
        trained = fit(network, train, validation, recipe=how, seed=run.seed)
    else:
        weights = {k: c[k] for k in ("generated", "estimated")}
        gan = SemiGAN(D, T, tuple(c["gan"]), **weights)
        unlabelled = hidden.unlabelled if c["unlabelled"] else None
        trained = fit_semigan(
            network, train, validation, gan, unlabelled, how, run.seed
        )
    best = trained.history.loc[trained.history["validation_mae"].idxmin()]
    prediction = predict(trained.network, test.x.to(device)).cpu()
    measured = {k: best[k] for k in ("validation_mae", "trust") if k in best}
    return hidden.scores(prediction) | measured


EXPERIMENT = Experiment(
    name="unlabelled-profiles",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group"},
    sizes={
        "ci": {
            "targets": 100,
            "hidden": [50, 50],
            "gan": [50],
            "steps": 60,
            "lr": 1e-3,
            "shares": [0.1, 0.5, 1.0],
            "weights": [(1, 1)],
            "seeds": 2,
        },
        "laptop": {
            "targets": 500,
            "hidden": [200, 200],
            "gan": [100],
            "steps": 300,
            "lr": 5e-4,
            "shares": [0.1, 0.25, 0.5, 1.0],
            "weights": [(1, 0), (0, 1), (1, 1)],
            "seeds": 3,
        },
    },
    runs=_runs,
    measure=_measure,
)


CHECKERS = ()  # in the order of the exercises
