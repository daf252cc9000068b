"""A chapter as sections of blocks for a slide to pick: sentences, equations, cells."""

import re
from dataclasses import dataclass, field

from myst_nb.core.read import read_myst_markdown_notebook

from classroom import executed
from lsmtl.lab import ROOT

BOOK = ROOT / "book"
_CLOSED = re.compile(r"`{3,}\s*$")
_LABEL = re.compile(r":[a-z-]+:|\(.+\)=$")  # an option of a directive, a target
_OPENED = re.compile(r"`{3,}\{(?P<kind>[a-z-]+)\}\s*(?P<title>.*)")


@dataclass
class Block:
    """The smallest piece of a chapter that can be shown."""

    kind: str  # text, item, table, math or cell
    source: str
    label: str = ""  # of an equation
    number: int = 0  # of a labelled equation within its chapter
    cell: dict | None = None  # the notebook's, for a cell


@dataclass
class Chapter:
    """What a chapter offers: its title, its sections, its first exercise."""

    name: str  # such as "derivation/masked-low-rank"
    title: str = ""
    sections: dict[str, list[Block]] = field(default_factory=dict)
    exercise: tuple[str, str, str] | None = None  # title, text, stub

    def labels(self):
        """The number of each labelled equation."""
        blocks = [b for section in self.sections.values() for b in section]
        return {b.label: b.number for b in blocks if b.label}


def read(name, execute=False):
    """Read a chapter of the book.

    Args:
        name: of the chapter within the book, without its ending.
        execute: with outputs, from the cache of the book's build or made now.

    Raises:
        FileNotFoundError: there is no such chapter.
        RuntimeError: a cell failed.
    """
    path = BOOK / f"{name}.md"
    if execute:
        notebook = executed.run(path)
    else:
        notebook = read_myst_markdown_notebook(path.read_text("utf-8"))
    return split(name, notebook.cells)


def split(name, cells):
    """A chapter from its cells; what follows its first exercise is left out.

    A heading opens a section, and so does an admonition, whose title names it; at its
    end the section around it goes on.
    """
    chapter, around = Chapter(name), []
    for number, cell in enumerate(cells):
        if cell.cell_type == "code":
            block = Block("cell", cell.source, cell=cell)
            chapter.sections[around[-1]].append(block)
            continue
        before, start, exercise = cell.source.partition("```{exercise-start}")
        around = _read_text(chapter, before.splitlines(), around)
        if start:
            title, _, text = exercise.partition("\n")
            text = re.sub(r"\A:label:.*\n```\n", "", text)
            stub = cells[number + 1].source.partition("    raise NotImpl")[0]
            chapter.exercise = title.strip(), text.strip(), stub.rstrip()
            break
    return chapter


def _read_text(chapter, lines, around):
    lines = iter(lines)
    for line in lines:
        if re.match(r"`{3,}\w", line):  # a listing
            while not _CLOSED.match(next(lines)):
                pass
            continue
        if heading := re.match(r"#+ (.+)", line):
            title = heading[1].strip()
            chapter.title = chapter.title or title
            around = [title]
            chapter.sections.setdefault(title, [])
            continue
        if opened := _OPENED.match(line):
            around = [*around, opened["title"] or opened["kind"]]
            chapter.sections.setdefault(around[-1], [])
            continue
        if _CLOSED.match(line):
            around = around[:-1]
            continue
        blocks = chapter.sections[around[-1]] if around else []
        if line.startswith("$$"):
            blocks.append(_read_equation(chapter, lines))
        elif line.startswith("|"):
            if blocks and blocks[-1].kind == "table":
                blocks[-1].source += f"\n{line}"
            else:
                blocks.append(Block("table", line))
        elif line.startswith("  ") and blocks and blocks[-1].kind == "item":
            blocks[-1].source += f" {line.strip()}"
        elif item := re.match(r"(?:[-*]|\d+\.) (.+)", line):
            blocks.append(Block("item", item[1]))
        elif line.strip() and not _LABEL.match(line):
            blocks.append(Block("text", line.strip()))
    return around


def _read_equation(chapter, lines):
    body = []
    for line in lines:
        if line.startswith("$$"):
            break
        body.append(line)
    label = (re.match(r"\$\$ \((.+)\)", line) or ["", ""])[1]
    number = len(chapter.labels()) + 1 if label else 0
    return Block("math", "\n".join(body), label, number)
