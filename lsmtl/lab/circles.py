"""The strongest relations among a few tasks on a circle: a picture, and a chart."""

import itertools

import matplotlib.pyplot as plt
import numpy as np

from lsmtl.lab.show import GREY, OTHERS
from lsmtl.lab.strongest import METHOD, READ

GAP = 1.5  # between groups, in places
SCORES = {"mae": "MAE", "cc": "concordance", "inside": "pairs within a group"}
LOOKS = zip(("o", "s", "^"), ("solid", "dash", "dot"), OTHERS, strict=True)
LOOK = dict(zip(SCORES, LOOKS, strict=True))  # marker, line, colour
SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up"}
LINES = {"solid": "-", "dash": "--", "dot": ":"}


def looked_at(runs):
    """The runs that hold pairs, the smallest λ first, and λ as text.

    Args:
        runs: of the chapter on learned relations; may have none of these.
    """
    mine = runs[runs["method"] == METHOD].sort_values("strength")
    return mine, [f"{s:g}" for s in mine["strength"]]


def inside(pairs, groups):
    """The share of pairs (a flat list of places) whose tasks are of one group."""
    a, b = np.reshape(pairs, (-1, 2)).T.astype(int)
    groups = np.array(groups)
    return float((groups[a] == groups[b]).mean())


def chance(groups):
    """The share among all pairs."""
    a, b = np.triu_indices(len(groups), 1)
    return inside(np.stack([a, b], 1).ravel(), groups)


def places(groups):
    """Where tasks stand on the circle, (n, 2), and the middle angle of each group."""
    at = np.cumsum([0.0, *(1 + GAP * (a != b) for a, b in itertools.pairwise(groups))])
    angle = 2 * np.pi * at / (at[-1] + 1 + GAP)
    names = list(dict.fromkeys(groups))
    middle = {n: angle[[g == n for g in groups]].mean() for n in names}
    return np.stack([np.sin(angle), np.cos(angle)], 1), middle


def edges(pairs, groups):
    """Lines (x, y) through pairs within groups, and through those across."""
    xy, groups = places(groups)[0], np.array(groups)
    a, b = np.reshape(pairs, (-1, 2)).T.astype(int)
    same = groups[a] == groups[b]
    gap = np.full(len(a), np.nan)
    for kept in (same, ~same):
        lines = [np.stack([xy[a, k], xy[b, k], gap], 1)[kept].ravel() for k in (0, 1)]
        yield lines


def picture(tables, read="jacobian"):
    """Circles for no, a usual and a large λ, and the scores over all, a row a dataset.

    Args:
        tables: dict of dataset → runs with pairs.
        read: a reading, of `strongest.READ`.
    """
    fig, axes = plt.subplots(
        len(tables), 4, figsize=(5, 1.9 * len(tables) + 0.5), squeeze=False
    )
    for row, (name, runs) in zip(axes, tables.items(), strict=True):
        mine, texts = looked_at(runs)
        shown = [texts.index(t) for t in ("0", "0.1", "1") if t in texts]
        for axis, at in zip(row, shown, strict=False):
            run = mine.iloc[at]
            within, across = edges(run[f"pairs_{read}"], run["groups"])
            axis.plot(*across, ":", color=GREY, lw=0.7)
            axis.plot(*within, color=OTHERS[0], lw=1.2)
            axis.plot(*places(run["groups"])[0].T, ".", ms=2.5, color=GREY)
            axis.set(title=f"λ = {texts[at]}", aspect="equal")
            axis.set_axis_off()
        values = scores(mine, read)
        for key, (marker, line, colour) in LOOK.items():
            look = {"marker": marker, "ls": LINES[line], "color": colour, "ms": 3}
            row[3].plot(texts, values[key], label=SCORES[key], **look)
        row[3].set(title=name, ylim=(0, 1), xlabel="λ", xticks=texts[1::3])
    fig.legend(*axes[0, 3].get_legend_handles_labels(), loc="outside lower center",
               ncols=3)  # fmt: skip
    return fig


def scores(runs, read):
    """MAE, concordance and the share of pairs within a group, a value a run."""
    share = [inside(r[f"pairs_{read}"], r["groups"]) for _, r in runs.iterrows()]
    return {"mae": runs["mae"], "cc": runs["cc"], "inside": share}


def spec(tables):
    """The chart of these runs: choose the data, how G is read, and λ.

    Args: as for `picture`.
    """
    views, columns, texts = {}, {}, []
    for i, (name, runs) in enumerate(tables.items()):
        mine, texts = looked_at(runs)
        groups = list(mine["groups"].iloc[0])
        tasks = [
            f"{t}, {g}" for t, g in zip(mine["tasks"].iloc[0], groups, strict=True)
        ]
        columns |= {f"{i}λ": texts, f"{i}tasks": tasks}
        columns |= {f"{i}{k}": v for k, v in _line(places(groups)[0].T).items()}
        for j, read in enumerate(READ):
            values = {k: [*map(float, v)] for k, v in scores(mine, read).items()}
            columns |= {f"{i}{j}{k}": [round(v, 3) for v in values[k]] for k in values}
            for at, pairs in enumerate(mine[f"pairs_{read}"]):
                views[f"{i},{j},{at}"] = {
                    "traces": [*_circle(f"{i}", pairs, groups), *_curves(i, j, at)],
                    "say": _say(name, texts[at], {k: v[at] for k, v in values.items()})
                    + f"; by chance {chance(groups):.0%} would be.",
                    "layout": {"annotations": _names(groups)},
                }
    controls = [
        {"kind": "select", "label": "data", "options": list(tables)},
        {"kind": "select", "label": "read from G by", "options": [*READ.values()]},
        {"kind": "range", "label": "λ", "options": texts, "start": len(texts) // 2 - 1},
    ]
    return {"controls": controls, "views": views, "columns": columns} | SHAPE


BARE = {"visible": False}
SHAPE = {
    "hint": "Move λ; hover over a dot or a point for what it is.",
    "layout": {
        "height": 380,
        "xaxis": BARE | {"range": [-1.6, 1.6], "domain": [0, 0.58], "anchor": "y"},
        "yaxis": BARE | {"range": [-1.2, 1.2], "scaleanchor": "x"},
        "xaxis2": {"domain": [0.68, 1], "anchor": "y2", "type": "category"}
        | {"title": {"text": "λ", "standoff": 6}},
        "yaxis2": {"range": [0, 1], "anchor": "x2", "domain": [0.1, 1]},
        "showlegend": True,
        "legend": {"x": 1, "xanchor": "right", "y": -0.2, "orientation": "h"},
    },
    "narrow": {
        "height": 600,
        "xaxis": {"domain": [0, 1]},
        "yaxis": {"domain": [0.45, 1]},
        "xaxis2": {"domain": [0, 1]},
        "yaxis2": {"domain": [0.1, 0.4]},
        "legend": {"y": -0.06},
    },
}


def _say(name, strength, values):
    return (
        f"{name}, λ = {strength}: MAE {values['mae']:.3f}, concordance "
        f"{values['cc']:.3f}; {values['inside']:.0%} of the strongest pairs are within "
        "a group"
    )


def _circle(i, pairs, groups):
    within, across = edges(pairs, groups)
    quiet = {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
    thin = {"color": "muted", "width": 0.8, "dash": "dot"}
    yield _line(across) | quiet | {"line": thin}
    yield _line(within) | quiet | {"line": {"color": OTHERS[0], "width": 2}}
    nodes = {"x": f"@{i}x", "y": f"@{i}y", "text": f"@{i}tasks", "mode": "markers"}
    nodes |= {"hovertemplate": "%{text}<extra></extra>", "showlegend": False}
    yield nodes | {"marker": {"size": 6, "color": "ink"}}


def _curves(i, j, at):
    for key, (marker, line, colour) in LOOK.items():
        yield {
            "x": f"@{i}λ",
            "y": f"@{i}{j}{key}",
            "xaxis": "x2",
            "yaxis": "y2",
            "name": SCORES[key],
            "mode": "lines+markers",
            "line": {"color": colour, "dash": line},
            "marker": {"symbol": SYMBOLS[marker]}
            | {"size": [6] * at + [12] + [6] * 12},
            "hovertemplate": f"λ = %{{x}}: %{{y}}<extra>{SCORES[key]}</extra>",
        }


def _names(groups):
    notes = []
    for name, angle in places(groups)[1].items():
        x, y = (round(1.1 * float(f(angle)), 2) for f in (np.sin, np.cos))
        side = "left" if x > 0.2 else "right" if x < -0.2 else "center"
        over = "bottom" if y > 0.6 else "top" if y < -0.6 else "middle"
        notes.append({"x": x, "y": y, "text": name, "showarrow": False})
        notes[-1] |= {"xanchor": side, "yanchor": over, "font": {"size": 12}}
    return notes


def _line(xy):
    x, y = ([None if v != v else round(float(v), 2) for v in side] for side in xy)
    return {"x": x, "y": y}
