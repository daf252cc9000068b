"""The stages from the original files to standardised profiles, block by block.

Every stage reads what the ones before have filed in the work folder, so that any of
them can begin where it was cut off.
"""

import hashlib

import numpy as np
import pandas as pd

from lsmtl._progress import tqdm
from lsmtl.data.originals import duplicates
from lsmtl.data.originals.files import GEO
from lsmtl.data.originals.sums import (
    CONVENTIONS,
    add_difference,
    add_moments,
    add_spread,
    moments_of,
    new_moments,
    new_spread,
)
from lsmtl.data.originals.work import Rows, replace
from lsmtl.data.preprocess import at_ranks, by_row, ranked
from lsmtl.data.splits import partition

BLOCK = 512  # samples
SEED, FRACTIONS = 0, (0.8, 0.1, 0.1)
SUBSAMPLE = 1000  # samples that the directions of the search come from
USES = ("train", "validation", "test")
DIGEST = 16  # bytes


def select_rnaseq(work, files):
    """The genes of GTEx, (samples, genes) RPKM."""
    total = len(files.gtex.samples)
    with work.rows("gtex", len(files.genes)) as found:
        for start, stop in work.blocks("GTEx", total, BLOCK, arrays=[found]):
            values = files.gtex.read(start, stop, minimum=0)
            found.write(start, values[:, files.gtex_columns])
        return found.read(0, total)


def find_directions(work, geo):
    """The directions (probes, k) that the search for duplicates projects onto."""
    n = len(geo.samples)
    state = {"basis": np.zeros((len(geo.columns), duplicates.DIRECTIONS))}
    for _ in work.blocks("directions", 1, 1, state):
        rows = np.unique(np.linspace(0, n - 1, min(n, SUBSAMPLE)).astype(int))
        some = np.concatenate([geo.read(row, row + 1) for row in rows])
        state["basis"][:] = duplicates.directions(some)
    return state["basis"]


def average_probes(work, files, basis):
    """Genes, projections and digests of all arrays, in one pass over the large file."""
    genes = work.rows("genes", len(files.genes))
    near = work.rows("projections", duplicates.DIRECTIONS, np.float64)
    digests = work.rows("digests", DIGEST, np.uint8)
    with genes, near, digests:
        total, arrays = len(files.geo.samples), (genes, near, digests)
        for start, stop in work.blocks("probes to genes", total, BLOCK, arrays=arrays):
            values = files.geo.read(start, stop)
            genes.write(start, by_row(files.means, values, len(files.genes)))
            near.write(start, values.astype(np.float64) @ basis)
            hashes = [hashlib.blake2b(v, digest_size=DIGEST).digest() for v in values]
            digests.write(start, np.frombuffer(b"".join(hashes), np.uint8))


def find_duplicates(work, files):
    """Of every array the first that it repeats, or −1, and their distance."""
    from scipy.spatial import KDTree  # here, because training needs none

    n = len(files.geo.samples)
    with work.rows("projections", duplicates.DIRECTIONS, np.float64) as rows:
        projections = rows.read(0, n)
    with work.rows("digests", DIGEST, np.uint8) as rows:
        first = duplicates.first_equal(rows.read(0, n))
    tree = KDTree(projections)
    where = {probe: i for i, probe in enumerate(files.geo.columns)}
    counts = [len(own) for own in files.probes.values()]
    columns = [where[probe] for own in files.probes.values() for probe in own]
    starts = np.cumsum([0, *counts[:-1]])
    weights = duplicates.gene_weights(columns, starts, len(where))
    state = {"twin": np.full(n, -1), "distance": np.zeros(n)}
    with work.rows("genes", len(counts)) as genes:

        def may_be(a, b):
            a, b = (genes.read(row, row + 1)[0].astype(np.float64) for row in (a, b))
            d = np.sqrt(weights @ np.square(a - b))
            return d < duplicates.LIMIT + duplicates.ROUNDING

        def distance(a, b):
            a, b = (files.geo.read(r, r + 1)[0].astype(np.float64) for r in (a, b))
            return np.sqrt(np.square(a - b).sum())

        for start, stop in work.blocks("duplicates", n, 4 * BLOCK, state):
            state["twin"][start:stop], state["distance"][start:stop] = (
                duplicates.earlier_twin(
                    range(start, stop),
                    tree,
                    projections[start:stop],
                    first,
                    may_be,
                    distance,
                )
            )
    return state["twin"], state["distance"]


def divide(twin):
    """Use of every array: 0 training, 1 validation, 2 test, −1 removed."""
    use = np.full(len(twin), -1)
    kept = twin < 0
    use[kept] = partition(kept.sum(), SEED, FRACTIONS, name="what is kept")
    return use


def average_quantiles(work, genes, use):
    """Reference quantiles (genes,) by both conventions, and the spread of samples."""
    sums = {"train": np.zeros(genes), "all": np.zeros(genes)} | new_spread()
    with work.rows("genes", genes) as rows:
        for start, stop in work.blocks("quantiles", len(use), BLOCK, sums):
            part = use[start:stop]
            values = np.sort(rows.read(start, stop)[part >= 0], axis=1)
            for row, u in zip(values, part[part >= 0], strict=True):
                sums["all"] += row
                if u == 0:
                    sums["train"] += row
            add_spread(sums, values)
    reference = {
        "ours": sums["train"] / (use == 0).sum(),
        "dgex": sums["all"] / (use >= 0).sum(),
    }
    return {k: v.astype(np.float32) for k, v in reference.items()}, sums


def normal_rows(values, reference, names):
    """Samples on the quantiles of the reference, by both conventions.

    Args:
        values: (samples, genes).
        reference: convention → (genes,).
        names: of the samples.
    """
    found = {c: np.empty_like(values) for c in CONVENTIONS}
    for i, row in enumerate(values):
        rank, last, own = ranked(row)
        _varied(rank, row, GEO, names[i])
        found["ours"][i] = at_ranks(rank, last, reference["ours"])[own]
        found["dgex"][i] = reference["dgex"][np.floor(rank).astype(int)][own]
    return found


def _varied(rank, row, where, name):
    if len(rank) == 1:
        raise ValueError(f"{where}: sample {name!r} has one value only, {row[0]}")


def take_statistics(work, files, use, reference):
    """Mean and deviation (genes,) by both conventions, and the spread afterwards."""
    genes = len(files.genes)
    sums = new_moments(genes) | new_spread()
    with work.rows("genes", genes) as rows:
        for start, stop in work.blocks("deviations", len(use), BLOCK, sums):
            part = use[start:stop]
            kept = part >= 0
            names = files.geo.samples[start:stop][kept]
            found = normal_rows(rows.read(start, stop)[kept], reference, names)
            part = part[kept]
            add_moments(sums, "ours", found["ours"][part == 0])
            add_moments(sums, "dgex", found["dgex"])
            add_spread(sums, np.sort(found["ours"], axis=1))
    return {c: moments_of(sums, c) for c in CONVENTIONS}, sums


def write_arrays(work, files, use, reference, moments, parts, stage):
    """Standardised arrays into the products, and how far the conventions differ.

    Args:
        work: `Work`.
        files: `Originals`.
        use: (samples,) as `divide` gives it.
        reference: convention → (genes,).
        moments: convention → mean and deviation, (genes,).
        parts: convention → `Rows` of the unfinished product.
        stage: its name.

    Returns:
        The largest and the mean absolute difference.
    """
    genes = len(files.genes)
    first = np.cumsum([0, *(np.sum(use == u) for u in range(3))])
    difference = {"max": np.zeros(1), "sum": np.zeros(1)}
    with work.rows("genes", genes) as rows:
        total, arrays = len(use), parts.values()
        for start, stop in work.blocks(stage, total, BLOCK, difference, arrays):
            part = use[start:stop]
            kept = part >= 0
            names = files.geo.samples[start:stop][kept]
            found = normal_rows(rows.read(start, stop)[kept], reference, names)
            found = {c: in_deviations(v, *moments[c]) for c, v in found.items()}
            add_difference(difference, found)
            for convention, product in parts.items():
                for u in range(3):
                    place = first[u] + np.sum(use[:start] == u)
                    product.write(place, found[convention][part[kept] == u])
    count = max(first[-1] * genes, 1)
    return difference["max"][0], difference["sum"][0] / count


def in_deviations(values, mean, deviation):
    """As `standardize`, of an array (samples, genes)."""
    return ((values - mean) / deviation).astype(np.float32)


def match_rnaseq(platform, values, reference, names):
    """RPKM (samples, genes) on the arrays' quantiles, by both conventions.

    Args:
        platform: its name.
        values: (samples, genes).
        reference: convention → (genes,).
        names: of the samples.

    Returns:
        convention → (values, mean, deviation), not yet standardised.

    Raises:
        ValueError: a sample has one value only.
    """
    genes = values.shape[1]
    found = {c: np.empty_like(values) for c in CONVENTIONS}
    for i, row in enumerate(tqdm(values, platform, unit="rows")):
        rank, last, own = ranked(row, "unique")
        _varied(rank, row, platform, names[i])
        found["ours"][i] = at_ranks(rank, last, reference["ours"])[own]
        place = (rank + 1) * genes // len(rank) - 1
        found["dgex"][i] = reference["dgex"][place][own]
    sums = new_moments(genes)
    for convention, mapped in found.items():
        add_moments(sums, convention, mapped)
    return {c: (mapped, *moments_of(sums, c)) for c, mapped in found.items()}


def skeleton(path, obs, var, uns):
    """Make an `.h5ad` of these samples and genes whose values are still to come."""
    import anndata
    import h5py

    part = path.with_suffix(".part")
    anndata.AnnData(obs=obs, var=var, uns=uns).write_h5ad(part)
    with h5py.File(part, "r+") as file:
        # All is allocated now, so that nothing but values changes from here on.
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        early.set_obj_track_times(False)  # the same bytes at any time
        space = h5py.h5s.create_simple((len(obs), len(var)))
        kind = h5py.h5t.IEEE_F32LE
        x = h5py.Dataset(h5py.h5d.create(file.id, b"X", kind, space, early))
        x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    replace(part, path)


def values_of(path, columns):
    """The values of an `.h5ad` that `skeleton` made, as `Rows`."""
    import h5py

    with h5py.File(path, "r") as file:
        offset = file["X"].id.get_offset()
    return Rows(path, columns, "<f4", offset)


def frame_of_samples(files, use):
    """obs of the arrays' product: in the order training, validation, test."""
    order = np.concatenate([np.flatnonzero(use == u) for u in range(3)])
    use = np.repeat(USES, [np.sum(use == u) for u in range(3)])
    return pd.DataFrame({"use": use, "row": order}, files.geo.samples[order])
