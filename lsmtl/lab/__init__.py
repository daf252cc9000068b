"""What a chapter needs around a model: presets, records, figures, exercises.

Names are looked up when they are first used, because papermill imports this package
for its reader and should not wait for PyTorch.
"""

import importlib
from pathlib import Path

ROOT = Path(__file__).parents[2]  # of the checkout

_HOME = {
    "COLOURS": "show",
    "DIVERGING": "show",
    "GREY": "show",
    "MARKS": "show",
    "OTHERS": "show",
    "POLES": "show",
    "SEQUENTIAL": "show",
    "SIZES": "show",
    "chart": "charts",
    "check": "exercises",
    "compare": "paper",
    "download": "show",
    "drawing": "show",
    "evidence": "chapter",
    "figure": "show",
    "over_seeds": "show",
    "page": "chapter",
    "paper_table": "paper",
    "say": "show",
    "start": "chapter",
    "table": "show",
    "tuned": "experiments",
    "unit": "paper",
    "word": "paper",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"lsmtl.lab.{_HOME[name]}"), name)
    raise AttributeError(f"lsmtl.lab has no {name!r}; it has {', '.join(__all__)}")
