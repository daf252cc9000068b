"""A short book as PDF: its links, outline, contents and page numbers."""

import re
import unicodedata
from bisect import bisect_right

import pytest
from browser import SITE
from bs4 import BeautifulSoup
from pypdf import PdfReader
from sphinx_external_toc.parsing import parse_toc_yaml

from publishing.pdf import print_book


@pytest.fixture(scope="module")
def pdf(toc, needs_chromium):
    path = toc.with_name("book.pdf")
    print_book(SITE, toc, path)
    return PdfReader(path)


@pytest.fixture(scope="module")
def chapters(toc):
    """The built pages, by name."""
    return {
        name: BeautifulSoup((SITE / f"{name}.html").read_text("utf-8"), "html.parser")
        for name in parse_toc_yaml(toc)
    }


@pytest.fixture(scope="module")
def titles(chapters):
    """The headings of pages and of their sections, in order."""
    found = []
    for page in chapters.values():
        heads = page.select("article section > h1, article section > h2")
        inside = [h for h in heads if not h.find_parent(class_="exercise")]
        found.append([h.get_text().removesuffix("#") for h in inside])
    return found


@pytest.fixture(scope="module")
def texts(pdf):
    """The text of each page, without ligatures."""
    return [unicodedata.normalize("NFKC", page.extract_text()) for page in pdf.pages]


def squeezed(text):
    """Without spaces, which the print sets anew."""
    return re.sub(r"\s", "", text)


def goals(pdf):
    """Of every link within the book: name and number of the page that it leads to."""
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(pdf.pages, 1)}
    places = pdf.named_destinations
    for page in pdf.pages:
        for note in page.get("/Annots", []):
            note = note.get_object()
            goal = note.get("/Dest") or note.get("/A", {}).get("/D")
            if goal is not None:
                place = places[str(goal)].raw_get("/Page")
                yield str(goal).removeprefix("/"), numbers[place.idnum]


def flat(outline, depth=0):
    for entry in outline:
        if isinstance(entry, list):
            yield from flat(entry, depth + 1)
        else:
            yield depth, entry


def starts(pdf, chapters):
    """First pages of the chapters by the outline."""
    by_title = {
        e.title: pdf.get_destination_page_number(e) + 1 for _, e in flat(pdf.outline)
    }
    heads = [page.select_one("article h1") for page in chapters.values()]
    return [by_title[h.get_text().removesuffix("#")] for h in heads]


def test_outline_is_the_table_of_contents(pdf, titles):
    first, one, *others = titles
    answers = ["Hints and solutions"]
    expected = [(0, first[0]), *((1, t) for t in first[1:])]
    for part, pages in (("One part", [one + answers]), ("Another part", others)):
        expected.append((0, part))
        for title, *sections in pages:
            expected += [(1, title), *((2, t) for t in sections)]
    assert [(depth, entry.title) for depth, entry in flat(pdf.outline)] == expected


def test_outline_leads_to_the_headings(pdf, texts):
    for _, entry in flat(pdf.outline):
        number = pdf.get_destination_page_number(entry)
        assert squeezed(entry.title) in squeezed(texts[number]), entry.title


def test_links_lead_into_their_chapter(pdf, chapters):
    first = starts(pdf, chapters)
    names = list(chapters)
    across = set()
    for anchor, number in goals(pdf):
        if anchor.startswith("part-"):
            continue
        name = names[bisect_right(first, number) - 1]
        assert anchor.split("--")[0] == name, anchor
        across.add(name)
    assert across == set(names)


def test_citations_lead_to_their_entries(pdf, texts, chapters):
    page = chapters["book/derivation/rival-regularizers"]
    cited = {
        a["href"].split("#")[1]: a.get_text()
        for a in page.select("article a[href*='bibliography.html#']")
    }
    found = dict(goals(pdf))
    assert cited
    for anchor, label in cited.items():
        number = found[f"book/back/bibliography--{anchor}"]
        assert f"[{label}]" in squeezed(texts[number - 1])


def test_contents_name_the_right_pages(pdf, texts, chapters):
    contents = squeezed(texts[1])
    for page, number in zip(chapters.values(), starts(pdf, chapters), strict=True):
        title = page.select_one("article h1").get_text().removesuffix("#")
        assert re.search(re.escape(squeezed(title)) + rf"{number}(\D|$)", contents)


def test_links_out_of_the_book_lead_to_the_web(pdf):
    addresses = {
        str(note.get_object()["/A"]["/URI"])
        for page in pdf.pages
        for note in page.get("/Annots", [])
        if "/URI" in note.get_object().get("/A", {})
    }
    assert addresses
    assert not [a for a in addresses if not re.match(r"https?://(?!127\.|local)", a)]


def test_every_page_but_the_cover_has_its_number(texts):
    assert "version" in texts[0].lower()
    for number, text in enumerate(texts[1:], 2):
        heads = [line.strip() for line in text.strip().splitlines()[:3]]
        assert str(number) in heads


def test_says_what_it_is(pdf):
    about = (SITE.parents[1] / "CITATION.cff").read_text("utf-8")
    assert f"title: {pdf.metadata.title}\n" in about
    assert f"name: {pdf.metadata.author}\n" in about
    assert pdf.root_object["/Lang"] == "en"
    assert pdf.root_object["/MarkInfo"]["/Marked"]


def test_what_is_missing_is_named(toc, monkeypatch):
    with pytest.raises(FileNotFoundError, match="make book"):
        print_book(toc.parent, toc, toc.with_name("none.pdf"))
    monkeypatch.setattr("publishing.browser.CHROMIUM", None)
    with pytest.raises(FileNotFoundError, match="Chromium"):
        print_book(SITE, toc, toc.with_name("none.pdf"))
