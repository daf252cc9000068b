"""The models to choose from: how each is fitted, and how it predicts from its arrays.

All take standardised profiles, x (n, D) and y (n, T). What a model needs to predict is
a dict of float32 arrays, so that it can be kept in a file that runs no code.
"""

import numpy as np
import torch

from lsmtl._checks import one_of
from lsmtl.data.splits import Profiles
from lsmtl.linear import STRENGTHS, RidgePath
from lsmtl.metrics import mae
from lsmtl.networks import DenseNet
from lsmtl.recipe import Recipe
from lsmtl.training import fit, predict

METHODS = ("training mean", "ridge", "kernel ridge", "DenseNet")  # simplest first
INNER = 3  # folds that choose a setting; also the members of the network's average
WIDTHS = (0.1, 0.3, 1.0, 3.0)  # g of the kernel exp(−g ‖x − x'‖² / D)
DAMPING = (0.03, 0.1, 0.3, 1.0, 3.0)  # strengths of kernel ridge
CENTRES = 2000  # training profiles that a kernel compares with, at most
NETWORKS = ({"dropout": 0.25, "lr": 3e-4}, {"dropout": 0.0, "lr": 3e-3})
THIN = 1000  # targets on which a network's setting is chosen, at most
STEPS, BATCH = 300, 100


def fitted(method, x, y, labels, seed):
    """Fit a method; its settings are chosen by cross-validation in groups.

    Args:
        method: one of `METHODS`.
        x: (n, D) float32 tensor, standardised landmarks.
        y: (n, T) float32 tensor, standardised targets.
        labels: (n,) array; rows with the same label stay together, unless all have
            the same.
        seed: decides folds, and a network's start, batches and dropout.

    Returns:
        (settings, weights): a dict of numbers and a dict of float32 arrays.
    """
    one_of("method", method, METHODS)
    if method == "training mean":
        return {}, {}
    if len(np.unique(labels)) == 1:
        labels = np.arange(len(labels))
    inner = folds(labels, min(INNER, len(np.unique(labels))), seed)
    parts = [(inner != k, inner == k) for k in np.unique(inner)]
    return FITS[method](x, y, parts, seed)


def predictor(method, settings, weights, targets):
    """A function from standardised landmarks (B, D) to targets (B, T), both tensors.

    Args:
        method, settings, weights: as `fitted` takes and gives them.
        targets: T.
    """
    tensors = {name: torch.as_tensor(array) for name, array in weights.items()}
    if method == "training mean":
        return lambda x: x.new_zeros(len(x), targets)
    if method == "ridge":
        return lambda x: x @ tensors["coef"]
    if method == "kernel ridge":
        g, c, dual = settings["g"], tensors["centres"], tensors["dual"]
        return lambda x: _kernel(x, c, g) @ dual
    members = [
        _network(settings, targets, _own(tensors, number))
        for number in range(settings["members"])
    ]
    return lambda x: torch.stack([predict(m, x) for m in members]).mean(0)


def shapes(method, settings, landmarks, targets):
    """The arrays of a method: dict of name to shape, m for any number of centres."""
    D, T = landmarks, targets
    if method == "training mean":
        return {}
    if method == "ridge":
        return {"coef": (D, T)}
    if method == "kernel ridge":
        return {"centres": ("m", D), "dual": ("m", T)}
    with torch.device("meta"):
        state = DenseNet(D, T, settings["hidden"]).state_dict()
    kept = {k: tuple(v.shape) for k, v in state.items() if _kept(k)}
    return {f"{n}.{k}": v for n in range(settings["members"]) for k, v in kept.items()}


def folds(labels, count, seed):
    """Who is tested when: (n,) 0 … count − 1, equal labels in the same fold.

    The labels, in random order, go to the fold that has the fewest rows.
    """
    units, own, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(units) < count:
        raise ValueError(f"{count} folds need as many groups, got {len(units)}")
    home, filled = np.zeros(len(units), dtype=int), np.zeros(count)
    for unit in np.random.default_rng(seed).permutation(len(units)):
        home[unit] = filled.argmin()
        filled[home[unit]] += sizes[unit]
    return home[own]


def _ridge(x, y, parts, seed):
    def errors(known, asked):
        path = RidgePath(x[known], y[known])
        return [mae(path.predict(x[asked], s), y[asked]).mean() for s in STRENGTHS]

    l2 = _best(STRENGTHS, [errors(*part) for part in parts])
    coef = RidgePath(x, y).model(l2).coef_
    return {"l2": l2}, {"coef": coef.numpy()}


def _kernel_ridge(x, y, parts, seed):
    """Ridge on features whose inner products are the kernel, of all or some profiles.

    With the kernel of the centres K = USUᵀ, the features of x are k(x)US^(−1/2).
    """
    grid = [(g, l2) for g in WIDTHS for l2 in DAMPING]

    def features(x, g):
        rows = np.random.default_rng(seed).permutation(len(x))[:CENTRES]
        centres = x[np.sort(rows)]
        squares, U = torch.linalg.eigh(_kernel(centres.double(), centres.double(), g))
        kept = squares > squares[-1] * len(squares) * torch.finfo(torch.double).eps
        return centres, U[:, kept] / squares[kept].sqrt()

    def errors(known, asked):
        found = []
        for g in WIDTHS:
            centres, basis = features(x[known], g)
            some, others = (
                _kernel(x[rows].double(), centres.double(), g) @ basis
                for rows in (known, asked)
            )
            path = RidgePath(some, y[known])
            found += [mae(path.predict(others, s), y[asked]).mean() for s in DAMPING]
        return found

    g, l2 = _best(grid, [errors(*part) for part in parts])
    centres, basis = features(x, g)
    path = RidgePath(_kernel(x.double(), centres.double(), g) @ basis, y)
    dual = basis @ (path.V / (path.squares + l2) @ path.rotated)
    arrays = {"centres": centres.numpy(), "dual": dual.float().numpy()}
    return {"g": g, "l2": l2}, arrays


def _densenet(x, y, parts, seed):
    """The mean of networks that start elsewhere and stop by another fold each."""
    D, T = x.shape[1], y.shape[1]
    hidden = [100 if len(x) < CENTRES else 300] * 2

    def trained(number, known, asked, y, setting):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed * INNER + number)
            network = DenseNet(D, y.shape[1], hidden, setting["dropout"], head="zero")
        n, lr = int(known.sum()), setting["lr"]
        batch = min(BATCH, max(n // 3, 2))
        recipe = Recipe(max(STEPS * batch // n, 15), batch, lr=lr, final_lr=lr / 100)
        train, validation = (Profiles(x[rows], y[rows]) for rows in (known, asked))
        return fit(network, train, validation, recipe=recipe, seed=seed + number)

    thin = y[:, :: -(-T // THIN)].contiguous()
    score = [
        trained(0, *parts[0], thin, s).history["validation_mae"].min() for s in NETWORKS
    ]
    setting = NETWORKS[int(np.argmin(score))]
    arrays = {}
    for number, part in enumerate(parts):
        state = trained(number, *part, y, setting).network.state_dict()
        arrays |= {f"{number}.{k}": v.numpy() for k, v in state.items() if _kept(k)}
    return {**setting, "hidden": hidden, "members": len(parts)}, arrays


FITS = {"ridge": _ridge, "kernel ridge": _kernel_ridge, "DenseNet": _densenet}


def _best(grid, errors):
    """The setting with the lowest error, the mean over folds of lists of tensors."""
    return grid[int(torch.tensor(errors).mean(0).argmin())]


def _kernel(x, centres, g):
    """The kernel exp(−g ‖x − c‖² / D) of profiles (B, D) and centres (m, D)."""
    squares = x.square().sum(1)[:, None] + centres.square().sum(1) - 2 * x @ centres.T
    return (-g / x.shape[1] * squares.clamp_min(0)).exp()


def _kept(name):
    return not name.endswith("num_batches_tracked")  # an integer that nothing reads


def _own(tensors, number):
    start = f"{number}."
    return {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}


def _network(settings, targets, state):
    landmarks = state["layers.0.0.weight"].shape[1]
    network = DenseNet(landmarks, targets, settings["hidden"])
    network.load_state_dict(state, strict=False)
    return network.eval()
