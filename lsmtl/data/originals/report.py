"""What the preparation of the original files did, in words and numbers."""

import numpy as np

from lsmtl.data.originals.files import PUBLISHED
from lsmtl.data.originals.stages import USES
from lsmtl.data.originals.sums import CONVENTIONS, SHARES

DGEX_KEPT = 111_009  # arrays, of 129,158


def report(
    files, use, distance, unused, spreads, reference, moments, difference, spent
):
    """The report, in Markdown.

    Args:
        files: `Originals`.
        use: (samples,) 0 training, 1 validation, 2 test, −1 removed.
        distance: (removed,) of each removed array to the one that it repeats.
        unused: DataFrame as `Originals.unused` gives it.
        spreads: platform → sums of `new_spread` before and after.
        reference: convention → (genes,).
        moments: convention → mean and deviation, (genes,).
        difference: platform → largest and mean difference of the standardised values.
        spent: stage → seconds and MB.
    """
    shapes = files.shapes()
    blocks = [
        "# D-GEX's original files, prepared",
        "## Files",
        _table(
            ("file", "samples", "columns", "published"),
            [
                (name, n, columns, "the same" if _same(name, shapes) else _known(name))
                for name, (n, columns) in shapes.items()
            ],
        ),
        "## Samples",
        _samples(use, distance),
        "## Genes",
        _genes(files, unused),
        "## Quantiles of a sample before and after normalisation",
        "Mean over the samples, and from the lowest to the highest; after it by our "
        "conventions. RNA sequencing is in RPKM before.",
        _quantiles(spreads),
        "## Our conventions and D-GEX's",
        "Ours take quantiles, means and deviations from the training arrays; D-GEX's "
        "from all arrays, with ranks rounded down and 0.001 added to a deviation. "
        "Both standardise each platform of RNA sequencing by itself.",
        _conventions(reference, moments, difference),
        "## Time and memory",
        _table(
            ("stage", "seconds", "most memory so far, MB"),
            [(k, f"{s:.1f}", f"{mb:.0f}") for k, (s, mb) in spent.items()],
        ),
    ]
    return "\n\n".join(blocks) + "\n"


def _samples(use, distance):
    count = [int((use == u).sum()) for u in range(3)]
    exact = int((distance == 0).sum())
    lines = [
        f"{len(use):,} arrays; {len(distance):,} removed because an earlier one is "
        f"closer than 1 over all probes, {exact:,} of them equal to it in every value "
        f"(`geo-duplicates.csv`); {sum(count):,} kept: "
        + ", ".join(f"{n:,} {u}" for n, u in zip(count, USES, strict=True))
        + "."
    ]
    if len(use) == PUBLISHED["bgedv2_QNORM.gctx"][0]:
        lines.append(
            f"D-GEX kept {DGEX_KEPT:,}: it looked for pairs within the clusters of an "
            "unseeded k-means only."
        )
    return " ".join(lines)


def _genes(files, unused):
    genes = files.genes
    roles, different = genes["role"].value_counts(), genes["ensembl"].nunique()
    shared = ", so that some share their values in RNA sequencing"
    lines = [
        f"- {roles['landmark']:,} landmarks and {roles['target']:,} targets, all of "
        f"them in all three files; {different:,} different Ensembl "
        f"genes{shared if different < len(genes) else ''}"
    ]
    for name, (_, columns) in files.shapes().items():
        reasons = unused.loc[unused["file"] == name, "reason"].value_counts()
        why = "".join(f"; {n:,} unused: {reason}" for reason, n in reasons.items())
        lines.append(f"- {name}: {columns - reasons.sum():,} of {columns:,} used{why}")
    return "\n".join(lines) + "\n\n`geo-unused.csv` lists what is unused."


def _quantiles(spreads):
    rows = []
    for platform, sums in spreads.items():
        for when, s in zip(("before", "after"), sums, strict=True):
            cells = [
                f"{total / s['samples'][0]:.2f} ({low:.2f}–{high:.2f})"
                for total, low, high in zip(
                    s["total"], s["lowest"], s["highest"], strict=True
                )
            ]
            rows.append((f"{platform}, {when}", *cells))
    return _table(("", *(f"{share}%" for share in SHARES)), rows)


def _conventions(reference, moments, difference):
    pairs = {"reference quantiles": [reference[c] for c in CONVENTIONS]}
    for k, name in enumerate(("means", "deviations")):
        pairs[name] = [moments[c][k] for c in CONVENTIONS]
    rows = []
    for name, (ours, theirs) in pairs.items():
        apart = np.abs(np.float64(ours) - theirs)
        rows.append((name, f"{apart.max():.2g}", f"{apart.mean():.2g}"))
    for platform, (most, mean) in difference.items():
        rows.append((f"standardised values, {platform}", f"{most:.2g}", f"{mean:.2g}"))
    return _table(("absolute difference", "largest", "mean"), rows)


def _same(name, shapes):
    return all(
        known in (None, found)
        for known, found in zip(PUBLISHED[name], shapes[name], strict=True)
    )


def _known(name):
    return " × ".join("any" if n is None else f"{n:,}" for n in PUBLISHED[name])


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    text = [[f"{c:,}" if isinstance(c, int) else c for c in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in text)
