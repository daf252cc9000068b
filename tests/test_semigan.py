"""SemiGAN: its losses written out in NumPy, and what `fit_semigan` promises."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lsmtl.data import Profiles
from lsmtl.networks import MLP, DenseNet
from lsmtl.semigan import SemiGAN, fit_semigan, regressor_penalty
from lsmtl.training import Recipe, fit, predict

B, D, T = 12, 5, 7
SHORT = Recipe(epochs=4, batch_size=16, lr=1e-2, final_lr=1e-3)
BOTH = pytest.mark.parametrize("make", [MLP, DenseNet])


def profiles(n, seed=0):
    """Targets that are linear in the landmarks, plus noise."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(99).normal(size=(D, T)) / D**0.5
    x = rng.normal(size=(n, D))
    y = x @ weights + 0.1 * rng.normal(size=(n, T))
    return Profiles(*(torch.tensor(v, dtype=torch.float32) for v in (x, y)))


TRAIN, VALIDATION, OTHERS = profiles(40), profiles(30, seed=1), profiles(90, seed=2).x


def network(make=DenseNet, dropout=0.2, head="zero"):
    torch.manual_seed(0)
    return make(D, T, hidden=(12,), dropout=dropout, head=head)


def gan(**options):
    torch.manual_seed(1)
    return SemiGAN(D, T, **{"hidden": (9,), "noise": 3} | options)


def run(unlabelled=OTHERS, seed=0, recipe=SHORT, train=TRAIN, **options):
    start, around = network(), gan(**options)
    return fit_semigan(start, train, VALIDATION, around, unlabelled, recipe, seed)


def equal(a, b):
    a, b = a.network.state_dict(), b.network.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def batch():
    """Measured, estimated and invented pairs, double precision."""
    torch.manual_seed(3)
    shapes = [(B, D), (B, T)]
    return [tuple(torch.randn(s, dtype=torch.double) for s in shapes) for _ in range(3)]


# --- The losses, written out ---------------------------------------------------


def by_hand(mlp, x):
    """Logits (B,) of a discriminator with one hidden layer."""
    layer, head = mlp.layers[0][0], mlp.head
    W, b, v, c = (
        p.detach().numpy() for p in (layer.weight, layer.bias, head.weight, head.bias)
    )
    z = x @ W.T + b
    return (np.where(z > 0, z, 0.2 * z) @ v.T + c)[:, 0]


def logits(g, pair):
    x, y = (v.detach().numpy() for v in pair)
    return by_hand(g.D_x, x), by_hand(g.D_xy, np.hstack([x, y]))


def sigmoid(d):
    return 1 / (1 + np.exp(-d))


@pytest.mark.parametrize("ramp", [0.0, 0.3, 1.0])
def test_discriminators_minimise_the_cross_entropy_of_real_and_invented(batch, ramp):
    g = gan().double()
    (_, joint), (u, guess), (fake, fake_joint) = (logits(g, pair) for pair in batch)
    expected = -(
        np.log(sigmoid(u)).mean()
        + np.log(sigmoid(joint)).mean()
        + np.log(1 - sigmoid(fake)).mean()
        + np.log(1 - sigmoid(fake_joint)).mean()
        + ramp * np.log(sigmoid(guess)).mean()
    )
    found = g.discriminator_loss(*batch, ramp)
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_generator_minimises_the_cross_entropy_of_being_taken_for_real(batch):
    g = gan().double()
    fake, joint = logits(g, batch[2])
    expected = -np.log(sigmoid(fake)).mean() - np.log(sigmoid(joint)).mean()
    assert g.generator_loss(*batch[2]).item() == pytest.approx(expected, rel=1e-10)


@BOTH
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("a", "b"), [(0.7, 0.0), (0.0, 0.4), (0.7, 0.4)])
def test_invented_and_estimated_pairs_add_weighted_l1_errors(
    batch, make, reduction, a, b
):
    g = gan(generated=a, estimated=b).double()
    f = network(make, dropout=0.0, head="xavier").double().train()
    (u, guess), (x, y) = batch[1:]
    trust = sigmoid(logits(g, batch[2])[1])[:, None]
    invented = trust * np.abs(predict(f, x) - y).numpy()
    estimated = 0.3 * np.abs(predict(f, u) - guess).numpy()
    reduce = getattr(np, reduction)
    expected = a * reduce(invented) + b * reduce(estimated)
    found = regressor_penalty(f, g, *batch[1:], ramp=0.3, reduction=reduction)
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_trust_is_a_probability_that_no_gradient_goes_through(batch):
    g = gan().double()
    x, y = (v.requires_grad_() for v in batch[2])
    trust = g.trust(x, y)
    np.testing.assert_allclose(trust, sigmoid(logits(g, batch[2])[1]))
    assert not trust.requires_grad
    f = network(head="xavier").double()
    regressor_penalty(f, g, *batch[1:]).backward()
    assert all(p.grad is None for p in g.parameters())
    assert f.head.weight.grad.abs().max() > 0


def test_extra_pairs_leave_batch_norm_and_its_mode_alone(batch):
    f = network().double().train()
    norm = f.layers[0][1]
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    regressor_penalty(f, gan().double(), *batch[1:])
    assert all(torch.equal(v, before[k]) for k, v in norm.state_dict().items())
    assert norm.training


def test_the_own_predictions_as_targets_teach_nothing_without_dropout(batch):
    """Self-training: the gradient of |F(u) − F(u)| is zero."""
    f = network(dropout=0.0, head="xavier").double()
    u = batch[0][0]
    penalty = regressor_penalty(
        f, gan(generated=0.0).double(), (u, predict(f, u)), batch[2], reduction="sum"
    )
    penalty.backward()
    assert penalty == 0
    assert all(not p.grad.any() for p in f.parameters())


def test_a_discriminator_judges_each_pair_alone(batch):
    g = gan().double().train()
    x, y = batch[0]
    torch.testing.assert_close(g.joint(x, y)[:2], g.joint(x[:2], y[:2]))
    torch.testing.assert_close(g.D_x(x)[:2], g.D_x(x[:2]))


@pytest.mark.parametrize("who", ["discriminators", "generator"])
def test_a_few_steps_lower_the_own_loss(batch, who):
    g = gan().double()
    parts = [g.G] if who == "generator" else [g.D_x, g.D_xy]
    sgd = torch.optim.SGD([p for part in parts for p in part.parameters()], lr=0.01)
    losses = []
    for _ in range(20):
        g.random = torch.Generator().manual_seed(0)
        invented = g.sample(B) if who == "generator" else batch[2]
        if who == "generator":
            loss = g.generator_loss(*invented)
        else:
            loss = g.discriminator_loss(*batch)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    assert (np.diff(losses) < 0).all()


def test_the_best_discriminator_gives_p_over_p_plus_q():
    """On two points with known shares, D_x's probability becomes p / (p + q)."""
    p, q = np.array([0.8, 0.2]), np.array([0.3, 0.7])
    g = SemiGAN(2, 1, hidden=(4,)).double()
    points, y = torch.eye(2, dtype=torch.double), torch.zeros(10, 1).double()
    real, fake = (
        points[torch.tensor([0] * int(10 * s[0]) + [1] * int(10 * s[1] + 0.5))]
        for s in (p, q)
    )
    adam = torch.optim.Adam(g.D_x.parameters(), lr=0.05)
    for _ in range(400):
        adam.zero_grad()
        g.discriminator_loss((real, y), (real, y), (fake, y)).backward()
        adam.step()
    found = g.D_x(points).sigmoid()[:, 0].detach().numpy()
    np.testing.assert_allclose(found, p / (p + q), atol=1e-3)


# --- Training ------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("unlabelled", [None, OTHERS])
def test_with_both_weights_zero_the_network_is_what_fit_makes_of_it(make, unlabelled):
    plain = fit(network(make), TRAIN, VALIDATION, recipe=SHORT, seed=5)
    around = gan(generated=0.0, estimated=0.0)
    other = fit_semigan(
        network(make), TRAIN, VALIDATION, around, unlabelled, SHORT, seed=5
    )
    assert equal(plain, other)
    same = list(plain.history)
    pd.testing.assert_frame_equal(plain.history, other.history[same], check_exact=True)


@pytest.mark.parametrize("part", ["generated", "estimated"])
def test_each_weight_changes_the_network(part):
    without = run(generated=0.0, estimated=0.0)
    assert not equal(run(**{"generated": 0.0, "estimated": 0.0} | {part: 1.0}), without)


def test_same_seed_same_result_whatever_the_global_random_state():
    fits = []
    for state in (1, 2):
        start, around = network(), gan()
        torch.manual_seed(state)
        fits.append(fit_semigan(start, TRAIN, VALIDATION, around, OTHERS, SHORT, 7))
    assert equal(*fits)
    pd.testing.assert_frame_equal(*(f.history for f in fits), check_exact=True)
    assert not equal(fits[0], run(seed=8))


def test_global_random_state_is_left_alone():
    start, around = network(), gan()
    before = torch.get_rng_state()
    fit_semigan(start, TRAIN, VALIDATION, around, OTHERS, SHORT)
    assert torch.equal(torch.get_rng_state(), before)


def test_shapes_history_and_mode():
    start, around = network(), gan()
    trained = fit_semigan(start, TRAIN, VALIDATION, around, OTHERS, SHORT)
    assert trained.network is start and not start.training
    assert len(trained.history) == SHORT.epochs
    assert np.isfinite(trained.history.to_numpy(float)).all()
    assert trained.history["trust"].between(0, 1).all()
    x, y = around.sample(4)
    assert (x.shape, y.shape) == ((4, D), (4, T))
    assert around.random is None


def test_network_is_the_one_of_the_best_epoch():
    recipe = Recipe(epochs=25, batch_size=10, lr=0.05, final_lr=0.05)
    trained = run(recipe=recipe)
    score = trained.history["validation_mae"]
    assert score.argmin() < len(score) - 1  # else the last epoch would do
    error = np.abs(predict(trained.network, VALIDATION.x) - VALIDATION.y).double()
    assert error.mean().item() == pytest.approx(score.min(), rel=1e-6)


class Spy(MLP):
    """Counts passes in training, and notes whether one holds an unlabelled row."""

    def __init__(self):
        super().__init__(D, T, hidden=(4,), dropout=0.1)
        self.passes, self.seen = 0, set()

    def features(self, x):
        if self.training:
            self.passes += 1
        self.seen |= set(x[:, 0].tolist())
        return super().features(x)


def test_the_ablation_makes_the_same_steps_and_sees_no_unlabelled_profile():
    passes, seen = [], []
    for unlabelled in (None, OTHERS):
        spy = Spy()
        fit_semigan(spy, TRAIN, VALIDATION, gan(), unlabelled, SHORT)
        passes.append(spy.passes)
        seen.append(bool(spy.seen & set(OTHERS[:, 0].tolist())))
    assert passes == [3 * 2 * SHORT.epochs] * 2  # three passes a step, two steps
    assert seen == [False, True]


def test_no_unlabelled_profile_is_none():
    assert equal(run(unlabelled=OTHERS[:0]), run(unlabelled=None))


def test_order_of_the_loss_is_as_in_fit_for_sums():
    recipe = Recipe(epochs=2, batch_size=16, reduction="sum")
    off = {"generated": 0.0, "estimated": 0.0}
    plain = fit(network(), TRAIN, VALIDATION, recipe=recipe)
    assert equal(plain, run(recipe=recipe, **off))


def test_unlabelled_profiles_correct_a_biased_marginal():
    """Profiles with targets are from one cluster, all profiles from two."""
    torch.manual_seed(0)
    centre = torch.zeros(D)
    centre[0] = 2.0
    labelled = centre + 0.3 * torch.randn(40, D)
    others = torch.cat([centre, -centre]).view(2, 1, D) + 0.3 * torch.randn(2, 100, D)
    train = Profiles(labelled, labelled[:, :1].repeat(1, T))
    recipe = Recipe(epochs=100, batch_size=20, lr=2e-3, final_lr=1e-4)
    means = {}
    for name, unlabelled in [("without", None), ("with", others[1])]:
        around = gan(hidden=(32,), noise=8)
        fit_semigan(network(), train, VALIDATION, around, unlabelled, recipe)
        around.random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            means[name] = around.sample(2000)[0][:, 0].mean().item()
    truth = torch.cat([labelled, others[1]])[:, 0].mean().item()
    assert abs(means["with"] - truth) < 0.5 * abs(means["without"] - truth)


# --- Errors --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"landmarks": 0}, "landmarks .* 0"),
        ({"targets": 2.5}, r"targets .* 2\.5"),
        ({"hidden": 9}, "hidden .* 9"),
        ({"noise": 0}, "noise .* 0"),
        ({"generated": -1.0}, r"generated .* -1\.0"),
        ({"estimated": float("nan")}, "estimated .* nan"),
    ],
)
def test_wrong_arguments_are_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        SemiGAN(**{"landmarks": D, "targets": T} | wrong)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"gan": None}, "gan must be a SemiGAN .* NoneType"),
        ({"gan": SemiGAN(D, 3, (4,))}, rf"{D} landmarks and {T} targets.*\({D}, 3\)"),
        (
            {"unlabelled": TRAIN},
            "unlabelled must be .* array, got Profiles",
        ),
        (
            {"unlabelled": torch.zeros(4, 6)},
            r"\(samples, 5\), got \(4, 6\)",
        ),
        ({"unlabelled": torch.zeros(5)}, r"\(samples, 5\), got \(5,\)"),
        ({"recipe": 3}, "recipe .* 3"),
        ({"seed": -1}, "seed .* -1"),
        ({"train": SimpleNamespace(x=TRAIN.x)}, "train must hold"),
        ({"train": Profiles(TRAIN.x[:1], TRAIN.y[:1])}, "train has 1 profiles"),
        ({"train": Profiles(TRAIN.x[:, :3], TRAIN.y)}, "train has 3 landmarks"),
        (
            {"unlabelled": torch.full((9, D), float("nan"))},
            "unlabelled .* got nan",
        ),
        ({"recipe": replace(SHORT, lr=1e30)}, "diverged in epoch 0"),
        ({"recipe": replace(SHORT, loss="squared")}, "loss must be .* 'squared'"),
        ({"recipe": replace(SHORT, reduction="profile")}, "reduction .* 'profile'"),
    ],
)
def test_wrong_training_arguments_are_named(wrong, named):
    right = {"train": TRAIN, "validation": VALIDATION, "gan": gan(), "recipe": SHORT}
    with pytest.raises(ValueError, match=named):
        fit_semigan(network(), **right | wrong)


def test_discriminators_have_no_batch_norm_and_the_generator_has():
    g = gan()
    found = [
        any(isinstance(m, nn.BatchNorm1d) for m in part.modules())
        for part in (g.D_x, g.D_xy, g.G)
    ]
    assert found == [False, False, True]
