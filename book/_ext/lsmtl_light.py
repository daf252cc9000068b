"""Sphinx extension: pages that show their text at once, also on a slow line.

Scripts wait until the text is there (the theme's layout without what else keeps it
waiting is `book/_templates/layout.html`), and the theme's style sheets lose the rules
for what no page has, three quarters of them.
"""

import re
from pathlib import Path

import tinycss2

FIRST = "documentation_options.js"  # scripts within the page need it
MATH = "tex-svg.js"  # large, and not needed where there is no formula
UNUSED = ("fontawesome.js*", "*.map")

CLASSES = re.compile(r"""(?:class|id)=["']([^"']*)["']""")
WORDS = re.compile(r"[\w-]+")
LIBRARY = 64_000  # bytes; so large a script brings its own styles, but for Bootstrap
BOOTSTRAP = {"active", "collapse", "collapsing", "fade", "show"}
BOOTSTRAP |= {"tooltip", "tooltip-inner", "tooltip-arrow"}
NAMES = re.compile(r"[.#](?!bs-)([\w-]+)")  # in a selector; Bootstrap makes up bs-…
NOT = re.compile(r":not\([^)]*\)")


def defer(app, page, template, context, doctree):
    """Let a page's scripts wait for its text; the search page needs them in order."""
    for script in list(context["script_files"]):  # the same ones for every page
        name = str(script.filename)
        if page == "search":
            script.attributes.pop("defer", None)
        elif name.endswith(MATH) and 'class="math' not in context.get("body", ""):
            context["script_files"].remove(script)
        elif script.filename and not name.endswith(FIRST):
            script.attributes["defer"] = "defer"


def used(out):
    """The names of classes and ids in a built book's pages, and words of scripts."""
    names = set(BOOTSTRAP)
    for page in out.rglob("*.html"):
        for value in CLASSES.findall(page.read_text("utf-8")):
            names.update(value.split())
    for script in out.rglob("*.js"):
        if script.stat().st_size < LIBRARY and script.parent != out:  # no search index
            names.update(WORDS.findall(script.read_text("utf-8")))
    return names


def needed(css, names):
    """A style sheet without comments and the rules for classes and ids not in `names`.

    A rule of several selectors stays whole if one of them is needed.
    """
    return "".join(_kept(tinycss2.parse_stylesheet(css, True, True), names))


def _kept(rules, names):
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = NOT.sub("", tinycss2.serialize(rule.prelude)).split(",")
            if any(names.issuperset(NAMES.findall(s)) for s in selectors):
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
    static = Path(app.outdir, "_static")
    for pattern in UNUSED:
        for path in static.rglob(pattern):
            path.unlink()
    names = used(Path(app.outdir))
    own = {path.name for path in Path(app.srcdir, "book", "_static").glob("*.css")}
    for sheet in static.rglob("*.css"):
        if sheet.name in own:
            continue  # whoever prints may add classes
        sheet.write_text(needed(sheet.read_text("utf-8"), names), "utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", defer, priority=900)  # after the theme's own
    app.connect("build-finished", trim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
