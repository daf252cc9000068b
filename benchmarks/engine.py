"""How near a training step comes to what the memory allows, and to a plain loop.

On a GPU the paper's largest network, three layers of 9,000 units; else one of 1,000
units on the CPU, with two threads, about five minutes on an idle machine.
"""

import hashlib
from functools import partial

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
WAYS = {  # name → how it differs from FP32 with G and the profiles on the device
    "fp32": {},
    "tf32": {"precision": "tf32"},
    "bf16": {"precision": "bf16"},
    "fp32 without G": {"with_g": False},
    "tf32 without G": {"precision": "tf32", "with_g": False},
    "tf32, streamed": {"precision": "tf32", "resident": False},
    "tf32, graph": {"precision": "tf32", "graph": True},
    # rows of 943 numbers don't begin at multiples of 16 bytes, rows of 944 do
    "tf32, 944 landmarks": {"precision": "tf32", "landmarks": 944},
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
    made, epochs, moved = {}, {}, {}
    for name, way in WAYS.items():
        if device.type == "cpu" and way.get("precision") == "tf32":
            continue
        D = way.get("landmarks", sizes["landmarks"])
        if D not in made:
            made[D] = _made(device, sizes | {"landmarks": D}, hidden, steps)
        epochs[name], weights = _epoch(device, *made[D], sizes["batch"], **way)
        scheme = way.get("precision", "fp32").replace("bf16", "autocast")
        moved[name] = traffic(weights, scheme)
    usual = made[sizes["landmarks"]]
    epochs["plain loop"] = _plain(device, *usual, sizes["batch"])
    moved["plain loop"] = moved["fp32"]
    a, b = (torch.zeros(2**28 if device.type == "cuda" else 2**24) for _ in range(2))
    a, b = a.to(device), b.to(device)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = seconds(epochs | {"copy": lambda: a.copy_(b)}, rounds)
    finally:
        torch.set_num_threads(before)
    bandwidth = 2 * a.nbytes / np.median(found.pop("copy"))
    for name, times in found.items():
        limit = moved[name] / bandwidth
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


def _epoch(
    device,
    network,
    g,
    profiles,
    batch,
    precision="fp32",
    with_g=True,
    resident=True,
    graph=False,
    **_,
):
    """An epoch of `fit` without its checks and its scoring, and its weights."""
    recipe = Recipe(precision=precision)
    objective = Objective(network, g if with_g else None, recipe)
    run = engine.launch(device, objective)
    optimizer = make_optimizer(network, objective.children(), recipe, graph)
    if resident:
        profiles = [v.to(device) for v in profiles]
    take = partial(step, run, optimizer, objective)
    take = engine.Graphed(take) if graph else take
    shuffle = torch.Generator().manual_seed(SEED)

    def epoch():
        with engine.settings(device, precision):
            rows = engine.shares(run, len(profiles[0]), batch, shuffle)
            parts = engine.batches(*profiles, rows, device)
            return [torch.stack(take(x, y)) for x, y in parts]

    return epoch, count_weights(objective)


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
