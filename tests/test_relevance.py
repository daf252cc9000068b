"""Relevance: conserved but for biases and ε, and equal to independent references."""

import copy

import numpy as np
import pytest
import torch
from captum.attr import LRP
from captum.attr._utils.lrp_rules import EpsilonRule, IdentityRule
from torch import nn

from lsmtl.networks import MLP, DenseNet
from lsmtl.relevance import BLOCK, folded, lrp

D, T = 7, 5
SHAPES = {
    "DenseNet": (DenseNet, {}),
    "MLP": (MLP, {}),
    "tanh": (DenseNet, {"activation": "tanh"}),
    "no batch norm": (DenseNet, {"batch_norm": False}),
    "narrow": (DenseNet, {"bottleneck": 3}),
    "narrow MLP, tanh": (MLP, {"bottleneck": 3, "activation": "tanh"}),
    "no hidden layer": (DenseNet, {"hidden": ()}),
}
every = pytest.mark.parametrize("name", SHAPES)
leaky = pytest.mark.parametrize("name", [n for n in SHAPES if "tanh" not in n])


def made(name, biases=True, seed=0):
    """A network in float64 as training may leave it, in evaluation mode."""
    base, settings = SHAPES[name]
    torch.manual_seed(seed)
    network = base(D, T, **{"hidden": (6, 4)} | settings).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, -2, 2)
            if biases:
                nn.init.normal_(module.running_mean)
        if biases and getattr(module, "bias", None) is not None:
            nn.init.normal_(module.bias)
    return network.eval()


def profiles(n=6):
    return torch.randn(n, D, dtype=torch.double, generator=torch.Generator())


def written_out(network, x, w, epsilon):
    """Relevance and what is absorbed, of one profile, message by message in NumPy.

    Straight from the definition: no matrix product, no folding. Batch norm and the
    map before it are one unit with a weight for each input and a bias, both found by
    asking the modules for their outputs.
    """
    x = x.numpy()

    def linear_part(modules, inputs):
        ask = nn.Sequential(*modules)
        with torch.no_grad():
            b = ask(torch.zeros(1, inputs, dtype=torch.double))[0].numpy()
            W = ask(torch.eye(inputs, dtype=torch.double)).numpy().T - b[:, None]
        return W, b

    values, steps = {"x": x}, []
    seen, below = ["x"], "x"
    for number, (*linear, activation, _) in enumerate(network.layers):
        sources = list(seen) if isinstance(network, DenseNet) else [below]
        a = np.concatenate([values[s] for s in sources])
        W, b = linear_part(linear, len(a))
        z = W @ a + b
        below = f"hidden {number}"
        seen.append(below)
        values[below] = activation(torch.tensor(z)).numpy()
        steps.append((below, sources, a, W, b, z))
    sources = list(seen) if isinstance(network, DenseNet) else [below]
    for name in ("narrow", "head"):
        module = getattr(network, name)
        if isinstance(module, nn.Identity):
            continue
        a = np.concatenate([values[s] for s in sources])
        W, b = linear_part([module], len(a))
        values[name] = z = W @ a + b
        steps.append((name, sources, a, W, b, z))
        sources = [name]
    R = {name: np.zeros_like(value) for name, value in values.items()}
    R["head"] = w.numpy() * values["head"]
    absorbed = 0.0
    for name, sources, a, W, b, z in reversed(steps):
        message = np.zeros_like(W)  # R_{i←j}
        for j in range(len(z)):
            below_zero = epsilon * (-1 if z[j] < 0 else 1)
            for i in range(len(a)):
                message[j, i] = W[j, i] * a[i] / (z[j] + below_zero) * R[name][j]
            absorbed += R[name][j] * (b[j] + below_zero) / (z[j] + below_zero)
        ends = np.cumsum([len(values[s]) for s in sources])[:-1]
        for source, part in zip(sources, np.split(message.sum(0), ends), strict=True):
            R[source] += part
    return R["x"], absorbed


@every
@pytest.mark.parametrize("epsilon", [1e-6, 0.3])
def test_is_what_the_equation_says_message_by_message(name, epsilon):
    network, x, w = made(name), profiles(), torch.randn(6, T, dtype=torch.double)
    R = lrp(network, x, w, epsilon)
    for row, x_i, w_i in zip(R, x, w, strict=True):
        expected, absorbed = written_out(network, x_i, w_i, epsilon)
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-9)
        total = (w_i * network(x_i[None])[0]).sum().item()
        assert row.sum().item() + absorbed == pytest.approx(total, abs=1e-8)


@pytest.mark.parametrize("name", ["MLP", "narrow MLP, tanh"])
@pytest.mark.parametrize("epsilon", [1e-6, 0.1])
def test_agrees_with_captum_on_the_folded_network(name, epsilon):
    network, x = made(name), profiles()
    modules = []
    for W, b, activation in folded(network):  # captum has no rule for batch norm
        linear = nn.Linear(W.shape[1], W.shape[0]).double()
        linear.weight.data, linear.bias.data = W.clone(), b.clone()
        modules += [linear] if activation is None else [linear, activation]
    same = nn.Sequential(*modules)
    for t in range(T):
        for module in same:  # captum takes the rules off again
            linear = isinstance(module, nn.Linear)
            module.rule = EpsilonRule(epsilon=epsilon) if linear else IdentityRule()
        expected = LRP(same).attribute(x.clone().requires_grad_(), target=t)
        R = lrp(network, x, torch.arange(T) == t, epsilon)
        torch.testing.assert_close(R, expected.detach(), rtol=1e-6, atol=1e-7)


@every
def test_folded_maps_do_what_the_network_does(name):
    network, x = made(name), profiles()
    a = x
    for W, b, activation in folded(network):
        z = a @ W.T + b
        if activation is None:
            a = z
        else:
            dense = isinstance(network, DenseNet)
            a = torch.cat([a, activation(z)], 1) if dense else activation(z)
    torch.testing.assert_close(a, network(x))


@every
def test_is_conserved_where_there_are_no_biases(name):
    network, x = made(name, biases=False), profiles()
    w = torch.randn(T, dtype=torch.double)
    total = network(x) @ w
    lost = [
        (lrp(network, x, w, epsilon).sum(1) - total).abs().max().item()
        for epsilon in (1e-2, 1e-5, 1e-12)
    ]
    assert lost[0] > lost[1] > lost[2]
    assert lost[2] < 1e-9


@leaky
def test_is_gradient_times_input_as_epsilon_vanishes(name):
    network, x = made(name), profiles().requires_grad_()
    w = torch.randn(T, dtype=torch.double)
    (gradient,) = torch.autograd.grad((network(x) @ w).sum(), x)
    expected = (gradient * x).detach()
    torch.testing.assert_close(lrp(network, x, w, 1e-13), expected)
    assert not torch.allclose(lrp(network, x, w, 0.5), expected)


def test_is_not_gradient_times_input_for_tanh():
    network, x = made("tanh"), profiles().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    assert not torch.allclose(lrp(network, x, None, 1e-13), gradient * x, rtol=0.01)


@every
def test_is_linear_in_the_weights_and_none_means_one_for_all(name):
    network, x = made(name), profiles()
    u, v = torch.randn(2, 6, T, dtype=torch.double)
    both = lrp(network, x, 2 * u - 3 * v)
    torch.testing.assert_close(both, 2 * lrp(network, x, u) - 3 * lrp(network, x, v))
    torch.testing.assert_close(lrp(network, x), lrp(network, x, torch.ones(T)))
    same = lrp(network, x, u[:1].expand(6, T))
    torch.testing.assert_close(lrp(network, x, u[0]), same)


def test_only_targets_with_weight_count():
    network, x = made("DenseNet"), profiles()
    before = lrp(network, x, torch.tensor([0.0, 1, 0, 2, 0]))
    network.head.weight.data[[0, 2, 4]] = 9.0
    after = lrp(network, x, torch.tensor([0.0, 1, 0, 2, 0]))
    torch.testing.assert_close(before, after)
    assert not lrp(network, x, torch.zeros(T)).any()


@every
def test_permuted_landmarks_permute_the_result(name):
    network, x, order = made(name), profiles(), torch.randperm(D)
    permuted = copy.deepcopy(network)
    dense = isinstance(network, DenseNet)
    into = [layer[0] for layer in permuted.layers]
    narrow = isinstance(permuted.narrow, nn.Linear)
    into.append(permuted.narrow if narrow else permuted.head)
    for linear in into if dense else into[:1]:
        linear.weight.data[:, :D] = linear.weight.data[:, order]
    torch.testing.assert_close(permuted(x[:, order]), network(x))
    torch.testing.assert_close(lrp(permuted, x[:, order]), lrp(network, x)[:, order])


def test_a_landmark_that_nothing_looks_at_has_none():
    network, x = made("DenseNet"), profiles()
    for layer in network.layers:
        layer[0].weight.data[:, 2] = 0
    network.head.weight.data[:, 2] = 0
    R = lrp(network, x)
    assert not R[:, 2].any() and R[:, 3].all()


def test_a_profile_is_explained_by_itself_whatever_the_block(monkeypatch):
    network, x = made("DenseNet"), profiles()
    w = torch.randn(6, T, dtype=torch.double)
    at_once = lrp(network, x, w)
    monkeypatch.setattr("lsmtl.relevance.BLOCK", 4)
    torch.testing.assert_close(lrp(network, x, w), at_once)
    torch.testing.assert_close(lrp(network, x, w[0])[:1], at_once[:1])
    assert BLOCK > 4


def test_nothing_is_divided_by_zero():
    network = made("DenseNet", biases=False)
    R = lrp(network, torch.zeros(2, D, dtype=torch.double))
    assert not R.any()
    assert lrp(network, profiles(0)).shape == (0, D)


def test_the_type_of_x_is_that_of_the_work():
    network, x = made("DenseNet"), profiles()
    R = lrp(network, x.float())
    assert R.dtype == torch.float32
    torch.testing.assert_close(R, lrp(network, x).float(), rtol=1e-3, atol=1e-4)
    assert lrp(network.float(), x).dtype == torch.float64
    assert lrp(network, x.numpy()).dtype == torch.float64


@every
@pytest.mark.parametrize("training", [True, False])
def test_the_network_stays_as_it_is(name, training):
    network, x = made(name).train(training), profiles().requires_grad_()
    before = copy.deepcopy(network.state_dict())
    torch.manual_seed(3)
    R = lrp(network, x)
    assert torch.initial_seed() == 3 and not R.requires_grad and x.grad is None
    assert all(module.training == training for module in network.modules())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
    torch.testing.assert_close(R, lrp(network.eval(), x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": nn.Linear(D, T)}, "MLP or a DenseNet.*got Linear"),
        ({"x": torch.zeros(3, D + 1)}, rf"x must have the shape \(samples, {D}\)"),
        ({"x": torch.zeros(D)}, "x must have the shape"),
        ({"x": torch.full((3, D), torch.nan)}, "x must be finite, got nan"),
        ({"x": torch.ones(3, D, dtype=torch.long)}, "floating-point.*int64"),
        ({"weights": torch.ones(T + 1)}, rf"weights.*\({T},\) or \(3, {T}\).*\(6,\)"),
        ({"weights": torch.ones(2, T)}, r"got \(2, 5\)"),
        ({"weights": torch.full((T,), torch.inf)}, "weights must be finite, got inf"),
        ({"weights": "all"}, "weights must be a tensor or an array, got 'all'"),
        ({"epsilon": 0}, "epsilon must be greater than 0, got 0"),
        ({"epsilon": -1.0}, "epsilon must be finite and at least 0"),
        ({"epsilon": float("nan")}, "epsilon must be finite"),
        ({"epsilon": None}, "epsilon must be a number"),
    ],
)
def test_bad_input_is_said(arguments, message):
    given = {"network": DenseNet(D, T, (4,)), "x": torch.zeros(3, D)} | arguments
    with pytest.raises(ValueError, match=message):
        lrp(**given)
