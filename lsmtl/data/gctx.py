"""GCTX, the HDF5 format of the large expression matrices of LINCS and D-GEX."""

import math
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl.data.matrices import assembled, measured, named

MATRIX = "/0/DATA/0/matrix"
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read_gctx(path, minimum=None):
    """An expression matrix in GCTX format, version 1.0, as AnnData.

    Args:
        path: an HDF5 file with the root attribute `version`, GCTX1.0; the matrix
            `/0/DATA/0/matrix`, on disk a row a sample; and metadata, a dataset a
            column, in `/0/META/ROW` (of genes) and `/0/META/COL` (of samples), with
            the names in `id`.
        minimum: the smallest value allowed (0 for counts); None allows all.

    Returns:
        AnnData, samples × genes, X float32, metadata as columns of var and obs,
        `uns["source"]` with the file's name.

    Raises:
        ValueError: the file is no GCTX 1.0, is cut off or damaged, lacks a part, keeps
            one in another file or never wrote it, has another number of names than
            of rows or columns, a value that is no finite number or too small, or
            names that are empty or occur twice; it says which.
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
    """
    path = Path(path)
    with _opened(path) as (matrix, obs, var):
        x = np.empty(matrix.shape, np.float32)
        for rows, values in _slices(path, matrix, obs, var, minimum, 1000):
            x[rows] = values
        return assembled(path, x, obs, var)


def gctx_blocks(path, size, minimum=None):
    """Yield a GCTX file as AnnData of `size` samples and all genes each."""
    path = Path(path)
    with _opened(path) as (matrix, obs, var):
        for rows, values in _slices(path, matrix, obs, var, minimum, size):
            yield assembled(path, values, obs.iloc[rows].copy(), var.copy())


def _slices(path, matrix, obs, var, minimum, size):
    for start in range(0, max(len(obs), 1), size):
        rows = slice(start, min(start + size, len(obs)))
        names = obs.index[rows]
        yield rows, measured(path, matrix[rows], names, var.index, minimum)


@contextmanager
def _opened(path):
    """The matrix on disk, and the samples' and the genes' metadata."""
    import h5py  # here, because training needs none

    with open(path, "rb") as file:
        start = file.read(len(SIGNATURE))
    if start != SIGNATURE:
        raise ValueError(
            f"{path.name} must start with the signature of HDF5, got {start!r}"
        )
    try:
        with h5py.File(path, "r") as file:
            _version(path, file)
            matrix = _dataset(path, file, MATRIX, 2)
            if matrix.dtype.kind not in "fiu":
                raise ValueError(f"{path.name}: {MATRIX} holds {matrix.dtype}")
            obs = _table(path, file, "COL", "sample", matrix.shape[0])
            var = _table(path, file, "ROW", "gene", matrix.shape[1])
            yield matrix, obs, var
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        if str(error).startswith(path.name):
            raise
        raise ValueError(f"{path.name} is a damaged HDF5 file: {error}") from None


def _version(path, file):
    found = np.ravel(file.attrs.get("version", "")).tolist()
    found = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in found]
    if found != ["GCTX1.0"]:
        raise ValueError(
            f"{path.name}: expected the attribute version GCTX1.0, got {found[:3]!r}"
        )


def _table(path, file, axis, what, count):
    """Metadata of the samples or genes as a DataFrame whose index are their names."""
    import h5py

    place = f"/0/META/{axis}"
    group = file.get(place)
    if not isinstance(group, h5py.Group) or "id" not in group:
        raise ValueError(f"{path.name} has no dataset {place}/id")
    columns = {}
    for name in group:
        if not isinstance(name, str):
            raise ValueError(f"{path.name}: a name in {place} is not UTF-8: {name!r}")
        found = _dataset(path, file, f"{place}/{name}", 1)
        if len(found) != count:
            raise ValueError(
                f"{path.name}: {place}/{name} has {len(found)} entries, the matrix "
                f"{count} {what}s"
            )
        columns[name] = _column(path, found)
    names = columns.pop("id")
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path.name}: {place}/id must be text, got {names.dtype}")
    named(path, what, names)
    return pd.DataFrame(columns, pd.Index(names, dtype=object))


def _column(path, found):
    import h5py

    if h5py.check_string_dtype(found.dtype):
        try:
            return np.array([text.decode("utf-8") for text in found[()]], object)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path.name}: {found.name} is not UTF-8: {error.reason}"
            ) from None
    if found.dtype.kind not in "biuf":
        raise ValueError(
            f"{path.name}: {found.name} must be text or numbers, got {found.dtype}"
        )
    return found[()]


def _dataset(path, file, name, dimensions):
    """A dataset all of whose values are written in this very file."""
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{path.name} has no dataset {name}")
    if found.file.filename != file.filename or found.external or found.is_virtual:
        raise ValueError(f"{path.name}: {name} lies in another file")
    if found.shape is None or found.ndim != dimensions:
        raise ValueError(
            f"{path.name}: {name} must have {dimensions} dimensions, got the shape "
            f"{found.shape}"
        )
    if found.chunks:
        pairs = zip(found.shape, found.chunks, strict=True)
        expected = math.prod(-(-length // chunk) for length, chunk in pairs)
        whole = found.id.get_num_chunks() == expected
    else:
        text = h5py.check_string_dtype(found.dtype)
        size = 16 if text and text.length is None else found.id.get_type().get_size()
        whole = found.id.get_storage_size() == math.prod(found.shape) * size
    if not whole:  # what was never written would be read as zeros
        raise ValueError(
            f"{path.name}: {name} announces the shape {found.shape} and has fewer "
            "values"
        )
    return found
