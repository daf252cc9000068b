"""One EPUB of the whole book: a file a chapter, math as MathML.

MathJax in Chromium makes the MathML, the browser also makes XHTML of HTML. Readers
that know EPUB 3 show both without help.
"""

import mimetypes
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from lsmtl.lab import ROOT
from publishing.browser import need, opened
from publishing.document import chapters, escaped, looks, lower
from publishing.pdf import authors

# Few readers know mathvariant: letters become those that Unicode has for it.
XHTML = """() => {
  const first = {  // A, a, 0
    'bold': [0x1D400, 0x1D41A, 0x1D7CE],
    'double-struck': [0x1D538, 0x1D552, 0x1D7D8],
    'script': [0x1D49C, 0x1D4B6],
  };
  const elsewhere = {  // came into Unicode earlier
    'double-struck': {C: 'ℂ', H: 'ℍ', N: 'ℕ', P: 'ℙ', Q: 'ℚ', R: 'ℝ', Z: 'ℤ'},
    'script': {
      B: 'ℬ', E: 'ℰ', F: 'ℱ', H: 'ℋ', I: 'ℐ', L: 'ℒ', M: 'ℳ', R: 'ℛ'},
  };
  const letter = (variant, char) => {
    const kind = [/[A-Z]/, /[a-z]/, /[0-9]/].findIndex(kind => kind.test(char));
    const start = first[variant]?.[kind];
    return elsewhere[variant]?.[char] ?? (start ? String.fromCodePoint(
      start + char.charCodeAt() - 'Aa0'.charCodeAt(kind)) : char);
  };
  for (const box of document.querySelectorAll('mjx-container')) {
    const math = box.querySelector('math');
    math.setAttribute('display', box.getAttribute('display') ? 'block' : 'inline');
    for (const part of math.querySelectorAll('[mathvariant]')) {
      const variant = part.getAttribute('mathvariant');
      if (variant in first && !part.children.length) {
        part.textContent = [...part.textContent].map(c => letter(variant, c)).join('');
        part.setAttribute('mathvariant', 'normal');
      }
    }
    box.replaceWith(math);
  }
  for (const table of document.querySelectorAll('table[border]'))
    table.removeAttribute('border');
  const serializer = new XMLSerializer();
  return [...document.querySelectorAll('body > section')].map(
    section => serializer.serializeToString(section));
}"""

PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="en" xml:lang="en">
<head><title>{title}</title><link rel="stylesheet" href="book.css"/></head>
<body>{body}</body></html>
"""

PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"
 xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{id}</dc:identifier>
<dc:title>{title}</dc:title><dc:language>en</dc:language>
<dc:creator>{authors}</dc:creator>
<meta property="dcterms:modified">{now:%Y-%m-%dT%H:%M:%SZ}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="css" href="book.css" media-type="text/css"/>
{items}
</manifest>
<spine>{spine}</spine>
</package>
"""

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/package.opf"
 media-type="application/oebps-package+xml"/></rootfiles></container>
"""


def write_epub(site, toc, output):
    """Write the built book as one EPUB.

    Args:
        site: folder of the built book.
        toc: path of `_toc.yml`.
        output: path of the EPUB; the document that it is made from lies beside it.

    Raises:
        FileNotFoundError: there is no book, or no Chromium.
    """
    need(site)
    found = chapters(site, toc)
    source = output.with_suffix(".epub.html")
    sections = "".join(f"<section>{lower(c.body, 0)}</section>" for c in found)
    source.write_text(
        '<!DOCTYPE html><html><head><meta charset="utf-8">'
        f"{looks(site, [c.name for c in found])}</head><body>{sections}</body></html>",
        "utf-8",
    )
    with opened(source, 800) as page:
        bodies = page.evaluate(XHTML)
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    files = {c.name: f"{c.name.replace('/', '-')}.xhtml" for c in found}
    items, pictures = [], {}
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        for number, (chapter, body) in enumerate(zip(found, bodies, strict=True)):
            body = re.sub(
                r'(?<=\s)href="#([^"]*)"',
                lambda m: f'href="{_place(m[1], files)}"',
                body,
            )
            body = re.sub(
                r'src="(file:[^"]*)"',
                lambda m: f'src="{_picture(m[1], pictures)}"',
                body,
            )
            archive.writestr(
                f"book/{files[chapter.name]}",
                PAGE.format(title=escaped(chapter.title), body=body),
            )
            has = [
                k for k, mark in (("mathml", "<math"), ("svg", "<svg")) if mark in body
            ]
            has = f' properties="{" ".join(has)}"' if has else ""
            items.append(
                f'<item id="c{number}" href="{files[chapter.name]}" '
                f'media-type="application/xhtml+xml"{has}/>'
            )
        for number, (name, path) in enumerate(pictures.items()):
            archive.write(path, f"book/{name}")
            kind, _ = mimetypes.guess_type(name)
            items.append(f'<item id="p{number}" href="{name}" media-type="{kind}"/>')
        archive.writestr(
            "book/nav.xhtml", PAGE.format(title="Contents", body=_nav(found, files))
        )
        css = (Path(__file__).parent / "epub.css").read_text("utf-8")
        css += (site / "_static" / "pygments.css").read_text("utf-8")
        archive.writestr("book/book.css", css)
        archive.writestr(
            "book/package.opf",
            PACKAGE.format(
                id=f"deep-lsmtl-{about['version']}",
                title=escaped(about["title"]),
                authors=escaped(authors(about)),
                now=datetime.now(UTC),
                items="\n".join(items),
                spine="".join(f'<itemref idref="c{n}"/>' for n in range(len(found))),
            ),
        )


def _place(anchor, files):
    page, _, inside = anchor.partition("--")
    return f"{files[page]}#{anchor}" if inside else files[page]


def _picture(address, pictures):
    path = Path(unquote(urlsplit(address).path))
    pictures[path.name] = path
    return path.name


def _nav(found, files):
    """The table of contents that readers show."""
    lines, part = "", ""
    for chapter in found:
        if chapter.part != part:
            lines += "</ol></li>" * bool(part)
            part = chapter.part
            lines += f"<li><span>{escaped(part)}</span><ol>"
        lines += (
            f'<li><a href="{files[chapter.name]}">{escaped(chapter.title)}</a></li>'
        )
    lines += "</ol></li>" * bool(part)
    return f'<nav epub:type="toc"><h1>Contents</h1><ol>{lines}</ol></nav>'
