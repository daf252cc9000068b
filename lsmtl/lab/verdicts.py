"""Verdicts on the paper's claims: words that records decide, and nothing else can.

A claim has a rule, a function of a `Book` of records that yields cases. Each case
says whether some records speak for the claim, and the word follows from all of them.
"""

import functools
import html
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from IPython.display import HTML

from lsmtl._checks import one_of
from lsmtl.lab import standings
from lsmtl.lab.chapter import evidence
from lsmtl.lab.chapters import EXPERIMENTS, table_1, table_2, table_3
from lsmtl.lab.presets import ORIGINALS, PRESETS

OUTCOMES = {"for": "✓", "open": "○", "against": "✗", "not run": "…"}
WORDS = {  # word → its sign, and the cases that make it
    "holds here": ("✓", "all cases are for it"),
    "holds in part": ("◐", "half or more are for it"),
    "seldom holds here": ("◔", "some are for it, fewer than half"),
    "does not hold here": ("✗", "none is for it, half or more are against it"),
    "undecided here": ("○", "none is for it, fewer than half are against it"),
    "not run": ("–", "no case has its records"),
    "not testable here": ("∅", "there is no rule: no record could decide"),
}
SIZES = PRESETS[1:]  # runs of preset ci prove nothing
NAMED = 4  # cases of an outcome on a set that are told with their intervals
TABLES = {1: table_1, 2: table_2, 3: table_3}
COUNTED = '<span class="lsmtl-badge">counted</span>'  # arithmetic, or a traced step


class Case(NamedTuple):
    """What one set of records says of a claim.

    Args:
        mark: the badge of the records; `COUNTED` where none are needed.
        what: is compared.
        outcome: one of `OUTCOMES`.
        text: the numbers.
    """

    mark: str
    what: str
    outcome: str
    text: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: its label on the page, its text, its rule.

    `rule` is a function of a `Book` that yields `Case`s, its docstring says when a
    case is for the claim; None for a claim that no records could decide.
    """

    key: str
    title: str
    rule: Callable | None


class Book:
    """The records that the rules read, each file once."""

    def __init__(self):
        self._tables, self._runs = {}, {}

    def table(self, number, datasets):
        """The `Evidence` of some datasets in one of the paper's tables.

        Of the original files there is none before they have records.
        """
        if number not in self._tables:
            module = TABLES[number]
            found = standings.evidence(module.EXPERIMENT, module.rows)
            self._tables[number] = found
        found = self._tables[number]
        there = [name for name in datasets if name in found or name not in ORIGINALS]
        return [found[name] for name in there]

    def runs(self, name, presets=SIZES):
        """Dataset → its runs at the largest complete preset, None without; a badge."""
        if (name, presets) not in self._runs:
            found = evidence(name, presets)
            every = EXPERIMENTS[name].datasets
            every = [d for d in every if d in found or d not in ORIGINALS]
            self._runs[name, presets] = {d: found.get(d, (None, "")) for d in every}
        return self._runs[name, presets]


def tabled(number, datasets):
    """Make a rule of what yields (what, outcome, text) from an `Evidence`."""

    def decorate(cases):
        @functools.wraps(cases)
        def rule(book):
            for item in book.table(number, datasets):
                for what, outcome, text in cases(item):
                    mark = item.name if outcome == "not run" else item.badge
                    yield Case(mark, what, outcome, text)

        return rule

    return decorate


def each(name, presets=SIZES):
    """Make a rule of what yields (what, outcome, text) from an experiment's runs.

    It is asked for every dataset that is complete at one of the presets; the others
    are not run.
    """

    def decorate(cases):
        @functools.wraps(cases)
        def rule(book):
            for dataset, (runs, mark) in book.runs(name, presets).items():
                if runs is None:
                    yield Case(f"{dataset}, {name}", "not run", "not run")
                    continue
                for found in cases(runs):
                    yield Case(mark, *found)

        return rule

    return decorate


def word(cases):
    """The one of `WORDS` that the cases of a claim make.

    Cases with one mark are on one set of data, and share the weight of one.

    Raises:
        ValueError: an outcome is unknown, or stands without a mark of its records.

    >>> word([Case("laptop", "a", "for"), Case("laptop", "b", "open")])
    'holds in part'
    >>> word([Case("breast", "a", "not run")])
    'not run'
    """
    for case in cases:
        one_of("outcome", case.outcome, OUTCOMES)
        if case.outcome != "not run" and not case.mark:
            raise ValueError(f"{case.what!r} has an outcome, but no mark of records")
    ran = pd.DataFrame(
        [c for c in cases if c.outcome != "not run"], columns=Case._fields
    )
    if ran.empty:
        return "not run"
    if all(case.outcome == "for" for case in cases):
        return "holds here"
    share = {  # of the cases; those of one set have the weight of one together
        name: (ran["outcome"] == name).groupby(ran["mark"]).mean().mean()
        for name in ("for", "against")
    }
    if share["for"]:
        return "holds in part" if share["for"] >= 0.5 else "seldom holds here"
    return "does not hold here" if share["against"] >= 0.5 else "undecided here"


class Verdict(NamedTuple):
    """A claim with its word and the cases behind it."""

    claim: Claim
    word: str
    cases: list


def weigh(claim, book):
    """The `Verdict` on a claim: its rule's word, or that it can't be tested."""
    if claim.rule is None:
        return Verdict(claim, "not testable here", [])
    cases = list(claim.rule(book))
    return Verdict(claim, word(cases), cases)


def overview(verdicts):
    """All words with what they mean, and under each its claims, linked and counted."""
    parts = []
    for name, (sign, cases) in WORDS.items():
        mine = [verdict for verdict in verdicts if verdict.word == name]
        parts.append(f"<p><b>{sign} {name}</b> ({len(mine)}): {cases}.</p>")
        lines = "".join(
            f'<li><a href="#verdict-{v.claim.key}">{v.claim.title}</a> '
            f'<small class="lsmtl-word">{_counts(v.cases)}</small></li>'
            for v in mine
        )
        parts.append(f"<ul>{lines}</ul>" * bool(mine))
    return HTML("".join(parts))


def _counts(cases):
    """How many cases have each outcome, as signs."""
    seen = [case.outcome for case in cases]
    counts = {sign: seen.count(name) for name, sign in OUTCOMES.items()}
    return " ".join(f"{sign}{count}" for sign, count in counts.items() if count)


def block(verdict):
    """The word, how many cases each set has, and folded the rule and all cases."""
    rule = verdict.claim.rule
    first = f"<b>{WORDS[verdict.word][0]} {verdict.word}</b>"
    if rule is None:
        return HTML(f'<p class="lsmtl-say">{first}</p>')
    marks = dict.fromkeys(case.mark for case in verdict.cases)
    groups = {m: [case for case in verdict.cases if case.mark == m] for m in marks}
    each_set = [
        f'<span class="lsmtl-word">{mark} {_counts(cases)}</span>'
        for mark, cases in groups.items()
    ]
    told = "".join(f"<li>{m}{_told(cases)}</li>" for m, cases in groups.items())
    name, said, code = inspect.getsource(inspect.unwrap(rule)).split('"""', 2)
    return HTML(
        f'<p class="lsmtl-say">{first}: {"; ".join(each_set)}</p>'
        f"<details><summary>Cases and rule</summary><ul>{told}</ul>"
        f"<p><i>{' '.join(said.split())}</i></p>"
        f"<pre>{html.escape(name.rstrip() + code)}</pre></details>"
    )


def _told(cases):
    """Cases, a line an outcome; their intervals only where they are few."""
    lines = ""
    for name, sign in OUTCOMES.items():
        mine = [case for case in cases if case.outcome == name]
        few = len(mine) <= NAMED
        texts = [case.text if few else case.text.split(" (")[0] for case in mine]
        told = [f"{c.what} {t}".strip() for c, t in zip(mine, texts, strict=True)]
        lines += f"<br>{sign} {'; '.join(told)}" * bool(mine)
    return lines
