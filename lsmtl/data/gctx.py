"""GCTX, the HDF5 format of the large expression matrices of LINCS and D-GEX."""

import faulthandler
import itertools
import math
import os
import signal
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd

from lsmtl.data.matrices import assembled, measured, named, regular

MATRIX = "/0/DATA/0/matrix"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
LIMIT = 100  # seconds that opening a file may take, without the values of the matrix
CHUNK = 2**30  # bytes a chunk, which is read as a whole: more is damage or an attack
PART = 2**26  # values that are read at once


def read_gctx(path, minimum=None):
    """An expression matrix in GCTX format, version 1.0, as AnnData.

    Args:
        path: an HDF5 file with the root attribute `version`, GCTX1.0; the matrix
            `/0/DATA/0/matrix`, on disk a row a sample; and metadata, a dataset a
            column, in `/0/META/ROW` (of genes) and `/0/META/COL` (of samples), with
            the names in `id`. Blanks that fill up text of fixed length are dropped.
        minimum: the smallest value allowed (0 for counts); None allows all.

    Returns:
        AnnData, samples × genes, X float32, metadata as columns of var and obs,
        `uns["source"]` with the file's name.

    Raises:
        ValueError: the file is no GCTX 1.0, is cut off or damaged, lacks a part, never
            wrote it, keeps it elsewhere (no links are followed inside the file) or
            packed by an unknown filter, has no samples or genes, another number of
            names than of rows or columns, a value that is no finite number or too
            small, or names that are empty, not printable, occur twice or have blanks
            at an end; it says which. Or it is a pipe or a device.
        FileNotFoundError: there is no such file, or none where a link leads.
        OSError: it is a folder, a loop of links, or must not be read.
    """
    path = regular(path)
    with _opened(path) as (matrix, obs, var):
        x = np.empty(matrix.shape, np.float32)
        size = max(1, PART // max(1, len(var)))
        for rows, values in _slices(path, matrix, obs, var, minimum, size):
            x[rows] = values
        return assembled(path, x, obs, var)


def gctx_blocks(path, size, minimum=None):
    """Yield a GCTX file as AnnData of `size` samples and all genes each."""
    path = regular(path)
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
    _tried(path)
    try:
        with h5py.File(path, "r") as file:
            yield _content(path, file)
    except (
        OSError,
        RuntimeError,
        LookupError,
        TypeError,
        ValueError,
        MemoryError,
    ) as error:
        if str(error).startswith(path.name):
            raise
        raise ValueError(f"{path.name} can't be read as HDF5: {error}") from None


def _tried(path):
    """A ValueError if damage makes HDF5 crash or hang: a child process goes ahead.

    Everything but the values of the matrix is read there.
    """
    import h5py

    if not hasattr(os, "fork"):
        return
    with warnings.catch_warnings():  # of threads, which the child doesn't use
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            faulthandler.disable()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT)
            with h5py.File(path, "r") as file:
                _content(path, file)
        finally:  # an error in Python is found again, by the parent
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        alarm = os.WTERMSIG(status) == signal.SIGALRM
        trouble = f"takes more than {LIMIT} s" if alarm else "crashes"
        raise ValueError(f"{path.name} is damaged: HDF5 {trouble} at opening it")


def _content(path, file):
    _version(path, file)
    matrix = _dataset(path, file, MATRIX, 2)
    if matrix.dtype.kind not in "fiu" or not _standard(matrix):
        raise ValueError(f"{path.name}: {MATRIX} must hold numbers, got {matrix.dtype}")
    obs = _table(path, file, "COL", "sample", matrix.shape[0])
    var = _table(path, file, "ROW", "gene", matrix.shape[1])
    return matrix, obs, var


def _version(path, file):
    import h5py

    found = None
    if h5py.h5a.exists(file.id, b"version"):
        attribute = h5py.h5a.open(file.id, b"version")
        kind = attribute.get_type()  # h5py crashes at types that are damaged
        short = kind.get_class() == h5py.h5t.STRING and kind.get_size() <= 100
        if short and attribute.shape in ((), (1,)):
            found = np.ravel(file.attrs["version"]).tolist()[0]
        else:
            found = attribute.dtype
    if isinstance(found, bytes):
        found = found.decode("utf-8", "replace")
    if str(found).rstrip() != "GCTX1.0":
        raise ValueError(
            f"{path.name}: expected the attribute version GCTX1.0, got {found!r}"
        )


def _table(path, file, axis, what, count):
    """Metadata of the samples or genes as a DataFrame whose index are their names."""
    place = f"/0/META/{axis}"
    _dataset(path, file, f"{place}/id", 1)
    columns = {}
    for name in file[place]:
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

    text = h5py.check_string_dtype(found.dtype)
    if text:
        filler = b" " if text.length else b""
        try:
            texts = [text.rstrip(filler).decode("utf-8") for text in found[()]]
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path.name}: {found.name} is not UTF-8: {error.reason}"
            ) from None
        if any("\0" in text for text in texts):
            raise ValueError(f"{path.name}: {found.name} has a NUL, expected text")
        return np.array(texts, object)
    if found.dtype.kind not in "biuf" or not _standard(found):
        raise ValueError(
            f"{path.name}: {found.name} must be text or numbers, got {found.dtype}"
        )
    return found[()]


def _standard(found):
    """Whether numbers are stored as such a type usually is, not in bits of its own."""
    import h5py

    return found.id.get_type() == h5py.h5t.py_create(found.dtype)


def _dataset(path, file, name, dimensions):
    """A dataset all of whose values are written in this very file."""
    import h5py

    found = _place(path, file, name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{path.name} has no dataset {name}")
    if found.is_virtual or found.external:
        raise ValueError(f"{path.name}: {name} lies in another file")
    if found.shape is None or found.ndim != dimensions:
        raise ValueError(
            f"{path.name}: {name} must have {dimensions} dimensions, got the shape "
            f"{found.shape}"
        )
    plist = found.id.get_create_plist()
    for code, *_ in map(plist.get_filter, range(plist.get_nfilters())):
        if code not in FILTERS:  # others are missing here, or crash at damaged values
            raise ValueError(
                f"{path.name}: {name} is packed by the HDF5 filter {code}, expected "
                f"one of {', '.join(FILTERS.values())}"
            )
    stored = found.id.get_storage_size()
    text = h5py.check_string_dtype(found.dtype)
    size = 16 if text and text.length is None else found.id.get_type().get_size()
    if found.chunks:
        corners = [*map(range, (0,) * found.ndim, found.shape, found.chunks)]
        whole = found.id.get_num_chunks() == math.prod(map(len, corners))
        if whole:  # as many, but where they belong?
            at = []
            found.id.chunk_iter(lambda chunk: at.append(chunk.chunk_offset))
            whole = at == [*itertools.product(*corners)]
        if math.prod(found.chunks) * size > CHUNK:
            raise ValueError(
                f"{path.name}: {name} has chunks of the shape {found.chunks}, more "
                f"than {CHUNK} bytes"
            )
    else:
        whole = stored == math.prod(found.shape) * size
    if not whole or stored > path.stat().st_size:
        raise ValueError(  # what was never written would be read as zeros
            f"{path.name}: {name} announces the shape {found.shape} and has fewer "
            "values"
        )
    return found


def _place(path, file, name):
    """What is at this place, None if nothing; a ValueError at a link.

    A link may lead in a circle or to another file, which may be a pipe.
    """
    import h5py

    found = file
    for part in name.encode().strip(b"/").split(b"/"):
        if not isinstance(found, h5py.Group) or not found.id.links.exists(part):
            return None
        if found.id.links.get_info(part).type != h5py.h5l.TYPE_HARD:
            raise ValueError(f"{path.name}: the way to {name} is a link")
        found = found[part]
    return found
