"""`python -m classroom.slides`: a deck for each part of the book: `_build/slides`."""

import os
import re
import shutil
from pathlib import Path

from pygments.formatters import HtmlFormatter

from classroom.slides import chapters, decks, html
from lsmtl.lab import ROOT, notebooks

OUT = ROOT / "_build" / "slides"
HERE = Path(__file__).parent
STATIC = [
    *sorted((HERE / "reveal").iterdir()),
    *(HERE / name for name in ("deck.css", "deck.js")),
    *(chapters.BOOK / "_static" / name for name in ("lsmtl.css", "tex-svg.js")),
]
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
{head}
</head>
<body class="{kind}">
{body}
</body>
</html>
"""
STYLES = "\n".join(
    f'<link rel="stylesheet" href="static/{name}.css">'
    for name in ("reveal", "lsmtl", "code", "deck")
)
SCRIPTS = "\n".join(
    f'<script src="static/{name}.js"></script>'
    for name in ("reveal", "notes", "deck", "tex-svg")
)


def build():
    """Write all decks and the page that lists them."""
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "static").mkdir(parents=True)
    for path in STATIC:
        shutil.copy(path, OUT / "static")
    (OUT / "static" / "code.css").write_text(code_styles(), "utf-8")
    listed = []
    for part, chosen in decks.load().items():
        body, count = deck(part, chosen)
        path = OUT / f"{slug(part)}.html"
        page = PAGE.format(title=part, head=STYLES, body=body + SCRIPTS, kind="deck")
        path.write_text(page, "utf-8")
        print(f"{path.relative_to(ROOT)}: {count} slides", flush=True)
        names = " · ".join(chapters.read(name).title for name in chosen)
        listed.append(
            f'<li><a href="{path.name}">{part}</a>, {count} slides'
            f"<br><small>{names}</small></li>"
        )
    body = f"<h1>Slides</h1><ul>{''.join(listed)}</ul>{HELP}"
    page = PAGE.format(title="Slides", head=STYLES, body=body, kind="list")
    (OUT / "index.html").write_text(page, "utf-8")


HELP = """<p>Arrow keys turn the slides, <kbd>Esc</kbd> shows all, <kbd>S</kbd> opens
the speaker's view with the section's text, <kbd>F</kbd> fills the screen.
To print, or to save as PDF, open a deck with <code>?print-pdf</code> behind its name.
</p>"""


def deck(part, chosen):
    """The slides of a part as HTML, and how many there are."""
    drawn = []
    for name, listed in chosen.items():
        chapter = chapters.read(name, execute=True)
        drawn += [html.slide(s, chapter) for s in decks.slides(chapter, listed)]
    titles = "".join(f"<li>{chapters.read(name).title}</li>" for name in chosen)
    first = f'<section class="part"><h1>{part}</h1><ol>{titles}</ol></section>'
    slides = "\n".join([first, *drawn])
    body = f'<div class="reveal"><div class="slides bd-content">{slides}</div></div>\n'
    return body, len(drawn) + 1


def slug(part):
    """A part's name as that of a file."""
    return re.sub(r"\W+", "-", part.lower().replace("'", "")).strip("-")


def code_styles():
    """Colours of code, for light and for dark screens, as in the book."""
    light, dark = (
        HtmlFormatter(style=f"a11y-high-contrast-{scheme}").get_style_defs(".code")
        for scheme in ("light", "dark")
    )
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


if __name__ == "__main__":
    os.environ.setdefault("LSMTL_RECORDS", str(notebooks.cache() / "records"))
    build()
