"""A short book as EPUB: its files are XHTML and listed, its links lead somewhere."""

import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from browser import SITE
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

from publishing.document import chapters
from publishing.epub import write_epub

XHTML = "{http://www.w3.org/1999/xhtml}"
MATH = "{http://www.w3.org/1998/Math/MathML}math"
PACKAGE = "{http://www.idpf.org/2007/opf}"


@pytest.fixture(scope="module")
def files(toc, needs_chromium):
    path = toc.with_name("book.epub")
    write_epub(SITE, toc, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == "mimetype"  # what says that it is an EPUB
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def pages(files):
    """The files of the book, parsed; what isn't well-formed is an error here."""
    return {
        name.removeprefix("book/"): ElementTree.fromstring(text)
        for name, text in files.items()
        if name.endswith(".xhtml")
    }


def test_all_files_are_listed(files):
    package = ElementTree.fromstring(files["book/package.opf"])
    listed = {f"book/{item.get('href')}" for item in package.iter(f"{PACKAGE}item")}
    outside = {"mimetype", "META-INF/container.xml", "book/package.opf"}
    assert listed == set(files) - outside


def test_links_lead_to_one_place(pages):
    places = {}
    for name, page in pages.items():
        found = [e.get("id") for e in page.iter() if e.get("id")]
        assert len(found) == len(set(found)), name
        places[name] = {*found, ""}
    links = [
        (name, *unquote(a.get("href")).partition("#"))
        for name, page in pages.items()
        for a in page.iter(f"{XHTML}a")
        if not a.get("href").startswith(("http", "mailto"))
    ]
    assert {page for _, page, *_ in links} >= pages.keys() - {"nav.xhtml"}
    assert not [link for link in links if link[3] not in places[link[1]]]


def test_math_is_mathml(pages, toc):
    drawn = sum(len(list(page.iter(MATH))) for page in pages.values())
    there = 0
    for name in parse_toc_yaml(toc):
        page = BeautifulSoup((SITE / f"{name}.html").read_text("utf-8"), "html.parser")
        there += len(page.select("article .math"))
    assert drawn == there > 0


def test_bold_letters_are_bold_in_every_reader(pages):
    """A matrix W is told from a number w, though few readers know mathvariant."""
    variants = {e.get("mathvariant") for p in pages.values() for e in p.iter()}
    assert variants <= {None, "normal", "italic"}
    text = "".join("".join(page.itertext()) for page in pages.values())
    assert "\N{MATHEMATICAL BOLD CAPITAL W}" in text


def test_a_book_without_solutions_has_the_hints_alone(toc, tmp_path):
    for name in parse_toc_yaml(toc):
        page = BeautifulSoup((SITE / f"{name}.html").read_text("utf-8"), "html.parser")
        for solution in page.select("div.solution"):
            solution.decompose()
        path = tmp_path / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(page), "utf-8")
    for whole, bare in zip(chapters(SITE, toc), chapters(tmp_path, toc), strict=True):
        answers = [title for _, title in whole.sections if title.startswith("Hints")]
        hints = ["Hints"] if answers else []
        assert answers == [f"{title} and solutions" for title in hints]
        assert bare.sections[len(bare.sections) - len(hints) :] == tuple(
            (f"{whole.name}--answers", title) for title in hints
        )
