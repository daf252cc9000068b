"""Charts that can be moved: by keyboard, in both themes, and still without a script."""

import pytest
from browser import PAGES, SITE, visit

CHARTS = [p for p in PAGES if "lsmtl-chart" in (SITE / p).read_text("utf-8")]
every_chart = pytest.mark.parametrize("name", CHARTS)
OPEN = "() => document.querySelectorAll('details').forEach(d => { d.open = true; })"
TOO_WIDE = """() => document.documentElement.scrollWidth
  - document.documentElement.clientWidth"""
COLOUR = "() => getComputedStyle(document.querySelector('.lsmtl-plot text')).fill"


@pytest.fixture(scope="module")
def context(chromium):
    size = {"width": 390, "height": 800}
    with chromium.new_context(viewport=size, color_scheme="light") as context:
        yield context


def drawn(page):
    """The first chart of a page, once Plotly has drawn it."""
    page.evaluate(OPEN)
    chart = page.locator("div.lsmtl-chart").first
    chart.scroll_into_view_if_needed()
    page.wait_for_selector(".lsmtl-plot[data-drawn]")
    return chart


def test_there_are_charts_and_only_their_pages_load_the_script():
    assert CHARTS
    for name in PAGES:
        loads = 'src="../../_static/charts.js' in (SITE / name).read_text("utf-8")
        assert loads == (name in CHARTS)


@every_chart
def test_a_chart_is_moved_by_keyboard_and_says_what_it_shows(context, origin, name):
    with visit(context, origin, name) as (page, troubles):
        chart = drawn(page)
        assert not chart.locator("figure > svg").is_visible()
        for control in chart.locator("select, input").all():
            assert control.evaluate("e => e.labels.length") == 1
        was, said = chart.locator(".lsmtl-plot"), chart.locator("output")
        before, text = was.get_attribute("data-drawn"), said.inner_text()
        control = chart.locator("input[type=range], select").last
        control.focus()
        page.keyboard.press("ArrowRight" if "range" in str(
            control.get_attribute("type")) else "ArrowUp")  # fmt: skip
        page.wait_for_function(
            "b => document.querySelector('.lsmtl-plot').dataset.drawn !== b", arg=before
        )
        assert said.inner_text() != text
        assert page.evaluate(TOO_WIDE) <= 0
        assert troubles == []


@every_chart
def test_a_chart_follows_the_theme(context, origin, name):
    with visit(context, origin, name) as (page, troubles):
        drawn(page)
        light = page.evaluate(COLOUR)
        page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        page.wait_for_function(f"l => ({COLOUR})() !== l", arg=light)
        ink = "() => getComputedStyle(document.querySelector('.lsmtl-chart')).color"
        assert page.evaluate(COLOUR) == page.evaluate(ink)
        assert troubles == []


@every_chart
def test_print_and_pages_without_scripts_have_the_figure(chromium, origin, name):
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{origin}/{name}")
        assert page.locator(".lsmtl-chart figure > svg").count()
        assert not page.locator(".lsmtl-live").count()
    with chromium.new_context() as context, visit(context, origin, name) as (page, _):
        chart = drawn(page)
        page.emulate_media(media="print")
        assert chart.locator("figure > svg").is_visible()
        assert not chart.locator(".lsmtl-live").is_visible()


def test_a_gene_is_found_by_its_name(context, origin):
    (name,) = (p for p in CHARTS if p.endswith("/significance.html"))
    with visit(context, origin, name) as (page, _):
        chart = drawn(page)
        box, said = chart.locator("input[type=text]"), chart.locator("output")
        box.focus()
        page.keyboard.type("tpx")
        options = chart.locator("datalist option")
        assert "TPX2" in [o.get_attribute("value") for o in options.all()]
        page.keyboard.type("2")
        page.wait_for_function(
            "() => document.querySelector('output').textContent.startsWith('TPX2')"
        )
        page.wait_for_selector(".lsmtl-plot .textpoint")
        box.fill("no such gene")
        assert "No gene" in said.inner_text()
