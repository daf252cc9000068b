"""Sphinx extension: outputs are redone when what they depend on has changed.

`execute_notebooks: cache` looks at a chapter's own text only. Here the cache's place
is named by a hash of the package, the records and the preset. When the hash changes,
so does a setting that Sphinx watches, and all pages are read and executed again.
Likewise, a changed table of contents renews the navigation of all pages.
"""

import os
from pathlib import Path

from lsmtl.lab import notebooks


def watch(app, config):
    """Choose the cache of this state, and keep new run records in it."""
    folder = notebooks.cache()
    config.nb_execution_cache_path = str(folder)
    config.book_contents = Path(app.srcdir, "_toc.yml").read_text("utf-8")
    os.environ.setdefault("LSMTL_RECORDS", str(folder / "records"))


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("book_contents", "", "html")
    app.connect("config-inited", watch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
