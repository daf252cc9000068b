"""Chapters are stored as MyST text; papermill and the tests read them as notebooks."""

import ast
import hashlib
import itertools
import os
import re
from dataclasses import dataclass

import jupytext
import nbformat

from lsmtl.lab import ROOT


class Reader:
    """Papermill's local files, with MyST text converted to a notebook on reading."""

    def read(self, path):
        """The notebook at `path` as JSON text."""
        if not str(path).endswith(".md"):
            return self.__getattr__("read")(path)
        return nbformat.writes(jupytext.read(path))

    def __getattr__(self, name):
        from papermill.iorw import LocalHandler  # which imports this module

        return getattr(LocalHandler(), name)


reader = Reader()


def chapters():
    """The paths of all chapters (pages with code), in alphabetical order."""
    pages = sorted((ROOT / "book").glob("*/*.md"))
    return [page for page in pages if "{code-cell}" in page.read_text("utf-8")]


KINDS = ("Predict, then run", "Derive and verify", "Build and compare")
_START = re.compile(
    r"```\{exercise-start\} (?P<title>.+)\n:label: (?P<label>\S+)\n```\n"
    r"\*(?P<kind>" + "|".join(KINDS) + r"), (?P<minutes>\d+) minutes; "
    r"(?P<trains>trains .+)\.\*\n"
)
_HINT = re.compile(r"^`{3,}\{admonition\} Hint (\d)\n:class: tip dropdown\n", re.M)
_SOLUTION = re.compile(
    r"^```\{solution-start\} .*?^```\{solution-end\}\n```\n+", re.M | re.S
)


@dataclass(frozen=True)
class Exercise:
    """A graded exercise as it stands in a chapter."""

    name: str  # as lsmtl.lab.check knows it
    title: str
    kind: str  # one of KINDS
    minutes: int
    trains: str
    hints: int  # how many, each folded into the one before
    stub: str
    solution: str


def exercises(chapter):
    """The graded exercises of a chapter.

    In the text, an exercise begins with its title, label, kind, time and aim. It has
    a cell tagged `exercise` with the stub, hints that are folded one into the other,
    and later a cell tagged `solution`, which ends with the call of `lab.check`.

    Raises:
        ValueError: an exercise has another form, a stub has no solution, or a
            solution no check.
    """
    cells = jupytext.read(chapter).cells
    tagged = {
        tag: [c.source for c in cells if tag in c.metadata.get("tags", [])]
        for tag in ("exercise", "solution")
    }
    texts = chapter.read_text("utf-8").split("\n```{exercise-start}")[1:]
    found = []
    for text, stub, solution in itertools.zip_longest(
        texts, *tagged.values(), fillvalue=""
    ):
        name = re.search(r'lab\.check\("([^"]+)"', solution)
        if not stub or not name:
            raise ValueError(f"{chapter.name}: a stub or a checked solution is missing")
        start = _START.match("```{exercise-start}" + text)
        if start is None or start["label"] != name[1].replace(".", "-"):
            raise ValueError(
                f"{chapter.name}: {name[1]} begins otherwise than with its title, its "
                f"label {name[1].replace('.', '-')} and *KIND, N minutes; trains ….*, "
                f"where KIND is one of {'; '.join(KINDS)}"
            )
        numbers = [int(n) for n in _HINT.findall(text.split("\n```{exercise-end}")[0])]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"{chapter.name}: the hints of {name[1]} are {numbers}")
        title, _, kind, minutes, trains = start.groups()
        about = title, kind, int(minutes), trains, len(numbers)
        found.append(Exercise(name[1], *about, stub, solution))
    return found


def stub(solution):
    """The stub that a solution leaves: its function's head and docstring."""
    function = next(
        node for node in ast.parse(solution).body if isinstance(node, ast.FunctionDef)
    )
    end = function.body[0].end_lineno  # the docstring
    head = solution.splitlines()[function.lineno - 1 : end]
    return "\n".join([*head, '    raise NotImplementedError("your turn")'])


def solutions(text):
    """The blocks of a chapter's text from `solution-start` to `solution-end`."""
    return _SOLUTION.findall(text + "\n")


def without_solutions(text):
    """A chapter's text without these blocks.

    Raises:
        ValueError: a solution begins or ends where it shouldn't.
    """
    rest = _SOLUTION.sub("", text + "\n").rstrip("\n") + "\n"
    if "{solution-" in rest or re.search(r"^:tags:.*\bsolution\b", rest, re.M):
        raise ValueError("a solution stands outside solution-start and solution-end")
    return rest


def state():
    """A hash of all that a chapter's output depends on besides its own text."""
    parts = [ROOT / "constraints.txt"]
    for folder in ("lsmtl", "book/records"):
        parts += (p for p in (ROOT / folder).rglob("*") if p.suffix != ".pyc")
    digest = hashlib.sha256(os.environ.get("LSMTL_PRESET", "").encode())
    for path in sorted(p for p in parts if p.is_file()):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def cache():
    """Where a build keeps executed chapters and their records: new for new code."""
    return ROOT / "_build" / "cache" / state()
