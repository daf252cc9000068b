"""Every page in a browser, opened once: all widths, light and dark, folded and open.

Pictures of the pages stay in `_build/pictures`, to be looked at.
"""

import pytest
from accessibility import violations
from browser import PAGES, SITE, photograph, sizes, visit

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

MISSING_IMAGES = """() => Promise.all([...document.images].map(async image => {
  image.loading = 'eager';
  await image.decode().catch(() => {});
  return image.naturalWidth ? null : image.src;
})).then(sources => sources.filter(source => source))"""

# Code that a projector would cut: a cell has at most 78 columns, output wraps.
CUT_CODE = """() => [...document.querySelectorAll('article .cell_input pre')].filter(
  e => e.clientWidth && e.scrollWidth > e.clientWidth + 1
).map(e => e.textContent.slice(0, 80))"""

FOLDED = ".dropdown.toggle-hidden > .toggle-button, details:not([open]) > summary"


@pytest.fixture(scope="module", params=[*PAGES, "search.html"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def opened(chromium, origin, name):
    """A page and what went wrong with it, for the tests below in their order."""
    with chromium.new_context() as context, visit(context, origin, name) as opened:
        yield opened


def test_reads_well_at_every_width(opened, name):
    page, troubles = opened
    assert page.evaluate(RAW_MATH) == []
    assert page.evaluate(MISSING_IMAGES) == []
    for width, scheme in sizes(page):
        assert page.evaluate(TOO_WIDE) == [], width
        assert page.evaluate(CUT_MATH) == [], width
        assert width < 1280 or page.evaluate(CUT_CODE) == []
        if scheme == "light":
            photograph(page, name, width, scheme)
    assert troubles == []


def unfold(page):
    """Open all folds, if a test that ran in another process hasn't."""
    for fold in page.locator("article").locator(FOLDED).element_handles():
        fold.click()


def test_folds_open(opened):
    page, troubles = opened
    unfold(page)
    assert page.locator("article").locator(FOLDED).count() == 0
    for width, _ in sizes(page):
        assert page.evaluate(TOO_WIDE) == [], width
        assert page.evaluate(CUT_MATH) == [], width
    assert troubles == []


def test_is_accessible(opened):
    """Nothing that axe-core finds against WCAG 2.2 AA, with all folds open."""
    page, troubles = opened
    unfold(page)
    for width, scheme in sizes(page):
        if width in (390, 1280):
            assert violations(page) == [], f"{width}, {scheme}"
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
