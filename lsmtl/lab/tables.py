"""The paper's tables beside ours, for a page: words, pictures, where they are from."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lsmtl.lab import records
from lsmtl.lab.experiments import planned
from lsmtl.lab.paper import compare, word
from lsmtl.lab.protocol import SHALLOW
from lsmtl.lab.show import COLOURS, GREY, SMALL, say, table
from lsmtl.lab.standings import NAMES, percent

TOLERANCE = 1.0  # points of percent; at most half of the paper's effect
CLOSE = 0.01  # on the same data: of an MAE this share, of a concordance this much
HALVES = {"geo": "geo", "geo-gtex": "gtex"}  # original files → the paper's columns
EDGE = 12.0  # percent; what lies beyond is written at the edge of a picture


def badges(evidence, *datasets):
    """The badges of some datasets of an `evidence`; of all without a name."""
    return " ".join(evidence[name].badge for name in datasets or evidence)


def verdict(theirs, ours):
    """The word for an effect of ours beside the paper's, as HTML; empty for none.

    They match within `TOLERANCE`, or half of the paper's effect if that is less.
    """
    if theirs != theirs:
        return ""
    ours = None if ours != ours else ours
    return word(compare(theirs, ours, min(TOLERANCE, abs(theirs) / 2)))


def of_paper(values, rows, key):
    """The paper's value of each row, NaN for rows that it lacks.

    Args:
        values: Series of the paper's.
        rows: R `Row`s.
        key: (row) → its place in `values`.

    Returns:
        list of R.
    """
    return [np.nan if row.ours else values[key(row)] for row in rows]


def beside(standing, name, mae, theirs, key):
    """The paper's numbers and ours side by side, for `lab.table`.

    Args:
        standing: R lines.
        name: (row) → text.
        mae: Series of MAEs as the paper prints them (text).
        theirs: Series of the paper's effects.
        key: (row) → its place in both.
    """
    rows = list(standing["row"])
    mae, theirs = (of_paper(values, rows, key) for values in (mae, theirs))
    printed = pd.Series(mae).astype(float)
    ours = standing["mae"].reset_index(drop=True).where(printed.notna())
    ranks = pd.DataFrame([printed.rank(), ours.rank()])
    cells = {
        "": map(name, rows),
        "word": map(verdict, theirs, standing["effect"]),
        "paper": mae,
        "%": [percent(v).removesuffix(" %") for v in theirs],
        "ours": standing["shown"],
        "% ": standing["change"].str.removesuffix(" %"),
        "95 %": standing["range"],
        "ranks": [", ".join(f"{r:g}" for r in ranks[k].dropna()) for k in ranks],
    }
    return pd.DataFrame({name: list(column) for name, column in cells.items()})


def on_originals(evidence, standings, name, printed, key):
    """The paper's numbers beside ours on the very files that it used, shown.

    There a method's MAE itself can be compared: it *matches* within `CLOSE` of the
    paper's, and a concordance within `CLOSE`.

    Args:
        evidence: dict of dataset → `Evidence`.
        standings: dict of dataset → its standing.
        name: (row) → text.
        printed: the paper's table, indexed by what `key` gives.
        key: (row) → its place there.

    Yields:
        A table for each of the two halves; or one sentence, without records of it.
    """
    if not {*HALVES} & {*evidence}:
        yield say(
            "<b>On the paper's own data</b> (preset <code>paper</code>, which needs "
            "the original files and a GPU): not run."
        )
    for dataset, half in HALVES.items():
        if dataset not in evidence:
            continue
        lines = standings[dataset]
        lines = lines[[not row.ours for row in lines["row"]]]
        cells = {"": list(map(name, lines["row"]))}
        for score in ("mae", "cc"):
            if f"{half}_{score}" not in printed:
                continue
            theirs = [printed[f"{half}_{score}"][key(row)] for row in lines["row"]]
            title = score.upper()
            cells[f"{title}: paper"] = theirs
            cells[f"{title}: ours"] = [
                "" if v != v else f"{v:.4f}" for v in lines[score]
            ]
            cells[f"{title}: word"] = [
                _same(score, a, b) for a, b in zip(theirs, lines[score], strict=True)
            ]
        yield table(
            pd.DataFrame(cells),
            f"On {NAMES[dataset]} itself, means over seeds; an MAE matches within "
            f"{CLOSE:.0%} of the paper's, a CC within {CLOSE:g}",
            evidence[dataset].badge,
        )


def near(score, theirs, ours):
    """Whether a number of ours is the paper's, on the same data: within `CLOSE`."""
    return abs(theirs - ours) <= CLOSE * (theirs if score == "mae" else 1)


def _same(score, theirs, ours):
    """The word for a number of ours on the paper's own data."""
    if ours != ours:
        return word("not run")
    return word("matches" if near(score, float(theirs), ours) else "differs")


def draw(panels, name, height=0.24):
    """Effects with their intervals, a panel a dataset; diamonds are the paper's.

    What lies beyond `EDGE` is written there.

    Args:
        panels: dict of title → (standing, paper's effects by line or None), all with
            the same rows.
        name: (row) → text.
        height: of a line, in inches.

    Returns:
        The figure.
    """
    names = [name(row) for row in next(iter(panels.values()))[0]["row"]]
    count = len(names)
    fig, axes = plt.subplots(
        len(panels),
        1,
        figsize=(5, len(panels) * (count * height + 0.55)),
        sharex=True,
        squeeze=False,
    )
    y = np.arange(count)[::-1]
    for axis, (title, (lines, theirs)) in zip(axes.flat, panels.items(), strict=True):
        colours = [COLOURS[SHALLOW.get(row.method, row.method)] for row in lines["row"]]
        axis.axvline(0, lw=0.8, ls="--", color=GREY)
        for at, colour, line in zip(y, colours, lines.itertuples(), strict=True):
            axis.plot([line.low, line.high], [at, at], color=colour, lw=2)
            axis.plot(line.effect, at, "o", color=colour, ms=5)
        theirs = np.full(count, np.nan) if theirs is None else np.asarray(theirs)
        beyond = np.abs(lines["effect"].to_numpy()) > EDGE
        limits = np.where(beyond, EDGE / 2, EDGE)  # room for what is written there
        inside = np.where(np.abs(theirs) > limits, np.nan, theirs)
        axis.plot(inside, y, "D", mfc="none", color=GREY, ms=6, ls="none")
        for at, limit, *pair in zip(y, limits, lines["effect"], theirs, strict=True):
            for sign, side in ((1, "right"), (-1, "left")):
                marks = [
                    f"{mark} {v:+.0f}"
                    for mark, v in zip("●◇", pair, strict=True)
                    if sign * v > limit
                ]
                text = " ".join(marks)
                axis.text(sign * EDGE, at, text, ha=side, va="center", size=SMALL)
        axis.set(title=title, yticks=y, yticklabels=names, ylim=(-0.7, count - 0.3))
        axis.set_xlim(-EDGE, EDGE)
    axes[-1, 0].set_xlabel("difference to the reference's MAE, %")
    return fig


def sources(experiment):
    """The records that a page is made from, a line a preset and dataset, shown."""
    known, lines = records.read(experiment.name), []
    for preset in ("laptop", "gpu", "paper"):
        for dataset in filter(NAMES.get, experiment.datasets):
            if preset not in experiment.presets(dataset):
                continue
            _, runs = planned(experiment, preset, dataset, files=False, known=known)
            keys = [records.key(run) for run in runs]
            made = [known[key] for key in keys if key in known]
            if not runs:
                continue
            first = runs[0]
            line = [NAMES[dataset], first["preset"], first["data"][:8]]
            line += ["not run", "", ""]
            if made:
                hours = sum(record["wall_s"] for record in made) / 3600
                days = sorted({record["date"][:10] for record in made})
                line[3:] = f"{len(made)} of {len(runs)}", f"{hours:.1f}", days[-1]
            lines.append(line)
    where = f"<code>book/records/{experiment.name}.jsonl</code>"
    return table(
        pd.DataFrame(lines, columns=["", "preset", "data", "runs", "hours", "last"]),
        f"Records in {where}: the beginning of the data's hash, runs, hours of a core "
        "or GPU, the last one's day",
    )


def choices(item):
    """What validation chose, counted over seeds, and the best epoch's mean by row."""
    lines = []
    for row in item.rows:
        own = item.of(row)
        line = {"row": row}
        for name in ("dropout", "strength", "rank", "l1", "l2", "g", "k"):
            column = f"chosen_{name}"
            values = own[column].dropna() if column in own else []
            counts = pd.Series(values, dtype=float).value_counts()
            line[name] = ", ".join(f"{v:g} × {n}" for v, n in counts.items())
        best = own["best_epoch"].mean() if "best_epoch" in own else np.nan
        line["epoch"] = f"{best:.0f}" if best == best else ""
        lines.append(line)
    return pd.DataFrame(lines)
