"""Try the assignments with nbgrader itself, in an environment of its own.

For each chapter that is named (three without), nbgrader makes the assignment, grades a
right, an empty and a wrong submission, and writes feedback; their points are compared
with what they should be. nbgrader comes over the network, once, into `_build`.
"""

import csv
import os
import shutil
import subprocess
import sys
import venv

import nbformat

from classroom import grading
from classroom.marking import POINTS
from lsmtl.lab import ROOT, notebooks

NBGRADER = "nbgrader==0.9.6"
USUAL = ("transcriptome", "linear-models", "table-3")


def environment(folder):
    """A virtual environment with nbgrader that sees what this one has."""
    if not (folder / "bin" / "nbgrader").is_file():
        venv.create(folder, with_pip=True)
        (packages,) = folder.glob("lib/python3*/site-packages")
        here = [path for path in sys.path if path.endswith("site-packages")]
        (packages / "project.pth").write_text("\n".join([*here, str(ROOT)]))
        install = [folder / "bin" / "pip", "install", "--quiet", NBGRADER]
        subprocess.run(install, check=True)
    return folder / "bin"


def submissions(course, chapter):
    """Write a right, an empty and a wrong submission; return the points of each."""
    release = course / "release" / chapter.stem / f"{chapter.stem}.ipynb"
    exercises = notebooks.exercises(chapter)
    right = {e.stub: e.solution.split("\nlab.check(")[0] for e in exercises}
    wrong = {stub: stub.replace("raise NotImplementedError", "print") for stub in right}
    answers = {"right": right, "empty": {}, "wrong": wrong}
    for student, filled in answers.items():
        notebook = nbformat.read(release, 4)
        for cell in notebook.cells:
            cell.source = filled.get(cell.source, cell.source)
        path = course / "submitted" / student / chapter.stem / release.name
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    return {"right": sum(POINTS[e.kind] for e in exercises), "empty": 0, "wrong": 0}


def main(stems):
    """Make, submit, grade, compare."""
    course = ROOT / "_build" / "try-nbgrader"
    chapters = [c for c in notebooks.chapters() if c.stem in stems]
    shutil.rmtree(course, ignore_errors=True)
    grading.tree(course, chapters)
    programs = environment(ROOT / "_build" / "nbgrader-venv")
    usual = {
        "LSMTL_RECORDS": str(course / "records"),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TQDM_DISABLE": "1",
    }

    def nbgrader(*arguments):
        subprocess.run(
            ["nbgrader", *arguments], cwd=course, env=os.environ | usual, check=True
        )

    wanted = {}
    for chapter in chapters:
        nbgrader("generate_assignment", chapter.stem)
        points = submissions(course, chapter)
        wanted |= {(chapter.stem, student): p for student, p in points.items()}
        nbgrader("autograde", chapter.stem)
        nbgrader("generate_feedback", chapter.stem)
        for student in points:
            feedback = course / "feedback" / student / chapter.stem
            if not list(feedback.glob("*.html")):
                sys.exit(f"there is no feedback in {feedback}")
    nbgrader("export")
    with (course / "grades.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["student_id"] in points]
    found = {(r["assignment"], r["student_id"]): float(r["score"]) for r in rows}
    for (stem, student), points in wanted.items():
        print(f"{stem}, {student}: {found.get((stem, student))}, wanted {points}")
    if found != wanted:
        sys.exit("nbgrader gives other points")


if __name__ == "__main__":
    main(sys.argv[1:] or USUAL)
