"""Sphinx extension: an anchor at every figure and table, and the page that lists them.

`lab.figure`, `lab.drawing` and `lab.table` put out HTML. When a page has been read,
each gets an id from the first words that say what it shows: a table's caption, a
figure's text for those who can't see it up to its first colon or full stop. When all
have been read, `book/back/figures` lists them, without those inside exercises, which
would tell what is to be predicted.
"""

import html
import re
from dataclasses import dataclass

from docutils import nodes
from docutils.utils import new_document
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

from lsmtl.lab import contents

PAGE = "book/back/figures"
HERE = "% the index stands here"
OF = "figures of "
OPENS = re.compile(
    r"<(?P<tag>figure|table)\b(?P<options>[^>]*\bclass=\"[^\"]*"
    r"\blsmtl-(?:figure|table)\b[^>]*)>(?P<inside>.*?)</(?P=tag)>",
    re.S,
)
BADGE = re.compile(r'<span class="lsmtl-badge[^>]*>.*?</span>', re.S)
WORDS = 6  # of an id
EXERCISES = exercise_node, exercise_enumerable_node, solution_node


@dataclass
class Shown:
    """A figure or table of a page."""

    kind: str  # "figure" or "table"
    anchor: str
    text: str  # what it shows
    badges: str  # HTML
    section: str  # title of the section where it stands
    listed: bool  # not in an exercise


def mark(content, taken, section="", listed=True):
    """Give the figures and tables of an output an id each.

    Args:
        content: the output's HTML.
        taken: a set of the page's ids, to which theirs are added.
        section: title of the section.
        listed: whether the index shows them.

    Returns:
        the HTML with ids, and a list of `Shown`.
    """
    found = []

    def put(match):
        kind, inside = match["tag"], match["inside"]
        text, badges = describe(kind, inside)
        own = re.search(r'\bid="([^"]+)"', match["options"])
        anchor = own[1] if own else _free(f"{kind}-{slug(text)}", taken)
        taken.add(anchor)
        found.append(Shown(kind, anchor, text, badges, section, listed))
        if own:
            return match[0]
        return match[0].replace(f"<{kind}", f'<{kind} id="{anchor}"', 1)

    return OPENS.sub(put, content), found


def describe(kind, inside):
    """What a figure or table shows, and its badges."""
    if kind == "figure":
        label = re.search(r'aria-label="([^"]*)"', inside)
        caption = re.search(r"<figcaption[^>]*>(.*?)</figcaption>", inside, re.S)
    else:
        label, caption = None, re.search(r"<caption[^>]*>(.*?)</caption>", inside, re.S)
    caption = caption[1] if caption else ""
    badges = " ".join(BADGE.findall(caption))
    if label:
        text = re.split(r"[:.;](?:\s|$)", html.unescape(label[1]), maxsplit=1)[0]
    else:
        text = html.unescape(re.sub(r"<[^>]*>", "", BADGE.sub("", caption)))
    return " ".join(text.split()) or "without a caption", badges


def slug(text):
    """The first words of a text as a part of an id."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())[:WORDS])


def _free(name, taken):
    number = 2
    while (found := name if number == 2 else f"{name}-{number - 1}") in taken:
        number += 1
    return found


def collect(app, doctree):
    """Mark what a page shows and keep it for the index."""
    shown, taken = [], set(doctree.ids)
    for raw in doctree.findall(nodes.raw):
        if "html" not in raw.get("format", "").split():
            continue
        titles, listed, parent = [], True, raw.parent
        while parent is not None:
            if isinstance(parent, nodes.section):
                titles.append(parent[0].astext())
            listed &= not isinstance(parent, EXERCISES)
            parent = parent.parent
        section = titles[0] if len(titles) > 1 else ""
        content, found = mark(raw.astext(), taken, section, listed)
        if found:
            raw.rawsource, raw.children = content, []
            raw += nodes.Text(content)
            shown += found
    _all(app.env)[app.env.docname] = shown


def _all(env):
    if not hasattr(env, "lsmtl_shown"):
        env.lsmtl_shown = {}
    return env.lsmtl_shown


def purge(app, env, name):
    """Forget a page that is read again."""
    _all(env).pop(name, None)


def merge(app, env, names, other):
    """Take what a parallel reader found."""
    _all(env).update({name: _all(other).get(name, []) for name in names})


def outdated(app, env, added, changed, removed):
    """Have the index written again, as other pages may have changed."""
    return [PAGE] if PAGE in env.found_docs else []


def headings(app, name, source):
    """Write a heading for each page with code into the index."""
    if name != PAGE:
        return
    lines = []
    for page in contents.pages().values():
        if "{code-cell}" in page.path.read_text("utf-8"):
            lines += [f"## {page.title}", "", f"% {OF}book/{page.name}", ""]
    source[0] = source[0].replace(HERE, "\n".join(lines))


def fill(app, doctree, name):
    """Put the lists below the headings."""
    if name != PAGE:
        return
    for comment in list(doctree.findall(nodes.comment)):
        if comment.astext().startswith(OF):
            page = comment.astext().removeprefix(OF).strip()
            shown = [s for s in _all(app.env).get(page, []) if s.listed]
            address = app.builder.get_relative_uri(name, page)
            comment.replace_self(_lists(shown, address))


def _lists(shown, address):
    if not shown:
        return [nodes.paragraph("", "None.")]
    made, section = [], None
    for item in shown:
        if item.section != section or not made:
            section = item.section
            if section:
                made.append(nodes.paragraph("", section, classes=["lsmtl-place"]))
            made.append(nodes.bullet_list(classes=["lsmtl-shown"]))
        link = nodes.reference("", item.text, refuri=f"{address}#{item.anchor}")
        line = nodes.paragraph("", f"{item.kind.capitalize()}: ", link)
        if item.badges:
            line += [nodes.Text(" "), nodes.raw("", item.badges, format="html")]
        made[-1] += nodes.list_item("", line)
    return made


def search_without_lists(app):
    """Let the search find the index by its title, and the rest on its own page."""
    if not hasattr(app.builder, "index_page"):  # not HTML
        return
    index_page = app.builder.index_page

    def index(name, doctree, title):
        if name == PAGE:
            heading = nodes.title("", app.env.titles[PAGE].astext())
            doctree = new_document("")
            doctree += nodes.section("", heading, ids=[""])
        index_page(name, doctree, title)

    app.builder.index_page = index


def setup(app):
    """Register with Sphinx."""
    app.connect("builder-inited", search_without_lists)
    app.connect("doctree-read", collect, priority=600)  # solutions are dropped before
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", headings)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
