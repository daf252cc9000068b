"""The decks: every pick exists, nothing of a solution is in them, panels stay whole."""

import itertools
import re
from types import SimpleNamespace

import jupytext
import matplotlib.pyplot as plt
import pytest

from classroom import executed
from classroom.slides import __main__ as slides
from classroom.slides import chapters, decks, html, panels
from lsmtl.lab import contents, notebooks, show

DECKS = decks.load()
PARTS = {
    part: [page.name for page in pages]
    for part, pages in contents.parts(contents.pages()).items()
}
every_deck = pytest.mark.parametrize("part", DECKS)


def shown(part):
    """The slides of a deck, each with its chapter, without outputs."""
    for name, listed in DECKS[part].items():
        chapter = chapters.read(name)
        for slide in decks.slides(chapter, listed):
            yield slide, chapter


@every_deck
def test_every_pick_is_in_its_chapter_and_a_lecture_long(part):
    assert 10 <= len(list(shown(part))) <= 45


def test_decks_have_the_parts_and_chapters_of_the_book_in_its_order():
    """All chapters with exercises are in a deck; other pages may be."""
    assert list(DECKS) == [part for part in PARTS if part in DECKS]
    for part, names in PARTS.items():
        deck = list(DECKS.get(part, {}))
        assert deck == [name for name in names if name in deck]
        taught = [n for n in names if "exercise-start" in text(n)]
        assert not set(taught) - set(deck), f"{part} has chapters without slides"


def text(name):
    return (chapters.BOOK / f"{name}.md").read_text("utf-8")


@every_deck
def test_every_chapter_asks_a_question_if_it_has_exercises(part):
    asked = {chapter.name for slide, chapter in shown(part) if slide.kind == "question"}
    assert asked == {n for n in DECKS[part] if "exercise-start" in text(n)}


@every_deck
def test_nothing_of_a_solution_is_in_a_deck(part):
    blocks = [
        block
        for slide, _ in shown(part)
        for block in [*slide.notes, *(block for _, block in slide.shown)]
    ]
    deck = "\n".join(block.source for block in blocks)
    assert "lab.check" not in deck and "Hint" not in deck
    for name in DECKS[part]:
        for cell in jupytext.read(chapters.BOOK / f"{name}.md").cells:
            if "solution" in cell.metadata.get("tags", []):
                stub = notebooks.stub(cell.source).rpartition("\n")[0]
                body = cell.source.partition(stub)[2].partition("\n\n\n")[0].strip()
                assert body and body not in deck, f"{name}:\n{body}"


def test_what_follows_the_first_exercise_cannot_be_picked():
    chapter = chapters.read("derivation/masked-low-rank")
    sources = "\n".join(b.source for s in chapter.sections.values() for b in s)
    assert "lab.check" in text(chapter.name) and "lab.check" not in sources
    assert "raise" not in chapter.exercise[2]


MARKDOWN = """# Title
```{admonition} What you will learn
- One thing.
- Another,
  in two lines.

**Time**: none.
```
## Section
(a-target)=
A sentence.
Its twin, with {eq}`eq-two`.

$$
a = b
$$ (eq-one)

$$
c
$$

$$
d
$$ (eq-two)

```sh
# no heading
```
| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.fixture
def chapter():
    def cell(kind, source):
        return SimpleNamespace(cell_type=kind, source=source)

    question = "```{exercise-start} Try\n:label: x-1\n```\nWrite {eq}`eq-two`."
    stub = 'def f():\n    """Do."""\n    raise NotImplementedError("your turn")'
    cells = [
        cell("markdown", MARKDOWN),
        cell("code", 'print("one "\n      f"two")'),
        cell("markdown", f"More.\n{question}"),
        cell("code", stub),
        cell("code", "secret = 1"),
    ]
    return chapters.split("x", cells)


def test_a_chapter_falls_into_sections_and_blocks(chapter):
    assert list(chapter.sections) == ["Title", "What you will learn", "Section"]
    learn = [(b.kind, b.source) for b in chapter.sections["What you will learn"]]
    assert learn == [
        ("item", "One thing."),
        ("item", "Another, in two lines."),
        ("text", "**Time**: none."),
    ]
    kinds = [b.kind for b in chapter.sections["Section"]]
    assert kinds == ["text"] * 2 + ["math"] * 3 + ["table", "cell", "text"]
    assert chapter.labels() == {"eq-one": 1, "eq-two": 2}
    assert chapter.exercise[:2] == ("Try", "Write {eq}`eq-two`.")


def test_picks_are_found_by_label_phrase_and_kind(chapter):
    listed = [["Section", "eq-two", "A sent", "code: one two", "out x: one two"]]
    _, picked, question = decks.slides(chapter, listed)
    assert [what for what, _ in picked.shown] == ["text", "text", "code", "out x"]
    assert [b.kind for _, b in picked.shown] == ["math", "text", "cell", "cell"]
    assert [b.label for _, b in question.shown] == ["", "eq-two", ""]


@pytest.mark.parametrize(
    ("slide", "complaint"),
    [
        (["Sektion"], "no section 'Sektion'"),
        (["Section", "nowhere"], "in 0 blocks"),
        (["Section", "t"], "in 2 blocks"),
        (["Section", "code: A sentence"], "in 0 blocks"),
        (["Section", "code: secret"], "in 0 blocks"),
    ],
)
def test_a_pick_that_means_none_or_several_is_refused(chapter, slide, complaint):
    with pytest.raises(ValueError, match=complaint):
        list(decks.slides(chapter, [slide]))


def test_text_becomes_html(chapter):
    _, first, one, _, two, table, *_ = chapter.sections["Section"]
    numbers = chapter.labels()
    assert html.text(first, numbers) == "<p>Its twin, with (2).</p>"
    bracketed = chapters.Block("item", "t ({eq}`eq-one`)")
    assert html.text(bracketed, numbers) == "<li>t (1)</li>"
    assert "(1)" in html.text(one, numbers) and r"\[a = b\]" in html.text(one, numbers)
    assert "(2)" in html.text(two, numbers)
    assert "<td>2</td>" in html.text(table, numbers)
    source = "See {cite}`lin1989,wolpert1992` and [](base-networks.md)"
    cited = chapters.Block("text", source)
    assert "[Lin 1989; Wolpert 1992]" in html.text(cited, {})
    assert "<em>Deep base networks</em>" in html.text(cited, {})
    named = chapters.Block("text", "See {ref}`D7 <erratum-d7>`.")
    assert "See <em>D7</em>." in html.text(named, {})
    with pytest.raises(ValueError, match="role 'doc'"):
        html.text(chapters.Block("text", "{doc}`x`"), {})


def output(data):
    cell = {"outputs": [{"output_type": "display_data", "data": {"text/html": data}}]}
    return chapters.Block("cell", "cell", cell=cell)


def test_outputs_are_shown_without_links_and_folds():
    with pytest.raises(ValueError, match="puts out nothing"):
        html.outputs(output('<p><a download="x.csv">x</a></p>'))
    assert html.outputs(output("a<details>b</details>c")) == "ac"
    assert html.outputs(output('a<script type="application/json">{}</script>')) == "a"


def test_rows_of_a_table_are_picked_by_name():
    import pandas as pd

    frame = pd.DataFrame({"name": ["breast, one", "ecoli"], "MAE": [0.5, 0.25]})
    table = show.table(frame, "Caption").data
    some = html.outputs(output(table), "breast")
    assert "Caption" in some and "0.500" in some and "…" in some
    assert "0.250" not in some
    with pytest.raises(ValueError, match="'gtex'"):
        html.outputs(output(table), "gtex")


def tall(rows=3, **kwargs):
    fig, axes = plt.subplots(rows, 1, figsize=(5, 2.3 * rows), **kwargs)
    for axis, title in zip(axes, ("breast", "ecoli", "arrays"), strict=True):
        axis.plot([0, 1])
        axis.set(title=title, ylabel="MAE")
    axes[-1].set_xlabel("tasks")
    return show.figure(fig, f"test {kwargs}", "Top to bottom.").data


@pytest.mark.parametrize("sharex", [False, True])
def test_a_figure_is_cut_between_its_panels(sharex):
    figure = tall(sharex=sharex)
    height = float(re.search(r'viewBox="0 0 \S+ (\S+)"', figure)[1])
    strips, labels = panels.rows(figure, height)
    assert [s for *_, s in strips] == [sharex, sharex, False]
    assert strips[0][0] == 0 and strips[-1][1] == height
    assert all(a[1] == b[0] for a, b in itertools.pairwise(strips))
    for _, y, _, h in (map(float, box) for box in panels.AXES.findall(figure)):
        assert sum(top < y and y + h < bottom for top, bottom, _ in strips) == 1
    assert strips[-1][0] < labels[0] < labels[1] <= height


def test_panels_side_by_side_are_all_there_or_the_one_that_was_picked():
    figure = tall()
    spread, one = panels.spread(figure), panels.spread(figure, "ecoli")
    assert (spread.count("<use href"), one.count("<use href")) == (3, 1)
    assert panels.MOVED in spread and panels.MOVED not in one
    assert 'aria-label="test' in spread and "Top to bottom." in spread
    with pytest.raises(ValueError, match="'gtex'"):
        panels.spread(figure, "gtex")


def test_a_wide_figure_stays_as_it_is():
    fig, axes = plt.subplots(1, 2)
    axes[0].plot([1, 2])
    figure = show.figure(fig, "wide").data
    assert panels.spread(figure) == figure


def test_a_part_has_a_readable_file_name():
    assert slides.slug("The paper's tables, and more") == "the-papers-tables-and-more"


PAGE = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Title

```{code-cell} ipython3
print("a" + "b")
```
"""


def test_a_chapter_is_executed_once_and_its_failure_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "cache", lambda: tmp_path / "cache")
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    first = executed.run(path)
    with monkeypatch.context() as patched:
        patched.setattr(executed, "NotebookClient", None)  # not needed again
        second = executed.run(path)
    for notebook in (first, second):
        chapter = chapters.split("page", notebook.cells)
        assert html.outputs(chapter.sections["Title"][0]) == "<pre>ab\n</pre>"
    path.write_text(PAGE.replace('"b"', "1"))
    with pytest.raises(RuntimeError, match=r"page failed:[\s\S]*TypeError"):
        executed.run(path)
