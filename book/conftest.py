"""Chapters as tests: nbmake executes each once, and the book's build finds it there."""

import resource
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from filelock import FileLock
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import read_myst_markdown_notebook
from nbmake.nb_result import NotebookError
from nbmake.nb_run import NotebookRun
from nbmake.pytest_items import NotebookFailedException, NotebookFile, NotebookItem

from lsmtl.lab import notebooks

LIMIT = 60  # seconds of one core for a chapter at preset ci; half of it is usual
PATIENCE = 600  # seconds for a cell, however busy the machine is

collect_ignore = ["_ext"]


def pytest_collect_file(file_path, parent):
    """Every chapter is a test."""
    if file_path in notebooks.chapters():
        return ChapterFile.from_parent(parent, path=file_path)


class ChapterFile(NotebookFile):
    """A chapter, as nbmake sees a notebook."""

    def collect(self):
        """The chapter's one test."""
        yield Chapter.from_parent(self, filename=str(self.path))


class Chapter(NotebookItem):
    """Executes a chapter, unless the cache of this state of the code has it."""

    def runtest(self):
        """Execute the chapter and keep its outputs for the book."""
        folder = notebooks.cache()
        # Read as the book's build reads it: the cache compares metadata as well.
        notebook = read_myst_markdown_notebook(self.path.read_text("utf-8"))
        with FileLock(folder.with_suffix(".lock")):
            cache = get_cache(folder)
            try:
                return cache.match_cache_notebook(notebook)
            except KeyError:
                pass
        before = _seconds_of_kernels()
        with TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
            patch.delenv("LSMTL_PRESET", raising=False)
            patch.setenv("LSMTL_RECORDS", str(folder / "records"))
            path = Path(temporary) / f"{self.path.stem}.ipynb"
            nbformat.write(notebook, path)
            result = NotebookRun(path, PATIENCE).execute()
        seconds = _seconds_of_kernels() - before
        if result.error is None and seconds > LIMIT:
            message = f"{self.path.stem} took {seconds:.0f} s; {LIMIT} s are allowed"
            result.error = NotebookError(message, message, failing_cell_index=-1)
        if result.error is not None:
            raise NotebookFailedException(result)
        for cell in result.nb.cells:
            cell.metadata.pop("execution", None)  # nbmake's times
        with FileLock(folder.with_suffix(".lock")):
            cache.cache_notebook_bundle(
                CacheBundleIn(
                    result.nb, str(self.path), data={"execution_seconds": seconds}
                ),
                check_validity=False,
                overwrite=True,
            )


def _seconds_of_kernels():
    """Seconds of a core that kernels of this process have used, once they ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
