"""Follow a training step: the bytes it holds and moves.

On tensors without content, where the paper's full size needs neither its memory nor a
GPU, and as a check in a process of its own, whose growth the system tells.
"""

import json
import subprocess
import sys
import weakref
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lsmtl._checks import one_of
from lsmtl.lab import timing
from lsmtl.lab.cost import EXTRA, LANDMARKS, TARGETS
from lsmtl.lab.penalties import regularizer
from lsmtl.networks import DenseNet

STATUS = Path("/proc/self/status")  # what Linux says of a process
OVERWRITE = {torch.ops.aten.copy_, torch.ops.aten.zero_, torch.ops.aten.fill_}


def build(method, hidden, targets=TARGETS, landmarks=LANDMARKS, rank=1000):
    """A DenseNet and a method's penalty, or None: what `cost.count` counts.

    Args: as for `cost.count`.
    """
    one_of("method", method, EXTRA)
    network = DenseNet(landmarks, targets, hidden)
    return network, regularizer(method, targets, network.head.in_features, rank=rank)


def traced_peak(make, batch=100, scheme="fp32"):
    """Bytes of all tensors alive at the worst moment of a training step.

    The second step is followed operation by operation on tensors without content:
    each result's storage counts from when it is made until nothing refers to it. What
    libraries take inside an operation, and what an allocator rounds up, is left out.
    For DenseNet, V and G that is to the byte what PyTorch's profiler says of real
    steps. Where a penalty gives a weight a second gradient, PyTorch adds it in place,
    yet not while it is traced: then this is up to two copies of that weight too many.

    Args:
        make: a function that gives a network and a penalty, as for `timing.step`.
        batch: B.
        scheme: see `timing.step`.

    Returns:
        The weights, gradients and Adam's moments, the batch, what is kept for the
        backward pass and temporaries, together.

    >>> peak = traced_peak(lambda: build("Deep-LSMTL", (9000,) * 3))
    >>> round(peak / 2**30, 1)  # GiB
    8.3
    """
    with FakeTensorMode(), _LiveBytes() as live:
        run = _step_without_content(make, batch, scheme)
        run()
        live.peak = live.now
        run()
    return live.peak


def traced_traffic(make, batch=100, scheme="fp32", least=0):
    """Bytes that the operations of a training step read and write.

    As if nothing stayed in a cache between two operations, and each read and wrote its
    tensors once.

    Args:
        make, batch, scheme: as for `traced_peak`.
        least: tensors of fewer bytes are left out.
    """
    with FakeTensorMode():
        run = _step_without_content(make, batch, scheme)
        run()
        with _MovedBytes(least) as moved:
            run()
    return moved.total


def grown(method, hidden, targets, rank=1000, batch=100, scheme="fp32"):
    """Bytes by which a new process grows at the worst moment of three steps (Linux).

    A small step comes before them: what libraries load and keep is no part of it.

    Args: as for `cost.count` and `timing.step`.
    """
    given = json.dumps([method, hidden, targets, rank, batch, scheme])
    code = "from lsmtl.lab import tracing; tracing._grow()"
    done = subprocess.run(
        [sys.executable, "-c", code, given], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def _grow():
    """What the new process does: it prints how far it grew."""
    method, hidden, targets, rank, batch, scheme = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    _three_steps(method, [50], 100, 10, 10, scheme)
    before = _resident("VmRSS")
    _three_steps(method, hidden, targets, rank, batch, scheme)
    print(_resident("VmHWM") - before)


def _three_steps(method, hidden, targets, rank, batch, scheme):
    network, penalty = build(method, hidden, targets, rank=rank)
    x, y = torch.randn(batch, LANDMARKS), torch.randn(batch, targets)
    run = timing.step(network, penalty, x, y, scheme)
    for _ in range(3):
        run()


def _resident(name):
    """VmRSS, the process's bytes in memory now, or VmHWM, the most there were."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {name}")


def _step_without_content(make, batch, scheme):
    network, penalty = make()
    x = torch.empty(batch, network.landmarks)
    y = torch.empty(batch, network.targets)
    return timing.step(network, penalty, x, y, scheme)


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that operations made and that still live."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.live = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        try:
            result = function(*args, **(kwargs or {}))
        except DataDependentOutputException:
            return 0  # such as whether CNMTL still lacks clusters: no
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._hold(tensor.untyped_storage())
        return result

    def _hold(self, storage):
        if id(storage) not in self.live:
            self.live.add(id(storage))
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, id(storage), storage.nbytes())

    def _free(self, key, size):
        self.live.remove(key)
        self.now -= size


class _MovedBytes(TorchDispatchMode):
    """Adds up the bytes that operations read and write."""

    def __init__(self, least):
        super().__init__()
        self.least = least
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        schema = function._schema
        if function.namespace != "aten" or _is_view(schema):
            return result
        names = [a.name for a in schema.arguments]
        given = dict(zip(names, args, strict=False)) | kwargs
        read, written = [], []
        for argument in schema.arguments:
            changed = argument.alias_info is not None and argument.alias_info.is_write
            # a fused Adam may change gradients, but only where they were scaled
            if changed and argument.name != "grads":
                written.append(given.get(argument.name))
            if not (changed and function.overloadpacket in OVERWRITE):
                read.append(given.get(argument.name))
        if not any(value.alias_info for value in schema.returns):
            written.append(result)
        self.total += self._bytes(read) + self._bytes(written)
        return result

    def _bytes(self, values):
        """Bytes of the tensors, each counted once."""
        tensors = {id(v): v for v in tree_leaves(values) if torch.is_tensor(v)}
        sizes = (tensor.nbytes for tensor in tensors.values())
        return sum(size for size in sizes if size >= self.least)


def _is_view(schema):
    return any(
        value.alias_info is not None and not value.alias_info.is_write
        for value in schema.returns
    )
