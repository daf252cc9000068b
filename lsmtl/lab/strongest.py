"""A few tasks of known groups, and the strongest relations among them: for the eye."""

import numpy as np
import pandas as pd
import torch

from lsmtl.lab.measuring import tested
from lsmtl.lab.relations import LOCAL, readings, symmetric
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank
from lsmtl.training import Recipe, fit, predict

GROUPS, LEAST, EACH = 6, 6, 10  # tasks that a picture can hold
PAIRS = 60  # relations that it can hold
READ = {"jacobian": "mean Jacobian", "rows": "rows of V2"}  # from G
METHOD = "strongest pairs"  # of the runs


def of_modules(module):
    """Places of the first tasks of the first modules, and the names of their groups.

    Args:
        module: (T,) whole numbers.
    """
    places = [np.flatnonzero(module == m)[:EACH] for m in range(GROUPS)]
    return _listed({f"module {m + 1}": p for m, p in enumerate(places)})


def of_regulators(adata, targets):
    """The same for regulators with at most `LOCAL` targets, those with most first.

    No two tasks of a group are of one operon, and none is in two groups, so what the
    picture calls related shares a regulator and nothing simpler.

    Args:
        adata: AnnData with `uns["regulation"]` and `var["operon"]`.
        targets: names of the tasks, T of them.
    """
    network = adata.uns["regulation"].astype(str)
    size = network.groupby("regulator")["gene"].transform("nunique")
    network = network[(size <= LOCAL) & network["gene"].isin(targets)]
    operon = adata.var["operon"].astype(str)
    groups, used, index = {}, set(), pd.Index(targets)
    counts = network.groupby("regulator")["gene"].nunique()
    for regulator in counts.sort_values(kind="stable", ascending=False).index:
        genes = network.loc[network["regulator"] == regulator, "gene"].unique()
        genes = pd.Series(operon[genes].to_numpy(), genes)
        genes = genes[~genes.isin(used)].drop_duplicates()[:EACH]
        if len(genes) >= LEAST and len(groups) < GROUPS:
            groups[regulator] = index.get_indexer(genes.index)
            used |= set(genes)
    return _listed(groups)


def _listed(groups):
    names = [name for name, places in groups.items() for _ in places]
    return np.concatenate([*groups.values()]).astype(int), names


def pairs(strength, places, count=PAIRS):
    """The strongest pairs among some tasks, as a flat list: first, second, first, …

    Args:
        strength: (T, T), symmetric.
        places: of the tasks, n of them.
        count: of pairs.

    Returns:
        list of 2 `count` whole numbers below n, the strongest pair first.
    """
    a, b = np.triu_indices(len(places), 1)
    order = np.argsort(-strength[places[a], places[b]], kind="stable")[:count]
    return np.stack([a[order], b[order]], 1).ravel().tolist()


def measure(splits, places, configuration, seed, device="cpu"):
    """Train a network with G, and read the strongest pairs among some tasks.

    With λ = 0 the network doesn't feel G, which learns from its predictions.

    Args:
        splits: `Splits`.
        places: of the tasks.
        configuration: `hidden`, `epochs`, `batch_size`, `rank`, `masked`, `strength`.
        seed: of the start, batches, dropout and masks.
        device: where to train.

    Returns:
        What `tested` says, and for each reading its `pairs`.
    """
    c, T = configuration, splits.train.y.shape[1]
    torch.manual_seed(seed)
    network = DenseNet(len(splits.landmarks), T, tuple(c["hidden"])).to(device)
    free = c["strength"] == 0
    g = MaskedLowRank(T, c["rank"], c["strength"] or 0.1, c["masked"], detach=free)
    recipe = Recipe(epochs=c["epochs"], batch_size=c["batch_size"])
    g = g.to(device)
    trained = fit(network, splits.train, splits.validation, g, recipe, seed)
    read = readings(g, predict(trained.network, splits.train.x))
    found = tested(trained, splits.test)[1]
    return found | {f"pairs_{k}": pairs(symmetric(read[k]), places) for k in READ}
