"""Figures, tables and sentences that carry their preset, on paper and in the dark.

Figures are inline SVG: their text takes the page's font and colour.
"""

import base64
import html
import io
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.colors import LinearSegmentedColormap

from lsmtl._checks import one_of
from lsmtl.lab.presets import shown

SMALL = 9.5  # points, the smallest text of a figure; on a phone a point is a pixel
INK = "#010203"  # stands for the page's own text colour until a figure is shown

# One colour a method through the whole book; each has a contrast of at least 3
# against the light and the dark page.
COLOURS = {
    "training mean": "#808080",
    "ridge": "#1f9d6b",
    "lasso": "#5f9a1c",
    "least squares": "#9a8a1c",
    "KNN": "#b8860b",
    "kernel ridge": "#128f8b",
    "reduced rank": "#4d9e4d",
    "SVR": "#8f7ab8",
    "two-layer SVR": "#a3546a",
    "MLP": "#7272d8",
    "D-GEX": "#7d8aa6",
    "SemiGAN": "#b35fb3",
    "DenseNet": "#3d7fc4",
    "Deep-GO-MTL": "#c26a1e",
    "Deep-CNMTL": "#b5713f",
    "Deep-AMTL": "#c4558c",
    "Deep-AMTFL": "#9b6ad0",
    "Deep-LSMTL": "#d9534f",
    "our recipe": "#c736a5",
    "alone": "#8f7f66",
    "pooled": "#b0803a",
    "mean": "#3a8fa8",
    "graph": "#d0602f",
    "graph from data": "#7a70d6",
    "graph, shuffled": "#a0709a",
    "landmarks": "#a45bc4",
    "random genes": "#8a8a1e",
    "random relations": "#808080",
    "given relations": "#5f9a1c",
    "correlation": "#d0700f",
    "G's relations": "#d9534f",
    "G's, no signs": "#c4558c",
    "MTRL": "#3d7fc4",
}
MARKS = {  # where points of methods meet, so that colour isn't all
    "training mean": "x",
    "ridge": "s",
    "kernel ridge": "^",
    "KNN": "o",
    "lasso": "P",
    "DenseNet": "o",
    "Deep-LSMTL": "D",
    "Deep-GO-MTL": "^",
    "Deep-CNMTL": "v",
    "Deep-AMTL": "X",
    "Deep-AMTFL": "P",
    "V": "^",
    "alone": "o",
    "pooled": "v",
    "mean": "s",
    "graph": "D",
    "graph from data": "^",
    "random relations": "x",
    "given relations": "P",
    "correlation": "v",
    "G's relations": "D",
    "G's, no signs": "^",
    "MTRL": "o",
}
OTHERS = ("#1697a6", "#d0700f", "#d6599b")  # for what is no method: cohorts, projects
GREY = "#808080"  # zero lines, chance, what the paper says

# Heat maps: zero is the page itself, light or dark, and more is more colour.
POLES = ("#6f5fae", "#c0651f")  # below zero and above
DIVERGING = LinearSegmentedColormap.from_list(
    "diverging",
    [(0, POLES[0]), (0.5, POLES[0] + "00"), (0.5, POLES[1] + "00"), (1, POLES[1])],
)
SEQUENTIAL = LinearSegmentedColormap.from_list("sequential", ["#3d7fc400", "#3d7fc4"])
SIZES = {  # inches; a page is 5 wide, and a row of panels about 2 high
    "single": (5, 3.2),  # one plot, or two side by side
    "low": (5, 2.4),  # few lines, or a strip of small panels
    "tall": (5, 5),  # two rows of panels
    "square": (5, 4),  # many lines, long legends, a map
}
DENSE = 1500  # marks of a line; more of them are drawn as a picture, not as shapes
DPI = 200  # of such pictures

mpl.rcParams.update(
    {
        "axes.edgecolor": INK,
        "axes.facecolor": "none",
        "axes.labelcolor": INK,
        "axes.prop_cycle": mpl.cycler(color=OTHERS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 11,
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "figure.figsize": SIZES["single"],
        "font.size": 11,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "legend.labelcolor": INK,
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "text.color": INK,
        "xtick.color": INK,
        "xtick.labelsize": 10,
        "ytick.color": INK,
        "ytick.labelsize": 10,
    }
)


def badge(preset, dataset):
    """The mark of a number: how large its run was, and on what."""
    size = shown(preset)
    return (
        f'<span class="lsmtl-badge lsmtl-{size.replace(" ", "-")}" title="size of the '
        f'run and its data"><b>{size} · {html.escape(dataset)}</b></span>'
    )


def figure(fig, alt, caption="", badge=""):
    """Show a Matplotlib figure and close it.

    Args:
        fig: the figure.
        alt: what is seen, for those who can't see it.
        caption: text below the figure.
        badge: the mark of the run that it shows.

    Raises:
        ValueError: `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty; say what the figure shows")
    for line in fig.findobj(mpl.lines.Line2D):
        clouds = line.get_marker() not in ("None", "none", "", None)
        line.set_rasterized(clouds and len(line.get_xdata()) > DENSE)
    for mesh in fig.findobj(mpl.collections.QuadMesh):  # of a colour bar: no seams
        mesh.set(rasterized=True, antialiased=False, edgecolor="none")
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": alt}):
        fig.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None})
    plt.close(fig)
    return _figure(buffer.getvalue(), alt, caption, badge)


def drawing(name, alt, caption=""):
    """Show one of the book's own drawings (`lsmtl/lab/drawings/<name>.svg`)."""
    folder = Path(__file__).parent / "drawings"
    one_of("drawing", name, sorted(path.stem for path in folder.glob("*.svg")))
    path = folder / f"{name}.svg"
    return _figure(path.read_text("utf-8"), alt, caption, "")


def _figure(svg, alt, caption, badge):
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg).replace(INK, "currentColor")
    svg = _small(svg)
    head, body = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    head += (
        f' role="img" aria-label="{html.escape(alt)}" '
        'style="width:100%;max-width:36rem;height:auto"'
    )
    below = " ".join(part for part in (badge, caption) if part)
    below = f"<figcaption>{below}</figcaption>" if below else ""
    return HTML(f'<figure class="lsmtl-figure">{head}>{body}{below}</figure>')


def _small(svg):
    """An SVG without what nobody sees: digits, blanks, groups of nothing in common."""
    svg = re.sub(r"<(?!image)[^>]+>", _two_decimals, svg)
    svg, count = re.sub(r">\s+<", "><", svg), 1
    while count:
        svg, count = re.subn(r"<g>((?:(?!</?g[ >]).)*)</g>", r"\1", svg, flags=re.S)
    alike = r'<use [^>]*style="([^"]*)"/>(?:<use [^>]*style="\1"/>)+'  # marks, ticks
    return re.sub(alike, _styled, svg)


def _styled(marks):
    bare = marks[0].replace(f' style="{marks[1]}"', "")
    return f'<g style="{marks[1]}">{bare}</g>'


def _two_decimals(tag):
    return re.sub(r"\s+", " ", re.sub(r"(\.\d\d)\d+", r"\1", tag[0]))


def table(frame, caption="", badge="", words=False):
    """Show a table; the first column names the row, floats get three decimals.

    Args:
        frame: DataFrame; its cells may hold HTML.
        caption: text above the table.
        badge: the mark of the runs that it shows.
        words: whether its cells are texts, which wrap, and not numbers.
    """
    head = "".join(f'<th scope="col">{column}</th>' for column in frame.columns)
    rows = []
    for row in frame.itertuples(index=False):
        name, *cells = map(_cell, row)
        cells = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    above = " ".join(part for part in (badge, caption) if part)
    kind = "lsmtl-table lsmtl-words" if words else "lsmtl-table"
    return HTML(
        '<div class="lsmtl-scroll" tabindex="0" role="group" aria-label="table">'
        f'<table class="{kind}"><caption>{above}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(value):
    if not isinstance(value, float):
        return value
    if value != value:  # NaN: there is no such entry
        return ""
    return f"{value:.0f}" if value.is_integer() else f"{value:.3f}"


def download(frame, name, text):
    """A link that saves a table as CSV, four significant digits; it is in the page.

    Args:
        frame: DataFrame; its index is left out.
        name: of the file, without its ending: letters, digits, `-` and `_`.
        text: of the link; what the table holds.

    Raises:
        ValueError: the name has other characters.
    """
    if not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise ValueError(f"name may have letters, digits, - and _; got {name!r}")
    csv = frame.to_csv(index=False, float_format="%.4g").encode()
    return HTML(
        f'<p class="lsmtl-say"><a download="{name}.csv" href="data:text/csv;base64,'
        f'{base64.b64encode(csv).decode()}">{html.escape(text)}</a> '
        f"(CSV, {max(len(csv) // 1000, 1)} kB)</p>"
    )


def say(text, badge=""):
    """Show a sentence that was made from results."""
    return HTML(f'<p class="lsmtl-say">{text} {badge}</p>')


def over_seeds(runs, by, metrics=("mae", "cc")):
    """Mean and spread over seeds, as numbers and as text.

    Args:
        runs: DataFrame of runs.
        by: the columns that tell configurations apart.
        metrics: the columns to summarise.

    Returns:
        DataFrame, a row a configuration in order of first appearance: `by`, each
        metric's mean, `<metric>_seeds` (standard deviation, 0 for one seed) and
        `<metric>_text`.
    """
    groups = runs.groupby(list(by), sort=False, dropna=False)[list(metrics)]
    mean = groups.mean()
    spread = groups.std().fillna(0)
    for name in metrics:
        mean[f"{name}_seeds"] = spread[name]
        mean[f"{name}_text"] = [
            f"{m:.3f} ± {s:.3f}" for m, s in zip(mean[name], spread[name], strict=True)
        ]
    return mean.reset_index()
