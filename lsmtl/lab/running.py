"""The tables of the page *Running the book*."""

import html

import pandas as pd
from IPython.display import HTML

from lsmtl.lab import catalogue, records
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.commands import span

MB = 2**20 / 1e9  # in GB; records count memory in 2²⁰ bytes


def parameters(caption):
    """Every chapter's parameters with default, type and allowed values, as a table."""
    parts = []
    for name, chapter in catalogue.chapters().items():
        head = f'<tr><th scope="rowgroup" colspan="3">{name}</th></tr>'
        parts.append(f"<tbody>{head}{''.join(_rows(chapter))}</tbody>")
    heads = "".join(
        f'<th scope="col">{text}</th>' for text in ("parameter", "default", "allowed")
    )
    return HTML(
        '<div class="lsmtl-scroll" tabindex="0" role="group" aria-label="table">'
        f'<table class="lsmtl-table lsmtl-words"><caption>{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead>{''.join(parts)}</table></div>"
    )


def _rows(chapter):
    for name, default in chapter.parameters.items():
        kind, words = catalogue.allowed(chapter, name, EXPERIMENTS.get(chapter.name))
        yield (
            f'<tr><th scope="row"><code>{name}</code></th>'
            f"<td><code>{html.escape(repr(default))}</code></td>"
            f"<td>{html.escape(f'{kind}: {words}')}</td></tr>"
        )


def took():
    """The complete inventory of committed and new records, without preset `ci`."""
    found = catalogue.inventory(EXPERIMENTS.values())
    complete = (found["recorded"] == found["runs"]) & (found["own"] > 0)
    return found[complete & (found["preset"] != "ci")]


def by_chapter(found):
    """What `took` gives, its datasets together: a row a chapter and preset, in words.

    Args:
        found: DataFrame.
    """
    groups = found.groupby(["experiment", "preset"], sort=False)
    table = groups.agg(
        sets=("dataset", "size"),
        runs=("runs", "sum"),
        wall_s=("wall_s", "sum"),
        longest_s=("longest_s", "max"),
        peak_mb=("peak_mb", "max"),
    )
    return in_words(table.reset_index())


def in_words(found):
    """Columns of times and memory as texts: `all`, `longest`, `GB`."""
    times = {"wall_s": "all", "longest_s": "longest"}
    table = found.assign(
        runs=found["runs"].astype(int),
        **{name: found[name].map(span) for name in times},
        GB=found["peak_mb"].map(gigabytes),
    )
    dropped = ["peak_mb", "recorded", "own"]
    return table.drop(columns=dropped, errors="ignore").rename(
        columns=times | {"experiment": "chapter"}
    )


def gigabytes(mb):
    """Memory in GB as text.

    >>> gigabytes(500), gigabytes(10_800)
    ('0.5', '11')
    """
    return f"{mb * MB:.{int(mb * MB < 9.95)}f}"


def pages():
    """What executing each page takes, as the benchmark measured it: two tables.

    Returns:
        DataFrames of the newest records of one kernel, a row a chapter in the order of
        the book, and of several kernels at once, with the columns `chapter`,
        `kernels`, `cores`, `seconds`, `cpu_seconds`, `peak_mb` and `sum_mb`. Both are
        empty as long as nothing is measured.
    """
    rows = [
        {"chapter": record["method"]} | record["configuration"] | record["metrics"]
        for record in sorted(records.read("bench").values(), key=lambda r: r["date"])
        if record["configuration"]["benchmark"] == "chapters"
    ]
    columns = ["seconds", "cpu_seconds", "peak_mb", "sum_mb"]
    found = pd.DataFrame(rows, columns=["chapter", "kernels", "cores", *columns])
    found = found.drop_duplicates(["chapter", "kernels"], keep="last")
    order = {name: number for number, name in enumerate(catalogue.chapters())}
    alone = found[found["chapter"].isin(order)]
    several = found[found["chapter"].str.endswith(", together")]
    return (
        alone.sort_values("chapter", key=lambda names: names.map(order)),
        several.sort_values("kernels"),
    )


def waited(alone):
    """The first table of `pages`, for showing; a row says so if it is empty."""
    if alone.empty:
        return pd.DataFrame({"chapter": ["none is measured yet"]})
    return pd.DataFrame(
        {
            "chapter": alone["chapter"],
            "wall": alone["seconds"].map("{:.0f}".format),
            "CPU": alone["cpu_seconds"].map("{:.0f}".format),
            "GB": alone["peak_mb"].map(gigabytes),
        }
    )


def class_of(several):
    """A sentence on what kernels take at the same time, from the second table."""
    if len(several) < 2:
        return "Several kernels at the same time aren't measured yet."
    few, many = several.iloc[0], several.iloc[-1]
    each = (many["sum_mb"] - few["sum_mb"]) / (many["kernels"] - few["kernels"])
    times = ", ".join(
        f"{row.seconds:.0f} s with {row.kernels}" for row in several.itertuples()
    )
    return (
        f"Kernels that execute {few['chapter'].split(',')[0]} at the same time on "
        f"{few['cores']} cores are done after {times}. Memory that they share is "
        f"counted once; then each further kernel adds {each * MB:.2f} GB at the peak."
    )
