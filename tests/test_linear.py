"""Linear models: scikit-learn's, optimal by their own conditions, and their limits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from lsmtl import linear
from lsmtl.linear import (
    STRENGTHS,
    LeastSquares,
    ReducedRank,
    RidgePath,
    duality_gap,
    lasso_path,
    moments,
    ridge,
)

SHAPES = pytest.mark.parametrize("n", [60, 9])  # more and fewer samples than landmarks
L2 = pytest.mark.parametrize("l2", [0.0, 5.0])
MODELS = pytest.mark.parametrize(
    "model",
    [
        LeastSquares(),
        LeastSquares(l2=3.0),
        LeastSquares(l1=0.1, tol=1e-10),
        LeastSquares(l2=3.0, l1=0.1, tol=1e-10),
        ReducedRank(2, l2=3.0),
    ],
    ids=["least squares", "ridge", "lasso", "both", "reduced rank"],
)


def profiles(n=60, D=15, T=7, seed=0, noise=1.0):
    """Correlated landmarks, targets that follow some of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D)) @ rng.normal(size=(D, D)) / D**0.5
    W = rng.normal(size=(D, T)) * (rng.random((D, T)) < 0.3)
    y = x @ W + noise * rng.normal(size=(n, T))
    return x - x.mean(0), y - y.mean(0)


def coef(model, x, y):
    return model.fit(x, y).coef_.numpy()


def strongest(x, y):
    """The l1 from which on all weights are 0."""
    return np.abs(x.T @ y).max() / len(x)


def objective(x, y, w, l1, l2):
    """(1/2n)(‖y − Xw‖² + l2‖w‖²) + l1‖w‖₁ of every target."""
    squares = ((y - x @ w) ** 2).sum(0) + l2 * (w**2).sum(0)
    return squares / (2 * len(x)) + l1 * np.abs(w).sum(0)


# --- Least squares and ridge ----------------------------------------------------


@pytest.mark.equation(6)
@SHAPES
@pytest.mark.parametrize("l2", [1e-3, 1.0, 300.0])
def test_ridge_is_scikit_learns(n, l2):
    x, y = profiles(n)
    expected = Ridge(l2, fit_intercept=False).fit(x, y)
    model = LeastSquares(l2=l2).fit(x, y)
    np.testing.assert_allclose(model.coef_, expected.coef_.T, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        model.predict(x), expected.predict(x), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("n", [60, 15, 9])
def test_without_strength_it_is_least_squares_of_minimum_norm(n):
    x, y = profiles(n)
    expected = np.linalg.lstsq(x, y, rcond=1e-8)[0]
    np.testing.assert_allclose(coef(LeastSquares(), x, y), expected, rtol=1e-4)


def test_copied_landmarks_share_the_weight_of_one():
    x, y = profiles(T=3)
    twice = coef(LeastSquares(), np.hstack([x, x]), y)
    np.testing.assert_allclose(twice[:15], twice[15:], rtol=1e-5, atol=1e-7)
    once = coef(LeastSquares(), x, y)
    np.testing.assert_allclose(2 * twice[:15], once, rtol=1e-4, atol=1e-6)


@SHAPES
def test_one_decomposition_serves_every_strength(n):
    x, y = profiles(n)
    new = profiles(4, seed=1)[0]
    path = RidgePath(x, y)
    for l2 in (0.5, 20.0):
        model = path.model(l2)
        assert (model.l2, model.l1) == (l2, 0)
        np.testing.assert_allclose(
            model.coef_, coef(LeastSquares(l2=l2), x, y), rtol=1e-6
        )
        np.testing.assert_allclose(
            path.predict(new, l2), model.predict(new), rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("rows", [60, 15])  # above and below the number of landmarks
def test_both_decompositions_agree_where_rows_are_repeated(rows):
    """n copies of a row change XᵀX and XᵀY by a factor, so l2 by the same."""
    x, y = profiles(9)
    copies = rows // 3
    once = coef(LeastSquares(l2=2.0), x, y)
    many = coef(
        LeastSquares(l2=2.0 * copies), np.tile(x, (copies, 1)), np.tile(y, (copies, 1))
    )
    np.testing.assert_allclose(many, once, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("block", [1, 7, 60, 1000])
def test_sums_do_not_depend_on_the_blocks(block):
    x, y = profiles()
    gram, cross, power = moments(x.astype(np.float32), y.astype(np.float32), block)
    x, y = (v.astype(np.float32).astype(float) for v in (x, y))
    np.testing.assert_allclose(gram, x.T @ x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(cross, x.T @ y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(power, (y**2).sum(0), rtol=1e-12)
    assert {v.dtype for v in (gram, cross, power)} == {torch.float64}


# --- Ridge with the strength of the lowest validation error ---------------------


@pytest.fixture
def parts():
    """x, y for training and validation; the last two landmarks are copies."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 8))
    x[:, 6:] = x[:, :2]
    y = x @ rng.normal(size=(8, 5)) + 4 * rng.normal(size=(50, 5))
    return x[:30], y[:30], x[30:], y[30:]


def fitted(alpha, x, y):
    return Ridge(alpha, fit_intercept=False).fit(x, y)


def assert_is(model, alpha, x, y):
    assert model.l2 == alpha
    np.testing.assert_allclose(model.coef_, fitted(alpha, x, y).coef_.T, rtol=1e-5)


@pytest.mark.parametrize("rows", [30, 5])  # more and fewer samples than landmarks
def test_ridge_is_scikit_learns_at_the_strength_with_the_lowest_validation_mae(
    parts, rows
):
    x, y, valid_x, valid_y = parts
    x, y = x[:rows], y[:rows]
    errors = [
        np.abs(fitted(alpha, x, y).predict(valid_x) - valid_y).mean()
        for alpha in STRENGTHS
    ]
    best = int(np.argmin(errors))
    assert 0 < best < len(STRENGTHS) - 1  # else a fixed choice would pass
    assert_is(ridge(x, y, valid_x, valid_y), STRENGTHS[best], x, y)


def test_ridge_chooses_by_validation_rows_among_the_strengths(parts):
    x, y, valid_x, _ = parts
    exact = fitted(STRENGTHS[0], x, y).predict(valid_x)
    assert_is(ridge(x, y, valid_x, exact), STRENGTHS[0], x, y)
    assert_is(ridge(x, y, valid_x, 0 * exact), STRENGTHS[-1], x, y)
    assert_is(ridge(x, y, valid_x, exact, [7.0, 8.0]), 7.0, x, y)


def test_ridge_chooses_by_absolute_not_squared_errors(parts):
    x, y, valid_x, valid_y = parts
    valid_y = valid_y.copy()
    valid_y[0] = 300  # an outlier, which squares let decide
    off = np.array([fitted(a, x, y).predict(valid_x) - valid_y for a in STRENGTHS])
    best = np.abs(off).mean((1, 2)).argmin()
    assert best != (off**2).mean((1, 2)).argmin()
    assert_is(ridge(x, y, valid_x, valid_y), STRENGTHS[best], x, y)


# --- Lasso ----------------------------------------------------------------------


@pytest.mark.equation(6)
@SHAPES
@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])  # of the strongest useful l1
def test_lasso_is_scikit_learns(n, share):
    x, y = profiles(n)
    l1 = share * strongest(x, y)
    expected = Lasso(l1, fit_intercept=False, tol=1e-12, max_iter=10**6).fit(x, y)
    found = coef(LeastSquares(l1=l1, tol=1e-10), x, y)
    np.testing.assert_allclose(found, expected.coef_.T, atol=2e-4)
    assert 0 < (found == 0).mean() < 1


@SHAPES
@pytest.mark.parametrize("l2", [0.5, 20.0])
def test_both_strengths_are_the_elastic_net(n, l2):
    x, y = profiles(n)
    l1, alpha = 0.1, 0.1 + l2 / n
    reference = ElasticNet(
        alpha, l1_ratio=l1 / alpha, fit_intercept=False, tol=1e-12, max_iter=10**6
    )
    found = coef(LeastSquares(l2=l2, l1=l1, tol=1e-10), x, y)
    np.testing.assert_allclose(found, reference.fit(x, y).coef_.T, atol=1e-4)


@SHAPES
@L2
def test_weights_fulfil_the_subgradient_condition(n, l2):
    x, y = profiles(n)
    l1 = 0.1 * strongest(x, y)
    w = coef(LeastSquares(l2=l2, l1=l1, tol=1e-10), x, y).astype(float)
    slope = (x.T @ (y - x @ w) - l2 * w) / n  # of the smooth part, downhill
    assert np.abs(slope).max() <= l1 * (1 + 1e-3)
    np.testing.assert_allclose(slope[w != 0], l1 * np.sign(w[w != 0]), rtol=1e-3)
    assert (w == 0).any() and (w != 0).any()


@L2
def test_from_the_strongest_useful_l1_on_all_weights_are_0(l2):
    x, y = profiles()
    l1 = strongest(x, y)
    assert not coef(LeastSquares(l2, l1=l1 * 1.0001, tol=1e-6), x, y).any()
    assert coef(LeastSquares(l2, l1=l1 * 0.99, tol=1e-8), x, y).any()


def test_hardly_any_l1_is_hardly_a_lasso():
    x, y = profiles()
    found = coef(LeastSquares(l1=1e-7, tol=1e-10), x, y)
    np.testing.assert_allclose(found, coef(LeastSquares(), x, y), atol=1e-4)


@SHAPES
@L2
@pytest.mark.parametrize("tol", [1e-1, 1e-3, 1e-7])
def test_every_target_is_within_the_tolerance_of_the_optimum(n, l2, tol):
    x, y = profiles(n, noise=0.1)
    l1 = 0.05 * strongest(x, y)
    best = objective(
        x, y, coef(LeastSquares(l2, l1, tol=1e-10), x, y).astype(float), l1, l2
    )
    w = coef(LeastSquares(l2, l1, tol), x, y).astype(float)
    allowed = tol * (y**2).sum(0) / (2 * n)
    above = objective(x, y, w, l1, l2) - best
    assert (above <= allowed * 1.001 + 1e-9).all()
    assert (duality_gap(x, y, w, l1, l2).numpy() <= allowed * 1.001 + 1e-9).all()


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 20),
    l1=st.floats(1e-3, 10),
    l2=st.floats(0, 10),
    size=st.sampled_from([0.0, 0.1, 10.0]),
)
def test_the_gap_bounds_what_is_left_to_gain(seed, n, l1, l2, size):
    """Against any other weights at all: no objective is below primal minus gap."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 5)), rng.normal(size=(n, 3))
    w = size * rng.normal(size=(5, 3))
    gap = duality_gap(x, y, w, l1, l2).numpy()
    lower = objective(x, y, w, l1, l2) - gap
    assert (gap >= -1e-9).all()
    better = coef(LeastSquares(l2, l1, tol=1e-10), x, y).astype(float)
    assert (lower <= objective(x, y, better, l1, l2) + 1e-6).all()


def test_the_gap_is_that_of_a_feasible_dual_point():
    x, y = profiles()
    w, l1 = 0.1 * np.random.default_rng(1).normal(size=(15, 7)), 0.2
    r = y - x @ w
    scale = np.minimum(1, len(x) * l1 / np.abs(x.T @ r).max(0))
    assert (scale < 1).any()
    dual = ((y**2).sum(0) - ((y - scale * r) ** 2).sum(0)) / (2 * len(x))
    expected = objective(x, y, w, l1, 0) - dual
    np.testing.assert_allclose(duality_gap(x, y, w, l1), expected, rtol=1e-8)


def test_a_path_is_its_single_fits():
    x, y = profiles()
    strengths = [share * strongest(x, y) for share in (0.9, 0.3, 0.1)]
    models = list(lasso_path(x, y, strengths, l2=1.0, tol=1e-10))
    assert [(m.l1, m.l2, m.tol) for m in models] == [(s, 1, 1e-10) for s in strengths]
    for model in models:
        alone = LeastSquares(l2=1.0, l1=model.l1, tol=1e-10)
        np.testing.assert_allclose(model.coef_, coef(alone, x, y), atol=1e-5)


def test_a_warm_start_that_is_good_enough_stays(monkeypatch):
    x, y = profiles()
    monkeypatch.setattr(linear, "LIMIT", 400)
    first, second = lasso_path(x, y, [0.2, 0.2])
    assert torch.equal(first.coef_, second.coef_)


@pytest.mark.parametrize("block", [1, 3])
def test_targets_are_solved_in_blocks(block, monkeypatch):
    x, y = profiles()
    strengths = [0.3, 0.1]
    whole = list(lasso_path(x, y, strengths, tol=1e-10))
    monkeypatch.setattr(linear, "BLOCK", block)
    for model, other in zip(lasso_path(x, y, strengths, tol=1e-10), whole, strict=True):
        torch.testing.assert_close(model.coef_, other.coef_, rtol=1e-4, atol=1e-5)


def test_an_easy_target_does_not_wait_and_does_not_stop_the_others():
    x, y = profiles()
    y[:, 0] = 0
    y[:, 1] *= 1e-6  # weaker than the penalty
    found = coef(LeastSquares(l1=0.05, tol=1e-8), x, y)
    assert not found[:, :2].any()
    alone = coef(LeastSquares(l1=0.05, tol=1e-8), x, y[:, 2:])
    np.testing.assert_allclose(found[:, 2:], alone, atol=1e-4)


def test_landmarks_that_are_all_0_get_no_weight():
    _, y = profiles()
    for model in (LeastSquares(), LeastSquares(l2=1.0), LeastSquares(l1=0.1)):
        assert not coef(model, np.zeros((60, 4)), y).any()


def test_too_few_iterations_are_told(monkeypatch):
    monkeypatch.setattr(linear, "LIMIT", 3)
    with pytest.warns(RuntimeWarning, match="l1 = 0.01 .* 3 iterations with 7 targets"):
        LeastSquares(l1=0.01, tol=1e-10).fit(*profiles())


# --- Reduced rank ---------------------------------------------------------------


@SHAPES
@pytest.mark.parametrize("l2", [1e-6, 4.0])
def test_reduced_rank_is_the_truncated_svd_of_ridges_predictions(n, l2):
    x, y = profiles(n)
    w = np.linalg.solve(x.T @ x + l2 * np.eye(15), x.T @ y)
    below = np.vstack([x, l2**0.5 * np.eye(15)])  # ridge as least squares
    vt = np.linalg.svd(below @ w, full_matrices=False)[2][:3]
    found = coef(ReducedRank(3, l2), x, y)
    np.testing.assert_allclose(found, w @ vt.T @ vt, rtol=1e-3, atol=1e-5)
    assert np.linalg.matrix_rank(found, tol=1e-5) == 3


@SHAPES
@pytest.mark.parametrize("rank", [7, 100])
def test_with_the_rank_of_the_targets_it_is_ridge(n, rank):
    x, y = profiles(n)
    expected = coef(LeastSquares(l2=2.0), x, y)
    found = coef(ReducedRank(rank, l2=2.0), x, y)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_no_neighbour_of_that_rank_is_better():
    x, y = profiles()
    w = coef(ReducedRank(2, l2=2.0), x, y).astype(float)
    lowest = objective(x, y, w, 0, 2.0).sum()
    u, s, vt = np.linalg.svd(w, full_matrices=False)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 1e-1) * 10:
        a = (u * s)[:, :2] + size * rng.normal(size=(15, 2))
        b = vt[:2] + size * rng.normal(size=(2, 7))
        assert objective(x, y, a @ b, 0, 2.0).sum() > lowest


# --- All models -----------------------------------------------------------------


@SHAPES
@MODELS
def test_order_of_landmarks_samples_and_targets_does_not_matter(model, n):
    x, y = profiles(n)
    rng = np.random.default_rng(5)
    rows, d, t = (rng.permutation(k) for k in (n, 15, 7))
    expected = coef(model, x, y)[np.ix_(d, t)]
    found = coef(model, x[np.ix_(rows, d)], y[np.ix_(rows, t)])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@MODELS
def test_arrays_and_tensors_of_either_precision_will_do(model):
    x, y = (v.astype(np.float32) for v in profiles())
    expected = coef(model, x, y)
    for kind in (torch.tensor, np.float64, torch.DoubleTensor):
        assert model.fit(kind(x), kind(y)) is model
        torch.testing.assert_close(model.coef_, torch.tensor(expected))
        prediction = model.predict(kind(x))
        assert prediction.dtype == model.coef_.dtype == torch.float32
        np.testing.assert_allclose(prediction, x @ expected, rtol=1e-4, atol=1e-5)


@MODELS
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same(model):
    x, y = map(torch.tensor, profiles())
    expected = coef(model, x, y)
    model.fit(x.cuda(), y.cuda())
    assert model.predict(x).is_cuda
    torch.testing.assert_close(
        model.coef_.cpu(), torch.tensor(expected), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("make", [LeastSquares, lambda: ReducedRank(2)])
def test_a_model_without_a_fit_says_so(make):
    with pytest.raises(ValueError, match="is not fitted yet"):
        make().predict(np.zeros((2, 15)))


@MODELS
def test_values_that_dont_fit_are_named(model):
    x, y = profiles()
    with pytest.raises(ValueError, match=r"same number of rows.* 60 and 59"):
        model.fit(x, y[:-1])
    with pytest.raises(ValueError, match="at least 1; got 0 and 0"):
        model.fit(x[:0], y[:0])
    with pytest.raises(ValueError, match=r"y must have the shape .* \(60,\)"):
        model.fit(x, y[:, 0])
    for name, value in (("x", np.nan), ("y", -np.inf)):
        wrong = {"x": x.copy(), "y": y.copy()}
        wrong[name][4, 2] = value
        with pytest.raises(ValueError, match=f"{name} .*finite.*{value} in row 4, col"):
            model.fit(**wrong)
    model.fit(x, y)
    with pytest.raises(ValueError, match=r"\(samples, 15\), got \(60, 14\)"):
        model.predict(x[:, 1:])
    with pytest.raises(ValueError, match="nan in row 0, column 0"):
        model.predict(x * np.nan)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: LeastSquares(l2=-1.0), r"l2 .* -1\.0"),
        (lambda: LeastSquares(l2=float("nan")), "l2 .* nan"),
        (lambda: LeastSquares(l1=-0.5), r"l1 .* -0\.5"),
        (lambda: LeastSquares(l1="1"), "l1 .* '1'"),
        (lambda: LeastSquares(l1=float("inf")), "l1 .* inf"),
        (lambda: LeastSquares(tol=0.0), r"tol .* 0\.0"),
        (lambda: ReducedRank(0), "rank .* 0"),
        (lambda: ReducedRank(2.5), r"rank .* 2\.5"),
        (lambda: ReducedRank(2, l2=-1.0), r"l2 .* -1\.0"),
        (lambda: RidgePath([[1.0]], [[1.0]]).model(-2.0), r"l2 .* -2\.0"),
        (lambda: list(lasso_path([[1.0]], [[1.0]], [0.0])), r"l1 .* 0\.0"),
        (lambda: list(lasso_path([[1.0]], [[1.0]], [1.0], tol=0.0)), r"tol .* 0\.0"),
        (lambda: moments([[1.0]], [[1.0]], block=0), "block .* 0"),
        (lambda: LeastSquares().fit("x", [[1.0]]), "x must be .* array, got 'x'"),
    ],
)
def test_wrong_arguments_are_named(make, named):
    with pytest.raises(ValueError, match=named):
        make()


def test_rows_that_choose_are_checked():
    x, y = torch.randn(12, 3), torch.randn(12, 2)
    bad = y.clone()
    bad[4, 1] = float("nan")
    with pytest.raises(ValueError, match="got nan in row 4, column 1"):
        ridge(x, y, x, bad)
    with pytest.raises(ValueError, match="strengths is empty"):
        ridge(x, y, x, y, strengths=[])
