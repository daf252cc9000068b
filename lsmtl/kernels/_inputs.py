"""Checks of the rows and tasks that models are fitted to."""

import numpy as np
import pandas as pd


def numbers(name, values, dimensions, when=""):
    """`values` as a finite float array with so many dimensions, else a ValueError."""
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of numbers") from None
    if found.ndim != dimensions or not found.size:
        shape = {1: "(n,)", 2: "(n, columns)"}[dimensions]
        raise ValueError(
            f"{name} must have the shape {shape} and values{when}, got {found.shape}"
        )
    if not np.isfinite(found).all():
        place = tuple(np.argwhere(~np.isfinite(found))[0].tolist())
        raise ValueError(f"{name} must be finite, got {found[place]} at {place}")
    return found


def same_rows(X, y):
    """`y` if it has as many rows as X, else a ValueError."""
    if len(X) != len(y):
        raise ValueError(f"X and y must have as many rows, got {len(X)} and {len(y)}")
    return y


def labels_of(task, X):
    """The task of every row of X as a list, else a ValueError."""
    try:
        labels = task.tolist() if hasattr(task, "tolist") else [*task]
    except TypeError:
        raise ValueError(f"task must be a list of labels, got {task!r}") from None
    if len(labels) != len(X):
        raise ValueError(f"task must name {len(X)} tasks, one a row; got {len(labels)}")
    if pd.isna(pd.Series(labels, dtype=object)).any():
        raise ValueError("task must name a task in every row, got an empty label")
    return labels


def ordered(labels):
    """The different labels, sorted, or as they come where they have no order."""
    try:
        found = {*labels}
    except TypeError:
        raise ValueError("task labels must be hashable") from None
    try:
        return sorted(found)
    except TypeError:
        return [*dict.fromkeys(labels)]
