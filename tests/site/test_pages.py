"""Every page is there, is whole and needs nothing but the other files of the book."""

import functools
import re
from urllib.parse import unquote, urlsplit

import pytest
from browser import PAGES, SITE
from bs4 import BeautifulSoup

LOADS = "script[src], link[href], img, iframe, source, video, audio, object, embed"
every_page = pytest.mark.parametrize("name", PAGES)


@functools.cache
def soup(path):
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def targets(name, selector):
    """What the elements load or lead to, as (address, path of the file, fragment)."""
    for element in soup(SITE / name).select(selector):
        for attribute in ("src", "href", "data", "poster"):
            if address := element.get(attribute):
                url = urlsplit(address)
                path = (SITE / name).parent / unquote(url.path)
                yield address, path.resolve() if url.path else SITE / name, url.fragment


def remote(address):
    return re.match(r"\s*(\w+:)?//|\s*https?:", address) is not None


def test_the_front_door_leads_to_the_first_page():
    refresh = soup(SITE / "index.html").select_one("meta[http-equiv=Refresh]")
    assert refresh["content"].endswith(f"url={PAGES[0]}")


@every_page
def test_has_a_title_and_one_heading(name):
    page = soup(SITE / name)
    assert page.title.text.strip()
    assert len(page.select("article h1")) == 1


@every_page
def test_figures_of_cells_are_drawings_with_a_text(name):
    """A figure that isn't shown by `lab.figure` would be a picture without words."""
    assert not soup(SITE / name).select(".cell_output img")


def pictures(name):
    """A page's pictures, each with the text for who can't see it and its caption."""
    for picture in soup(SITE / name).select("article :is(img, svg)"):
        drawn = picture.name == "svg"
        if drawn and (picture.get("aria-hidden") or picture.find_parent("svg")):
            continue  # an ornament, or a part of a picture
        if "only-dark" in picture.get("class", []):
            continue  # a picture of the light page in other colours
        figure = picture.find_parent("figure")
        caption = figure.figcaption if figure else None
        text = picture.get("aria-label" if drawn else "alt") or ""
        yield text, caption.get_text(" ", strip=True) if caption else ""


@every_page
def test_every_picture_has_words_of_its_own(name):
    found = list(pictures(name))
    for text, caption in found:
        assert len(text.split()) >= 5, f"too few words: {text!r}"
        assert not re.search(r"\.(png|svg|jpe?g)|^(figure|image|picture)\b", text, re.I)
        assert text.rstrip(".") not in caption, f"says what the caption says: {text}"
    texts = [text for text, _ in found]
    assert sorted(texts) == sorted(set(texts))


@every_page
def test_loads_only_files_of_the_book(name):
    for address, path, _ in targets(name, LOADS):
        if not address.startswith("data:"):
            assert not remote(address), f"{address} is on the network"
            assert path.is_file(), f"{address} is missing"
    page = soup(SITE / name)
    assert not [e for e in page.select("[srcset]") if remote(e["srcset"])]
    styles = [e.text for e in page.select("style")]
    styles += [e["style"] for e in page.select("[style]")]
    assert not [style for style in styles if remote_in_css(style)]


@every_page
def test_links_within_the_book_lead_somewhere(name):
    for address, path, fragment in targets(name, "a[href]"):
        if urlsplit(address).scheme or address == "#":
            continue
        assert path.is_file(), f"{address} is missing"
        if fragment and path.suffix == ".html":
            found = soup(path).find(attrs={"id": unquote(fragment)})
            assert found, f"{address} has no such anchor"


def remote_in_css(text):
    return re.findall(r"""(?:url\(|@import)\s*["']?\s*(?:https?:)?//[^"')]*""", text)


def test_styles_load_only_files_of_the_book():
    sheets = list((SITE / "_static").rglob("*.css"))
    assert SITE / "_static" / "lsmtl.css" in sheets
    for sheet in sheets:
        assert not remote_in_css(sheet.read_text("utf-8")), sheet
