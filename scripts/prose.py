"""A linter for the book's prose: `python scripts/prose.py [page …]` says what to mend.

It sees what a reader reads as text: no code, no formulas, no outputs. What stands in
`ALLOWED` is right as it is. CONTRIBUTING.md has the rules.
"""

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

ROOT = Path(__file__).parents[1]
EXTENSIONS = {"amsmath", "colon_fence", "deflist", "dollarmath"}
CODE, MATH, CITED = "⟨code⟩", "⟨math⟩", "⟨cited⟩"
WORDS = 40  # in a sentence, at most

# Page and phrase → why it is right as it stands.
ALLOWED = {
    ("ablations", "loss, and let λ be 1.01"): "given by the exercise",
    ("ablations", "error, so a penalty with slope 1.01"): "given by the exercise",
    ("base-networks", "0.9 after an epoch in which the training MAE"): "a recipe",
    ("base-networks", "0.5 and the gradient ⟨math⟩ of the loss"): "a recipe",
    ("data", "CC BY 4.0"): "a licence",
    ("data", "correlation of at least 0.6"): "a definition",
    ("raw-to-tensors", "60 percent"): "given by the exercise",
}

BANNED = (
    r"actually|basically|clearly|evidently|extremely|it is easy to see|obviously|"
    r"it goes without saying|needless to say|note that|of course|quite|really|simply|"
    r"trivially|undoubtedly|very|we note|as everyone knows|in order to|utili[sz]e\w*|"
    r"leverag\w+|state[- ]of[- ]the[- ]art|cutting[- ]edge|novel|seamless\w*|delve\w*"
)
AMERICAN = (
    r"\w*(?:regulari|standardi|normali|optimi|generali|minimi|maximi|penali|initiali|"
    r"summari|visuali|organi|recogni|speciali|reali|categori|randomi|"
    r"vectori|paralleli|factori|discreti|harmoni)z(?:e|es|ed|er|ers|ing|ation|ations)|"
    r"(?:un)?(?:behavior|color|favor|neighbor|tumor|rumor|flavor|honor)\w*|labor|"
    r"(?:re)?center(?:s|ed|ing)?|fib(?:er|ers)|gray\w*|analyz\w+|model(?:ed|ing)|"
    r"(?:un)?label(?:ed|ing)|cancel(?:ed|ing)|defense|artifact\w*|catalog|program(?:ed)"
)
RESULT = (
    r"MAE|MSE|RMSE|CC|AUC|auPRC|auROC|AUROC|R²|concordance|correlation|correlates|"
    r"error|errors|accuracy|accurate|loss|better|worse|lower|higher|faster|slower|gain"
)
NUMBER = r"(?<![\w.,/-])\d+(?:\.\d+)?"
IN_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|fifty"
# Levels of tests and intervals are conventions, and a paper's number has its place.
LEVEL = re.compile(r"(?:1|5|95|99|100) ?(?:%|percent)|within .*")
SOURCE = re.compile(
    r"⟨cited⟩|\b(?:papers?|authors|review|appendix|abstract|Tables? \d|Section \d)"
)
RULES = {
    "a percentage of a run": (
        rf"(?:\bwithin )?(?:{NUMBER}|\b(?:{IN_WORDS})) ?(?:%|per ?cent\b)"
    ),
    "a ratio of a run": rf"{NUMBER}(?: times|-fold)",
    "a p-value of a run": r"\bp ?[=<>≤] ?0?\.\d+",
    "a number of a run": (
        rf"\b(?:{RESULT})\b[^.;:]{{0,40}}(?<![\w.])\d+\.\d+|"
        rf"(?<![\w.])\d+\.\d+[^.;:]{{0,40}}\b(?:{RESULT})\b"
    ),
    "a word to leave out": rf"\b(?:{BANNED})\b",
    "American spelling": rf"\b(?:{AMERICAN})\b",
    "a word twice": r"\b(\w+) \1\b",
    "markup that shows": r"\{\w[\w:]*\}`|\]\(|(?<!\w)\*\*?\w|\w\*\*?(?!\w)|&\w+;|\$",
}
ENDS = re.compile(r"[.!?…]['’\")*_]*(?: ⟨cited⟩)?(?= [A-Z\"“(⟨])")
CLOSED = re.compile(r"[.!?:;…][\"'’)*]*(?: ?⟨cited⟩)?$")
SHORT = re.compile(r"(?:\b(?:Eqs?|Figs?|Sect|Tab|al|vs|cf|e\.g|i\.e|St|Dr|[A-Z])\.)$")


@dataclass(frozen=True)
class Block:
    """A piece of a page, with the numbers of its lines.

    `kind` is heading, title, paragraph, item, table, math, cell or code; `lines` are
    (number, text), code and formulas replaced by a mark; `source` is that of a cell.
    """

    kind: str
    line: int
    lines: list = field(default_factory=list)
    source: str = ""


def parser():
    """The parser of MyST with the book's extensions."""
    return create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)


def blocks(text, first=1):
    """The blocks of a page or of a directive's content, in order.

    Args:
        text: MyST Markdown.
        first: number of its first line.
    """
    around = []
    for token in parser().parse(text):
        line = first + (token.map[0] if token.map else 0)
        if token.type.endswith("_open"):
            around.append(token.type.removesuffix("_open"))
        elif token.type.endswith("_close"):
            around.pop()
        elif token.type in ("fence", "colon_fence"):
            yield from _directive(token, line)
        elif token.type.startswith(("math_block", "amsmath")):
            yield Block("math", line)
        elif token.type == "inline":
            yield Block(_kind(around), line, list(_lines(token, line)))


def _kind(around):
    if "heading" in around:
        return "heading"
    if "table" in around:
        return "table"
    return "item" if {"list_item", "dd", "dt"} & {*around} else "paragraph"


def _directive(token, line):
    name, _, argument = token.info.strip().partition(" ")
    if name == "{code-cell}":
        yield Block("cell", line, source=token.content)
    elif name.startswith("{"):
        if argument and name not in ("{image}", "{solution-start}", "{grid}", "{div}"):
            yield Block("title", line, [(line, argument)])
        inside = token.content.splitlines()
        for place, option in enumerate(inside):
            if not re.match(r":[\w-]+:", option):
                break
            inside[place] = ""
        if name == "{glossary}":
            inside = [s[2:] if s.startswith("  ") else "" for s in inside]
        yield from blocks("\n".join(inside), line + 1)
    else:
        yield Block("code", line)


def _lines(token, line):
    words, bold = "", None
    for child in token.children:
        if child.type == "strong_open":
            bold = len(words)
        elif child.type == "strong_close":
            if bold == 0 and words.endswith("."):  # a heading that runs in
                words = ""
        elif child.type == "softbreak":
            yield line, words
            line, words = line + 1, ""
        elif child.type == "text":
            words += child.content
        elif child.type == "code_inline":
            words += CODE
        elif child.type.startswith("math"):
            words += MATH
        elif child.type == "myst_role":
            cites = child.meta["name"].startswith("cite")
            words += CITED if cites else "⟨reference⟩"
    yield line, words


def findings(text):
    """What to mend on a page, as (number of the line, rule, phrase).

    Args:
        text: the page, MyST Markdown.
    """
    found = [*blocks(text)]
    for block in found:
        for line, words in block.lines:
            for rule, pattern in RULES.items():
                if "of a run" in rule and SOURCE.search(words):
                    continue
                for match in re.finditer(pattern, words, re.I):
                    if not ("percent" in rule and LEVEL.fullmatch(match[0])):
                        yield line, rule, match[0]
        if block.kind in ("paragraph", "item"):
            yield from _sentences(block)
    yield from _unspoken(found)


def _sentences(block):
    for place, (line, words) in enumerate(block.lines):
        ends = [m for m in ENDS.finditer(words) if not SHORT.search(words[: m.end()])]
        if ends and block.kind == "paragraph":
            yield line, "two sentences on a line", words[ends[0].end() - 20 :][:50]
        last = place == len(block.lines) - 1
        if (
            words
            and not last
            and not re.search(r"[.!?:;…][\"'’)*]*(?: ?⟨cited⟩)?$", words)
        ):
            yield line, "a sentence broken over lines", words[-40:]
        ends = re.finditer(r"[;:]|" + ENDS.pattern, words)  # where one breathes
        starts = [0, *(m.end() for m in ends)]
        for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
            count = len(words[start:end].split())
            if count > WORDS:
                yield line, f"a sentence of {count} words", words[start:][:50].strip()


def _unspoken(found):
    """Figures and tables without a sentence between their neighbours."""
    SHOWS = r"lab\.(?:figure|table)\(|\.(?:table|figure)\("
    stops = [
        place
        for place, block in enumerate(found)
        if block.kind == "heading" or re.search(SHOWS, block.source)
    ] + [len(found)]
    for before, here, after in zip(stops, stops[1:], stops[2:], strict=False):
        near = found[before + 1 : here] + found[here + 1 : after]
        speaks = any(b.kind in ("paragraph", "item") for b in near)
        if found[here].kind == "cell" and not speaks:
            yield found[here].line, "no sentence about this output", "figure or table"


def report(pages):
    """All that isn't allowed, as (page, line, rule, phrase).

    Args:
        pages: paths of the pages.
    """
    for page in pages:
        for line, rule, phrase in findings(page.read_text("utf-8")):
            if (page.stem, phrase) not in ALLOWED:
                yield page, line, rule, phrase


def pages():
    """The pages of the book."""
    return sorted((ROOT / "book").rglob("*.md"))


if __name__ == "__main__":
    chosen = [Path(name).resolve() for name in sys.argv[1:]] or pages()
    troubles = [*report(chosen)]
    for page, line, rule, phrase in troubles:
        print(f"{os.path.relpath(page)}:{line}: {rule}: {phrase}")
    sys.exit(bool(troubles))
