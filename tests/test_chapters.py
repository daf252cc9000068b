"""The chapters as stored: readable cells, strict parameters, papermill as it stands."""

import json
import os
import subprocess
import sys

import jupytext
import pytest

from lsmtl import lab
from lsmtl.lab import chapter as chapter_module
from lsmtl.lab.notebooks import ROOT, chapters

CELLS = [
    pytest.param(cell.source, id=f"{chapter.stem}-{number}")
    for chapter in chapters()
    for number, cell in enumerate(jupytext.read(chapter).cells)
    if cell.cell_type == "code"
]


@pytest.mark.parametrize("source", CELLS)
def test_a_cell_fits_a_phone_and_a_glance(source):
    lines = source.splitlines()
    if not any(line.startswith(("import ", "from ")) for line in lines):
        assert len(lines) <= 15
    assert max(map(len, lines)) <= 78


def papermill(chapter, output, *parameters, records=None, cwd=ROOT):
    """Run a chapter as the README says, with its records kept apart."""
    return subprocess.run(
        [sys.executable, "-m", "papermill", chapter, output, *parameters],
        cwd=cwd,
        env=os.environ
        | {"LSMTL_RECORDS": str(records or output.parent), "LSMTL_PRESET": "ci"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("presett", "ci", "preset, dataset, seed"),
        ("preset", "tiny", "ci, laptop"),
        ("dataset", "brest", "breast, ecoli"),
        ("seed", "-1", "at least 0"),
    ],
)
def test_a_mistyped_parameter_stops_the_run(tmp_path, parameter, value, allowed):
    run = papermill(
        "book/problem/transcriptome.md", tmp_path / "o.ipynb", "-p", parameter, value
    )
    assert run.returncode != 0
    assert allowed in run.stderr


def test_a_chapter_runs_on_another_dataset_as_it_stands(tmp_path):
    output = tmp_path / "out.ipynb"
    run = papermill(
        "book/derivation/masked-low-rank.md",
        output,
        *("-p", "preset", "ci", "-p", "dataset", "ecoli"),
    )
    assert run.returncode == 0, run.stderr
    text = output.read_text("utf-8")
    assert json.loads(text)["metadata"]["papermill"]["exception"] is None
    assert "ci · ecoli" in text and "ci · breast" not in text
    lines = (tmp_path / "masked-low-rank.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["dataset"] for line in lines} == {"ecoli"}


def test_a_chapter_is_read_from_any_place(tmp_path):
    chapter = ROOT / "book" / "problem" / "transcriptome.md"
    run = papermill(chapter, tmp_path / "o.ipynb", "-p", "preset", "no", cwd=tmp_path)
    assert "preset must be one of ci" in run.stderr


def test_a_page_without_runs_takes_a_preset_and_nothing_else(monkeypatch):
    given = ["preset"]
    monkeypatch.setattr(chapter_module, "_injected", lambda: given)
    monkeypatch.delenv("LSMTL_PRESET", raising=False)
    for preset in (None, *chapter_module.PRESETS):
        lab.page(preset=preset)
    with pytest.raises(ValueError, match=r"preset must be one of ci.*tiny"):
        lab.page(preset="tiny")
    given.append("dataset")
    with pytest.raises(ValueError, match=r"one of preset; got .*dataset"):
        lab.page(preset="ci")


def test_evidence_of_another_chapter_is_its_own(monkeypatch):
    chapter = lab.start("masked-low-rank", preset="ci")
    own, other = chapter.evidence(), lab.evidence("masked-low-rank")
    assert own and set(own) == set(other)
    for name, (runs, badge) in own.items():
        assert runs.equals(other[name][0]) and badge == other[name][1]
    with pytest.raises(ValueError, match=r"experiment .*masked-low-rank"):
        lab.evidence("masked-low-rang")
