"""Claims on the printed numbers themselves: only the paper's own data test them."""

from lsmtl.lab.paper import paper_table
from lsmtl.lab.presets import ORIGINALS
from lsmtl.lab.tables import HALVES, near
from lsmtl.lab.verdicts import Case


def numbers(book):
    """For: a method of Table 1, trained and tested on the paper's own files, has the
    printed MAE within 1%, or the printed concordance within 0.01. Against: it has
    another.
    """
    printed, found = paper_table(1).set_index("method"), book.table(1, ORIGINALS)
    if not found:
        yield Case("geo, table-1", "not run", "not run")
    for item in found:
        for row in (row for row in item.rows if not row.ours):
            own = item.of(row)
            if not own["done"].all():
                yield Case(item.name, row.label, "not run")
                continue
            for score in ("mae", "cc"):
                theirs = float(printed[f"{HALVES[item.dataset]}_{score}"][row.method])
                ours = own[score].mean()
                outcome = "for" if near(score, theirs, ours) else "against"
                text = f"{ours:.4f}, printed {theirs:.4f}"
                yield Case(item.badge, f"{row.label}, {score.upper()}", outcome, text)
