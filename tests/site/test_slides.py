"""Every slide in a browser: it fits, its math is drawn, and nothing is fetched."""

import re

import pytest
from browser import ROOT, visit

OUT = ROOT / "_build" / "slides"
DECKS = sorted(path.name for path in OUT.glob("*.html") if path.stem != "index")
SCREENS = {"light": (1280, 720), "dark": (1920, 1080)}
SMALLEST = 18 / 720  # of the height, for the text of a slide

READY = "document.documentElement.dataset.ready === 'yes'"

RAW_MATH = """() => [...document.querySelectorAll('.math')].filter(
  e => !e.querySelector('mjx-container svg') || e.querySelector('[data-mjx-error]')
).map(e => e.textContent)"""

# What leaves the slide, is cut off by a box around it, or lies over something else.
AMISS = """() => {
  const slide = Reveal.getCurrentSlide(), page = slide.getBoundingClientRect();
  const boxes = 'h1, h2, p, li, pre, table, figcaption, .math svg, figure > svg';
  const amiss = [...slide.querySelectorAll(boxes)].filter(part => {
    if (part.closest('.notes')) return false;
    const box = part.getBoundingClientRect();
    return !box.width || box.left < page.left - 1 || box.right > page.right + 1
      || box.bottom > page.bottom - 4 || box.top < page.top;
  }).map(part => part.textContent.slice(0, 60) || part.outerHTML.slice(0, 60));
  for (const part of slide.querySelectorAll('.body, .words, .pictures, figure')) {
    const over = part.scrollHeight - part.clientHeight;
    if (over > 1 || part.scrollWidth - part.clientWidth > 1)
      amiss.push(`${part.className} is too small for what is in it`);
  }
  const [a, b] = ['.words', '.pictures'].map(
    name => slide.querySelector(name)?.getBoundingClientRect());
  if (a && b && a.right > b.left + 1 && a.bottom > b.top + 1)
    amiss.push('words and pictures overlap');
  return amiss;
}"""

TEXT_SIZE = """() => {
  const body = Reveal.getCurrentSlide().querySelector('.body');
  return body ? parseFloat(getComputedStyle(body).fontSize) * Reveal.getScale() : 1e3;
}"""


def test_the_list_leads_to_every_deck():
    page = (OUT / "index.html").read_text("utf-8")
    assert DECKS and sorted(re.findall(r'href="([^":]+\.html)"', page)) == DECKS


@pytest.mark.parametrize("scheme", SCREENS)
@pytest.mark.parametrize("name", DECKS)
def test_every_slide_fits_the_screen(chromium, name, scheme):
    width, height = SCREENS[scheme]
    size = {"width": width, "height": height}
    with (
        chromium.new_context(viewport=size, color_scheme=scheme) as context,
        visit(context, OUT.as_uri(), name) as (page, troubles),
    ):
        page.wait_for_function(READY)
        assert page.evaluate(RAW_MATH) == []
        for number in range(page.evaluate("Reveal.getTotalSlides()")):
            page.evaluate(f"Reveal.slide({number})")
            assert page.evaluate(AMISS) == [], f"slide {number + 1}"
            text = page.evaluate(TEXT_SIZE) / height
            assert text >= SMALLEST, f"slide {number + 1}: too much on it"
        assert troubles == []
