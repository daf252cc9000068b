"""Sphinx extension: executed chapters are kept by what their outputs depend on.

`execute_notebooks: cache` looks at a chapter's own text only. Here the cache's place
is named by a hash of the package, the records and the preset. When the hash changes,
so does a setting that Sphinx watches, and every page is read and every chapter executed
again.
"""

import os

from lsmtl.lab import notebooks


def place_cache(app, config):
    """Choose the cache of this state, and keep new run records beside it."""
    folder = notebooks.cache()
    config.nb_execution_cache_path = str(folder)
    os.environ.setdefault("LSMTL_RECORDS", str(folder / "records"))


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", place_cache)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
