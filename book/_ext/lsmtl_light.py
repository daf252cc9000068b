"""Sphinx extension: pages that show their text at once, also on a slow line.

Scripts wait until the text is there (the theme's layout without what else keeps it
waiting is `book/_templates/layout.html`), and the theme's style sheets lose the rules
for what no page has, three quarters of them.
"""

import re
from pathlib import Path

import tinycss2

FIRST = "documentation_options.js"  # scripts within the page need it
SHEETS = ("pydata-sphinx-theme.css", "sphinx-design.min.css", "mystnb.*.css")
NAMES = re.compile(r"[\w-]+")
WANTED = re.compile(r"[.#](?!bs-)([\w-]+)")  # classes and ids; Bootstrap makes bs-…
NOT = re.compile(r":not\([^)]*\)")
UNUSED = ("fontawesome.js*", "*.map")


def defer(app, page, template, context, doctree):
    """Let a page's scripts wait for its text; the search page needs them in order."""
    for script in context.get("script_files", []) if page != "search" else []:
        if script.filename and not str(script.filename).endswith(FIRST):
            script.attributes.setdefault("defer", "defer")


def needed(css, names):
    """A style sheet without comments and the rules for classes and ids not in `names`.

    Args:
        css: the text of the sheet.
        names: set of all words that pages and scripts are made of.
    """
    return "".join(_kept(tinycss2.parse_stylesheet(css, True, True), names))


def _kept(rules, names):
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = NOT.sub("", tinycss2.serialize(rule.prelude)).split(",")
            if any(names.issuperset(WANTED.findall(s)) for s in selectors):
                yield rule.serialize()
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = tinycss2.parse_rule_list(rule.content, True, True)
            if inner := "".join(_kept(inner, names)):
                prelude = tinycss2.serialize(rule.prelude)
                yield f"@{rule.lower_at_keyword}{prelude}{{{inner}}}"
        else:
            yield rule.serialize()


def trim(app, error):
    """Drop from the built book what none of its pages uses."""
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    for pattern in UNUSED:
        for path in static.rglob(pattern):
            path.unlink()
    names = set()
    for path in [*out.rglob("*.html"), *static.rglob("*.js")]:
        names.update(NAMES.findall(path.read_text("utf-8")))
    for pattern in SHEETS:
        for sheet in static.rglob(pattern):
            text = needed(sheet.read_text("utf-8"), names)
            sheet.write_text(text, "utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", defer, priority=900)  # after the theme's own
    app.connect("build-finished", trim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
