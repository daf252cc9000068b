"""The errata: a check that fails shows as failed, and the page confirms its list."""

import re

import jupytext
import pytest

from lsmtl.lab.errata import DOCUMENTS, KINDS, WAYS, Errata
from lsmtl.lab.notebooks import ROOT

PAGE = ROOT / "book" / "replication" / "errata.md"
TEXT = PAGE.read_text("utf-8")


def test_a_failed_check_shows_and_stays_failed():
    errata = Errata()
    assert "✓ L1 checked here" in errata.check("L1", True).data
    shown = errata.check("L1", True, False).data
    assert "✗ L1: fact 2 of 2 doesn't hold" in shown
    errata.check("L1", True)
    assert errata.word("L1") == "✗ failed"
    assert "✗ failed" in errata.overview().data
    assert errata.confirmed()[0] == 0


def test_a_check_that_was_forgotten_shows():
    errata = Errata()
    errata.check("L1", True)
    computed = (errata.entries["way"] == "computed").sum()
    assert errata.overview().data.count("✗ missing") == computed - 1
    assert errata.confirmed() == (1, computed - 1)


def test_only_what_is_computed_can_be_checked_and_only_by_facts():
    errata = Errata()
    with pytest.raises(ValueError, match=r"erratum must be one of L1, .*; got .L3"):
        errata.check("L3", True)
    with pytest.raises(ValueError, match="no fact is given for L1"):
        errata.check("L1")


def test_every_entry_has_its_place_on_the_page_and_the_page_no_other():
    entries = Errata().entries
    assert entries.index.is_unique and entries.notna().all(axis=None)
    assert set(entries["kind"]) <= set(KINDS) and set(entries["way"]) <= set(WAYS)
    assert {name[0] for name in entries.index} == set(DOCUMENTS)
    placed = re.findall(r"^\(erratum-(\w+)\)=\n### (\w+): ", TEXT, re.M)
    assert placed == [(name.lower(), name) for name in entries.index]
    blocks = re.split(r"^\(erratum-\w+\)=\n", TEXT, flags=re.M)[1:]
    for (name, entry), block in zip(entries.iterrows(), blocks, strict=True):
        assert f"\n*{entry['kind'].capitalize()}" in block, name
        assert (f'errata.check("{name}"' in block) == (entry["way"] == "computed")
        said = "It is seen by reading" in block or "It is seen in the code" in block
        assert said == (entry["way"] == "read"), name


def test_the_page_confirms_all_that_it_computes(monkeypatch):
    monkeypatch.delenv("LSMTL_PRESET", raising=False)
    shown = []

    class Display:
        def update(self, table):
            shown.append(table.data)

    scope = {"display": lambda *_, **__: Display()}
    for cell in jupytext.reads(TEXT, "md:myst").cells:
        if cell.cell_type == "code":
            exec(cell.source, scope)
    assert "✗" not in shown[-1] and "✓ yes" in shown[-1]
