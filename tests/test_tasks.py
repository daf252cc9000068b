"""Tables of tasks: splits within tasks, folds, scores, relations; and peptides."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sets import here
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from lsmtl import data
from lsmtl.data import companions
from lsmtl.lab import experiments, gpu, peptides, scenarios, tasks
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import Experiment, Run


@pytest.fixture(scope="module")
def exam():
    return data.load("exam")


# --- Tables as data of an experiment ----------------------------------------------


def toy():
    experiment = Experiment(
        name="toy-table",
        recipe_version=1,
        datasets={"exam": None},
        sizes={"ci": {}, "laptop": {}},
        runs=lambda sizes, tasks: [Run("mean", {"tasks": tasks}, 0)],
        measure=lambda frame, run, device: {"mean": frame["y"].mean()},
    )
    return experiment


def test_an_experiment_runs_on_a_table(exam, tmp_path, monkeypatch):
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path))
    (found,) = experiments.results(toy(), "ci", "exam").to_dict("records")
    assert found["tasks"] == exam["task"].nunique() == 65
    assert found["mean"] == exam["y"].mean()
    shown = experiments.results(toy(), "laptop", "exam", "show")
    assert shown["done"].all()  # the same run


def test_what_preset_paper_cannot_run_on_has_no_such_preset():
    assert [*toy().sizes] == ["ci", "laptop"]
    assert toy().size("paper", "exam") is None
    with pytest.raises(ValueError, match=r"preset must be one of ci, laptop"):
        experiments.planned(toy(), "paper", "exam")


def test_tables_stay_out_of_a_bundle(tmp_path, monkeypatch):
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path))
    monkeypatch.setitem(EXPERIMENTS, "toy-table", toy())
    assert gpu.bundle(tmp_path / "bundle", "ci", ["toy-table"]) == []


def test_the_hash_knows_values_columns_order_and_splits(exam):
    frame = exam.head(50)
    changed = frame.copy()
    changed.iloc[7, 1] += 1e-9
    split = frame.copy()
    split.attrs["splits"] = [([0, 1], [2])]
    every = [frame, changed, frame[::-1], frame.rename(columns={"y": "z"}), split]
    assert len({companions.fingerprint(f) for f in every}) == len(every)
    assert companions.fingerprint(frame) == companions.fingerprint(frame.copy())


# --- Splits, folds, scores --------------------------------------------------------


def test_ten_splits_are_those_of_the_files():
    if not here("school"):
        pytest.skip("the files of school aren't here; `make data` gets them")
    frame = data.load("school")
    for seed in range(10):
        train, test = tasks.split(frame, seed)
        given = frame.attrs["splits"][seed]
        assert (set(train), set(test)) == tuple(map(set, given))
        assert not set(train) & set(test)
        assert len(train) + len(test) == len(frame)
    firsts = [tuple(tasks.split(frame, seed)[0]) for seed in range(10)]
    assert len(set(firsts)) == 10


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_a_split_takes_its_share_of_every_task(exam, share):
    train, test = tasks.split(exam, 0, share)
    assert sorted([*train, *test]) == list(range(len(exam)))
    sizes = exam["task"].value_counts()
    tested = exam["task"].iloc[test].value_counts().reindex(sizes.index, fill_value=0)
    assert (tested == (share * sizes).astype(int)).all()
    assert (sizes > tested).all()
    assert not np.array_equal(test, tasks.split(exam, 1, share)[1])


def test_folds_are_dealt_out_evenly_within_tasks(exam):
    task = exam["task"].to_numpy()
    fold = tasks.folds(task, 3, 0)
    counts = pd.crosstab(task, fold)
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1
    total = np.bincount(fold)
    assert total.max() - total.min() <= 1
    tiny = tasks.folds(np.arange(30), 3, 0)  # tasks of one row
    assert np.bincount(tiny).tolist() == [10, 10, 10]


def test_explained_variance_is_that_of_scikit_learn():
    y, prediction = np.random.default_rng(0).normal(size=(2, 40))
    assert tasks.explained(y, prediction) == pytest.approx(
        100 * r2_score(y, prediction)
    )
    assert tasks.explained(y, np.full(40, y.mean())) == pytest.approx(0)


class OfTasks(Ridge):
    """Ridge that is told the tasks and looks away."""

    def fit(self, X, y, task):
        return super().fit(X, y)

    def decision_function(self, X, task):
        return self.predict(X)


def test_the_choice_is_that_of_a_loop_over_the_folds(exam):
    x = tasks.features(exam).to_numpy()[:300]
    y, task = exam["y"].to_numpy()[:300], exam["task"].to_numpy()[:300]
    fold, alphas = tasks.folds(task, 3, 0), (1e-3, 30.0, 1e5)
    best, found = tasks.choose(
        [OfTasks(alpha=a) for a in alphas],
        *(x, y, task, fold),
        lambda y, prediction, task: tasks.explained(y, prediction),
    )
    expected = [
        np.mean(
            [
                100
                * Ridge(alpha=a)
                .fit(x[fold != k], y[fold != k])
                .score(x[fold == k], y[fold == k])
                for k in range(3)
            ]
        )
        for a in alphas
    ]
    np.testing.assert_allclose(found, expected)
    assert best == np.argmax(expected)


# --- Given relations --------------------------------------------------------------


def test_a_task_is_described_by_what_never_changes_in_it(exam):
    found = tasks.described(exam)
    assert list(found.index) == sorted(exam["task"].unique())
    assert set(found) == {
        *("schavg", "schgend_girls", "schgend_mixed"),
        *("vr_mid 50%", "vr_top 25%"),
    }
    np.testing.assert_allclose(found.mean(), 0, atol=1e-12)
    first = exam[exam["task"] == 7].iloc[0]
    others = exam.groupby("task")["schavg"].first()
    z = (first["schavg"] - others.mean()) / others.std(ddof=0)
    assert found["schavg"].loc[7] == pytest.approx(z)


def test_near_tasks_weigh_more_and_a_shuffle_keeps_the_weights(exam):
    profile = tasks.described(exam)
    A = tasks.neighbours(profile, 0.5)
    assert np.allclose(A, A.T) and np.all(np.diag(A) == 0)
    assert A.sum(1).mean() == pytest.approx(1)
    apart = np.linalg.norm(profile.loc[1] - profile, axis=1)
    others = np.arange(len(A)) != 0
    order = np.argsort(apart[others])
    assert (np.diff(A.iloc[0].to_numpy()[others][order]) <= 1e-12).all()
    other = tasks.shuffled(A, 0)
    assert not np.allclose(A, other)
    np.testing.assert_allclose(np.sort(other.to_numpy(), None), np.sort(A, None))
    np.testing.assert_allclose(
        np.linalg.eigvalsh(other), np.linalg.eigvalsh(A), atol=1e-10
    )


# --- Peptides ---------------------------------------------------------------------


def alike(a, b):
    """Seven residues in a row, or the same length and one place."""
    runs = {a[i : i + 7] for i in range(len(a) - 6)}
    shared = any(b[i : i + 7] in runs for i in range(len(b) - 6))
    return shared or (
        len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) <= 1
    )


def test_clusters_are_what_pairs_that_are_alike_connect():
    rng = np.random.default_rng(0)
    base = ["".join(rng.choice([*"ACDE"], 9)) for _ in range(60)]
    longer = [p[1:] + "".join(rng.choice([*"ACDE"], 2)) for p in base[:20]]
    changed = [p[:4] + "W" + p[5:] for p in base[20:30]]
    every = base + longer + changed
    found = peptides.clusters(every)
    label = list(range(len(every)))  # written out: labels spread until they rest
    for _ in every:
        for i, j in itertools.combinations(range(len(every)), 2):
            if alike(every[i], every[j]):
                label[i] = label[j] = min(label[i], label[j])
    assert len(set(found)) == len(set(label)) == len({*zip(found, label, strict=True)})
    assert 1 < len(set(label)) < 60


def test_every_letter_and_place_has_its_column():
    found = peptides.encode(["ACDEFGHIK", "ACDEFGGGHIK", "ACDEFGHI"])
    assert found.shape == (3, 181)
    assert found.sum(1).tolist() == [10, 10, 10]
    np.testing.assert_array_equal(found[0], found[1])  # the middle isn't read
    assert np.flatnonzero(found[2])[4:6].tolist() == [80 + 4, 100 + 4]  # F twice
    rng = np.random.default_rng(0)
    words = {"".join(rng.choice([*peptides.LETTERS], 9)) for _ in range(50)}
    assert len(np.unique(peptides.encode(sorted(words)), axis=0)) == len(words)


@pytest.mark.parametrize("peptide", ["ACDE", "ACDEFGHIX", "acdefghik"])
def test_what_cannot_be_read_is_refused(peptide):
    with pytest.raises(ValueError, match=peptide):
        peptides.encode(["ACDEFGHIK", peptide])


def test_simulated_alleles_of_a_family_bind_alike():
    frame = scenarios.load("simulated-peptides")
    pd.testing.assert_frame_equal(frame, scenarios.load("simulated-peptides"))
    wide = frame.pivot_table(index="peptide", columns="task", values="y")
    alike = wide.corr(min_periods=20)
    of = peptides.families(alike.index)
    same = of["family"].to_numpy()[:, None] == of["family"].to_numpy()
    off = ~np.eye(len(alike), dtype=bool)
    assert np.nanmean(alike.to_numpy()[same & off]) > 0.3
    assert abs(np.nanmean(alike.to_numpy()[~same])) < 0.15
    share = frame.groupby("task")["y"].agg(["size", lambda y: (y > 0).mean()])
    assert share["size"].min() == 40 and share["size"].max() == 600
    assert (frame["y"] > 0).mean() == pytest.approx(1 / 3, abs=0.03)


def test_peptides_of_alleles_have_clusters_and_what_cannot_be_read_is_gone():
    if not here("mhc"):
        pytest.skip("the files of mhc aren't here; `make data` gets them")
    frame = scenarios.load("mhc")
    assert frame["peptide"].str.len().between(8, 11).all()
    assert frame.groupby("peptide")["group"].nunique().max() == 1
    assert len(frame) > 0.99 * len(data.load("mhc"))
    peptides.encode(frame["peptide"].head(1000))
