"""Chapters as notebooks: how they are found, read, and when their outputs are stale."""

import nbformat
import pytest

from lsmtl.lab import notebooks


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small checkout, and the state of it."""
    for name in ("lsmtl/a.py", "lsmtl/data/b.h5ad", "book/records/c.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")
    (tmp_path / "constraints.txt").write_text("one")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.delenv("LSMTL_PRESET", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["lsmtl/a.py", "lsmtl/data/b.h5ad", "book/records/c.jsonl", "constraints.txt"],
)
def test_outputs_are_stale_when_code_data_or_records_change(tree, name):
    before = notebooks.state()
    assert notebooks.state() == before
    (tree / name).write_text("two")
    assert notebooks.state() != before


def test_outputs_are_stale_when_a_file_is_renamed_or_the_preset_changes(
    tree, monkeypatch
):
    found = [notebooks.state()]
    (tree / "lsmtl/a.py").rename(tree / "lsmtl/z.py")
    found.append(notebooks.state())
    monkeypatch.setenv("LSMTL_PRESET", "laptop")
    found.append(notebooks.state())
    assert len(set(found)) == 3


def test_outputs_are_fresh_when_only_bytecode_or_prose_changes(tree):
    before = notebooks.state()
    (tree / "lsmtl/a.pyc").write_text("compiled")
    (tree / "book/index.md").write_text("# Title")
    assert notebooks.state() == before


def test_the_reader_gives_chapters_and_notebooks_alike(tmp_path):
    chapter = notebooks.chapters()[0]
    notebook = nbformat.reads(notebooks.reader.read(str(chapter)), as_version=4)
    tags = [c.metadata.get("tags", []) for c in notebook.cells if c.cell_type == "code"]
    assert tags[0] == ["parameters"]
    path = tmp_path / "chapter.ipynb"
    nbformat.write(notebook, path)
    assert nbformat.reads(notebooks.reader.read(str(path)), 4) == notebook


def test_a_solution_without_a_check_is_refused(tmp_path):
    text = (notebooks.chapters()[0]).read_text("utf-8")
    path = tmp_path / "chapter.md"
    path.write_text(text.replace("lab.check(", "lab.grade("), "utf-8")
    with pytest.raises(ValueError, match=r"chapter\.md: a stub or a checked solution"):
        notebooks.exercises(path)
