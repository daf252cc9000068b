"""Files of the form of D-GEX's originals, at any size, whose duplicates are known."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl._checks import whole
from lsmtl.data.gctx import MATRIX
from lsmtl.data.on_demand import gene_space
from lsmtl.data.originals.files import GEO, GEUVADIS, GTEX

FACTORS = 40
BLOCK = 500  # samples that are made at a time
PLANTED = {  # places of a family's members on a line, in log2 units
    "exact copies": (0.0, 0.0, 0.0),
    "noisy copy": (0.0, 0.8),
    "near miss": (0.0, 1.05),
    "chain": (0.0, 0.7, 1.4),
    "chain, middle last": (0.0, 1.4, 0.7),
    "copy of a copy": (0.0, 0.9, 0.9),
}


def write_originals(
    folder,
    maps,
    samples=1000,
    probes=22_268,
    gtex=(60, 55_993),
    geuvadis=(40, 23_722),
    families=5,
    copies=0,
    seed=0,
):
    """Write three files as `prepare` reads them, of made-up profiles.

    An array has factors that its neighbours in the tissue share, noise of its own,
    and the quantiles that all arrays have. Some arrays come in families whose members
    lie on a line, exact copies, noisy ones, chains and near misses.

    Args:
        folder: where they go.
        maps: `map_lm.txt` and `map_tg.txt` → Path.
        samples: arrays.
        probes: columns of the arrays, at least as many as the maps name.
        gtex: samples and genes, at least as many as the maps name and one more.
        geuvadis: the same.
        families: of each kind in `PLANTED`.
        copies: members of one more family that are all equal.
        seed: decides everything.

    Returns:
        DataFrame with the columns `removed`, `repeats` and `distance`, as
        `geo-duplicates.csv` should have them, in the order of the arrays.

    Raises:
        ValueError: a size is too small for the maps or the families.
    """
    genes = gene_space(maps)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    own = genes["probes"].str.split(",")
    used = pd.unique(own.explode())
    ids = _filled("probes", used, probes, "extra{}_at", rng)
    loadings = (
        rng.normal(size=(FACTORS, probes)) * np.geomspace(1, 0.1, FACTORS)[:, None]
    )
    member = _members(whole("samples", samples), families, copies, rng)
    _write_arrays(folder / GEO, ids, loadings, member, seed)
    first = pd.Index(ids).get_indexer(own.str[0])
    ensembl = genes["ensembl"].to_numpy()
    single = np.unique(ensembl, return_index=True)[1]
    shared = loadings[:, first[single]], ensembl[single]
    _write_gtex(folder / GTEX, *gtex, *shared, rng)
    _write_geuvadis(folder / GEUVADIS, *geuvadis, *shared, rng)
    return truth(member)


def truth(member):
    """What must be removed, from each array's family and place on its line."""
    rows = []
    for family, own in member.groupby("family").indices.items():
        if family < 0:
            continue
        place = member["place"].to_numpy()[own]  # in the order of the arrays
        for k in range(len(own)):
            near = np.flatnonzero(np.abs(place[:k] - place[k]) < 1)
            if len(near):
                apart = abs(place[near[0]] - place[k])
                rows.append((own[k], own[near[0]], apart))
    rows.sort()
    names = member.index
    return pd.DataFrame(
        [(names[a], names[b], d) for a, b, d in rows],
        columns=["removed", "repeats", "distance"],
    )


def _members(samples, families, copies, rng):
    """Family (−1: none) and place on its line of every array."""
    places = [p for p in PLANTED.values() for _ in range(families)]
    places += [(0.0,) * copies] * (copies > 0)
    count = sum(map(len, places))
    if count > samples:
        raise ValueError(f"{samples} samples are too few for families of {count}")
    family, place = np.full(samples, -1), np.zeros(samples)
    rows = rng.permutation(samples)[:count]
    for k, line in enumerate(places):
        own, rows = np.sort(rows[: len(line)]), rows[len(line) :]
        family[own], place[own] = k, line
    names = [f"GSM{i:06d}" for i in range(samples)]
    return pd.DataFrame({"family": family, "place": place}, names)


def _filled(what, used, count, form, rng):
    """These names and made-up ones, `count` in all, in random order."""
    if count < len(used):
        raise ValueError(f"{what} must be at least {len(used)}, got {count}")
    names = [*used, *(form.format(i) for i in range(count - len(used)))]
    return rng.permutation(np.array(names, dtype=object))


def _write_arrays(path, ids, loadings, member, seed):
    probes = len(ids)
    # a mean and a noise for every probe, and the quantiles that all arrays have
    rng = np.random.default_rng([seed, 1])
    mean = rng.gamma(4, 0.7, probes)
    noise = rng.uniform(0.2, 0.6, probes)
    quantiles = 4 + 11 * np.linspace(0, 1, probes) ** 2.5
    tissues = rng.normal(size=(20, FACTORS))

    def made(count, *key):
        rng = np.random.default_rng([seed, *key])
        factors = tissues[rng.integers(len(tissues), size=count)]
        factors = factors + 0.5 * rng.normal(size=factors.shape)
        values = factors @ loadings + mean
        values += noise * rng.normal(size=values.shape)
        return quantiles[values.argsort(1).argsort(1)]

    with _gctx(path, member.index, ids) as matrix:
        for k, start in enumerate(range(0, len(member), BLOCK)):
            part = member.iloc[start : start + BLOCK]
            values = made(len(part), 2, k)
            for i in np.flatnonzero(part["family"] >= 0):
                family = part["family"].iloc[i]
                line = np.random.default_rng([seed, 3, family]).normal(size=probes)
                line *= part["place"].iloc[i] / np.linalg.norm(line)
                values[i] = made(1, 4, family)[0] + line
            matrix[start : start + len(part)] = values


def _write_gtex(path, samples, columns, loadings, ensembl, rng):
    """RPKM with versions in the names, and a second row of the first gene."""
    ids = [f"{gene}.{version}" for version, gene in enumerate(ensembl, 1)]
    again = f"{ensembl[0]}.0"
    ids = _filled("genes of GTEx", [*ids, again], columns, "ENSGEXTRA{}.1", rng)
    ids = pd.Index(ids)
    place = ids.get_indexer([f"{gene}.{v}" for v, gene in enumerate(ensembl, 1)])
    names = [f"GTEX-{i:04d}" for i in range(samples)]
    with _gctx(path, names, ids) as matrix:
        for start in range(0, samples, BLOCK):
            count = min(BLOCK, samples - start)
            values = _rpkm(rng.normal(size=(count, columns)))
            values[:, place] = _sequenced(count, loadings, rng)
            matrix[start : start + count] = values


def _write_geuvadis(path, samples, rows, loadings, ensembl, rng):
    ids = _filled(
        "genes of GEUVADIS",
        [f"{gene}.3" for gene in ensembl],
        rows,
        "ENSGEXTRA{}.2",
        rng,
    )
    place = pd.Index(ids).get_indexer([f"{gene}.3" for gene in ensembl])
    values = _rpkm(rng.normal(size=(samples, rows)))
    values[:, place] = _sequenced(samples, loadings, rng)
    names = [f"HG{i:05d}" for i in range(samples)]
    with path.open("w", encoding="utf-8") as file:
        print("TargetID", "Gene_Symbol", "Chr", "Coord", *names, sep="\t", file=file)
        for name, row in zip(ids, values.T, strict=True):
            numbers = "\t".join(f"{v:.6g}" for v in row)
            print(name, name, "1", "1000", numbers, sep="\t", file=file)


def _sequenced(count, loadings, rng):
    """RPKM of the genes whose arrays have these loadings."""
    factors = 1.1 * rng.normal(size=(count, FACTORS))
    values = factors @ loadings
    return _rpkm(values / 2 + 0.4 * rng.normal(size=values.shape))


def _rpkm(logs):
    """Many zeros, and a long tail."""
    return np.round(np.maximum(2 ** (1.5 * logs) - 0.5, 0), 3)


@contextmanager
def _gctx(path, samples, columns):
    """An empty GCTX file of these names, as its matrix, to be written."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["version"] = "GCTX1.0"
        for axis, names in (("COL", samples), ("ROW", columns)):
            data = np.char.encode(np.array([*names], dtype=str), "utf-8")
            file[f"/0/META/{axis}/id"] = data
        yield file.create_dataset(MATRIX, (len(samples), len(columns)), np.float32)
