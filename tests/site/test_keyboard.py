"""The keyboard alone reaches and works everything, and shows where it is."""

import pytest
from browser import PAGES, SITE, visit

LANDING = PAGES[0]
CHAPTER = next(name for name in PAGES if name.endswith("/masked-low-rank.html"))

# What a pointer can work and is seen. A hidden tab stop, or one within an open
# dialogue's page, counts as little as what is folded away.
WORKABLE = """() => {
  const kinds = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  return [...document.querySelectorAll(kinds)].filter(e =>
    e.checkVisibility({visibilityProperty: true, opacityProperty: false})
    && e.getClientRects().length && !e.disabled && !e.closest('[inert]')
  ).map((e, i) => { e.dataset.stop ??= String(i); return e.dataset.stop; });
}"""

# Where the focus is, and what says so: an outline, a shadow or another ground.
STOP = """() => {
  const e = document.activeElement;
  if (e === document.body || e === document.documentElement) return null;
  const box = e.getClientRects()[0] ?? e.getBoundingClientRect();
  const at = [0.1, 0.5, 0.9].map(part => document.elementFromPoint(
    Math.min(Math.max(box.x + box.width / 2, 1), innerWidth - 2),
    Math.min(Math.max(box.y + box.height * part, 1), innerHeight - 2)));
  const look = () => {
    const s = getComputedStyle(e);
    return [s.outlineStyle === 'none' || s.outlineWidth === '0px' ? '' : s.outline,
      s.boxShadow, s.backgroundColor, s.borderColor].join('|');
  };
  const focused = look();
  HTMLElement.prototype.blur.call(e);
  const plain = look();
  e.focus({preventScroll: true});
  return {
    stop: e.dataset.stop ?? e.outerHTML.slice(0, 120),
    what: e.outerHTML.slice(0, 120),
    shown: focused !== plain,
    seen: at.some(on => on && (e.contains(on) || on.contains(e))),
  };
}"""


@pytest.fixture(params=[390, 1280])
def context(request, chromium):
    size = {"width": request.param, "height": 800}
    with chromium.new_context(viewport=size, reduced_motion="reduce") as context:
        yield context


def walk(page, limit=1000):
    """Press Tab from the top of the page until it ends; yields each stop."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            return
        yield stop
    raise AssertionError(f"no end after {limit} stops; the last is {stop['what']}")


@pytest.mark.parametrize("name", [LANDING, CHAPTER])
def test_tab_reaches_everything_and_shows_where_it_is(context, name):
    with visit(context, SITE.as_uri(), name) as (page, _):
        page.add_style_tag(content="* { transition: none !important }")
        page.locator(".toggle-hidden > p > .toggle-button, summary").evaluate_all(
            "folds => folds.forEach(fold => fold.click())"
        )
        page.wait_for_timeout(500)  # the theme says what scrolls a while later
        due = page.evaluate(WORKABLE)
        stops = list(walk(page))
        missed = [
            page.locator(f'[data-stop="{stop}"]').evaluate("e => e.outerHTML")[:200]
            for stop in sorted(set(due) - {stop["stop"] for stop in stops})
        ]
        assert due and missed == []
        assert [stop["what"] for stop in stops if not stop["shown"]] == []
        assert [stop["what"] for stop in stops if not stop["seen"]] == []


def test_the_first_stop_skips_to_the_text(context):
    with visit(context, SITE.as_uri(), CHAPTER) as (page, _):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.hash") == "#main-content"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_folds_open_and_close_with_a_key(context):
    with visit(context, SITE.as_uri(), CHAPTER) as (page, _):
        for fold in page.locator("details > summary").all()[:2]:
            opened = fold.locator("xpath=..").get_attribute("open")
            fold.press("Enter")
            assert fold.locator("xpath=..").get_attribute("open") != opened
        hint = page.locator(".exercise .dropdown").first
        button = hint.locator("> p > .toggle-button")
        says = {button.get_attribute("aria-expanded")}
        button.press("Enter")
        assert hint.locator("> :not(.admonition-title)").first.is_visible()
        assert "toggle-hidden" not in hint.get_attribute("class")
        says.add(button.get_attribute("aria-expanded"))
        button.press("Enter")
        assert "toggle-hidden" in hint.get_attribute("class")
        assert says == {"false", "true"}


@pytest.mark.parametrize(
    ("button", "dialog"),
    [
        (".primary-toggle", "#pst-primary-sidebar-modal"),
        (".secondary-toggle", "#pst-secondary-sidebar-modal"),
        (".search-button__button", "#pst-search-dialog"),
    ],
)
def test_dialogs_open_by_key_and_give_the_focus_back(context, button, dialog):
    with visit(context, SITE.as_uri(), CHAPTER) as (page, _):
        shown = page.locator(f"{button}:visible")
        if page.viewport_size["width"] > 390:  # sidebars stand beside the text there
            pytest.skip("no dialog at this width")
        shown.focus()
        page.keyboard.press("Enter")
        assert page.locator(dialog).evaluate("d => d.open")
        assert page.locator(dialog).evaluate("d => d.contains(document.activeElement)")
        page.keyboard.press("Escape")
        assert not page.locator(dialog).evaluate("d => d.open")
        assert shown.evaluate("e => e === document.activeElement")


def test_the_theme_switches_by_key(context):
    with visit(context, SITE.as_uri(), CHAPTER) as (page, _):
        before = page.get_attribute("html", "data-theme")
        page.locator(".theme-switch-button:visible").press("Enter")
        assert page.get_attribute("html", "data-theme") != before
