"""Time training steps of several methods side by side."""

import time

import numpy as np
import torch

from lsmtl import training
from lsmtl.training import Recipe


def step(network, regularizer, x, y):
    """One step of `fit` as a function without arguments, its state kept inside.

    Args:
        network: a base network.
        regularizer: a module from `lsmtl.regularizers`, or None.
        x, y: a batch.

    >>> import torch
    >>> from lsmtl.networks import MLP
    >>> network = MLP(20, 50, hidden=(8,))
    >>> before = network.head.weight.clone()
    >>> step(network, None, torch.randn(4, 20), torch.randn(4, 50))()
    >>> torch.equal(network.head.weight, before)
    False
    """
    modules = [network] if regularizer is None else [network, regularizer]
    optimizer = training.make_optimizer(network, modules, Recipe())

    def run():
        training.step(optimizer, network, x, y, regularizer, Recipe())
        if x.is_cuda:
            torch.cuda.synchronize()

    return run


def seconds(functions, rounds, processor=False):
    """Seconds that each function takes, in every round.

    All are called in turn, in every round from another one on, so that what else the
    machine does falls on all alike; a first round is not counted.

    Args:
        functions: dict of a name → a function without arguments.
        rounds: how often each is timed.
        processor: count the processor's time, of all threads, instead of the wall's:
            for one thread on a busy machine.

    Returns:
        dict of the name → seconds (rounds,).

    >>> found = seconds({"a": lambda: time.sleep(0.01), "b": lambda: None}, rounds=3)
    >>> bool((found["a"] > found["b"]).all())
    True
    """
    clock = time.process_time if processor else time.perf_counter
    names, found = list(functions), {name: [] for name in functions}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            functions[name]()
            found[name].append(clock() - start)
    return {name: np.array(times[1:]) for name, times in found.items()}
