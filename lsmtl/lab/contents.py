"""What pages the book has: parts, order, titles, times, and what each builds on.

The table of contents has the order and the parts. All else stands in a page itself: its
heading, the lines **Time** and **You need** of its first box, and `summary` in its
header. Nothing of it is typed anywhere else.
"""

import posixpath
import re
from typing import NamedTuple

from lsmtl.lab import ROOT

_TIME = re.compile(r"^\*\*Time\*\*: (\d+) minutes .*?(?:, (\d+) more .*)?$", re.M)
_NEED = re.compile(r"^\*\*You need\*\*: (.+)$", re.M)
_LINK = re.compile(r"\]\(([^)\s#]+)\.md")
_HEADER = re.compile(r"\A---\n(.*?)^---$", re.M | re.S)


class Page(NamedTuple):
    """A page as the table of contents and its own text have it."""

    name: str  # its path in book/ without the ending: "derivation/linear-models"
    part: str  # "" outside the parts
    place: int  # within the part, from 1
    title: str
    summary: str  # "" if it has none
    reading: int  # minutes, 0 if it says none
    exercises: int  # minutes, 0 without exercises
    needs: tuple  # names of pages
    path: object

    @property
    def stem(self):
        """The name without its folder."""
        return self.name.rpartition("/")[2]

    @property
    def short(self):
        """The title up to its first colon."""
        return self.title.partition(":")[0]

    @property
    def minutes(self):
        """To read and run, with all exercises."""
        return self.reading + self.exercises

    @property
    def is_chapter(self):
        """Whether it is read from beginning to end, and so says how long that takes."""
        return "/" in self.name and not self.name.startswith("back/")


def pages(root=ROOT):
    """All pages by name in the order of the book, the landing page first.

    Args:
        root: folder with `_toc.yml` and `book`.

    Raises:
        FileNotFoundError: this is no checkout of the book.
        ValueError: a page lacks its title, or a chapter its time, its summary or what
            it needs, or it needs a page that isn't there or doesn't come before it.
    """
    if not (root / "_toc.yml").exists():
        raise FileNotFoundError(
            f"the chapters' texts aren't in {root}: this needs a clone of the book"
        )
    found = {}
    for part, place, file in listed(root / "_toc.yml"):
        page = read(root / f"{file}.md", root / "book", part, place)
        _check(page, found)
        found[page.name] = page
    return found


def listed(toc):
    """What a table of contents lists, in order: part, place within it, file.

    Args:
        toc: path of `_toc.yml`.
    """
    import yaml

    toc = yaml.safe_load(toc.read_text("utf-8"))
    yield "", 1, toc["root"]
    for part in toc["parts"]:
        for place, entry in enumerate(part["chapters"], 1):
            yield part.get("caption", ""), place, entry["file"]


def read(path, book, part="", place=1):
    """A `Page` from its text.

    Args:
        path: of the text.
        book: the folder that names are relative to.
        part, place: where the table of contents has it.

    Raises:
        ValueError: it has no title.
    """
    text = path.read_text("utf-8")
    name = path.relative_to(book).as_posix().removesuffix(".md")
    title = re.search(r"^# (.+)$", _HEADER.sub("", text), re.M)
    if not title:
        raise ValueError(f"{name} lacks a title, the line # …")
    reading, exercises = _TIME.search(text).groups("0") if _TIME.search(text) else "00"
    need = _NEED.search(text)
    links = _LINK.findall(need[1]) if need else ()
    folder = posixpath.dirname(name)
    return Page(
        name,
        part,
        place,
        title[1],
        _header(text).get("summary", ""),
        int(reading),
        int(exercises),
        tuple(posixpath.normpath(posixpath.join(folder, link)) for link in links),
        path,
    )


def _header(text):
    import yaml

    found = _HEADER.match(text)
    return yaml.safe_load(found[1]) if found else {}


def _check(page, before):
    """A ValueError unless a page says what it must and builds on earlier pages."""
    for name in page.needs:
        if name not in before:
            raise ValueError(
                f"{page.name} needs {name}, which must be a page that comes before it"
            )
    if not page.is_chapter:
        return
    missing = {
        "**Time**: N minutes …": page.reading,
        "**You need**: …": _NEED.search(page.path.read_text("utf-8")),
        "summary in its header": page.summary,
    }
    if lacks := [what for what, there in missing.items() if not there]:
        raise ValueError(f"{page.name} lacks {'; '.join(lacks)}")


def parts(found):
    """The parts: caption → their pages, in order.

    Args:
        found: as `pages` gives them.
    """
    together = {}
    for page in found.values():
        if page.part:
            together.setdefault(page.part, []).append(page)
    return together


def edges(found):
    """What builds directly on what: pairs of names, the needed page first.

    Where a chapter needs two of which one needs the other, only the later one counts.

    Args:
        found: as `pages` gives them.
    """
    before = {}  # name → all that it needs, by whatever way
    for page in found.values():
        before[page.name] = {*page.needs}.union(*(before[n] for n in page.needs))
    return [
        (need, page.name)
        for page in found.values()
        for need in dict.fromkeys(page.needs)
        if not any(need in before[other] for other in page.needs)
    ]


def hours(minutes):
    """A time in words; beyond an hour the next quarter is exact enough.

    >>> hours(45), hours(60), hours(128)
    ('45 min', '1 h', '2 h 15 min')
    """
    if minutes < 60:
        return f"{minutes} min"
    minutes = -(-minutes // 15) * 15
    return f"{minutes // 60} h" + f" {minutes % 60} min" * bool(minutes % 60)
