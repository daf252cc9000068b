"""A chapter as a notebook to download from its page: executed, without solutions."""

import re

from classroom import executed, plain


def notebook(chapter):
    """The notebook with the outputs of the book's build.

    It travels alone, so other chapters are named and not linked.

    Args:
        chapter: path of its text.

    Raises:
        RuntimeError: a cell failed.
        ValueError: the text has something without a translation.
    """
    made = plain.notebook(chapter)
    executed.add_outputs(made, chapter)
    files = "|".join(map(re.escape, [*plain.names().values(), "data.md"]))
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(rf"\[([^\]]*)\]\((?:{files})\)", r"*\1*", cell.source)
    return made
