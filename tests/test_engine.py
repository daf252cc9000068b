"""Where and how `fit` runs: precision, several processes, checkpoints, memory."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lsmtl import checkpoints, engine, memory, training
from lsmtl.data import Profiles
from lsmtl.engine import Single
from lsmtl.networks import MLP, DenseNet
from lsmtl.objective import Objective
from lsmtl.regularizers import AMTL, CNMTL, MaskedLowRank
from lsmtl.training import Recipe, fit, predict

D, T = 8, 6
SHORT = Recipe(epochs=5, batch_size=16, lr=1e-2, final_lr=1e-3)
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def profiles(n, seed=0):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(n, D, generator=random)
    return Profiles(x, x[:, :T] + 0.3 * torch.randn(n, T, generator=random))


TRAIN, VALIDATION = profiles(60), profiles(30, seed=1)


def network(seed=0, dropout=0.2, **options):
    torch.manual_seed(seed)
    return DenseNet(D, T, hidden=(12,), dropout=dropout, **options)


def g(seed=0, **options):
    torch.manual_seed(seed)
    return MaskedLowRank(T, rank=3, **options)


def same(a, b):
    pd.testing.assert_frame_equal(a.history, b.history, check_exact=True)
    a, b = a.network.state_dict(), b.network.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


# Checkpoints


@pytest.mark.parametrize(
    "make", [lambda s: None, g, lambda s: AMTL(T), lambda s: CNMTL(T, 2)]
)
@pytest.mark.parametrize("decay", [None, 0.5])
def test_a_training_goes_on_as_if_it_had_not_stopped(make, decay, tmp_path):
    recipe = replace(SHORT, decay=decay)
    whole = fit(network(), TRAIN, VALIDATION, make(0), recipe, seed=3)
    for stop in range(recipe.epochs):  # each time with other weights to start from
        start, regularizer = network(stop), make(stop)
        parts = fit(
            start, TRAIN, VALIDATION, regularizer, recipe, seed=3,
            checkpoint=tmp_path / "a.pt", minutes=0,
        )  # fmt: skip
        assert len(parts.history) == stop + 1
    same(parts, whole)


def test_a_finished_training_is_read_and_not_repeated(tmp_path, monkeypatch):
    file = tmp_path / "a.pt"
    first = fit(network(), TRAIN, VALIDATION, g(), SHORT, checkpoint=file)
    monkeypatch.setattr(training, "step", lambda *_: pytest.fail("another step"))
    same(fit(network(5), TRAIN, VALIDATION, g(5), SHORT, checkpoint=file), first)


def test_the_regulariser_comes_back_too(tmp_path):
    file, first, second = tmp_path / "a.pt", g(), g(5)
    for regularizer in (first, second):
        fit(network(), TRAIN, VALIDATION, regularizer, SHORT, checkpoint=file)
    assert torch.equal(first.V1.weight, second.V1.weight)


def test_checkpoints_are_written_now_and_then(tmp_path, monkeypatch):
    file, seen = tmp_path / "a.pt", []
    monkeypatch.setattr(torch, "save", lambda kept, part: seen.append(kept))
    monkeypatch.setattr(os, "replace", lambda part, path: None)
    fit(network(), TRAIN, VALIDATION, None, SHORT, checkpoint=file)
    assert [kept["progress"]["epoch"] for kept in seen] == [5]
    seen.clear()
    monkeypatch.setattr(checkpoints, "SAVED_EVERY", 0)
    fit(network(), TRAIN, VALIDATION, None, SHORT, checkpoint=file)
    assert len(seen) == 5


OTHERS = {
    "recipe": {"recipe": replace(SHORT, lr=0.02)},
    "seed": {"seed": 1},
    "network": {"network": MLP(D, T, hidden=(12,))},
    "regularizer": {"regularizer": g(strength=0.5)},
    "profiles": {"train": profiles(60, seed=9)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_another_training_is_refused(name, tmp_path):
    usual = {
        "network": network(), "train": TRAIN, "validation": VALIDATION,
        "regularizer": g(), "recipe": SHORT, "checkpoint": tmp_path / "a.pt",
    }  # fmt: skip
    fit(**usual, minutes=0)
    with pytest.raises(ValueError, match=f"a.pt is of another training: its {name} "):
        fit(**usual | OTHERS[name])


class Evil:
    """Unpickled by a careless reader, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_code_in_a_checkpoint_is_executed(tmp_path):
    file, made = tmp_path / "a.pt", tmp_path / "made"
    torch.save({"settings": Evil(made)}, file)
    with pytest.raises(ValueError, match=r"a\.pt is no checkpoint of a training"):
        fit(network(), TRAIN, VALIDATION, recipe=SHORT, checkpoint=file)
    assert not made.exists()
    torch.load(file, weights_only=False)  # a careless reader executes it
    assert made.exists()


def test_dropout_and_activation_are_a_part_of_the_network(tmp_path):
    file = tmp_path / "new" / "a.pt"  # whose folder is made
    start = MLP(D, T, (12,), dropout=0.2)
    fit(start, TRAIN, VALIDATION, None, SHORT, checkpoint=file, minutes=0)
    for other in ({"dropout": 0.7}, {"activation": "tanh"}):
        start = MLP(D, T, (12,), **{"dropout": 0.2} | other)
        with pytest.raises(ValueError, match="another training: its network differs"):
            fit(start, TRAIN, VALIDATION, None, SHORT, checkpoint=file)


def test_a_broken_checkpoint_is_an_error(tmp_path):
    file = tmp_path / "a.pt"
    file.write_bytes(b"half")
    with pytest.raises(ValueError, match=r"a\.pt is no checkpoint"):
        fit(network(), TRAIN, VALIDATION, recipe=SHORT, checkpoint=file)


# Several processes

PROCESS = """
import json, sys, torch
from tests.test_engine import FROZEN, LONGER, TRAIN, VALIDATION, g, network, told
from lsmtl.training import fit

found = [told(fit(FROZEN(), TRAIN, VALIDATION, g(), LONGER, seed=3))]
found.append(told(fit(network(), TRAIN, VALIDATION, g(), LONGER, seed=3)))
for stop in range(LONGER.epochs):
    again = network(stop), TRAIN, VALIDATION, g(stop), LONGER, 3
    parts = fit(*again, checkpoint=sys.argv[1], minutes=0)
found.append(told(parts))
if torch.distributed.get_rank() == 0:
    print(json.dumps(found))
"""
LONGER = Recipe(epochs=4, batch_size=20, lr=1e-3, final_lr=1e-4)


def told(trained):
    weights = torch.cat([p.flatten() for p in trained.network.parameters()])
    return [weights.tolist(), np.asarray(trained.history).tolist()]


class Frozen(DenseNet):
    """Batch norm stays in evaluation mode."""

    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.training = False
        return self


def FROZEN():
    torch.manual_seed(0)
    return Frozen(D, T, hidden=(12,), dropout=0.0)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes found: without chance, with dropout, the same in parts."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    file = tmp_path_factory.mktemp("two") / "a.pt"
    done = subprocess.run(
        [sys.executable, *torchrun, "--no-python", sys.executable, "-c", PROCESS, file],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_two_processes_go_on_as_if_they_had_not_stopped(two):
    _, whole, parts = two
    assert whole == parts


def test_two_processes_are_one_with_the_same_global_batch(two):
    weights, history = two[0]
    alone, alone_history = told(fit(FROZEN(), TRAIN, VALIDATION, g(), LONGER, seed=3))
    before = told(SimpleNamespace(network=FROZEN(), history=np.empty(0)))[0]
    assert np.abs(np.subtract(alone, before)).max() > 1e-3  # they moved
    np.testing.assert_allclose(weights, alone, rtol=0, atol=2e-6)
    np.testing.assert_allclose(history, alone_history, rtol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (replace(SHORT, reduction="sum"), "reduction, with several processes,"),
        (replace(SHORT, moments="bf16"), "moments, with several processes,"),
        (replace(SHORT, batch_size=15), "batch_size 15 can't be shared by 2"),
        (replace(SHORT, batch_size=2), "batch_size 2 can't be shared by 2"),
    ],
)
def test_what_processes_cannot_share_is_an_error(recipe, message):
    two = SimpleNamespace(setup_module=None, launch=lambda: None, world_size=2)
    with pytest.raises(ValueError, match=message):
        fit(network(), TRAIN, VALIDATION, recipe=recipe, device=two)


def test_a_penalty_that_is_a_sum_is_not_shared_either():
    two = SimpleNamespace(setup_module=None, launch=lambda: None, world_size=2)
    with pytest.raises(ValueError, match="reduction, with several processes,"):
        fit(network(), TRAIN, VALIDATION, g(reduction="sum"), SHORT, device=two)


@pytest.mark.parametrize(("n", "block"), [(1, 9), (5, 9), (7, 2), (8, 1)])
def test_shares_of_any_size_score_as_one(n, block, monkeypatch):
    monkeypatch.setattr(training, "BLOCK", block)
    start, some = network(), profiles(n)
    whole = (predict(start, some.x) - some.y).abs().mean().item()

    def share(rank):
        two = Single(torch.device("cpu"))
        two.world_size, two.global_rank = 2, rank
        return training.evaluate(two, start, some.x, some.y)

    # each knows its own part only: what the processes would average
    assert (share(0) + share(1)) / 2 == pytest.approx(whole, rel=1e-6)


def test_several_processes_need_lightning(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "lightning.fabric", None)
    with pytest.raises(ValueError, match="several processes need the package lightn"):
        fit(network(), TRAIN, VALIDATION, recipe=SHORT)


@pytest.mark.parametrize(("n", "batch", "steps"), [(23, 6, 3), (24, 6, 4), (5, 6, 1)])
def test_processes_share_the_batches_of_one(n, batch, steps):
    def rows(rank, world):
        run = SimpleNamespace(device="cpu", global_rank=rank, world_size=world)
        return engine.shares(run, n, batch, torch.Generator().manual_seed(4))

    alone, *parts = (rows(*v) for v in [(0, 1), (0, 2), (1, 2)])
    assert [len(part) for part in (alone, *parts)] == [steps] * 3
    for whole, *shares in zip(alone, *parts, strict=True):
        assert torch.cat(shares).sort().values.tolist() == whole.sort().values.tolist()


def test_a_fabric_of_ones_own_decides_device_and_precision(tmp_path):
    from lightning.fabric import Fabric

    runs = [
        Fabric(accelerator="cpu", devices=1, precision=p)
        for p in ("32-true", "bf16-mixed")
    ]
    exact, rough = (
        fit(network(), TRAIN, VALIDATION, g(), SHORT, device=run) for run in runs
    )
    plain = fit(network(), TRAIN, VALIDATION, g(), SHORT)
    same(exact, plain)
    for _ in range(SHORT.epochs):
        file = tmp_path / "a.pt"
        parts = fit(
            network(), TRAIN, VALIDATION, g(), SHORT,
            device=runs[0], checkpoint=file, minutes=0,
        )  # fmt: skip
    same(parts, plain)
    assert 0 < np.abs(rough.history - plain.history).to_numpy().max() < 0.1
    with pytest.raises(ValueError, match="a Fabric brings its own precision"):
        fit(
            network(),
            TRAIN,
            VALIDATION,
            recipe=replace(SHORT, precision="bf16"),
            device=runs[0],
        )


# Devices and precision


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("abacus", "device must be cpu or cuda, got 'abacus'"),
        ("mps", "device must be one of cpu, cuda"),
        (3.5, "device must be cpu or cuda, got 3.5"),
        ("cuda:99", "device 'cuda:99' isn't here"),
    ],
)
def test_a_device_that_is_not_here_is_an_error(device, message):
    with pytest.raises(ValueError, match=message):
        fit(network(), TRAIN, VALIDATION, recipe=SHORT, device=device)


def test_precision_is_one_that_the_device_has():
    with pytest.raises(ValueError, match="precision must be one of fp32, tf32, bf16"):
        Recipe(precision="fp8")
    with pytest.raises(ValueError, match="precision tf32 is for NVIDIA GPUs"):
        fit(
            network(),
            TRAIN,
            VALIDATION,
            recipe=replace(SHORT, precision="tf32"),
            device="cpu",
        )


def test_bf16_rounds_the_products_and_leaves_the_weights_exact():
    seen = []

    class Watcher(nn.Module):
        def forward(self, network, features, predictions, losses=None):
            seen.append(predictions.dtype)
            return predictions.float().square().mean()

    exact, rough = (
        fit(network(), TRAIN, VALIDATION, Watcher(), replace(SHORT, precision=p))
        for p in ("fp32", "bf16")
    )
    assert set(seen) == {torch.float32, torch.bfloat16}
    weights = [v.network.head.weight for v in (exact, rough)]
    assert all(w.dtype == torch.float32 for w in weights)
    assert 0 < (weights[0] - weights[1]).abs().max() < 0.05
    assert not torch.equal(weights[1], weights[1].bfloat16().float())


def test_graphs_are_for_a_gpu():
    with pytest.raises(ValueError, match="graph=True is for a GPU, this trains on cpu"):
        fit(network(), TRAIN, VALIDATION, recipe=SHORT, device="cpu", graph=True)


@pytest.mark.parametrize("name", ["resident", "graph"])
def test_switches_are_true_or_false(name):
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        fit(network(), TRAIN, VALIDATION, recipe=SHORT, **{name: "yes"})


# Time and memory


def test_no_epoch_begins_that_would_end_too_late(monkeypatch):
    clock = iter(range(0, 1000, 10))  # each look at the clock costs 10 s
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    for minutes, epochs in [(0, 1), (0.5, 3), (0.65, 3), (0.67, 4), (5, 5)]:
        trained = fit(network(), TRAIN, VALIDATION, recipe=SHORT, minutes=minutes)
        assert len(trained.history) == epochs
    with pytest.raises(ValueError, match="minutes must be"):
        fit(network(), TRAIN, VALIDATION, recipe=SHORT, minutes=-1)


@pytest.mark.parametrize("block", [1, 7, 29, 30, 4096])
def test_scores_do_not_depend_on_the_block(block, monkeypatch):
    monkeypatch.setattr(training, "BLOCK", block)
    start = network()
    expected = (predict(start, VALIDATION.x) - VALIDATION.y).abs().mean().item()
    found = training.evaluate(
        Single(torch.device("cpu")), start, VALIDATION.x, VALIDATION.y
    )
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "error",
    [torch.cuda.OutOfMemoryError("CUDA out of memory"),
     RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …")],
)  # fmt: skip
def test_memory_that_runs_out_says_what_would_fit(error, monkeypatch):
    def forward(self, x, y):
        raise error

    monkeypatch.setattr(Objective, "forward", forward)
    with pytest.raises(MemoryError) as found:
        fit(network(), TRAIN, VALIDATION, g(), SHORT)
    count = sum(p.numel() for m in (network(), g()) for p in m.parameters())
    message = str(found.value)
    assert f"{count:,} weights" in message
    assert "a batch of 16 at least" in message
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    data = 4 * 60 * (D + T)
    batch = (total - 20 * count - data) // memory.activations(network())
    assert f"a batch of at most {batch:,}" in message
    assert found.value.__cause__ is error


def test_other_errors_stay_what_they_are(monkeypatch):
    def forward(self, x, y):
        raise RuntimeError("something else")

    monkeypatch.setattr(Objective, "forward", forward)
    with pytest.raises(RuntimeError, match="something else"):
        fit(network(), TRAIN, VALIDATION, g(), SHORT)


def test_activations_counted_by_hand():
    """Two layers, no batch norm: what the backward pass reads of each profile."""
    H = 12
    plain = MLP(D, T, (H, H), dropout=0.0, activation="tanh", batch_norm=False)
    inputs = (
        D + H + H
    )  # of the three linear maps; a tanh keeps its output, which is one
    assert memory.activations(plain) == 4 * (inputs + 3 * T)
    before = {k: v.clone() for k, v in plain.state_dict().items()}
    memory.activations(network())
    assert all(torch.equal(v, before[k]) for k, v in plain.state_dict().items())


# On a GPU


def on_gpu(recipe=None, dropout=0.0, regularizer=None, **options):
    """A training on the GPU."""
    recipe = recipe or Recipe(epochs=20, batch_size=16, lr=1e-2, final_lr=1e-3)
    start = network(dropout=dropout)
    return fit(start, TRAIN, VALIDATION, regularizer, recipe, device="cuda", **options)


@GPU
@pytest.mark.parametrize(
    "options",
    [{"resident": False}, {"graph": True}, {"graph": True, "resident": False}],
)
@pytest.mark.parametrize("make", [lambda: None, g])
def test_streams_and_graphs_change_nothing_but_time(options, make):
    found, plain = on_gpu(regularizer=make(), **options), on_gpu(regularizer=make())
    np.testing.assert_allclose(found.history, plain.history, rtol=1e-3)


@GPU
def test_a_gpu_and_a_processor_learn_the_same():
    recipe = Recipe(epochs=3, batch_size=60, lr=1e-3)
    plain = fit(network(dropout=0.0), TRAIN, VALIDATION, None, recipe)
    found = on_gpu(recipe)
    np.testing.assert_allclose(found.history, plain.history, rtol=1e-4)
    assert next(found.network.parameters()).is_cuda


@GPU
@pytest.mark.parametrize(
    "more", [{"precision": "tf32"}, {"precision": "bf16"}, {"moments": "bf16"}]
)
def test_fewer_bits_learn_nearly_the_same(more):
    exact = Recipe(epochs=20, batch_size=16, lr=1e-2, final_lr=1e-3)
    plain, rough = (on_gpu(r).history for r in (exact, replace(exact, **more)))
    assert torch.get_float32_matmul_precision() == "highest"
    error = rough["validation_mae"].min() / plain["validation_mae"].min()
    assert abs(error - 1) < 0.05


@GPU
@pytest.mark.parametrize("graph", [False, True])
def test_checkpoints_on_a_gpu(graph, tmp_path):
    whole = on_gpu(dropout=0.2, regularizer=g())
    for _ in range(20):
        parts = on_gpu(
            dropout=0.2, regularizer=g(), graph=graph,
            checkpoint=tmp_path / "a.pt", minutes=0,
        )  # fmt: skip
    assert len(parts.history) == 20
    if not graph:  # its few steps of each epoch are ordinary ones
        np.testing.assert_allclose(parts.history, whole.history, rtol=1e-3)


@GPU
def test_memory_that_really_runs_out():
    torch.cuda.set_per_process_memory_fraction(0.02)
    units = int((0.02 * torch.cuda.mem_get_info()[1] / 10) ** 0.5)
    wide = DenseNet(D, T, hidden=(units, units))  # 4 bytes a weight fit, 16 don't
    try:
        with pytest.raises(MemoryError, match="What would fit"):
            fit(wide, TRAIN, VALIDATION, device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
