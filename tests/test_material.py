"""The material for a classroom: it has no solution, works, and reads well."""

import ast
import base64
import copy
import html
import json
import os
import re
import subprocess
import sys
import types
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import jupytext
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

from classroom import executed, grading, leaks, marking, material, pages, plain
from classroom.__main__ import main as classroom_main
from lsmtl import lab
from lsmtl.lab import check
from lsmtl.lab.notebooks import chapters, exercises

EXERCISES = {e.name: e for chapter in chapters() for e in exercises(chapter)}
ABSENT = (
    r"(?m)`make |>make |^make |papermill|scripts/|tests/|CONTRIBUTING|_build|"
    "this repository"
)


@pytest.fixture(scope="module")
def known():
    return leaks.solutions()


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The students' folder; it isn't written if a solution stands in it."""
    folder = tmp_path_factory.mktemp("material") / "student"
    material.student(folder)
    return folder


def notebooks_of(folder):
    return {p.name: nbformat.read(p, 4) for p in (folder / "notebooks").glob("*.ipynb")}


# What students get


def test_the_zip_has_all_notebooks_and_no_solution(tree, known):
    archive = tree.with_suffix(".zip")
    assert leaks.in_files(archive, known) == {}
    files = zipfile.ZipFile(archive).namelist()
    assert {f"student/notebooks/{name}" for name in plain.names().values()} < {*files}
    assert "student/lsmtl/data/shipped/breast.h5ad" in files
    files = [f for f in files if not f.endswith("/")]
    books = [f for f in files if f.startswith("student/book/")]
    assert books and all(f.endswith(".jsonl") for f in books)
    assert not [f for f in files if "mistakes" in f or f.endswith(".pyc")]


def test_students_notebooks_have_no_outputs_and_no_metadata_but_tags(tree):
    for notebook in notebooks_of(tree).values():
        assert {*notebook.metadata} == {"kernelspec", "language_info"}
        for cell in notebook.cells:
            assert {*cell.metadata} <= {"tags", "jupyter"}
            assert "solution" not in cell.metadata.get("tags", [])
            if cell.cell_type == "code":
                assert cell.outputs == [] and cell.execution_count is None


def test_every_exercise_has_its_stub_and_its_check(tree):
    cells = [c.source for nb in notebooks_of(tree).values() for c in nb.cells]
    for exercise in EXERCISES.values():
        assert cells.count(exercise.stub) == 1, exercise.name
        following = cells[cells.index(exercise.stub) + 1]
        assert following.startswith(f'lab.check("{exercise.name}", ')


def test_students_pages_name_nothing_that_students_lack(tree):
    pages = {
        **{n: [c.source for c in nb.cells] for n, nb in notebooks_of(tree).items()},
        "data.md": [(tree / "notebooks" / "data.md").read_text("utf-8")],
    }
    for name, texts in pages.items():
        assert not [t for t in texts if re.search(ABSENT, t)], name
        for address in re.findall(r"\]\(([^)#]+)\)", "\n".join(texts)):
            if re.match(r"[\w-]+\.(ipynb|md)$", address):
                assert (tree / "notebooks" / address).is_file(), (name, address)


def test_the_students_package_grades_as_the_books_does(tree):
    """Its checkers are compressed; every solution passes, every stub fails."""
    answers = {e.name: (e.solution, e.stub) for e in EXERCISES.values()}
    program = """if True:
        import ast, json, sys, types
        import numpy as np
        from lsmtl import lab
        for name, sources in json.load(sys.stdin).items():
            for source, right in zip(sources, (True, False)):
                quiet = types.SimpleNamespace(check=lambda *_: None)
                scope = {"np": np, "lab": quiet}
                exec(source, scope)
                function = next(n for n in ast.parse(source).body
                                if isinstance(n, ast.FunctionDef))
                assert bool(lab.check(name, scope[function.name])) == right, name
        print(lab.__file__)
    """
    run = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(answers),
        env=os.environ | {"PYTHONPATH": str(tree)},
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.splitlines()[-1]).is_relative_to(tree)


def test_students_install_exact_versions(tree):
    lines = (tree / "requirements.txt").read_text().splitlines()
    assert lines[:2] == ["-c constraints.txt", "-e ."]
    assert [line for line in lines if line.startswith("jupyterlab==")]
    assert not [line for line in lines[2:] if "==" not in line]
    assert not [x for x in ("sphinx", "jupyter-book", "pytest") if x in str(lines)]
    pins = [
        line.split("==")[0].lower().replace("_", "-")
        for line in (tree / "constraints.txt").read_text().splitlines()
    ]
    assert len(pins) == len({*pins})


# The search for solutions finds what is planted

NAME = "linear-models.2"


def renamed(source):
    """The solution with other names, no docstring and another layout."""
    tree = ast.parse(source)
    (function,) = (n for n in tree.body if isinstance(n, ast.FunctionDef))
    function.name, function.body = "mine", function.body[1:]
    local = {a.arg for a in function.args.args}
    local |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} - leaks.KEPT
    for node in ast.walk(function):
        for name in ("id", "arg"):
            if getattr(node, name, None) in local:
                setattr(node, name, f"my_{getattr(node, name)}")
    return ast.unparse(function)


def planted(solution):
    """The ways in which a solution may get somewhere, as texts of files."""
    cell = nbformat.v4.new_code_cell("1 + 1")
    other = renamed(solution)
    yield "as it is", solution
    yield "renamed", other
    yield "kept in a variable", re.sub(r"\breturn\b", "answer =", other)
    yield "in prose", f"Look:\n\n```python\n{other}\n```\nThat is all."
    yield "on a page", f"<div><pre><b>{html.escape(other)}</b></pre></div>"
    yield "in a script", f"var page = 1; show({json.dumps(other)}, 'x')"
    yield "its words", f"<p>{html.escape(solution.split(chr(10))[-4])}</p>"
    for kind in ("metadata", "output", "attachment", "source"):
        notebook = nbformat.v4.new_notebook(cells=[copy.deepcopy(cell)])
        if kind == "metadata":
            notebook.cells[0].metadata["hidden"] = {"deep": [other]}
        elif kind == "output":
            data = {"text/plain": other}
            output = nbformat.v4.new_output("display_data", data=data)
            notebook.cells[0].outputs = [output]
        elif kind == "attachment":
            notebook.metadata[other] = True
        else:
            notebook.cells[0].source = f"x = 1\n\n\n{other}\n\nprint(x)"
        yield kind, nbformat.writes(notebook)


PLANTED = dict(planted(EXERCISES[NAME].solution))


@pytest.mark.parametrize("way", PLANTED)
def test_a_planted_solution_is_found(known, way):
    assert leaks.in_text(PLANTED[way], known) == [NAME]


def test_every_solution_is_found_under_other_names(known):
    for exercise in EXERCISES.values():
        assert exercise.name in leaks.in_text(renamed(exercise.solution), known)


def test_what_is_no_solution_is_not_found(known):
    for exercise in EXERCISES.values():
        assert leaks.in_text(exercise.stub, known) == []


def test_a_solution_in_a_folder_or_zip_is_told_with_its_file(known, tmp_path):
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "innocent.py").write_text("x = 1\n")
    (folder / "notes.txt").write_text(PLANTED["renamed"])
    with zipfile.ZipFile(tmp_path / "student.zip", "w") as archive:
        archive.write(folder / "notes.txt", "student/notes.txt")
    assert leaks.in_files(folder, known) == {"notes.txt": [NAME]}
    found = leaks.in_files(tmp_path / "student.zip", known)
    assert found == {"student/notes.txt": [NAME]}


def test_a_folder_can_be_checked_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["classroom", "check", str(tmp_path)])
    classroom_main()
    assert "no solution" in capsys.readouterr().out
    (tmp_path / "notes.txt").write_text(PLANTED["renamed"])
    with pytest.raises(SystemExit, match=rf"notes.txt: {NAME}"):
        classroom_main()
    monkeypatch.setattr(sys, "argv", ["classroom", "check", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="there is no"):
        classroom_main()


def test_there_is_no_zip_with_a_solution(tmp_path, monkeypatch):
    def careless(chapter, solved=False):
        return plain.notebook(chapter, solved=True)

    chapter = next(c for c in chapters() if c.stem == "linear-models")
    monkeypatch.setattr(material, "PACKAGE", ())
    monkeypatch.setattr(material, "plain", types.SimpleNamespace(**vars(plain)))
    monkeypatch.setattr(material.plain, "notebook", careless)
    with pytest.raises(ValueError, match=r"linear-models\.ipynb: .*linear-models\.2"):
        material.student(tmp_path / "student", [chapter])
    assert not (tmp_path / "student.zip").exists()


# Markdown that JupyterLab understands

HINTS = """````{admonition} Hint 1
:class: tip dropdown
Look at {eq}`eq-lsr`.

```{admonition} Hint 2
:class: tip dropdown
Then at $x$.
```
````"""


def test_hints_fold_out_one_after_the_other():
    text = plain.plain(HINTS, "linear-models")
    assert re.sub(r"\s+", " ", text) == (
        "<details> <summary>Hint 1</summary> Look at (1). "
        "<details> <summary>Hint 2</summary> Then at $x$. </details> </details>"
    )
    assert "</summary>\n\n" in text  # else the inside isn't read as Markdown


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("{cite}`beck2009` and {cite}`chen2016,tibshirani1996`",
         "(Beck and Teboulle 2009) and (Chen et al. 2016; Tibshirani 1996)"),
        ("[](../problem/transcriptome.md)",
         "[A transcriptome from a thousand genes](01-transcriptome.ipynb)"),
        ("[here](table-1.md)", "[here](13-table-1.ipynb)"),
        ("(what-it-is)=\n## What it is", "## What it is"),
        ("One.\n% a remark\nTwo.", "One.\nTwo."),
        ("{eq}`the sum <eq-lsr>`", "the sum, (1)"),
        ("% book only\n`make x`\n% end of book only\nRest.", "Rest."),
        ("```{admonition} Wrap-up\n$$\na\nb\n$$\n```",
         "> **Wrap-up**\n>\n> $$ a b $$"),
        ("```python\n{not}`a role`\n```", "```python\n{not}`a role`\n```"),
        ("$$\nx\n$$ (eq-normal)", "$$\nx \\tag{2}\n$$"),
        ("```{exercise-start} Halves\n:label: linear-models-2\n```",
         "### Exercise 2 · Halves"),
    ],
)  # fmt: skip
def test_myst_becomes_plain_markdown(myst, markdown):
    assert plain.plain(myst, "linear-models") == markdown


@pytest.mark.parametrize(
    "myst",
    ["```{figure} a.png\n```", "{abbr}`x`", "{eq}`eq-nowhere`", "[](nowhere.md)"],
)
def test_what_has_no_translation_is_refused(myst):
    with pytest.raises(ValueError, match=r"^linear-models: .*(figure|abbr|nowhere)"):
        plain.plain(myst, "linear-models")


def test_folded_cells_are_folded_in_jupyterlab_too():
    (chapter,) = (c for c in chapters() if c.stem == "linear-models")
    for cell in plain.notebook(chapter).cells:
        tags = {*cell.metadata.get("tags", [])}
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == bool(tags & {"hide-input", "remove-input"})


def test_what_follows_a_prediction_waits_for_it():
    for chapter in CHAPTERS:
        open_, solved = plain.notebook(chapter), plain.notebook(chapter, solved=True)
        waiting = [
            c for c in open_.cells if "hide-output" in c.metadata.get("tags", [])
        ]
        assert waiting and all(c.source.startswith("%%capture\n") for c in waiting)
        assert "%%capture" not in str(solved)
        code = [c.source for c in solved.cells if c.cell_type == "code"]
        told = jupytext.read(chapter).cells
        assert code == [c.source for c in told if c.cell_type == "code"]


# What instructors get


def test_marking_notes_tell_of_every_exercise_and_mistake():
    chapter = next(c for c in chapters() if c.stem == "linear-models")
    notes = marking.notes([chapter])
    for exercise in exercises(chapter):
        assert exercise.title in notes and exercise.trains in notes
    wrong = marking.mistakes("linear-models")
    assert len(wrong) == len(exercises(chapter))
    assert notes.count("\n✗ ") == sum(map(len, wrong))
    assert "\n✓" not in notes
    points = sum(marking.POINTS[e.kind] for e in exercises(chapter))
    assert f"All together: {points} points" in notes


SMALL = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Small

```{code-cell} ipython3
import os
print("shown", os.urandom(8).hex())
```
"""


def test_outputs_are_made_once_and_then_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(executed.notebooks, "cache", lambda: tmp_path / "cache")
    chapter = tmp_path / "small.md"
    chapter.write_text(SMALL)
    first, second = executed.run(chapter), executed.run(chapter)
    (cell,) = (c for c in first.cells if c.cell_type == "code")
    assert cell.outputs[0].text.startswith("shown ")
    assert [c.outputs for c in second.cells if c.cell_type == "code"] == [cell.outputs]
    cells = [nbformat.v4.new_code_cell(cell.source)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    executed.add_outputs(notebook, chapter)
    assert notebook.cells[0].outputs == cell.outputs
    notebook.cells[0].source = "another"
    with pytest.raises(ValueError, match="other code"):
        executed.add_outputs(notebook, chapter)


DOWNLOADED = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Small

See [](masked-low-rank.md).

```{exercise-start} Halves
:label: small-1
```
Predict.

```{code-cell} ipython3
:tags: [hide-output]
print("of a prediction")
```
```{exercise-end}
```

```{solution-start} small-1
:class: dropdown
```
```{code-cell} ipython3
:tags: [solution]
print("of a solution")
```
```{solution-end}
```

```{code-cell} ipython3
print("of an" + " experiment")
```
"""


def test_a_page_s_notebook_has_outputs_but_none_of_solutions(tmp_path, monkeypatch):
    monkeypatch.setattr(executed.notebooks, "cache", lambda: tmp_path / "cache")
    chapter = tmp_path / "small.md"
    chapter.write_text(DOWNLOADED)
    made = pages.notebook(chapter)
    nbformat.validate(made)
    waiting, shown = (c for c in made.cells if c.cell_type == "code")
    assert waiting.source.startswith(plain.WAITS) and waiting.outputs == []
    assert [o.text for o in shown.outputs] == ["of an experiment\n"]
    assert "of a solution" not in nbformat.writes(made)
    text = "".join(c.source for c in made.cells if c.cell_type == "markdown")
    assert "*The masked low-rank sub-network*" in text and ".ipynb" not in text


def test_a_drawing_becomes_an_image_with_its_words(tmp_path, monkeypatch):
    """JupyterLab takes `<svg>` out of a notebook that it doesn't trust."""
    drawn = lab.drawing("fig-1a", 'A "base" network.').data
    cell = nbformat.v4.new_code_cell("x")
    output = nbformat.v4.new_output("display_data", {"text/html": drawn})
    done = nbformat.v4.new_code_cell("x", outputs=[output])
    made = nbformat.v4.new_notebook(cells=[done])
    monkeypatch.setattr(executed, "run", lambda _: made)
    executed.add_outputs(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "x.md")
    page = BeautifulSoup(cell.outputs[0].data["text/html"], "html.parser")
    assert not page.svg and page.img["alt"] == 'A "base" network.'
    head, _, data = page.img["src"].partition(",")
    assert head == "data:image/svg+xml;base64"
    svg = ElementTree.fromstring(base64.b64decode(data))
    shown = {
        "".join(e.itertext()) for e in svg.iter("{http://www.w3.org/2000/svg}text")
    }
    assert "landmarks" in " ".join(shown) and "white" in svg.get("style")


@pytest.mark.parametrize("chapter", chapters(), ids=lambda c: c.stem)
def test_notebooks_to_download_name_other_chapters_without_links(chapter, monkeypatch):
    monkeypatch.setattr(executed, "add_outputs", lambda *_: None)
    made = pages.notebook(chapter)
    text = "".join(c.source for c in made.cells if c.cell_type == "markdown")
    assert not re.findall(r"\]\((?!https?:|#|mailto:)[^)]*\)", text)


# What nbgrader gets (scripts/try_nbgrader.py tries it with nbgrader itself)

CHAPTERS = [c for c in chapters() if exercises(c)]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)
def test_an_assignment_is_the_solution_and_what_is_cut_leaves_the_stub(chapter):
    marked = [c for c in grading.assignment(chapter).cells if "nbgrader" in c.metadata]
    ids = [c.metadata.nbgrader.grade_id for c in marked]
    assert len(ids) == len({*ids}) == 2 * len(exercises(chapter))
    pairs = zip(marked[::2], marked[1::2], strict=True)
    for (answer, grade), exercise in zip(pairs, exercises(chapter), strict=True):
        assert answer.metadata.nbgrader.solution and not answer.metadata.nbgrader.grade
        assert grade.metadata.nbgrader.grade and grade.metadata.nbgrader.locked
        assert grade.metadata.nbgrader.points == marking.POINTS[exercise.kind]
        cut = re.sub(
            r" +### BEGIN SOLUTION\n.*?### END SOLUTION",
            '    raise NotImplementedError("your turn")',
            answer.source,
            flags=re.S,
        )
        assert cut == exercise.stub
        scope, checks = {"np": np}, types.SimpleNamespace(check=check)
        exec(answer.source, scope)
        exec(grade.source, scope | {"lab": checks})
        exec(cut, scope)
        with pytest.raises(AssertionError, match="Not written yet"):
            exec(grade.source, scope | {"lab": checks})


def test_what_others_wrote_is_not_removed(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("all of it")
    for make in (material.student, material.instructor):
        with pytest.raises(ValueError, match="holds something else"):
            make(mine, [])
    assert (mine / "thesis.txt").exists()
    monkeypatch.setattr("sys.argv", ["classroom", "student", str(mine)])
    with pytest.raises(SystemExit, match=r"error: .*mine holds something else"):
        classroom_main()


def test_new_assignments_leave_a_course_as_it_is(tmp_path):
    (tmp_path / "submitted").mkdir()
    (tmp_path / "nbgrader_config.py").write_text("mine")
    (tmp_path / "source" / "old").mkdir(parents=True)
    grading.tree(tmp_path, [next(c for c in chapters() if c.stem == "transcriptome")])
    assert (tmp_path / "submitted").exists()
    assert (tmp_path / "nbgrader_config.py").read_text() == "mine"
    assert [p.name for p in (tmp_path / "source").iterdir()] == ["transcriptome"]
