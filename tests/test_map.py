"""The map of the chapters: its layers, order and places, and what it says in words."""

import itertools
import xml.etree.ElementTree as tree

import lsmtl_map
import pytest
from lsmtl_map import BOX, WIDE

from lsmtl.lab import contents

PAGES = contents.pages()
BANDS = {
    part: [page.name for page in pages]
    for part, pages in contents.parts(PAGES).items()
    if pages[0].is_chapter
}
EDGES = [e for e in contents.edges(PAGES) if PAGES[e[1]].part in BANDS]


def laid_out(bands, edges):
    """Row, layers and places, as `draw` finds them."""
    row, _ = lsmtl_map.rows(bands, edges)
    chains, layers = lsmtl_map.bent(row, edges)
    links = lsmtl_map.neighbours(chains, layers)
    layers = lsmtl_map.order(layers, links)
    return row, chains, layers, links, lsmtl_map.place(layers, links)


@pytest.fixture(scope="module")
def book():
    return laid_out(BANDS.values(), EDGES)


def test_what_is_needed_stands_above_and_parts_follow_each_other(book):
    row, *_ = book
    assert all(row[a] < row[b] for a, b in EDGES)
    for upper, lower in itertools.pairwise(BANDS.values()):
        assert max(row[name] for name in upper) < min(row[name] for name in lower)


def test_a_line_has_a_point_in_every_row_that_it_passes(book):
    row, chains, layers, *_ = book
    at = {point: n for n, layer in enumerate(layers) for point in layer}
    assert [*chains] == EDGES
    for (a, b), chain in chains.items():
        assert (chain[0], chain[-1]) == (a, b)
        assert [at[point] for point in chain] == [*range(row[a], row[b] + 1)]


def test_nothing_overlaps_or_leaves_the_drawing(book):
    *_, layers, _, x = book
    half = {True: BOX[0] / 2, False: 1}
    for layer in layers:
        for a, b in itertools.pairwise(layer):
            wide = half[isinstance(a, str)] + half[isinstance(b, str)]
            assert x[b] - x[a] >= wide, (a, b)
        for point in layer:
            inside = half[isinstance(point, str)]
            assert inside - 0.5 <= x[point] <= WIDE - inside + 0.5


def test_lines_that_need_not_cross_do_not():
    upper, lower = ["a", "b", "c"], ["x", "y", "z"]
    edges = [("a", "z"), ("b", "y"), ("c", "x")]  # as listed, all of them cross
    _, _, layers, links, _ = laid_out([upper, lower], edges)
    assert lsmtl_map.crossings([upper, lower], links) == 3
    assert lsmtl_map.crossings(layers, links) == 0


def test_order_never_makes_it_worse(book):
    _, _, layers, links, _ = book
    _, listed = lsmtl_map.bent(book[0], EDGES)
    crossed = lsmtl_map.crossings(layers, links)
    assert crossed <= lsmtl_map.crossings(listed, links)
    assert [{*layer} for layer in layers] == [{*layer} for layer in listed]


def test_each_chapter_is_a_link_with_words_and_each_edge_a_line():
    about = {
        name: (page.short, "5 min", f"{name}.html", f"<{page.title}> & more")
        for name, page in PAGES.items()
    }
    svg = tree.fromstring(lsmtl_map.draw(BANDS, EDGES, about, "A map"))
    assert svg.get("aria-label") == "A map"
    links = svg.findall(".//a")
    names = [name for part in BANDS.values() for name in part]
    assert [link.get("href") for link in links] == [f"{name}.html" for name in names]
    for link, name in zip(links, names, strict=True):
        shown = " ".join(span.text for span in link.iter("tspan"))
        assert shown == f"{PAGES[name].short} 5 min".replace("'", "’")
        words = f"<{PAGES[name].title}> & more".replace("'", "’")
        assert link.get("aria-label") == words
    assert len(svg.findall(".//path")) == len(EDGES)
    assert [text.text.replace("’", "'") for text in svg.findall("text")] == [*BANDS]
