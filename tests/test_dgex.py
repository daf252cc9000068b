"""D-GEX: two tanh networks, each trained for half of the targets."""

import copy
from math import sqrt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lsmtl import dgex, training
from lsmtl.dgex import DGEX
from lsmtl.training import Recipe, predict

D, T = 6, 7


def profiles(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D))
    y = x @ np.random.default_rng(9).normal(size=(D, T)) / 2 + rng.normal(size=(n, T))
    return SimpleNamespace(x=torch.tensor(x).float(), y=torch.tensor(y).float())


TRAIN, VALIDATION = profiles(50), profiles(30, seed=1)
SHORT = Recipe(
    5, 20, lr=0.02, reduction="profile", loss="squared", optimizer="sgd",
    momentum=0.5, decay=0.9, deeper=3.0,
)  # fmt: skip


def network(dropout=0.25, hidden=(5, 4)):
    torch.manual_seed(0)
    return DGEX(D, T, hidden, dropout)


def array(tensor):
    return tensor.detach().numpy()


def maps(module):
    return [m for m in module.modules() if isinstance(m, nn.Linear)]


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_forward_written_out():
    net = network().double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.normal_()
    x = torch.randn(9, D, dtype=torch.double)
    parts = []
    for half in net.halves:
        z = x.numpy()
        for layer in maps(half)[:-1]:
            z = np.tanh(z @ array(layer.weight).T + array(layer.bias))
        parts.append(z @ array(half.head.weight).T + array(half.head.bias))
    assert [p.shape[1] for p in parts] == [4, 3]
    np.testing.assert_allclose(array(net(x)), np.hstack(parts), rtol=1e-10)
    assert torch.equal(predict(net, x), net(x).detach())


def test_start_is_glorot_in_hidden_layers_and_tiny_at_the_head():
    torch.manual_seed(0)
    net = DGEX(150, 500, hidden=(300, 200))
    for half in net.halves:
        *hidden, head = maps(half)
        for layer in hidden:
            bound = sqrt(6 / sum(layer.weight.shape))
            assert 0.999 * bound < layer.weight.abs().max() <= bound * (1 + 1e-6)
        assert 0.999e-4 < head.weight.abs().max() <= 1e-4 * (1 + 1e-6)
        assert not any(layer.bias.any() for layer in maps(half))
    one, two = net.halves
    assert not torch.equal(one.head.weight, two.head.weight)


def test_no_batch_norm_and_dropout_after_hidden_layers_only():
    kinds = [type(m) for m in network(dropout=0.25).halves[0].layers.modules()]
    assert nn.BatchNorm1d not in kinds
    torch.manual_seed(0)
    wide = DGEX(D, T, hidden=(5000,), dropout=0.25).train()
    z = wide.halves[0].features(torch.randn(20, D))
    assert (z == 0).float().mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("targets", [2, 7, 9520])
def test_halves_cover_all_targets_once(targets):
    with torch.device("meta"):
        halves = DGEX(D, targets, hidden=(2,)).halves
    first, second = (half.targets for half in halves)
    assert first + second == targets
    assert 0 <= first - second <= 1


def test_each_half_trains_as_it_would_alone():
    trained = dgex.fit(network(), TRAIN, VALIDATION, SHORT, seed=3)
    first = 0
    for number, half in enumerate(network().halves):
        parts = [
            SimpleNamespace(x=p.x, y=p.y[:, first : first + half.targets])
            for p in (TRAIN, VALIDATION)
        ]
        alone = training.fit(half, *parts, recipe=SHORT, seed=3)
        assert same(alone.network, trained.network.halves[number])
        history = trained.history.query("half == @number").drop(columns="half")
        pd.testing.assert_frame_equal(
            history.reset_index(drop=True), alone.history, check_exact=True
        )
        first += half.targets


def test_a_half_does_not_see_the_targets_of_the_other():
    changed = [SimpleNamespace(x=p.x, y=p.y.clone()) for p in (TRAIN, VALIDATION)]
    for part in changed:
        part.y[:, 4:] *= -2
    one, other = (
        dgex.fit(network(), *parts, SHORT).network.halves
        for parts in ((TRAIN, VALIDATION), changed)
    )
    assert same(one[0], other[0])
    assert not same(one[1], other[1])


def test_the_seed_decides():
    fits = [dgex.fit(network(), TRAIN, VALIDATION, SHORT, s).network for s in (1, 1, 2)]
    assert same(fits[0], fits[1])
    assert not same(fits[0], fits[2])


def test_it_learns_and_comes_back_in_evaluation_mode():
    start = network(dropout=0.0, hidden=(20,))
    before = copy.deepcopy(start)
    recipe = Recipe(**{**SHORT.__dict__, "epochs": 100})
    trained = dgex.fit(start, TRAIN, VALIDATION, recipe)
    assert trained.network is start
    assert not any(m.training for m in start.modules())
    errors = [(predict(n, TRAIN.x) - TRAIN.y).abs().mean() for n in (before, start)]
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.parametrize(("layers", "lr"), [(1, 5e-4), (2, 3e-4), (3, 3e-4)])
def test_its_recipe(layers, lr):
    recipe = dgex.recipe(layers, epochs=7)
    assert (recipe.epochs, recipe.batch_size, recipe.lr) == (7, 200, lr)
    assert (recipe.loss, recipe.optimizer, recipe.momentum) == ("squared", "sgd", 0.5)
    assert recipe.rate(0) == lr
    assert recipe.rate(3, [0.3, 0.4, 0.5]) == pytest.approx(0.81 * lr)
    assert recipe.rate(99, range(99)) == 1e-5
    assert recipe.deeper == 3
    assert dgex.recipe(layers, batch_size=30).batch_size == 30


@pytest.mark.parametrize("layers", [0, 1.5, "two"])
def test_a_number_of_layers_that_is_none_is_refused(layers):
    with pytest.raises(ValueError, match=f"hidden_layers .* {layers!r}"):
        dgex.recipe(layers)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="at least 2"):
        DGEX(D, 1)
    with pytest.raises(ValueError, match="DGEX, got MLP"):
        dgex.fit(network().halves[0], TRAIN, VALIDATION, SHORT)
    wider = SimpleNamespace(x=TRAIN.x, y=torch.zeros(50, T + 1))
    with pytest.raises(ValueError, match=f"train has .* {T + 1} targets"):
        dgex.fit(network(), wider, VALIDATION, SHORT)
    with pytest.raises(ValueError, match="validation has"):
        dgex.fit(network(), TRAIN, wider, SHORT)
