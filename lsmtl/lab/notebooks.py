"""Chapters are stored as MyST text; papermill and the tests read them as notebooks."""

import hashlib
import os
from pathlib import Path

import jupytext
import nbformat
from papermill.iorw import LocalHandler

ROOT = Path(__file__).parents[2]


class Reader(LocalHandler):
    """Papermill's local files, with MyST text converted to a notebook on reading."""

    def read(self, path):
        """The notebook at `path` as JSON text."""
        if not str(path).endswith(".md"):
            return super().read(path)
        return nbformat.writes(jupytext.read(path))


reader = Reader()


def chapters():
    """The paths of all chapters (pages with code), in alphabetical order."""
    pages = sorted((ROOT / "book").glob("*/*.md"))
    return [page for page in pages if "{code-cell}" in page.read_text("utf-8")]


def state():
    """A hash of all that a chapter's output depends on besides its own text."""
    parts = [ROOT / "constraints.txt"]
    for folder in ("lsmtl", "book/records"):
        parts += (p for p in (ROOT / folder).rglob("*") if p.suffix != ".pyc")
    digest = hashlib.sha256(os.environ.get("LSMTL_PRESET", "").encode())
    for path in sorted(p for p in parts if p.is_file()):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def cache():
    """Where a build keeps executed chapters and their records: new for new code."""
    return ROOT / "_build" / "cache" / state()
