"""A Python that has only what is named to it, as a borrowed GPU machine does."""

import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ALLOWED = (
    *("torch", "numpy", "pandas", "scipy", "scikit-learn", "h5py", "safetensors"),
    *("tqdm", "lightning"),
)
ABSENT = (
    *("anndata", "pooch", "dask", "fastjsonschema", "matplotlib", "rdata", "IPython"),
    *("pytest", "papermill", "jupytext", "xarray", "requests"),
)


def make_python(folder):
    """A command in `folder` that starts such a Python, with what torch & co. need."""
    place = folder / "packages"
    place.mkdir()
    for name in closure(ALLOWED):
        found = metadata.distribution(name)
        for entry in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            if not (place / entry).exists():
                (place / entry).symlink_to(Path(found.locate_file(entry)).resolve())
    python = folder / "python"
    path = f"{shlex.quote(str(place))}${{PYTHONPATH:+:$PYTHONPATH}}"
    start = f"PYTHONPATH={path} exec {shlex.quote(sys.executable)} -S"
    python.write_text(f'#!/bin/sh\n{start} "$@"\n')
    python.chmod(0o755)
    return python


def closure(names):
    """These distributions and all that they need, of those that are installed."""
    found, rest = set(), list(names)
    while rest:
        name = re.sub(r"[-_.]+", "-", rest.pop()).lower()
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name not in found:
            found.add(name)
            needs = map(Requirement, needs)
            rest += [r.name for r in needs if not r.marker or r.marker.evaluate()]
    return found
