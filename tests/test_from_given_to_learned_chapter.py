"""Learned against given relations: what runs compute; matching and its procedure."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from lsmtl import data, kernels
from lsmtl.data.splits import Profiles
from lsmtl.kernels.cccp import cccp, cutting_planes
from lsmtl.lab import matching, tasks
from lsmtl.lab.chapters import from_given_to_learned as chapter
from lsmtl.lab.experiments import Run
from lsmtl.lab.measuring import thin

TABLE = {"strengths": [3.0], "couplings": [10.0]}
FEW = chapter.SMALL | {"targets": 12, "epochs": 2, "hidden": [5], "rank": 3}
FEW = {k: v for k, v in FEW.items() if k not in ("labels", "methods", "seeds")}


@pytest.fixture(scope="module")
def breast():
    return data.load("breast")


def measure(found, method, configuration, seed=0):
    return chapter.EXPERIMENT.measure(found, Run(method, configuration, seed), "cpu")


# --- Tables -------------------------------------------------------------------------


def test_a_table_is_scored_on_rows_that_nothing_was_chosen_on():
    frame = data.load("exam")
    train, test = tasks.split(frame, 0)
    X, y = tasks.features(frame).to_numpy(float), frame["y"].to_numpy()
    model = kernels.Individual(3.0).fit(X[train], y[train], frame["task"].iloc[train])
    predicted = model.predict(X[test], frame["task"].iloc[test])
    found = measure(frame, "alone", TABLE)
    assert found["explained"] == pytest.approx(
        tasks.explained(y[test], predicted), abs=1e-3
    )
    shaken = frame.copy()
    shaken.loc[test, "y"] = y[test][::-1]
    strengths = {"strengths": [0.3, 3.0, 300.0], "couplings": [1.0, 100.0]}
    for method in ("mean", "given relations"):
        first = measure(frame, method, strengths)
        other = measure(shaken, method, strengths)
        assert first["strength"] == other["strength"]
        assert first["coupling"] == other["coupling"]


def test_random_relations_are_the_given_ones_under_other_names():
    frame = data.load("exam")
    A = chapter.given(frame)
    shuffled = tasks.shuffled(A, 1)
    for graph in (A, shuffled):
        kernels.laplacian(graph)  # a valid adjacency
    np.testing.assert_allclose(
        np.sort(shuffled.to_numpy().ravel()), np.sort(A.to_numpy().ravel())
    )
    assert measure(frame, "random relations", TABLE) != measure(
        frame, "given relations", TABLE
    )


# --- Expression ---------------------------------------------------------------------


def test_relations_and_labels_come_from_different_halves():
    x, y = torch.arange(40.0)[:, None], torch.zeros(40, 3)
    first, rows = chapter.halves(Profiles(x, y), 4, seed=0)
    assert len(first.x) == 20 and len(rows) == 3 * 4
    told = {*first.x[:, 0].tolist()}
    for target in rows.reshape(3, 4):
        assert len({*target.tolist()}) == 4
        assert not told & {*x[target, 0].tolist()}
    again, _ = chapter.halves(Profiles(x, y), 4, seed=1)
    assert not torch.equal(again.x, first.x)
    whole, none = chapter.halves(Profiles(x, y), None, seed=0)
    assert none is None and len(whole.x) == 40


def test_with_one_pair_a_run_is_that_model(breast):
    c = FEW | {"group": "group", "labels": 4, "strengths": [30.0]}
    splits = data.split(thin(breast, 12), 0, "group")
    _, rows = chapter.halves(splits.train, 4, 0)
    of = np.repeat(np.arange(12), 4)
    x, y = (v.double().numpy() for v in (splits.train.x, splits.train.y))
    model = kernels.Individual(30.0).fit(x[rows], y[rows, of], of)
    error = np.abs(model.predict(splits.test.x.numpy()) - splits.test.y.numpy()).mean()
    assert measure(breast, "alone", c)["mae"] == pytest.approx(error, abs=1e-5)


@pytest.mark.parametrize("labels", [3, None])
@pytest.mark.parametrize("method", chapter.EXPRESSION)
def test_every_kind_of_relations_runs(breast, method, labels):
    found = measure(breast, method, FEW | {"group": "group", "labels": labels})
    assert 0 < found["mae"] < 1.2


@pytest.mark.parametrize("method", ["correlation", "random relations", "G's relations"])
def test_graphs_see_training_profiles_only(breast, method):
    splits = data.split(thin(breast, 12), 0, "group")
    run = Run(method, FEW, 0)
    A = chapter.adjacency(breast, splits, splits.train, run)
    kernels.laplacian(A)  # a valid adjacency
    splits.test.y[:] = 0
    other = chapter.adjacency(breast, splits, splits.train, run)
    np.testing.assert_array_equal(A, other)
    assert A.sum() == pytest.approx(12)


def test_a_random_graph_has_the_edges_of_the_correlation(breast):
    splits = data.split(thin(breast, 12), 0, "group")
    A, B = (
        chapter.adjacency(breast, splits, splits.train, Run(method, FEW, 3))
        for method in ("correlation", "random relations")
    )
    np.testing.assert_allclose(np.sort(A.ravel()), np.sort(B.ravel()))
    assert not np.array_equal(A, B)


def test_genes_that_share_a_local_regulator_are_joined():
    ecoli = data.load("ecoli")
    splits = data.split(thin(ecoli, 200), 0, "group")
    R = chapter.share_regulator(ecoli, splits.targets)
    known, related, _ = chapter.regulated(ecoli, splits.targets)
    np.testing.assert_array_equal(R, R.T)
    assert R.sum() == 2 * related.sum() > 0
    assert not R[~known].any()


def test_without_noise_relations_cancel_where_samples_are_shared():
    rng = np.random.default_rng(0)
    x, y, new = (rng.normal(size=shape) for shape in [(8, 20), (8, 5), (3, 20)])
    graph = np.ones((5, 5))
    alone, tied = (
        kernels.GraphRegularized(A, 1e-8, coupling=5.0, dual=True).fit(x, y)
        for A in (0 * graph, graph)
    )
    np.testing.assert_allclose(tied.predict(new), alone.predict(new), atol=1e-5)


# --- The convex–concave procedure -----------------------------------------------------


def tangents(seed, planes=30, d=4):
    """A convex piecewise linear function, and A, b of it."""
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(planes, d)), rng.normal(size=planes)

    def of(w):
        k = int((A @ w + b).argmax())
        return (A @ w + b)[k], A[k]

    return of, A, b


@pytest.mark.parametrize("strength", [0.05, 0.5, 20.0])
def test_cutting_planes_reach_the_minimum(strength):
    risk, A, b = tangents(0)
    w = cutting_planes(risk, strength, np.ones(4), tol=1e-8)
    best = minimize(
        lambda v: strength * v[:4] @ v[:4] + v[4],
        np.zeros(5),
        constraints={"type": "ineq", "fun": lambda v: v[4] - A @ v[:4] - b},
        tol=1e-12,
    )
    assert strength * w @ w + risk(w)[0] == pytest.approx(best.fun, abs=1e-6)


def test_the_objective_never_rises_and_ends_where_the_bound_touches():
    (u, _, _), (v, _, _) = tangents(1), tangents(2)
    for seed in range(5):
        start = np.random.default_rng(seed).normal(size=4)
        w, values = cccp(u, v, 0.3, start)
        assert (np.diff(values) <= 1e-8).all()
        assert values[-1] == pytest.approx(0.3 * w @ w + u(w)[0] - v(w)[0])
        slope = v(w)[1]  # w is best for the convex function with its own tangent
        again = cutting_planes(
            lambda x, s=slope: (u(x)[0] - s @ x, u(x)[1] - s), 0.3, w
        )
        bound = 0.3 * again @ again + u(again)[0] - slope @ again
        assert bound >= 0.3 * w @ w + u(w)[0] - slope @ w - 1e-5


def test_a_strength_of_0_is_refused():
    with pytest.raises(ValueError, match="strength must be positive"):
        cutting_planes(tangents(0)[0], 0.0, np.zeros(4))


NOISE = np.array([0.2, 1.0, 3.0])


def scenes(annotated, seed=0, count=4, cells=4):
    return matching.simulate(count, cells, NOISE, annotated, seed)


def test_scenes_hide_who_is_who():
    (scene,) = matching.simulate(1, 50, np.zeros(2), 0.2, seed=0)
    assert scene.known.sum() == 10
    np.testing.assert_array_equal(matching.answer(scene.pairs.sum(-1)), scene.truth)
    assert sorted(scene.truth) == [*range(50)]
    assert matching.mistakes(np.ones(2), [scene]) == 0


@pytest.mark.parametrize("annotated", [0.25, 0.5, 1.0])
def test_both_parts_are_the_maxima_over_all_answers(annotated):
    """By trying every permutation."""
    found = scenes(annotated)
    w = np.random.default_rng(1).normal(size=3)
    high = low = 0.0
    for s in found:
        scored = {}
        for a in itertools.permutations(range(4)):
            score = sum(s.pairs[i, j] @ w for i, j in enumerate(a))
            wrong = sum(s.known[i] and j != s.truth[i] for i, j in enumerate(a))
            scored[a] = score, wrong
        high += max(score + wrong for score, wrong in scored.values())
        low += max(score for score, wrong in scored.values() if not wrong)
    assert matching.upper(found)(w)[0] == pytest.approx(high)
    assert matching.lower(found)(w)[0] == pytest.approx(low)


@pytest.mark.parametrize("part", [matching.upper, matching.lower])
def test_both_parts_lie_above_their_tangents(part):
    of, rng = part(scenes(0.5)), np.random.default_rng(2)
    for w, other in rng.normal(size=(20, 2, 3)):
        value, slope = of(w)
        assert of(other)[0] >= value + slope @ (other - w) - 1e-9


def test_fully_annotated_scenes_are_a_convex_problem_with_one_end():
    found = scenes(1.0)
    ends = [
        cccp(matching.upper(found), matching.lower(found), 0.5, start)[0]
        for start in np.random.default_rng(0).normal(size=(3, 3))
    ]
    np.testing.assert_allclose(ends, [ends[0]] * 3, atol=5e-3)


def test_learning_falls_at_each_step_and_couples_source_and_target():
    source, target = scenes(1.0, 0), scenes(0.25, 1)
    W, values = matching.learn(source, target)
    assert (np.diff(values) <= 1e-8).all() and len(values) > 2
    one, _ = matching.learn(source, target, own=1e4)
    assert np.abs(one[0] - one[1]).max() < 1e-2 < np.abs(W[0] - W[1]).max()


def test_what_is_annotated_teaches_which_traits_to_trust():
    test = matching.simulate(40, 6, NOISE, 1.0, seed=9)
    W, _ = matching.learn([], matching.simulate(10, 6, NOISE, 1.0, seed=0))
    assert W[1, 0] > W[1, 1] > W[1, 2]
    assert matching.mistakes(W[1], test) < matching.mistakes(np.ones(3), test) - 0.1
