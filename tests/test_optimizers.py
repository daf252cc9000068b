"""Adam with BF16 moments, against PyTorch's Adam and its own rounding."""

import pytest
import torch

from lsmtl import optimizers
from lsmtl.optimizers import BF16Adam, rounded


def trained(make, steps, **options):
    """A regression by full batches; the weights on their way."""
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 5, generator=random), torch.randn(64, 3, generator=random)
    w = torch.nn.Parameter(torch.zeros(5, 3))
    optimizer, way = make([w], lr=0.01, **options), []
    for _ in range(steps):
        optimizer.zero_grad()
        (x @ w - y).square().mean().backward()
        optimizer.step()
        way.append(w.detach().clone())
    return torch.stack(way)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_without_rounding_it_is_adam(weight_decay, monkeypatch):
    zeros = torch.zeros_like
    monkeypatch.setattr(optimizers, "rounded", lambda x: x)
    monkeypatch.setattr(torch, "zeros_like", lambda w, **_: zeros(w))
    found = trained(BF16Adam, 100, weight_decay=weight_decay)
    expected = trained(torch.optim.Adam, 100, weight_decay=weight_decay)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_with_rounding_it_stays_near():
    expected = trained(torch.optim.Adam, 300)
    found = trained(BF16Adam, 300)
    assert not torch.equal(found, expected)
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


def test_rounding_gives_neighbours_and_the_mean():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(200, generator=random) * 10.0 ** torch.arange(-10, 10).repeat(10)
    lower = (x.view(torch.int32) & -(1 << 16)).view(torch.float32)  # nearer to zero
    upper = ((x.view(torch.int32) | 0xFFFF) + 1).view(torch.float32)
    many = rounded(x.repeat(20_000, 1)).float()
    assert ((many == lower) | (many == upper)).all()
    error = (many.double().mean(0) - x) / (upper - lower).double()
    assert error.abs().max() < 5 * 0.5 / 20_000**0.5
    exact = torch.tensor([0.0, 1.0, -2.5, 2.0**-20])
    assert torch.equal(rounded(exact).float(), exact)


def test_the_nearest_value_would_keep_v_where_it_is(monkeypatch):
    """Why rounding is at random: a thousandth is less than half a step of BF16."""
    w = torch.nn.Parameter(torch.zeros(1000))
    found = {}
    for name, rounding in (("nearest", torch.Tensor.bfloat16), ("random", rounded)):
        monkeypatch.setattr(optimizers, "rounded", rounding)
        adam = BF16Adam([w])
        for size in [1.0] * 500 + [0.0] * 2000:
            w.grad = torch.full_like(w, size)
            adam.step()
        found[name] = adam.state[w]["v"].float().mean().item()
    exact = (1 - 0.999**500) * 0.999**2000
    assert found["random"] == pytest.approx(exact, rel=0.02)
    assert abs(found["nearest"] - exact) > exact


def test_its_state_comes_back_in_bf16():
    w = torch.nn.Parameter(torch.ones(4))
    w.grad = torch.ones(4)
    first = BF16Adam([w])
    first.step()
    second = BF16Adam([w])
    second.load_state_dict(first.state_dict())
    for name in "mv":
        assert second.state[w][name].dtype == torch.bfloat16
        assert torch.equal(second.state[w][name], first.state[w][name])
