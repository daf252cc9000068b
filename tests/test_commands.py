"""The commands around chapters, as a user calls them, and what a notebook carries."""

import json
import os
import re
import subprocess
import sys
import warnings

import nbformat
import pandas as pd
import papermill
import pytest
from bs4 import BeautifulSoup

from lsmtl import __main__ as command
from lsmtl.lab import (
    carried,
    catalogue,
    commands,
    completion,
    contents,
    records,
    running,
)
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.notebooks import ROOT, chapters

CHAPTER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A page

**Time**: 7 minutes to read.

```{code-cell} ipython3
:tags: [parameters]
preset = None
dataset = "ecoli"
seed = 0
```

```{code-cell} ipython3
from lsmtl import lab

chapter = lab.start("transcriptome", preset=preset, dataset=dataset, seed=seed)
```

```{code-cell} ipython3
runs = chapter.results()
found = chapter.evidence()
```
"""
FAILS = "\n```{code-cell} ipython3\nrows = [1, 2]\nprint(rows[seed + 2])\n```\n"


@pytest.fixture(autouse=True)
def away(tmp_path, monkeypatch):
    """Work in an empty folder, with records of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path / "records"))
    monkeypatch.delenv("LSMTL_PRESET", raising=False)


def lines(capsys):
    found = capsys.readouterr()
    return found.out.splitlines(), found.err.splitlines()


# --- Chapters ---------------------------------------------------------------------


def test_all_chapters_are_listed_in_the_order_of_the_book(capsys):
    assert command.main(["chapters"]) == 0
    names = [line.split(":")[0] for line in lines(capsys)[0] if line[0] != " "]
    assert sorted(names) == sorted(page.stem for page in chapters())
    order = [page.stem for page in contents.pages().values()]
    assert names == sorted(names, key=order.index)
    assert set(EXPERIMENTS) <= set(names)


def test_a_chapter_is_listed_with_what_it_takes(capsys):
    assert command.main(["chapters"]) == 0
    text = capsys.readouterr().out
    about = text[text.index("masked-low-rank: ") :].split("\n")[:3]
    minutes = contents.pages()["derivation/masked-low-rank"].minutes
    title = "The masked low-rank sub-network"
    assert about[0] == f"masked-low-rank: {title}, {minutes} min"
    assert about[1] == "  presets: ci, laptop, gpu, paper"
    assert "breast, ecoli, arrays, gtex59, geo (preset paper), the path" in about[2]


# --- Run --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["masked-low-rang"], r"chapter must be one of .*; got 'masked-low-rang'"),
        (["gain", "-p", "sead=1"], "must be one of preset, dataset, seed; got 'sead'"),
        (["gain", "--preset", "tiny"], "preset must be one of ci.*; got 'tiny'"),
        (["gain", "-p", "dataset=brest"], "dataset must be one of breast"),
        (["gain", "--preset", "paper"], "preset paper must be one of simulated, geo"),
        (["gain", "-p", "seed=-1"], "seed must be a whole number of at least 0"),
        (["gain", "-p", "seed=one"], "seed must be a whole number.*'one'"),
        (["gain", "-p", "seed"], "-p must be NAME=VALUE, got 'seed'"),
        (["gain", "-p", "seed=1", "-p", "seed=2"], "seed is given twice"),
        (["gain", "--preset", "ci", "-p", "preset=ci"], "preset is given twice"),
        (["gain", "--dataset", "none.h5ad"], "there is no file 'none.h5ad'"),
        (["cost", "--dataset", "own.h5ad"], "cost doesn't run on a file"),
        (["verdict", "-p", "seed=1"], "must be one of preset; got 'seed'"),
        (["verdict", "--preset", "tiny"], "preset must be one of ci.*'tiny'"),
        (["gain", "-o", "out.md"], "out.md must end in .ipynb"),
        (["gain", "-o", "there.ipynb"], "there.ipynb is there already"),
        (["gain", "-o", "no/out.ipynb"], "out.ipynb can't be written"),
        (["your-own-matrix", "-p", "genes=rows"], "genes: only for a file"),
    ],
)
def test_what_is_not_allowed_is_said_in_a_line_and_nothing_runs(
    tmp_path, capsys, monkeypatch, arguments, said
):
    monkeypatch.setattr(papermill, "execute_notebook", pytest.fail)
    for name in ("own.h5ad", "there.ipynb"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.iterdir())
    assert command.main(["run", *arguments]) == 2
    out, err = lines(capsys)
    assert out == [] and len(err) == 1
    assert re.search(said, err[0])
    assert sorted(tmp_path.iterdir()) == before


def test_a_notebook_there_is_replaced_by_force_only(tmp_path, monkeypatch):
    (tmp_path / "gain.ipynb").touch()
    ran = []
    monkeypatch.setattr(commands, "execute", lambda *given: ran.append(given[1:]))
    assert command.main(["run", "gain", "--dataset", "ecoli"]) == 2
    again = ["run", "gain", "--dataset", "ecoli", "-p", "seed=3", "--force"]
    assert command.main(again) == 0
    ((parameters, out),) = ran
    assert parameters == {"dataset": "ecoli", "seed": 3}
    assert out.name == "gain.ipynb"


def page(tmp_path, text):
    path = tmp_path / "transcriptome.md"
    path.write_text(text, "utf-8")
    return catalogue.read_chapter(path)


def test_an_executed_notebook_carries_what_it_ran_with(tmp_path, capsys):
    chapter, out = page(tmp_path, CHAPTER), tmp_path / "out.ipynb"
    assert (chapter.title, chapter.minutes) == ("A page", 7)
    assert commands.execute(chapter, {"seed": 100}, out) == 0
    notebook = nbformat.read(out, as_version=4)
    about = notebook.metadata["lsmtl"]
    assert about["chapter"] == "transcriptome"
    assert about["parameters"] == {"preset": "ci", "dataset": "ecoli", "seed": 100}
    new = [
        json.loads(line)
        for line in (tmp_path / "records" / "transcriptome.jsonl")
        .read_text()
        .splitlines()
    ]
    assert about["records"]["made"] == [records.key(record) for record in new] != []
    assert about["records"]["found"] == []
    assert all(about["versions"] == record["versions"] for record in new)
    assert {record["code"] for record in new} == {about["code"]}
    looked_up = {
        f"{row.experiment}, {row.preset}, {row.dataset}": row.recorded
        for row in catalogue.inventory([EXPERIMENTS["transcriptome"]]).itertuples()
        if row.recorded and row.preset != "ci"
    }
    assert about["records"]["read"].items() >= looked_up.items() != set()

    # A second time nothing is made; papermill alone gives the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        papermill.execute_notebook(chapter.path, out, {"seed": 100}, progress_bar=False)
    notebook = nbformat.read(out, as_version=4)
    again = carried.read(notebook)
    assert again["records"]["found"] == about["records"]["made"]
    assert again["records"]["made"] == []
    assert {**again, "records": 0} == {**about, "records": 0}
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert [o.data for o in outputs if o.output_type != "stream"] == [{}]


def test_a_failing_cell_is_shown_in_a_few_lines(tmp_path, capsys):
    text = CHAPTER[: CHAPTER.rindex("```{code-cell}")] + FAILS
    assert commands.execute(page(tmp_path, text), {}, tmp_path / "out.ipynb") == 1
    err = [line for line in lines(capsys)[1] if "cell/s" not in line]
    assert "failed at: print(rows[seed + 2])" in err[-3]
    assert err[-2] == "IndexError: list index out of range"
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert notebook.metadata["lsmtl"]["parameters"]["dataset"] == "ecoli"


def test_a_notebook_that_was_not_executed_carries_nothing():
    assert carried.read(nbformat.v4.new_notebook()) is None


def test_a_page_of_records_carries_them_too(tmp_path):
    text = CHAPTER.replace('dataset = "ecoli"\nseed = 0\n', "")
    text = text[: text.index("chapter = ")] + (
        'lab.page(preset=preset)\nfound = lab.evidence("transcriptome")\n```\n'
    )
    out = tmp_path / "out.ipynb"
    assert commands.execute(page(tmp_path, text), {"preset": "laptop"}, out) == 0
    about = nbformat.read(out, as_version=4).metadata["lsmtl"]
    assert about["chapter"] is None and about["parameters"] == {"preset": "laptop"}
    assert "transcriptome, laptop, breast" in about["records"]["read"]


# --- Records ----------------------------------------------------------------------


@pytest.fixture
def one(monkeypatch, tmp_path):
    """Records of one experiment only: those of `transcriptome` on `ecoli`, laptop."""
    experiment = EXPERIMENTS["transcriptome"]
    every = [
        record
        for record in records.read("transcriptome").values()
        if (record["preset"], record["dataset"]) == ("laptop", "ecoli")
    ]
    monkeypatch.setattr(records, "COMMITTED", tmp_path / "committed")
    for record in every[1:]:
        records.write(record)
    return experiment, every


def test_the_inventory_counts_what_is_recorded(one):
    experiment, every = one
    found = catalogue.inventory([experiment], "laptop", "ecoli")
    (row,) = found.itertuples()
    assert row.runs == len(every)
    assert row.recorded == row.own == len(every) - 1
    assert row.wall_s == pytest.approx(sum(r["wall_s"] for r in every[1:]))
    assert row.longest_s == max(r["wall_s"] for r in every[1:])
    assert row.peak_mb == max(r["peak_memory_mb"] for r in every[1:])
    records.write(every[0])
    (row,) = catalogue.inventory([experiment], "laptop", "ecoli").itertuples()
    assert row.recorded == row.runs


def test_records_are_listed_complete_or_missing(one, capsys):
    wanted = ["records", "--experiment", "transcriptome", "--preset", "laptop"]
    assert command.main(wanted) == 0
    out, _ = lines(capsys)
    assert [line.split()[:4] for line in out[:2]] == [
        ["transcriptome", "breast", "laptop", "missing"],
        ["transcriptome", "ecoli", "laptop", f"{len(one[1]) - 1}"],
    ]
    records.write(one[1][0])
    assert command.main([*wanted, "--missing"]) == 0
    assert "ecoli" not in capsys.readouterr().out
    assert command.main([*wanted, "--dataset", "ecoli"]) == 0
    assert "complete" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["experiment", "preset", "dataset"])
def test_records_of_what_is_not_there_are_refused(capsys, name):
    assert command.main(["records", f"--{name}", "none"]) == 2
    _, err = lines(capsys)
    assert len(err) == 1
    assert re.match(rf"error: {name} must be one of .*; got 'none'", err[0])


# --- Completion -------------------------------------------------------------------


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_shell_gets_every_chapter_preset_and_parameter(capsys, shell):
    assert command.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name in (*EXPERIMENTS, "verdict", "laptop", "gtex59", "seed=", "missing"):
        assert name in script


def test_bash_completes(tmp_path, capsys):
    command.main(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    cases = {
        "lsmtl re": {"records"},
        "lsmtl run masked-low-": {"masked-low-rank"},
        "lsmtl run gain --dataset gtex": {"gtex59"},
        "lsmtl run gain -p se": {"seed="},
        "lsmtl run gain -p dataset = eco": {"ecoli"},
        "lsmtl run gain -p preset = ": {"ci", "laptop", "gpu", "paper"},
        "lsmtl records --preset la": {"laptop"},
    }
    for line, expected in cases.items():
        words = line.split(" ")
        if words[-2:] == ["=", ""]:  # so bash has it
            words.pop()
        ask = (
            f"source ./script; COMP_WORDS=({' '.join(words)}); "
            f'COMP_CWORD={len(words) - 1}; _lsmtl; echo "${{COMPREPLY[*]}}"'
        )
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
        assert set(done.stdout.split()) == expected, (line, done.stderr)


def test_a_reader_that_stops_early_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m lsmtl chapters | head -1",
        shell=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr == "" and done.stdout.startswith("transcriptome: ")


# --- The page ---------------------------------------------------------------------


def test_every_parameter_is_in_the_table_with_its_default():
    table = BeautifulSoup(running.parameters("").data, "html.parser")
    found = {}
    for body in table.find_all("tbody"):
        chapter, *rows = body.find_all("tr")
        found[chapter.text] = {
            row.th.text: [cell.text for cell in row.find_all("td")] for row in rows
        }
    assert set(found) == {path.stem for path in chapters()}
    for path in chapters():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = papermill.inspect_notebook(path)
        shown = found[path.stem]
        assert {k: v["default"] for k, v in known.items()} == {
            name: default.replace("'", '"') for name, (default, _) in shown.items()
        }
        for name, (_, allowed) in shown.items():
            assert not allowed.endswith("as the chapter says"), (path.stem, name)
        if path.stem in EXPERIMENTS:
            words = re.findall(r"[\w-]+", shown["dataset"][1])
            assert set(EXPERIMENTS[path.stem].datasets) <= set(words)


def test_times_are_those_of_complete_presets():
    found = running.took()
    assert (found["recorded"] == found["runs"]).all() and "ci" not in set(
        found["preset"]
    )
    table = running.by_chapter(found).set_index(["chapter", "preset"])
    mine = found[(found["experiment"] == "gain") & (found["preset"] == "laptop")]
    row = table.loc["gain", "laptop"]
    assert row["sets"] == len(mine) and row["runs"] == mine["runs"].sum()
    assert row["all"] == commands.span(mine["wall_s"].sum())
    assert row["GB"] == f"{mine['peak_mb'].max() * 2**20 / 1e9:.1f}"


def test_measured_pages_are_shown_in_the_order_of_the_book(monkeypatch, tmp_path):
    monkeypatch.setattr(records, "COMMITTED", tmp_path)
    assert all(found.empty for found in running.pages())
    assert "measured yet" in running.waited(running.pages()[0]).to_string()
    assert "aren't measured yet" in running.class_of(running.pages()[1])
    made = []
    for chapter, kernels, total in [
        ("gain", 1, 9.0),
        ("gain", 1, 500.0),
        ("transcriptome", 1, 400.0),
        ("gain, together", 4, 1700.0),
        ("gain, together", 1, 500.0),
    ]:
        metrics = {"seconds": 20.0, "cpu_seconds": 15.0, "peak_mb": 600.0}
        how = {"benchmark": "chapters", "kernels": kernels, "cores": 2}
        record = {"method": chapter, "configuration": how, "date": str(len(made))}
        made.append(record | {"metrics": metrics | {"sum_mb": total}})
    monkeypatch.setattr(records, "read", lambda name: dict(enumerate(made)))
    alone, several = running.pages()
    assert [*running.waited(alone)["chapter"]] == ["transcriptome", "gain"]
    assert isinstance(several, pd.DataFrame) and [*several["kernels"]] == [1, 4]
    assert "each further kernel adds 0.42 GB" in running.class_of(several)
