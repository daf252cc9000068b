"""What an executed notebook says of itself: its parameters, versions and records.

It is the metadata `lsmtl` of an output without content, in the cell that calls
`lab.start` or `lab.page`, so it is there however the notebook was executed.
"""

import json
import sys

from lsmtl.lab import records

_about = {}


def begin(chapter, parameters):
    """Start anew: what is executed from here on belongs to this chapter.

    Args:
        chapter: its name; None where it is a page without runs.
        parameters: name → value, as they were checked.
    """
    _about.clear()
    _about.update(
        chapter=chapter,
        parameters=json.loads(json.dumps(parameters, default=str)),
        versions=records.versions(),
        code=records.code(),
        records={"made": [], "found": [], "read": {}},
    )
    _publish(update=False)


def note(made, found):
    """Add the keys of the notebook's own runs: made just now, or found as records."""
    if _about:
        _about["records"]["made"] += made
        _about["records"]["found"] += found
        _publish(update=True)


def note_read(where, count):
    """Add that so many records of an experiment, preset and dataset were looked up."""
    if _about and count:
        _about["records"]["read"][where] = count
        _publish(update=True)


def _publish(update):
    ipython = sys.modules.get("IPython")
    if ipython and ipython.get_ipython():
        ipython.get_ipython().display_pub.publish(
            data={},
            metadata={"lsmtl": _about},
            transient={"display_id": "lsmtl"},
            update=update,
        )


def read(notebook):
    """What an executed notebook carries; None if it carries nothing.

    Args:
        notebook: as `nbformat` reads it.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "lsmtl" in output.get("metadata", {}):
                return output.metadata["lsmtl"]
    return None
