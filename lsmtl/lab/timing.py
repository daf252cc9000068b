"""Time training steps of several methods side by side."""

import time

import numpy as np
import torch

from lsmtl import objective
from lsmtl._checks import one_of, whole
from lsmtl.engine import Single, settings
from lsmtl.recipe import Recipe

PRECISION = {"fp32": "fp32", "tf32": "tf32", "autocast": "bf16", "unfused": "fp32"}


def step(network, regularizer, x, y, scheme="fp32"):
    """One step of `fit` as a function without arguments, its state kept inside.

    Args:
        network: a base network.
        regularizer: a module from `lsmtl.regularizers`, any function of the same four
            arguments, or None.
        x, y: a batch, on the device of the network.
        scheme: `"fp32"`, `"tf32"`, `"autocast"` (BF16 products) or `"unfused"` (FP32,
            an Adam of many operations); see `lsmtl.lab.cost.traffic`.

    >>> import torch
    >>> from lsmtl.networks import MLP
    >>> network = MLP(20, 50, hidden=(8,))
    >>> before = network.head.weight.clone()
    >>> step(network, None, torch.randn(4, 20), torch.randn(4, 50))()
    >>> torch.equal(network.head.weight, before)
    False
    """
    precision = PRECISION[one_of("scheme", scheme, PRECISION)]
    minimised = objective.Objective(network, regularizer, Recipe(precision=precision))
    if scheme == "unfused":
        optimizer = torch.optim.Adam(minimised.parameters(), fused=False)
    else:
        modules = minimised.children()
        optimizer = objective.make_optimizer(network, modules, minimised.recipe)
    run = Single(x.device, precision == "bf16")

    def take():
        with settings(x.device, precision):
            objective.step(run, optimizer, minimised, x, y)

    return take


def seconds(functions, rounds, processor=False):
    """Seconds that each function takes, in every round.

    All are called in turn, in every round from another one on, so that what else the
    machine does falls on all alike; a first round is not counted.

    Args:
        functions: dict of a name → a function without arguments, at least one.
        rounds: how often each is timed.
        processor: count the processor's time, of all threads, instead of the wall's:
            for one thread on a busy machine.

    Returns:
        dict of the name → seconds (rounds,).

    Raises:
        ValueError: there is no function, or `rounds` is no positive whole number.

    >>> found = seconds({"a": lambda: time.sleep(0.01), "b": lambda: None}, rounds=3)
    >>> bool((found["a"] > found["b"]).all())
    True
    """
    if not functions:
        raise ValueError("functions must hold at least one function, got none")
    whole("rounds", rounds)
    clock = time.process_time if processor else time.perf_counter
    names, found = list(functions), {name: [] for name in functions}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            functions[name]()
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            found[name].append(clock() - start)
    return {name: np.array(times[1:]) for name, times in found.items()}
