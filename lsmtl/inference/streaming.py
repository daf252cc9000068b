"""Infer the targets of profiles from file to file, block by block.

Memory depends on the numbers of genes, not of profiles, where a file is `.h5ad`. The
names of profiles are held for `.gctx`, `.csv` and `.tsv`; a file with a line a gene
(`.gct`, a table with genes as rows) is first rewritten, its landmarks only, beside the
result, and one line of it at a time is in memory.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl._checks import one_of
from lsmtl._progress import tqdm
from lsmtl.data.blocks import read_blocks
from lsmtl.data.datasets import ENDINGS, SUFFIXES
from lsmtl.data.matrices import measured
from lsmtl.data.tables import DELIMITERS, kind, table_blocks
from lsmtl.inference.model import (
    ROWS,
    Model,
    gathered,
    load_model,
    statistics,
    written,
)

VALUES = 2**23  # of a file that are in memory at a time, at most
JUDGED = 2**15  # values: a single block may be all zeros, or of one tissue
GENES = 64  # lines of a gct that are in memory at a time


def infer(
    model,
    profiles,
    out,
    platform=None,
    absent="error",
    anyway=False,
    force=False,
    genes="columns",
    landmarks=False,
):
    """Predict the targets of a file's profiles and write them as `.h5ad`.

    The result has the profiles' `obs`, the targets with the error to expect as `var`,
    predictions as float32, and in `uns["inference"]` what made them. It appears under
    its name when it is whole.

    Args:
        model: a `Model`, or the path of its file.
        profiles: path of an `.h5ad` (dense or CSR), `.gctx`, `.gct`, `.csv` or `.tsv`.
        out: path of the `.h5ad` to write.
        platform, absent, anyway: as `Model.predict`; `"own"` reads the file twice.
        force: whether to replace a file that is there.
        genes: of a CSV or TSV file, whether they are its `"columns"` or its `"rows"`.
        landmarks: whether the measured landmarks come along, before the targets, but
            for absent ones; `var["role"]` then tells them apart.

    Returns:
        The path of the result.

    Raises:
        ValueError: the model or the profiles can't be used, see `load_model`,
            `Model.predict` and the readers, or the result can't be written.
        FileNotFoundError: there is no such file.
    """
    model = model if isinstance(model, Model) else load_model(model)
    profiles, out = Path(profiles), Path(out)
    if out.suffix != ".h5ad":
        raise ValueError(f"the result must end in .h5ad, got {out.name}")
    one_of("landmarks", landmarks, (True, False))
    with written(out, force) as part, _opened(profiles, genes, out) as source:
        columns = model.columns(source.genes, absent)
        there = columns >= 0
        first = list(np.array(model.landmarks, object)[there & landmarks])
        _room(out, source.count, len(first) + len(model.targets))
        own = None
        if platform == "own":
            blocks = (gathered(x, columns) for _, x, _ in source.blocks(columns, None))
            own = statistics(blocks)
        with _Result(part, model, first) as result:
            about = model.told(platform, columns, anyway) | {"profiles": profiles.name}
            bar = tqdm(total=source.count, desc="infer", unit="profile", delay=3)
            with bar:
                blocks = (
                    (names, gathered(x, columns), labels)
                    for names, x, labels in source.blocks(columns, model.within)
                )
                if model.has_scale(platform, anyway):
                    blocks = _on_scale(model, blocks)
                for names, x, labels in blocks:
                    at = model.platform_of(platform, labels, len(x))
                    found = model.block(x, at, own)
                    more = [x[:, there]] if first else []
                    result.add(names, np.hstack([*more, found]))
                    bar.update(len(x))
            result.end(source, about)
    return out


def _on_scale(model, blocks):
    """The blocks, whose scale is checked `JUDGED` values or more at a time."""
    pool, judged = [], False
    for names, x, labels in blocks:
        pool.append(x)
        if sum(part.size for part in pool) >= JUDGED:
            model.check_scale(np.concatenate(pool))
            pool, judged = [], True
        yield names, x, labels
    if pool and not judged:
        model.check_scale(np.concatenate(pool))


class _Disk:
    """A file for HDF5 that keeps what a full disk refuses, and the error.

    HDF5 can't close a file that it can't write to, and then crashes at the end.
    """

    def __init__(self, path):
        self.file, self.error, self.kept = open(path, "wb+", buffering=0), None, []  # noqa: SIM115

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        """All of it goes to the disk, or after an error into memory."""
        place, data, done = self.file.tell(), bytes(data), 0
        try:
            while done < len(data) and not self.error:
                done += self.file.write(data[done:])
        except OSError as error:
            self.error = error
        if self.error:
            self.kept.append((place, data))
        return len(data)

    def readinto(self, buffer):
        """What the disk has, covered by what it refused."""
        view, place = memoryview(buffer).cast("B"), self.file.tell()
        view[:] = self.file.read(len(view)).ljust(len(view), b"\0")
        for start, data in self.kept:
            low, high = max(start, place), min(start + len(data), place + len(view))
            if low < high:
                view[low - place : high - place] = data[low - start : high - start]
        return len(view)

    def truncate(self, size=None):
        """A refused length is an error like any other."""
        try:
            return self.file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size


class _Result:
    """An `.h5ad` that grows by blocks, in AnnData's format."""

    def __init__(self, path, model, landmarks):
        import h5py

        self.disk = _Disk(path)
        self.file = h5py.File(self.disk, "w")
        self.model, self.landmarks, self.count = model, landmarks, 0
        width = len(landmarks) + len(model.targets)
        rows = max(2**20 // (4 * width), 1)  # a chunk of a megabyte
        self.x = self.file.create_dataset(
            "X", (0, width), "f4", maxshape=(None, width), chunks=(rows, width)
        )
        text = h5py.string_dtype()
        self.names = self.file.create_dataset(
            "names", (0,), text, maxshape=(None,), chunks=(ROWS,)
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.disk.file.close()
        self._check()

    def _check(self):
        if self.disk.error:
            raise ValueError(f"the result can't be written: {self.disk.error.strerror}")

    def add(self, names, values):
        """Append rows; their names are None where `obs` will be copied."""
        end = self.count + len(values)
        self.x.resize(end, axis=0)
        self.x[self.count : end] = values
        if names is not None:
            self.names.resize(end, axis=0)
            self.names[self.count : end] = names
        self.count = end
        self._check()

    def end(self, source, about):
        """Write what is not X: obs, var, uns and AnnData's empty parts."""
        from anndata.io import write_elem

        file = self.file
        if not self.count:
            raise ValueError(f"{source.path.name} has no profiles")
        self.x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        if source.obs is not None:
            source.obs.file.copy(source.obs, file, "obs")
        else:
            obs = file.create_group("obs")
            file.move("names", "obs/_index")
            text = {"encoding-type": "string-array", "encoding-version": "0.2.0"}
            obs["_index"].attrs.update(text)
            frame = {"encoding-type": "dataframe", "encoding-version": "0.2.0"}
            none = np.array([], dtype="S1")
            obs.attrs.update(frame | {"_index": "_index", "column-order": none})
        if "names" in file:
            del file["names"]
        var = self.model.var()
        if self.landmarks:
            first = pd.DataFrame({"role": "landmark"}, index=self.landmarks)
            var = pd.concat([first, var.assign(role="target")])
        write_elem(file, "var", var)
        write_elem(file, "uns", {"inference": about})
        for name in ("layers", "obsm", "obsp", "varm", "varp"):
            write_elem(file, name, {})
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})


class _Blocks:
    """Profiles of a file in blocks of samples, from a reader that yields AnnData."""

    obs = count = None

    def __init__(self, path, reader):
        self.path, self.reader = path, reader
        first = next(iter(reader(1)))
        self.genes = first.var_names

    def blocks(self, columns, within):
        """Yield names, values of the landmarks that are there, and platforms."""
        size = _rows(len(self.genes))
        for part in self.reader(size):
            labels = part.obs.get(within)
            yield part.obs_names, part.X[:, columns[columns >= 0]], labels


class _Turned:
    """Profiles of a file that comes in blocks of genes; landmarks go to a scratch."""

    obs = None

    def __init__(self, path, reader, scratch):
        self.path, self.reader, self.scratch = path, reader, scratch
        genes = []
        for part in reader(GENES):
            genes += part.var_names.tolist()
        self.genes, self.names = pd.Index(genes), part.obs_names
        self.labels, self.count = part.obs, part.n_obs
        self.copied = False

    def blocks(self, columns, within):
        """Yield names, values of the landmarks that are there, and platforms."""
        present = columns[columns >= 0]
        n = self.count
        if not self.copied:
            place = {gene: row for row, gene in enumerate(present)}
            done = 0
            with open(self.scratch, "wb") as file:
                file.truncate(4 * n * len(present))
                for part in self.reader(GENES):
                    for j in range(part.n_vars):
                        if done + j in place:
                            file.seek(4 * n * place[done + j])
                            file.write(np.ascontiguousarray(part.X[:, j]).tobytes())
                    done += part.n_vars
            self.copied = True
        with open(self.scratch, "rb") as file:
            for start in range(0, n, ROWS):
                rows = slice(start, min(start + ROWS, n))
                x = np.empty((rows.stop - start, len(present)), np.float32)
                for j in range(len(present)):
                    file.seek(4 * (n * j + start))
                    x[:, j] = np.frombuffer(file.read(4 * len(x)), np.float32)
                labels = self.labels.iloc[rows].get(within)
                yield self.names[rows], x, labels


class _Stored:
    """Profiles of an `.h5ad`, dense or CSR, read by rows."""

    def __init__(self, path, file):
        from anndata.io import read_elem

        self.path, self.file = path, file
        kinds = {"array", "csr_matrix"}
        if not {"X", "obs", "var"} <= file.keys():
            raise ValueError(f"{path.name} is no .h5ad with X, obs and var")
        if not all("_index" in file[name].attrs for name in ("obs", "var")):
            raise ValueError(
                f"{path.name} is of a format before AnnData 0.7; read it with "
                "anndata.read_h5ad and write it again"
            )
        self.x, self.obs = file["X"], file["obs"]
        found = self.x.attrs.get("encoding-type", "array")
        if found not in kinds:
            raise ValueError(
                f"{path.name}: X is stored as {found}, which can't be read by rows; "
                "make it dense or CSR (adata.X = adata.X.tocsr())"
            )
        if found == "csr_matrix":
            self.count, width = map(int, self.x.attrs["shape"])
        else:
            self.count, width = self.x.shape
        self.genes = pd.Index(read_elem(file["var"]).index)
        index = self.obs.attrs["_index"]
        self.index = self.obs[index]
        if len(self.genes) != width or len(self.index) != self.count:
            raise ValueError(
                f"{path.name}: X is {self.count} × {width}, obs and var name "
                f"{len(self.index)} samples and {len(self.genes)} genes"
            )

    def blocks(self, columns, within):
        """Yield no names, values of the landmarks, and platforms."""
        present = columns[columns >= 0]
        genes, size = self.genes[present], _rows(len(self.genes))
        for start in range(0, self.count, size):
            rows = slice(start, min(start + size, self.count))
            values = self._values(rows)[:, present]
            if values.dtype.kind not in "fiub":
                raise ValueError(f"{self.path.name}: X holds {values.dtype}")
            if not np.isfinite(values).all():
                names = [n.decode("utf-8", "replace") for n in self.index[rows]]
                measured(self.path, values, names, genes)
            yield None, values.astype(np.float32), self._labels(within, rows)

    def _values(self, rows):
        if "indptr" not in getattr(self.x, "keys", dict)():
            return self.x[rows]
        from scipy import sparse

        ends = self.x["indptr"][rows.start : rows.stop + 1]
        inside = slice(int(ends[0]), int(ends[-1]))
        data, at = self.x["data"][inside], self.x["indices"][inside]
        shape = (len(ends) - 1, len(self.genes))
        part = sparse.csr_matrix((data, at, ends - ends[0]), shape)
        part.check_format(full_check=True)
        return part.toarray()

    def _labels(self, within, rows):
        if within is None or within not in self.obs:
            return None
        from anndata.io import read_elem

        found = self.obs[within]
        if "codes" in found:
            names = np.append(read_elem(found["categories"]), "missing")
            return names[found["codes"][rows]]
        labels = found[rows]
        return [v.decode() if isinstance(v, bytes) else str(v) for v in labels]


@contextmanager
def _opened(path, genes, out):
    """A source of blocks, and what it left on disk removed afterwards."""
    suffix = kind(path)
    if suffix not in SUFFIXES:
        raise ValueError(f"{path.name} must end in {ENDINGS}")
    one_of("genes", genes, ("columns", "rows"))
    if genes == "rows" and suffix not in DELIMITERS:
        raise ValueError(f"genes='rows' is for .csv and .tsv, not for {path.name}")
    scratch = out.with_name(f"{out.name}.{os.getpid()}.landmarks")
    with open(path, "rb"):
        pass
    try:
        if suffix == ".h5ad":
            with _hdf5(path) as file:
                yield _Stored(path, file)
        elif suffix == ".gct" or genes == "rows":
            reader = read_blocks if suffix == ".gct" else table_blocks
            more = () if suffix == ".gct" else ("rows",)
            yield _Turned(path, lambda size: reader(path, size, *more), scratch)
        elif suffix == ".gctx":
            yield _Blocks(path, lambda size: read_blocks(path, size))
        else:
            yield _Blocks(path, lambda size: table_blocks(path, size))
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def _hdf5(path):
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path.name} can't be read as .h5ad: {error}") from None
    with file:
        try:
            yield file
        except (RuntimeError, LookupError, TypeError, AttributeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"{path.name} is a damaged .h5ad: {reason}") from None


def _rows(genes):
    """How many profiles of so many genes are read at a time."""
    return int(min(ROWS, max(VALUES // max(genes, 1), 1)))


def _room(out, count, width):
    """A ValueError if the result can't fit on the disk."""
    free = shutil.disk_usage(out.parent).free
    if count is not None and 4 * count * width > free:
        raise ValueError(
            f"{out} needs {4 * count * width / 1e9:.1f} GB, its disk has "
            f"{free / 1e9:.1f} GB left"
        )
