"""Sphinx extension: where a page stands, what chapters there are, and their map.

All of it comes from `lsmtl.lab.contents`, which reads it from the pages themselves:
the line below a chapter's title, the directives `book-chapters`, `book-map` and
`book-path`, and the description in a page's head. The footer names the version and
the commit that the book was built from.
"""

import subprocess
from typing import ClassVar

import lsmtl_map
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from lsmtl_map import typeset
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import lsmtl
from lsmtl.lab import contents

MAP, ANCHOR = "how-to-read", "#chapter-map"
MOST = 3  # pages that the line below a title names; the map has the others


def read(app, config):
    """Read what pages there are; a page that says too little stops the build."""
    try:
        app.book_pages = contents.pages()
    except ValueError as error:
        raise ExtensionError(str(error)) from error
    config.book_contents = repr([page[:-1] for page in app.book_pages.values()])
    config.html_theme_options["extra_footer"] = footer(app.srcdir)


def footer(folder):
    """Version, and in a clone of the repository the commit with its date."""
    command = ["git", "-C", str(folder), "log", "-1", "--format=%h of %cs"]
    try:
        found = subprocess.run(command, capture_output=True, text=True)
        commit = found.stdout.strip() if found.returncode == 0 else ""
    except OSError:  # there is no git
        commit = ""
    return f"Version {lsmtl.__version__}" + f", built from {commit}" * bool(commit)


def stand(app, name, template, context, doctree):
    """Put a chapter's place below its title, and its summary into the page's head."""
    page = app.book_pages.get(name.removeprefix("book/"))
    if page is None or doctree is None:
        return
    if page.summary:
        words = typeset(f"{page.title}: {page.summary}")
        tags = context.get("metatags", "")
        context["metatags"] = tags + f'\n<meta name="description" content="{words}">'
    if page.is_chapter and page.part:
        line = where(page, app.book_pages, context["pathto"])
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{line}", 1)


def where(page, pages, pathto):
    """The lines that say where a chapter stands, as HTML.

    Args:
        page: a `contents.Page`.
        pages: all of them, by name.
        pathto: a document's name → its address from here.
    """

    def link(name, text, anchor=""):
        return f'<a href="{pathto(f"book/{name}")}{anchor}">{typeset(text)}</a>'

    def links(names):
        named = [link(name, pages[name].short) for name in names[:MOST]]
        if more := names[MOST:]:
            named.append(link(MAP, f"{len(more)}\xa0more", ANCHOR))
        return " · ".join(named)

    edges = contents.edges(pages)
    before = [a for a, b in edges if b == page.name]
    after = [b for a, b in edges if a == page.name]
    count = len(contents.parts(pages)[page.part])
    time = f"{page.minutes} minutes"
    if page.exercises:
        time += f", {page.exercises} of them for exercises"
    first = f"{typeset(page.part)}, {page.place} of {count} · {time}"
    around = [
        f"<p><b>{words}</b> {links(names)}</p>"
        for words, names in (("Builds on", before), ("Leads to", after))
        if names
    ]
    lines = [f"<p>{first} · {link(MAP, 'Map', ANCHOR)}</p>", *around]
    return f'<div class="lsmtl-where">{"".join(lines)}</div>'


class FromPages(SphinxDirective):
    """A directive that writes MyST from what pages there are."""

    def run(self):
        """The nodes; the page is read again when any page or this code changes."""
        self.pages = self.env.app.book_pages
        texts = [str(page.path) for page in self.pages.values()]
        for path in (__file__, lsmtl_map.__file__, *texts):
            self.env.note_dependency(path)
        return self.make()

    def parsed(self, text, *classes):
        """MyST as a block with classes."""
        block = nodes.container(classes=[*classes])
        lines = StringList(text.splitlines(), self.env.docname)
        self.state.nested_parse(lines, self.content_offset, block)
        return block


def linked(page):
    """A link to a page, in MyST."""
    return f"[](/book/{page.name}.md)"


class Chapters(FromPages):
    """All chapters, part by part, with what they show and how long they take."""

    def make(self):
        """A heading and a list of definitions for each part."""
        found = []
        for part, pages in contents.parts(self.pages).items():
            pages = [page for page in pages if page.summary]
            if not pages:
                continue
            time = contents.hours(sum(page.minutes for page in pages))
            found.append(nodes.rubric(part, f"{part} · {time}"))
            entries = [
                f"{linked(page)}, {page.minutes}\xa0min\n: {page.summary}\n"
                for page in pages
            ]
            found.append(self.parsed("\n".join(entries), "lsmtl-chapters"))
        return found


class Path(FromPages):
    """A way through the book: names of pages, a line each, and the time they take."""

    has_content = True
    option_spec: ClassVar = {"exercises": directives.flag}

    def make(self):
        """A line of links, and their time together."""
        names = [line.strip() for line in self.content if line.strip()]
        order = [name for name in self.pages if name in names]
        if names != order:
            raise self.error(f"a path names pages in the order of the book: {order}")
        pages = [self.pages[name] for name in names]
        with_exercises = "exercises" in self.options
        minutes = sum(p.minutes if with_exercises else p.reading for p in pages)
        done = "with all exercises" if with_exercises else "to read and run"
        steps = "\n".join(f"1. {linked(page)}" for page in pages)
        time = f"*{contents.hours(minutes)} {done}.*"
        return [self.parsed(f"{steps}\n\n{time}", "lsmtl-path")]


class Map(FromPages):
    """What builds on what: a drawing of links, and a list for phones and paper."""

    def make(self):
        """The drawing, and a list of each part's chapters with what they build on."""
        parts = {
            part: [p for p in pages if p.is_chapter and "teaching/" not in p.name]
            for part, pages in contents.parts(self.pages).items()
        }
        parts = {part: pages for part, pages in parts.items() if pages}
        shown = {page.name: page for pages in parts.values() for page in pages}
        edges = [edge for edge in contents.edges(self.pages) if edge[1] in shown]
        bands = {part: [page.name for page in pages] for part, pages in parts.items()}
        about = {name: self.about(page, edges) for name, page in shown.items()}
        title = "Map of the chapters: each is a link and says what it builds on"
        svg = lsmtl_map.draw(bands, edges, about, title)
        listed = self.parsed(self.as_list(parts, edges), "lsmtl-map-list")
        drawn = f'<div class="lsmtl-map">{svg}</div>'
        return [nodes.raw("", drawn, format="html"), listed]

    def about(self, page, edges):
        """A chapter as the drawing takes it."""
        here, there = self.env.docname, f"book/{page.name}"
        address = self.env.app.builder.get_relative_uri(here, there)
        titles = [self.pages[a].short for a, b in edges if b == page.name]
        words = f"{page.part}: {page.title}, {page.minutes} min"
        words += f", builds on {' and '.join(titles)}" * bool(titles)
        return page.short, f"{page.minutes} min", address, words

    def as_list(self, parts, edges):
        """The map in words, as MyST."""
        lines = []
        for part, pages in parts.items():
            lines.append(f"- **{part}**")
            for page in pages:
                after = [linked(self.pages[a]) for a, b in edges if b == page.name]
                after = f", after {' and '.join(after)}" * bool(after)
                lines.append(f"  - {linked(page)}, {page.minutes} min{after}")
        return "\n".join(lines)


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("book_contents", "", "html")  # a change renews all pages
    app.connect("config-inited", read)
    app.connect("html-page-context", stand)
    app.add_directive("book-chapters", Chapters)
    app.add_directive("book-map", Map)
    app.add_directive("book-path", Path)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
