"""Every page in a browser: wide and narrow, light and dark, served and as a file."""

import pytest
from browser import CHROMIUM, PAGES, SCHEMES, SITE, WIDTHS, browser, serve, visit

pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="Chromium is missing: install it or name it in $CHROMIUM"
)

RAW_MATH = """() => [...document.querySelectorAll('.math')].filter(
  e => !e.querySelector('mjx-container svg') || e.querySelector('[data-mjx-error]')
).map(e => e.textContent)"""

TOO_WIDE = """() => {
  const page = document.documentElement;
  return page.scrollWidth <= page.clientWidth ? [] : [...document.body.querySelectorAll(
    '*')].filter(e => e.getBoundingClientRect().right > page.clientWidth + 1
  ).map(e => e.outerHTML.slice(0, 100)).concat(['the page']);
}"""

# What is only for screen readers isn't seen, and its width is that of their fonts.
CUT_MATH = """() => [...document.querySelectorAll('div.math')].filter(
  e => [e, ...e.querySelectorAll('*')].some(
    n => n.clientWidth && n.scrollWidth > n.clientWidth + 1
      && !n.closest('mjx-assistive-mml'))
).map(e => e.id + e.previousElementSibling?.id)"""

FOLDED = ".dropdown.toggle-hidden > .toggle-button, details:not([open]) > summary"


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module", params=SCHEMES)
def scheme(request):
    return request.param


@pytest.fixture(scope="module", params=WIDTHS)
def context(request, scheme, chromium):
    size = {"width": request.param, "height": 800}
    with chromium.new_context(viewport=size, color_scheme=scheme) as context:
        yield context


@pytest.fixture(scope="module")
def origin():
    with serve() as origin:
        yield origin


@pytest.mark.parametrize("name", PAGES)
def test_page_reads_well(context, scheme, origin, name):
    with visit(context, origin, name) as (page, troubles):
        assert page.get_attribute("html", "data-theme") == scheme
        assert page.evaluate(RAW_MATH) == []
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate(CUT_MATH) == []
        for fold in page.locator("article").locator(FOLDED).element_handles():
            fold.click()
        assert page.locator("article").locator(FOLDED).count() == 0
        assert page.evaluate(TOO_WIDE) == []
        assert troubles == []


def test_reads_from_disk(chromium):
    with chromium.new_context() as context:
        for name in PAGES:
            with visit(context, SITE.as_uri(), name) as (page, troubles):
                assert page.evaluate(RAW_MATH) == []
                assert troubles == []


def test_a_page_is_printed_light_and_unfolded(chromium, origin):
    closed = "document.querySelectorAll('article details:not([open])').length"
    with (
        chromium.new_context(color_scheme="dark") as context,
        visit(context, origin, "book/derivation/masked-low-rank.html") as (page, _),
    ):
        folded = page.evaluate(closed)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.get_attribute("html", "data-theme") == "light"
        assert page.evaluate(closed) == 0 < folded
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.get_attribute("html", "data-theme") == "dark"
        assert page.evaluate(closed) == folded
