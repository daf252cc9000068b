"""What the readers of expression files have in common: checks of names and values."""

import numpy as np


def named(path, what, names):
    """A ValueError unless every one of these names is there, and once."""
    seen = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"{path.name}: {what} {number} has an empty name")
        if name in seen:
            raise ValueError(f"{path.name}: {what} {name!r} occurs twice")
        seen.add(name)


def measured(path, x, samples, genes, minimum=None):
    """x (samples, genes) as float32; a ValueError unless finite and ≥ `minimum`."""
    with np.errstate(over="ignore"):
        values = np.asarray(x, dtype=np.float32)
    wrong = ~np.isfinite(values)
    expected = "a finite number"
    if minimum is not None:
        wrong |= values < minimum
        expected += f" of at least {minimum}"
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{path.name}: sample {samples[row]!r}, gene {genes[column]!r} has "
            f"{x[row, column]}, expected {expected}"
        )
    return values


def assembled(path, x, obs, var):
    """AnnData of x (samples, genes) that knows its file."""
    import anndata  # here, because a bare GPU machine has none and needs no files

    return anndata.AnnData(x, obs=obs, var=var, uns={"source": {"file": path.name}})
