"""A chapter's MyST text as a notebook that JupyterLab shows well.

JupyterLab knows Markdown, LaTeX and HTML, but no directives and no roles. Folded
admonitions become `<details>`, others quotes; references become words and links.
What has no translation is an error, not a riddle for the reader.
"""

import functools
import re

import jupytext
import nbformat
from pybtex.database import parse_file
from pybtex.richtext import Text

from lsmtl.lab import ROOT, contents, notebooks

BOOK_ONLY = re.compile(r"^% book only\n.*?^% end of book only\n", re.M | re.S)
COMMENT = re.compile(r"^%.*\n", re.M)
TARGET = re.compile(r"^\(([\w-]+)\)=\n+(?:#+ (.+)\n)?", re.M)
EQUATION = re.compile(r"^\$\$\n(.*?)\n\$\$(?: \((\S+)\))?$", re.M | re.S)
FENCE = re.compile(r"^(`{3,}|:{3,})(?:\{([\w:-]+)\} ?(.*))?")
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")
TERM = re.compile(r"^(`.+`)\n: ", re.M)
KIND = re.compile(rf"^(\*(?:{'|'.join(notebooks.KINDS)}), .+\*)\n", re.M)
WAITS = """%%capture
# Predict first; then delete the line above and run this cell.
"""
QUOTED = ("admonition", "note", "tip", "hint", "important", "warning", "seealso")
BARE = ("grid", "tab-set", "exercise-end", "solution-end")  # only what is inside
TITLED = ("grid-item-card", "tab-item")


def chapters():
    """The pages with code in the order of the book, without those about teaching."""
    with_code = {c for c in notebooks.chapters() if c.parent.name != "teaching"}
    return [p.path for p in contents.pages().values() if p.path in with_code]


@functools.cache
def names():
    """A chapter's stem → the name of its notebook."""
    return {c.stem: f"{i:02}-{c.stem}.ipynb" for i, c in enumerate(chapters(), 1)}


def notebook(chapter, solved=False):
    """A chapter as a notebook without outputs.

    Args:
        chapter: path of its text.
        solved: whether with its solutions.

    Raises:
        ValueError: the text has a directive, a role or a link without a translation.
    """
    page = chapter.stem
    source = jupytext.reads(_source(chapter, solved), fmt="md:myst")
    cells, cited = [], []
    for cell in source.cells:
        if cell.cell_type == "code":
            cells.append(_code(cell, solved))
        elif text := plain(cell.source, page):
            cited += [k for k in _cited(cell.source) if k not in cited]
            parts = re.split(r"\n(?=### Exercise )", text)  # a cell each
            cells += map(nbformat.v4.new_markdown_cell, map(str.strip, parts))
    if cited:
        lines = ["## References", *(f"- {reference(key)}" for key in cited)]
        cells.append(nbformat.v4.new_markdown_cell("\n".join(lines)))
    for number, cell in enumerate(cells):
        cell.id = f"{chapter.stem}-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def _source(chapter, solved):
    text = chapter.read_text("utf-8")
    text = text if solved else notebooks.without_solutions(text)
    return BOOK_ONLY.sub("", text)


def _code(cell, solved):
    """A code cell that JupyterLab folds, or whose output waits for a prediction."""
    tags, source = cell.metadata.get("tags", []), cell.source
    metadata = {"tags": tags} if tags else {}
    if {"hide-input", "remove-input"} & {*tags}:
        metadata["jupyter"] = {"source_hidden": True}
    if "hide-output" in tags and not solved:
        source = WAITS + source
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def plain(text, page):
    """A piece of MyST as Markdown with LaTeX and HTML.

    Args:
        text: the piece, whole blocks.
        page: stem of the page where it stands.
    """
    text = COMMENT.sub("", BOOK_ONLY.sub("", text))
    text = KIND.sub("\n\\1\n\n", TERM.sub(r"- \1: ", text))
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.M)
    text = EQUATION.sub(lambda m: _equation(m, page), text)
    return re.sub(r"\n{3,}", "\n\n", _blocks(text, page)).strip()


def _equation(match, page):
    body, label = match.groups()
    if label is None:
        return match[0]
    return f"$$\n{body} \\tag{{{labels()[label][1]}}}\n$$"


def _blocks(text, page):
    lines, found = iter(text.splitlines()), []
    for line in lines:
        fence = FENCE.match(line)
        if fence is None:
            found.append(_inline(line, page))
            continue
        inside = []
        for other in lines:
            if re.fullmatch(rf"{fence[1][0]}{{{len(fence[1])},}}\s*", other):
                break
            inside.append(other)
        if fence[2]:
            found += ["", _directive(fence[2], fence[3], inside, page), ""]
        else:
            found += [line, *inside, fence[1]]
    return "\n".join(found)


def _directive(name, argument, inside, page):
    options = {}
    while inside and (option := re.match(r":([\w-]+):\s*(.*)", inside[0])):
        options[option[1]] = option[2]
        inside = inside[1:]
    body = _blocks("\n".join(inside), page).strip()
    title = _inline(argument, page) or name.capitalize()
    if name == "exercise-start":
        return f"### Exercise {options['label'].rsplit('-', 1)[1]} · {title}"
    if name == "solution-start":
        return f"#### Solution {argument.rsplit('-', 1)[1]}"
    if name in QUOTED and "dropdown" in options.get("class", ""):
        return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
    if name in QUOTED:
        # JupyterLab takes LaTeX out before it reads quotes: no line may break in it.
        body = re.sub(
            r"\$\$.*?\$\$", lambda m: m[0].replace("\n", " "), body, flags=re.S
        )
        return "\n".join(
            f"> {s}".rstrip() for s in [f"**{title}**", "", *body.split("\n")]
        )
    if name in TITLED:
        return f"**{title}**\n\n{body}"
    if name in BARE:
        return body
    raise ValueError(f"{page}: the directive {name} has no translation")


def _inline(line, page):
    line = ROLE.sub(lambda m: _role(m[1], m[2], page), line)
    return LINK.sub(lambda m: _link(m[1], m[2], page), line)


def _role(name, content, page):
    if name in ("cite", "cite:p"):
        return f"({'; '.join(_author_year(k) for k in _keys(content))})"
    if name == "cite:t":
        return ", ".join(_author_year(k) for k in _keys(content))
    if name in ("eq", "ref", "numref", "prf:ref"):
        return _reference(content, page)
    raise ValueError(f"{page}: the role {name} has no translation")


def _reference(label, page):
    text, _, inside = label.partition(" <")
    if inside:
        return f"{text}, {_reference(inside.rstrip('>'), page)}"
    if label not in labels():
        raise ValueError(f"{page}: nothing is labelled {label}")
    stem, what = labels()[label]
    text = f"({what})" if isinstance(what, int) else what
    return text if stem == page else f"{text} of {_link('', stem + '.md', page)}"


def _link(text, address, page):
    if re.match(r"[a-z]+:", address):
        return f"[{text}]({address})"
    if not address.endswith(".md"):
        return f"[{text}](#)" if text else _reference(address.lstrip("#"), page)
    stem = address.rsplit("/", 1)[-1].removesuffix(".md")
    if stem not in titles():
        raise ValueError(f"{page}: there is no page {address}")
    text = text or titles()[stem]
    if stem in names() or stem == "data":
        return f"[{text}]({names().get(stem, 'data.md')})"
    return f"*{text}*, a page of the book"


@functools.cache
def titles():
    """Stem of a page → its title."""
    return {page.stem: page.title for page in contents.pages().values()}


@functools.cache
def labels():
    """Label → its page's stem, and an equation's number or a title."""
    found = {}
    for path in (ROOT / "book").glob("*/*.md"):
        text = BOOK_ONLY.sub("", path.read_text("utf-8"))
        numbered = [label for _, label in EQUATION.findall(text) if label]
        found |= {label: (path.stem, i) for i, label in enumerate(numbered, 1)}
        for label, title in TARGET.findall(text):
            found[label] = path.stem, title or titles()[path.stem]
        starts = r"\{exercise-start\} (.+)\n:label: (\S+)"
        for title, label in re.findall(starts, text):
            found[label] = path.stem, f"Exercise {label.rsplit('-', 1)[1]} ({title})"
    return found


def _cited(text):
    return [
        key
        for _, keys in re.findall(r"\{(cite\S*?)\}`([^`]+)`", text)
        for key in _keys(keys)
    ]


def _keys(content):
    return [key.strip() for key in content.split(",")]


@functools.cache
def _entries():
    return parse_file(str(ROOT / "book" / "references.bib"), "bibtex").entries


def _words(latex):
    return str(Text.from_latex(latex))


def _author_year(key):
    entry = _entries()[key]
    people = entry.persons.get("author", [])
    last = [_words(" ".join(p.prelast_names + p.last_names)) for p in people]
    if "others" in last or len(last) > 2:
        last = [f"{last[0]} et al."]
    names = " and ".join(last) or _words(entry.fields["title"])
    return f"{names} {entry.fields.get('year', '')}".strip()


def reference(key):
    """An entry of the bibliography in a line.

    Args:
        key: of `references.bib`.
    """
    fields = _entries()[key].fields
    places = ("journal", "booktitle", "publisher", "howpublished", "url")
    where = [fields[place] for place in places if place in fields][:1]
    title = [fields["title"]] if _entries()[key].persons else []
    line = ". ".join([_author_year(key), *map(_words, title + where)]) + "."
    if "doi" in fields:
        line += f" https://doi.org/{fields['doi']}"
    return line
