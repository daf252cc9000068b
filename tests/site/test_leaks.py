"""Solutions stand in the pages' folded blocks, and nowhere else in the book."""

import json
import re

import pytest
from browser import PAGES, SITE
from bs4 import BeautifulSoup
from sphinx.search.en import SearchEnglish

from classroom import leaks
from lsmtl.lab import notebooks

CHAPTERS = [c for c in notebooks.chapters() if notebooks.exercises(c)]
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)


@pytest.fixture(scope="module")
def known():
    return leaks.solutions()


def page_of(chapter):
    """A built page without its solutions, and these."""
    (name,) = (p for p in PAGES if p.endswith(f"/{chapter.stem}.html"))
    page = BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser")
    return page, [block.extract() for block in page.select("div.solution")]


@every_chapter
def test_a_page_has_solutions_in_folded_blocks_only(known, chapter):
    page, blocks = page_of(chapter)
    mine = [e.name for e in notebooks.exercises(chapter)]
    assert len(blocks) == len(mine)
    assert all("dropdown" in block["class"] for block in blocks)
    for name, block in zip(mine, blocks, strict=True):
        assert name in leaks.in_text(str(block), known)
    assert leaks.in_text(str(page), known) == []


def test_sources_have_no_solution(known):
    assert list((SITE / "_sources").rglob("*.md"))
    assert leaks.in_files(SITE / "_sources", known) == {}


@pytest.fixture(scope="module")
def index():
    text = (SITE / "searchindex.js").read_text("utf-8")
    return json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", text, re.S)[1])


@every_chapter
def test_the_search_knows_no_word_that_only_solutions_have(index, chapter):
    """The index has the stems of words; what else stands on the page may be there."""
    page, blocks = page_of(chapter)
    language = SearchEnglish({})

    def stems(text):
        return {language.stem(w.lower()) for w in language.split(text) if w.isalpha()}

    secret = set().union(*(stems(block.text) for block in blocks)) - stems(str(page))
    assert secret  # else nothing is tested
    number = index["docnames"].index(f"book/{chapter.parent.name}/{chapter.stem}")
    for part in ("terms", "titleterms"):
        found = {
            word
            for word in secret & index[part].keys()
            if number in _listed(index[part][word])
        }
        assert found == set()


def _listed(numbers):
    return numbers if isinstance(numbers, list) else [numbers]
