"""The datasets: what there is, and one call that gives it."""

import hashlib
from pathlib import Path

import numpy as np

from lsmtl._checks import one_of
from lsmtl.data import companions, on_demand, originals
from lsmtl.data.gct import read_gct
from lsmtl.data.gctx import read_gctx
from lsmtl.data.landmarks import with_landmarks
from lsmtl.data.preprocess import dense
from lsmtl.data.tables import DELIMITERS, kind, read_table

SHIPPED = Path(__file__).parent / "shipped"
ROLES = ("landmark", "target")
TEXT = (".gct", ".csv", ".tsv")
SUFFIXES = (".h5ad", ".gctx", *TEXT)
ENDINGS = ".h5ad, .gctx, .gct, .csv or .tsv (text also .gz)"
BLOCK = 1000  # samples that are looked at together


def names():
    """The names that `load` knows, in alphabetical order.

    >>> [name for name in names() if name.startswith("e")]
    ['ecoli', 'endometrial', 'exam']
    """
    shipped = [path.stem for path in SHIPPED.glob("*.h5ad")]
    made = [*on_demand.MAKERS, *companions.READERS, *originals.PRODUCTS]
    return sorted([*shipped, *made])


def load(name, landmarks=None, genes="columns"):
    """A dataset; expression profiles as AnnData, samples × genes.

    Shipped sets come with the code. The files of the others are downloaded once, into
    the folder that `$LSMTL_DATA` names or else the user's cache; `geo` and its kin are
    what `make data DGEX=/path` made of D-GEX's original files.

    Args:
        name: one of `names()`, or the path of a file that `read_matrix` reads:
            `.h5ad`, `.gctx`, `.gct`, `.csv` or `.tsv`.
        landmarks: names of the genes to use as landmarks, `"l1000"` for those of the
            L1000, or the path of a text file with a name a line; all other genes
            become targets. Needed for a file without `var["role"]`.
        genes: of a CSV or TSV file, whether they are its `"columns"` or its `"rows"`.

    Returns:
        AnnData with `X` (samples, genes) float32 on a log2-like scale, `var["role"]`
        of `"landmark"` or `"target"`, sample labels in `obs`, and where it comes
        from in `uns["source"]`. Where `uns["within"]` names an obs column, values
        can be compared only within it (platforms differ), and splits standardise
        each of its groups by itself; where `uns["normalize"]` is `"quantile"`, splits
        first map every sample onto the quantiles of the training samples. The
        companions' sets are tables with the columns `task` and `y` (`exam`,
        `school`, `mhc`) and `HistoneMarks` (`deepdiff`, `deepdiff-full`).

    Raises:
        FileNotFoundError: a file is missing and can't be downloaded, or hasn't been
            made.
        ValueError: there is no such set or file, or its content can't be used
            (no role, no landmark, NaN, gene names that occur twice, …).

    >>> adata = load("breast")
    >>> adata.shape, (adata.var["role"] == "landmark").sum().item()
    ((397, 7106), 734)
    """
    path = Path(str(name))
    if kind(path) not in SUFFIXES:
        one_of("dataset", str(name), [*names(), f"a path that ends in {ENDINGS}"])
        if name in companions.READERS:
            if landmarks is not None:
                raise ValueError(f"{name} has no landmarks, got {landmarks!r}")
            return companions.READERS[name]()
        if name in on_demand.MAKERS:
            path = on_demand.converted(name)
        elif name in originals.PRODUCTS:
            path = originals.path(name)
        else:
            path = SHIPPED / f"{name}.h5ad"
    elif not path.is_file():
        raise ValueError(
            f"no file {str(path)!r}; datasets by name: {', '.join(names())}"
        )
    adata = read_matrix(path, genes)
    try:
        if landmarks is not None:
            adata = with_landmarks(adata, landmarks)
        validate(adata)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    adata.X = dense(adata)
    return adata


def read_matrix(path, genes="columns"):
    """An expression matrix of any kind as AnnData, samples × genes, without a role.

    Args:
        path: of an `.h5ad`, `.gctx`, `.gct`, `.csv` or `.tsv` file; text also `.gz`.
        genes: of a CSV or TSV file, whether they are its `"columns"` or its `"rows"`.

    Raises:
        ValueError: the suffix is another, or as `read_gct`, `read_gctx` and
            `read_table`.
        FileNotFoundError: there is no such file.
    """
    import anndata  # here, because a bare GPU machine has none and needs no files

    path = Path(path)
    suffix = kind(path)
    if suffix not in SUFFIXES or (path.suffix == ".gz" and suffix not in TEXT):
        raise ValueError(f"{path.name} must end in {ENDINGS}")
    if suffix in DELIMITERS:
        return read_table(path, genes)
    if genes != "columns":
        raise ValueError(f"genes={genes!r} is for .csv and .tsv, not for {path.name}")
    if suffix == ".gct":
        return read_gct(path)
    if suffix == ".gctx":
        return read_gctx(path)
    try:
        return anndata.read_h5ad(path)
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{path.name} can't be read as .h5ad: {reason}") from None


def validate(adata):
    """Refuse a matrix that can't be used, saying what is wrong with it.

    Raises:
        ValueError: no `var["role"]`, another role than landmark or target, no gene
            of a role, gene names that occur twice, values that are no finite number.
    """
    if not hasattr(adata, "var_names"):
        raise ValueError(
            f"an AnnData is needed (see `load`), got {type(adata).__name__}"
        )
    if "role" not in adata.var:
        raise ValueError(
            'var["role"] is missing: it says which genes are landmarks and which '
            "are targets; or name the landmarks with landmarks=[…]"
        )
    roles = adata.var["role"].astype(str)
    for role in roles.unique():
        one_of('var["role"]', role, ROLES)
    for role in ROLES:
        if not (roles == role).any():
            raise ValueError(f"no gene has the role {role!r}")
    validate_values(adata)


def validate_values(adata):
    """As `validate`, whatever the roles: gene names and values only."""
    twice = adata.var_names[adata.var_names.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{len(twice)} gene names occur twice: {', '.join(map(str, twice[:5]))}"
        )
    if adata.X is None or not np.issubdtype(adata.X.dtype, np.number):
        raise ValueError("X holds no numbers")
    values, count, first = dense(adata), 0, None
    for start in range(0, len(values), BLOCK):
        bad = ~np.isfinite(values[start : start + BLOCK])
        if bad.any():
            count += bad.sum()
            first = np.argwhere(bad)[0] + [start, 0] if first is None else first
    if count:
        raise ValueError(
            f"{count} values are NaN or infinite, the first in sample "
            f"{adata.obs_names[first[0]]!r}, gene {adata.var_names[first[1]]!r}"
        )


def fingerprint(adata, group=None):
    """SHA-256 of what a result depends on: values, genes, roles, samples, platforms.

    Values count to 2⁻¹⁰: what a logarithm gives in the last digit differs between
    processors, and a conversion should have the same hash on all of them.

    Args:
        adata: AnnData as `load` gives it.
        group: an obs column that decides who stays together; it is hashed as well.

    Returns:
        64 hexadecimal digits, the same whatever file format the data came from.
    """
    digest = hashlib.sha256()
    for start in range(0, adata.n_obs, BLOCK):
        values = np.rint(dense(adata[start : start + BLOCK]) * 1024) / 1024
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(adata.uns.get("normalize", "").encode())
    columns = [c for c in (adata.uns.get("within"), group) if c is not None]
    columns += ["use"] * ("conventions" in adata.uns)  # its split was fixed
    parts = [adata.var_names, adata.var["role"], adata.obs_names]
    for labels in parts + [adata.obs[column] for column in columns]:
        digest.update("\n".join(map(str, labels)).encode() + b"\0")
    return digest.hexdigest()
