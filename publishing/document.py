"""The pages of the built book as one document, in order and with links inside it.

What a page folds is opened. Hints, solutions and the results of exercises stand at
the end of their chapter. Anchors get their page's name in front, so that a link leads
to `#book/part/chapter--anchor` instead of to a file.
"""

import html
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from lsmtl.lab import contents

DROPPED = (
    ".headerlink, .only-dark, .lsmtl-map, script, style, button, input, "
    ".sd-tab-set > label"
)
LINKS_KEPT = ("http", "https", "mailto")
# Code in the colour of text.
PLAIN = re.compile(r'<span class="(?:n|nn|p|w)">([^<]*)</span>')
POINTS = 0.9  # of a figure's point on paper: text of 10 points becomes 9


@dataclass(frozen=True)
class Chapter:
    """A page of the book.

    Attributes:
        name: of the page, without its ending; also its anchor.
        part: the part's title, "" for the first page.
        title: its heading, as text.
        body: the section, as HTML.
        sections: anchors and titles of the sections right below.
    """

    name: str
    part: str
    title: str
    body: str
    sections: tuple


def chapters(site, toc):
    """Read all pages of a table of contents.

    Args:
        site: folder of the built book.
        toc: path of `_toc.yml`.

    Returns:
        list of `Chapter`.
    """
    parts = {name: part for part, _, name in contents.listed(toc)}
    return [_chapter(site, name, part, parts) for name, part in parts.items()]


def _chapter(site, name, part, names):
    page = (site / f"{name}.html").read_text("utf-8")
    drawings = []

    def put_away(match):
        """Drawings are large, have anchors of their own and stay as they are."""
        drawings.append(_drawing(match[0]))
        return f'<i data-drawing="{len(drawings) - 1}"></i>'

    page = re.sub(r"<svg\b.*?</svg>", put_away, page, flags=re.S)
    soup = BeautifulSoup(page, "html.parser")
    body = soup.select_one("article section")
    _open(soup, body)
    _answers_last(soup, body, name)
    for link in body.select("a[href]"):
        _relink(link, name, names)
    for picture in body.select("img[src]"):
        path = (site / f"{name}.html").parent / unquote(picture["src"])
        picture["src"] = path.resolve().as_uri()
    for element in [body, *body.select("[id]")]:
        if element.get("id"):
            element["id"] = f"{name}--{element['id']}"
    title = body.h1.get_text().strip()
    sections = tuple(
        (section["id"], heading.get_text().strip())
        for section in body.find_all("section", recursive=False)
        if (heading := section.find("h2", recursive=False))
    )
    text = re.sub(
        r'<i data-drawing="(\d+)"></i>', lambda m: drawings[int(m[1])], str(body)
    )
    text = PLAIN.sub(r"\1", text)
    return Chapter(name, part, title, text, sections)


def _drawing(svg):
    """A figure as wide as its text wants, not as the page; without unused names."""
    svg = re.sub(r' id="image\w+"', "", svg)
    box = re.search(r'viewBox="\S+ \S+ (\S+) ', svg)
    if not box:
        return svg
    width = f"width:{float(box[1]) * POINTS:.0f}pt;max-width:100%;height:auto"
    return re.sub(r'style="width:100%;[^"]*"', f'style="{width}"', svg, count=1)


def _open(soup, body):
    """Open what is folded; drop what is for clicking."""
    for label in body.select(".sd-tab-set > label"):
        title = soup.new_tag("p", attrs={"class": "lsmtl-tab"})
        title.string = label.get_text().strip()
        label.insert_before(title)
    for element in body.select(DROPPED):
        element.decompose()
    for box in body.select("#exercise-content, #solution-content"):
        del box["id"]  # each exercise has these
    for link in body.select("a[download]"):
        (link.find_parent("p") or link).decompose()
    for fold in body.select("details"):
        if fold.summary:
            fold.summary.decompose()
        fold.name, fold["class"] = "div", ["lsmtl-opened"]


def _answers_last(soup, body, name):
    """Move hints, results and solutions of exercises to the chapter's end."""
    answers = soup.new_tag("section", attrs={"class": "lsmtl-answers", "id": "answers"})
    for exercise in body.select("div.exercise"):
        # Hints are folded into each other: take the inner ones out first.
        hints = [h.extract() for h in reversed(exercise.select(".admonition.dropdown"))]
        results = [r.extract() for r in exercise.select(".lsmtl-opened:has(.output)")]
        solution = exercise.find_next_sibling("div", class_="solution")
        solution = solution and solution.extract()
        if not (hints or results or solution):
            continue
        anchor = f"{exercise['id']}-answer"
        part = soup.new_tag("section", attrs={"id": anchor})
        part.append(soup.new_tag("h3"))
        back = soup.new_tag("a", attrs={"href": f"#{exercise['id']}"})
        back.string = " ".join(exercise.select_one(".admonition-title").text.split())
        part.h3.append(back)
        part.extend(reversed(hints))
        for result in results:
            part.append(_titled(soup, "What the cell puts out", result))
        if solution:
            solution.p.string = "Solution"
            part.append(solution)
        answers.append(part)
        there = soup.new_tag("p", attrs={"class": "lsmtl-there"})
        there.append(soup.new_tag("a", attrs={"href": f"#{anchor}"}))
        there.a.string = "Hints and solution" if solution else "Hints"
        place = {"class": "lsmtl-page", "data-page": f"{name}--{anchor}"}
        there.append(soup.new_tag("span", attrs=place))
        exercise.append(there)
    if answers.contents:
        title = soup.new_tag("h2")
        title.string = (
            "Hints and solutions" if answers.select("div.solution") else "Hints"
        )
        answers.insert(0, title)
        body.append(answers)


def _titled(soup, title, element):
    box = soup.new_tag("div", attrs={"class": "admonition"})
    box.append(soup.new_tag("p", attrs={"class": "admonition-title"}))
    box.p.string = title
    box.append(element)
    return box


def _relink(link, name, names):
    """Lead to a page of the book or to the web; other links become text."""
    url = urlsplit(link["href"])
    if url.scheme in LINKS_KEPT:
        return
    page = _resolved(name, unquote(url.path).removesuffix(".html"))
    if url.scheme or page not in names:
        link.unwrap()
        return
    anchor = unquote(url.fragment)
    link["href"] = f"#{page}--{anchor}" if anchor else f"#{page}"


def _resolved(name, path):
    if not path:
        return name
    parts = name.split("/")[:-1]
    for step in path.split("/"):
        parts = parts[:-1] if step == ".." else [*parts, step]
    return "/".join(parts)


def lower(body, levels):
    """Put the headings of some HTML so many levels lower.

    Args:
        body: HTML.
        levels: how many; h6 stays.
    """
    return re.sub(
        r"(</?h)([1-6])\b", lambda m: m[1] + str(min(int(m[2]) + levels, 6)), body
    )


def looks(site, names):
    """The style sheets of the pages, and the scripts that draw math.

    Args:
        site: folder of the built book.
        names: of pages; the first one that draws math is asked.
    """
    for name in names:
        page = site / f"{name}.html"
        soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
        math = soup.select_one("script[src*=tex-svg]")
        if math:
            break
    settings = math and soup.find("script", string=re.compile("window.MathJax"))
    files = soup.select("link[rel=stylesheet], script[src*=tex-svg]")
    for element in files:
        attribute = "href" if element.name == "link" else "src"
        path = page.parent / unquote(urlsplit(element[attribute]).path)
        element[attribute] = path.resolve().as_uri()
    return "\n".join(str(e) for e in [settings, *files] if e)


def escaped(text):
    """Text for HTML."""
    return html.escape(text, quote=True)
