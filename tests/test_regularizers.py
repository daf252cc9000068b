"""MaskedLowRank (Eq. 5), against the equation written out in NumPy."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank

B, T, K = 8, 10, 3
EITHER_MASK = pytest.mark.parametrize("per_sample", [False, True])
EITHER_REDUCTION = pytest.mark.parametrize("reduction", ["mean", "sum"])


def make(targets=T, rank=K, **options):
    torch.manual_seed(0)
    return MaskedLowRank(targets, rank, **{"masked": 0.3} | options).double()


def penalty(g, predictions, seed=5):
    torch.manual_seed(seed)
    return g(None, None, predictions)


def drawn(g, predictions, seed=5):
    """The mask that `penalty` uses."""
    torch.manual_seed(seed)
    return g.mask(predictions)


@pytest.fixture
def f():
    return torch.randn(B, T, dtype=torch.double, generator=torch.manual_seed(1))


def rebuilt(g, f, mask):
    """V2 σ(V1 (β ⊙ f)), a sample at a time."""
    V1, V2 = g.V1.weight.detach().numpy(), g.V2.weight.detach().numpy()
    rows = []
    for f_i, beta in zip(f, mask, strict=True):
        z = V1 @ (beta * f_i)
        rows.append(V2 @ np.where(z > 0, z, 0.2 * z))
    return np.array(rows)


@pytest.mark.equation(5)
@EITHER_MASK
@EITHER_REDUCTION
def test_penalty_is_equation_5(f, per_sample, reduction):
    g = make(per_sample=per_sample, reduction=reduction, strength=0.7)
    mask = np.broadcast_to(drawn(g, f).numpy(), (B, T))
    f_ = f.numpy()
    squares = ((1 - mask) * (f_ - rebuilt(g, f_, mask))) ** 2
    total = sum(squares[i, t] for i in range(B) for t in range(T) if not mask[i, t])
    expected = total / (B * 3) if reduction == "mean" else total
    assert penalty(g, f).item() == pytest.approx(0.7 * expected, rel=1e-10)
    assert penalty(g, f).shape == ()


@pytest.mark.parametrize("rows", [None, 1, B])
def test_reconstruct_takes_one_mask_or_one_a_sample(f, rows):
    g, beta = make(), torch.tensor([1.0, 0, 1, 1, 0, 1, 1, 1, 0, 1])
    mask = beta if rows is None else beta.expand(rows, T)
    found = g.reconstruct(f, mask).detach().numpy()
    expected = rebuilt(g, f.numpy(), np.broadcast_to(beta.numpy(), (B, T)))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@EITHER_MASK
@pytest.mark.parametrize("value", [0.0, -3.0, 1e6])
def test_g_ignores_what_is_hidden(f, per_sample, value):
    g = make(per_sample=per_sample)
    mask = g.mask(f).expand(B, T)
    changed = torch.where(mask == 0, value, f)
    assert torch.equal(g.reconstruct(changed, mask), g.reconstruct(f, mask))
    visible = torch.where(mask == 1, value, f)
    assert not torch.allclose(g.reconstruct(visible, mask), g.reconstruct(f, mask))


@EITHER_MASK
def test_errors_on_visible_tasks_cost_nothing(f, per_sample):
    g = make(per_sample=per_sample)
    torch.nn.init.zeros_(g.V2.weight)  # G rebuilds 0, so the error is f itself
    hidden = drawn(g, f).expand(B, T) == 0
    wrong = torch.where(hidden, f, 100.0)
    assert penalty(g, wrong).item() == pytest.approx(f[hidden].square().mean().item())
    assert penalty(g, torch.where(hidden, 100.0, f)).item() == pytest.approx(1e4)


def test_a_perfect_g_costs_nothing():
    g = make(rank=1, masked=0.5)
    g.V1.weight.data.fill_(1 / (T / 2))  # the mean of the visible tasks
    g.V2.weight.data.fill_(1.0)
    equal_tasks = torch.rand(B, 1, dtype=torch.double).expand(B, T)
    assert penalty(g, equal_tasks).item() == pytest.approx(0, abs=1e-30)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    targets=st.integers(2, 60),
    masked=st.floats(0, 1, exclude_min=True, exclude_max=True),
    per_sample=st.booleans(),
    rows=st.integers(1, 5),
)
def test_every_mask_hides_its_share_and_shows_something(
    targets, masked, per_sample, rows
):
    g = MaskedLowRank(targets, rank=1, masked=masked, per_sample=per_sample)
    mask = g.mask(torch.zeros(rows, targets))
    assert mask.shape == (rows if per_sample else 1, targets)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    (hidden,) = set((mask == 0).sum(1).tolist())  # the same number in every row
    assert 1 <= hidden <= targets - 1
    assert abs(hidden - masked * targets) <= (1 if hidden in (1, targets - 1) else 0.5)


def test_by_default_a_tenth_of_the_papers_targets_is_hidden():
    g = MaskedLowRank(9520, rank=1)
    assert (g.mask(torch.zeros(1, 9520)) == 0).sum() == 952


def test_masks_of_samples_differ_and_favour_no_task():
    g = make(per_sample=True, masked=0.3)
    torch.manual_seed(0)
    mask = g.mask(torch.zeros(5000, T))
    assert len(mask.unique(dim=0)) == 120  # 10 choose 3
    np.testing.assert_allclose((mask == 0).double().mean(0), 0.3, atol=0.03)


def test_every_call_draws_another_mask(f):
    g = make(masked=0.5)
    torch.manual_seed(0)
    assert len(torch.cat([g.mask(f) for _ in range(20)]).unique(dim=0)) > 15


@EITHER_REDUCTION
def test_strength_scales_the_penalty(f, reduction):
    one = penalty(make(reduction=reduction), f)
    for strength in (0.03, 10):
        scaled = penalty(make(reduction=reduction, strength=strength), f)
        torch.testing.assert_close(scaled, strength * one)
    assert penalty(make(reduction=reduction, strength=0.0), f).item() == 0


@EITHER_REDUCTION
def test_copies_of_the_batch_count_in_the_sum_and_not_in_the_mean(f, reduction):
    g = make(reduction=reduction)
    factor = {"mean": 1, "sum": 3}[reduction]
    torch.testing.assert_close(penalty(g, f.repeat(3, 1)), factor * penalty(g, f))


def test_sparsity_adds_the_l1_norm_of_both_maps(f):
    g = make(strength=0.0, sparsity=0.2)
    norm = sum(np.abs(p.detach().numpy()).sum() for p in (g.V1.weight, g.V2.weight))
    assert penalty(g, f).item() == pytest.approx(0.2 * norm)
    both, eq_5 = make(strength=2.0, sparsity=0.2), make(strength=2.0)
    assert penalty(both, f).item() == pytest.approx(
        penalty(eq_5, f).item() + 0.2 * norm
    )


@pytest.mark.parametrize("detach", [False, True])
def test_gradient_reaches_the_network_unless_detached(detach):
    network = DenseNet(4, T, hidden=(5,)).double()
    g = make(detach=detach)
    features = network.features(torch.randn(B, 4, dtype=torch.double))
    g(network, features, network.head(features)).backward()
    assert all(p.grad.abs().max() > 0 for p in g.parameters())
    reached = [p.grad is not None for p in network.parameters()]
    assert not any(reached) if detach else all(reached)


@EITHER_REDUCTION
@EITHER_MASK
def test_gradient_is_the_numerical_one(f, reduction, per_sample):
    g = make(reduction=reduction, per_sample=per_sample, sparsity=0.1)

    def value(f, V1, V2):
        torch.manual_seed(5)
        weights = {"V1.weight": V1, "V2.weight": V2}
        return torch.func.functional_call(g, weights, (None, None, f))

    inputs = [v.detach().requires_grad_() for v in (f, g.V1.weight, g.V2.weight)]
    assert torch.autograd.gradcheck(value, inputs)


@EITHER_MASK
def test_sums_weigh_the_penalty_as_means_do_with_the_hidden_share(f, per_sample):
    """Σ|e| + λ ΣE² has B·T times the gradient of mean|e| + λ·(share hidden)·meanE²."""
    y, gradients = torch.randn(B, T, dtype=torch.double), {}
    for reduction, strength in (("sum", 0.4), ("mean", 0.4 * 3 / T)):
        f_ = f.clone().requires_grad_()
        g = make(reduction=reduction, strength=strength, per_sample=per_sample)
        loss = getattr((f_ - y).abs(), reduction)()
        (loss + penalty(g, f_)).backward()
        gradients[reduction] = [f_.grad, g.V1.weight.grad, g.V2.weight.grad]
    for summed, mean in zip(gradients["sum"], gradients["mean"], strict=True):
        torch.testing.assert_close(summed, B * T * mean)


@EITHER_MASK
def test_order_of_tasks_does_not_matter(f, per_sample):
    g, order = make(per_sample=per_sample), torch.randperm(T)
    shuffled = copy.deepcopy(g)
    shuffled.V1.weight.data = g.V1.weight.data[:, order]
    shuffled.V2.weight.data = g.V2.weight.data[order]
    mask = drawn(g, f)
    shuffled.mask = lambda predictions: mask[:, order]
    torch.testing.assert_close(
        shuffled.reconstruct(f[:, order], mask[:, order]),
        g.reconstruct(f, mask)[:, order],
    )
    torch.testing.assert_close(penalty(shuffled, f[:, order]), penalty(g, f))


def test_relations_have_at_most_the_rank():
    g = make(targets=30, rank=4)
    f = torch.randn(200, 30, dtype=torch.double)
    found = g.reconstruct(f, g.mask(f)).detach().numpy()
    assert np.linalg.matrix_rank(found) == 4


def test_start_is_xavier_uniform():
    torch.manual_seed(0)
    g = MaskedLowRank(300, 200)
    for layer in (g.V1, g.V2):
        assert layer.weight.var().item() == pytest.approx(2 / 500, rel=0.03)
        assert layer.weight.abs().max() <= (6 / 500) ** 0.5
        assert layer.bias is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"targets": 0}, "targets .* 0"),
        ({"targets": 1}, "targets .* at least 2"),
        ({"targets": 9.5}, r"targets .* 9\.5"),
        ({"rank": 0}, "rank .* 0"),
        ({"rank": 2.5}, r"rank .* 2\.5"),
        ({"masked": 0.0}, r"masked .* 0\.0"),
        ({"masked": 1.0}, r"masked .* 1\.0"),
        ({"masked": float("nan")}, "masked .* nan"),
        ({"strength": -1.0}, r"strength .* -1\.0"),
        ({"strength": float("inf")}, "strength .* inf"),
        ({"strength": "1"}, "strength .* '1'"),
        ({"sparsity": -0.1}, r"sparsity .* -0\.1"),
        ({"reduction": "none"}, "reduction .* mean, sum.* 'none'"),
    ],
)
def test_wrong_arguments_are_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        MaskedLowRank(**{"targets": T, "rank": K} | wrong)


def test_predictions_of_another_number_of_targets_are_refused():
    with pytest.raises(ValueError, match=f"11 targets .* made for {T}"):
        make()(None, None, torch.zeros(B, 11))


# --- Relations: the mean Jacobian -----------------------------------------------


def jacobian(g, f):
    """E[∂G/∂f] by autograd, nothing hidden."""
    everything = torch.ones(1, g.targets, dtype=f.dtype)
    each = [
        torch.autograd.functional.jacobian(
            lambda row: g.reconstruct(row[None], everything)[0], row
        )
        for row in f
    ]
    return torch.stack(each).mean(0)


def test_relations_are_the_mean_jacobian_in_standard_deviations(f):
    g, spread = make(), f.std(0)
    expected = (jacobian(g, f) * spread / spread[:, None]).fill_diagonal_(0)
    torch.testing.assert_close(g.relations(f), expected)
    assert not g.relations(f).requires_grad


def test_relations_of_a_linear_g_are_the_path():
    g = make(rank=4)
    g.activation.negative_slope = 1.0
    f = torch.randn(50, T, dtype=torch.double)
    f = f / f.std(0)
    path = (g.V2.weight @ g.V1.weight).detach().fill_diagonal_(0)
    torch.testing.assert_close(g.relations(f), path)


def test_relations_do_not_depend_on_the_scale_of_units_or_tasks(f):
    g = make()
    before = g.relations(f)
    units = torch.tensor([0.1, 2.0, 30.0], dtype=torch.double)
    g.V1.weight.data *= units[:, None]
    g.V2.weight.data /= units
    torch.testing.assert_close(g.relations(f), before)
    tasks = torch.linspace(0.2, 5, T, dtype=torch.double)
    g.V1.weight.data /= tasks
    g.V2.weight.data *= tasks[:, None]
    torch.testing.assert_close(g.relations(f * tasks), before)


def test_relations_follow_a_permutation_of_tasks(f):
    g, order = make(), torch.randperm(T)
    before = g.relations(f)
    g.V1.weight.data = g.V1.weight.data[:, order]
    g.V2.weight.data = g.V2.weight.data[order]
    torch.testing.assert_close(g.relations(f[:, order]), before[order][:, order])


def test_tasks_without_a_path_have_no_relation(f):
    g = two_blocks()
    R, block = g.relations(f), torch.arange(T) < 6
    apart = block[:, None] != block
    assert not R[apart].any()
    assert R[~apart].count_nonzero() == 6 * 5 + 4 * 3  # all but the diagonal


def two_blocks():
    """G with units for the first six tasks and one for the other four."""
    g = make()
    for weight in (g.V1.weight.data.T, g.V2.weight.data):
        weight[:6, 2] = 0
        weight[6:, :2] = 0
    return g


def test_a_task_with_constant_predictions_has_no_relation(f):
    f[:, 3] = 7.0
    R = make().relations(f)
    assert R.isfinite().all() and R.any()
    assert not R[3].any() and not R[:, 3].any()


def test_relations_need_two_profiles_of_the_same_targets(f):
    with pytest.raises(ValueError, match="at least 2 profiles, got 1"):
        make().relations(f[:1])
    with pytest.raises(ValueError, match=f"11 targets .* made for {T}"):
        make().relations(torch.zeros(B, 11))


def test_relations_take_an_array_and_refuse_what_is_no_matrix_of_numbers(f):
    g = make()
    assert torch.equal(g.relations(f.numpy()), g.relations(f))
    for wrong in (f[0], "predictions", torch.full((B, T), torch.nan)):
        with pytest.raises(ValueError, match="predictions must"):
            g.relations(wrong)
