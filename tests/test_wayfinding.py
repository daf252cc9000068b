"""What a chapter says of its place, and the paths through the book."""

import re

import lsmtl_wayfinding
import pytest
from bs4 import BeautifulSoup

from lsmtl import __version__
from lsmtl.lab import ROOT, contents

PAGES = contents.pages()
CHAPTERS = [page for page in PAGES.values() if page.is_chapter]


def stands(page):
    """The lines below a chapter's title, and their links by address."""
    where = lsmtl_wayfinding.where(page, PAGES, lambda name: f"{name}.html")
    soup = BeautifulSoup(where, "html.parser")
    lines = [line.text.replace("’", "'") for line in soup.select("p")]
    return lines, {a["href"]: a.text for a in soup.select("a")}


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_a_chapter_says_where_it_stands(page):
    lines, links = stands(page)
    assert re.match(rf"{page.part}, {page.place} of \d+ · {page.minutes} min", lines[0])
    assert ("for exercises" in lines[0]) == bool(page.exercises)
    ends = [*zip(*contents.edges(PAGES), strict=True)]  # needed pages, their followers
    assert len(lines) == 1 + sum(page.name in end for end in ends)
    names = {re.fullmatch(r"book/(.+)\.html(?:#.*)?", href)[1] for href in links}
    assert names <= {*PAGES} - {page.name}
    assert "book/how-to-read.html#chapter-map" in links


def test_what_builds_on_a_chapter_says_so_itself():
    """Each edge shows at both ends, unless one of them has too many to name."""
    told = {page.name: stands(page)[1] for page in CHAPTERS}
    for need, name in contents.edges(PAGES):
        assert f"book/{need}.html" in told[name]
        after = [b for a, b in contents.edges(PAGES) if a == need]
        hidden = len(after) - lsmtl_wayfinding.MOST
        if name in after[: lsmtl_wayfinding.MOST]:
            assert f"book/{name}.html" in told[need]
        else:
            assert f"{hidden}\xa0more" in told[need].values()


def test_the_path_of_an_hour_takes_no_longer():
    text = (ROOT / "book" / "how-to-read.md").read_text("utf-8")
    path = text.partition("} An hour\n")[2].partition("```{book-path}\n")[2]
    names = path.partition("\n```")[0].splitlines()
    assert 45 <= sum(PAGES[name].reading for name in names) <= 60


def test_the_footer_has_a_commit_only_where_there_is_one(tmp_path):
    assert lsmtl_wayfinding.footer(tmp_path) == f"Version {__version__}"
    named = rf"Version {re.escape(__version__)}(, built from [0-9a-f]{{7,}} of [\d-]+)?"
    assert re.fullmatch(named, lsmtl_wayfinding.footer(ROOT))
