"""Blocks and slides as HTML."""

import html
import re

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_role import myst_role_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from classroom.slides import panels
from lsmtl.lab import contents

CODE = HtmlFormatter(cssclass="code", nowrap=False)


def _math(text, options):
    mark = r"\[{}\]" if options.get("display_mode") else r"\({}\)"
    return f'<span class="math">{html.escape(mark.format(text))}</span>'


def _role(renderer, tokens, index, options, env):
    role, text = tokens[index].meta["name"], tokens[index].content
    if role == "eq":
        return f"({env['numbers'][text]})"
    if role == "cite":
        keys = [re.sub(r"(\D+)(\d+)", r"\1 \2", key).title() for key in text.split(",")]
        return f'<span class="cite">[{"; ".join(keys)}]</span>'
    if role == "ref":
        return f"<em>{html.escape(text.split(' <')[0])}</em>"
    raise ValueError(f"role {role!r} can't be shown on a slide; eq, cite, ref can")


def _link(renderer, tokens, index, options, env):
    """A link becomes emphasis; one without a text shows its page's title."""
    target, following = tokens[index].attrs["href"], tokens[index + 1]
    empty = following.type == "link_close"
    return "<em>" + (title(str(target).split("#")[0]) if empty else "")


def title(target):
    """The title of the page that a link leads to, or what the link says."""
    name = target.rpartition("/")[2]
    titles = {f"{page.stem}.md": page.title for page in contents.pages().values()}
    return html.escape(titles.get(name, "above"))


MARKDOWN = (
    MarkdownIt("commonmark")
    .enable("table")
    .use(dollarmath_plugin, renderer=_math)
    .use(myst_role_plugin)
)
MARKDOWN.add_render_rule("myst_role", _role)
MARKDOWN.add_render_rule("link_open", _link)
MARKDOWN.add_render_rule("link_close", lambda *_: "</em>")


def text(block, numbers):
    """A sentence, item, table or equation.

    Args:
        block: of a chapter.
        numbers: of the chapter's equations, by label.
    """
    if block.kind == "math":
        number = f'<span class="number">({block.number})</span>' * bool(block.number)
        body = _math(block.source, {"display_mode": True})
        return f'<div class="equation">{body}{number}</div>'
    if block.kind == "table":
        return MARKDOWN.render(block.source, {"numbers": numbers})
    source = re.sub(r"\((\{eq\}`[^`]+`)\)", r"\1", block.source)  # brackets once
    inside = MARKDOWN.renderInline(source, {"numbers": numbers})
    return f"<li>{inside}</li>" if block.kind == "item" else f"<p>{inside}</p>"


def code(block):
    """The source of a cell."""
    return highlight(block.source, PythonLexer(), CODE)


def outputs(block, only=""):
    """All that a cell put out; links to files and what is folded are left out.

    Args:
        block: a cell.
        only: of tables show the rows whose name holds this, of figures those with
            this title.

    Raises:
        ValueError: the cell put out nothing, or nothing of that name.
    """
    parts = []
    for output in (block.cell or {}).get("outputs", []):
        data = output.get("data", {})
        if output["output_type"] == "stream" and output["name"] == "stdout":
            parts.append(f"<pre>{html.escape(output['text'])}</pre>")
        elif "text/html" in data and "<a download" not in data["text/html"]:
            folded = "<(details|script).*?</(details|script)>"  # what can't be moved
            part = re.sub(folded, "", data["text/html"], flags=re.S)
            if "<figure" in part:
                part = panels.spread(part, only)
            elif only:
                part = rows(part, only)
            parts.append(part)
        elif "text/plain" in data and "text/html" not in data:
            parts.append(f"<pre>{html.escape(data['text/plain'])}</pre>")
    if not parts:
        raise ValueError(f"this cell puts out nothing:\n{block.source}")
    return "\n".join(parts)


def rows(table, only):
    """A table's rows whose name holds `only`; a last row says that there are more.

    Raises:
        ValueError: there is no such row.
    """
    kept = 0

    def keep(row):
        nonlocal kept
        if "<td" in row[0] and only not in re.search("<th.*?</th>", row[0], re.S)[0]:
            return ""
        kept += "<td" in row[0]
        return row[0]

    table = re.sub("<tr>.*?</tr>", keep, table, flags=re.S)
    if not kept:
        raise ValueError(f"no row of this table has {only!r} in its name")
    more = '<tr><th scope="row">…</th></tr></tbody>'
    return table.replace("</tbody>", more)


def show(what, block, numbers):
    """A block as it is shown: as text, as code or by its outputs."""
    if what == "code":
        return code(block)
    if what.startswith("out"):
        return outputs(block, what[4:])
    return text(block, numbers)


def slide(slide, chapter):
    """A slide of a chapter, with speaker notes."""
    numbers = chapter.labels()
    words, pictures = "", ""
    for what, block in slide.shown:
        drawn = show(what, block, numbers)
        if what.startswith("out") and re.search("<figure|<table", drawn):
            pictures += drawn
        else:
            words += drawn
    body = f'<div class="words">{_lists(words)}</div>' * bool(words)
    body += f'<div class="pictures">{pictures}</div>' * bool(pictures)
    notes = [text(b, numbers) for b in slide.notes if b.kind != "cell"]
    notes = f'<aside class="notes">{"".join(notes)}</aside>' if notes else ""
    heading = MARKDOWN.renderInline(slide.title, {"numbers": numbers})
    return (
        f'<section class="{slide.kind}"><h2>{heading}</h2>'
        f'<div class="body">{body}</div>{notes}</section>'
    )


def _lists(drawn):
    return re.sub(r"((?:<li>(?:(?!<li>).)*?</li>)+)", r"<ul>\1</ul>", drawn)
