"""Regularised multi-task learning: written out, against others, and its limits."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import solve_sylvester
from scipy.optimize import minimize
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.svm import SVC, LinearSVC

from lsmtl import kernels
from lsmtl.kernels import (
    MTRL,
    GraphRegularized,
    Individual,
    MeanRegularized,
    Pooled,
    TaskKernel,
    adjacency_from,
    laplacian,
    laplacian_form,
    mean_adjacency,
    multitask_kernel,
    pairwise_form,
    shared_component,
    task_kernel,
)
from lsmtl.kernels import rows as rows_module
from lsmtl.kernels.solvers import sylvester

N, D, T = 90, 4, 5
SMOOTH = pytest.mark.parametrize("loss", ["squared", "logistic"])
ANY_LOSS = pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
DUAL = pytest.mark.parametrize("dual", [False, True], ids=["primal", "dual"])


def adjacency(tasks=T, seed=3):
    A = np.random.default_rng(seed).random((tasks, tasks))
    A *= A < 0.7
    return A + A.T


A = adjacency()
MODELS = {
    "individual": Individual,
    "pooled": Pooled,
    "mean": MeanRegularized,
    "graph": lambda **how: GraphRegularized(A, coupling=2.0, **how),
    "task kernel": lambda **how: TaskKernel(shared_component(T, 2.0, 0.5), **how),
    "learned": lambda **how: MTRL(rounds=3, **how),
}
EACH = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
GIVEN = pytest.mark.parametrize("make", [*MODELS.values()][:-1], ids=[*MODELS][:-1])


@pytest.fixture(scope="module")
def world():
    """X (n, d), values y, labels (n,) and the task of every row, unequal in size."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D))
    task = rng.choice(T, size=N, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    task[:T] = range(T)
    W = rng.normal(size=D) + 0.5 * rng.normal(size=(T, D))
    y = (X * W[task]).sum(1) + 0.5 * rng.normal(size=N)
    return X, y, np.where(y + rng.normal(size=N) > 0, 1, -1), task


def outcome(world, loss):
    return world[1] if loss == "squared" else world[2]


def losses(loss, y, f):
    return {
        "squared": (y - f) ** 2,
        "logistic": np.log1p(np.exp(-y * f)),
        "hinge": np.maximum(0, 1 - y * f),
    }[loss]


def objective(world, loss, W, adjacency, strength):
    """As the design document writes it, with loops over pairs of tasks."""
    X, task = world[0], world[3]
    total = losses(loss, outcome(world, loss), (X * W[task]).sum(1)).sum()
    own = sum(w @ w for w in W)
    pairs = sum(
        adjacency[s, t] * ((W[s] - W[t]) ** 2).sum() / 2
        for s in range(len(W))
        for t in range(len(W))
    )
    return total + strength * (own + pairs)


# --- Matrices of relations ------------------------------------------------------

matrices = arrays(float, (4, 4), elements=st.floats(0, 10)).map(lambda M: M + M.T)
weights = arrays(float, (4, 3), elements=st.floats(-10, 10))


@settings(deadline=None, max_examples=50, derandomize=True)
@given(matrices, weights)
def test_the_laplacian_form_is_the_pairwise_form_with_its_half(A, W):
    loops = sum(
        A[s, t] * ((W[s] - W[t]) ** 2).sum() for s in range(4) for t in range(4)
    )
    assert pairwise_form(W, A) == pytest.approx(loops / 2, abs=1e-9)
    assert laplacian_form(W, A) == pytest.approx(loops / 2, rel=1e-9, abs=1e-8)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(matrices)
def test_h_is_positive_definite_so_its_pseudo_inverse_is_the_inverse(A):
    H = np.eye(4) + laplacian(A)
    assert np.linalg.eigvalsh(H)[0] >= 1 - 1e-9
    M = task_kernel(A)
    np.testing.assert_allclose(M, np.linalg.pinv(H), atol=1e-9)
    np.testing.assert_allclose(M.sum(0), 1, atol=1e-9)
    assert M.min() >= -1e-12


def test_a_constant_vector_costs_nothing_and_the_diagonal_has_no_effect():
    np.testing.assert_allclose(laplacian(A).sum(0), 0, atol=1e-12)
    np.testing.assert_allclose(laplacian(A + np.eye(T)), laplacian(A), atol=1e-12)


def test_the_mean_adjacency_measures_the_distance_to_the_mean():
    W = np.random.default_rng(0).normal(size=(T, D))
    expected = 3 * ((W - W.mean(0)) ** 2).sum()
    assert pairwise_form(W, mean_adjacency(T, 3.0)) == pytest.approx(expected)


def test_a_shared_component_that_is_minimised_out_is_its_task_kernel():
    rng, own, common = np.random.default_rng(1), 0.7, 0.2
    W = rng.normal(size=(3, D))

    def value(w):
        return own * ((W - w) ** 2).sum() + common * w @ w

    best = minimize(value, np.zeros(D), tol=1e-12)
    np.testing.assert_allclose(
        best.x, own * W.sum(0) / (3 * own + common), rtol=1e-4, atol=1e-6
    )
    K = shared_component(3, own, common)
    assert np.vdot(W, np.linalg.solve(K, W)) == pytest.approx(best.fun)
    assert K[0, 1] / K[0, 0] == pytest.approx(own / (own + common))


def test_domain_adaptation_is_a_shared_component_of_equal_strengths():
    source, target = np.array([1, 1, 0]), np.array([1, 0, 1])  # tasks' features
    features = np.stack([source, target])
    np.testing.assert_allclose(shared_component(2), features @ features.T)


@pytest.mark.equation(1, of="review")
def test_the_multitask_kernel_is_that_of_products_of_features():
    rng = np.random.default_rng(0)
    F, x, z = rng.normal(size=(T, 2)), rng.normal(size=(7, D)), rng.normal(size=(6, D))
    s, t = rng.integers(T, size=7), rng.integers(T, size=6)
    both = [
        np.einsum("nr,nd->nrd", F[tasks], rows).reshape(len(rows), -1)
        for tasks, rows in ((s, x), (t, z))
    ]
    found = multitask_kernel(F @ F.T, s, t, x @ z.T)
    np.testing.assert_allclose(found, both[0] @ both[1].T, atol=1e-12)


@pytest.mark.parametrize("relations", [task_kernel(A), shared_component(T, 3.0, 0.1)])
def test_multitask_kernels_are_positive_semi_definite(relations):
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(40, D)), rng.integers(T, size=40)
    K = multitask_kernel(relations, t, t, rbf_kernel(X))
    np.testing.assert_allclose(K, K.T, atol=1e-14)
    assert np.linalg.eigvalsh(K)[0] > -1e-10


@settings(deadline=None, max_examples=50, derandomize=True)
@given(arrays(float, (5, 5), elements=st.floats(0.1, 10)), st.integers(1, 6))
def test_any_relations_become_a_valid_adjacency(R, neighbours):
    for A in (adjacency_from(R), adjacency_from(R, neighbours)):
        np.testing.assert_array_equal(A, A.T)
        assert A.min() >= 0 and not np.diag(A).any()
        assert A.sum() == pytest.approx(5)
    assert ((A > 0).sum(0) >= min(neighbours, 4)).all()
    np.testing.assert_allclose(adjacency_from(R.T), adjacency_from(R), atol=1e-12)
    np.testing.assert_allclose(adjacency_from(3 * R), adjacency_from(R), atol=1e-12)


def test_an_adjacency_keeps_the_strongest_and_drops_the_negative():
    R = np.array([[0, 5, -9, 1], [5, 0, 2, 3], [-9, 2, 0, 4], [1, 3, 4, 0]])
    both = adjacency_from(R) > 0
    np.testing.assert_array_equal(both, (R > 0))
    one = adjacency_from(R, 1)
    assert {*zip(*np.nonzero(np.triu(one)), strict=True)} == {(0, 1), (2, 3)}
    assert one[0, 1] / one[2, 3] == pytest.approx(5 / 4)


# --- The solution, against general minimisers and other libraries ---------------


@SMOOTH
@pytest.mark.parametrize("coupling", [0.0, 2.0])
def test_the_weights_minimise_the_objective(world, loss, coupling):
    model = GraphRegularized(A, 0.7, loss, coupling=coupling)
    W = model.fit(world[0], outcome(world, loss), world[3]).coef_

    def value(w):
        return objective(world, loss, w.reshape(T, D), coupling * A, 0.7)

    best = minimize(value, np.zeros(T * D), options={"gtol": 1e-7})
    np.testing.assert_allclose(W, best.x.reshape(T, D), atol=1e-5)
    assert value(W.ravel()) <= best.fun + 1e-9


@pytest.mark.parametrize("strength", [0.0, 0.1, 30.0])
def test_alone_each_task_is_scikit_learns_ridge(world, strength):
    X, y, _, task = world
    X, y, task = np.tile(X, (3, 1)), np.tile(y, 3), np.tile(task, 3)
    X = X + np.random.default_rng(0).normal(size=X.shape)  # 4 rows at least a task
    W = Individual(strength).fit(X, y, task).coef_
    for t in range(T):
        ridge = Ridge(strength, fit_intercept=False)
        mine = task == t
        np.testing.assert_allclose(W[t], ridge.fit(X[mine], y[mine]).coef_, rtol=1e-6)


@DUAL
def test_pooled_is_scikit_learns_ridge_of_all_rows(world, dual):
    X, y, _, task = world
    W = Pooled(2.0, dual=dual).fit(X, y, task).coef_
    expected = Ridge(2.0, fit_intercept=False).fit(X, y).coef_
    np.testing.assert_allclose(W, np.tile(expected, (T, 1)), rtol=1e-8)


@DUAL
def test_logistic_is_scikit_learns(world, dual):
    X, _, y, task = world
    model = LogisticRegression(C=1 / (2 * 0.8), fit_intercept=False, tol=1e-10)
    W = Pooled(0.8, "logistic", dual).fit(X, y, task).coef_
    np.testing.assert_allclose(W[0], model.fit(X, y).coef_[0], rtol=1e-5)


def test_kernel_ridge_is_scikit_learns_on_the_multitask_kernel(world):
    X, y, _, task = world
    K = multitask_kernel(task_kernel(A), task, task, rbf_kernel(X, gamma=0.3))
    expected = KernelRidge(alpha=0.5, kernel="precomputed").fit(K, y).dual_coef_
    model = GraphRegularized(
        A, 0.5, dual=True, kernel="rbf", kernel_params={"gamma": 0.3}
    )
    np.testing.assert_allclose(model.fit(X, y, task).dual_coef_, expected, rtol=1e-7)


def test_hinge_is_the_support_vector_machine_on_products_of_features(world):
    X, _, y, task = world
    F = np.linalg.cholesky(task_kernel(A))
    features = np.einsum("nr,nd->nrd", F[task], X).reshape(N, -1)
    machine = LinearSVC(
        loss="hinge", C=1 / (2 * 0.3), fit_intercept=False, tol=1e-9, max_iter=10**6
    )
    expected = machine.fit(features, y).decision_function(features)
    model = GraphRegularized(A, 0.3, "hinge", dual=True, tol=1e-9).fit(X, y, task)
    np.testing.assert_allclose(model.decision_function(X, task), expected, atol=1e-4)


def test_hinge_coefficients_are_in_the_box(world):
    """α = yβ/(2λ), β in [0, 1]: 0 beyond the margin, 1 within it."""
    X, _, y, task = world
    rng = np.random.default_rng(0)
    K = rbf_kernel(X, gamma=2.0) + 0.1 * np.eye(N)  # of full rank: α is unique
    how = {"dual": True, "kernel": "precomputed", "tol": 1e-9}
    model = Pooled(0.2, "hinge", **how).fit(K, y, task)
    beta = 2 * 0.2 * y * model.dual_coef_
    margins = y * model.decision_function(K, task)
    assert beta.min() > -1e-5 and beta.max() < 1 + 1e-5
    np.testing.assert_allclose(beta[margins > 1 + 1e-4], 0, atol=1e-5)
    np.testing.assert_allclose(beta[margins < 1 - 1e-4], 1, atol=1e-5)
    assert (margins > 1 + 1e-4).any() and (margins < 1 - 1e-4).any()
    order = rng.permutation(N)
    again = clone(model).fit(K[np.ix_(order, order)], y[order], task[order])
    np.testing.assert_allclose(again.dual_coef_, model.dual_coef_[order], atol=1e-4)


def test_hinge_is_near_the_machine_with_an_intercept_where_there_is_none():
    """Mirrored points have the intercept 0, so that scikit-learn's SVC is the same."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, D))
    y = np.where(X[:, 0] + 0.5 * rng.normal(size=40) > 0, 1, -1)
    X, y = np.vstack([X, -X]), np.concatenate([y, -y])
    expected = SVC(C=1 / (2 * 0.5), kernel="linear", tol=1e-9).fit(X, y)
    assert expected.intercept_[0] == pytest.approx(0, abs=1e-6)
    found = Pooled(0.5, "hinge", dual=True).fit(X, y, ["a"] * 80)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)


# --- Primal, dual and all solvers are the same ----------------------------------


@GIVEN
@SMOOTH
@pytest.mark.parametrize("solver", ["direct", "cg"])
def test_primal_and_dual_agree(world, make, loss, solver):
    X, y, task = world[0], outcome(world, loss), world[3]
    new = np.random.default_rng(1).normal(size=(20, D))
    first = make(loss=loss, strength=0.4, tol=1e-12).fit(X, y, task)
    tight = 1e-10 if solver == "direct" else 1e-8
    for dual in (False, True):
        other = make(loss=loss, strength=0.4, dual=dual, solver=solver, tol=1e-12)
        other.fit(X, y, task)
        np.testing.assert_allclose(other.coef_, first.coef_, rtol=tight, atol=tight)
        np.testing.assert_allclose(
            other.decision_function(new), first.decision_function(new), atol=10 * tight
        )


@ANY_LOSS
@GIVEN
def test_a_linear_kernel_by_any_name_is_the_same(world, make, loss):
    X, y, task = world[0], outcome(world, loss), world[3]
    new, at = np.random.default_rng(1).normal(size=(20, D)), np.arange(20) % T
    how = {"loss": loss, "dual": True, "strength": 0.4}
    first = make(**how).fit(X, y, task).decision_function(new, at)
    called = make(**how, kernel=lambda x, z: x @ z.T).fit(X, y, task)
    poly = make(
        **how, kernel="poly", kernel_params={"degree": 1, "gamma": 1, "coef0": 0}
    )
    given = make(**how, kernel="precomputed").fit(X @ X.T, y, task)
    for found in (
        called.decision_function(new, at),
        poly.fit(X, y, task).decision_function(new, at),
        given.decision_function(new @ X.T, at),
    ):
        np.testing.assert_allclose(found, first, atol=1e-6)
    assert not hasattr(called, "coef_")


@pytest.mark.parametrize("block", [1, 200, 10**6])
@SMOOTH
def test_blocks_of_the_kernel_are_the_whole_kernel(world, block, loss, monkeypatch):
    X, y, task = world[0], outcome(world, loss), world[3]
    how = {"loss": loss, "dual": True, "kernel": "rbf", "tol": 1e-10}
    whole = GraphRegularized(A, **how, solver="direct").fit(X, y, task)
    monkeypatch.setattr(rows_module, "BLOCK", block)
    blocks = GraphRegularized(A, **how, solver="cg").fit(X, y, task)
    np.testing.assert_allclose(blocks.dual_coef_, whole.dual_coef_, atol=1e-7)
    np.testing.assert_allclose(blocks.predict(X), whole.predict(X), atol=1e-6)
    np.testing.assert_allclose(
        blocks.decision_function(X)[np.arange(N), task],
        blocks.decision_function(X, task),
        atol=1e-12,
    )


def test_the_whole_kernel_is_not_made_where_rows_are_many(world, monkeypatch):
    X, y, _, task = world
    seen = []
    monkeypatch.setattr(kernels.solvers, "DIRECT", N - 1)
    monkeypatch.setattr(rows_module, "BLOCK", 10 * N)

    def kernel(x, z):
        seen.append((len(x), len(z)))
        return rbf_kernel(x, z)

    found = MeanRegularized(dual=True, kernel=kernel).fit(X, y, task)
    assert {*seen} == {(10, N)}
    monkeypatch.undo()
    expected = MeanRegularized(dual=True, kernel="rbf").fit(X, y, task)
    np.testing.assert_allclose(found.dual_coef_, expected.dual_coef_, rtol=1e-5)


def test_singular_task_kernels_need_the_dual(world):
    X, y, _, task = world
    ones = np.ones((T, T))
    with pytest.raises(ValueError, match="need dual=True"):
        TaskKernel(ones).fit(X, y, task)
    found = TaskKernel(ones, 2.0, dual=True).fit(X, y, task)
    np.testing.assert_allclose(found.coef_, Pooled(2.0).fit(X, y, task).coef_)


# --- Shared inputs --------------------------------------------------------------


@pytest.fixture(scope="module")
def shared():
    rng = np.random.default_rng(2)
    X, W = rng.normal(size=(12, D)), rng.normal(size=(T, D))
    return X, X @ W.T + 0.3 * rng.normal(size=(12, T))


@GIVEN
@DUAL
def test_shared_inputs_are_rows_of_every_task(shared, make, dual):
    X, Y = shared
    long = np.tile(X, (T, 1)), Y.T.ravel(), np.repeat(range(T), len(X))
    expected = make(strength=0.6).fit(*long)
    found = make(strength=0.6, dual=dual).fit(X, Y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-9)
    np.testing.assert_allclose(found.predict(X), X @ expected.coef_.T, atol=1e-9)
    assert found.score(X, Y) == pytest.approx(expected.score(X, Y))
    assert found.tasks_ == [*range(T)]


def test_shared_inputs_with_a_kernel(shared):
    X, Y = shared
    how = {"dual": True, "kernel": "rbf", "strength": 0.6}
    long = np.tile(X, (T, 1)), Y.T.ravel(), np.repeat(range(T), len(X))
    expected = GraphRegularized(A, **how).fit(*long).predict(2 * X)
    found = GraphRegularized(A, **how).fit(X, Y).predict(2 * X)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_shared_inputs_solve_scipys_sylvester_equation(shared):
    X, Y = shared
    H = np.eye(T) + laplacian(A)
    expected = solve_sylvester(0.6 * H, X.T @ X, Y.T @ X)
    found = GraphRegularized(A, 0.6).fit(X, Y).coef_
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_sylvester_solves_its_equation_also_where_m_has_no_inverse():
    rng = np.random.default_rng(0)
    M, G = (B @ B.T for B in (rng.normal(size=(4, 2)), rng.normal(size=(6, 6))))
    R = rng.normal(size=(4, 6))
    Z = sylvester(M, G, 0.3, R)
    np.testing.assert_allclose(M @ Z @ G + 0.3 * Z, R, atol=1e-9)


def test_columns_of_shared_inputs_are_tasks_by_name(shared):
    X, Y = shared
    names = list("edcba")
    frame = pd.DataFrame(Y, columns=names)
    graph = pd.DataFrame(A, names, names)
    turned = graph.loc[names[::-1], names[::-1]]
    first = GraphRegularized(graph).fit(X, frame)
    other = GraphRegularized(turned).fit(X, frame)
    assert first.tasks_ == names and other.tasks_ == names[::-1]
    np.testing.assert_allclose(other.coef_, first.coef_[::-1], atol=1e-10)
    with pytest.raises(ValueError, match="no column for the task 'a'"):
        GraphRegularized(graph).fit(X, frame.drop(columns="a"))


# --- What the coupling does -----------------------------------------------------


@SMOOTH
def test_mean_regularisation_is_the_complete_graph(world, loss):
    X, y, task = world[0], outcome(world, loss), world[3]
    mean = MeanRegularized(0.4, loss=loss, coupling=3.0).fit(X, y, task)
    graph = GraphRegularized(np.full((T, T), 3 / T), 0.4, loss).fit(X, y, task)
    np.testing.assert_allclose(mean.coef_, graph.coef_, atol=1e-9)


@SMOOTH
def test_without_coupling_tasks_are_alone(world, loss):
    X, y, task = world[0], outcome(world, loss), world[3]
    alone = Individual(0.4, loss).fit(X, y, task).coef_
    for model in (
        GraphRegularized(np.zeros((T, T)), 0.4, loss),
        MeanRegularized(0.4, coupling=0.0, loss=loss),
        TaskKernel(np.eye(T), 0.4, loss),
    ):
        np.testing.assert_allclose(model.fit(X, y, task).coef_, alone, atol=1e-9)


@DUAL
def test_with_endless_coupling_tasks_are_one(world, dual):
    """Then the penalty on weights counts T times."""
    X, y, _, task = world
    found = MeanRegularized(0.4, coupling=1e9, dual=dual).fit(X, y, task)
    expected = Pooled(0.4 * T).fit(X, y, task)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-6)


@EACH
def test_with_endless_strength_weights_are_0(world, make):
    X, y, _, task = world
    assert np.abs(make(strength=1e9).fit(X, y, task).coef_).max() < 1e-5


def test_tasks_of_one_component_meet_and_others_don_t_matter(world):
    X, y, _, task = world
    halves = np.zeros((T, T))
    halves[:2, :2] = halves[2:, 2:] = 1e8
    W = GraphRegularized(halves, 0.4).fit(X, y, task).coef_
    np.testing.assert_allclose(W[0], W[1], atol=1e-6)
    np.testing.assert_allclose(W[2], W[4], atol=1e-6)
    first = task < 2
    alone = GraphRegularized(halves[:2, :2], 0.4).fit(X[first], y[first], task[first])
    np.testing.assert_allclose(W[:2], alone.coef_, atol=1e-6)


def test_a_task_without_rows_is_the_mean_of_its_neighbours_shrunk(world):
    X, y, _, task = world
    names = [*range(T), "new"]
    graph = np.zeros((T + 1, T + 1))
    graph[T, :2] = graph[:2, T] = 1.5
    model = GraphRegularized(pd.DataFrame(graph, names, names)).fit(X, y, task)
    W = model.coef_
    np.testing.assert_allclose(W[T], 1.5 * (W[0] + W[1]) / (1 + 3), atol=1e-10)
    np.testing.assert_allclose(model.predict(X[:1], ["new"]), X[:1] @ W[T])


def test_source_and_target_with_their_shared_part_written_out(world):
    """λ1/2 Σ‖w_t − w‖² + λ2/2‖w‖² + losses, over w, w_s, w_t together."""
    X, y, _, task = world
    task = np.minimum(task, 1)
    own, common = 0.8, 0.3

    def value(v):
        w, W = v[:D], v[D:].reshape(2, D)
        loss = ((y - (X * W[task]).sum(1)) ** 2).sum()
        return loss + own / 2 * ((W - w) ** 2).sum() + common / 2 * w @ w

    best = minimize(value, np.zeros(3 * D), options={"gtol": 1e-8}).x
    found = TaskKernel(shared_component(2, own, common), 0.5).fit(X, y, task)
    np.testing.assert_allclose(found.coef_.ravel(), best[D:], atol=1e-5)


# --- Learned relations ----------------------------------------------------------


def mtrl(world, loss="squared", **how):
    model = MTRL(0.5, coupling=0.3, loss=loss, epsilon=1e-3, **how)
    return model.fit(world[0], outcome(world, loss), world[3])


@ANY_LOSS
def test_the_objective_falls_in_every_round(world, loss):
    model = mtrl(world, loss, rounds=40, settled=1e-12, dual=True)
    assert len(model.objective_) > 5
    assert (np.diff(model.objective_) <= 1e-7 * model.objective_[0]).all()


def test_the_objective_is_the_documented_one(world):
    """Of the last weights, and of the relations that are best for them."""
    model = mtrl(world, rounds=4)
    W, omega = model.coef_, model.relations_
    inverse = np.linalg.inv(omega)
    penalty = (W**2).sum() + 0.3 * np.trace(inverse @ (W @ W.T + 1e-3 * np.eye(T)))
    loss = ((world[1] - (world[0] * W[world[3]]).sum(1)) ** 2).sum()
    assert model.objective_[-1] == pytest.approx(loss + 0.5 * penalty)
    assert np.trace(omega) == pytest.approx(1)
    square = omega @ omega
    expected = W @ W.T + 1e-3 * np.eye(T)
    np.testing.assert_allclose(
        square / np.trace(square), expected / np.trace(expected), rtol=1e-8
    )


def test_no_other_relations_are_better_for_the_weights(world):
    model = mtrl(world, rounds=4)
    S = model.coef_ @ model.coef_.T + 1e-3 * np.eye(T)
    best = np.trace(np.linalg.solve(model.relations_, S))
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 1e-1) * 10:
        B = np.linalg.cholesky(model.relations_) + size * rng.normal(size=(T, T))
        other = B @ B.T / np.trace(B @ B.T)
        assert np.trace(np.linalg.solve(other, S)) > best


def test_the_turns_reach_the_minimum_from_anywhere(world):
    """Without Ω the problem is a convex one in W: ‖W‖² + c(tr(WWᵀ + εI)^½)²."""
    X, y, _, task = world

    def value(w):
        W = w.reshape(T, D)
        root = np.sqrt(np.linalg.eigvalsh(W @ W.T).clip(0) + 1e-3)
        loss = ((y - (X * W[task]).sum(1)) ** 2).sum()
        return loss + 0.5 * ((W**2).sum() + 0.3 * root.sum() ** 2)

    model = mtrl(world, rounds=500, settled=1e-13)
    assert value(model.coef_.ravel()) == pytest.approx(model.objective_[-1])
    for seed in range(2):
        start = np.random.default_rng(seed).normal(size=T * D)
        best = minimize(value, start, options={"gtol": 1e-6, "maxiter": 2000})
        assert model.objective_[-1] == pytest.approx(best.fun, rel=1e-8)
        np.testing.assert_allclose(model.coef_.ravel(), best.x, atol=1e-3)


@pytest.mark.parametrize("kernel", ["linear", "precomputed"])
def test_learned_relations_are_the_same_in_the_dual(world, kernel):
    X, y, _, task = world
    first = mtrl(world, rounds=6, settled=1e-15)
    inputs = X if kernel == "linear" else X @ X.T
    other = MTRL(0.5, 0.3, 6, 1e-3, 1e-15, dual=True, kernel=kernel)
    other.fit(inputs, y, task)
    np.testing.assert_allclose(other.relations_, first.relations_, atol=1e-8)
    np.testing.assert_allclose(other.objective_, first.objective_, rtol=1e-9)
    np.testing.assert_allclose(
        other.predict(inputs, task), first.predict(X, task), atol=1e-7
    )


@pytest.mark.parametrize("kernel", [None, "linear", "precomputed"])
def test_learned_relations_of_shared_inputs(shared, kernel):
    X, Y = shared
    how = {"rounds": 5, "settled": 1e-15, "epsilon": 1e-3}
    long = np.tile(X, (T, 1)), Y.T.ravel(), np.repeat(range(T), len(X))
    expected = MTRL(**how).fit(*long)
    dual = {"dual": True, "kernel": kernel} if kernel else {}
    found = MTRL(**how, **dual).fit(X @ X.T if kernel == "precomputed" else X, Y)
    np.testing.assert_allclose(found.relations_, expected.relations_, atol=1e-8)


def test_copies_of_a_task_are_found_and_opposites_too():
    rng = np.random.default_rng(0)
    X, task = rng.normal(size=(300, D)), np.arange(300) % 4
    w, other = rng.normal(size=(2, D))
    W = np.stack([w, w, -w, other - other @ w / (w @ w) * w])
    y = (X * W[task]).sum(1) + 0.1 * rng.normal(size=300)
    found = MTRL(0.1, 0.1).fit(X, y, task).correlations_
    np.testing.assert_allclose(np.diag(found), 1)
    assert found[0, 1] > 0.9 and found[0, 2] < -0.9 and abs(found[0, 3]) < 0.2


# --- Order, labels, scikit-learn ------------------------------------------------


@EACH
@DUAL
def test_order_of_rows_tasks_and_features_does_not_matter(world, make, dual):
    X, y, _, task = world
    rng = np.random.default_rng(5)
    rows, features = rng.permutation(N), rng.permutation(D)
    first = make(dual=dual).fit(X, y, task)
    other = make(dual=dual).fit(X[np.ix_(rows, features)], y[rows], task[rows])
    np.testing.assert_allclose(other.coef_, first.coef_[:, features], atol=1e-8)


def test_renamed_tasks_in_another_order_permute_the_weights(world):
    X, y, _, task = world
    order = np.array([3, 0, 4, 1, 2])  # task t is called order[t]
    turned = np.empty_like(A)
    turned[np.ix_(order, order)] = A
    first = GraphRegularized(A).fit(X, y, task).coef_
    other = GraphRegularized(turned).fit(X, y, order[task]).coef_
    np.testing.assert_allclose(other[order], first, atol=1e-10)


@pytest.mark.parametrize(
    "names", ["vwxyz", [("a", i) for i in range(5)], [1.5, 2, 3, 4, 5], [1, "b", None]]
)
def test_tasks_have_any_hashable_label(world, names):
    X, y, _, task = world
    names = [frozenset({i}) for i in range(T)] if names[-1] is None else [*names]
    labels = [names[t] for t in task]
    found = MeanRegularized().fit(X, y, labels)
    expected = MeanRegularized().fit(X, y, task)
    assert {*found.tasks_} == {*names}
    np.testing.assert_allclose(
        found.predict(X, labels), expected.predict(X, task), atol=1e-10
    )
    for row in (0, 30):
        np.testing.assert_allclose(
            found.coef_[found.tasks_.index(labels[row])],
            expected.coef_[task[row]],
            atol=1e-10,
        )


def test_a_frame_says_the_order_of_tasks(world):
    X, y, _, task = world
    names, order = list("abcde"), [4, 2, 0, 1, 3]
    labels = [names[t] for t in task]
    graph = pd.DataFrame(A, names, names).iloc[order, order]
    found = GraphRegularized(graph).fit(X, y, labels)
    expected = GraphRegularized(A).fit(X, y, labels)
    assert expected.tasks_ == names and found.tasks_ == [names[i] for i in order]
    np.testing.assert_allclose(found.coef_, expected.coef_[order], atol=1e-10)


@EACH
def test_models_are_scikit_learns(world, make):
    X, y, labels, task = world
    model = make(strength=0.3, loss="logistic")
    copy = clone(model)
    assert {*copy.get_params()} == {*model.get_params()} >= {"strength", "tol"}
    assert copy.set_params(strength=0.7).strength == 0.7 and model.strength == 0.3
    assert is_classifier(model) and is_regressor(make())
    model.fit(X, labels, task)
    assert {*model.predict(X, task)} == {-1, 1}
    np.testing.assert_array_equal(
        model.predict(X, task), np.sign(model.decision_function(X, task))
    )
    assert model.score(X, labels, task) == (model.predict(X, task) == labels).mean()
    fitted = make(dual=True).fit(X, y, task).fit(X, y, task)  # twice is once
    assert fitted.score(X, y, task) == pytest.approx(
        sklearn.metrics.r2_score(y, fitted.predict(X, task))
    )


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def routed(model):
    return model.set_fit_request(task=True).set_score_request(task=True)


def test_a_grid_search_passes_the_task_on(world, routing):
    X, y, _, task = world
    grid, folds = {"strength": [0.1, 3.0], "coupling": [0.3, 3.0]}, KFold(4)
    frame = pd.DataFrame(A)  # a fold may lack a task
    search = GridSearchCV(routed(GraphRegularized(frame)), grid, cv=folds)
    search.fit(X, y, task=task)
    for params, found in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        scores = []
        for train, test in folds.split(X):
            model = GraphRegularized(frame, **params)
            model.fit(X[train], y[train], task[train])
            scores.append(model.score(X[test], y[test], task[test]))
        assert found == pytest.approx(np.mean(scores))
    best = GraphRegularized(frame, **search.best_params_).fit(X, y, task)
    np.testing.assert_allclose(
        search.best_estimator_.predict(X, task), best.predict(X, task)
    )


def test_folds_cut_a_precomputed_kernel_on_both_sides(world, routing):
    X, y, _, task = world
    given = routed(Pooled(dual=True, kernel="precomputed"))
    plain = routed(Pooled())
    np.testing.assert_allclose(
        cross_val_score(given, X @ X.T, y, params={"task": task}),
        cross_val_score(plain, X, y, params={"task": task}),
    )


def test_frames_and_lists_will_do(world):
    X, y, _, task = world
    expected = MeanRegularized().fit(X, y, task).coef_
    frame = pd.DataFrame(X, index=np.arange(N) + 7)
    found = MeanRegularized().fit(
        frame, pd.Series(y, frame.index), pd.Series(task, frame.index)
    )
    np.testing.assert_allclose(found.coef_, expected)
    lists = MeanRegularized().fit(X.tolist(), y.tolist(), task.tolist())
    np.testing.assert_allclose(lists.coef_, expected)


def test_what_is_fitted_stays_when_the_caller_s_arrays_change(world):
    X, y, _, task = (v.copy() for v in world)
    model = GraphRegularized(A.copy(), dual=True, kernel="rbf").fit(X, y, task)
    before = model.predict(world[0], world[3])
    y[:], task[:] = 0, 0
    np.testing.assert_array_equal(model.predict(world[0], world[3]), before)


# --- What is refused ------------------------------------------------------------


def with_nan(values):
    values = np.array(values, dtype=float)
    values.flat[5] = np.nan
    return values


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"X": lambda X: X[:-1]}, "as many rows, got 89 and 90"),
        ({"X": with_nan}, r"X must be finite, got nan at \(1, 1\)"),
        ({"X": lambda X: X[0]}, r"X must have the shape \(n, columns\)"),
        ({"X": lambda X: X[:0]}, "X must have the shape"),
        ({"X": lambda X: X.astype(str) + "a"}, "X must be an array of numbers"),
        ({"y": with_nan}, r"y must be finite, got nan at \(5,\)"),
        ({"y": lambda y: y[:, None]}, r"y must have the shape \(n,\)"),
        ({"task": lambda t: t[1:]}, "task must name 90 tasks, one a row; got 89"),
        ({"task": lambda t: [None, *t[1:]]}, "got an empty label"),
        ({"task": with_nan}, "got an empty label"),
        ({"task": lambda t: [[0]] * N}, "must be hashable"),
        ({"task": lambda t: 3}, "list of labels, got 3"),
        ({"task": lambda t: None}, "where no task is given"),
    ],
)
def test_data_that_don_t_fit_are_named(world, change, match):
    given = dict(zip(("X", "y", "task"), (world[0], world[1], world[3]), strict=True))
    ((name, how),) = change.items()
    with pytest.raises(ValueError, match=match):
        MeanRegularized().fit(**given | {name: how(given[name])})


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (MeanRegularized(-1.0), "strength must be finite and at least 0.0, got -1.0"),
        (MeanRegularized("1"), "strength must be a number, got '1'"),
        (MeanRegularized(0.0, dual=True), "strength must be positive in the dual"),
        (Individual(0.0), "don't determine the weights at this strength"),
        (MeanRegularized(coupling=-2.0), "coupling must be finite and at least 0"),
        (MeanRegularized(loss="huber"), "squared, logistic, hinge; got 'huber'"),
        (MeanRegularized(loss="hinge"), "'hinge' needs dual=True"),
        (MeanRegularized(loss="logistic"), "labels must be -1 or 1, got"),
        (MeanRegularized(kernel="rbf"), "kernel 'rbf' needs dual=True"),
        (MeanRegularized(kernel="precomputed", dual=True), "must be square"),
        (MeanRegularized(solver="lu"), "auto, direct, cg; got 'lu'"),
        (MeanRegularized(dual="no"), "dual must be one of False, True; got 'no'"),
        (MeanRegularized(tol=0), "tol must be positive, got 0"),
        (GraphRegularized(A[:4, :4]), "for 4 tasks and the data have 5"),
        (GraphRegularized(A[:, :4]), r"adjacency must have the shape \(T, T\)"),
        (GraphRegularized(-A), r"adjacency must not be negative, got -"),
        (GraphRegularized(np.triu(A)), "adjacency must be symmetric, got"),
        (GraphRegularized(A * np.nan), "adjacency must be finite, got nan"),
        (GraphRegularized("chain"), "adjacency"),
        (
            GraphRegularized(pd.DataFrame(A, columns=list("abcde"))),
            "same tasks as index and columns",
        ),
        (
            GraphRegularized(pd.DataFrame(A[:4, :4])),
            "task 4 is none of the 4 that the model knows",
        ),
        (TaskKernel(np.eye(T) - 2 / T), "semi-definite, got the eigenvalue -1"),
        (TaskKernel(np.triu(A)), "relations must be symmetric"),
        (MTRL(rounds=0), "rounds must be a positive whole number, got 0"),
        (MTRL(epsilon=0.0), "epsilon must be positive, got 0"),
        (MTRL(coupling=0.0), "coupling must be positive, got 0"),
    ],
)
def test_parameters_that_aren_t_allowed_are_named(world, model, match):
    X, y, _, task = world
    if model.strength == 0:
        X = np.repeat(X[:, :1], 2, axis=1)  # twice the same
    with pytest.raises(ValueError, match=match):
        model.fit(X, y, task)


def test_shared_inputs_have_the_squared_loss_only(shared):
    X, Y = shared
    with pytest.raises(ValueError, match="are for the loss 'squared', got 'logistic'"):
        MeanRegularized(loss="logistic").fit(X, np.sign(Y))


@EACH
def test_predictions_need_a_fit_its_columns_and_its_tasks(world, make):
    X, y, _, task = world
    with pytest.raises(ValueError, match="is not fitted yet"):
        make().predict(X, task)
    model = make().fit(X, y, task)
    with pytest.raises(ValueError, match="task 'z' is none of the 5"):
        model.predict(X[:1], ["z"])
    with pytest.raises(ValueError, match="X must have 4 columns, got 3"):
        model.predict(X[:, :3], task)
    with pytest.raises(ValueError, match=r"y must have the shape \(90,\)"):
        model.score(X, y[:5], task)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: laplacian([[1, 2]]), r"shape \(T, T\), got \(1, 2\)"),
        (lambda: laplacian([["a"]]), "matrix of numbers"),
        (lambda: shared_component(2, 0.0), "must be positive, got 0.0 and 1.0"),
        (lambda: shared_component(0), "tasks must be a positive whole number"),
        (lambda: mean_adjacency(2, -1.0), "coupling must be finite and at least"),
        (lambda: adjacency_from(-np.ones((2, 2))), "a positive entry beside"),
        (lambda: adjacency_from(A, 0), "neighbours must be a positive whole"),
        (lambda: task_kernel(3), r"shape \(T, T\), got \(\)"),
        (lambda: pairwise_form(np.ones((3, 1)), np.eye(2)), "each of 2 tasks, got 3"),
        (lambda: laplacian_form(np.ones((3, 1)), np.eye(2)), "each of 2 tasks, got 3"),
        (lambda: multitask_kernel(A, [-1], [0], [[1.0]]), "s must be places from 0 to"),
        (lambda: multitask_kernel(A, [0], [T], [[1.0]]), "t must be places .* got 5"),
    ],
)
def test_matrices_that_aren_t_allowed_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_too_few_steps_are_told(world, monkeypatch):
    X, _, labels, task = world
    monkeypatch.setattr(kernels.solvers, "ROUNDS", 1)
    with pytest.warns(RuntimeWarning, match="Newton's method stopped after 1 steps"):
        MeanRegularized(1e-3, loss="logistic").fit(X, labels, task)


def test_labels_that_can_be_told_apart_get_large_finite_weights():
    X = np.array([[1.0], [2.0], [-1.0], [-2.0]])
    y, task = np.sign(X[:, 0]), list("abab")
    first = MeanRegularized(1e-6, loss="logistic").fit(X, y, task)
    other = MeanRegularized(1e-6, loss="logistic", dual=True).fit(X, y, task)
    assert first.score(X, y, task) == 1 and first.coef_.min() > 5
    np.testing.assert_allclose(other.coef_, first.coef_, rtol=1e-5)
