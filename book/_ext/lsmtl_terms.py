"""Sphinx extension: the glossary's words lead to it from their first use on a page.

Running text alone is linked: no headings, boxes, exercises, tables or outputs. Beside
its names an entry may have a line `.. forms: …`, other shapes that are linked and not
shown, and a line `.. not on: …`, pages on which a word has another sense. Names are
matched with a capital at the start of a sentence and with a plural s.

Two things are warned about: an entry that no page uses, and an abbreviation that is
neither in the glossary nor ordinary.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

GLOSSARY = "book/back/glossary"
BACK = ("equations", "figures", "notation", "glossary", "bibliography")
UNLINKED = tuple(f"book/back/{name}" for name in BACK)

# What a reader brings along, and names that stand for nothing else.
ORDINARY = (
    "BSD CC BY CPU CSV CUDA DNA ER GB GPL GPU GTX HTML ID II JSON MB MIT MYOC NT PDF "
    "PRECISE RAM README RNA ROC SSH SVG TB TFLOP TSV URL VS"
)
ABBREVIATION = re.compile(r"(?<![\w/-])[A-Z]{2,}(?=s?(?![\w])(?!-\w*\d))")

CODE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
SILENT = (
    *CODE,
    nodes.title,
    nodes.Admonition,
    nodes.reference,
    nodes.caption,
    nodes.table,
    nodes.figure,
    addnodes.pending_xref,
    exercise_node,
    exercise_enumerable_node,
    solution_node,
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """An entry of the glossary as its text declares it."""

    names: tuple  # as shown, the first one with the definition's anchor
    forms: tuple  # other shapes of them
    elsewhere: tuple  # stems of pages on which they mean something else


def entries(text):
    """The entries of a glossary.

    Args:
        text: of the page, with a directive `{glossary}`.
    """
    found = []
    for block in re.split(r"\n{2,}", text.partition("{glossary}")[2]):
        lines = [s for s in block.splitlines() if re.match(r"[^\s:`]", s)]
        if lines:
            names = tuple(s for s in lines if not s.startswith(".. "))
            found.append(
                Entry(names, _listed("forms", lines), _listed("not on", lines))
            )
    return found


def _listed(what, lines):
    start = f".. {what}: "
    listed = [s.removeprefix(start) for s in lines if s.startswith(start)]
    return tuple(word for line in listed for word in line.split(", "))


def pattern(names):
    """What finds any of the names in a text, longest first.

    Args:
        names: as they stand in the middle of a sentence.
    """
    words = []
    for name in sorted(names, key=len, reverse=True):
        first, rest = re.escape(name[0]), re.escape(name[1:])
        if name[0].islower():
            first = f"[{name[0].upper()}{name[0]}]"
        words.append(first + rest.replace(r"\ ", r"\s+").replace("'", "['’]"))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})s?(?![\w-])")


def running(doctree):
    """The texts of a page that are linked, in order.

    Args:
        doctree: of the page.
    """
    for paragraph in doctree.findall(nodes.paragraph):
        if not _inside(paragraph, (*SILENT, nodes.container)):
            for text in paragraph.findall(nodes.Text):
                if not _inside(text, SILENT):
                    yield text


def _inside(node, kinds):
    while node is not None:
        if isinstance(node, kinds):
            return True
        node = node.parent
    return False


def first_uses(doctree, page, known):
    """The first use of each entry on a page, as text → [(start, end, entry)].

    Args:
        doctree: of the page.
        page: its name.
        known: the entries.
    """
    stem, found = page.rsplit("/", 1)[-1], {}
    left = [entry for entry in known if stem not in entry.elsewhere]
    if not left:
        return found
    of_name = {n.lower(): e for e in left for n in e.names + e.forms}
    anywhere = pattern(n for e in left for n in e.names + e.forms)
    for text in running(doctree):
        for match in anywhere.finditer(str(text)):
            word = " ".join(match[0].lower().replace("’", "'").split())
            entry = of_name.get(word) or of_name[word.removesuffix("s")]
            if entry in left:
                left.remove(entry)
                found.setdefault(text, []).append((*match.span(), entry))
    return found


def unknown(doctree, known):
    """Abbreviations in a page's texts that are neither known nor ordinary.

    Args:
        doctree: of the page.
        known: the entries.
    """
    names = [name for entry in known for name in entry.names + entry.forms]
    words = {word for name in names for word in name.split()}
    words |= {part for word in words for part in word.split("-")}
    words |= {*ORDINARY.split()}
    for text in doctree.findall(nodes.Text):
        if not _inside(text, (*CODE, nodes.comment, nodes.container)):
            for match in ABBREVIATION.finditer(str(text)):
                if match[0] not in words:
                    yield text, match[0]


def watch(app, config):
    """Read the glossary; a change of its names reads all pages again."""
    path = Path(app.srcdir, f"{GLOSSARY}.md")
    text = path.read_text("utf-8") if path.is_file() else ""
    app.glossary = entries(text)
    config.book_terms, config.book_definitions = repr(app.glossary), text


def note(app, doctree):
    """Keep which entries a page uses, and warn about unknown abbreviations."""
    page = app.env.docname
    if page in UNLINKED:
        return
    uses = first_uses(doctree, page, app.glossary).values()
    used = {entry.names[0] for spans in uses for *_, entry in spans}
    _kept(app.env)[page] = used
    for text, word in unknown(doctree, app.glossary):
        log.warning("%s is not in the glossary", word, location=text.parent)


def _kept(env):
    if not hasattr(env, "book_terms_used"):
        env.book_terms_used = {}
    return env.book_terms_used


def forget(app, env, page):
    """Forget a page that is read again or gone."""
    _kept(env).pop(page, None)


def merge(app, env, pages, other):
    """Take over what another process has read."""
    _kept(env).update({page: _kept(other).get(page, set()) for page in pages})


def unused(app, env):
    """Warn about entries that no page of the whole book uses."""
    whole = {p.with_suffix("") for p in Path(app.srcdir, "book").glob("*/*.md")}
    if whole - {Path(app.srcdir, page) for page in env.found_docs}:
        return  # a part of the book
    used = set().union(*_kept(env).values())
    for entry in app.glossary:
        if entry.names[0] not in used:
            log.warning("no page uses %s", entry.names[0], location=GLOSSARY)


def definitions(app):
    """Name of an entry → its anchor and its definition in plain words."""
    found = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        terms = [n for n in item if isinstance(n, nodes.term)]
        words = item[-1].astext().partition("→")[0]
        for term in terms:
            name = term.astext().replace("’", "'")  # as the source has it
            found[name] = terms[0]["ids"][0], " ".join(words.split())
    return found


def link(app, doctree, page):
    """Let the first use of each entry lead to its definition."""
    here = app.builder.format == "html" and GLOSSARY in app.env.found_docs
    if page in UNLINKED or not here:
        return
    if not hasattr(app, "definitions"):
        app.definitions = definitions(app)
    to = app.builder.get_relative_uri(page, GLOSSARY)
    for text, spans in first_uses(doctree, page, app.glossary).items():
        pieces, done = [], 0
        for start, end, entry in spans:
            anchor, words = app.definitions[entry.names[0]]
            word = text[start:end]
            pieces += [
                nodes.Text(text[done:start]),
                nodes.reference(
                    "",
                    word,
                    internal=True,
                    refuri=f"{to}#{anchor}",
                    reftitle=words,
                    classes=["lsmtl-term"],
                ),
            ]
            done = end
        pieces.append(nodes.Text(text[done:]))
        text.parent.replace(text, [piece for piece in pieces if piece.astext()])


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("book_terms", "", "env")
    app.add_config_value("book_definitions", "", "html")
    app.connect("config-inited", watch)
    app.connect("doctree-read", note, priority=900)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("env-check-consistency", unused)
    app.connect("doctree-resolved", link, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
