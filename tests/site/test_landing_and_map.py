"""The landing page, the map and each chapter's place, as built and in a browser."""

import pytest
from browser import PAGES, SITE, visit
from bs4 import BeautifulSoup

from lsmtl import __version__
from lsmtl.lab import contents

BOOK = contents.pages()
MAPPED = [
    page
    for page in BOOK.values()
    if page.is_chapter and not page.name.startswith("teaching/")
]


def soup(name):
    return BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_its_place_and_its_version(name):
    page, known = soup(name), BOOK[name.removeprefix("book/").removesuffix(".html")]
    lines = page.select(".lsmtl-where")
    assert len(lines) == known.is_chapter
    for line in lines:
        assert line.find_previous_sibling().name == "h1"
    assert f"Version {__version__}" in page.select_one("footer.bd-footer-content").text
    description = page.select_one("meta[name=description]")
    if known.summary:
        assert known.summary in description["content"].replace("’", "'")


def test_the_landing_page_has_every_chapter_once_with_its_time():
    lists = soup("book/index.html").select(".lsmtl-chapters dl")
    shown = [
        (term.a["href"], int(term.text.split()[-2]), about.text.strip())
        for listed in lists
        for term, about in zip(listed("dt"), listed("dd"), strict=True)
    ]
    assert [(href, time) for href, time, _ in shown] == [
        (f"{page.name}.html", page.minutes) for page in BOOK.values() if page.is_chapter
    ]
    assert all(about for *_, about in shown)


def test_paths_say_the_sum_of_their_times():
    page = soup("book/how-to-read.html")
    paths = page.select(".lsmtl-path")
    assert len(paths) >= 3
    for path in paths:
        names = [a["href"].removesuffix(".html") for a in path.select("li a")]
        time = path.select_one("em").text
        kind = "minutes" if "exercises" in time else "reading"
        total = sum(getattr(BOOK[name], kind) for name in names)
        assert time.startswith(contents.hours(total) + " ")


def opened(chromium, name, width):
    size = {"width": width, "height": 800}
    return visit(chromium.new_context(viewport=size), SITE.as_uri(), name)


def test_one_screen_has_what_is_learned_a_result_and_three_doors(chromium):
    with opened(chromium, "book/index.html", 1280) as (page, _):
        doors = page.locator(".lsmtl-door")
        assert doors.count() == 3
        for part in [*doors.all(), page.locator(".lsmtl-learn")]:
            box = part.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 800
        assert page.locator("article img:visible").bounding_box()["y"] < 400


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_map_is_a_drawing_or_a_list_of_all_chapters(chromium, width):
    with opened(chromium, "book/how-to-read.html", width) as (page, _):
        shown = page.locator(".lsmtl-map:visible, .lsmtl-map-list:visible")
        assert shown.count() == 1
        links = shown.locator("a").all()
        hrefs = [link.get_attribute("href") for link in links]
        assert {*hrefs} == {f"{p.name}.html" for p in MAPPED}
        if width > 390:
            assert len(hrefs) == len(MAPPED)
            small = "text => text.getBoundingClientRect().height"
            heights = shown.locator("a tspan").evaluate_all(f"all => all.map({small})")
            assert min(heights) >= 12
        page.emulate_media(media="print")
        assert page.locator(".lsmtl-map-list").is_visible()
        assert not page.locator(".lsmtl-map").is_visible()


def test_the_keyboard_goes_through_the_map_in_the_order_of_the_book(chromium):
    with opened(chromium, "book/how-to-read.html", 1280) as (page, _):
        page.locator(".lsmtl-map a").first.focus()
        for chapter in MAPPED:
            href = page.evaluate("document.activeElement.getAttribute('href')")
            assert href == f"{chapter.name}.html"
            page.keyboard.press("Tab")
        page.locator(".lsmtl-map a").last.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{MAPPED[-1].name}.html")
