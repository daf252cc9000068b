"""Anchors of figures, the pages that list figures and equations, the notebooks."""

import json
import re

import nbformat
import pytest
from browser import SITE
from bs4 import BeautifulSoup

from lsmtl.lab import notebooks

CHAPTERS = [f"book/{c.parent.name}/{c.stem}" for c in notebooks.chapters()]
SHOWN = "figure.lsmtl-figure, table.lsmtl-table"


def soup(name):
    return BeautifulSoup((SITE / f"{name}.html").read_text("utf-8"), "html.parser")


def test_every_figure_and_table_outside_exercises_is_listed_once():
    listed = {}
    for link in soup("book/back/figures").select("ul.lsmtl-shown a"):
        page, _, anchor = link["href"].removeprefix("../").partition(".html#")
        listed.setdefault(f"book/{page}", []).append(anchor)
    there = {}
    for name in CHAPTERS:
        page = soup(name)
        ids = [e["id"] for e in page.select("[id]")]
        shown = page.select(SHOWN)
        assert all(ids.count(e["id"]) == 1 for e in shown)
        there[name] = [
            e["id"] for e in shown if not e.find_parent(class_=["exercise", "solution"])
        ]
    assert listed == {name: ids for name, ids in there.items() if ids}


def test_the_lists_have_no_entry_without_words():
    assert "without a caption" not in soup("book/back/figures").text


def test_an_equation_of_the_paper_leads_to_its_code_and_back():
    equations = soup("book/back/equations")
    for name in CHAPTERS:
        for line in soup(name).select("p.lsmtl-equation"):
            target = line.a["href"].partition("#")[2]
            entry = equations.find(id=target)
            entry = entry if entry.name == "section" else entry.find_parent("section")
            number = re.match(r"Eqs?\. (\d+)", line.text)[1]
            assert entry.h3.text.startswith(f"Eq. {number}#")
            links = [a["href"] for a in entry.select("a[href]")]
            assert [link for link in links if f"/{name[5:]}.html#" in link]


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_page_with_code_offers_its_executed_notebook(name):
    page, path = soup(name), SITE / "_sources" / f"{name}.ipynb"
    assert [a for a in page.select("a[href]") if a["href"].endswith(f"{name}.ipynb")]
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert any(c.get("outputs") for c in notebook.cells)
    outputs = [o for c in notebook.cells for o in c.get("outputs", ())]
    html = "".join(o["data"].get("text/html", "") for o in outputs if "data" in o)
    images = BeautifulSoup(html, "html.parser").select("figure.lsmtl-figure > img")
    labels = {image["alt"] for image in images}
    for shown in page.select("figure.lsmtl-figure > svg"):
        if not shown.find_parent(class_=["exercise", "solution"]):
            assert shown["aria-label"] in labels


def test_the_index_is_found_by_its_title_and_not_by_what_it_repeats():
    text = (SITE / "searchindex.js").read_text("utf-8")
    index = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", text, re.S)[1])
    number = index["docnames"].index("book/back/figures")

    def stems(part):
        for stem, at in index[part].items():
            if number in (at if isinstance(at, list) else [at]):
                yield stem

    assert {*stems("titleterms")} >= {"figur", "tabl"}
    assert {*stems("terms")} == set()
