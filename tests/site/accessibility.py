"""What axe-core finds against WCAG 2.2 AA on a page that is open in a browser."""

from pathlib import Path

import axe_playwright_python

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

RUN = """async tags => {
  const found = await axe.run(document, {
    runOnly: tags, preload: false, resultTypes: ['violations']});
  return found.violations.flatMap(v => v.nodes.map(n =>
    `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.split('\\n').pop().trim()}`));
}"""

# Of a colour of code one place is enough; what is drawn needs one look only.
SPARE = """again => {
  const seen = new Set();
  for (const span of document.querySelectorAll('.highlight span:not(:has(*))')) {
    if (seen.has(span.className)) span.replaceWith(span.textContent);
    seen.add(span.className);
  }
  document.querySelectorAll('.highlight pre').forEach(pre => pre.normalize());
  if (again)
    document.querySelectorAll('mjx-container > svg > *, figure > svg > *').forEach(
      part => part.remove());
}"""


def violations(page):
    """A line for each element that breaks a rule; the page must be at rest.

    The page loses what makes a second look at it slow: use it for nothing else then.
    """
    again = page.evaluate("'axe' in window")
    if not again:
        page.evaluate(AXE.read_text("utf-8"))
    page.evaluate(SPARE, again)
    page.wait_for_timeout(500)  # the theme says what scrolls a while after a new width
    return page.evaluate(RUN, TAGS)
