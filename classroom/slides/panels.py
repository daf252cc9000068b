"""A figure made for a phone, its panels one below the other, laid out for a screen."""

import hashlib
import math
import re

MOVED = "(Here side by side, from left to right.)"
SCREEN = 1168, 440  # pixels for a figure with words above it
BESIDE = 728, 530  # and with words beside it
AXES = re.compile(
    r"<clipPath[^>]*>\s*<rect x=\"([\d.]+)\" y=\"([\d.]+)\" "
    r"width=\"([\d.]+)\" height=\"([\d.]+)\""
)
TEXT = re.compile(
    r"(?:<text[^>]* x=\"|translate\()([\d.]+)(?:\" y=\"| )([\d.]+)[^>]*>([^<]*)"
)
TITLE, LABELS = 17, 34  # points above axes for a title, below them for ticks and label


def spread(figure, only=""):
    """The figure with its rows of panels side by side, if that makes it larger.

    Args:
        figure: HTML with one inline SVG by Matplotlib.
        only: show the rows with this title alone.

    Returns:
        HTML, the same if nothing is gained.

    Raises:
        ValueError: no row has this title.
    """
    head, body = re.search(r"(<svg[^>]*>)(.*)</svg>", figure, re.S).groups()
    box = re.search(r"viewBox=\"0 0 ([\d.]+) ([\d.]+)\"", head)
    if box is None:
        return figure
    width, height = map(float, box.groups())
    strips, labels = rows(body, height, only)
    if not strips:
        raise ValueError(f"no row of this figure has the title {only!r}")
    tallest = max(b - a + (labels[1] - labels[0]) * shared for a, b, shared in strips)
    columns, scale = grid(len(strips), width, tallest)
    if not only and scale < 1.1 * min(BESIDE[0] / width, BESIDE[1] / height):
        return figure
    name = "f" + hashlib.sha256(body.encode()).hexdigest()[:8]
    drawn = f'<svg width="0" height="0"><defs><g id="{name}">{body}</g></defs></svg>'
    for top, bottom, shared in strips:
        parts = [(top, bottom), labels] if shared else [(top, bottom)]
        drawn += strip(name, width, tallest, parts)
    label = re.search(r"aria-label=\"[^\"]*\"", head)
    kind = "panels" if len(strips) > 1 else "panel"
    drawn = (
        f'<div class="{kind}" role="img" {label[0] if label else ""} '
        f'style="grid-template-columns: repeat({columns}, 1fr)">{drawn}</div>'
    )
    before, after = figure[: figure.index("<svg")], figure.rpartition("</svg>")[2]
    if len(strips) > 1 and re.search(r"(?i)\b(top|bottom|above|below)\b", after):
        after = after.replace("</figcaption>", f" {MOVED}</figcaption>")
    return before + drawn + after


def rows(body, height, only=""):
    """Where to cut a figure between its rows of panels.

    Args:
        body: of the SVG.
        height: of the SVG.
        only: leave out rows without this title.

    Returns:
        A list of (top, bottom, whether the ticks are those of the last row), and
        where the last row's ticks and label are.
    """
    boxes = [tuple(map(float, box)) for box in AXES.findall(body)]
    words = [(float(x), float(y), word) for x, y, word in TEXT.findall(body)]
    tops = []
    for _, y, _, _ in sorted(boxes, key=lambda box: box[1]):
        if not tops or y > tops[-1] + 5:
            tops.append(y)
    ends = [max(y + h for _, y, _, h in boxes if abs(y - top) < 5) for top in tops]
    left = min((x for x, *_ in boxes), default=0)

    def written(low, high):
        return [word for x, y, word in words if x >= left and low < y < high]

    titles = [written(top - 7, top - 5) for top in tops]
    cuts, shared = [0.0], []
    for end, top, title in zip(ends[:-1], tops[1:], titles[1:], strict=True):
        cuts.append(top - (TITLE if title else 4))
        shared.append(not written(end + 5, cuts[-1]))
    strips = zip(cuts, [*cuts[1:], height], [*shared, False], strict=True)
    strips = zip(strips, titles or [[]], strict=True)
    last = ends[-1] if ends else height
    kept = [strip for strip, title in strips if not only or only in title]
    return kept, (last, min(last + LABELS, height))


def grid(count, width, tallest):
    """The number of columns, and the scale, at which strips are largest."""

    def scale(columns):
        lines = math.ceil(count / columns)
        return min(SCREEN[0] / columns / width, SCREEN[1] / lines / tallest)

    columns = max(range(1, count + 1), key=scale)
    return columns, scale(columns)


def strip(name, width, tallest, parts):
    """An SVG of parts of a figure, each from one height to another, stacked.

    All strips of a figure are as high as the tallest, so that their scale is the same.
    """
    drawn, y = "", 0.0
    for top, bottom in parts:
        size = f'y="{y:.1f}" width="{width:g}" height="{bottom - top:.1f}"'
        seen = f'viewBox="0 {top:.1f} {width:g} {bottom - top:.1f}"'
        drawn += f'<svg {size} {seen}><use href="#{name}"/></svg>'
        y += bottom - top
    return f'<svg viewBox="0 0 {width:g} {tallest:.1f}">{drawn}</svg>'
