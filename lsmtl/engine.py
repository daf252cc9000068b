"""Where training runs: on one device or several, in which precision, from which memory.

One process needs nothing but PyTorch. Several, started by `torchrun`, run on Lightning
Fabric, and so does one that is given a `Fabric`. `lsmtl.training.fit` uses the same
few methods of either.
"""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

import torch

from lsmtl._checks import one_of

MEANS = ("mean", "profile")  # reductions that are the mean of the processes' own
WARM_UP = 3  # steps before a CUDA graph is recorded


class Single:
    """One process on one device: what `fit` uses of a Fabric, in plain PyTorch."""

    world_size, global_rank = 1, 0

    def __init__(self, device, bf16=False):
        self.device, self.bf16 = device, bf16

    def setup_module(self, module):
        """The module, on the device."""
        return module.to(self.device)

    def autocast(self):
        """A context in which matrix products run in the precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def backward(self, loss):
        """Gradients of a scalar."""
        loss.backward()

    def all_reduce(self, value):
        """The mean over the processes."""
        return value

    def all_gather(self, value):
        """The values of all processes, stacked."""
        return value[None]

    def barrier(self):
        """Wait until all processes are here."""


def launch(device, objective, graph=False):
    """The `Single` or `Fabric` to train on.

    Args:
        device: None is where the network is; else a name such as `"cuda"` or
            `"cpu"`, or a `lightning.fabric.Fabric`, which also decides precision and
            number of processes.
        objective: what is minimised, an `Objective`.
        graph: whether its steps are to be recorded as a CUDA graph.

    Raises:
        ValueError: there is no such device here, or it can't do what the recipe asks.
    """
    recipe = objective.recipe
    if hasattr(device, "setup_module"):
        run = device
        if recipe.precision != "fp32":
            raise ValueError(
                "a Fabric brings its own precision; the recipe's must stay fp32, got "
                f"{recipe.precision!r}"
            )
        run.launch()
    else:
        run = _launch(_device(device, objective.network), recipe.precision)
    if graph:
        if run.device.type != "cuda":
            raise ValueError(f"graph=True is for a GPU, this trains on {run.device}")
        one_of("moments, with graph=True,", recipe.moments, ("fp32",))
        one_of("processes, with graph=True,", run.world_size, (1,))
    if run.world_size > 1:
        penalty = getattr(objective.regularizer, "reduction", "mean")
        for reduction in (recipe.reduction, penalty):
            one_of("reduction, with several processes,", reduction, MEANS)
        one_of("moments, with several processes,", recipe.moments, ("fp32",))
        if recipe.batch_size % run.world_size or recipe.batch_size < 2 * run.world_size:
            raise ValueError(
                f"batch_size {recipe.batch_size} can't be shared by {run.world_size} "
                "processes, at least 2 profiles each"
            )
    return run


def _launch(device, precision):
    if precision == "tf32" and device.type != "cuda":
        raise ValueError(
            f"precision tf32 is for NVIDIA GPUs; on {device.type} use fp32 or bf16"
        )
    world = int(os.environ.get("WORLD_SIZE", 1))  # torchrun sets it
    if world == 1:
        return Single(device, precision == "bf16")
    try:
        from lightning.fabric import Fabric
    except ImportError:
        raise ValueError(
            f"WORLD_SIZE is {world}: several processes need the package lightning"
        ) from None
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    run = Fabric(
        accelerator=device.type,
        devices=here,
        num_nodes=world // here,
        strategy="ddp",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )
    run.launch()
    return run


def _device(device, network):
    if device is None:
        return next(network.parameters()).device
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be cpu or cuda, got {device!r}") from error
    one_of("device", device.type, ("cpu", "cuda"))
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {str(device)!r} isn't here: PyTorch sees "
            f"{torch.cuda.device_count()} GPUs"
        )
    return device


@contextlib.contextmanager
def settings(device, precision):
    """For a while, the current GPU, and whether its FP32 products go through TF32.

    Args:
        device: a `torch.device`.
        precision: a `Recipe`'s; None leaves that as it is.
    """
    before = torch.get_float32_matmul_precision()
    if precision is not None:
        high = precision == "tf32"
        torch.set_float32_matmul_precision("high" if high else "highest")
    gpu = device.type == "cuda"
    try:
        with torch.cuda.device(device) if gpu else contextlib.nullcontext():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def shares(run, n, batch, shuffle):
    """The rows (B,) of every batch of an epoch, or this process's share of them.

    Args:
        run: a `Single` or a Fabric.
        n: number of profiles.
        batch: profiles a step; with fewer profiles, all of them. A last, shorter
            batch is dropped.
        shuffle: a generator on the CPU, so that every device has the same batches.
    """
    batch = min(batch, n)
    order = torch.randperm(n, generator=shuffle).to(run.device)
    order = order[: n - n % batch].view(-1, batch)
    return list(order[:, run.global_rank :: run.world_size])


def batches(x, y, rows, device):
    """Yield x and y of a list of row numbers, one after the other, on the device.

    Profiles on another device are sent there by a second thread, a batch ahead, while
    the device works on the one before.

    Args:
        x, y: (n, D) and (n, T).
        rows: list of tensors of row numbers.
        device: a `torch.device`.
    """
    if x.device.type == y.device.type == device.type:
        for some in rows:
            yield x[some], y[some]
        return
    stream = torch.cuda.Stream(device)
    rows = [some.cpu() for some in rows]

    def send(some):
        with torch.cuda.stream(stream):
            sent = [v[some].pin_memory().to(device, non_blocking=True) for v in (x, y)]
            return sent, stream.record_event()

    with ThreadPoolExecutor(1) as second:
        ahead = [second.submit(send, some) for some in rows[:1]]
        for some in [*rows[1:], None]:
            sent, done = ahead.pop().result()
            if some is not None:
                ahead.append(second.submit(send, some))
            torch.cuda.current_stream(device).wait_event(done)
            for v in sent:
                v.record_stream(torch.cuda.current_stream(device))
            yield sent


class Graphed:
    """A training step on a GPU, recorded as a CUDA graph and then replayed.

    A replay launches all kernels of a step at once, which helps where launching them
    takes longer than running them. The first steps are ordinary ones.

    Args:
        step: (x, y) → tensors; no part of it may wait for the GPU or change a shape.
        generators: of random numbers that it draws beside PyTorch's own.
    """

    def __init__(self, step, generators=()):
        self.step, self.generators, self.steps = step, generators, 0
        self.side = torch.cuda.Stream()

    def __call__(self, x, y):
        """Take a step; the tensors it gives hold until the next."""
        self.steps += 1
        if self.steps <= WARM_UP:
            main = torch.cuda.current_stream()
            self.side.wait_stream(main)
            with torch.cuda.stream(self.side):
                found = self.step(x, y)
            main.wait_stream(self.side)
            return found
        if self.steps == WARM_UP + 1:
            self.batch = x.clone(), y.clone()
            self.graph = torch.cuda.CUDAGraph()
            for generator in self.generators:
                self.graph.register_generator_state(generator)
            # what another thread does for the next batch is no part of it
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.found = self.step(*self.batch)
        for mine, new in zip(self.batch, (x, y), strict=True):
            mine.copy_(new)
        self.graph.replay()
        return self.found


def agree(run, network):
    """Let all processes have the same statistics of batch norm: their mean."""
    if run.world_size > 1:
        for values in network.buffers():
            if values.is_floating_point():
                values.copy_(run.all_reduce(values.clone()))


def agreed(run, value):
    """A number that differs between processes, as all of them know it: its mean."""
    return run.all_reduce(torch.tensor(value, device=run.device)).item()
