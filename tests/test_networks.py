"""The base networks F, against their equations written out in NumPy."""

import copy
from decimal import Decimal
from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from lsmtl.networks import HEADS, MLP, DenseNet, count_weights
from lsmtl.regularizers import MaskedLowRank

D, T, HIDDEN = 7, 5, (6, 4)
BOTH = pytest.mark.parametrize("make", [MLP, DenseNet])


def array(tensor):
    return tensor.detach().numpy()


def linears(network):
    return [m for m in network.modules() if isinstance(m, nn.Linear)]


def trained_like(make, **options):
    """A network in double precision, each parameter and running statistic random."""
    torch.manual_seed(0)
    network = make(D, T, HIDDEN, **options).double()
    with torch.no_grad():
        for p in network.parameters():
            p.normal_()
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm1d)):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.2, 3)
    return network.eval()


def hidden_layers(network):
    """x → σ(BatchNorm(xWᵀ + b)) of each hidden layer, in NumPy."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
    for linear, norm in zip(linears(network)[:-1], norms, strict=True):

        def layer(x, linear=linear, norm=norm):
            z = x @ array(linear.weight).T + array(linear.bias)
            z = (z - array(norm.running_mean)) / np.sqrt(array(norm.running_var) + 1e-5)
            z = array(norm.weight) * z + array(norm.bias)
            return np.where(z > 0, z, 0.2 * z)

        yield layer


@pytest.fixture
def x():
    return torch.randn(9, D, dtype=torch.double, generator=torch.manual_seed(1))


@pytest.mark.parametrize(
    ("units", "without", "with_g"),
    [
        (3000, "8.08e7", "9.98e7"),
        (6000, "1.7e8", "1.89e8"),
        (9000, "2.78e8", "2.97e8"),
    ],
)
def test_weights_of_table_2(units, without, with_g):
    with torch.device("meta"):
        base = DenseNet(943, 9520, hidden=(units, units))
        g = MaskedLowRank(9520, rank=1000)
    for modules, printed in (([base], without), ([base, g], with_g)):
        last_digit = 10 ** Decimal(printed).as_tuple().exponent
        assert abs(count_weights(*modules) - float(printed)) < last_digit


@pytest.mark.parametrize(
    ("make", "weights"),
    [
        (MLP, D * 6 + 6 * 4 + 4 * T),
        (DenseNet, D * 6 + (D + 6) * 4 + (D + 6 + 4) * T),
    ],
)
def test_weights_are_those_of_the_linear_maps_only(make, weights):
    network = make(D, T, HIDDEN)
    assert count_weights(network) == weights
    assert count_weights(network, nn.Linear(3, 2)) == weights + 6
    assert sum(p.numel() for p in network.parameters()) > weights  # biases, norms
    assert count_weights() == 0


def test_densenet_features_are_the_concatenation_of_all_layers(x):
    network = trained_like(DenseNet)
    z = x.numpy()
    for layer in hidden_layers(network):
        z = np.concatenate([z, layer(z)], axis=1)
    np.testing.assert_allclose(array(network.features(x)), z, rtol=1e-10)


def test_mlp_features_are_the_last_layer(x):
    network = trained_like(MLP)
    z = x.numpy()
    for layer in hidden_layers(network):
        z = layer(z)
    np.testing.assert_allclose(array(network.features(x)), z, rtol=1e-10)


@BOTH
@pytest.mark.parametrize("activation", ["leaky", "tanh"])
def test_without_batch_norm_a_layer_is_sigma_of_a_linear_map(make, activation, x):
    network = trained_like(make, activation=activation, batch_norm=False)
    z = x.numpy()
    for layer in linears(network)[:-1]:
        a = z @ array(layer.weight).T + array(layer.bias)
        a = np.tanh(a) if activation == "tanh" else np.where(a > 0, a, 0.2 * a)
        z = np.concatenate([z, a], axis=1) if make is DenseNet else a
    np.testing.assert_allclose(array(network.features(x)), z, rtol=1e-10)


def test_batch_norm_with_tanh_is_before_it(x):
    network = MLP(D, T, hidden=(6,), dropout=0.0, activation="tanh").double()
    z = np.arctanh(array(network.features(x)))
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-12)


@BOTH
def test_prediction_is_a_linear_map_of_the_features(make, x):
    network = trained_like(make)
    features = network.features(x)
    expected = array(features) @ array(network.head.weight).T + array(network.head.bias)
    np.testing.assert_allclose(array(network(x)), expected, rtol=1e-10)
    assert network(x).shape == (9, T)
    assert network.head.in_features == features.shape[1]


@BOTH
def test_without_a_hidden_layer_the_network_is_linear(make, x):
    network = make(D, T, hidden=()).double()
    assert torch.equal(network(x), network.head(x))


@BOTH
def test_in_evaluation_a_prediction_depends_on_its_own_row_only(make, x):
    network = trained_like(make)
    alone = torch.cat([network(row[None]) for row in x])
    torch.testing.assert_close(network(x), alone)


def test_in_training_each_unit_is_normalised_over_the_batch(x):
    network = MLP(D, T, hidden=(6,), dropout=0.0).double()
    z = array(network.features(x))
    z = np.where(z > 0, z, z / 0.2)  # undo the LeakyReLU
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(0), 1, rtol=1e-2)


@BOTH
@pytest.mark.parametrize("training", [False, True])
def test_zero_head_predicts_exactly_0(make, training, x):
    network = make(D, T, HIDDEN, head="zero").double().train(training)
    assert torch.equal(network(x), torch.zeros(9, T))


@BOTH
def test_the_heads_start_changes_neither_features_nor_the_random_stream(make, x):
    networks, following = [], []
    for head in HEADS:
        torch.manual_seed(3)
        networks.append(make(D, T, HIDDEN, head=head).double().eval())
        following.append(torch.rand(3))
    xavier, *others = networks
    for network, after in zip(others, following[1:], strict=True):
        assert torch.equal(xavier.features(x), network.features(x))
        assert torch.equal(following[0], after)
    assert xavier(x).abs().min() > 0


@BOTH
def test_a_small_head_is_uniform_within_a_ten_thousandth(make):
    torch.manual_seed(0)
    head = array(make(150, 250, hidden=(300, 200), head="small").head.weight)
    assert 0.999e-4 < np.abs(head).max() <= 1e-4 * (1 + 1e-6)
    assert head.var() == pytest.approx(1e-8 / 3, rel=0.03)


@BOTH
def test_zero_head_can_learn(make, x):
    network = make(D, T, HIDDEN, head="zero").double()
    (network(x) - 1).abs().sum().backward()
    assert network.head.weight.grad.abs().sum() > 0


@BOTH
def test_every_parameter_gets_a_gradient(make, x):
    network = make(D, T, HIDDEN, dropout=0.0).double()
    network(x).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(layer.weight.grad.abs().max() > 0 for layer in linears(network))


@BOTH
def test_start_is_xavier_uniform_with_zero_biases(make):
    torch.manual_seed(0)
    for layer in linears(make(150, 250, hidden=(300, 200))):
        bound = sqrt(6 / sum(layer.weight.shape))
        weight = array(layer.weight)
        assert 0.999 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)
        assert weight.var() == pytest.approx(2 / sum(layer.weight.shape), rel=0.03)
        assert not layer.bias.any()


@BOTH
def test_order_of_landmarks_does_not_matter(make, x):
    network = trained_like(make)
    shuffled, order = copy.deepcopy(network), torch.randperm(D)
    sees_x = linears(shuffled) if make is DenseNet else linears(shuffled)[:1]
    for layer in sees_x:
        layer.weight.data[:, :D] = layer.weight.data[:, order]
    torch.testing.assert_close(shuffled(x[:, order]), network(x))
    assert not torch.allclose(shuffled(x), network(x))


@BOTH
def test_order_of_targets_does_not_matter(make, x):
    network = trained_like(make)
    shuffled, order = copy.deepcopy(network), torch.randperm(T)
    shuffled.head.weight.data = network.head.weight.data[order]
    shuffled.head.bias.data = network.head.bias.data[order]
    torch.testing.assert_close(shuffled(x), network(x)[:, order])


@BOTH
@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_dropout_drops_its_share_of_hidden_units_in_training_only(make, dropout):
    torch.manual_seed(0)
    network, x = make(D, T, hidden=(4000,), dropout=dropout), torch.randn(10, D)
    units = network.features(x)[:, -4000:]
    assert (units == 0).float().mean() == pytest.approx(dropout, abs=0.02)
    assert (network.eval().features(x)[:, -4000:] != 0).all()


@BOTH
def test_without_dropout_training_is_deterministic(make, x):
    network = make(D, T, HIDDEN, dropout=0.0).double()
    assert torch.equal(network(x), network(x))


def test_landmarks_themselves_are_never_dropped_or_scaled(x):
    network = DenseNet(D, T, HIDDEN, dropout=0.9).double().train()
    assert torch.equal(network.features(x)[:, :D], x)


@BOTH
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"landmarks": 0}, "landmarks .* 0"),
        ({"landmarks": 2.5}, r"landmarks .* 2\.5"),
        ({"landmarks": True}, "landmarks .* True"),
        ({"targets": -3}, "targets .* -3"),
        ({"targets": "9520"}, "targets .* '9520'"),
        ({"hidden": 100}, "hidden .* 100"),
        ({"hidden": (8, 0)}, "hidden .* 0"),
        ({"hidden": (2.5,)}, r"hidden .* 2\.5"),
        ({"dropout": 1.0}, r"dropout .* 1\.0"),
        ({"dropout": -0.1}, r"dropout .* -0\.1"),
        ({"dropout": float("nan")}, "dropout .* nan"),
        ({"head": "he"}, "head .* xavier, small, zero.* 'he'"),
        ({"activation": "relu"}, "activation .* leaky, tanh.* 'relu'"),
        ({"batch_norm": "layer"}, "batch_norm .* True, False.* 'layer'"),
    ],
)
def test_wrong_arguments_are_named(make, wrong, named):
    with pytest.raises(ValueError, match=named):
        make(**{"landmarks": D, "targets": T} | wrong)


@BOTH
@pytest.mark.parametrize("shape", [(4, D + 1), (D,), (2, 3, D)])
def test_x_of_another_shape_is_refused(make, shape):
    with pytest.raises(ValueError, match=rf"samples, {D}.*\({shape[0]},"):
        make(D, T, HIDDEN)(torch.zeros(shape))


@BOTH
def test_a_bottleneck_makes_the_map_to_the_targets_low_rank(make):
    network = make(D, T, hidden=(6, 5), dropout=0.0, bottleneck=2).eval()
    x = torch.randn(50, D)
    assert network.features(x).shape == (50, 2)
    found = network(x) - network.head.bias
    assert torch.linalg.matrix_rank(found, rtol=1e-4) == 2
    wide = make(D, T, hidden=(6, 5), dropout=0.0).eval()
    head, narrow = network.head.weight, network.narrow.weight
    state = network.state_dict() | {"head.weight": head @ narrow}
    del state["narrow.weight"]
    wide.load_state_dict(state)
    torch.testing.assert_close(wide(x), network(x))


def test_a_bottleneck_is_a_number_of_units():
    with pytest.raises(ValueError, match="bottleneck"):
        MLP(4, 4, bottleneck=0)
