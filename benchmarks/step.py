"""One training step of each method over one of the plain DenseNet, at full width.

Three layers of 1,000 units, the paper's 943 landmarks, 9,520 targets and batch of 100,
on a GPU or else on the CPU with two threads: about two minutes on an idle machine.
"""

import hashlib

import numpy as np
import torch

from lsmtl.lab.timing import seconds, step
from lsmtl.networks import DenseNet, count_weights
from lsmtl.regularizers import AMTFL, AMTL, CNMTL, GOMTL, MaskedLowRank

SIZES = {"landmarks": 943, "targets": 9520, "hidden": [1000] * 3, "batch": 100}
SEED = 0
GOALS = {100: 1.10, 1000: 1.45}  # rank → the most that G may cost, in plain steps
GPU_MINUTES = 1


def measure(rounds=15, threads=2):
    """Measure; yields what a record needs, a dict a method.

    Args:
        rounds: how often each method takes a step, in turn.
        threads: of PyTorch.

    Metrics: `seconds` (the median step), `over_plain` (the median over rounds of the
    step's time over the plain network's in the same round), its quartiles, and
    `weights`; for G also the `goal` of `over_plain`.
    """
    T, B = SIZES["targets"], SIZES["batch"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = DenseNet(SIZES["landmarks"], T, hidden=tuple(SIZES["hidden"])).to(device)
    methods = [
        ("DenseNet", {}, None),
        ("Deep-GO-MTL", {}, GOMTL()),
        ("Deep-CNMTL", {"clusters": 20}, CNMTL(T, clusters=20)),
        ("Deep-AMTL", {"columns": 100}, AMTL(T, columns=100)),
        ("Deep-AMTFL", {}, AMTFL(T, network.head.in_features)),
    ]
    methods += [
        ("Deep-LSMTL", {"rank": rank}, MaskedLowRank(T, rank)) for rank in GOALS
    ]
    random = torch.Generator().manual_seed(SEED)
    x = torch.randn(B, SIZES["landmarks"], generator=random)
    y = torch.randn(B, T, generator=random)
    batch = x.to(device), y.to(device)
    steps = {
        (method, *options.values()): step(network, r and r.to(device), *batch)
        for method, options, r in methods
    }
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = seconds(steps, rounds)
    finally:
        torch.set_num_threads(before)
    plain = found["DenseNet",]
    for method, options, regularizer in methods:
        times = found[method, *options.values()]
        over = times / plain
        modules = [network] if regularizer is None else [network, regularizer]
        yield {
            "method": method,
            "configuration": SIZES | options | {"threads": threads, "rounds": rounds},
            "dataset": "random",
            "data": hashlib.sha256(x.numpy().tobytes()).hexdigest(),
            "seed": SEED,
            "device": device,
            "metrics": {
                "seconds": float(np.median(times)),
                "over_plain": float(np.median(over)),
                "over_plain_quartiles": np.quantile(over, [0.25, 0.75]).tolist(),
                "weights": count_weights(*modules),
            }
            | ({"goal": GOALS[options["rank"]]} if "rank" in options else {}),
        }
