"""The errata of three documents, and which of them a page has checked.

The list is `paper/errata.csv`: id, where, what, kind, and the way it was confirmed:
`computed`, by a check on the page, or `read`.
"""

import pandas as pd

from lsmtl._checks import one_of
from lsmtl.lab.paper import TABLES
from lsmtl.lab.show import say, table

DOCUMENTS = {"L": "Deep-LSMTL", "D": "DeepDiff, appendix", "R": "the review"}
KINDS = (
    *("misprint", "contradiction", "omission", "claim", "choice", "citation"),
    "unclear",
)
WAYS = ("computed", "read")


class Errata:
    """The list, and what the checks of this page found.

    >>> errata = Errata()
    >>> shown = errata.check("L1", 1 + 1 == 2)
    >>> errata.word("L1"), errata.word("L2"), errata.word("L3")
    ('✓ yes', '✗ missing', 'no, read')
    """

    def __init__(self):
        self.entries = pd.read_csv(TABLES / "errata.csv").set_index("id")
        self.found = {}

    def check(self, name, *facts):
        """Note whether facts hold that confirm an erratum, and show it.

        Args:
            name: the erratum's id.
            *facts: true or false; all must be true. A second call adds to the first.

        Raises:
            ValueError: there is no such erratum to be computed, or no fact.
        """
        computed = self.entries.index[self.entries["way"] == "computed"]
        one_of("erratum", name, list(computed))
        if not facts:
            raise ValueError(f"no fact is given for {name}; give at least one")
        facts = [bool(fact) for fact in facts]
        self.found[name] = all(facts) and self.found.get(name, True)
        wrong = ", ".join(str(i) for i, fact in enumerate(facts, 1) if not fact)
        failed = f"{name}: fact {wrong} of {len(facts)} doesn't hold, not confirmed."
        return say(f"✗ {failed}" if wrong else f"✓ {name} checked here.")

    def word(self, name):
        """Whether an erratum is checked on this page; a failed check shows."""
        if self.entries.loc[name, "way"] == "read":
            return "no, read"
        found = self.found.get(name)
        if found is None:
            return "✗ missing"
        return "✓ yes" if found else "✗ failed"

    def confirmed(self):
        """How many of the errata to be computed are confirmed, and how many are not."""
        computed = (self.entries["way"] == "computed").sum()
        held = sum(self.found.values())
        return int(held), int(computed - held)

    def overview(self):
        """All errata as a table with links to their places on the page."""
        rows = [
            (
                f'<a href="#erratum-{name.lower()}">{name}</a> {entry["where"]}: '
                f"{entry['what']} (<i>{entry['kind']}</i>)",
                self.word(name),
            )
            for name, entry in self.entries.iterrows()
        ]
        letters = ", ".join(f"{k} {name}" for k, name in DOCUMENTS.items())
        return table(
            pd.DataFrame(rows, columns=["where and what", "checked here"]),
            f"{letters}; the last column is made by this page's checks",
        )
