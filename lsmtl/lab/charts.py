"""Charts that can be moved, each on top of a figure that shows what can be seen still.

The figure stands wherever there is no script: in print, on slides, in notebooks. In the
book `charts.js` puts controls and a Plotly chart in its place, made from JSON that
comes with it.

The JSON, a *spec*, is a dict with

- `controls`: a list of dicts, `kind` (`"select"` or `"range"`), `label`, `options`
  (texts), `start` (the number of one); or `kind` `"find"` and `label`, which looks a
  point up by its name;
- `views`: the numbers of the chosen options, as `"0,3"` → a dict with `traces`, as
  Plotly has them, and `say`, a sentence that tells what is seen;
- `layout`: Plotly's, for a wide page, and `narrow`, what differs on a phone;
- `columns`: lists that traces share, where they say `"@name"`;
- `hint`: a sentence on what to do.

Colours are Plotly's, or `"ink"` and `"muted"`, which are those of the page.
"""

import html
import itertools
import json

from IPython.display import HTML

from lsmtl._checks import one_of
from lsmtl.lab import show

KINDS = ("select", "range", "find")


def chart(fig, alt, spec, caption="", badge=""):
    """Show a figure that is a chart to move where there is a script.

    Args:
        fig: Matplotlib figure, what is seen without a script.
        alt: what is seen, for those who can't see it.
        spec: of the chart, see this module.
        caption: text below both.
        badge: the mark of the runs that it shows.

    Raises:
        ValueError: a control is of no known kind, or a choice has no view.
    """
    for control in spec["controls"]:
        one_of("kind", control["kind"], KINDS)
    sizes = [len(c["options"]) for c in spec["controls"] if "options" in c]
    for numbers in itertools.product(*map(range, sizes)):
        one_of("view", ",".join(map(str, numbers)), spec["views"])
    still = show.figure(fig, alt, caption, badge).data
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = text.replace("</", "<\\/")
    return HTML(
        f'<div class="lsmtl-chart" data-alt="{html.escape(alt)}">{still}'
        f'<script type="application/json">{text}</script></div>'
    )


def genes(names, errors, label):
    """The spec of a chart with a point a gene, whose two sides can be chosen.

    Args:
        names: of the genes.
        errors: dict of method → error of each gene.
        label: of the error.
    """
    methods = [*errors]
    columns = {"names": list(names)}
    columns |= {m: [round(float(v), 3) for v in errors[m]] for m in methods}
    every = [v for m in methods for v in columns[m]]
    ends = [min(every) - 0.02, max(every) + 0.02]
    diagonal = {"x": ends, "y": ends, "mode": "lines", "hoverinfo": "skip"}
    diagonal |= {"line": {"color": "muted", "dash": "dash", "width": 1}}
    views = {}
    for (i, x), (j, y) in itertools.product(enumerate(methods), repeat=2):
        below = sum(b < a for a, b in zip(columns[x], columns[y], strict=True))
        cloud = {"x": f"@{x}", "y": f"@{y}", "text": "@names", "mode": "markers"}
        cloud["marker"] = {"size": 4, "opacity": 0.5, "color": show.COLOURS[y]}
        cloud["hovertemplate"] = f"%{{text}}<br>{x} %{{x}}<br>{y} %{{y}}<extra></extra>"
        say = f"{y} is better than {x} on {below} of {len(columns['names'])} genes."
        titles = {"xaxis": f"{label}, {x}", "yaxis": f"{label}, {y}"}
        views[f"{i},{j}"] = {"traces": [diagonal, cloud], "say": say, "titles": titles}
    axis = {"range": ends, "zeroline": False}
    square = {"scaleanchor": "x", "constrain": "domain"}
    sides = [
        {"kind": "select", "label": side, "options": methods, "start": start}
        for side, start in (("across", 0), ("up", len(methods) - 1))
    ]
    return {
        "controls": [*sides, {"kind": "find", "label": "gene"}],
        "views": views,
        "columns": columns,
        "hint": "Choose two methods; hover over a dot, or type the name of a gene.",
        "layout": {"height": 520, "xaxis": axis, "yaxis": axis | square},
        "narrow": {"height": 400},
    }
