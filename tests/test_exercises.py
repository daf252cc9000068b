"""Every graded exercise: the stub fails, the solution passes, mistakes get a hint."""

import ast
import re
import types
from importlib import import_module

import numpy as np
import pytest
import torch

from lsmtl.lab import check
from lsmtl.lab.chapters import CHECKERS
from lsmtl.lab.notebooks import KINDS, chapters, exercises, stub

# A page with `lab.page` shows what others ran and has no exercises.
CHAPTERS = [c for c in chapters() if "lab.page(" not in c.read_text("utf-8")]
EXERCISES = {e.name: e for chapter in chapters() for e in exercises(chapter)}

WRONG = {  # exercise → pairs of a wrong answer and a word of the hint
    f"{chapter.stem}.{number}": pairs
    for chapter in CHAPTERS
    for number, pairs in enumerate(
        import_module(f"mistakes.{chapter.stem.replace('-', '_')}").MISTAKES, 1
    )
}


def answer(source):
    """The function that a cell defines; its call of the check does nothing."""
    lab = types.SimpleNamespace(check=lambda *_: None)
    scope = {"np": np, "lab": lab}
    exec(source, scope)
    (function,) = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
    return scope[function.name]


def test_chapters_and_checkers_name_the_same_exercises():
    assert set(EXERCISES) == set(CHECKERS) == set(WRONG)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)
def test_a_chapter_has_three_to_five_exercises_of_its_own(chapter):
    names = [e.name for e in exercises(chapter)]
    assert names == [f"{chapter.stem}.{i + 1}" for i in range(len(names))]
    assert 3 <= len(names) <= 5


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)
def test_exercises_climb_from_predicting_over_deriving_to_building(chapter):
    steps = [KINDS.index(e.kind) for e in exercises(chapter)]
    assert steps == sorted(steps)
    assert set(steps) == {0, 1, 2}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)
def test_the_time_for_exercises_is_their_sum(chapter):
    (time,) = re.findall(r"^\*\*Time\*\*: .*, (\d+) more", chapter.read_text(), re.M)
    assert int(time) == sum(e.minutes for e in exercises(chapter))


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_an_exercise_has_at_least_two_hints(name):
    assert EXERCISES[name].hints >= 2


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_stub_is_made_from_its_solution(name):
    assert EXERCISES[name].stub == stub(EXERCISES[name].solution)


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_stub_fails_and_solution_passes(name):
    verdict = check(name, answer(EXERCISES[name].stub))
    assert not verdict and "Not written yet" in verdict.message
    verdict = check(name, answer(EXERCISES[name].solution))
    assert verdict, verdict.message


@pytest.mark.parametrize(
    ("name", "wrong", "hint"),
    [(name, *pair) for name, pairs in WRONG.items() for pair in pairs],
)
def test_a_typical_mistake_gets_its_hint(name, wrong, hint):
    verdict = check(name, wrong)
    assert not verdict
    assert hint in verdict.message
    assert "Traceback" not in verdict.message


def test_every_exercise_has_two_typical_mistakes():
    assert all(len(pairs) >= 2 for pairs in WRONG.values())


@pytest.mark.parametrize(
    "odd",
    [
        None,
        object(),
        [1, [2, 3]],
        [("a", 1, 2)],
        np.array(["a", "b"]),
        np.full((3, 3), 0.1),
        torch.full((3,), 0.1, requires_grad=True),
    ],
    ids=["nothing", "object", "ragged", "triple", "words", "square", "gradient"],
)
def test_an_answer_of_an_odd_form_is_no_traceback(odd):
    for name in CHECKERS:
        verdict = check(name, lambda *_: odd)
        assert not verdict and verdict.message


def test_a_tensor_with_a_gradient_is_as_good_as_its_numbers():
    assert check("masked-low-rank.1", lambda c: torch.tensor(c**2, requires_grad=True))


def test_what_is_no_function_or_no_exercise_is_said():
    assert "function" in check("transcriptome.2", 0.8).message
    with pytest.raises(
        ValueError, match=r"transcriptome\.9.*|one of.*transcriptome\.1"
    ):
        check("transcriptome.9", len)


def test_a_verdict_is_shown_as_text_and_escaped_as_html():
    def broken(r):
        raise TypeError("<b>")

    verdict = check("transcriptome.2", broken)
    assert repr(verdict).startswith("✗") and "TypeError" in repr(verdict)
    assert "&lt;b&gt;" in verdict._repr_html_()


def test_either_way_to_round_at_random_is_right():
    def up_where_small(x, step, u):
        low = np.floor(x / step)
        return (low + (u < x / step - low)) * step

    assert check("engine.3", up_where_small)
