"""What the cells of a chapter show when they are run at preset ci.

The book's build keeps executed chapters (`lsmtl.lab.notebooks.cache`); one that isn't
there is run here, and kept for the next build.
"""

import base64
import contextlib
import os
import re
import time

from jupyter_cache import get_cache
from jupyter_cache.cache.main import CacheBundleIn
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from classroom import plain
from lsmtl.lab import notebooks

PATIENCE = 600  # seconds for a cell
DRAWING = re.compile(r"<svg\b[^>]*\baria-label=\"([^\"]*)\".*?</svg>", re.S)


def add_outputs(notebook, chapter):
    """Give a chapter's notebook the outputs of its cells.

    Cells that it lacks, those of solutions, are left out, and what waits for a
    prediction goes on waiting. Figures become images: JupyterLab shows no inline
    drawing of a notebook that comes from elsewhere before it is trusted.

    Args:
        notebook: from `classroom.plain`, with solutions or without.
        chapter: path of its text.

    Raises:
        ValueError: the notebook has other cells of code than the chapter.
    """
    made = (c for c in run(chapter).cells if c.cell_type == "code")
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        source = cell.source.removeprefix(plain.WAITS)
        done = next((c for c in made if c.source == source), None)
        if done is None:
            raise ValueError(
                f"{chapter.name}: the notebook has other code than the chapter"
            )
        if source == cell.source:
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
            for data in (
                o.data for o in cell.outputs if "text/html" in o.get("data", {})
            ):
                data["text/html"] = DRAWING.sub(_image, data["text/html"])


def _image(match):
    """A drawing as an image on white, as dark surroundings don't reach into it."""
    drawing = re.sub(r'(<svg[^>]*?) style="[^"]*"', r"\1", match[0], count=1)
    style = 'style="background:white;color:black"'
    drawing = drawing.replace("<svg", f"<svg {style}", 1)
    data = base64.b64encode(drawing.encode()).decode()
    return f'<img alt="{match[1]}" src="data:image/svg+xml;base64,{data}">'


def run(chapter):
    """A chapter as an executed notebook, from the book's cache or run now.

    Args:
        chapter: path of its text.

    Raises:
        RuntimeError: a cell failed.
    """
    notebook = read_myst_markdown_notebook(chapter.read_text("utf-8"))
    cache = get_cache(notebooks.cache())
    with contextlib.suppress(KeyError):
        return cache.merge_match_into_notebook(notebook)[1]
    print(f"executing {chapter.stem} …", flush=True)
    records = os.environ.get("LSMTL_RECORDS") or str(notebooks.cache() / "records")
    usual = {"LSMTL_RECORDS": records, "LSMTL_PRESET": "", "TQDM_DISABLE": "1"}
    begun = time.perf_counter()
    # The time of each cell would be a part of what the cache looks for.
    client = NotebookClient(notebook, timeout=PATIENCE, record_timing=False)
    try:
        client.execute(env=os.environ | usual)
    except CellExecutionError as error:
        raise RuntimeError(f"{chapter.stem} failed:\n{error}") from error
    seconds = {"execution_seconds": time.perf_counter() - begun}
    bundle = CacheBundleIn(notebook, str(chapter), data=seconds)
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return notebook
