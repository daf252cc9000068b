"""Notes for whoever marks: what an exercise asks for, and what goes wrong."""

import ast
import importlib
import sys

from classroom import plain
from lsmtl.lab import ROOT, check, notebooks
from lsmtl.lab.notebooks import KINDS

POINTS = dict(zip(KINDS, (1, 2, 3), strict=True))
HEAD = """# Marking notes

`lab.check` grades: an exercise is right or it isn't, and the verdict says why.
The points are a proposal, by kind: {points}.
Below each exercise stand typical wrong answers with what the check says of them.
A wrong answer that isn't listed gets a hint as well; read it before you mark by hand.
"""


def notes(chapters):
    """The notes on the exercises of chapters, as Markdown."""
    points = ", ".join(f"*{kind}* {n}" for kind, n in POINTS.items())
    total, parts = 0, []
    for chapter in chapters:
        exercises = notebooks.exercises(chapter)
        if not exercises:
            continue
        marks = sum(POINTS[e.kind] for e in exercises)
        minutes = sum(e.minutes for e in exercises)
        total += marks
        parts.append(
            f"## {plain.titles()[chapter.stem]}\n\n"
            f"{len(exercises)} exercises, {minutes} minutes, {marks} points."
        )
        pairs = zip(exercises, mistakes(chapter.stem), strict=True)
        parts += [_exercise(e, wrong) for e, wrong in pairs]
    parts.insert(0, HEAD.format(points=points) + f"\nAll together: {total} points.")
    return "\n\n".join(parts) + "\n"


def _exercise(exercise, wrong):
    lines = [
        f"### {exercise.name.replace('.', ', exercise ')}: {exercise.title}",
        f"*{exercise.kind}*, {exercise.minutes} minutes, {POINTS[exercise.kind]} "
        f"points; {exercise.trains}.",
    ]
    for code, answer in wrong:
        lines.append(f"```python\n{code}\n```\n\n{check(exercise.name, answer)!r}")
    return "\n\n".join(lines)


def mistakes(stem):
    """Typical wrong answers to a chapter's exercises, in order.

    Returns:
        A list an exercise, of pairs: source and function.
    """
    path = ROOT / "tests" / "mistakes" / f"{stem.replace('-', '_')}.py"
    sys.path.insert(0, str(path.parents[1]))
    try:
        module = importlib.import_module(f"mistakes.{path.stem}")
    finally:
        sys.path.pop(0)
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    code = {
        n.name: ast.get_source_segment(source, n)
        for n in tree.body
        if isinstance(n, ast.FunctionDef)
    }
    last = next(
        n.value
        for n in tree.body
        if isinstance(n, ast.Assign) and n.targets[0].id == "MISTAKES"
    )
    return [
        [
            (_source(pair, code, source), answer)
            for pair, (answer, _) in zip(_pairs(listed), answers, strict=True)
        ]
        for listed, answers in zip(last.elts, module.MISTAKES, strict=True)
    ]


def _pairs(listed):
    return [pair.elts[0] for pair in listed.elts]


def _source(node, code, source):
    if isinstance(node, ast.Name) and node.id in code:
        return code[node.id]
    return ast.unparse(node)
