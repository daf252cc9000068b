"""D-GEX's original files made into standardised profiles: `make data DGEX=/path`.

`prepare` runs the whole pre-processing of the paper's data; `path` finds what it made.
"""

from lsmtl.data import fetch

PRODUCTS = ("geo", "geo-rnaseq", "geo-dgex", "geo-rnaseq-dgex")


def path(name):
    """The `.h5ad` of a product, found where `prepare` puts it.

    Args:
        name: one of `PRODUCTS`.

    Raises:
        FileNotFoundError: it hasn't been made; the error says how it is.
    """
    places = [p / "converted" for p in (fetch.folder(), fetch.writable())]
    for place in places:
        if (place / f"{name}.h5ad").is_file():
            return place / f"{name}.h5ad"
    more = " CONVENTIONS=dgex" if name.endswith("dgex") else ""
    raise FileNotFoundError(
        f"{name}.h5ad isn't in {places[0]}; `make data DGEX=/path{more}` makes it of "
        "D-GEX's original files, which lie in /path"
    )


def prepare(*arguments, **options):
    """See `lsmtl.data.originals.pipeline.prepare`."""
    from lsmtl.data.originals import pipeline  # here, because it needs AnnData

    return pipeline.prepare(*arguments, **options)
