"""Which tasks gain when tasks are tied together: runs compared seed by seed."""

import numpy as np

LEAST = 0.0005  # a smaller change of the MAE is not counted
PARTS = [f"q{q}" for q in range(4)] + ["mae_noisy", "mae_clean", "mae"]
PLAIN = "DenseNet"


def scenes(runs, noisy=False):
    """The scenes of runs, all or those in which noise made tasks hard."""
    names = runs["scene"].dropna().unique()
    return [name for name in names if not (noisy and "no noise" in name)]


def changes(runs, scene):
    """What each run of a scene changes against the plain network of its seed.

    Args:
        runs: DataFrame of runs with `scene`, `method`, `seed`, `strength`,
            `validation_mae`, `mae_quartiles` and errors.
        scene: one of `scenes(runs)`.

    Returns:
        DataFrame, a row a run: `method`, `seed`, `strength` (0 for the plain network),
        `validation_mae`, and the `PARTS`, less those of the plain network; `q0` to
        `q3` are quarters of the tasks, the easiest first.
    """
    mine = runs[runs["scene"] == scene].set_index(["method", "seed"])
    quarters = np.array(mine["mae_quartiles"].tolist())
    mine = mine.assign(**{f"q{q}": quarters[:, q] for q in range(4)})
    found = mine[PARTS].sub(mine.loc[PLAIN, PARTS], level="seed")
    strength, error = mine["strength"].fillna(0.0), mine["validation_mae"]
    return found.assign(strength=strength, validation_mae=error).reset_index()


def chosen(table, method):
    """The λ that validation chooses, 0 included, and the changes there by seed."""
    mine = table[table["method"].isin([method, PLAIN])]
    best = mine.groupby("strength")["validation_mae"].mean().idxmin()
    return float(best), mine[mine["strength"] == best].set_index("seed")[PARTS]


def surely(d):
    """Whether differences (one a seed) are all above zero, and matter in the mean."""
    return bool(d.min() > 0 and d.mean() > LEAST)


def beyond(table, methods, control="shrunken head"):
    """Whose noisy tasks gain more than with a control and than with nothing.

    Args:
        table: what `changes` gives.
        methods: names of methods.
        control: a method that knows no relations.

    Returns:
        dict of method → difference to the control, or to the plain network where the
        control does harm, by seed; and the list of methods that cost clean tasks.
    """
    head = chosen(table, control)[1]["mae_noisy"]
    bar = head if head.mean() < 0 else 0 * head
    by = {method: chosen(table, method)[1] for method in methods}
    less = {method: part["mae_noisy"] - bar for method, part in by.items()}
    gain = {method: d for method, d in less.items() if surely(-d)}
    return gain, [method for method, part in by.items() if surely(part["mae_clean"])]


def paired(table, left, right):
    """What one method changes more than another, seed by seed.

    Returns:
        The λ that validation chooses for each; the difference there, by seed; and a
        dict of λ → difference on noisy tasks for those λ chosen for neither.
    """
    (a, of_left), (b, of_right) = chosen(table, left), chosen(table, right)
    by = table.set_index(["method", "strength", "seed"])["mae_noisy"]
    rest = (by.loc[left] - by.loc[right]).groupby(level="strength")
    return (a, b), of_left - of_right, {k: d for k, d in rest if k not in (a, b)}
