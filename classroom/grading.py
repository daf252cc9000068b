"""The exercises as assignments for nbgrader, a chapter each.

`source/<chapter>/<chapter>.ipynb` is what `nbgrader generate_assignment` takes: the
cell of an exercise holds its solution between marks, which nbgrader cuts out, and the
cell of its check is locked and gives points.
"""

import ast
import shutil

import nbformat

from classroom import plain
from classroom.marking import POINTS
from lsmtl.lab import notebooks

CONFIG = '''"""nbgrader's settings for these assignments."""

c = get_config()
c.CourseDirectory.course_id = "lsmtl"
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("your turn")'}
c.Execute.timeout = 600
c.ExecutePreprocessor.timeout = 600
'''
BEGIN, END = "    ### BEGIN SOLUTION", "    ### END SOLUTION"


def tree(folder, chapters=None):
    """Write the assignments.

    Args:
        folder: where; only its folder `source` is replaced, as what nbgrader adds
            (submissions, grades) and its settings, once written, are the course's.
        chapters: paths of chapters; None takes all that have exercises.
    """
    shutil.rmtree(folder / "source", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "nbgrader_config.py"
    if not settings.exists():
        settings.write_text(CONFIG)
    for chapter in chapters or plain.chapters():
        if notebooks.exercises(chapter):
            path = folder / "source" / chapter.stem / f"{chapter.stem}.ipynb"
            path.parent.mkdir(parents=True)
            nbformat.write(assignment(chapter), path)


def assignment(chapter):
    """A chapter as a notebook with nbgrader's marks.

    Args:
        chapter: path of its text.
    """
    notebook = plain.notebook(chapter)
    by_stub = {e.stub: e for e in notebooks.exercises(chapter)}
    cells = iter(notebook.cells)
    for cell in cells:
        exercise = by_stub.get(cell.source)
        if exercise is None:
            continue
        name = exercise.name.replace(".", "-")
        check = next(cells)
        cell.source = _marked(exercise)
        check.source = (
            f"verdict = {check.source}\nassert verdict, verdict.message\nverdict"
        )
        cell.metadata["nbgrader"] = _marks(f"{name}-answer", solution=True)
        check.metadata["nbgrader"] = _marks(
            f"{name}-check", grade=True, locked=True, points=POINTS[exercise.kind]
        )
    return notebook


def _marked(exercise):
    """The stub with the solution between marks in place of its last line."""
    lines, stub = exercise.solution.splitlines(), exercise.stub.splitlines()
    tree = ast.parse(exercise.solution).body
    function = next(n for n in tree if isinstance(n, ast.FunctionDef))
    imports = [f"    {ast.unparse(n)}" for n in tree[: tree.index(function)]]
    start = function.lineno + len(stub) - 2  # after the docstring
    body = lines[start : function.end_lineno]
    return "\n".join([*stub[:-1], BEGIN, *imports, *body, END])


def _marks(grade_id, **other):
    usual = {"solution": False, "grade": False, "locked": False, "task": False}
    return {"schema_version": 3, "grade_id": grade_id, **usual, **other}
