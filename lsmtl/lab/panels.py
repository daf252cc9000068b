"""Pictures of what a setting does: a row of panels a dataset, a column a metric."""

import matplotlib.pyplot as plt
import numpy as np

from lsmtl.lab.show import COLOURS, GREY, SMALL

STYLES = {  # head → line, marker, face; None is a method without a head
    "xavier": {"ls": "-", "marker": "o"},
    "zero": {"ls": "--", "marker": "o", "mfc": "none"},
    None: {"ls": ":", "marker": "s"},
}
NAMES = {"xavier": "Xavier head", "zero": "zero head", None: ""}


def curves(panels, label, ylabels, marks=(), note="", log=True, scale="linear"):
    """Metrics over the values of a setting: means over seeds, and bars to the ends.

    What doesn't vary is a level, with a band.

    Args:
        panels: dict of title → for each column a dict of (method, head) → DataFrame.
        label: of the setting.
        ylabels: a text a column.
        marks: the paper's values.
        note: where the paper's values lie beyond the axis.
        log: whether the setting's axis is logarithmic; None spaces values evenly and
            writes them out.
        scale: of the first column's vertical axis.

    Returns:
        The figure.
    """
    shape = len(panels), len(ylabels)
    size = (5, 1.75 * shape[0] + 0.7)
    fig, axes = plt.subplots(*shape, figsize=size, sharex=True, squeeze=False)
    for row, (title, columns) in zip(axes, panels.items(), strict=True):
        for axis, lines, ylabel in zip(row, columns, ylabels, strict=True):
            for (method, head), table in lines.items():
                x = np.arange(table.shape[1]) if log is None else list(table)
                low, mean, high = table.min(), table.mean(), table.max()
                look = {"color": COLOURS[method], "ms": 4, "lw": 1.3, **STYLES[head]}
                look["label"] = ", ".join(filter(None, (method, NAMES[head])))
                if (table.nunique(axis=1) == 1).all():  # a level: nothing varies
                    axis.plot(x, mean, **(look | {"marker": ""}))
                    axis.fill_between(x, low, high, color=look["color"], alpha=0.15)
                else:
                    ends = [mean - low, high - mean]
                    axis.errorbar(x, mean, ends, elinewidth=0.8, **look)
                if log is None:
                    axis.set_xticks(x, [_short(v) for v in table])
            for value in marks:
                axis.axvline(value, color=GREY, ls=":", lw=1.2, zorder=0)
            axis.set_ylabel(ylabel)
            axis.margins(y=0.1)
            if log:
                axis.set_xscale("log")
                axis.xaxis.set_major_formatter("{x:g}")
        row[0].set_title(title, loc="left")
        if scale == "symlog":
            row[0].set_yscale("symlog", linthresh=1)
            row[0].yaxis.set_major_formatter("{x:g}")
    axes[0, -1].set_title(note, loc="right", fontsize=SMALL)
    for axis in axes[-1]:
        axis.set_xlabel(label)
    handles, names = axes[0, 0].get_legend_handles_labels()
    columns = 2 if len(names) > 1 else 1
    fig.legend(
        handles, names, loc="outside upper center", ncols=columns, fontsize=SMALL
    )
    return fig


def dots(panels, labels):
    """One other value of a setting: changes by method and head, a small dot a seed.

    Args:
        panels: dict of title → for each column a dict of (method, head) → Series by
            seed.
        labels: of the horizontal axes, a text a column.

    Returns:
        The figure.
    """
    count = max(len(columns[0]) for columns in panels.values())
    size = (5, len(panels) * (0.24 * count + 0.5) + 0.3)
    fig, axes = plt.subplots(
        len(panels), len(labels), figsize=size, sharex="col", sharey=True, squeeze=False
    )
    for row, (title, columns) in zip(axes, panels.items(), strict=True):
        for axis, rows in zip(row, columns, strict=True):
            names = [f"{method}, {NAMES[head]}" for method, head in rows]
            y = np.arange(len(rows))[::-1]
            axis.axvline(0, lw=0.8, ls="--", color=GREY)
            for at, ((method, head), seeds) in zip(y, rows.items(), strict=True):
                look = {"color": COLOURS[method], "ls": "none"}
                face = "none" if head == "zero" else COLOURS[method]
                axis.plot(seeds, np.full(len(seeds), at), "|", ms=7, **look)
                axis.plot(seeds.mean(), at, "o", ms=6, mfc=face, **look)
            axis.set(yticks=y, yticklabels=names, ylim=(-0.6, len(rows) - 0.4))
            axis.tick_params(axis="y", labelsize=SMALL)
        row[0].set_title(title, loc="left")
    for axis, label in zip(axes[-1], labels, strict=True):
        axis.set_xlabel(label)
    return fig


def _short(value):
    return "all" if value == np.inf else f"{value:g}"
