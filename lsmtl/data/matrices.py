"""What the readers of expression files have in common: checks of files and values."""

import errno
import os
import stat
from pathlib import Path

import numpy as np

from lsmtl._checks import finite


def regular(path):
    """`path` as a Path if a file is there, also behind links; else an error."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.is_symlink():
            raise
        trouble = f"no file where the link leads, {os.readlink(path)}"
        raise FileNotFoundError(errno.ENOENT, trouble, str(path)) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):  # a pipe may block, a device may never end
        raise ValueError(f"{path.name} is a pipe or a device, expected a file")
    return path


def named(path, what, names):
    """A ValueError unless every one of these names is a name, and there once."""
    seen = set()
    for number, name in enumerate(names, 1):
        new_name(path.name, what, number, name, seen)


def new_name(where, what, number, name, seen):
    """Add a name to those seen; a ValueError unless it is printable and new."""
    if not name:
        raise ValueError(f"{where}: {what} {number} has an empty name")
    if not name.isprintable() or name != name.strip():
        raise ValueError(
            f"{where}: {what} {number} is {name[:60]!r}, expected a name of printable "
            "characters, without blanks at its ends"
        )
    if name in seen:
        raise ValueError(f"{where}: {what} {name!r} occurs twice")
    seen.add(name)


def measured(path, x, samples, genes, minimum=None):
    """x (samples, genes) as float32; a ValueError unless finite and ≥ `minimum`."""
    with np.errstate(over="ignore"):
        values = np.asarray(x, dtype=np.float32)
    wrong = ~np.isfinite(values)
    expected = "a finite number"
    if minimum is not None:
        wrong |= values < finite("minimum", minimum, -float("inf"))
        expected += f" of at least {minimum}"
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{path.name}: sample {samples[row]!r}, gene {genes[column]!r} has "
            f"{x[row, column]}, expected {expected}"
        )
    return values


def assembled(path, x, obs, var):
    """AnnData of x (samples, genes) that knows its file; a ValueError if x is empty."""
    import anndata  # here, because a bare GPU machine has none and needs no files

    if 0 in x.shape:
        raise ValueError(f"{path.name} has no {'genes' if len(obs) else 'samples'}")
    return anndata.AnnData(x, obs=obs, var=var, uns={"source": {"file": path.name}})
