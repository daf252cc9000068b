"""From page to page in a browser: buttons that lead on, the search, light and dark."""

import functools
import re
from collections import Counter

import pytest
from browser import PAGES, SITE, serve, visit
from bs4 import BeautifulSoup

INDEXED = [p for p in PAGES if p != "book/back/figures.html"]  # found by its title
DONE = re.compile(r"Search finished|did not match any documents")


@pytest.fixture(scope="module", params=["served", "file"])
def origin(request):
    if request.param == "file":
        yield SITE.as_uri()
        return
    with serve() as origin:
        yield origin


@pytest.mark.parametrize(
    ("start", "button", "names"),
    [
        (PAGES[0], "a.right-next", PAGES),
        (PAGES[-1], "a.left-prev", PAGES[::-1]),
    ],
    ids=["next", "previous"],
)
def test_buttons_walk_all_pages(chromium, origin, start, button, names):
    seen = [start]
    with (
        chromium.new_context() as context,
        visit(context, origin, start) as (page, _),
    ):
        page.route("**/*.js*", lambda route: route.abort())  # links need no script
        while page.locator(button).count() and len(seen) <= len(PAGES):
            page.locator(button).click()
            page.wait_for_load_state("domcontentloaded")
            seen.append(page.url.removeprefix(f"{origin}/"))
    assert seen == names


def test_a_choice_of_dark_stays_over_pages(chromium, origin):
    with (
        chromium.new_context(color_scheme="light") as context,
        visit(context, origin, PAGES[0]) as (page, troubles),
    ):
        theme = functools.partial(page.get_attribute, "html", "data-theme")
        ground = "getComputedStyle(document.body).backgroundColor"
        switch = page.locator(".theme-switch-button:visible")
        light = page.evaluate(ground)
        assert theme() == "light"
        switch.click()  # from the reader's system to the other one
        assert theme() == "dark"
        assert page.evaluate(ground) != light
        page.locator("a.right-next").click()
        page.wait_for_url(f"**/{PAGES[1]}")
        assert theme() == "dark"
        page.reload()
        assert theme() == "dark"
        switch.click()
        assert theme() == "light"
        page.goto(f"{origin}/{PAGES[-1]}")
        assert theme() == "light"
        assert page.evaluate(ground) == light
        assert troubles == []


@functools.cache
def words(name):
    """How often a page's prose has each word of six letters or more."""
    page = BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser")
    for other in page.select("div.solution, .cell_output, .math"):
        other.extract()
    text = " ".join(part.text for part in page.select("article :is(p, li)")).lower()
    return Counter(re.findall(r"\b[a-z]{6,}\b", text))


def own_word(name):
    """The word that a page uses most of those that no other page has."""
    others = set().union(*(words(other) for other in INDEXED if other != name))
    own = {word: n for word, n in words(name).items() if word not in others}
    return max(own, key=own.get) if own else None


def test_the_search_finds_a_word_of_each_page(chromium, origin):
    with (
        chromium.new_context() as context,
        visit(context, origin, PAGES[0]) as (page, troubles),
    ):
        for name in INDEXED:
            word = own_word(name)
            assert word, f"{name} has no word of its own"
            page.goto(f"{origin}/search.html?q={word}")
            page.get_by_text(DONE).first.wait_for()
            found = page.locator("#search-results li a").evaluate_all(
                "links => links.map(link => link.href)"
            )
            assert any(name in address for address in found), f"{word} of {name}"
        assert troubles == []


def test_the_search_is_a_key_and_a_word_away(chromium, origin):
    word = own_word(PAGES[1])
    with (
        chromium.new_context() as context,
        visit(context, origin, PAGES[0]) as (page, troubles),
    ):
        page.keyboard.press("Control+k")
        page.keyboard.type(word)
        page.keyboard.press("Enter")
        page.locator("#search-results li a").first.click()
        page.wait_for_url(f"**/{PAGES[1]}*")
        assert troubles == []
