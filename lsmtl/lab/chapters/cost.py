"""What it costs: time and memory of a step, measured beside the formulas."""

import itertools

import numpy as np
import torch

from lsmtl.engine import settings
from lsmtl.lab import timing, tracing
from lsmtl.lab.cost import EXTRA
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run

REPEATS = 5  # steps in a row for one reading of the clock, on a GPU


def _runs(sizes, landmarks):
    for sweep, name, values, methods in sizes["sweeps"]:
        more = {
            "sweep": sweep,
            "rounds": sizes["rounds"],
            "memory": sweep in sizes["memory"],
        }
        for value, method in itertools.product(values, methods):
            if method == "V" and name == "targets" and value > sizes["most_for_V"]:
                continue
            for seed in range(sizes["seeds"]):
                yield Run(method, sizes["default"] | {name: value} | more, seed)


def _measure(adata, run, device):
    c = run.configuration
    hidden, T, K = tuple(c["hidden"]), c["targets"], c["rank"]

    def make():
        return tracing.build(run.method, hidden, T, rank=K)

    found = _timed(make, c, device) | {
        "traced_bytes": tracing.traced_peak(make, c["batch"], c["scheme"])
    }
    if device == "cuda":
        found["held_bytes"] = _held_on_gpu(make, c)
    elif c["memory"] and tracing.STATUS.exists():
        found["held_bytes"] = tracing.grown(
            run.method, hidden, T, K, c["batch"], c["scheme"]
        )
    return found


def _timed(make, c, device):
    """Median seconds of a step or an epoch, and what the machine reaches beside it.

    On the CPU one thread and its processor time, so that a busy machine counts less.
    """
    threads, B = torch.get_num_threads(), c["batch"]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    profiles = c.get("profiles", B)
    with torch.device(device):
        network, penalty = make()
        x = torch.randn(profiles, network.landmarks)
        y = torch.randn(profiles, network.targets)
    step = timing.step(network, penalty, x[:B], y[:B], c["scheme"])
    size, side = (2**30, 8192) if device == "cuda" else (2**26, 1024)
    a, b = (torch.zeros(size // 4, device=device) for _ in range(2))
    dtype = torch.bfloat16 if c["scheme"] == "autocast" else torch.float32
    square = torch.ones(side, side, device=device, dtype=dtype)

    def product():
        with settings(square.device, timing.PRECISION[c["scheme"]]):
            square @ square

    functions = {"step": step, "copy": lambda: a.copy_(b), "product": product}
    if "profiles" in c:
        functions["step"] = _epoch(network, penalty, x, y, B, c["scheme"])
    if device == "cuda":
        found = timing.seconds(
            {k: _in_a_row(f) for k, f in functions.items()}, c["rounds"]
        )
        found = {name: times / REPEATS for name, times in found.items()}
    else:
        found = timing.seconds(functions, c["rounds"], processor=True)
    torch.set_num_threads(threads)
    return {
        "seconds": float(np.median(found["step"])),
        "bandwidth": float(2 * size / np.median(found["copy"])),
        "peak": float(2 * side**3 / np.median(found["product"])),
    }


def _in_a_row(function):
    def run():
        for _ in range(REPEATS):
            function()

    return run


def _epoch(network, penalty, x, y, batch, scheme):
    """A function that takes a step on every batch of the shuffled profiles."""
    x_now, y_now = x[:batch].clone(), y[:batch].clone()
    step = timing.step(network, penalty, x_now, y_now, scheme)

    def run():
        order = torch.randperm(len(x), device=x.device)
        for rows in order[: len(x) // batch * batch].split(batch):
            torch.index_select(x, 0, rows, out=x_now)
            torch.index_select(y, 0, rows, out=y_now)
            step()

    return run


def _held_on_gpu(make, c):
    """Bytes that PyTorch's allocator held at the worst moment of a step."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    with torch.device("cuda"):
        network, penalty = make()
        x = torch.randn(c["batch"], network.landmarks)
        y = torch.randn(c["batch"], network.targets)
    run = timing.step(network, penalty, x, y, c["scheme"])
    run()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


ALL = list(EXTRA)
PAIR = ["DenseNet", "Deep-LSMTL"]
TRIO = ["DenseNet", "V", "Deep-LSMTL"]


def _sweeps(widths, tasks, ranks, batches, profiles, schemes, layers=2):
    """(name, what changes, its values, the methods) of each sweep."""
    return [
        ("width", "hidden", [[units] * layers for units in widths], PAIR),
        ("tasks", "targets", tasks, TRIO),
        ("rank", "rank", ranks, ["Deep-LSMTL"]),
        ("batch", "batch", batches, ["DenseNet"]),
        ("profiles", "profiles", profiles, ["DenseNet"]),
        ("scheme", "scheme", schemes, ["DenseNet"]),
    ]


SMALL = {"rank": 100, "batch": 100, "scheme": "fp32"}

EXPERIMENT = Experiment(
    name="cost",
    recipe_version=1,
    datasets={"simulated": None},
    sizes={
        "ci": {
            "default": SMALL | {"hidden": [100, 100], "targets": 1000},
            "sweeps": _sweeps(
                widths=[100, 400],
                tasks=[300, 1000],
                ranks=[300],
                batches=[10, 100, 300],
                profiles=[100, 300],
                schemes=["fp32", "unfused"],
            ),
            "most_for_V": 1000,
            "memory": ["rank"],
            "rounds": 2,
            "seeds": 1,
        },
        "laptop": {
            "default": {
                "hidden": [500, 500],
                "targets": 9520,
                "rank": 1000,
                "batch": 100,
                "scheme": "fp32",
            },
            "sweeps": [
                *_sweeps(
                    widths=[250, 500, 1000, 2000],
                    tasks=[300, 1000, 3000, 9520, 20000],
                    ranks=[100, 300, 1000, 3000],
                    batches=[10, 30, 100, 300, 1000],
                    profiles=[500, 1000, 2000],
                    schemes=["fp32", "unfused", "autocast"],
                ),
                ("methods", "hidden", [[500, 500]], ALL),
            ],
            "most_for_V": 9520,
            "memory": ["width", "tasks", "rank", "batch", "methods"],
            "rounds": 5,
            "seeds": 1,
        },
        "gpu": {
            "default": {
                "hidden": [9000, 9000, 9000],
                "targets": 9520,
                "rank": 1000,
                "batch": 100,
                "scheme": "tf32",
            },
            "sweeps": [
                *_sweeps(
                    widths=[1000, 3000, 6000, 9000],
                    tasks=[1000, 3000, 9520, 20000, 50000],
                    ranks=[500, 1000, 2000, 4000],
                    batches=[10, 30, 100, 300, 1000, 3000],
                    profiles=[1000, 2000, 4000],
                    schemes=["fp32", "tf32", "unfused", "autocast"],
                    layers=3,
                ),
                ("methods", "hidden", [[9000, 9000]], ALL),
            ],
            "most_for_V": 10000,
            "memory": [],  # on a GPU it is measured in every run
            "rounds": 5,
            "seeds": 1,
        },
    },
    runs=_runs,
    measure=_measure,
    timed=lambda record: True,
)


def _halve(ask):
    predicted(
        ask(),
        "batch",
        {
            "units": "The landmarks stay: how much narrower does the head become, "
            "which has nearly all weights?",
            "moments": "A moment is a quarter of what weights take. What do 2,000 "
            "profiles with 9,520 targets take?",
        },
    )


def _held(ask):
    for P, moments in ((1000, 5), (300, 2), (50, 0)):
        expect(
            ask(P, moments, False),
            P * (8 + 4 * moments),
            [
                (P * (4 + 4 * moments), "The weight and the moments: one is missing."),
                (P * 4 * moments, "Those are the moments only."),
                (P * 8, "The optimiser's moments are missing."),
                (P * (2 + moments), "Those are numbers; each has 4 bytes."),
                (P * 16, "That is Adam; `moments` says how many there are."),
            ],
            f"Wrong for {moments} moments in FP32.",
        )
        expect(
            ask(P, moments, True),
            P * (8 + 4 * moments),
            [
                (P * (4 + 4 * moments), "In BF16 an FP32 original is kept besides."),
                (
                    P * (8 + 2 * moments),
                    "The moments stay in FP32, also where weights are BF16.",
                ),
                (P * (4 + 2 * moments), "Moments and original stay in FP32."),
                (P * (6 + 4 * moments), "The gradient in BF16 is missing."),
            ],
            f"Right in FP32; wrong for {moments} moments in BF16.",
        )


def _most_tasks(ask):
    for room, K in ((1.1e9, 1000), (12 * 2**30, 500)):
        v, g = int((room / 20) ** 0.5), int(room / (32 * K))
        bare, half = int((room / 16) ** 0.5), int(room / (16 * K))
        exact = np.array([(room / 20) ** 0.5, room / (32 * K)])
        got = numbers(ask(room, K), (2,))
        if not np.allclose(got, np.round(got)) and np.allclose(got, exact):
            raise Wrong("A part of a task is no task: whole numbers are asked for.")
        expect(
            got,
            [v, g],
            [
                ([bare, g], "V's second matrix, 4 bytes an entry, is missing."),
                ([v, half], "G has two matrices, T × K and K × T."),
                ([bare, half], "G has two matrices, and V needs a second one."),
                ([g, v], "V comes first, then G."),
                ([int(room / 20), g], "V has T² entries, not T."),
            ],
            "Not the most tasks: write down the bytes that T tasks need, then solve.",
        )


def _finish(ask):
    rng = np.random.default_rng(0)
    for load, compute, where in (
        (np.full(6, 1.0), np.full(6, 3.0), "a fast disk"),
        (np.full(6, 3.0), np.full(6, 1.0), "a slow disk"),
        (*rng.uniform(1, 4, size=(2, 8)), "changing times"),
        (np.tile([1.0, 1, 9], 3), np.full(9, 3.0), "bursts"),
    ):
        loaded, free = np.cumsum(load), 0.0
        began = done = 0.0
        for i, (loading, computing) in enumerate(zip(load, compute, strict=True)):
            began = max(began + loading, done)
            done = began + computing
            free = max(free, loaded[i]) + computing  # with places for all
        expect(
            ask(load.copy(), compute.copy()),
            done,
            [
                (
                    (load + compute).sum(),
                    "So nothing overlaps: the loader may begin while the GPU works.",
                ),
                (
                    max(load.sum(), compute.sum()),
                    "That is a bound: the first batch has to be loaded before anything "
                    "is computed.",
                ),
                (
                    load[0] + np.maximum(load[1:], compute[:-1]).sum(),
                    "The last batch has to be computed, too.",
                ),
                (
                    free,
                    "Your loader runs ahead without end; it has a place for one batch.",
                ),
                (
                    load.sum() + compute[-1],
                    "A batch can't begin before the one before it is done.",
                ),
                (
                    load[0] + compute.sum(),
                    "That is right only if every batch is there in time.",
                ),
            ],
            f"Not when the last of {len(load)} batches is done, with {where}.",
        )


CHECKERS = (_halve, _held, _most_tasks, _finish)  # in the order of the exercises
