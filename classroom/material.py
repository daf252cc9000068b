"""The folders for students and instructors, and a zip of each.

Both hold what runs the chapters without a network: notebooks, the package with its
shipped data, the run records that the pages show, and a list of what to install.
"""

import re
import shutil
from pathlib import Path

import nbformat

from classroom import executed, leaks, marking, plain
from classroom.packed import packed
from lsmtl.lab import ROOT

HERE = Path(__file__).parent
SECTIONS = ("Core", "Chapters and run records")  # of requirements.txt
PACKAGE = ("lsmtl", "book/records")
DATA = "book/back/data.md"  # what LICENSE names


def student(folder, chapters=None):
    """Write the students' folder and its zip.

    Args:
        folder: where; what an earlier call wrote there is removed first.
        chapters: paths of chapters; None takes all.

    Raises:
        ValueError: the folder holds something else, or a solution stands in one of the
            files. There is no zip then.
    """
    _frame(folder, "student")
    for path in (folder / "lsmtl" / "lab" / "chapters").glob("[a-z]*.py"):
        path.write_text(packed(path.read_text("utf-8")), "utf-8")
    for chapter in chapters or plain.chapters():
        _write(plain.notebook(chapter), folder, chapter)
    found = leaks.in_files(folder, leaks.solutions())
    if found:
        places = "; ".join(f"{file}: {', '.join(found[file])}" for file in found)
        raise ValueError(f"solutions stand in {places}")
    _zip(folder)


def instructor(folder, chapters=None):
    """Write the instructors' folder: solutions, outputs, notes for marking; its zip.

    Args:
        folder: where; what an earlier call wrote there is removed first.
        chapters: paths of chapters; None takes all.

    Raises:
        ValueError: the folder holds something else.
    """
    _frame(folder, "instructor")
    chapters = chapters or plain.chapters()
    for chapter in chapters:
        notebook = plain.notebook(chapter, solved=True)
        executed.add_outputs(notebook, chapter)
        _write(notebook, folder, chapter)
    (folder / "marking.md").write_text(marking.notes(chapters), "utf-8")
    _zip(folder)


def _frame(folder, reader):
    """All but the notebooks."""
    if folder.exists():
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
        if names and (not {"lsmtl", "notebooks"} <= names or ".git" in names):
            raise ValueError(f"{folder} holds something else; name a folder of its own")
        shutil.rmtree(folder)
    Path(f"{folder}.zip").unlink(missing_ok=True)
    (folder / "notebooks").mkdir(parents=True)
    for name in PACKAGE:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(HERE / "readme" / f"{reader}.md", folder / "README.md")
    lines = ["-c constraints.txt", "-e .", *_requirements()]
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n")
    pins = [(where / "constraints.txt").read_text() for where in (ROOT, HERE)]
    (folder / "constraints.txt").write_text("".join(pins))
    text = plain.plain((ROOT / DATA).read_text("utf-8"), "data")
    (folder / "notebooks" / "data.md").write_text(text + "\n", "utf-8")
    licence = (ROOT / "LICENSE").read_text("utf-8")
    (folder / "LICENSE").write_text(licence.replace(DATA, "notebooks/data.md"), "utf-8")


def _requirements():
    """What the chapters need, and JupyterLab."""
    text = (ROOT / "requirements.txt").read_text()
    parts = dict(re.findall(r"^# (.+)\n((?:[^#\n].*\n)+)", text, re.M))
    lab = (HERE / "requirements.txt").read_text()
    return [
        line
        for part in (*(parts[name] for name in SECTIONS), lab)
        for line in part.splitlines()
        if not line.startswith("#")
    ]


def _write(notebook, folder, chapter):
    nbformat.validate(notebook)
    nbformat.write(notebook, folder / "notebooks" / plain.names()[chapter.stem])


def _zip(folder):
    """The folder as a zip beside it."""
    shutil.make_archive(folder, "zip", folder.parent, folder.name)
