"""MAE and concordance (Eqs. 11 and 12), against SciPy, scikit-learn and NumPy."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mean_absolute_error

from lsmtl.metrics import concordance, mae, pearson

ALL = pytest.mark.parametrize("metric", [mae, concordance, pearson])
N, T = 23, 6


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    target = rng.normal(1, 2, (N, T))
    return 0.5 * target + rng.normal(0, np.linspace(0.1, 3, T), (N, T)), target


def lin(prediction, target):
    """Lin's definition with the correlation, gene by gene."""
    found = []
    for p, y in zip(prediction.T, target.T, strict=True):
        r = scipy.stats.pearsonr(p, y).statistic
        spread = y.var() + p.var() + (y.mean() - p.mean()) ** 2
        found.append(2 * r * y.std() * p.std() / spread)
    return found


@pytest.mark.equation(11)
def test_mae_is_scikit_learns(pair):
    prediction, target = pair
    expected = mean_absolute_error(target, prediction, multioutput="raw_values")
    np.testing.assert_allclose(mae(prediction, target), expected)


def test_pearson_is_scipys(pair):
    expected = [
        scipy.stats.pearsonr(p, y).statistic
        for p, y in zip(pair[0].T, pair[1].T, strict=True)
    ]
    np.testing.assert_allclose(pearson(*pair), expected)


@pytest.mark.equation(12)
def test_concordance_is_lins(pair):
    np.testing.assert_allclose(concordance(*pair), lin(*pair))


@ALL
def test_one_float64_value_a_gene_from_tensors_arrays_and_lists(metric, pair):
    single = [torch.tensor(v, dtype=torch.float32) for v in pair]
    expected = metric(*single)
    assert expected.shape == (T,)
    assert expected.dtype == torch.float64
    assert torch.equal(metric(*(v.numpy() for v in single)), expected)
    assert torch.equal(metric(*(v.tolist() for v in single)), expected)


@ALL
def test_single_precision_is_summed_in_double(metric):
    rng = np.random.default_rng(0)
    target = (1000 + rng.normal(size=(2000, 2))).astype(np.float32)
    prediction = (target + rng.normal(size=target.shape)).astype(np.float32)
    expected = metric(prediction.astype(float), target.astype(float))
    np.testing.assert_array_equal(metric(prediction, target), expected)


@ALL
def test_genes_are_scored_by_themselves(metric, pair):
    prediction, target = pair
    for t in range(T):
        alone = metric(prediction[:, [t]], target[:, [t]])
        assert metric(prediction, target)[t].item() == pytest.approx(alone.item())


@ALL
def test_order_of_samples_does_not_matter(metric, pair):
    order = np.random.default_rng(1).permutation(N)
    shuffled = metric(*(v[order] for v in pair))
    np.testing.assert_allclose(shuffled, metric(*pair))


@ALL
def test_swapping_prediction_and_target_changes_nothing(metric, pair):
    np.testing.assert_allclose(metric(*pair), metric(*pair[::-1]))


values = arrays(float, (7, 2), elements=st.floats(-1e3, 1e3, width=32))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(values, values)
def test_bounds(prediction, target):
    cc, r = concordance(prediction, target), pearson(prediction, target)
    assert (cc.abs() <= 1 + 1e-9).all()
    assert (r.abs() <= 1 + 1e-9).all()
    assert (cc.abs() <= r.abs() + 1e-9).all()
    assert (mae(prediction, target) >= 0).all()


@settings(deadline=None, max_examples=60, derandomize=True)
@given(values, st.integers(0, 6), st.floats(0.01, 100))
def test_concordance_is_1_only_for_a_perfect_prediction(target, row, error):
    target = target + np.arange(7)[:, None] * 1e4  # not constant
    np.testing.assert_allclose(concordance(target, target), 1, rtol=1e-12)
    prediction = target.copy()
    prediction[row, 0] += error
    cc = concordance(prediction, target)
    assert cc[0] < cc[1]


def test_concordance_of_the_mirrored_target_is_minus_1():
    target = np.array([[-1.0], [0.0], [1.0]])
    assert concordance(-target, target).item() == pytest.approx(-1)


@pytest.mark.parametrize("shift", [-2.0, 0.3])
def test_a_shift_lowers_concordance_and_not_correlation(pair, shift):
    _, target = pair
    expected = 2 * target.var(0) / (2 * target.var(0) + shift**2)
    np.testing.assert_allclose(concordance(target + shift, target), expected)
    np.testing.assert_allclose(pearson(target + shift, target), 1)


@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_a_wrong_scale_lowers_concordance_and_not_correlation(pair, scale):
    target = pair[1] - pair[1].mean(0)
    expected = 2 * scale / (1 + scale**2)
    np.testing.assert_allclose(concordance(scale * target, target), expected)
    np.testing.assert_allclose(pearson(scale * target, target), 1)


@pytest.mark.parametrize("metric", [concordance, pearson])
@pytest.mark.parametrize(
    ("constant", "samples", "dtype"),
    [
        *((c, n, torch.float32) for c in (0, 0.1, -1 / 3, 1e8) for n in (1, 2, 7, 999)),
        *((0.0, n, torch.float64) for n in (1, 7)),
        # in double precision the mean of 0.1, 0.1, 0.1 is not 0.1
        *((c, n, torch.float64) for c, n in ((0.1, 3), (-1 / 3, 1001), (1e8 + 0.1, 7))),
    ],
)
def test_a_constant_prediction_scores_exactly_0(metric, constant, samples, dtype):
    prediction = torch.full((samples, 2), constant, dtype=dtype)
    target = torch.randn(samples, 2, dtype=dtype)
    target[:, 1] = prediction[:, 1]  # a constant target, predicted perfectly
    assert metric(prediction, target).tolist() == [0, 0]
    assert metric(target, prediction).tolist() == [0, 0]


@ALL
@pytest.mark.parametrize(
    ("prediction", "target"),
    [((3, 2), (3, 3)), ((3, 2), (2, 2)), ((3,), (3,)), ((3, 2, 1), (3, 2, 1))],
)
def test_other_shapes_are_refused(metric, prediction, target):
    with pytest.raises(ValueError, match=rf"\({prediction[0]},.*\({target[0]},"):
        metric(torch.zeros(prediction), torch.zeros(target))


@ALL
def test_no_sample_is_refused(metric):
    with pytest.raises(ValueError, match="no sample"):
        metric(torch.zeros(0, 3), torch.zeros(0, 3))
