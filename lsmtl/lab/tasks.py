"""Tables of tasks: features, splits within tasks, folds, explained variance, a choice.

A table has the columns `task` and `y`, a row an example of one task. Tasks have
examples of their own, unlike genes, which share their samples.
"""

import numpy as np
import pandas as pd

from lsmtl._checks import finite, one_of, whole

COLUMNS = {  # of `exam`: what describes a pupil, and what the school
    "pupil": ("standLRT", "sex", "intake"),
    "school": ("schavg", "schgend", "vr"),
}


def features(frame):
    """What the tasks' models see, with a last column of ones.

    Args:
        frame: the table `exam` or `school`.

    Returns:
        DataFrame (n, d). Numbers stay, a label becomes a column of 0 and 1 for each
        of its values but the first.
    """
    if "x1" in frame:
        return frame.filter(regex=r"^x\d+$")
    chosen = frame[[name for names in COLUMNS.values() for name in names]]
    found = pd.get_dummies(chosen, drop_first=True, dtype=float)
    return found.assign(one=1.0)


def described(frame):
    """What is known of each task before any example: the features that it is alone in.

    Args:
        frame: the table `exam` or `school`.

    Returns:
        DataFrame (T, columns), a row a task in the order of its name; columns have
        mean 0 and deviation 1.
    """
    x = features(frame)
    low, high = (x.groupby(frame["task"]).agg(which) for which in ("min", "max"))
    of_task = low.loc[:, (low == high).all() & (low.min() < low.max())]
    return (of_task - of_task.mean()) / of_task.std(ddof=0)


def split(frame, seed, test=0.25):
    """Rows to train on and rows to test on, from every task.

    Args:
        frame: a table; where it has given splits, `attrs["splits"]`, the `seed`-th.
        seed: which one.
        test: share of a task's rows to test on, where none are given.

    Returns:
        Two arrays of row numbers. A task has at least one row to train on.
    """
    given = frame.attrs.get("splits")
    if given:
        return tuple(np.sort(rows) for rows in given[seed % len(given)])
    finite("test", test, minimum=0)
    rng, train = np.random.default_rng(seed), np.zeros(len(frame), dtype=bool)
    for rows in frame.groupby("task").indices.values():
        few = len(rows) - int(test * len(rows))
        train[rng.permutation(rows)[:few]] = True
    return np.flatnonzero(train), np.flatnonzero(~train)


def folds(task, count, seed):
    """The fold of every row: those of each task are dealt out evenly.

    Args:
        task: (n,) labels.
        count: how many folds.
        seed: of the dealing.

    Returns:
        (n,) numbers from 0 to `count` - 1.
    """
    whole("count", count)
    rng, found = np.random.default_rng(seed), np.empty(len(task), dtype=int)
    start = 0
    for rows in pd.Series(np.asarray(task)).groupby(np.asarray(task)).indices.values():
        found[rng.permutation(rows)] = (start + np.arange(len(rows))) % count
        start += len(rows)  # else the small tasks would all be in the first folds
    return found


def few_each(task, rows, count, seed):
    """At most `count` of the given rows of every task, drawn at random."""
    rows = np.random.default_rng(seed).permutation(rows)
    place = pd.Series(task[rows]).groupby(task[rows]).cumcount().to_numpy()
    return np.sort(rows[place < count])


def explained(y, prediction):
    """The share of variance that is explained, in percent: 100·(1 − SSE / SST).

    Args:
        y: (n,) values of all tasks; SST is about their mean.
        prediction: (n,).
    """
    y, prediction = np.asarray(y), np.asarray(prediction)
    return 100 * (1 - ((y - prediction) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def choose(models, X, y, task, fold, score):
    """The best of several models by cross-validation.

    Args:
        models: estimators with `fit(X, y, task)` and `decision_function(X, task)`.
        X, y, task: (n, d), (n,), (n,) training examples.
        fold: (n,) the fold of each; the same for all models, so that they can be
            compared.
        score: (y, prediction, task) → a number, the higher the better. A row whose
            task is in no other fold is left out.

    Returns:
        The number of the best model, and all mean scores.
    """
    found = np.zeros(len(models))
    for left_out in np.unique(fold):
        inside = fold != left_out
        outside = ~inside & np.isin(task, task[inside])  # a model knows its tasks only
        for number, model in enumerate(models):
            model.fit(X[inside], y[inside], task[inside])
            prediction = model.decision_function(X[outside], task[outside])
            found[number] += score(y[outside], prediction, task[outside])
    found /= len(np.unique(fold))
    return int(found.argmax()), found


def neighbours(profile, width=1.0):
    """An adjacency from what describes the tasks: near ones have a large weight.

    Args:
        profile: (T, columns), as `described` gives it.
        width: of the bell, in units of the root mean square distance.

    Returns:
        DataFrame (T, T) with a zero diagonal, rows' mean sum 1.
    """
    finite("width", width, minimum=1e-6)
    values = profile.to_numpy()
    apart = ((values[:, None] - values[None]) ** 2).sum(-1)
    A = np.exp(-apart / (2 * width**2 * apart.mean()))
    np.fill_diagonal(A, 0)
    return pd.DataFrame(A / A.sum(1).mean(), profile.index, profile.index)


def shuffled(A, seed):
    """The same adjacency with the tasks' names dealt out anew: relations that lie."""
    one_of("columns", list(A.columns) == list(A.index), [True])
    order = np.random.default_rng(seed).permutation(len(A))
    return pd.DataFrame(A.to_numpy()[np.ix_(order, order)], A.index, A.columns)
