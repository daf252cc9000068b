"""What a model looks at: contributions of landmarks, and what they are compared with.

Shapes: n profiles, D landmarks, T targets, G groups of targets, C clusters.
"""

import copy

import numpy as np
import pandas as pd
import torch
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.stats import hypergeom
from sklearn.cluster import KMeans
from torch import nn

from lsmtl.networks import MLP
from lsmtl.relevance import lrp
from lsmtl.training import predict

STARTS = 10  # of k-means, the best is kept
TOP = 20  # landmarks that a cleaned picture keeps of a cluster, as in the paper


def contributions(network, x, groups):
    r"""What each landmark adds to the squared predictions of each group of targets.

    $\rho^g_{id} = R_d(\mathbf{x}_i; \mathbf{w})$ with $w_t = f_t(\mathbf{x}_i) / T_g$
    for the $T_g$ targets of group g, else 0. Summed over landmarks it is the mean of
    $f_t(\mathbf{x}_i)^2$ over the group, less what biases and ε absorb. A backward walk
    a group serves all of its targets.

    Args:
        network: an MLP or a DenseNet.
        x: (n, D) profiles.
        groups: (T,) whole numbers from 0, none left out.

    Returns:
        (G, n, D) array.
    """
    f, groups = predict(network, x), torch.as_tensor(groups).to(x.device)
    member = nn.functional.one_hot(groups.long()).T.to(f)  # (G, T)
    found = [lrp(network, x, f * m / m.sum()) for m in member]
    return torch.stack(found).cpu().numpy()


def as_network(coefficients):
    """A linear model with weights (D, T) as a network without hidden layers."""
    D, T = coefficients.shape
    network = MLP(D, T, hidden=()).to(coefficients)
    network.head.weight.data = coefficients.T.clone()
    return network.eval()


def clusters(rows, count, seed=0):
    """K-means labels (n,) of rows (n, p), from 0; as many as there are, at most."""
    count = min(count, len(rows))
    found = KMeans(count, n_init=STARTS, random_state=seed).fit_predict(
        np.asarray(rows)
    )
    return np.unique(found, return_inverse=True)[1]


def means(rows, labels):
    """Mean rows (C, p) of rows (n, p) in each cluster."""
    return np.stack([rows[labels == c].mean(0) for c in np.unique(labels)])


def sums(columns, labels):
    """Columns (m, p) summed in each cluster of columns, (m, C)."""
    return np.stack([columns[:, labels == c].sum(1) for c in np.unique(labels)], 1)


def alike(rows):
    """The correlation of two rows (m, p), its mean over pairs, and the highest."""
    r = np.corrcoef(rows)[np.triu_indices(len(rows), 1)]
    return float(r.mean()), float(r.max())


def narrowed(values, columns):
    """Values (m, p) as at most so many columns, each the mean of some neighbours."""
    parts = np.array_split(values, min(columns, values.shape[1]), axis=1)
    return np.stack([part.mean(1) for part in parts], 1)


def top(values, count=TOP):
    """Places of the largest values (..., p) by size, the largest first."""
    return np.argsort(-np.abs(values), -1, kind="stable")[..., :count]


def cleaned(values, count=TOP):
    """Values (m, p) with all but the largest of each row, by size, set to 0."""
    kept, places = np.zeros_like(values), top(values, count)
    np.put_along_axis(kept, places, np.take_along_axis(values, places, -1), -1)
    return kept


def order(rows):
    """The order of rows (m, p) in which neighbours are alike.

    Leaves of a tree of average linkage, turned so that distances between neighbours
    add up to as little as they can (Bar-Joseph 2001).
    """
    if len(rows) < 3:
        return np.arange(len(rows))
    tree = linkage(rows, "average")
    return leaves_list(optimal_leaf_ordering(tree, rows))


def shared(one, other):
    """The share of one top list that is in the other, (...,) of lists (..., count)."""
    return (one[..., :, None] == other[..., None, :]).any(-1).mean(-1)


def by_chance(genes, count=TOP):
    """What two random lists share: the expected share, and one that 5% exceed."""
    lists = hypergeom(genes, count, count)
    return lists.mean() / count, lists.ppf(0.95) / count


def explained_between(values, labels):
    """The share of the variance of columns (n, p) that lies between labels (n,)."""
    centred = values - values.mean(0)
    _, labels = np.unique(labels, return_inverse=True)
    between = (means(centred, labels)[labels] ** 2).sum(0)
    total = (centred**2).sum(0)
    return np.divide(between, total, where=total > 0, out=np.zeros_like(total))


@torch.no_grad()
def permutation(network, x, y, repeats=1, targets=500, seed=0):
    """How much the MAE rises when a landmark's values are shuffled over profiles, (D,).

    Args:
        network: an MLP or a DenseNet.
        x: (n, D) test profiles.
        y: (n, T) their targets.
        repeats: shuffles of each landmark.
        targets: at most how many, evenly spaced, are predicted.
        seed: of the shuffles, the same for all landmarks.
    """
    some = torch.linspace(0, y.shape[1] - 1, min(targets, y.shape[1])).long()
    y, small = y[:, some], copy.deepcopy(network).eval()
    small.head.weight.data = network.head.weight.data[some]
    small.head.bias.data = network.head.bias.data[some]
    draw = torch.Generator().manual_seed(seed)
    shuffles = [torch.randperm(len(x), generator=draw) for _ in range(repeats)]
    before = (small(x) - y).abs().mean()
    rises = np.zeros(x.shape[1])
    for d in range(x.shape[1]):
        changed = x.repeat(repeats, 1)  # all shuffles in one pass
        changed[:, d] = torch.cat([x[rows, d] for rows in shuffles])
        error = small(changed) - y.repeat(repeats, 1)
        rises[d] = (error.abs().mean() - before).item()
    return rises


def pack(name, values, steps=999):
    """Numbers of any shape for a record: whole multiples of a unit, and the unit.

    >>> pack("a", np.array([[0.5, -1.0]]), steps=10)
    {'a': [5, -10], 'a_unit': 0.1}
    """
    unit = float(f"{np.abs(values).max() / steps or 1:.6g}")
    return {
        name: np.rint(values / unit).astype(int).ravel().tolist(),
        f"{name}_unit": unit,
    }


def unpack(run, name, columns=None):
    """What `pack` put into a run (a row of results): (p,), or rows of some columns."""
    values = np.asarray(run[name]) * run[f"{name}_unit"]
    return values if columns is None else values.reshape(-1, columns)


def panels(described, run):
    """The panels a to d of the paper's figures, as shares in percent.

    Args:
        described: the run that has the clusters of seed 0, of ridge.
        run: the run of the network that is shown.

    Returns:
        dict of DataFrames, ordered so that neighbours are alike. Rows are clusters of
        profiles (a, b) or targets (c, d), columns landmarks or (d) clusters of them. A
        row's shares of all landmarks add up to 100; d has what a cluster's share
        exceeds its part of the landmarks by.
    """
    D, sizes = len(described["genes"]), described["target_sizes"]
    a, c = (
        pd.DataFrame(v / v.sum(1, keepdims=True) * 100, names, described["genes"])
        for v, names in (
            (unpack(run, "profiles", D), profile_names(described)),
            (unpack(run, "targets", D), [f"{n} targets" for n in sizes]),
        )
    )
    parts = np.asarray(described["parts"])
    members = np.bincount(parts)
    d = sums(c.to_numpy(), parts) - 100 * members / D
    d = pd.DataFrame(d, c.index, [f"{n} landmarks" for n in members])
    a, c, d = (v.iloc[order(v.to_numpy())] for v in (a, c, d))
    b = cleaned(a.to_numpy())
    kept = np.flatnonzero(b.any(0))
    kept = kept[order(b[:, kept].T)]
    return {
        "a": a.iloc[:, order(a.to_numpy().T)],
        "b": pd.DataFrame(b[:, kept], a.index, a.columns[kept]),
        "c": c.iloc[:, kept],
        "d": d.iloc[:, order(d.to_numpy().T)],
    }


def profile_names(described):
    """What each cluster of profiles is mostly made of, and how many they are."""
    kinds = described["kinds"]
    found = []
    for counts, size in zip(
        np.reshape(described["counts"], (-1, len(kinds))),
        described["sizes"],
        strict=True,
    ):
        most = int(np.argmax(counts))
        share = f" {counts[most] / counts.sum():.0%}" if counts.any() else ""
        found.append(f"{kinds[most] if counts.any() else 'unknown'}{share}, {size}")
    return found


def by_kind(described, run):
    """Shares (kinds, D) in percent for each kind of profile, through the clusters."""
    kinds = described["kinds"]
    counts = np.reshape(described["counts"], (-1, len(kinds)))  # (C, kinds)
    A = unpack(run, "profiles", len(described["genes"]))
    found = (counts / counts.sum(0)).T @ A
    return pd.DataFrame(
        100 * found / found.sum(1, keepdims=True), kinds, described["genes"]
    )
