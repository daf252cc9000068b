"""The map of equations has no gap, and every figure has an address of its own."""

import importlib
from types import SimpleNamespace

import lsmtl_equations as equations
import lsmtl_figures as figures
import pytest
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

from lsmtl.lab import ROOT, show

DUE = [(of, n) for of, (_, numbers) in equations.DOCUMENTS.items() for n in numbers]


def test_every_equation_has_a_place_code_and_a_test():
    assert list(equations.gaps(equations.read())) == []


def test_the_marked_tests_are_there():
    for equation in equations.read().values():
        for name, file in equation.tests:
            assert f"\ndef {name}(" in (ROOT / file).read_text("utf-8")


def test_code_can_be_imported_by_the_name_on_the_map():
    for equation in equations.read().values():
        for name, file in equation.code:
            parts = name.split(".")
            at = next(
                i
                for i, part in enumerate(parts)
                if part[0].isupper() or i == len(parts) - 1
            )
            found = importlib.import_module(".".join(parts[:at]))
            for part in parts[at:]:
                found = getattr(found, part)
            assert found.__module__.replace(".", "/") + ".py" == file


CHAPTER = """# A chapter

## A section

(paper-5)=
(appendix-2)=
$$
\\begin{aligned}
a = b .
\\end{aligned}
$$ (eq-x)
"""
CODE = """class G:
    def forward(self):
        \"\"\"The penalty (Eqs. 5–6 and 8).

        Args:
            none: not as in Eq. 9.
        \"\"\"

    def _hidden(self):
        \"\"\"Not Eq. 10.\"\"\"

def contrastive():
    \"\"\"A loss (Eq. 2 of the appendix).\"\"\"
"""
TEST = """import pytest

@pytest.mark.parametrize("a", [1])
@pytest.mark.equation(5, 6)
def test_a(a): ...

@pytest.mark.equation(2, of="appendix")
def test_b(): ...
"""


@pytest.fixture
def small(tmp_path):
    """A folder with one chapter, one module and one file of tests."""
    for name, text in {
        "book/part/page.md": CHAPTER,
        "lsmtl/regularizers/g.py": CODE,
        "lsmtl/regularizers/__init__.py": "from lsmtl.regularizers.g import G",
        "lsmtl/lab/more.py": CODE,
        "tests/test_g.py": TEST,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_places_code_and_tests_are_read(small):
    found = equations.read(small)
    masked = found["paper", 5]
    assert masked.places == [("paper-5", "A chapter", "A section")]
    assert "a = b\n" in masked.formula and "eq-x" not in masked.formula
    assert masked.code == [("lsmtl.regularizers.G.forward", "lsmtl/regularizers/g.py")]
    assert masked.tests == [("test_a", "tests/test_g.py")]
    code, _ = found["appendix", 2].code[0]
    assert code == "lsmtl.regularizers.g.contrastive"
    named = {key for key, equation in found.items() if equation.code}
    assert named == {("paper", 5), ("paper", 6), ("paper", 8), ("appendix", 2)}


@pytest.mark.parametrize(
    ("file", "old", "gap"),
    [
        ("book/part/page.md", "(paper-5)=\n", "in 0 chapters"),
        ("lsmtl/regularizers/g.py", "Eqs. 5–6 and 8", "no docstring"),
        ("tests/test_g.py", "@pytest.mark.equation(5, 6)\n", "no test"),
    ],
)
def test_a_gap_is_named(small, file, old, gap):
    assert not [g for g in equations.gaps(equations.read(small)) if "Eq. 5 " in g]
    path = small / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, ""))
    (wrong,) = (g for g in equations.gaps(equations.read(small)) if "Eq. 5 " in g)
    assert "Eq. 5 of the paper" in wrong and gap in wrong


def test_what_is_shown_twice_needs_one_place_and_other_numbers_are_refused(small):
    (small / "book/part/two.md").write_text(CHAPTER.replace("appendix-2", "paper-13"))
    wrong = list(equations.gaps(equations.read(small)))
    assert [w for w in wrong if "Eq. 5 of the paper" in w and "in 2 chapters" in w]
    assert [w for w in wrong if "Eq. 13 of the paper" in w]
    (small / "book/part/two.md").write_text(
        CHAPTER.replace("(appendix-2)=\n", "").replace("paper-5", "paper-5-again")
    )
    found = equations.read(small)
    assert not [w for w in equations.gaps(found) if "Eq. 5 of the paper" in w]
    assert len(found["paper", 5].places) == 2


def test_a_gap_stops_the_build(monkeypatch):
    found = equations.read()
    found["paper", 7].tests.clear()
    monkeypatch.setattr(equations, "read", lambda: found)
    with pytest.raises(ExtensionError, match=r"Eq\. 7 of the paper is checked by no"):
        equations.check(SimpleNamespace())


def test_the_map_has_every_formula_with_its_code():
    text, found = equations.markdown(equations.read()), equations.read()
    for of, n in DUE:
        part = text.partition(f"(equation-{of}-{n})=")[2].partition("(equation-")[0]
        assert found[of, n].formula in part
        for name, _ in [*found[of, n].code, *found[of, n].tests]:
            assert f"`{name}`" in part


def pictures():
    """HTML of two figures with the same beginning, a drawing and two tables."""
    import matplotlib.pyplot as plt
    import pandas as pd

    frame, badge = pd.DataFrame({"a": [1], "b": [2]}), show.badge("ci", "breast")
    alt = "MAE over the strength of G & more: it falls. Then it rises"
    return [
        show.figure(plt.figure(), alt, "Means.", badge).data,
        show.figure(plt.figure(), alt).data,
        show.drawing("fig-1a", "The base network, drawn.").data,
        show.table(frame, "Errors: by <code>K</code>", badge).data,
        show.table(frame).data,
    ]


def test_every_figure_and_table_gets_an_id_of_its_own_that_stays():
    taken, shown, made = set(), [], []
    for content in pictures():
        marked, found = figures.mark(content, taken)
        made.append(marked)
        shown += found
    ids = [BeautifulSoup(m, "html.parser").select_one("[id]")["id"] for m in made]
    assert ids == [s.anchor for s in shown]
    assert ids[:2] == [
        "figure-mae-over-the-strength-of-g",
        "figure-mae-over-the-strength-of-g-2",
    ]
    assert len({*ids}) == len(ids) == 5
    again = [figures.mark(m, set())[0] for m in made]
    assert again == made  # an id that is there stays


def test_what_is_shown_is_told_by_caption_or_text_with_its_badge():
    shown = [s for p in pictures() for s in figures.mark(p, set())[1]]
    assert [s.text for s in shown] == [
        "MAE over the strength of G & more",
        "MAE over the strength of G & more",
        "The base network, drawn",
        "Errors: by K",
        "without a caption",
    ]
    assert [s.badges.count("ci · breast") for s in shown] == [1, 0, 0, 1, 0]
    assert [s.kind for s in shown] == ["figure"] * 3 + ["table"] * 2


def test_other_html_stays_as_it_is():
    for content in ('<table class="dataframe"></table>', "<p>lsmtl-figure</p>"):
        assert figures.mark(content, set()) == (content, [])
