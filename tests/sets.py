"""Which datasets are here."""

from lsmtl.data import fetch, originals
from lsmtl.lab.scenarios import FROM


def here(dataset):
    """Whether the files of a set, or of all sets of a scenario, are here."""
    return all(map(_here, FROM.get(dataset, (dataset,))))


def _here(name):
    if name not in originals.PRODUCTS:
        return name not in fetch.DATASETS or fetch.available(name)
    try:
        return originals.path(name).is_file()
    except FileNotFoundError:
        return False
