"""How near a training step comes to what the memory allows, and to a plain loop.

On a GPU the paper's largest network, three layers of 9,000 units; else one of 1,000
units on the CPU, with two threads, about five minutes on an idle machine.
"""

import hashlib

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from lsmtl import engine
from lsmtl.lab.cost import traffic
from lsmtl.lab.timing import seconds
from lsmtl.networks import DenseNet, count_weights
from lsmtl.objective import Objective, make_optimizer, step
from lsmtl.recipe import Recipe
from lsmtl.regularizers import MaskedLowRank

SIZES = {"landmarks": 943, "targets": 9520, "rank": 1000, "batch": 100}
HIDDEN = {"cuda": [9000] * 3, "cpu": [1000] * 3}
STEPS = {"cuda": 20, "cpu": 2}  # of an epoch
GOALS = {"tf32": {"reached": 0.65, "speedup": 2.0, "over_plain": 1.06}}  # on a GPU
GPU_MINUTES = 3
SEED = 0
WAYS = {  # name → precision, with G, on a GPU only, what `fit` is told
    "fp32": ("fp32", True, False, {}),
    "tf32": ("tf32", True, True, {}),
    "bf16": ("bf16", True, False, {}),
    "fp32 without G": ("fp32", False, False, {}),
    "tf32 without G": ("tf32", False, True, {}),
    "tf32, streamed": ("tf32", True, True, {"resident": False}),
    "tf32, graph": ("tf32", True, True, {"graph": True}),
}


def measure(rounds=9, threads=2):
    """Measure; yields what a record needs, a dict a way to train.

    Args:
        rounds: how often each way takes an epoch, in turn.
        threads: of PyTorch, on the CPU.

    Metrics, all of one step: `seconds` (median over rounds), `limit` (bytes that the
    weights must move over the bandwidth of a copy in the same rounds), `reached` (the
    limit's share of the time), `speedup` (the plain loop's time over this) and, with
    G, `over_plain` (the time over that without G at the same precision);
    some ways have a `…_goal` for them.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    hidden, steps, sizes = HIDDEN[device.type], STEPS[device.type], SIZES
    network, g, profiles = _made(device, sizes, hidden, steps)
    epochs, bytes_ = {}, {}
    for name, (precision, with_g, gpu, told) in WAYS.items():
        if gpu and device.type == "cpu":
            continue
        objective = Objective(
            network, g if with_g else None, Recipe(precision=precision)
        )
        epochs[name] = _epoch(device, objective, profiles, sizes["batch"], **told)
        scheme = "autocast" if precision == "bf16" else precision
        bytes_[name] = traffic(count_weights(objective), scheme)
    epochs["plain loop"] = _plain(device, network, g, profiles, sizes["batch"])
    bytes_["plain loop"] = bytes_["fp32"]
    a, b = (torch.zeros(2**28 if device.type == "cuda" else 2**24) for _ in range(2))
    a, b = a.to(device), b.to(device)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = seconds(
            {k: _waited(device, f) for k, f in epochs.items()}
            | {"copy": _waited(device, lambda: a.copy_(b))},
            rounds,
        )
    finally:
        torch.set_num_threads(before)
    bandwidth = 2 * a.nbytes / np.median(found.pop("copy"))
    for name, times in found.items():
        limit = bytes_[name] / bandwidth
        metrics = {
            "seconds": np.median(times) / steps,
            "limit": limit,
            "reached": limit * steps / np.median(times),
            "speedup": np.median(found["plain loop"] / times),
            "bandwidth": bandwidth,
        }
        if f"{name} without G" in found:
            without = found[f"{name} without G"]
            metrics["over_plain"] = np.median(times / without)
        metrics |= {f"{k}_goal": v for k, v in GOALS.get(name, {}).items()}
        yield {
            "method": "DenseNet" if "without G" in name else "Deep-LSMTL",
            "configuration": sizes
            | {"hidden": hidden, "way": name, "steps": steps, "rounds": rounds}
            | ({"threads": threads} if device.type == "cpu" else {}),
            "dataset": "random",
            "data": hashlib.sha256(repr((sizes, steps)).encode()).hexdigest(),
            "seed": SEED,
            "device": device.type,
            "metrics": {k: float(f"{v:.4g}") for k, v in metrics.items()},
        }


def _made(device, sizes, hidden, steps):
    """A network, G, and random profiles in the host's memory, for `steps` batches."""
    torch.manual_seed(SEED)
    D, T = sizes["landmarks"], sizes["targets"]
    with torch.device(device):
        network = DenseNet(D, T, hidden=tuple(hidden))
        g = MaskedLowRank(T, sizes["rank"])
    n = steps * sizes["batch"]
    return network, g, [torch.randn(n, genes) for genes in (D, T)]


def _epoch(device, objective, profiles, batch, resident=True, graph=False):
    """An epoch of `fit`, without its checks and its scoring."""
    precision = objective.recipe.precision
    run = engine.Single(device, precision == "bf16")
    optimizer = make_optimizer(
        objective.network, objective.children(), objective.recipe, graph
    )
    if resident:
        profiles = [v.to(device) for v in profiles]

    def take(x, y):
        return step(run, optimizer, objective, x, y)

    take = engine.Graphed(take) if graph else take
    shuffle = torch.Generator().manual_seed(SEED)

    def epoch():
        with engine.settings(device, precision):
            rows = engine.shares(run, len(profiles[0]), batch, shuffle)
            parts = engine.batches(*profiles, rows, device)
            return [torch.stack(take(x, y)) for x, y in parts]

    return epoch


def _plain(device, network, g, profiles, batch):
    """The loop of a tutorial: a DataLoader, PyTorch's own precision and Adam."""
    made = TensorDataset(*profiles)
    loader = DataLoader(made, batch, shuffle=True, drop_last=True)
    adam = torch.optim.Adam([*network.parameters(), *g.parameters()])

    def epoch():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            features = network.features(x)
            predictions = network.head(features)
            loss = (predictions - y).abs().mean() + g(network, features, predictions)
            adam.zero_grad()
            loss.backward()
            adam.step()

    return epoch


def _waited(device, function):
    """The function, until the device has done what it asked for."""

    def run():
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run
