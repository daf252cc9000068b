"""Given relations: what the runs train on, choose by and score."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from lsmtl import data
from lsmtl.lab import tasks
from lsmtl.lab.chapters import given_relations as chapter
from lsmtl.lab.experiments import Run

SMALL = {"strengths": [0.1, 1], "couplings": [1, 100], "pupils": 8}


@pytest.fixture(scope="module")
def exam():
    return data.load("exam")


@pytest.mark.parametrize("method", [m for m in chapter.METHODS if "RBF" not in m])
def test_test_pupils_are_for_scoring_only(exam, method):
    run = Run(method, SMALL, 1)
    before = chapter.EXPERIMENT.measure(exam, run, "cpu")
    changed = exam.copy()
    changed.loc[tasks.split(exam, 1)[1], "y"] += 20
    after = chapter.EXPERIMENT.measure(changed, run, "cpu")
    differ = {k for k in before if before[k] != after[k]}
    assert differ == {"explained", "by_size"}


def test_a_school_alone_is_a_ridge_of_its_own(exam):
    found = chapter.EXPERIMENT.measure(
        exam, Run("alone", SMALL | {"strengths": [0.5]}, 0), "cpu"
    )
    X, y = tasks.features(exam).to_numpy(float), exam["y"].to_numpy()
    task = exam["task"].to_numpy()
    train, test = tasks.split(exam, 0)
    train = tasks.few_each(task, train, 8, 0)
    prediction = np.zeros(len(exam))
    for school in np.unique(task):
        mine = train[task[train] == school]
        ridge = Ridge(0.5, fit_intercept=False).fit(X[mine], y[mine])
        prediction[task == school] = ridge.predict(X[task == school])
    expected = tasks.explained(y[test], prediction[test])
    assert found["explained"] == pytest.approx(expected, abs=1e-3)
    assert (found["strength"], found["coupling"]) == (0.5, 0.0)


def test_task_means_are_those_of_the_training_pupils(exam):
    found = chapter.EXPERIMENT.measure(
        exam, Run("task means", {"pupils": None}, 2), "cpu"
    )
    train, test = tasks.split(exam, 2)
    means = exam.iloc[train].groupby("task")["y"].mean()
    expected = tasks.explained(exam["y"].iloc[test], exam["task"].iloc[test].map(means))
    assert found["explained"] == pytest.approx(expected, abs=1e-4)


def test_quarters_go_from_small_schools_to_large_ones(exam):
    train, test = tasks.split(exam, 0)
    y, task = exam["y"].to_numpy(), exam["task"].to_numpy()
    right = y[test].copy()
    large = exam["task"].value_counts().index[:10]
    right[np.isin(task[test], large)] = 0
    found = chapter.scores(y, right, task, train, test)
    assert found["by_size"][:3] == [100, 100, 100] and found["by_size"][3] < 70
    assert found["quarters"] == sorted(found["quarters"])


def test_a_graph_and_its_shuffle_differ_in_names_only(exam):
    A = chapter.related(exam)
    assert list(A.index) == sorted(exam["task"].unique())
    girls = exam.groupby("task")["schgend"].first() == "girls"
    within = A.loc[girls, girls].to_numpy().sum() / (girls.sum() * (girls.sum() - 1))
    across = A.loc[girls, ~girls].to_numpy().mean()
    assert within > 2 * across


# --- A source and a target ----------------------------------------------------------


def test_source_and_target_share_their_features(exam):
    X, _, domain = chapter.pair(exam)
    assert set(domain) == {"source", "target", ""}
    for name in ("source", "target"):
        mine = X[domain == name]
        assert (mine[:, :-1].std(0) > 0).sum() >= 3
        assert (mine[:, -1] == 1).all()
    assert (exam["schgend"][domain == "target"] == "girls").all()
    assert (exam["schgend"][domain == "source"] == "mixed").all()


def test_more_labels_keep_the_earlier_ones_and_the_test(exam):
    _, _, domain = chapter.pair(exam)
    few, more, share, every = (
        chapter.labelled(domain, labels, 3) for labels in (10, 40, 0.25, None)
    )
    assert set(few[1]) < set(more[1]) < set(share[1]) < set(every[1])
    assert (len(few[1]), len(more[1])) == (10, 40)
    assert len(share[1]) == round(0.25 * len(every[1]))
    for source, target, test in (few, more, share, every):
        assert set(test) == set(every[2])
        assert not set(test) & set(target)
        assert (domain[source] == "source").all()
    target = {*every[1], *every[2]}
    assert target == {*np.flatnonzero(domain == "target")}


@pytest.mark.parametrize(("own", "common"), [(3.0, 0.2), (1.0, 1.0), (1e6, 0.5)])
def test_the_coupling_is_a_ridge_on_three_copies(exam, own, common):
    X, y, domain = chapter.pair(exam)
    source, target, test = chapter.labelled(domain, 20, 0)
    rows = np.concatenate([source[:200], target])
    model = chapter.coupled(own, common).fit(X[rows], y[rows], domain[rows])

    def copies(rows):
        is_target = (domain[rows] == "target")[:, None]
        x = X[rows]
        parts = [x / common**0.5, x * is_target / own**0.5, x * ~is_target / own**0.5]
        return np.hstack(parts)

    ridge = Ridge(0.5, fit_intercept=False, solver="cholesky")
    ridge.fit(copies(rows), y[rows])
    np.testing.assert_allclose(
        model.predict(X[test], domain[test]), ridge.predict(copies(test)), atol=1e-4
    )


@pytest.mark.parametrize(
    "method", ["source only", "target, all labels", "target, few labels", "joint"]
)
def test_the_targets_test_is_for_scoring_only(exam, method):
    c = {"own": [1, 100], "common": [0.1, 10]}
    c |= {"labels": 30} if method in ("target, few labels", "joint") else {}
    before = chapter.EXPERIMENT.measure(exam, Run(method, c, 0), "cpu")
    _, _, domain = chapter.pair(exam)
    changed = exam.copy()
    changed.loc[chapter.labelled(domain, None, 0)[2], "y"] += 20
    after = chapter.EXPERIMENT.measure(changed, Run(method, c, 0), "cpu")
    assert {k for k in before if before[k] != after[k]} == {"error"}
    if method == "source only":
        assert pd.isna(c.get("labels"))
    else:
        assert before["count"] in (30, 1033)
