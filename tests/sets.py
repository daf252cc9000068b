"""Which datasets are here."""

from lsmtl.data import fetch
from lsmtl.lab.scenarios import FROM


def here(dataset):
    """Whether the files of a set, or of all sets of a scenario, are here."""
    return all(
        fetch.available(name)
        for name in FROM.get(dataset, (dataset,))
        if name in fetch.DATASETS
    )
