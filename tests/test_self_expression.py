"""SelfExpression (Eqs. 3 and 4), against the equations written out in NumPy."""

import copy
import types

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso

from lsmtl.networks import DenseNet
from lsmtl.regularizers import SelfExpression
from lsmtl.training import Recipe, fit

B, T, D = 8, 6, 4
EITHER_FORM = pytest.mark.parametrize("form", ["predictions", "weights"])
EITHER_REDUCTION = pytest.mark.parametrize("reduction", ["mean", "sum"])


def make(targets=T, **options):
    """A regulariser whose V is random, its diagonal too."""
    v = SelfExpression(targets, **options).double()
    torch.nn.init.normal_(v.V, generator=torch.manual_seed(3))
    return v


@pytest.fixture
def network():
    torch.manual_seed(0)
    return DenseNet(D, T, hidden=(5,), dropout=0.0).double()


@pytest.fixture
def x():
    return torch.randn(B, D, dtype=torch.double, generator=torch.manual_seed(1))


def profiles(n, seed=0, targets=T):
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, D, generator=draw), torch.randn(n, targets, generator=draw)
    return types.SimpleNamespace(x=x, y=y)


def penalty(v, network, x):
    features = network.features(x)
    return v(network, features, network.head(features))


def off_diagonal(v):
    V = v.V.detach().numpy().copy()
    np.fill_diagonal(V, 0)
    return V


def printed(v, f):
    """λ‖f − fV‖² + γ‖V‖₁, entry by entry; f (rows, T)."""
    V, total = off_diagonal(v), 0.0
    for row in f:
        for t in range(len(V)):
            rebuilt = sum(row[s] * V[s, t] for s in range(len(V)))
            total += v.strength * (row[t] - rebuilt) ** 2
    return total, v.sparsity * sum(abs(entry) for entry in V.flat)


@pytest.mark.equation(3, 4)
@EITHER_FORM
@pytest.mark.parametrize("sparsity", [0.0, 0.3])
def test_penalty_is_the_printed_equation(network, x, form, sparsity):
    v = make(form=form, strength=0.7, sparsity=sparsity, reduction="sum")
    f = network(x) if form == "predictions" else network.head.weight.T
    error, size = printed(v, f.detach().numpy())
    assert penalty(v, network, x).item() == pytest.approx(error + size, rel=1e-10)
    assert penalty(v, network, x).shape == ()
    v.reduction = "mean"
    rows = B if form == "predictions" else 1
    expected = (error / rows + size) / T
    assert penalty(v, network, x).item() == pytest.approx(expected, rel=1e-10)


def test_the_default_is_equation_4_without_sparsity(network, x):
    v = SelfExpression(T)
    assert (v.form, v.strength, v.sparsity, v.reduction) == (
        *("predictions", 1.0, 0.0, "mean"),
    )


@EITHER_FORM
@EITHER_REDUCTION
def test_it_starts_as_shrinkage(network, x, form, reduction):
    v = SelfExpression(T, 0.3, sparsity=2.0, form=form, reduction=reduction).double()
    f = network(x) if form == "predictions" else network.head.weight.T
    rows = B if form == "predictions" else 1
    expected = 0.3 * f.square().sum() / (rows * T if reduction == "mean" else 1)
    torch.testing.assert_close(penalty(v, network, x), expected)
    assert not v.coefficients().any()


@EITHER_FORM
@EITHER_REDUCTION
def test_gradient_is_the_numerical_one(form, reduction):
    v = make(form=form, reduction=reduction, sparsity=0.1)
    f = torch.randn(B, T, dtype=torch.double, generator=torch.manual_seed(2))

    def value(f, V):
        head = types.SimpleNamespace(head=types.SimpleNamespace(weight=f.T))
        return torch.func.functional_call(v, {"V": V}, (head, None, f))

    inputs = [f.requires_grad_(), v.V.detach().requires_grad_()]
    assert torch.autograd.gradcheck(value, inputs)


@EITHER_FORM
def test_gradient_reaches_what_is_rebuilt(network, x, form):
    v = make(form=form)
    penalty(v, network, x).backward()
    reached = [p.grad is not None and bool(p.grad.any()) for p in network.parameters()]
    bias = network.head.bias.grad
    if form == "predictions":
        assert all(reached)
    else:
        assert network.head.weight.grad.any()
        assert sum(reached) == 1 and bias is None


@EITHER_FORM
def test_diagonal_is_zero_before_and_after_training(form):
    v = SelfExpression(T, 3.0, sparsity=0.01, form=form)
    before = v.coefficients()
    assert not before.any() and before.shape == (T, T)
    torch.manual_seed(0)
    network = DenseNet(D, T, hidden=(5,))
    recipe = Recipe(epochs=20, batch_size=20, weight_decay=1e-3)
    fit(network, profiles(60), profiles(20, 1), v, recipe)
    after = v.coefficients()
    assert after.diagonal().tolist() == [0.0] * T
    assert (after.abs().sum(0) > 0).all()


def test_a_value_on_the_diagonal_changes_nothing_and_gets_no_gradient(network, x):
    v = make(sparsity=0.1)
    before = penalty(v, network, x)
    v.V.data.fill_diagonal_(100.0)
    after = penalty(v, network, x)
    assert torch.equal(before, after)
    after.backward()
    assert not v.V.grad.diagonal().any()
    assert (v.V.grad != 0).sum() == T * (T - 1)


@EITHER_FORM
def test_order_of_tasks_does_not_matter(network, x, form):
    v, order = make(form=form, sparsity=0.2), torch.randperm(T)
    other, shuffled = copy.deepcopy(v), copy.deepcopy(network)
    other.V.data = v.V.data[order][:, order]
    shuffled.head.weight.data = network.head.weight.data[order]
    shuffled.head.bias.data = network.head.bias.data[order]
    torch.testing.assert_close(penalty(other, shuffled, x), penalty(v, network, x))
    torch.testing.assert_close(
        other.coefficients(), v.coefficients()[order][:, order], rtol=0, atol=0
    )


def whitened(rows, width):
    """Features with mean 0 and covariance 1, exactly."""
    z = torch.randn(rows, width, dtype=torch.double, generator=torch.manual_seed(4))
    q, _ = torch.linalg.qr(z - z.mean(0))
    return q * rows**0.5


@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_equation_3_is_equation_4_for_whitened_features(network, bias):
    network.head.bias.data.fill_(bias)
    z = whitened(200, network.head.in_features)
    v4, v3 = make(sparsity=0.1), make(sparsity=0.1, form="weights")
    eq4, eq3 = (v(network, z, network.head(z)).item() for v in (v4, v3))
    b, V = network.head.bias.detach().numpy(), off_diagonal(v4)
    extra = ((b - b @ V) ** 2).sum() / T  # Eq. 3 leaves the bias out
    assert eq4 == pytest.approx(eq3 + extra, rel=1e-10)
    assert (extra > 0) == (bias > 0)


def test_equation_4_weighs_the_weights_with_the_features_covariance(network):
    w = network.head.in_features
    torch.nn.init.zeros_(network.head.bias)
    mix = torch.randn(w, w, dtype=torch.double, generator=torch.manual_seed(5))
    z = whitened(200, w) @ mix
    v4, v3 = make(), make(form="weights")
    eq4, eq3 = (v(network, z, network.head(z)).item() for v in (v4, v3))
    W = network.head.weight.T.detach().numpy()
    error = W - W @ off_diagonal(v4)
    sigma = (mix.T @ mix).numpy()
    assert eq4 == pytest.approx(np.trace(error.T @ sigma @ error) / T, rel=1e-10)
    assert eq4 != pytest.approx(eq3, rel=0.1)


@EITHER_FORM
def test_strength_scales_the_error_and_not_the_sparsity(network, x, form):
    error = penalty(make(form=form), network, x)
    size = penalty(make(form=form, strength=0.0, sparsity=0.2), network, x)
    both = penalty(make(form=form, strength=5.0, sparsity=0.2), network, x)
    torch.testing.assert_close(both, 5 * error + size)
    assert penalty(make(form=form, strength=0.0), network, x).item() == 0


@EITHER_FORM
def test_strength_0_trains_the_plain_network(form):
    torch.manual_seed(0)
    start = DenseNet(D, T, hidden=(5,))
    found = []
    for v in (None, SelfExpression(T, strength=0.0, sparsity=0.1, form=form)):
        network = copy.deepcopy(start)
        fitted = fit(
            network, profiles(60), profiles(20, 1), v, Recipe(5, batch_size=20)
        )
        found.append(fitted)
    for a, b in zip(*(f.network.parameters() for f in found), strict=True):
        assert torch.equal(a, b)
    assert found[0].history["loss"].equals(found[1].history["loss"])


def minimise(v, f, steps=2000, lr=0.02):
    adam = torch.optim.Adam(v.parameters(), lr=lr)
    history = []
    for step in range(steps):
        adam.param_groups[0]["lr"] = lr * (1 - step / steps)
        value = v(None, None, f)
        adam.zero_grad()
        value.backward()
        adam.step()
        history.append(value.item())
    return history


def test_copies_rebuild_each_other():
    f = torch.randn(30, 1, dtype=torch.double, generator=torch.manual_seed(6))
    other = torch.randn(30, 1, dtype=torch.double, generator=torch.manual_seed(7))
    f = torch.cat([f, other, f, -2 * other], dim=1)  # 0 = 2 and 3 = −2 · 1
    v = SelfExpression(4, sparsity=1e-4).double()
    history = minimise(v, f)
    assert history[-1] < 1e-3 * history[0]
    V = v.coefficients().detach().numpy()
    expected = np.zeros((4, 4))
    expected[2, 0] = expected[0, 2] = 1
    expected[3, 1], expected[1, 3] = -0.5, -2
    np.testing.assert_allclose(V, expected, atol=0.01)


def test_a_task_is_no_help_to_itself():
    f = torch.linalg.qr(torch.randn(30, T, dtype=torch.double))[0]  # unrelated tasks
    v = SelfExpression(T, reduction="sum").double()
    assert minimise(v, f)[-1] == pytest.approx(T, rel=1e-6)  # ‖f‖², nothing to gain


def test_training_lowers_the_penalty():
    torch.manual_seed(0)
    train = profiles(100)
    train.y = train.x @ torch.randn(D, T)  # six tasks in four dimensions
    v = SelfExpression(T)
    network = DenseNet(D, T, hidden=(5,))
    recipe = Recipe(epochs=80, batch_size=50, lr=0.01)
    history = fit(network, train, train, v, recipe).history
    assert history["penalty"].iloc[-1] < 0.2 * history["penalty"].iloc[0]
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]


def test_v_is_the_lasso_of_each_task_on_the_others():
    mix = torch.randn(T, T, dtype=torch.double, generator=torch.manual_seed(8))
    f = torch.randn(50, T, dtype=torch.double, generator=torch.manual_seed(9)) @ mix
    strength, gamma, V = 0.7, 0.6, np.zeros((T, T))
    for t in range(T):  # λ/n ‖f_t − F v‖² + γ‖v‖₁ = 2λ · scikit-learn's objective
        others = np.delete(np.arange(T), t)
        lasso = Lasso(gamma / (2 * strength), fit_intercept=False, tol=1e-10)
        V[others, t] = lasso.fit(f[:, others], f[:, t]).coef_
    v = SelfExpression(T, strength=strength, sparsity=gamma).double()
    minimise(v, f)
    np.testing.assert_allclose(v.coefficients().detach(), V, atol=2e-3)
    assert (V[~np.eye(T, dtype=bool)] == 0).any()


def test_sparsity_drives_coefficients_to_zero():
    f = torch.randn(40, T, dtype=torch.double, generator=torch.manual_seed(10))
    f[:, 1] = f[:, 0] + 0.1 * f[:, 1]
    size, tiny = [], []
    for gamma in (0.0, 0.5, 5.0):
        v = SelfExpression(T, sparsity=gamma).double()
        minimise(v, f)
        V = v.coefficients().detach().abs()
        size.append(V.sum().item())
        tiny.append((V < 1e-3).sum().item() - T)
    assert size[0] > size[1] > 10 * size[2]
    assert tiny[0] <= 1 and T * (T - 1) > tiny[1] > 15 and tiny[2] == T * (T - 1)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"targets": 0}, "targets .* 0"),
        ({"targets": 1}, "targets .* at least 2"),
        ({"targets": 9.5}, r"targets .* 9\.5"),
        ({"strength": -1.0}, r"strength .* -1\.0"),
        ({"strength": float("nan")}, "strength .* nan"),
        ({"sparsity": -0.1}, r"sparsity .* -0\.1"),
        ({"sparsity": "1"}, "sparsity .* '1'"),
        ({"form": "both"}, "form .* predictions, weights.* 'both'"),
        ({"reduction": "none"}, "reduction .* mean, sum.* 'none'"),
    ],
)
def test_wrong_arguments_are_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        SelfExpression(**{"targets": T} | wrong)


@EITHER_FORM
def test_another_number_of_targets_is_refused(network, x, form):
    v = make(targets=T + 1, form=form)
    with pytest.raises(ValueError, match=f"{form} have {T} targets .* for {T + 1}"):
        penalty(v, network, x)
