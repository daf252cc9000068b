"""Relations between tasks: read out of V and G, and what is known about them."""

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score, average_precision_score

TOL = 1e-7  # where the lasso's V stops moving
LOCAL = 50  # targets; a regulator of more says little about a pair of genes


def ridge_v(f, gamma):
    """The V that minimises ‖f − fV‖²/n + γ‖V‖² with a zero diagonal; f (n, T)."""
    _, s, vt = np.linalg.svd(f, full_matrices=False)
    s = s**2 / len(f)
    P = -(vt.T * (s / (s + gamma))) @ vt  # (f'f/n + γ)⁻¹ times γ, less the identity
    P[np.diag_indices_from(P)] += 1
    V = -P / P.diagonal()
    np.fill_diagonal(V, 0)
    return V


def lasso_v(f, gamma, tol=TOL, steps=5000):
    """The same with γ‖V‖₁, by accelerated proximal gradient descent.

    It stops when no entry moves by more than `tol` times the largest one.
    """
    G = f.T @ f / len(f)
    rate = 0.5 / np.linalg.norm(G, 2)
    V = ahead = np.zeros_like(G)
    for k in range(steps):
        new = ahead - rate * 2 * (G @ ahead - G)
        new = np.sign(new) * np.maximum(np.abs(new) - rate * gamma, 0)
        np.fill_diagonal(new, 0)
        moved = new - V
        ahead, V = new + k / (k + 3) * moved, new
        if np.abs(moved).max() <= tol * np.abs(new).max():
            break
    return V


def readings(g, predictions):
    """Relations read out of G in six ways, by name; each (T, T), zero diagonal.

    Args:
        g: a `MaskedLowRank`.
        predictions: F(x) (n, T), or measured values.

    Returns:
        dict of NumPy arrays: `jacobian` (`MaskedLowRank.relations`), `along` (the same
        in the K principal directions of the predictions), `path` (V2 V1), `hiding`,
        and how alike tasks are to G: by their rows of V2 (`rows`), by their columns of
        V1 (`columns`), both in units of what the bottleneck holds.
    """
    with torch.no_grad():
        z = g.V1(predictions)  # (n, K)
        R, U = g.relations(predictions), directions(predictions, z.shape[1])
        held = z.std(0)  # a unit that never moves tells nothing
        found = {
            "jacobian": R,
            "along": R @ U @ U.T,
            "path": g.V2.weight @ g.V1.weight,
            "hiding": hiding(g, predictions),
            "rows": _alike(g.V2.weight * g.activation(z).std(0)),
            "columns": _alike(g.V1.weight.T / torch.where(held > 0, held, torch.inf)),
        }
        return {name: R.fill_diagonal_(0).cpu().numpy() for name, R in found.items()}


def directions(f, K):
    """The K principal directions of f (n, T), each task in deviations; (T, K)."""
    f = f - f.mean(0)
    spread = f.norm(dim=0)
    f = f / torch.where(spread > 0, spread, 1.0)
    return torch.linalg.eigh(f.T @ f)[1][:, -K:]


@torch.no_grad()
def hiding(g, predictions, rows=50):
    """How far G moves each task when another one is hidden, (T, T).

    Args:
        g: a `MaskedLowRank`.
        predictions: F(x) (n, T), or measured values.
        rows: over how many profiles, the first ones, the root of the mean square is
            taken; where profiles are sorted these may be of few studies, so shuffle.

    Returns:
        (T, T); row t moves when column s is hidden.
    """
    f, V1, V2 = predictions[:rows], g.V1.weight, g.V2.weight
    z = g.V1(f)  # (n, K)
    h, moved = g.activation(z), torch.empty_like(V1.T @ V2.T)
    for s in range(g.targets):
        without = g.activation(z - f[:, s : s + 1] * V1[:, s])  # β hides s alone
        moved[:, s] = ((h - without) @ V2.T).square().mean(0).sqrt()
    return moved


def _alike(W):
    """Cosines of the rows of W (T, K)."""
    W = torch.nn.functional.normalize(W)
    return W @ W.T


def symmetric(R):
    """(|R| + |R|ᵀ) / 2: how strongly each pair is related."""
    R = np.abs(R)
    return (R + R.T) / 2


def correlation(f):
    """|correlation| of the columns of f (n, T), a constant one having none; (T, T)."""
    f = np.asarray(f, dtype=np.float32)
    f = f - f.mean(0)
    norm = np.linalg.norm(f, axis=0)
    f = f / np.where(norm > 0, norm, 1)
    return np.abs(f.T @ f)


def train_alone(g, y, steps, batch=50, lr=1e-3, seed=0):
    """Train G by Eq. 5 on fixed values y (n, T) in the place of F(x)."""
    draw = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(g.parameters(), lr=lr, fused=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for _ in range(steps):
            f = y[torch.randperm(len(y), generator=draw)[:batch]]
            adam.zero_grad()
            g(None, None, f).backward()
            adam.step()
    return g


def in_subspaces(samples, noise, seed, modules=6, size=20, dim=4, landmarks=40):
    """Tasks in subspaces: x (n, D), y (n, T), and the module of each task (T,).

    A module's tasks are random combinations of `dim` directions of its own; the
    features are correlated; a task has variance 1, before noise of that deviation.
    """
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.normal(size=landmarks))
    q, _ = np.linalg.qr(rng.normal(size=(landmarks, landmarks)))
    x = (rng.normal(size=(samples, landmarks)) * spread) @ q.T
    W = [
        rng.normal(size=(landmarks, dim)) @ rng.normal(size=(dim, size))
        for _ in range(modules)
    ]
    W = np.hstack(W)  # (D, T)
    W /= np.linalg.norm(spread[:, None] * (q.T @ W), axis=0)
    y = x @ W + noise * rng.normal(size=(samples, modules * size))
    return x, y, np.repeat(np.arange(modules), size)


def modules_found(strength, module):
    """Average precision over pairs, and adjusted Rand index of the clusters."""
    pairs = np.triu_indices(len(module), 1)
    clusters = SpectralClustering(
        module.max() + 1, affinity="precomputed", random_state=0
    ).fit_predict(strength + 1e-9)  # so that the graph is connected
    same = module[pairs[0]] == module[pairs[1]]
    return {
        "ap": average_precision_score(same, strength[pairs]),
        "chance": float(same.mean()),
        "ari": adjusted_rand_score(module, clusters),
    }


def mates_found(strength, module, share):
    """Average precision over pairs of tasks that share a module.

    Args:
        strength: (T, T), symmetric.
        module: (T,) whole numbers.
        share: (T,) how much of each task its module makes.

    Returns:
        dict with `ap`, `chance`, and `ap_quartiles` and `chance_quartiles`: the same
        among the tasks of each quartile of `share`, from small to large.
    """
    a, b = np.triu_indices(len(module), 1)
    same, strength = module[a] == module[b], strength[a, b]
    quartile = quartiles(share)
    inside = [(quartile[a] == q) & (quartile[b] == q) for q in range(4)]
    return {
        "ap": average_precision_score(same, strength),
        "chance": float(same.mean()),
        "ap_quartiles": [average_precision_score(same[k], strength[k]) for k in inside],
        "chance_quartiles": [float(same[k].mean()) for k in inside],
    }


def quartiles(values):
    """Which quarter each value belongs to, 0 (the smallest) to 3; values (n,)."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return order * 4 // len(order)


def regulated(adata, targets):
    """Which targets have a local regulator, (T,), and the pairs that share one.

    Returns:
        known (T,), and of all pairs of known targets: related and apart, whether
        they share a local regulator and whether they belong to different operons.
    """
    network = adata.uns["regulation"].astype(str)
    size = network.groupby("regulator")["gene"].transform("nunique")
    network = network[(size <= LOCAL) & network["gene"].isin(targets)]
    names, regulator = np.unique(network["regulator"], return_inverse=True)
    R = np.zeros((len(targets), len(names)), dtype=np.float32)
    R[pd.Index(targets).get_indexer(network["gene"]), regulator] = 1
    known = R.any(1)
    a, b = np.triu_indices(known.sum(), 1)
    operon = adata.var.loc[list(targets), "operon"].to_numpy(str)[known]
    return known, ((R @ R.T)[np.ix_(known, known)] > 0)[a, b], operon[a] != operon[b]


def regulators_found(strength, known, related, apart):
    """Average precision over pairs, of all and of those in different operons.

    `top_apart` is the share of related pairs among the 1,000 strongest of these.
    """
    pairs = strength[np.ix_(known, known)][np.triu_indices(known.sum(), 1)]
    strongest = pairs[apart].argsort()[-1000:]
    return {
        "ap": average_precision_score(related, pairs),
        "chance": float(related.mean()),
        "ap_apart": average_precision_score(related[apart], pairs[apart]),
        "chance_apart": float(related[apart].mean()),
        "top_apart": float(related[apart][strongest].mean()),
    }
