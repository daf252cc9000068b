"""What a deck shows: `decks.toml`, checked against the chapters.

A deck is a table named as a part of the book, in it a list of slides for each chapter.
A slide is a section's heading, then what is picked from that section, in order. A pick
is a phrase that stands in one block of the section and in no other:

- `"phrase"`: the sentence, item, table or equation (or the equation's label),
- `"code: phrase"`: the source of a cell, `"out: phrase"`: what it put out,
- `"out breast: phrase"`: of its table the rows with this word in their name, of its
  figure the row of panels with this title.
"""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from classroom.slides.chapters import Block, Chapter

LIST = Path(__file__).with_name("decks.toml")


@dataclass
class Slide:
    """A title, what of which block is shown (as `pick` says), the spoken text."""

    title: str
    shown: list[tuple[str, Block]]
    kind: str = ""  # chapter, question, wrap-up: as the styles name it
    notes: list[Block] = field(default_factory=list)


def load():
    """The decks: part -> chapter -> its slides, as they are listed."""
    return tomllib.loads(LIST.read_text("utf-8"))


def slides(chapter: Chapter, listed):
    """A chapter's slides: what is learned, those listed, its question, its wrap-up.

    Args:
        chapter: as `chapters.read` gives it.
        listed: a heading and picks for each slide.

    Raises:
        ValueError: a slide names no section, or a pick no block or several.
    """
    learn = chapter.sections.get("What you will learn", [])
    items = [("text", block) for block in learn if block.kind == "item"]
    opening = chapter.sections[chapter.title]
    yield Slide(chapter.title, items, "chapter", [*opening, *learn])
    for title, *picks in listed:
        if title not in chapter.sections:
            raise ValueError(f"{chapter.name} has no section {title!r}")
        section = chapter.sections[title]
        shown = [pick(chapter.name, title, section, phrase) for phrase in picks]
        yield Slide(title, shown, "", section)
    if chapter.exercise:
        title, text, stub = chapter.exercise
        shown = [("text", Block("text", line)) for line in text.splitlines() if line]
        blocks = [b for section in chapter.sections.values() for b in section]
        asked = re.findall(r"\{eq\}`(.+?)`", text)
        shown += [("text", block) for block in blocks if block.label in asked]
        shown.append(("code", Block("cell", stub)))
        yield Slide(f"Your turn: {title}", shown, "question")
    if wrap_up := chapter.sections.get("Wrap-up"):
        shown = [("text", block) for block in wrap_up if block.kind == "item"]
        yield Slide(f"Wrap-up: {chapter.title}", shown, "wrap-up", wrap_up)


def pick(name, title, section, phrase):
    """What is shown, `text`, `code` or `out …`, and the block that a phrase means.

    Raises:
        ValueError: it means none or several, or a cell without saying what of it.
    """
    what, _, rest = phrase.partition(": ")
    if not re.fullmatch(r"code|out( \w+)?", what):
        what, rest = "text", phrase
    labelled = [block for block in section if rest == block.label]
    found = labelled or [
        block
        for block in section
        if (block.kind == "cell") == (what != "text") and rest in joined(block)
    ]
    if len(found) != 1:
        raise ValueError(
            f"{name}, section {title!r}: {phrase!r} is in {len(found)} blocks, "
            "a pick must be in one"
        )
    return what, found[0]


def joined(block):
    """A block's source, in a cell with strings that go on in the next line as one."""
    if block.kind == "cell":
        return re.sub(r'"\s*\n\s*f?"', "", block.source)
    return block.source
