"""Sphinx extension: each page with code can be downloaded as an executed notebook.

The theme's menu offers what the context names as `ipynb_source`. The notebooks have the
outputs of this build, from its cache, and no solutions.
"""

import sys
from pathlib import Path

import nbformat
from sphinx.util import logging

from lsmtl.lab import ROOT, notebooks

sys.path.append(str(ROOT))  # where `classroom` is

from classroom import pages

LOGGER = logging.getLogger(__name__)


def chapters(app):
    """Name → path of the built pages with code."""
    paths = {Path(app.env.doc2path(name)): name for name in app.env.found_docs}
    return {paths[c]: c for c in notebooks.chapters() if c in paths}


def offer(app, name, template, context, doctree):
    """Name the notebook for the page's menu."""
    if name in app.lsmtl_chapters:
        context["ipynb_source"] = f"{name}.ipynb"
        app.lsmtl_written.add(name)


def find(app, env):
    """See which pages have code."""
    app.lsmtl_chapters, app.lsmtl_written = chapters(app), set()
    return []  # no page has to be read again


def write(app, error):
    """Write the notebooks of the pages that were written beside their sources."""
    if error or app.builder.format != "html":
        return
    for name, chapter in app.lsmtl_chapters.items():
        path = Path(app.outdir, "_sources", f"{name}.ipynb")
        if path.exists() and name not in app.lsmtl_written:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            nbformat.write(pages.notebook(chapter), path)
        except (RuntimeError, ValueError) as wrong:
            LOGGER.warning(f"no notebook of {name}: {wrong}")


def setup(app):
    """Register with Sphinx."""
    app.connect("env-updated", find)
    app.connect("html-page-context", offer, priority=400)  # the theme's menu is later
    app.connect("build-finished", write)
    # Another process could not say here which pages it has written.
    return {"parallel_read_safe": True, "parallel_write_safe": False}
