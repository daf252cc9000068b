"""A drawing of what builds on what: layers, their order, places, and SVG.

The parts of the book are bands, one below the other, and a band has as many rows as its
chapters build on one another. A line that passes rows has a bend in each. Neighbours in
a row are ordered and placed by where their lines lead.
"""

import html
import itertools
import textwrap

WIDE, HIGH = 760, 82  # the drawing, and from row to row, in units of the drawing
BOX = (152, 58)  # of a chapter
BEND = 18  # the room that a passing line takes
HEAD, GAP = 26, 12  # above a band's rows, and between bands
LETTERS, LINE = 20, 14  # of a line of text: how many, and how high
SWEEPS = 40
STIFF = 8  # how much straighter a line is between bends than at its ends


def typeset(text):
    """A text as HTML, with the apostrophes that the pages have."""
    return html.escape(text.replace("'", "’"))


def rows(bands, edges):
    """A row for each name: bands follow each other, what is needed stands above.

    Args:
        bands: lists of names.
        edges: pairs of names, the needed one first; they lead down or within a band.

    Returns:
        The row of each name, and the first row of each band.
    """
    row, starts, start = {}, [], 0
    for names in bands:
        starts.append(start)
        for name in names:
            above = [row[a] + 1 for a, b in edges if b == name and a in row]
            row[name] = max([start, *above])
        start = max(row[name] for name in names) + 1
    return row, starts


def bent(row, edges):
    """Edges as chains of neighbouring rows, and all that stands in the rows.

    Lines that leave the same name run together as far as they go down.

    Args:
        row: of each name.
        edges: pairs of names.

    Returns:
        The chains (edge → its points, names and bends), and the points row by row.
    """
    layers = [[] for _ in range(max(row.values()) + 1)]
    for name, number in row.items():
        layers[number].append(name)
    chains = {}
    for a, b in edges:
        bends = [(a, number) for number in range(row[a] + 1, row[b])]
        for bend in bends:
            if bend not in layers[bend[1]]:
                layers[bend[1]].append(bend)
        chains[a, b] = [a, *bends, b]
    return chains, layers


def neighbours(chains, layers):
    """Each point's neighbours in the rows above and below.

    Args:
        chains, layers: as `bent` gives them.
    """
    links = {point: [] for layer in layers for point in layer}
    for chain in chains.values():
        for a, b in itertools.pairwise(chain):
            if b not in links[a]:
                links[a].append(b)
                links[b].append(a)
    return links


def order(layers, links):
    """The layers with their points sorted so that few lines cross.

    Args:
        layers: points, row by row.
        links: point → its neighbours in the rows above and below.
    """
    best = layers
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        layers = [[*layer] for layer in layers]
        for number in range(len(layers)) if down else reversed(range(len(layers))):
            near = number - 1 if down else number + 1
            if 0 <= near < len(layers):
                at = {point: i for i, point in enumerate(layers[near])}
                layers[number] = _by_mean(layers[number], links, at)
        if crossings(layers, links) < crossings(best, links):
            best = layers
    return best


def _by_mean(layer, links, at):
    """A layer sorted by the mean place of neighbours; who has none stays in place."""

    def mean(pair):
        place, point = pair
        found = [at[other] for other in links[point] if other in at]
        return sum(found) / len(found) if found else place

    return [point for _, point in sorted(enumerate(layer), key=mean)]


def crossings(layers, links):
    """How many pairs of lines cross."""
    count = 0
    for upper, lower in itertools.pairwise(layers):
        at = {point: i for i, point in enumerate(lower)}
        ends = [at[p] for point in upper for p in sorted_ends(links[point], at)]
        count += sum(b < a for i, a in enumerate(ends) for b in ends[i + 1 :])
    return count


def sorted_ends(points, at):
    """Those of the points that stand in a row, from left to right."""
    return sorted((point for point in points if point in at), key=at.get)


def place(layers, links, wide=WIDE):
    """Where the middle of each point lies, from left to right.

    Args:
        layers: points, row by row, in order.
        links: point → its neighbours.
        wide: the room there is.
    """
    size = {p: BOX[0] + 10 if isinstance(p, str) else BEND for r in layers for p in r}
    x = {}
    for layer in layers:
        left = (wide - sum(size[p] for p in layer)) / 2
        for point in layer:
            x[point] = left + size[point] / 2
            left += size[point]
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 else reversed(layers):
            wished = [_wish(point, links[point], x) for point in layer]
            _spread(layer, wished, x, size, wide)
    return x


def _wish(point, neighbours, x):
    """The mean of a point's neighbours; bends that follow each other align."""
    weights = [
        STIFF if isinstance(point, tuple) and isinstance(other, tuple) else 1
        for other in neighbours
    ]
    found = sum(w * x[other] for w, other in zip(weights, neighbours, strict=True))
    return found / sum(weights) if weights else x[point]


def _spread(layer, wished, x, size, wide):
    """Put a layer's points as near to where they wish as their sizes let them."""
    right, left, low, high = [], [], 0, wide
    for point, wish in zip(layer, wished, strict=True):
        right.append(max(wish, low + size[point] / 2))
        low = right[-1] + size[point] / 2
    for point, wish in reversed([*zip(layer, wished, strict=True)]):
        left.insert(0, min(wish, high - size[point] / 2))
        high = left[0] - size[point] / 2
    for point, a, b in zip(layer, right, left, strict=True):
        x[point] = (a + b) / 2
    low, high = 0, wide
    for point in layer:  # the means may leave the room at either end
        x[point] = max(x[point], low + size[point] / 2)
        low = x[point] + size[point] / 2
    for point in reversed(layer):
        x[point] = min(x[point], high - size[point] / 2)
        high = x[point] - size[point] / 2


def draw(bands, edges, about, title):
    """The map as SVG; its colours are those of the page's style sheet.

    Args:
        bands: title of a part → names of its chapters.
        edges: pairs of names, the needed one first.
        about: name → (title, time, address, words for who can't see it).
        title: of the drawing, for who can't see it.
    """
    row, starts = rows(bands.values(), edges)
    chains, layers = bent(row, edges)
    links = neighbours(chains, layers)
    x = place(order(layers, links), links)
    band = [sum(start <= n for start in starts) for n in range(len(layers))]
    y = [n * HIGH + b * (HEAD + GAP) + BOX[1] / 2 for n, b in enumerate(band)]
    high = y[-1] + BOX[1] / 2 + GAP
    parts = [
        f'<svg class="lsmtl-map" viewBox="0 0 {WIDE} {high:.0f}" role="group" '
        f'aria-label="{typeset(title)}">'
    ]
    captions = []
    for number, caption in enumerate(bands):
        first = band.index(number + 1)
        last = len(band) - 1 - band[::-1].index(number + 1)
        top = y[first] - BOX[1] / 2 - HEAD
        parts.append(
            f'<rect class="band" x="0" y="{top:.0f}" width="{WIDE}" '
            f'height="{y[last] + BOX[1] / 2 + GAP - top - 2:.0f}" rx="6"/>'
        )
        captions.append(
            f'<text class="part" aria-hidden="true" x="10" y="{top + 17:.0f}">'
            f"{typeset(caption)}</text>"
        )
    level = {point: y[n] for n, layer in enumerate(layers) for point in layer}
    for name in row:
        lines = [_line(c, x, level) for (_, b), c in chains.items() if b == name]
        box = _box(x[name], level[name], *about[name])
        parts.append(f"<g>{''.join(lines)}{box}</g>")
    return "\n".join([*parts, *captions, "</svg>"])


def _line(chain, x, level):
    """A line from below one chapter to above another, straight where it passes."""
    half, d = BOX[1] / 2, ""
    for number, (a, b) in enumerate(itertools.pairwise(chain)):
        top = level[a] + half
        bottom = level[b] - half
        if number == 0:
            d += f"M{x[a]:.0f} {top:.0f}"
        else:
            d += f"V{top:.0f}"
        middle = (top + bottom) / 2
        d += f"C{x[a]:.0f} {middle:.0f} {x[b]:.0f} {middle:.0f} {x[b]:.0f} {bottom:.0f}"
    return f'<path d="{d}"/>'


def _box(x, y, title, time, address, words):
    wide, high = BOX
    lines = [*textwrap.wrap(title, LETTERS, break_on_hyphens=False), time]
    top = y - (len(lines) - 1) * LINE / 2 + 4
    text = "".join(
        f'<tspan x="{x:.0f}" y="{top + LINE * i:.1f}">{typeset(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    return (
        f'<a href="{typeset(address)}" aria-label="{typeset(words)}">'
        f'<rect x="{x - wide / 2:.0f}" y="{y - high / 2:.0f}" width="{wide}" '
        f'height="{high}" rx="5"/><text>{text}</text></a>'
    )
