"""Regularised multi-task learning without its kernel, against the explicit one.

Tasks with rows of their own are fitted by conjugate gradients that never make the
kernel (n, n), tasks with shared inputs by a Sylvester equation instead of the kernel
(NT, NT); beside each, the same fit with the whole kernel. About a minute, 1 GB.
"""

import hashlib
import time

import numpy as np

from lsmtl.data.originals.work import peak_memory
from lsmtl.kernels import MeanRegularized
from lsmtl.lab import records

ROWS, SHARED = (1500, 6000), (30, 120)  # rows of all tasks, and of inputs they share
SIZES, SEED = {"features": 30, "tasks": 50}, 0
MODEL = {"strength": 10.0, "coupling": 10.0, "tol": 1e-8}
WAYS = {
    "whole kernel": {"dual": True, "solver": "direct"},
    "cg in the dual": {"dual": True, "solver": "cg"},
    "cg in the primal": {"solver": "cg"},
    "whole rbf kernel": {"dual": True, "solver": "direct", "kernel": "rbf"},
    "cg on rbf blocks": {"dual": True, "solver": "cg", "kernel": "rbf"},
}


def simulated(rows, features, tasks):
    """Rows X (n, d), the task of each, and values y of similar tasks with noise."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(rows, features)) / features**0.5
    W = rng.normal(size=features) + 0.5 * rng.normal(size=(tasks, features))
    task = rng.integers(tasks, size=rows)
    task[:tasks] = range(tasks)
    return X, (X * W[task]).sum(1) + 0.5 * rng.normal(size=rows), task


def measure():
    """Measure; yields what a record needs, a dict for every way and number of rows.

    Metrics: `seconds` of the fit; `extra_mb` of memory that it takes at its peak beside
    the data; `kernel_mb` of the explicit kernel; `difference`, the largest of its
    predictions from the whole kernel's, in units of their deviation.
    """
    tasks = SIZES["tasks"]
    for rows in ROWS:
        X, y, task = simulated(rows, **SIZES)
        data, expected = (X, y, task), {}
        for way, how in WAYS.items():
            predict, found = _measured(MeanRegularized(**MODEL, **how), data)
            values = predict(X, task)
            first = expected.setdefault(how.get("kernel", "linear"), values)
            yield _record("rows", way, rows, found, rows, values, first)
    for rows in SHARED:
        X, _, _ = simulated(rows + tasks, **SIZES)
        X = X[:rows]
        rng = np.random.default_rng(SEED)
        Y = X @ rng.normal(size=(X.shape[1], tasks)) + rng.normal(size=(rows, tasks))
        long = np.tile(X, (tasks, 1)), Y.T.ravel(), np.repeat(range(tasks), rows)
        first = None
        for way, data in (("whole kernel", long), ("Sylvester equation", (X, Y))):
            how = WAYS["whole kernel"] if data is long else {}
            predict, found = _measured(MeanRegularized(**MODEL, **how), data)
            first = predict(X) if first is None else first
            yield _record("shared", way, rows, found, rows * tasks, predict(X), first)


def _measured(model, data):
    """The fitted model's `predict`, and seconds and memory of its fit."""
    records.forget_peak()
    before, start = peak_memory(), time.perf_counter()
    model.fit(*data)
    seconds = time.perf_counter() - start
    return model.predict, {"seconds": seconds, "extra_mb": peak_memory() - before}


def _record(inputs, way, rows, found, size, values, first):
    found["kernel_mb"] = 8 * size**2 / 1e6
    found["difference"] = np.abs(values - first).max() / first.std()
    setup = SIZES | MODEL | {"inputs": inputs, "way": way, "rows": rows}
    return {
        "method": "multi-task kernel",
        "configuration": setup,
        "dataset": "simulated",
        "data": hashlib.sha256(repr((setup, SEED)).encode()).hexdigest(),
        "seed": SEED,
        "device": "cpu",
        "metrics": {k: float(f"{v:.4g}") for k, v in found.items()},
    }
