"""What the cells of a chapter show when they are run at preset ci.

The book's build keeps executed chapters (`lsmtl.lab.notebooks.cache`); one that isn't
there is run here, and kept for the next build.
"""

import os

import jupytext
from jupyter_cache import get_cache
from jupyter_cache.cache.main import CacheBundleIn
from nbclient import NotebookClient

from lsmtl.lab import notebooks


def add_outputs(notebook, chapter):
    """Give a chapter's notebook, whose solutions are shown, the outputs of its cells.

    Args:
        notebook: from `classroom.plain`.
        chapter: path of its text.

    Raises:
        ValueError: the notebook has other cells of code than the chapter.
    """
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    made = [c for c in run(chapter).cells if c.cell_type == "code"]
    if [c.source for c in cells] != [c.source for c in made]:
        raise ValueError(
            f"{chapter.name}: the notebook has other code than the chapter"
        )
    for cell, done in zip(cells, made, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count


def run(chapter):
    """A chapter as an executed notebook, from the book's cache or run now."""
    source = jupytext.read(chapter)
    cache = get_cache(notebooks.cache())
    try:
        return cache.merge_match_into_notebook(source)[1]
    except KeyError:
        pass
    records = os.environ.get("LSMTL_RECORDS") or str(notebooks.cache() / "records")
    usual = {"LSMTL_RECORDS": records, "LSMTL_PRESET": "", "TQDM_DISABLE": "1"}
    # Times would be a part of what the cache looks for.
    client = NotebookClient(source, timeout=600, record_timing=False)
    client.execute(env=os.environ | usual)
    cache.cache_notebook_bundle(
        CacheBundleIn(source, str(chapter)), check_validity=False, overwrite=True
    )
    return source
