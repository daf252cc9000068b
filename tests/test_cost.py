"""The cost formulas against what a step really does, counted and measured."""

import copy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from lsmtl import lab
from lsmtl.lab import cost, timing, tracing
from lsmtl.networks import MLP, DenseNet, count_weights
from lsmtl.training import Recipe, fit

FULL = (9000,) * 3


@pytest.mark.parametrize("method", cost.EXTRA)
def test_count_is_that_of_the_modules(method):
    made = tracing.build(method, (7, 5), targets=11, landmarks=6, rank=3)
    found = cost.count(method, (7, 5), targets=11, landmarks=6, rank=3)
    assert found == count_weights(*filter(None, made))


def test_every_printed_count_of_table_2_is_met_within_its_last_digit():
    rows = list(lab.paper_table(2).itertuples())
    assert len(rows) == 13
    for row in rows:
        ours = cost.count(row.method, (int(row.hidden_units),) * 2)
        assert abs(ours - float(row.parameters)) <= lab.unit(row.parameters)


@pytest.mark.parametrize("method", ["DenseNet", "V", "Deep-AMTFL", "Deep-LSMTL"])
def test_operations_are_what_pytorch_counts_on_a_step_of_full_size(method):
    B = 100
    with FakeTensorMode(), FlopCounterMode(display=False) as counter:
        network, penalty = tracing.build(method, FULL)
        x, y = torch.empty(B, network.landmarks), torch.empty(B, network.targets)
        run = timing.step(network, penalty, x, y)
        run()
    expected = cost.operations(cost.count(method, FULL), B)
    # nobody needs the gradient of the landmarks in the first layer's product
    saved = 2 * B * cost.LANDMARKS * FULL[0]
    assert counter.get_total_flops() == expected - saved


def test_traffic_is_the_sum_of_its_lines():
    forward, backward, adam = 4, 4 + 4, 4 * 4 + 3 * 4
    assert cost.traffic(10, "fp32") == 10 * (forward + backward + adam)
    assert cost.traffic(10, "tf32") == cost.traffic(10, "fp32")
    passes = 4 * (3 + 2 + 3 + 2 + 2 + 2 + 4)
    assert cost.traffic(10, "unfused") == 10 * (forward + backward + passes)
    copies, products = (4 + 2) + (2 + 4), 2 + 2 + 2
    assert cost.traffic(10, "autocast") == 10 * (copies + products + adam)
    assert cost.traffic(10, "bf16 weights") == 10 * (products + 14 + 14)
    assert cost.traffic(10, "bf16 states") == 10 * (forward + backward + 12 + 8)


@pytest.mark.parametrize("scheme", ["fp32", "unfused", "autocast"])
def test_traffic_is_what_the_operations_move(scheme):
    """All that is as large as weights; activations here are smaller than any."""
    B, hidden, T = 10, (300, 300), 500

    def make():
        return tracing.build("DenseNet", hidden, T, landmarks=100)

    weights = cost.count("DenseNet", hidden, T, landmarks=100)
    least = 2 * 100 * 300  # the smallest weight matrix in BF16
    assert least > 4 * B * (100 + 300 + 300)
    moved = tracing.traced_traffic(make, B, scheme, least)
    not_read_again = 100 * 300 * (2 if scheme == "autocast" else 4)
    assert moved == cost.traffic(weights, scheme) - not_read_again


def test_traced_peak_is_what_is_counted_by_hand():
    """A linear map of 7 x 11 weights, batch 5: at the end of the forward pass."""
    B, D, T = 5, 7, 11
    P = D * T + T
    found = tracing.traced_peak(lambda: (MLP(D, T, ()), None), B)
    held = 4 * P  # weights, the last step's gradients, Adam's two moments
    kept = 3 * B * T  # predictions, errors and their absolute values
    scalars = 2 + 2  # loss and penalty; Adam's count of steps for weights and biases
    assert found == 4 * (held + kept + scalars + B * (D + T))


@pytest.mark.parametrize("method", ["DenseNet", "V", "Deep-LSMTL"])
@pytest.mark.parametrize(
    ("hidden", "targets", "batch", "rank"),
    [
        (FULL, 9520, 100, 1000),
        ((1000, 1000), 30000, 100, 1000),
        ((1000, 1000), 9520, 100, 5000),
        ((1000,), 9520, 2000, 1000),
    ],
)
def test_peak_is_what_tracing_finds(method, hidden, targets, batch, rank):
    traced = tracing.traced_peak(
        lambda: tracing.build(method, hidden, targets, rank=rank), batch
    )
    formula = cost.peak(method, hidden, targets, rank=rank, batch=batch)
    assert formula == pytest.approx(traced, rel=0.01)


def test_tracing_leaves_no_memory_behind_and_repeats():
    found = {tracing.traced_peak(lambda: tracing.build("V", (50,), 90)) for _ in "abc"}
    assert len(found) == 1


PROFILED = """
import sys, torch
from torch.profiler import ProfilerActivity, profile
from lsmtl.lab import timing, tracing

with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
    network, penalty = tracing.build(sys.argv[1], (60, 60), 200, rank=20)
    x, y = torch.randn(50, network.landmarks), torch.randn(50, 200)
    run = timing.step(network, penalty, x, y)
    for _ in range(3):
        run()
now, peak = 0, 0
events = profiled.profiler.kineto_results.events()
for event in sorted(events, key=lambda event: event.start_ns()):
    if event.name() == "[memory]":
        now += event.nbytes()
        peak = max(peak, now)
print(peak)
"""


@pytest.mark.parametrize("method", ["Deep-GO-MTL", "Deep-AMTFL", "Deep-LSMTL"])
def test_traced_peak_is_that_of_a_real_step_or_a_little_more(method):
    """PyTorch's profiler sees every block that its allocator gives and takes back."""
    done = subprocess.run(
        [sys.executable, "-c", PROFILED, method], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = int(done.stdout.split()[-1])
    sizes = method, (60, 60), 200
    traced = tracing.traced_peak(lambda: tracing.build(*sizes, rank=20), 50)
    head = 4 * (cost.LANDMARKS + 120) * 200
    more = 0 if method == "Deep-LSMTL" else 2 * head
    assert found - 100 <= traced <= found + more + 100


@pytest.mark.skipif(not tracing.STATUS.exists(), reason="asks Linux")
def test_a_real_process_grows_by_what_tracing_finds():
    sizes = "Deep-LSMTL", (600, 600), 3000, 500
    traced = tracing.traced_peak(lambda: tracing.build(*sizes[:3], rank=sizes[3]))
    assert traced > 100e6
    assert tracing.grown(*sizes) == pytest.approx(traced, rel=0.2)


@pytest.mark.parametrize("method", cost.EXTRA)
def test_every_method_is_traced_at_full_size(method):
    traced = tracing.traced_peak(lambda: tracing.build(method, FULL))
    assert traced > cost.HELD["fp32"] * cost.count(method, FULL)


def test_unfused_adam_and_autocast_take_more_memory():
    def found(scheme):
        return tracing.traced_peak(lambda: tracing.build("DenseNet", FULL), 100, scheme)

    head = 4 * (cost.LANDMARKS + sum(FULL)) * cost.TARGETS
    weights = cost.count("DenseNet", FULL)
    assert found("unfused") >= cost.HELD["unfused"] * weights + 2 * head
    more = (cost.HELD["autocast"] - cost.HELD["fp32"]) * weights
    assert found("autocast") - found("fp32") == pytest.approx(more, rel=0.1)


def test_the_step_is_that_of_fit():
    x, y = torch.randn(8, 6), torch.randn(8, 9)
    torch.manual_seed(0)
    network = DenseNet(6, 9, (5,), dropout=0.0, batch_norm=False)
    again, profiles = copy.deepcopy(network), SimpleNamespace(x=x, y=y)
    run = timing.step(network, None, x, y)
    run()
    run()
    recipe = Recipe(epochs=2, batch_size=8, lr=1e-3, final_lr=1e-3)
    trained = fit(again, profiles, profiles, recipe=recipe)
    assert trained.history["validation_mae"].idxmin() == 1
    for a, b in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_least_seconds_is_bound_by_memory_or_by_arithmetic():
    P, B = 1000, 10
    endless = 1e30
    memory = cost.least_seconds(P, B, bandwidth=1e3, peak=endless)
    assert memory == pytest.approx(cost.traffic(P) / 1e3)
    arithmetic = cost.least_seconds(P, B, bandwidth=endless, peak=1e3)
    assert arithmetic == pytest.approx(cost.operations(P, B) / 1e3)
    both = cost.least_seconds(P, B, 1e3, 1e3)
    assert max(memory, arithmetic) < both <= memory + arithmetic
    assert np.isclose(cost.operations(P, B, training=False), 2 * B * P)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cost.traffic(10, "fp16"), "scheme must be one of fp32"),
        (lambda: cost.traffic(-1), "weights must be a whole number"),
        (lambda: cost.count("LSMTL", (3,)), "method must be one of DenseNet"),
        (lambda: cost.peak("Deep-AMTL", (3,)), "DenseNet, V, Deep-LSMTL"),
        (lambda: cost.least_seconds(10, 10, 0, 1), "bandwidth must be"),
        (lambda: cost.least_seconds(10, 10, 1, 0.5), "peak must be"),
        (lambda: cost.operations(10, 0), "batch must be a positive"),
        (lambda: cost.count("V", (0, 5)), "hidden must be a positive"),
        (lambda: cost.count("V", (5,), targets=9.5), "targets must be a positive"),
        (lambda: cost.count("V", (5,), landmarks=-1), "landmarks must be a positive"),
        (lambda: cost.count("Deep-LSMTL", (5,), rank=0), "rank must be a positive"),
        (lambda: cost.activations((5, -5)), "hidden must be a positive"),
        (lambda: cost.peak("V", (5,), targets=0), "targets must be a positive"),
        (lambda: cost.peak("V", (5,), batch=0), "batch must be a positive"),
        (lambda: timing.seconds({}, 1), "functions must hold at least one"),
        (lambda: timing.seconds({"a": list}, 0), "rounds must be a positive"),
        (
            lambda: tracing.traced_peak(
                lambda: (MLP(2, 2, ()), None), 5, "bf16 states"
            ),
            "scheme must be one of fp32, tf32, autocast, unfused",
        ),
    ],
)
def test_what_is_not_allowed_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
