"""Training: what `fit` promises, observed from outside."""

import copy
import importlib.util
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import KNeighborsRegressor
from torch import nn

from lsmtl import _progress, training
from lsmtl.data import Profiles
from lsmtl.dgex import DGEX
from lsmtl.linear import LeastSquares
from lsmtl.networks import MLP, DenseNet
from lsmtl.objective import Objective
from lsmtl.regularizers import GOMTL, MaskedLowRank
from lsmtl.training import Recipe, choose, fit, predict

D, T = 8, 6
SHORT = Recipe(epochs=4, batch_size=16, lr=1e-2, final_lr=1e-3)
BOTH = pytest.mark.parametrize("make", [MLP, DenseNet])


def array(tensor):
    return tensor.detach().numpy()


def profiles(n, seed=0, noise=0.1, dtype=torch.float32):
    """Targets that are linear in the landmarks, plus noise."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(99).normal(size=(D, T)) / D**0.5
    x = rng.normal(size=(n, D))
    y = x @ weights + noise * rng.normal(size=(n, T))
    return Profiles(torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype))


TRAIN, VALIDATION = profiles(60), profiles(30, seed=1)


def network(make=DenseNet, dropout=0.2, head="xavier"):
    torch.manual_seed(0)
    return make(D, T, hidden=(12,), dropout=dropout, head=head)


def g(**options):
    torch.manual_seed(0)
    return MaskedLowRank(T, rank=3, **options)


def rows(n):
    """Profiles whose first landmark says which row they are."""
    x = torch.randn(n, D)
    x[:, 0] = torch.arange(n)
    return Profiles(x, torch.randn(n, T))


class Spy(MLP):
    """An MLP that notes the rows, and its head, at every pass in training."""

    def __init__(self):
        super().__init__(D, T, hidden=(4,), dropout=0.0)
        self.seen, self.heads = [], []

    def features(self, x):
        if self.training:
            self.seen.append(x[:, 0].int().tolist())
            self.heads.append(self.head.weight.detach().clone())
        return super().features(x)


def equal(a, b):
    a, b = a.network.state_dict(), b.network.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


@BOTH
def test_same_seed_same_result_whatever_the_global_random_state(make):
    fits = []
    for state in (1, 2):
        start, g_ = network(make), g()
        torch.manual_seed(state)
        fits.append(fit(start, TRAIN, VALIDATION, g_, SHORT, seed=7))
    assert equal(*fits)
    pd.testing.assert_frame_equal(*(f.history for f in fits), check_exact=True)


def test_another_seed_another_result():
    fits = [fit(network(), TRAIN, VALIDATION, g(), SHORT, seed=s) for s in (0, 1)]
    assert not equal(*fits)


def test_seed_alone_decides_batches():
    fits = [
        fit(network(dropout=0.0), TRAIN, VALIDATION, recipe=SHORT, seed=s)
        for s in (0, 1)
    ]
    assert not equal(*fits)


def test_global_random_state_is_left_alone():
    start, g_ = network(), g()
    before = torch.get_rng_state()
    fit(start, TRAIN, VALIDATION, g_, SHORT, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_network_is_the_one_of_the_best_epoch():
    noise = profiles(30, seed=1, noise=2)
    recipe = Recipe(epochs=30, batch_size=10, lr=0.03, final_lr=0.03)
    trained = fit(network(dropout=0.0), profiles(20, noise=2), noise, recipe=recipe)
    score = trained.history["validation_mae"]
    assert 0 < score.argmin() < len(score) - 1  # else any epoch would do
    error = np.abs(predict(trained.network, noise.x).numpy() - noise.y.numpy())
    assert error.astype(float).mean() == pytest.approx(score.min(), rel=1e-6)


def test_the_last_network_is_kept_if_the_recipe_says_so():
    options = {"epochs": 30, "batch_size": 10, "lr": 0.03, "final_lr": 0.03}
    noise = profiles(30, seed=1, noise=2)
    found = {}
    for keep in ("best", "last"):
        recipe = Recipe(**options, keep=keep)
        trained = fit(network(dropout=0.0), profiles(20, noise=2), noise, None, recipe)
        error = (predict(trained.network, noise.x) - noise.y).abs().mean().item()
        found[keep] = error, trained.history["validation_mae"]
    assert found["best"][1].equals(found["last"][1])
    assert found["last"][0] == pytest.approx(found["last"][1].iloc[-1], rel=1e-5)
    assert found["last"][0] > found["best"][0]


def test_network_is_trained_in_place_and_handed_back_in_evaluation_mode():
    start = network()
    before = start.head.weight.detach().clone()
    trained = fit(start, TRAIN, VALIDATION, recipe=SHORT)
    assert trained.network is start
    assert not any(module.training for module in start.modules())
    assert not torch.equal(start.head.weight, before)


def test_a_network_in_evaluation_mode_is_trained_in_training_mode():
    starts = network().eval(), network().train()
    assert equal(*(fit(start, TRAIN, VALIDATION, recipe=SHORT) for start in starts))


def test_history_has_a_row_an_epoch_and_the_rate_falls_linearly():
    recipe = Recipe(epochs=7, batch_size=16, lr=1e-2, final_lr=1e-4)
    history = fit(network(), TRAIN, VALIDATION, recipe=recipe).history
    assert [*history] == ["epoch", "lr", "loss", "penalty", "validation_mae"]
    assert history["epoch"].tolist() == list(range(7))
    np.testing.assert_allclose(history["lr"], np.linspace(1e-2, 1e-4, 7))
    assert (history["penalty"] == 0).all()


def test_one_epoch_runs_at_the_first_rate():
    assert Recipe(epochs=1, lr=0.5).rate(0) == 0.5


@pytest.mark.parametrize("lr", [1e-2, 1e-4])
def test_adams_first_step_is_the_learning_rate(lr):
    start = network(dropout=0.0)
    before = start.head.weight.detach().clone()
    recipe = Recipe(epochs=1, batch_size=60, lr=lr, final_lr=0.0)
    after = fit(start, TRAIN, VALIDATION, recipe=recipe).network.head.weight
    np.testing.assert_allclose((after - before).detach().abs(), lr, rtol=1e-2)


def test_the_rate_of_each_epoch_is_the_one_used():
    spy, recipe = Spy(), Recipe(epochs=3, batch_size=30, lr=1e-2, final_lr=0.0)
    fit(spy, TRAIN, VALIDATION, recipe=recipe)
    moved = torch.stack(spy.heads).diff(dim=0).abs().amax((1, 2))
    assert (moved[:4] > 0).all()  # two epochs of two steps
    assert moved[4] == 0  # the last epoch's rate is 0


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(25, 10, [10, 10]), (20, 10, [10, 10]), (7, 10, [7]), (11, 10, [10]), (2, 2, [2])],
)
def test_a_last_short_batch_is_dropped(n, batch_size, sizes):
    spy, recipe = Spy(), Recipe(epochs=30, batch_size=batch_size)
    fit(spy, rows(n), VALIDATION, recipe=recipe)
    assert [len(batch) for batch in spy.seen] == sizes * 30
    epochs = np.reshape(spy.seen, (30, -1))
    assert all(len(set(epoch)) == len(epoch) for epoch in epochs)  # no row twice
    assert set(epochs.flat) == set(range(n))  # none is left out for ever
    if n > 2:
        assert len(np.unique(epochs, axis=0)) > 20  # a new order each epoch


def test_loss_is_the_mean_absolute_error_of_the_batch():
    start = network(dropout=0.0)
    before = copy.deepcopy(start).train()
    history = fit(
        start, TRAIN, VALIDATION, recipe=Recipe(epochs=1, batch_size=60)
    ).history
    expected = np.abs((before(TRAIN.x) - TRAIN.y).detach().numpy()).mean()
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_loss_of_an_epoch_is_the_mean_over_its_batches():
    frozen = Recipe(epochs=1, batch_size=20, lr=1e-12)
    start = network(dropout=0.0, head="zero")
    history = fit(start, TRAIN, VALIDATION, recipe=frozen).history
    assert history["loss"][0] == pytest.approx(TRAIN.y.abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize("loss", ["absolute", "squared"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "profile"])
def test_losses_and_reductions_written_out(loss, reduction):
    start = network(dropout=0.0)
    error = array(copy.deepcopy(start).train()(TRAIN.x) - TRAIN.y)
    error = np.abs(error) if loss == "absolute" else error**2
    expected = {
        "mean": error.mean(),
        "sum": error.sum(),
        "profile": error.sum(1).mean(),  # over tasks, then over the batch
    }[reduction]
    recipe = Recipe(epochs=1, batch_size=60, loss=loss, reduction=reduction)
    history = fit(start, TRAIN, VALIDATION, recipe=recipe).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.equation(1, 2)
@pytest.mark.parametrize("hidden", [(), (12,)])  # shallow as in Eq. 1, deep as in 2
def test_what_is_minimised_is_the_sum_of_all_losses_and_the_penalty(hidden):
    torch.manual_seed(0)
    start = DenseNet(D, T, hidden=hidden, dropout=0.0).eval()
    recipe = Recipe(reduction="sum")
    loss, penalty = Objective(start, GOMTL(0.7, shared=0.0), recipe)(TRAIN.x, TRAIN.y)
    z, W, b = (array(v) for v in (start.features(TRAIN.x), *start.head.parameters()))
    rows = zip(z, array(TRAIN.y), strict=True)
    errors = [abs(W[t] @ z_i + b[t] - y_i[t]) for z_i, y_i in rows for t in range(T)]
    assert loss.item() == pytest.approx(sum(errors), rel=1e-5)
    assert penalty.item() == pytest.approx(0.7 * np.abs(W).sum() / T, rel=1e-5)


def test_a_regulariser_hears_the_losses_that_are_minimised():
    start, listener = network(dropout=0.0), Listener()
    before = copy.deepcopy(start).train()
    recipe = Recipe(epochs=1, batch_size=60, loss="squared")
    fit(start, TRAIN, VALIDATION, listener, recipe)
    expected = (before(TRAIN.x) - TRAIN.y).square().mean(0)
    torch.testing.assert_close(listener.heard[0][3], expected)


def written_out(start, steps, lr, momentum, deeper):
    """SGD on the squared error of a tanh MLP with one hidden layer, in NumPy."""
    x, y = array(TRAIN.x).astype(float), array(TRAIN.y).astype(float)
    maps = [start.layers[0][0], start.head]
    W1, b1, W2, b2 = (array(p).astype(float) for m in maps for p in (m.weight, m.bias))
    velocity = [np.zeros_like(p) for p in (W1, b1, W2, b2)]
    for _ in range(steps):
        z = np.tanh(x @ W1.T + b1)
        error = 2 * (z @ W2.T + b2 - y) / len(x)  # of Σ_t (ŷ - y)², mean over rows
        back = error @ W2 * (1 - z**2)
        gradients = back.T @ x, back.sum(0), error.T @ z, error.sum(0)
        for k, times in enumerate((1, 1, deeper, 1)):
            velocity[k] = momentum * velocity[k] - lr * times * gradients[k]
        W1, b1, W2, b2 = (
            p + v for p, v in zip((W1, b1, W2, b2), velocity, strict=True)
        )
    return W1, b1, W2, b2


@pytest.mark.parametrize(("momentum", "deeper"), [(0.0, 1.0), (0.5, 1.0), (0.5, 3.0)])
@pytest.mark.parametrize("steps", [1, 3])
def test_sgd_is_the_written_out_update(momentum, deeper, steps):
    options = {"activation": "tanh", "batch_norm": False, "dropout": 0.0}
    torch.manual_seed(0)
    start = MLP(D, T, (5,), **options)
    recipe = Recipe(
        steps, 60, lr=0.01, final_lr=0.01, reduction="profile", loss="squared",
        optimizer="sgd", momentum=momentum, deeper=deeper,
    )  # fmt: skip
    expected = written_out(start, steps, 0.01, momentum, deeper)
    falling = SimpleNamespace(x=TRAIN.x, y=TRAIN.y)  # so that the last epoch is best
    trained = fit(start, TRAIN, falling, recipe=recipe)
    assert trained.history["validation_mae"].argmin() == steps - 1
    maps = [start.layers[0][0], start.head]
    found = [p for m in maps for p in (m.weight, m.bias)]
    for p, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(array(p), want, rtol=1e-4, atol=1e-6)


def test_a_regularisers_own_weights_learn_at_the_plain_rate():
    moved = []
    for deeper in (1.0, 5.0):
        listener = Listener()
        recipe = Recipe(1, 60, lr=0.1, optimizer="sgd", deeper=deeper)
        fit(network(), TRAIN, VALIDATION, listener, recipe)
        moved.append(2.0 - listener.weight.item())
    assert moved == pytest.approx([0.4, 0.4])  # 0.1 times the gradient of weight²


@pytest.mark.parametrize(
    ("train_mae", "rate"),
    [
        ([], 1.0),
        ([0.5], 1.0),
        ([0.5, 0.4, 0.4], 1.0),  # the same is no rise
        ([0.5, 0.6], 0.9),
        ([0.5, 0.6, 0.55, 0.56, 0.3], 0.81),
        (list(range(50)), 0.1),
    ],
)
def test_the_rate_decays_with_every_rise_and_not_below_its_floor(train_mae, rate):
    recipe = Recipe(lr=1.0, final_lr=0.1, decay=0.9)
    assert recipe.rate(len(train_mae), train_mae) == pytest.approx(rate)


def test_the_decaying_rate_follows_the_training_mae():
    recipe = Recipe(30, 20, lr=0.3, final_lr=0.1, decay=0.8)
    trained = fit(network(), profiles(60, noise=2), VALIDATION, recipe=recipe)
    history = trained.history
    rises = (history["train_mae"].diff() > 0).cumsum().shift(fill_value=0)
    assert rises.iloc[-1] > 5
    expected = np.maximum(0.3 * 0.8**rises, 0.1)
    np.testing.assert_allclose(history["lr"], expected)
    assert (history["lr"] == 0.1).any()


def test_training_mae_is_of_the_whole_epochs_network_without_dropout():
    start = network(dropout=0.5)
    train = profiles(60, noise=2)
    found = fit(start, train, VALIDATION, recipe=Recipe(1, 20, decay=0.9))
    error = np.abs(array(predict(start, train.x) - train.y)).mean()
    assert found.history["train_mae"][0] == pytest.approx(error, rel=1e-5)


def test_training_mae_of_many_profiles_is_of_some(monkeypatch):
    monkeypatch.setattr(training, "WATCHED", 10)
    start, train = network(dropout=0.0), profiles(60, noise=2)
    found = fit(start, train, VALIDATION, recipe=Recipe(1, 20, decay=0.9))
    error = np.abs(array(predict(start, train.x) - train.y)).mean()
    assert abs(found.history["train_mae"][0] - error) > 1e-4


class Listener(nn.Module):
    """A regulariser that notes what it is given."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.heard = []

    def forward(self, network, features, predictions, losses=None):
        assert predictions.requires_grad
        self.heard.append((network, features, predictions, losses))
        return self.weight**2


def test_a_regulariser_hears_network_features_predictions_and_losses_of_each_task():
    start, listener = network(dropout=0.0), Listener()
    y = TRAIN.y.clone()
    y[:, 0] += 100
    train = Profiles(TRAIN.x, y)
    recipe = Recipe(epochs=1, batch_size=60, lr=0.1, final_lr=0.0)
    before = copy.deepcopy(start).train()
    trained = fit(start, train, VALIDATION, listener, recipe)
    ((heard, features, predictions, losses),) = listener.heard
    assert heard is start
    order = (features[:, 0, None] == train.x[:, 0]).int().argmax(1)
    x, y = train.x[order], y[order]
    torch.testing.assert_close(features, before.features(x))
    torch.testing.assert_close(predictions, before(x))
    torch.testing.assert_close(losses, (before(x) - y).abs().mean(0))
    assert trained.history["penalty"][0] == pytest.approx(4)
    assert listener.weight.item() == pytest.approx(1.9)  # Adam's step on weight²


def test_the_penalty_reaches_the_network():
    fits = [
        fit(network(), TRAIN, VALIDATION, g(strength=5.0, detach=d), SHORT)
        for d in (False, True)
    ]
    assert not equal(*fits)


def test_g_learns_to_rebuild_hidden_targets():
    g_, recipe = g(masked=0.3), Recipe(epochs=60, batch_size=20, lr=1e-2, final_lr=1e-3)
    before = [p.detach().clone() for p in g_.parameters()]
    penalty = fit(network(), TRAIN, VALIDATION, g_, recipe).history["penalty"]
    assert all((p != b).all() for p, b in zip(g_.parameters(), before, strict=True))
    assert penalty[-10:].mean() < 0.5 * penalty[:2].mean()


def test_g_without_strength_leaves_the_first_epoch_as_it_is():
    plain, silent = (
        fit(network(dropout=0.0), TRAIN, VALIDATION, r, Recipe(epochs=1, batch_size=10))
        for r in (None, g(strength=0.0))
    )
    assert equal(plain, silent)
    assert plain.history.equals(silent.history)


@BOTH
@pytest.mark.parametrize("head", ["xavier", "zero"])
@pytest.mark.parametrize("regularizer", [None, g(strength=0.1)])
def test_learnable_targets_are_learnt(make, head, regularizer):
    recipe = Recipe(epochs=80, batch_size=20, lr=2e-2, final_lr=1e-3)
    start = network(make, dropout=0.0, head=head)
    history = fit(start, TRAIN, VALIDATION, regularizer, recipe).history
    assert history["loss"].iloc[-1] < 0.4 * history["loss"][0]
    assert history["validation_mae"].min() < 0.6 * VALIDATION.y.abs().mean().item()


@pytest.mark.parametrize("head", ["xavier", "zero"])
def test_sums_train_as_means_do_with_the_hidden_share(head):
    """Adam ignores the loss's scale, so only the ratio of its parts counts.

    Not quite where gradients are as small as Adam's ε, at the start of a zero head:
    hence a tolerance on the scale of the whole curve.
    """
    train, validation = (profiles(n, dtype=torch.double) for n in (60, 30))
    found = {}
    for reduction, strength in (("sum", 0.9), ("mean", 0.9 / 3)):
        g_ = g(strength=strength, masked=1 / 3, reduction=reduction).double()
        recipe = Recipe(6, 20, lr=1e-3, final_lr=1e-4, reduction=reduction)
        start = network(head=head).double()
        found[reduction] = fit(start, train, validation, g_, recipe)
    summed, mean = (found[k].history for k in ("sum", "mean"))
    factors = {"loss": 20 * T, "penalty": 20 * T, "validation_mae": 1}
    for column, factor in factors.items():
        expected = factor * mean[column]
        atol = 1e-4 * expected.max()
        np.testing.assert_allclose(summed[column], expected, rtol=0, atol=atol)


@pytest.mark.parametrize("per_sample", [False, True])
def test_a_regularizer_of_strength_0_changes_nothing(per_sample):
    """Not even batches and dropout: its masks come from a stream of their own."""
    plain = fit(network(dropout=0.3), TRAIN, VALIDATION, None, SHORT)
    g_ = g(strength=0.0, per_sample=per_sample)
    idle = fit(network(dropout=0.3), TRAIN, VALIDATION, g_, SHORT)
    pd.testing.assert_frame_equal(plain.history, idle.history)
    for a, b in zip(
        plain.network.state_dict().values(),
        idle.network.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b)


def test_predict_leaves_a_frozen_layer_frozen():
    net = network().train()
    frozen = net.layers[0][1].eval()
    predict(net, VALIDATION.x)
    assert net.training and not frozen.training


@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 0.1])
def test_weight_decay_is_a_part_of_the_loss_that_adam_sees(weight_decay):
    """Without another gradient, Adam's first step is the rate, however weak the ℓ2."""
    g_, recipe = g(strength=0.0), Recipe(1, 60, lr=1e-4, weight_decay=weight_decay)
    before = g_.V1.weight.detach().clone()
    fit(network(), TRAIN, VALIDATION, g_, recipe)
    step = 1e-4 * before.sign() if weight_decay else 0 * before
    torch.testing.assert_close(before - g_.V1.weight, step, rtol=1e-2, atol=1e-7)


def test_an_exploding_rate_is_an_error():
    with pytest.raises(ValueError, match=r"diverged in epoch 0.*1e\+37"):
        fit(network(), TRAIN, VALIDATION, recipe=Recipe(3, 20, lr=1e37))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["train", "validation"])
def test_values_that_are_no_numbers_are_an_error(value, where):
    parts = {"train": profiles(60), "validation": profiles(30)}
    parts[where].y[:, 2] = value
    with pytest.raises(ValueError, match=r"diverged in epoch 0.*(nan|inf)"):
        fit(network(), **parts, recipe=SHORT)


def sized(n, landmarks=D, targets=T, y=None):
    return Profiles(torch.zeros(n, landmarks), torch.zeros(y or n, targets))


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (sized(20, landmarks=D + 1), f"{D + 1} landmarks .* takes {D}"),
        (sized(20, targets=T - 1), f"{T - 1} targets.* predicts {T}"),
        (sized(20, y=19), rf"\(20, {D}\) and \(19, {T}\)"),
        (sized(0), rf"n > 0.*\(0, {D}\)"),
        (Profiles(torch.zeros(D), torch.zeros(T)), rf"\({D},\) and \({T},\)"),
    ],
)
def test_profiles_that_dont_fit_are_named(part, wrong, named):
    parts = {"train": TRAIN, "validation": VALIDATION, part: wrong}
    with pytest.raises(ValueError, match=f"{part} .*{named}"):
        fit(network(), **parts)


def test_one_training_profile_is_too_few():
    with pytest.raises(ValueError, match="1 profiles"):
        fit(network(), sized(1), VALIDATION)


def test_a_regulariser_for_other_targets_is_refused():
    with pytest.raises(ValueError, match=f"{T} targets .* made for {T + 1}"):
        fit(network(), TRAIN, VALIDATION, MaskedLowRank(T + 1, rank=2), SHORT)


def test_anything_with_x_and_y_will_do():
    parts = (SimpleNamespace(x=p.x, y=p.y) for p in (TRAIN, VALIDATION))
    same = (fit(network(), *p, recipe=SHORT) for p in (parts, (TRAIN, VALIDATION)))
    assert equal(*same)


@BOTH
@pytest.mark.parametrize("mode", [True, False])
def test_predict_is_in_evaluation_mode_and_leaves_the_mode_alone(make, mode):
    start = network(make, dropout=0.5).train(mode)
    before = copy.deepcopy(start.state_dict())
    found = predict(start, TRAIN.x)
    assert all(module.training is mode for module in start.modules())
    assert all(torch.equal(v, before[k]) for k, v in start.state_dict().items())
    assert not found.requires_grad
    torch.testing.assert_close(found, start.eval()(TRAIN.x).detach())


EVERY_KIND = {
    "network": network,
    "ridge": lambda: LeastSquares(l2=1.0),
    "KNN": lambda: KNeighborsRegressor(3),
    "kernel ridge": lambda: KernelRidge(kernel="rbf", gamma=0.1),
}
KINDS = pytest.mark.parametrize("kind", EVERY_KIND)


def trained_model(kind):
    model = EVERY_KIND[kind]()
    return model if kind == "network" else model.fit(TRAIN.x, TRAIN.y)


@KINDS
def test_one_call_predicts_for_every_model(kind):
    model, x = trained_model(kind), VALIDATION.x
    own = model.eval()(x).detach() if kind == "network" else model.predict(x.numpy())
    for form in (x, x.double(), x.numpy(), x.double().numpy()):
        found = predict(model, form)
        assert found.dtype == torch.float32 and found.shape == (30, T)
        np.testing.assert_allclose(found, own, rtol=1e-4, atol=1e-5)


def test_knn_averages_whole_profiles():
    found = predict(trained_model("KNN"), VALIDATION.x)
    nearest = torch.cdist(VALIDATION.x, TRAIN.x).argsort(1)[:, :3]
    torch.testing.assert_close(found, TRAIN.y[nearest].mean(1))


def test_kernel_ridge_is_its_equation():
    def k(a, b):
        return torch.exp(-0.1 * torch.cdist(a.double(), b.double()) ** 2)

    x, y = TRAIN.x, TRAIN.y.double()
    dual = torch.linalg.solve(k(x, x) + torch.eye(60), y)
    expected = (k(VALIDATION.x, x) @ dual).float()
    found = predict(trained_model("kernel ridge"), VALIDATION.x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_one_target_is_a_column():
    model = KNeighborsRegressor(3).fit(TRAIN.x, TRAIN.y[:, 0])
    assert predict(model, VALIDATION.x).shape == (30, 1)


@KINDS
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_predict_refuses_what_is_no_number(kind, value):
    x = VALIDATION.x.clone()
    x[3, 5] = value
    with pytest.raises(ValueError, match=f"x must be finite, got {value} in row 3, co"):
        predict(trained_model(kind), x)


@KINDS
def test_predict_refuses_another_number_of_landmarks(kind):
    with pytest.raises(ValueError, match=rf"{D - 1}.*{D}|{D}.*{D - 1}"):
        predict(trained_model(kind), VALIDATION.x[:, 1:])
    with pytest.raises(ValueError, match=rf"x must have the shape .*\({D},\)"):
        predict(trained_model(kind), VALIDATION.x[0])


@pytest.mark.parametrize("kind", ["ridge", "KNN"])
def test_predict_needs_a_fitted_model(kind):
    with pytest.raises(ValueError, match="is not fitted yet"):
        predict(EVERY_KIND[kind](), VALIDATION.x)
    with pytest.raises(ValueError, match=r"have \.predict, got function"):
        predict(predict, VALIDATION.x)


def test_choose_gives_the_lowest_absolute_error_on_validation_rows():
    y = VALIDATION.y.clone()
    y[0] += 100  # squared errors would let it decide
    models = [trained_model(kind) for kind in EVERY_KIND]
    errors = [np.abs(predict(m, VALIDATION.x) - y).mean() for m in models]
    assert choose(iter(models), VALIDATION.x, y) is models[np.argmin(errors)]
    equals = [models[1], trained_model("ridge")]
    assert choose(equals, VALIDATION.x, VALIDATION.y) is models[1]


def test_choose_needs_a_model():
    with pytest.raises(ValueError, match="models is empty"):
        choose([], VALIDATION.x, VALIDATION.y)


def test_defaults_are_the_papers():
    recipe = Recipe()
    found = recipe.epochs, recipe.batch_size, recipe.lr, recipe.final_lr
    assert found == (500, 100, 1e-3, 1e-5)
    assert recipe.rate(0) == 1e-3
    assert recipe.rate(499) == pytest.approx(1e-5)
    with pytest.raises(AttributeError):
        recipe.epochs = 3


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"epochs": 0}, "epochs .* 0"),
        ({"epochs": 1.5}, r"epochs .* 1\.5"),
        ({"batch_size": -100}, "batch_size .* -100"),
        ({"batch_size": 1}, "batch_size .* at least 2"),
        ({"lr": 0.0}, r"lr .* 0\.0"),
        ({"lr": float("nan")}, "lr .* nan"),
        ({"lr": "fast"}, "lr .* 'fast'"),
        ({"final_lr": -1e-5}, "final_lr .* -1e-05"),
        ({"weight_decay": float("inf")}, "weight_decay .* inf"),
        ({"reduction": "max"}, "reduction .* mean, sum, profile.* 'max'"),
        ({"loss": "huber"}, "loss .* absolute, squared.* 'huber'"),
        ({"optimizer": "lion"}, "optimizer .* adam, sgd.* 'lion'"),
        ({"optimizer": "sgd", "momentum": 1.0}, r"momentum .* 1\.0"),
        ({"optimizer": "sgd", "momentum": -0.5}, r"momentum .* -0\.5"),
        ({"momentum": 0.5}, r"momentum .* sgd.* 0\.5"),
        ({"decay": 0.0}, r"decay .* 0\.0"),
        ({"decay": 1.1}, r"decay .* None or in \(0, 1\].* 1\.1"),
        ({"decay": "linear"}, "decay .* 'linear'"),
        ({"deeper": -3.0}, r"deeper .* -3\.0"),
    ],
)
def test_wrong_recipes_are_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        Recipe(**wrong)


@pytest.fixture
def without_tqdm(monkeypatch):
    """The progress module as it is where tqdm is not installed."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    spec = importlib.util.spec_from_file_location("bare", _progress.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_tqdm_loops_run_and_show_nothing(without_tqdm, monkeypatch, capsys):
    assert without_tqdm.tqdm is not _progress.tqdm
    assert list(without_tqdm.tqdm(range(3), desc="fit", unit="epoch")) == [0, 1, 2]
    with_bar = fit(network(), TRAIN, VALIDATION, recipe=SHORT)
    capsys.readouterr()
    monkeypatch.setattr(training, "tqdm", without_tqdm.tqdm)
    without = fit(network(), TRAIN, VALIDATION, recipe=SHORT)
    assert capsys.readouterr() == ("", "")
    assert equal(with_bar, without)


def test_after_an_error_everything_is_as_it_was():
    regularizer, plain = g(), network()
    with pytest.raises(ValueError, match="diverged"):
        fit(plain, TRAIN, VALIDATION, regularizer, replace(SHORT, lr=1e30))
    assert regularizer.generator is None
    plain.train()
    with pytest.raises(ValueError, match="landmark"):
        predict(plain, torch.zeros(3, 99))
    assert plain.training


def test_a_choice_without_a_finite_error_is_none():
    broken = network()
    with torch.no_grad():
        broken.head.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="no model has a finite error"):
        choose([broken], VALIDATION.x, VALIDATION.y)


def test_a_network_without_a_head_is_named():
    with pytest.raises(ValueError, match=r"features.* DGEX .*dgex\.fit"):
        fit(DGEX(D, T, (4,)), TRAIN, VALIDATION, recipe=SHORT)
