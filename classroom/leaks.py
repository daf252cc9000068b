"""Find solutions where none should be: in files, cells, metadata, outputs, pages.

A solution is known by its words and by the shape of its code. The shape is the syntax
tree of its function's body with numbers for the names of variables, so that neither
other names nor another layout hide it. If the body is one expression, every
expression of that shape counts, unless it is too small to mean anything.
"""

import ast
import builtins
import contextlib
import html
import json
import re
import zipfile
from dataclasses import dataclass, field

from lsmtl.lab import notebooks

LARGE = 8  # nodes of an expression from which on it is known anywhere
LONG = {"prose": 25, "code": 40}  # characters from which on a line is known
KEPT = {*dir(builtins), "data", "lab", "metrics", "np", "pd", "plt", "torch"}
SKIPPED = {"annotation", "ctx", "kind", "lineno", "name", "returns", "type_comment"}
MARKS = ast.expr_context | ast.operator | ast.unaryop | ast.cmpop | ast.boolop
CELL = re.compile(r"^```\{code-cell\}.*?^```$|^```[^\n]*|^:[^\n]*", re.M | re.S)
BINARY = (".h5ad", ".gz", ".png", ".ico", ".ttf", ".woff", ".woff2")


@dataclass(frozen=True)
class Solution:
    """What a solution is known by."""

    name: str  # of its exercise
    words: frozenset = field(repr=False)  # its longer lines, without spaces
    shapes: frozenset = field(repr=False)  # of its function, and of its body


def solutions(chapters=None):
    """What the solutions of chapters (all of them) are known by."""
    found = []
    for chapter in chapters or notebooks.chapters():
        blocks = notebooks.solutions(chapter.read_text("utf-8"))
        pairs = zip(notebooks.exercises(chapter), blocks, strict=True)
        found += [_solution(exercise, block) for exercise, block in pairs]
    return found


def _solution(exercise, block):
    tree = ast.parse(exercise.solution)
    function = next(n for n in tree.body if isinstance(n, ast.FunctionDef))
    code = ast.get_source_segment(exercise.solution, function)
    prose = CELL.sub("", block)
    words, stub = set(), _squeezed(exercise.stub)
    for kind, text in (("prose", prose), ("code", code)):
        lines = map(_squeezed, text.splitlines())
        words |= {w for w in lines if len(w) >= LONG[kind] and w not in stub}
    body = _body(function)
    parts = [_Part(function.args, *body)]
    if len(body) > 1 or _size(body) >= LARGE:
        parts.append(_Part(*body))
    return Solution(exercise.name, frozenset(words), frozenset(p.shape for p in parts))


def in_text(text, known):
    """The names of the exercises whose solutions stand in a text.

    Args:
        text: prose, code, Markdown, HTML, or JSON (also one a line), whose strings
            are looked at one by one.
        known: `Solution`s.
    """
    strings = _strings_of_json(text) or {text, *_quoted(text)}
    shown = [_as_shown(s) if "</" in s else s for s in strings]
    words = _squeezed("\n".join(shown))
    wanted = {shape for s in known for shape in s.shapes}
    shapes = {
        part.shape
        for string in strings
        for code in _codes(string)
        for part in _parts(code, {shape[:2] for shape in wanted})
    }
    return [
        s.name for s in known if s.shapes & shapes or any(w in words for w in s.words)
    ]


def in_files(folder, known):
    """Where solutions stand below a folder, or in a zip.

    Returns:
        dict of file → names of exercises.
    """
    found = {}
    for name, content in _files(folder):
        if not name.endswith(BINARY):
            names = in_text(content.decode("utf-8", "replace"), known)
            found |= {name: names} if names else {}
    return found


def _files(folder):
    if folder.is_file():
        with zipfile.ZipFile(folder) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _squeezed(text):
    return re.sub(r"\s+", "", text)


def _as_shown(page):
    """The text of HTML."""
    return html.unescape(re.sub(r"<[^<>]*>", "", page))


def _strings_of_json(text):
    if text.lstrip()[:1] not in ("{", "["):
        return set()
    for part in ([text], text.splitlines()):
        with contextlib.suppress(ValueError):
            return {s for p in part if p.strip() for s in _strings(json.loads(p))}
    return set()


def _quoted(text):
    """What strings of a script say, where they have escapes."""
    for literal in re.findall(r'"(?:[^"\\\n]|\\.)*"', text):
        if "\\" in literal:
            with contextlib.suppress(ValueError):
                yield json.loads(literal)


def _strings(value):
    """All strings in what JSON holds, keys too; a list of lines is one more string."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings([*value])
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        yield "".join(item for item in value if isinstance(item, str))
        for item in value:
            yield from _strings(item)


def _codes(text):
    """The syntax trees of what is Python in a text: all of it, or blocks of code."""
    blocks = re.findall(r"^ *`{3,}.*\n(?::.*\n)*([^`]*?)^ *`{3,}", text, re.M)
    blocks += map(_as_shown, re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.S))
    for block in (text, *blocks):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            yield ast.parse(re.sub(r"^%.*", "", block, flags=re.M))  # without magics


class _Part:
    """Some nodes of a tree that a solution may be; its shape begins with its size."""

    def __init__(self, *nodes):
        # Whether the last value is returned or kept makes no difference.
        *before, last = nodes
        if isinstance(last, ast.Return | ast.Assign | ast.Expr):
            last = last.value or last
        self.nodes = [*before, last]
        self.size = len(nodes), _size(self.nodes)

    @property
    def shape(self):
        """The syntax tree with numbers for names."""
        names = {}

        def walk(node):
            if isinstance(node, list):
                return tuple(map(walk, node))
            if not isinstance(node, ast.AST):
                return node
            name = getattr(node, "id", None) or getattr(node, "arg", None)
            if isinstance(node, ast.Name | ast.arg) and name not in KEPT:
                return names.setdefault(name, len(names))
            fields = [v for k, v in ast.iter_fields(node) if k not in SKIPPED]
            return type(node).__name__, *map(walk, fields)

        return *self.size, walk(self.nodes)


def _parts(tree, sizes):
    """The functions, suites of statements and expressions of one of the sizes."""
    lengths = {length for length, _ in sizes}
    for node in ast.walk(tree):
        candidates = [[node]] if isinstance(node, ast.expr) else []
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            candidates.append([node.args, *_body(node)])
        for name in ("body", "orelse", "finalbody"):
            suite = getattr(node, name, None)
            if isinstance(suite, list):
                candidates += (
                    suite[start : start + length]
                    for length in lengths - {1}
                    for start in range(len(suite) - length + 1)
                )
        yield from (p for p in (_Part(*c) for c in candidates) if p.size in sizes)


def _body(function):
    """A function's statements without its docstring."""
    if isinstance(function, ast.Lambda):
        return [function.body]
    return function.body[ast.get_docstring(function) is not None :]


def _size(node):
    """How many nodes a tree, or a list of trees, has, without operators."""
    if isinstance(node, list):
        return sum(map(_size, node))
    if getattr(node, "size_", None) is None:
        inner = sum(map(_size, ast.iter_child_nodes(node)))
        node.size_ = inner + (not isinstance(node, MARKS))
    return node.size_
