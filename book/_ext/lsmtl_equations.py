"""Sphinx extension: which code computes an equation, and which test checks it.

Nothing of it is written twice. In a chapter, a target such as `(paper-5)=` stands
before the display of Eq. 5 (`(paper-5-again)=` where it is shown once more). A
docstring names "Eq. 5", or "Eq. 2 of the appendix", before its arguments. A test that
compares with a reference is marked `@pytest.mark.equation(5)`. From these come the map
in `book/back/equations.md` and the line below an equation that leads there. A build
stops at an equation without one of the three.
"""

import ast
import re
from dataclasses import dataclass, field

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError

from lsmtl.lab import ROOT

PAGE = "book/back/equations"
HERE = "% the map stands here"
# What the numbers belong to: its name, and which of its equations the book uses.
DOCUMENTS = {
    "paper": ("the paper", range(1, 13)),
    "appendix": ("DeepDiff's appendix", (2, 3)),
    "review": ("the multi-task review", (1,)),
}
TARGET = re.compile(rf"({'|'.join(DOCUMENTS)})-(\d+)(-again)?")
DISPLAY = re.compile(
    r"^(?P<targets>(?:\([a-z]+-\d+(?:-again)?\)=\n)+)\$\$\n(?P<formula>.*?)\n\$\$",
    re.M | re.S,
)
NAMED = re.compile(
    r"Eqs?\. (\d+(?:(?:–|, | and )\d+)*)" rf"(?: of the ({'|'.join(DOCUMENTS)}))?"
)


@dataclass
class Equation:
    """Where an equation stands, what computes it and what checks that."""

    formula: str = ""  # as its chapter displays it
    places: list = field(default_factory=list)  # (target, chapter, section)
    code: list = field(default_factory=list)  # (name, file)
    tests: list = field(default_factory=list)  # (name, file)


def read(root=ROOT):
    """All equations that chapters, docstrings and tests of a folder name.

    Returns:
        dict of (document, number) → `Equation`.
    """
    found = {}
    for path in sorted((root / "book").glob("*/*.md")):
        for key, *about in displays(path.read_text("utf-8")):
            _put(found, key, "places", tuple(about[1:]))
            if not about[1].endswith("-again"):
                found[key].formula = about[0]
    modules = [
        p for p in sorted((root / "lsmtl").rglob("*.py")) if "lab" not in p.parts
    ]
    for path in modules:
        file = path.relative_to(root).as_posix()
        for key, name in symbols(ast.parse(path.read_text("utf-8"))):
            _put(found, key, "code", (f"{_package(path, name, root)}.{name}", file))
    for path in sorted((root / "tests").glob("test_*.py")):
        for key, name in marked(ast.parse(path.read_text("utf-8"))):
            _put(found, key, "tests", (name, f"tests/{path.name}"))
    return found


def _put(found, key, kind, entry):
    getattr(found.setdefault(key, Equation()), kind).append(entry)


def displays(text):
    """The marked displays of a chapter: key, formula, target, title, section."""
    titles = re.findall(r"^#+ (.+)", text, re.M)
    for match in DISPLAY.finditer(text):
        before = re.findall(r"^## (.+)", text[: match.start()], re.M)
        formula = re.sub(
            r"[\s\\,]*[.,;](?=\s*(\\end\{aligned\})?\Z)", "", match["formula"]
        )
        for target in re.findall(r"\((.+)\)=", match["targets"]):
            if about := TARGET.fullmatch(target):
                key = about[1], int(about[2])
                yield key, formula, target, titles[0], before[-1]


def symbols(tree):
    """What a module's public functions, classes and methods compute: key, name.

    A class whose method names the equation isn't listed itself.
    """
    for node in _public(tree):
        inner = set()
        for method in _public(node) if isinstance(node, ast.ClassDef) else ():
            for key in named(method):
                inner.add(key)
                yield key, f"{node.name}.{method.name}"
        yield from ((key, node.name) for key in named(node) if key not in inner)


def _public(tree):
    kinds = ast.FunctionDef | ast.ClassDef
    return [n for n in tree.body if isinstance(n, kinds) and n.name[0] != "_"]


def named(node):
    """The equations that a docstring names before its arguments, as keys."""
    text = (ast.get_docstring(node) or "").split("\nArgs:\n")[0].replace("\n", " ")
    for numbers, document in NAMED.findall(text):
        for part in re.split(", | and ", numbers):
            ends = [int(number) for number in part.split("–")]
            for number in range(ends[0], ends[-1] + 1):
                yield document or "paper", number


def marked(tree):
    """The tests of a module with the mark `equation`: key, name."""
    for test in ast.walk(tree):
        for mark in getattr(test, "decorator_list", ()):
            if ast.unparse(mark).startswith("pytest.mark.equation("):
                of = [ast.literal_eval(k.value) for k in mark.keywords] or ["paper"]
                for number in map(ast.literal_eval, mark.args):
                    yield (of[0], number), test.name


def _package(path, name, root):
    """The module that a symbol is imported from, its package's where that has it."""
    parts = path.relative_to(root).with_suffix("").parts
    init = path.with_name("__init__.py")
    if init.is_file():
        imported = {
            alias.name
            for node in ast.parse(init.read_text("utf-8")).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        parts = parts[:-1] if name.split(".")[0] in imported else parts
    return ".".join(parts)


def gaps(found):
    """What is missing or too much, a sentence each."""
    due = {(of, n) for of, (_, numbers) in DOCUMENTS.items() for n in numbers}
    for key in sorted(due | {*found}):
        equation, name = found.get(key, Equation()), label(key)
        if key not in due:
            yield f"{name} is named, but isn't one that the book uses"
            continue
        first = [p for p in equation.places if not p[0].endswith("-again")]
        if len(first) != 1:
            yield (
                f"{name} stands after ({key[0]}-{key[1]})= in {len(first)} chapters, "
                "not in one"
            )
        if not equation.code:
            yield f"{name} is named by no docstring of lsmtl"
        if not equation.tests:
            yield f"{name} is checked by no test marked pytest.mark.equation"


def label(key):
    """Such as "Eq. 5 of the paper"."""
    return f"Eq. {key[1]} of {DOCUMENTS[key[0]][0]}"


def markdown(found):
    """The map as MyST text."""
    lines = []
    for of, (title, numbers) in DOCUMENTS.items():
        lines += [f"## {title[0].upper()}{title[1:]}", ""]
        for number in numbers:
            lines += [f"(equation-{of}-{number})=", f"### Eq. {number}", ""]
            lines += _entry(found[of, number])
    return "\n".join(lines)


def _entry(equation):
    places = sorted(equation.places, key=lambda place: place[0])  # -again last
    where = [
        f"*{chapter}*, [{section}](#{target})" for target, chapter, section in places
    ]
    lines = ["$$", equation.formula, "$$", "", f"In {'; also '.join(where)}.", ""]
    for kind, entries in (("Code", equation.code), ("Test", equation.tests)):
        lines += [f"- {kind}: `{name}` in `{file}`" for name, file in entries]
    return [*lines, ""]


def check(app):
    """Stop a build in which an equation lacks its place, code or test."""
    app.lsmtl_equations = read()
    if wrong := list(gaps(app.lsmtl_equations)):
        raise ExtensionError("equations: " + "; ".join(wrong))


def write(app, name, source):
    """Write the map into its page."""
    if name == PAGE:
        source[0] = source[0].replace(HERE, markdown(app.lsmtl_equations))


def outdated(app, env, added, changed, removed):
    """Have the map read again, as code and tests may have changed."""
    return [PAGE] if PAGE in env.found_docs else []


def number(app, doctree):
    """Put a line below an equation: its number in the paper, and a link to the map."""
    for block in list(doctree.findall(nodes.math_block)):
        keys = _targets_before(block)
        if not keys:
            continue
        names = [DOCUMENTS[of][0] for of, _ in keys]
        numbers = " and ".join(str(n) for _, n in keys)
        text = f"{'Eqs.' if len(keys) > 1 else 'Eq.'} {numbers} of {names[0]} · "
        link = addnodes.pending_xref(
            "",
            nodes.inline("", "code and test"),
            refdomain="std",
            reftype="ref",
            reftarget="equation-{}-{}".format(*keys[0]),
            refexplicit=True,
            refdoc=app.env.docname,
        )
        line = nodes.paragraph("", "", nodes.Text(text), link)
        line["classes"].append("lsmtl-equation")
        block.parent.insert(block.parent.index(block) + 1, line)


def _targets_before(block):
    """The numbers of a display, from the targets right before it."""
    siblings, keys = block.parent.children, []
    for node in reversed(siblings[: siblings.index(block)]):
        if not isinstance(node, nodes.target):
            break
        names = [node.get("refid", ""), *node["ids"], *node["names"]]
        keys += {(m[1], int(m[2])) for name in names if (m := TARGET.fullmatch(name))}
    return sorted(keys)


def setup(app):
    """Register with Sphinx."""
    app.connect("builder-inited", check)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", write)
    app.connect("doctree-read", number)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
