"""Peptides: no relatives across a split, relations from training rows, the score."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, log_loss

from lsmtl.lab import peptides, scenarios
from lsmtl.lab.chapters import peptides as chapter
from lsmtl.lab.experiments import Run

SMALL = {"strengths": [0.5], "couplings": [3], "most": 60}
SCENES = {
    "all": SMALL | {"scene": "all"},
    "few": SMALL | {"scene": "few", "peptides": 10, "focal": 4, "enough": 15},
    "rare": SMALL | {"scene": "rare", "ratio": 20, "negatives": 60, "most": None},
}


@pytest.fixture(scope="module")
def frame():
    return scenarios.load("simulated-peptides")


@pytest.mark.parametrize("seed", [0, 1])
def test_no_peptide_is_tested_whose_relative_is_trained(frame, seed):
    train, test = chapter.split(frame["group"], seed)
    assert sorted([*train, *test]) == list(range(len(frame)))
    assert 0.15 < len(test) / len(frame) < 0.35
    words = [frame["peptide"].iloc[rows].unique() for rows in (train, test)]
    patterns = [
        {p[:k] + "*" + p[k + 1 :] for p in w for k in range(len(p))}
        | {p[k : k + 7] for p in w for k in range(len(p) - 6)}
        for w in words
    ]
    assert not patterns[0] & patterns[1]
    fold = chapter.folds(frame["group"].to_numpy()[train], seed)
    of = pd.Series(fold).groupby(frame["group"].to_numpy()[train]).nunique()
    assert of.max() == 1 and set(fold) == {0, 1, 2}


@pytest.mark.parametrize("scene", chapter.SCENES)
@pytest.mark.parametrize("method", chapter.METHODS)
def test_tested_labels_are_for_scoring_only(frame, scene, method):
    run = Run(method, SCENES[scene], 0)
    before = chapter.EXPERIMENT.measure(frame, run, "cpu")
    changed = frame.copy()
    test = chapter.split(chapter.usable(frame)["group"], 0)[1]
    assert len(chapter.usable(frame)) == len(frame)
    changed.loc[test, "y"] *= -1
    after = chapter.EXPERIMENT.measure(changed, run, "cpu")
    assert {k for k in before if before[k] != after[k]} == {"auprc", "by_allele"}


def test_thinned_alleles_keep_a_few_and_others_theirs(frame, monkeypatch):
    seen = []
    monkeypatch.setattr(
        chapter.tasks,
        "choose",
        lambda models, X, y, task, *more: (seen.append(task), (0, [0.0]))[1],
    )
    found = chapter.EXPERIMENT.measure(frame, Run("alone", SCENES["few"], 0), "cpu")
    counts = pd.Series(seen[0]).value_counts()
    assert found["trained"] == [10] * len(found["alleles"])
    assert 1 <= len(found["alleles"]) <= 4
    assert (counts[found["alleles"]] == 10).all()
    assert counts.drop(found["alleles"]).max() == 60


def test_where_binders_are_rare_there_is_one_to_many(frame):
    y, task = frame["y"].to_numpy(), frame["task"].to_numpy(str)
    rows = np.arange(len(frame))
    train, names = chapter.rare(y, task, rows, 20, 60, 0)
    counts = pd.crosstab(task[train], y[train])
    assert list(counts.index) == names and len(names) > 5
    assert (counts[-1] == 60).all() and (counts[1] == 3).all()
    enough = frame[frame["y"] < 0]["task"].value_counts() >= 60
    assert sorted(enough.index[enough]) == names


def test_precision_is_that_of_scikit_learn_and_a_ratio_repeats_rows():
    rng = np.random.default_rng(0)
    y = np.where(rng.random(60) < 0.4, 1, -1)
    task, score = np.repeat(["a", "b", "c"], [30, 28, 2]), rng.normal(size=60) + y
    found = chapter.precision(y, score, task)
    assert set(found) == {"a", "b"}  # c has too few
    for name in "ab":
        mine = task == name
        expected = average_precision_score(y[mine] > 0, score[mine])
        assert found[name] == pytest.approx(expected)
    binders = (y[:30] > 0).sum()
    others = 30 - binders
    ratio = 7  # repeat others until there are seven for each binder
    times = np.where(y[:30] > 0, others, ratio * binders)
    expected = average_precision_score(
        np.repeat(y[:30] > 0, times), np.repeat(score[:30], times)
    )
    rare = chapter.precision(y, score, task, ratio)["a"]
    assert rare == pytest.approx(expected)
    assert rare < found["a"]


def test_the_likelihood_is_that_of_each_allele():
    rng = np.random.default_rng(1)
    y, score = np.where(rng.random(50) < 0.5, 1, -1), rng.normal(size=50)
    task = np.repeat(["a", "b"], [10, 40])
    each = [
        -log_loss(y[task == t], 1 / (1 + np.exp(-score[task == t])), labels=[-1, 1])
        for t in "ab"
    ]
    assert chapter.likelihood(y, score, task) == pytest.approx(np.mean(each))


def test_names_are_a_tree():
    names = ["A*01:01", "A*01:02", "A*02:01", "B*01:01", "B*01:03"]
    A = peptides.by_name(names)
    assert A.loc["A*01:01", "A*01:02"] == pytest.approx(5 * A.loc["A*01:01", "A*02:01"])
    assert A.loc["A*01:01", "B*01:01"] == 0
    assert A.loc["B*01:01", "B*01:03"] == A.loc["A*01:01", "A*01:02"]
    assert A.sum(1).mean() == pytest.approx(1)


def test_profiles_are_means_drawn_to_zero_and_relations_follow_them(frame):
    y, task = frame["y"].to_numpy(), frame["task"].to_numpy(str)
    X = peptides.encode(frame["peptide"])
    names = sorted(set(task))
    found = peptides.profiles(X, y, task, names)
    mine = task == names[3]
    plus, minus = X[mine & (y > 0), :-1], X[mine & (y < 0), :-1]
    expected = plus.sum(0) / (len(plus) + peptides.PSEUDO)
    expected = expected - minus.sum(0) / (len(minus) + peptides.PSEUDO)
    np.testing.assert_allclose(found[3], expected)
    A = peptides.by_profile(X, y, task, names)
    family = peptides.families(names)["family"].to_numpy()
    same = (family[:, None] == family) & ~np.eye(len(names), dtype=bool)
    values = A.to_numpy()
    assert values[same].sum() / values.sum() > 3 * same.mean()
    two = np.isin(task, names[:2])
    apart = np.where(task == names[0], 1, -1) * y[two][0]  # as unlike as can be
    unrelated = peptides.by_profile(X[two], apart[two], task[two], names[:2])
    assert not unrelated.any(axis=None)
    empty = peptides.by_profile(X, y, task, [*names, "Z*09:09"])
    assert not empty.loc["Z*09:09"].any()  # no peptide, no relation


def test_an_allele_without_a_relative_is_alone(frame):
    """A graph with no edge to it leaves it what it is by itself."""
    y, task = frame["y"].to_numpy(), frame["task"].to_numpy(str)
    X, names = peptides.encode(frame["peptide"]), sorted(set(task))
    A = peptides.by_name(names)
    A.loc[names[0], :] = A.loc[:, names[0]] = 0.0
    models = [
        chapter.kernels.GraphRegularized(A, 0.5, coupling=5, loss="logistic"),
        chapter.kernels.Individual(0.5, loss="logistic"),
    ]
    mine = task == names[0]
    scores = [m.fit(X, y, task).decision_function(X[mine], task[mine]) for m in models]
    np.testing.assert_allclose(*scores, atol=1e-3)
