"""One PDF of the whole book, printed by headless Chromium.

All pages become one document, so Chromium makes links, outline and tags. It prints
twice: the first print says on which pages things stand, the second one has these
numbers. Each chapter has a kind of page of its own, which carries its running head.
"""

import json
from datetime import date
from pathlib import Path

import matplotlib
import yaml
from pypdf import PdfReader, PdfWriter
from pypdf.generic import Fit

from lsmtl.lab import ROOT
from publishing.browser import need, opened
from publishing.document import chapters, escaped, looks, lower

WIDTH = 643  # CSS pixels of a line: A4 less its margins, 170 mm
FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
FACES = {  # Matplotlib brings them, so that the book looks the same everywhere
    ("Book", "normal", "normal"): "STIXGeneral",
    ("Book", "normal", "italic"): "STIXGeneralItalic",
    ("Book", "bold", "normal"): "STIXGeneralBol",
    ("Book", "bold", "italic"): "STIXGeneralBolIta",
    ("Code", "normal", "normal"): "DejaVuSansMono",
    ("Code", "bold", "normal"): "DejaVuSansMono-Bold",
    ("Code", "normal", "italic"): "DejaVuSansMono-Oblique",
    ("Drawing", "normal", "normal"): "DejaVuSans",
    ("Drawing", "bold", "normal"): "DejaVuSans-Bold",
}

# Shrink what is too wide for a line; cells wrap where it would become too small.
FIT = """() => {
  const boxes = '.lsmtl-scroll, .pst-scrollable-table-container, .output.text_html';
  for (const box of document.querySelectorAll(boxes)) {
    const table = box.querySelector('table');
    if (!table || box.querySelector(boxes)) continue;
    const fits = box.clientWidth / table.scrollWidth;
    if (fits >= 1) continue;
    if (fits < 0.66) table.classList.add('lsmtl-wrapped');
    table.style.zoom = Math.min(1, box.clientWidth / table.scrollWidth);
  }
}"""

NUMBER = """pages => {
  for (const place of document.querySelectorAll('[data-page]'))
    place.textContent = pages[place.dataset.page];
}"""


def document(site, toc):
    """The whole book as HTML, ready to be printed.

    Args:
        site: folder of the built book.
        toc: path of `_toc.yml`.

    Returns:
        the HTML and the `Chapter`s.
    """
    found = chapters(site, toc)
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    faces = "\n".join(
        f"@font-face {{ font-family: {name}; font-weight: {weight};"
        f" font-style: {style}; src: url({(FONTS / file).as_uri()}.ttf) }}"
        for (name, weight, style), file in FACES.items()
    )
    css = (Path(__file__).parent / "book.css").read_text("utf-8")
    heads = "\n".join(_head(number, c) for number, c in enumerate(found))
    body, part = [], ""
    for number, chapter in enumerate(found):
        if chapter.part != part:
            part = chapter.part
            body.append(_part(part, [c for c in found if c.part == part]))
        body.append(
            f'<section class="lsmtl-chapter bd-content" id="{chapter.name}" '
            f'style="page: chapter-{number}">'
            f"{lower(chapter.body, 1 if chapter.part else 0)}</section>"
        )
    return (
        '<!DOCTYPE html><html lang="en" data-theme="light"><head>'
        f'<meta charset="utf-8"><title>{escaped(about["title"])}</title>'
        f"{looks(site, [c.name for c in found])}"
        f"<style>{faces}\n{css}\n{heads}</style></head><body>"
        f"{_cover(about)}{_contents(found)}{''.join(body)}</body></html>"
    ), found


def _head(number, chapter):
    """The running head of a chapter."""
    left, right = (json.dumps(t, ensure_ascii=False) for t in _heads(chapter))
    return (
        f"@page chapter-{number} {{ @top-left {{ content: {left} }}"
        f" @top-right {{ content: {right} }} }}"
    )


def _heads(chapter):
    return (chapter.part or chapter.title, chapter.title if chapter.part else "")


def authors(about):
    """The authors' names, as CITATION.cff has them."""
    return ", ".join(
        a.get("name") or f"{a['given-names']} {a['family-names']}"
        for a in about["authors"]
    )


def _cover(about):
    (paper,) = about["references"][:1]
    names = " and ".join(
        f"{a['given-names']} {a['family-names']}" for a in paper["authors"]
    )
    return (
        '<section class="lsmtl-cover">'
        f'<p class="lsmtl-title">{escaped(about["title"])}</p>'
        f"<p class='lsmtl-subtitle'>On <em>{escaped(paper['title'])}</em> "
        f"by {escaped(names)} ({escaped(paper['conference']['name'])})</p>"
        f"<p>{escaped(authors(about))}</p>"
        f"<p>Version {about['version']}, made on {date.today():%d %B %Y}</p></section>"
    )


def _entry(chapter, sections=False):
    return (
        f'<li><a href="#{chapter.name}">{escaped(chapter.title)}</a><span></span>'
        f'<a href="#{chapter.name}" data-page="{chapter.name}"></a></li>'
    ) + (f'<li class="lsmtl-sections"><p>{_sections(chapter)}</p></li>' * sections)


def _sections(chapter):
    """The sections of a chapter in a line, as links."""
    return " · ".join(
        f'<a href="#{anchor}">{escaped(title)}&nbsp;<i data-page="{anchor}"></i></a>'
        for anchor, title in chapter.sections
    )


def _part(title, found):
    entries = "".join(_entry(chapter, sections=True) for chapter in found)
    return (
        f'<section class="lsmtl-part" id="part-{found[0].name}">'
        f"<h1>{escaped(title)}</h1><ul class='lsmtl-contents'>{entries}</ul></section>"
    )


def _contents(found):
    lines, part = [], ""
    for chapter in found:
        if chapter.part != part:
            part = chapter.part
            lines.append(
                f'<li class="lsmtl-of-part"><a href="#part-{chapter.name}">'
                f"{escaped(part)}</a></li>"
            )
        lines.append(_entry(chapter, sections=not part))
    return (
        '<section class="lsmtl-front"><h1>Contents</h1>'
        f'<ul class="lsmtl-contents">{"".join(lines)}</ul></section>'
    )


def print_book(site, toc, output):
    """Print the built book into one PDF.

    Args:
        site: folder of the built book.
        toc: path of `_toc.yml`.
        output: path of the PDF; the document that is printed lies beside it.

    Returns:
        number of pages.

    Raises:
        FileNotFoundError: there is no book, or no Chromium.
    """
    need(site)
    source = output.with_suffix(".html")
    text, found = document(site, toc)
    source.write_text(text, "utf-8")
    with opened(source, WIDTH) as page:
        page.evaluate(FIT)
        paper = {"path": output, "prefer_css_page_size": True, "print_background": True}
        page.pdf(**paper)
        page.evaluate(NUMBER, places(PdfReader(output)))
        page.pdf(**paper, tagged=True)
    _describe(output, found)
    return len(PdfReader(output).pages)


def places(pdf):
    """Page numbers, from 1, of the anchors of a PDF.

    Args:
        pdf: `PdfReader`.
    """
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(pdf.pages, 1)}
    return {
        name.removeprefix("/"): numbers[place.raw_get("/Page").idnum]
        for name, place in pdf.named_destinations.items()
    }


def _describe(output, found):
    """Say in the PDF what it is, and give it an outline."""
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    pdf = PdfReader(output)
    pages, spots = places(pdf), pdf.named_destinations
    writer = PdfWriter(output, incremental=True)
    subject = about["references"][0]["title"]
    writer.add_metadata({"/Author": authors(about), "/Subject": subject})

    def mark(title, anchor, above=None):
        fit = Fit.xyz(top=spots[f"/{anchor}"].top)
        page = pages[anchor] - 1
        return writer.add_outline_item(title, page, above, fit=fit, is_open=not above)

    part, above = "", None
    for chapter in found:
        if chapter.part != part:
            part = chapter.part
            above = mark(part, f"part-{chapter.name}")
        own = mark(chapter.title, chapter.name, above)
        for anchor, title in chapter.sections:
            mark(title, anchor, own)
    writer.page_mode = "/UseOutlines"
    writer.write(output)
