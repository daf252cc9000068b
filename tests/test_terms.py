"""The glossary, and the words that lead to it, in a small book of three pages."""

import re

import lsmtl_terms
import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx

GLOSSARY = """# Glossary

```{glossary}
.. forms: kept aside
mask
  What hides a task.
  → [](../a/one.md)

Holm's correction
  Of p-values.

.. not on: two
mean absolute error
MAE
  How far off.
```
"""
ONE = """# A mask in a heading

```{admonition} A box with a mask
The MAE stands here.
```

`mask` in code, [a mask](two.md) in a link; masks in words, and a mask again.
What is kept aside is the same thing.
An unmasked one is not, nor is a well-mask.

- An MAE in a list, mean absolute errors after it.
- Holm's correction has an apostrophe.
"""
TWO = "# Two\n\nThe MAE and the {word} are elsewhere.\n"


def build(folder, glossary=GLOSSARY, word="NaN"):
    """The book's folder of pages and its warnings."""
    for name, text in [
        ("index", "# Start\n\n```{toctree}\n:glob:\n\nbook/*/*\n```\n"),
        ("book/back/glossary", glossary),
        ("book/a/one", ONE),
        ("book/a/two", TWO.format(word=word)),
    ]:
        path = folder / "source" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    settings = {"extensions": ["myst_parser", "sphinx_exercise", "lsmtl_terms"]}
    with open(folder / "log", "w+", encoding="utf-8") as log:
        out = folder / "out"
        Sphinx(
            folder / "source",
            None,
            out,
            folder / "trees",
            "html",
            settings | {"show_warning_types": False},
            status=None,
            warning=log,
        ).build()
    return out / "book", (folder / "log").read_text("utf-8")


def links(page):
    """The links to the glossary on a page."""
    return BeautifulSoup(page.read_text("utf-8"), "html.parser").select(".lsmtl-term")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return build(tmp_path_factory.mktemp("terms"))


def test_the_first_use_in_running_text_leads_to_its_definition(small):
    book, log = small
    mask, mae, holm = links(book / "a" / "one.html")
    assert (mask.text, mae.text, holm.text) == ("masks", "MAE", "Holm’s correction")
    assert mask.parent.text.startswith("mask in code, a mask in a link; masks in")
    assert mask["title"] == "What hides a task."
    assert "is not in" not in log and "no page" not in log
    for found in (mask, mae, holm):
        name, _, anchor = found["href"].partition("#")
        page = (book / "a" / name).resolve().read_text("utf-8")
        assert BeautifulSoup(page, "html.parser").find(id=anchor)


def test_a_page_can_mean_something_else(small):
    assert not links(small[0] / "a" / "two.html")


def test_the_glossary_links_to_no_entry(small):
    assert not links(small[0] / "back" / "glossary.html")


def test_an_entry_that_no_page_uses_is_warned_about(tmp_path):
    more = "mask\n  What hides a task.\n\nunheard of\nUO\n  Nothing."
    _, log = build(tmp_path, GLOSSARY.replace("mask\n  What hides a task.", more))
    assert re.findall(r"no page uses ([\w ]+)", log) == ["unheard of"]


def test_an_abbreviation_that_nothing_explains_is_warned_about(tmp_path):
    _, log = build(tmp_path, word="RMSE of the GPU")
    assert re.findall(r"(\w+) is not in the glossary", log) == ["RMSE"]


def test_a_name_is_found_at_the_start_of_a_sentence_and_in_the_plural():
    found = lsmtl_terms.pattern(["mask", "MAE", "ridge regression", "ridge"])
    text = "Masks, MASK, mae, MAEs, Ridge\nregression, ridges, ridge-like, unmask"
    assert found.findall(text) == ["Masks", "MAEs", "Ridge\nregression", "ridges"]
