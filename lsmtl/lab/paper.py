"""The paper's printed numbers, and how ours stand beside them."""

from decimal import Decimal
from pathlib import Path

import pandas as pd

from lsmtl._checks import one_of

TABLES = Path(__file__).parent / "paper"


def paper_table(number):
    """A table of the paper, its cells as printed (text).

    Raises:
        ValueError: the book doesn't hold that table.
    """
    held = sorted(int(path.stem[5:]) for path in TABLES.glob("table*.csv"))
    one_of("table", number, held)
    return pd.read_csv(TABLES / f"table{number}.csv", dtype=str, keep_default_na=False)


def unit(printed):
    """One unit of the last printed digit.

    >>> unit("8.08e7")
    100000.0
    """
    return float(Decimal(1).scaleb(Decimal(printed).as_tuple().exponent))


def compare(printed, ours, tolerance):
    """One of the book's three words: matches, differs, not run.

    Args:
        printed: the paper's number, or its text.
        ours: our number, or None where there is no run.
        tolerance: the largest difference that still counts as a match.

    >>> compare("8.08e7", 8.09e7, tolerance=unit("8.08e7"))
    'matches'
    """
    if ours is None:
        return "not run"
    return "matches" if abs(float(printed) - ours) <= tolerance else "differs"


def word(verdict):
    """The word as the book shows it, recognisable without colour."""
    sign = {"matches": "✓", "differs": "≠", "not run": "–"}[verdict]
    return f'<span class="lsmtl-word">{sign} {verdict}</span>'
