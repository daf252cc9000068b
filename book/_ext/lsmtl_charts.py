"""Sphinx extension: pages have the script for their charts, and tables beside them.

Pages without a chart don't load `charts.js`, so nobody waits for it. A table to be
saved travels within an output, as the address of its link; in the book it becomes a
file, and the page stays light.
"""

import base64
import hashlib
import re
from pathlib import Path

DATA = re.compile(r'download="([\w.-]+)" href="data:text/csv;base64,([^"]*)"')


def finish(app, pagename, templatename, context, doctree):
    """Give a page its script, and its tables their files."""
    if app.builder.name != "html":
        return
    body = context.get("body") or ""
    if 'class="lsmtl-chart"' in body:
        app.add_js_file("charts.js", loading_method="defer")
    context["body"] = DATA.sub(lambda m: _saved(app, context, *m.groups()), body)


def _saved(app, context, name, text):
    data = base64.b64decode(text)
    short = hashlib.sha256(data).hexdigest()[:8]
    path = Path("_downloads", short, name)
    (app.outdir / path.parent).mkdir(parents=True, exist_ok=True)
    (app.outdir / path).write_bytes(data)
    address = context["pathto"](path.as_posix(), resource=True)
    return f'download="{name}" href="{address}"'


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
