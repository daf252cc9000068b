"""Where a built page, its source and the search have solutions: a book of one page."""

import os
import subprocess
import sys

import pytest
from bs4 import BeautifulSoup

from lsmtl.lab.notebooks import ROOT, solutions, without_solutions

PAGE = """---
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

## Exercises

```{exercise-start} Halves
:label: page-1
```
What is half of it?

```{code-cell} ipython3
:tags: [hide-output]
print("revealing" + "output")
```
```{exercise-end}
```

```{solution-start} page-1
:class: dropdown
```
It is the quotientword.

```{code-cell} ipython3
:tags: [solution]
secretname = "resultof" + "solution"
print(secretname)
```
```{solution-end}
```

## Afterwards

The remainder stays.
"""
CONF = """
import sys
sys.path.insert(0, {ext!r})
extensions = ["myst_nb", "sphinx_exercise", "lsmtl_book"]
html_sourcelink_suffix = ""
"""
TELLING = ("quotientword", "secretname", "resultofsolution")


@pytest.fixture(scope="module", params=["yes", "no"])
def site(request, tmp_path_factory):
    """The page built with and without solutions."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "conf.py").write_text(CONF.format(ext=str(ROOT / "book" / "_ext")))
    (folder / "_toc.yml").write_text("root: index\n")
    (folder / "index.md").write_text(PAGE)
    build = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", folder, folder / "html"],
        env=os.environ | {"LSMTL_SOLUTIONS": request.param},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert build.returncode == 0, build.stderr
    return request.param, folder / "html"


def test_a_page_shows_solutions_folded_or_not_at_all(site):
    wanted, html = site
    page = BeautifulSoup((html / "index.html").read_text("utf-8"), "html.parser")
    blocks = page.select("div.solution")
    assert len(blocks) == (wanted == "yes")
    for block in blocks:
        assert "dropdown" in block["class"]
        assert all(word in block.text for word in TELLING)
        block.extract()
    assert not [word for word in TELLING if word in page.text]
    assert ("revealingoutput" in page.text) == (wanted == "yes")
    assert "half of it" in page.text and "The remainder stays" in page.text


def test_sources_and_search_have_no_solution(site):
    _, html = site
    source = (html / "_sources" / "index.md").read_text("utf-8")
    index = (html / "searchindex.js").read_text("utf-8")
    assert "remaind" in index and "The remainder stays" in source
    for text in (source, index):
        assert not [word for word in (*TELLING, "quotient") if word in text]
    assert "solution" not in index.split('"titleterms"')[1]


def test_solutions_are_cut_out_whole():
    (block,) = solutions(PAGE)
    rest = without_solutions(PAGE)
    assert "quotientword" in block and "secretname" in block
    assert "solution" not in rest and "The remainder stays." in rest
    assert without_solutions(rest) == rest


@pytest.mark.parametrize("line", ["```{solution-end}\n```\n", ":tags: [solution]\n"])
def test_a_solution_without_its_gates_is_refused(line):
    broken = PAGE.replace(line, "", 1) if "end" in line else PAGE + "\n" + line
    with pytest.raises(ValueError, match="outside"):
        without_solutions(broken)
