"""Notes for whoever marks: what an exercise asks for, and what goes wrong."""

import ast

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
    points = POINTS[exercise.kind]
    lines = [
        f"### Exercise {exercise.name.split('.')[1]}: {exercise.title}",
        f"*{exercise.kind}*, {exercise.minutes} minutes, {points} "
        f"point{'s' * (points > 1)}; {exercise.trains}.",
    ]
    for code, answer in wrong:
        lines += [f"```python\n{code}\n```", repr(check(exercise.name, answer))]
    return "\n\n".join(lines)


def mistakes(stem):
    """Typical wrong answers to a chapter's exercises, in order.

    Returns:
        A list an exercise, of pairs: source and function.
    """
    path = ROOT / "tests" / "mistakes" / f"{stem.replace('-', '_')}.py"
    scope, source = {}, path.read_text("utf-8")
    exec(compile(source, path, "exec"), scope)
    tree = ast.parse(source).body
    code = {n.name: n for n in tree if isinstance(n, ast.FunctionDef)}
    assigned = [n for n in tree if isinstance(n, ast.Assign)]
    (listed,) = (n.value for n in assigned if n.targets[0].id == "MISTAKES")
    return [
        [
            (ast.unparse(code.get(getattr(shown.elts[0], "id", ""), shown.elts[0])), f)
            for shown, (f, _) in zip(pairs.elts, answers, strict=True)
        ]
        for pairs, answers in zip(listed.elts, scope["MISTAKES"], strict=True)
    ]
