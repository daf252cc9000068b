"""Sphinx extension: outputs that are never stale, and solutions kept in their place.

`execute_notebooks: cache` looks at a chapter's own text only. Here the cache's place
is named by a hash of the package, the records and the preset. When the hash changes,
so does a setting that Sphinx watches, and all pages are read and executed again.
Exercises are numbered page by page.

Solutions stand in the pages, folded, and nowhere else: the search doesn't find their
words, and the chapters' texts that come with the pages don't have them. With
`LSMTL_SOLUTIONS=no` the pages lack them, too, and what exercises show after a
prediction.
"""

import os
from pathlib import Path

from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

from lsmtl._checks import one_of
from lsmtl.lab import notebooks


def watch(app, config):
    """Choose the cache of this state, and keep new run records in it."""
    folder = notebooks.cache()
    config.nb_execution_cache_path = str(folder)
    word = os.environ.get("LSMTL_SOLUTIONS") or "yes"
    config.book_solutions = one_of("LSMTL_SOLUTIONS", word, ("yes", "no"))
    os.environ.setdefault("LSMTL_RECORDS", str(folder / "records"))


def drop(doctree, answers=False):
    """Remove the solutions from a page and, with `answers`, what tells them."""
    for node in list(doctree.findall(solution_node)):
        node.parent.remove(node)
    if not answers:
        return
    for kind in (exercise_node, exercise_enumerable_node):
        for exercise in doctree.findall(kind):
            for cell in list(exercise.findall(_tells)):
                for output in list(cell.findall(_is_output)):
                    output.parent.remove(output)


def _tells(node):
    return "tag_hide-output" in node.get("classes", []) if _has(node) else False


def _is_output(node):
    return "cell_output" in node.get("classes", []) if _has(node) else False


def _has(node):
    return hasattr(node, "get")


def read(app, doctree):
    """Drop the solutions of a book that should have none."""
    if app.config.book_solutions == "no":
        drop(doctree, answers=True)


def search_without_solutions(app):
    """Let the search index have no word of a solution."""
    if not hasattr(app.builder, "index_page"):  # not HTML
        return
    index_page = app.builder.index_page

    def index(name, doctree, title):
        doctree = doctree.deepcopy()
        drop(doctree)
        index_page(name, doctree, title)

    app.builder.index_page = index


def clean_sources(app, error):
    """Drop the solutions from the chapters' texts that come with the pages."""
    for path in Path(app.outdir, "_sources").rglob("*.md"):
        path.write_text(notebooks.without_solutions(path.read_text("utf-8")), "utf-8")


def number_exercises(app, env):
    """Count exercises within their page, as `lab.check` does."""
    for kinds in env.toc_fignumbers.values():
        for place, label in enumerate(kinds.get("exercise", {}), 1):
            kinds["exercise"][label] = (place,)
    return []  # no page has to be read again


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("book_solutions", "yes", "env")
    app.connect("config-inited", watch)
    app.connect("doctree-read", read)
    app.connect("builder-inited", search_without_solutions)
    app.connect("env-get-updated", number_exercises, priority=900)  # Sphinx's are there
    app.connect("build-finished", clean_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
