"""Where training runs: on one device or several, in which precision, from which memory.

One process needs nothing but PyTorch. Several, started by `torchrun`, run on Lightning
Fabric, and so does one that is given a `Fabric`. `lsmtl.training.fit` uses the same
few methods of either.
"""

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from lsmtl._checks import one_of

PRECISIONS = ("fp32", "tf32", "bf16")
MEANS = ("mean", "profile")  # reductions that are the mean of the processes' own
STATE = 20  # bytes a weight: itself, gradient, Adam's two moments, its best value
SAVED_EVERY = 60  # seconds between checkpoints
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


def launch(device, recipe, network):
    """The `Single` or `Fabric` to train on.

    Args:
        device: None is where the network is; else a name such as `"cuda"` or
            `"cpu"`, or a `lightning.fabric.Fabric`, which also decides precision and
            number of processes.
        recipe: a `Recipe`; its precision counts here.
        network: what is going to be trained.

    Raises:
        ValueError: there is no such device here, or it can't do what the recipe asks.
    """
    if hasattr(device, "setup_module"):
        run = device
        if recipe.precision != "fp32":
            raise ValueError(
                "a Fabric brings its own precision; the recipe's must stay fp32, got "
                f"{recipe.precision!r}"
            )
        run.launch()
    else:
        run = _launch(_device(device, network), recipe.precision)
    if run.world_size > 1:
        one_of("reduction, with several processes,", recipe.reduction, MEANS)
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
        precision: one of `PRECISIONS`.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    gpu = device.type == "cuda"
    try:
        with torch.cuda.device(device) if gpu else contextlib.nullcontext():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def fits(device, module, profiles):
    """Whether profiles fit on the device beside what training needs.

    Args:
        device: a `torch.device`.
        module: what is trained.
        profiles: x (n, D) and y (n, T).
    """
    if device.type != "cuda":
        return True
    data = sum(v.nbytes for v in profiles if v.device.type != "cuda")
    state = STATE * sum(p.numel() for p in module.parameters())
    return data + state < 0.8 * torch.cuda.mem_get_info(device)[0]


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

    def __call__(self, x, y):
        """Take a step; the tensors it gives hold until the next."""
        self.steps += 1
        if self.steps <= WARM_UP:
            side, main = torch.cuda.Stream(), torch.cuda.current_stream()
            side.wait_stream(main)
            with torch.cuda.stream(side):
                found = self.step(x, y)
            main.wait_stream(side)
            return found
        if self.steps == WARM_UP + 1:
            self.batch = x.clone(), y.clone()
            self.graph = torch.cuda.CUDAGraph()
            for generator in self.generators:
                self.graph.register_generator_state(generator)
            with torch.cuda.graph(self.graph):
                self.found = self.step(*self.batch)
        for mine, new in zip(self.batch, (x, y), strict=True):
            mine.copy_(new)
        self.graph.replay()
        return self.found


class Checkpoint:
    """A file from which a training goes on as if it had not stopped.

    Args:
        path: the file; None keeps nothing.
        run: a `Single` or a Fabric; its first process writes.
        objective: the module with all the weights that are trained.
        optimizer: over them.
        generators: of random numbers, beside PyTorch's own.
        progress: an object whose attributes are kept too.
    """

    def __init__(self, path, run, objective, optimizer, generators, progress):
        self.path = None if path is None else Path(path)
        self.run, self.generators, self.progress = run, generators, progress
        self.objective, self.optimizer = objective, optimizer
        self.saved = 0.0

    def resume(self, settings, *profiles):
        """Go on from the file, if it is there. Nothing in it is executed.

        Args:
            settings: what the training was started with.
            profiles: x and y of each part, told by some of their rows.

        Raises:
            ValueError: the file is no checkpoint, or one of another training.
        """
        self.settings = {
            "network": _described(self.objective.network),
            "regularizer": _described(self.objective.regularizer),
            "profiles": _some_rows(profiles),
            "processes": self.run.world_size,
        } | settings
        if self.path is None or not self.path.exists():
            return
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
            found = kept["settings"]
        except Exception as error:
            raise ValueError(
                f"{self.path} is no checkpoint of a training: {error}"
            ) from None
        for name, value in self.settings.items():
            if found.get(name) != value:
                raise ValueError(
                    f"{self.path} is of another training: its {name} was "
                    f"{found.get(name)!r}, here it is {value!r}"
                )
        vars(self.progress).update(kept["progress"])
        self.objective.load_state_dict(kept["objective"])
        groups = self.optimizer.state_dict()["param_groups"]
        states = {"state": kept["optimizer"], "param_groups": groups}
        self.optimizer.load_state_dict(states)
        for generator, state in zip(self.generators, kept["generators"], strict=True):
            generator.set_state(state)
        rank = self.run.global_rank
        torch.set_rng_state(kept["random"][rank].clone())  # a view would crash
        if self.run.device.type == "cuda":
            torch.cuda.set_rng_state(kept["cuda"][rank].clone(), self.run.device)

    def save(self, spent, last):
        """Write the file, when `SAVED_EVERY` has passed or this is the last time.

        A reader finds the file before or the file after, whole.

        Args:
            spent: seconds since the training began, the same in all processes.
            last: whether this is the last time.
        """
        if self.path is None or (not last and spent < self.saved + SAVED_EVERY):
            return
        self.saved = spent
        kept = {
            "settings": self.settings,
            "progress": vars(self.progress),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "generators": [generator.get_state() for generator in self.generators],
            "random": self.run.all_gather(torch.get_rng_state()).cpu(),
        }
        if self.run.device.type == "cuda":
            state = torch.cuda.get_rng_state(self.run.device)
            kept["cuda"] = self.run.all_gather(state).cpu()
        if self.run.global_rank == 0:
            part = self.path.with_name(self.path.name + ".part")
            torch.save(kept, part)
            os.replace(part, self.path)
        self.run.barrier()


def _described(module):
    """Kind and settings of a module, in words that a checkpoint can hold."""
    if module is None:
        return None
    settings = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, int | float | str) and name != "training"
    }
    shapes = [tuple(p.shape) for p in module.parameters()]
    return f"{type(module).__name__} {settings} {shapes}"


def _some_rows(profiles):
    """A hash of some rows of x and y of each part, and of their number."""
    digest = hashlib.sha256()
    for v in (v for part in profiles for v in part):
        digest.update(f"{tuple(v.shape)}".encode())
        digest.update(v[:: len(v) // 64 + 1].cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def agreed(run, value):
    """A number that differs between processes, as all of them know it: its mean."""
    return run.all_reduce(torch.tensor(value, device=run.device)).item()


@contextlib.contextmanager
def explained(device, objective, profiles):
    """Turn an error that memory ran out into one that says what would fit.

    Raises:
        MemoryError: it ran out.
    """
    try:
        yield
    except RuntimeError as error:
        out = isinstance(error, torch.cuda.OutOfMemoryError)
        if not out and "allocate memory" not in str(error):
            raise
        raise MemoryError(would_fit(device, objective, profiles)) from error


def would_fit(device, objective, profiles):
    """What a training takes of the device's memory, and what would fit, in words."""
    if device.type == "cuda":
        total = torch.cuda.mem_get_info(device)[1]
    else:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    weights = sum(p.numel() for p in objective.parameters())
    profile = activations(objective.network)
    batch = min(objective.recipe.batch_size, len(profiles[0]))
    data = sum(v.nbytes for v in profiles)
    left = total - STATE * weights
    advice = []
    if device.type == "cuda":
        advice.append("the profiles outside, with resident=False")
    if left > data + 2 * profile:
        advice.append(f"a batch of at most {(left - data) // profile:,}")
    advice.append(f"at most {total // STATE:,} weights, and that with no profile")
    return (
        f"memory ran out, of {_gb(total)} on {device}: {weights:,} weights with "
        f"gradients, Adam's moments and a copy of the best {_gb(STATE * weights)}, the "
        f"training profiles {_gb(data)}, a batch of {batch} at least "
        f"{_gb(batch * profile)}. What would fit: {'; '.join(advice)}"
    )


def activations(network):
    """Bytes a profile that a forward pass keeps for the backward pass, at least.

    >>> from lsmtl.networks import MLP
    >>> activations(MLP(20, 50, hidden=(8,), dropout=0.0)) > 4 * 20
    True
    """
    kept = {}

    def keep(tensor):
        if tensor.dim() > 1 and tensor.shape[0] == 2:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    state = {k: v.to("meta") for k, v in network.state_dict(keep_vars=True).items()}
    x = torch.empty(2, network.landmarks, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        torch.func.functional_call(network, state, (x,)).sum()
    targets = 3 * 4 * network.targets  # predictions, measured values, their difference
    return sum(v.nbytes for v in kept.values()) // 2 + targets


def _gb(size):
    return f"{size / 1e9:.1f} GB"
