"""Every graded exercise: the stub fails, the solution passes, mistakes get a hint."""

import ast
import types
from functools import partial

import numpy as np
import pytest

from lsmtl.lab import check
from lsmtl.lab.exercises import CHECKERS
from lsmtl.lab.notebooks import chapters, exercises, stub

EXERCISES = {e.name: e for chapter in chapters() for e in exercises(chapter)}


def leaky(z, slope=0.2):
    return np.where(z > 0, z, slope * z)


def standardise(values, training, cohort, of="training", pooled=False, safe=True):
    """As the exercise asks, but for what the arguments say."""
    out = np.zeros_like(values)
    for name in np.unique(cohort):
        for part in (training, ~training):
            rows = part & (cohort == name)
            used = {"training": training, "all": part | True, "own": part}[of]
            used = values[used & (pooled | (cohort == name))]
            deviation = used.std(0)
            if safe:
                deviation[deviation == 0] = 1
            with np.errstate(invalid="ignore"):
                out[rows] = (values[rows] - used.mean(0)) / deviation
    return out


def q_at(rank, top, reference):
    return np.interp(rank / top, np.linspace(0, 1, len(reference)), reference)


def neighbours(values, mutual=True):
    r = np.corrcoef(values)
    np.fill_diagonal(r, -2)
    j = r.argmax(1)
    pairs = enumerate(map(int, j))
    return sorted({(min(p), max(p)) for p in pairs if not mutual or j[p[1]] == p[0]})


WRONG = {  # name → pairs of a wrong answer and a word of the hint
    "transcriptome.1": [
        (lambda p, t: np.corrcoef(p, t)[0, 1] if p.std() else 0.0, "Pearson"),
        (
            lambda p, t: (
                2
                * np.cov(p, t)[0, 1]
                / (p.var(ddof=1) + t.var(ddof=1) + (p.mean() - t.mean()) ** 2)
            ),
            "population",
        ),
        (
            lambda p, t: 2 * np.cov(p, t, ddof=0)[0, 1] / (p.var() + t.var()),
            "third term",
        ),
        (lambda p, t: print(end=""), "return missing"),
    ],
    "transcriptome.2": [
        (partial(standardise, of="all"), "training rows only"),
        (partial(standardise, of="own"), "by their own statistics"),
        (partial(standardise, pooled=True), "its own mean"),
        (partial(standardise, safe=False), "division by zero"),
        (lambda v, training, c: v.tolist(), "check the mean"),
    ],
    "transcriptome.3": [
        (lambda r: np.sqrt(1 - r**2), "deviation of y"),
        (lambda r: np.sqrt(2 / np.pi) * (1 - r**2), "root"),
        (lambda r: np.sqrt(2 / np.pi) * (1 - r), "share of the variance"),
    ],
    "raw-to-tensors.1": [
        (lambda s, q: q_at(s.argsort().argsort(), len(s) - 1, q), "rank the unique"),
        (
            lambda s, q: q_at(
                np.unique(s, return_inverse=True)[1], len(np.unique(s)), q
            ),
            "k - 1",
        ),
        (lambda s, q: np.searchsorted(np.sort(s), s) * 0.0, "9"),
        (
            lambda s, q: q_at(np.searchsorted(np.sort(s), s), len(s) - 1, q),
            "count them once",
        ),
    ],
    "raw-to-tensors.2": [
        (lambda v: neighbours(v - v.mean(0), mutual=False), "one-sided"),
        (lambda v: neighbours(v), "mean off"),
        (lambda v: [(i, i) for i in range(len(v))], "its own neighbour"),
        (lambda v: [(j, i) for i, j in neighbours(v - v.mean(0))], "lower number"),
        (lambda v: len(v), "pairs"),
    ],
    "raw-to-tensors.3": [
        (lambda c, m: np.log2(1e6 * c / c.sum(1, keepdims=True) + 1), "all genes"),
        (lambda c, m: 1e6 * c / c[:, m].sum(1, keepdims=True), "logarithm is missing"),
        (
            lambda c, m: np.log(1e6 * c / c[:, m].sum(1, keepdims=True) + 1),
            "natural",
        ),
        (lambda c, m: np.log2(1e6 * c / c[:, m].sum() + 1), "its own library"),
    ],
    "masked-low-rank.1": [
        (lambda V1, V2, f, m: leaky(((1 - m) * f) @ V1.T) @ V2.T, "wrong way round"),
        (lambda V1, V2, f, m: leaky(f @ V1.T) @ V2.T, "sees the hidden"),
        (lambda V1, V2, f, m: (m * f) @ V1.T @ V2.T, "linear"),
        (lambda V1, V2, f, m: leaky((m * f) @ V1.T, 0) @ V2.T, "LeakyReLU"),
        (lambda V1, V2, f, m: leaky((m * f) @ V1) @ V2, "stops"),
    ],
    "masked-low-rank.2": [
        (lambda f, g, m: ((f - g) ** 2).mean(), "only the hidden"),
        (lambda f, g, m: ((f - g) ** 2)[:, m == 1].mean(), "visible tasks"),
        (lambda f, g, m: ((1 - m) * (f - g) ** 2).mean(), "divide by"),
        (lambda f, g, m: ((f - g) ** 2)[:, m == 0].mean(), "(B, T)"),
        (
            lambda f, g, m: ((f - g) ** 2)[:, np.atleast_2d(m)[0] == 0].mean(),
            "a mask a sample",
        ),
    ],
    "masked-low-rank.3": [
        (
            lambda D, H, L, T, K: (
                (D + (D + H) + (D + 2 * H)) * H + (D + 3 * H) * T + 2 * T * K
            ),
            "1 hidden layers",
        ),
        (lambda D, H, L, T, K: D * H + (L - 1) * H * H + H * T + 2 * T * K, "MLP"),
        (
            lambda D, H, L, T, K: (
                sum((D + i * H) * H for i in range(L)) + (D + L * H) * T
            ),
            "missing",
        ),
        (
            lambda D, H, L, T, K: (
                sum((D + i * H) * H for i in range(L)) + (D + L * H) * T + T * T
            ),
            "T²",
        ),
    ],
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


@pytest.mark.parametrize("chapter", chapters(), ids=lambda c: c.stem)
def test_a_chapter_has_three_exercises_of_its_own(chapter):
    names = [e.name for e in exercises(chapter)]
    assert names == [f"{chapter.stem}.{i + 1}" for i in range(len(names))]
    assert len(names) >= 3


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


def test_what_is_no_function_or_no_exercise_is_said():
    assert "function" in check("transcriptome.3", 0.8).message
    with pytest.raises(
        ValueError, match=r"transcriptome\.9.*|one of.*transcriptome\.1"
    ):
        check("transcriptome.9", len)


def test_a_verdict_is_shown_as_text_and_escaped_as_html():
    def broken(r):
        raise TypeError("<b>")

    verdict = check("transcriptome.3", broken)
    assert repr(verdict).startswith("✗") and "TypeError" in repr(verdict)
    assert "&lt;b&gt;" in verdict._repr_html_()
