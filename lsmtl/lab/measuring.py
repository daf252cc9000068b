"""What experiments measure with: fewer targets, simulated splits, baselines, scores."""

import functools

import numpy as np
import torch

from lsmtl import metrics
from lsmtl._checks import one_of
from lsmtl.data import simulation
from lsmtl.linear import ridge
from lsmtl.training import predict

# What simulated runs train on; those on the same profiles follow each other.
drawn = functools.lru_cache(maxsize=1)(simulation.simulate_splits)


def scores(prediction, target):
    """Mean, spread and deciles over genes of MAE and concordance, for a record."""
    found = {}
    for name, measure in (("mae", metrics.mae), ("cc", metrics.concordance)):
        genes = measure(prediction, target).cpu().numpy()
        found[name] = genes.mean()
        found[f"{name}_sd"] = genes.std()
        found[f"{name}_deciles"] = np.quantile(genes, np.linspace(0, 1, 11))
    return {k: np.round(v, 6).tolist() for k, v in found.items()}


def tested(trained, test):
    """What a trained network predicts for test profiles, and what a record says of it.

    Args:
        trained: a `Fit`.
        test: `Profiles`.

    Returns:
        Predictions (n, T) on the CPU, and their scores with the lowest validation MAE
        and its epoch.
    """
    best = trained.history["validation_mae"].idxmin()
    prediction = predict(trained.network, test.x)
    found = scores(prediction.to(test.y.device), test.y)
    return prediction.cpu(), found | {
        "validation_mae": trained.history["validation_mae"][best],
        "best_epoch": int(best),
    }


BASELINES = ("training mean", "ridge")


def baseline(method, train, validation, test):
    """Predictions (n, T) of what every experiment compares with, on the test profiles.

    Args:
        method: `"training mean"` or `"ridge"`, its strength chosen by validation MAE.
        train, validation, test: `Profiles`.
    """
    if one_of("method", method, BASELINES) == "training mean":
        return torch.zeros(len(test.x), train.y.shape[1])
    model = ridge(train.x, train.y, validation.x, validation.y)
    return predict(model, test.x)


def thin(adata, targets):
    """`adata` with at most that many targets, evenly spaced; None keeps all."""
    role = adata.var["role"].to_numpy(str)
    every = np.flatnonzero(role == "target")
    if targets is None or targets >= len(every):
        return adata
    kept = every[np.linspace(0, len(every) - 1, targets).astype(int)]
    return adata[:, np.union1d(np.flatnonzero(role == "landmark"), kept)]
