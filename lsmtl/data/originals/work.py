"""Work that a kill doesn't undo: arrays on disk, and how far each stage has come.

A stage goes through its rows block by block. After a block its arrays are written to
the disk first, then one small file with the place and the stage's sums replaces the
one before. So whatever a kill leaves, the file tells of whole blocks only, and the
next run goes on from there with the same numbers.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from lsmtl._progress import tqdm

PLAN = "plan.json"


class Rows:
    """A matrix (rows, columns) in a file, from a byte on, read and written in runs.

    Args:
        path: of the file; it is made when missing.
        columns: values a row.
        dtype: of a value.
        offset: bytes before the first row.
    """

    def __init__(self, path, columns, dtype=np.float32, offset=0):
        self.path, self.columns, self.offset = Path(path), columns, offset
        self.dtype = np.dtype(dtype)
        self.path.touch()
        self.file = self.path.open("r+b")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, start, values):
        """Put values (n, columns) at rows start, start + 1, …"""
        self._seek(start)
        self.file.write(np.ascontiguousarray(values, self.dtype).data)

    def read(self, start, stop):
        """The rows from `start` to before `stop`, (stop − start, columns)."""
        values = np.empty((stop - start, self.columns), self.dtype)
        self._seek(start)
        if self.file.readinto(values.data) != values.nbytes:
            raise ValueError(f"{self.path} ends before row {stop}; remove its folder")
        return values

    def sync(self):
        """Return when what was written is on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def _seek(self, row):
        self.file.seek(self.offset + row * self.columns * self.dtype.itemsize)


class Work:
    """A folder of unfinished work that belongs to one plan; another plan starts anew.

    Args:
        folder: where arrays and states lie.
        plan: dict that tells the inputs apart, of what JSON can hold.
    """

    def __init__(self, folder, plan):
        self.folder = Path(folder)
        found = None
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((self.folder / PLAN).read_text("utf-8"))
        if found != plan:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._replace(PLAN, json.dumps(plan, indent=1).encode())

    def rows(self, name, columns, dtype=np.float32):
        """The array of that name, as `Rows`."""
        return Rows(self.folder / name, columns, dtype)

    def state(self, stage):
        """What a stage has filed, a dict of arrays; empty if it hasn't begun."""
        path = self.folder / f"{stage}.npz"
        if not path.exists():
            return {}
        with np.load(path) as found:
            return dict(found)

    def blocks(self, stage, total, size, sums=None, arrays=()):
        """Yield (start, stop) of every block of `total` rows that isn't done yet.

        Args:
            stage: its name, of the bar as well.
            total: rows.
            size: rows a block.
            sums: dict of arrays that blocks add to, in place. They become what was
                filed before the first block and are filed after each.
            arrays: the `Rows` that blocks write to.
        """
        sums = {} if sums is None else sums
        found = self.state(stage)
        done, seconds, peak = found.pop("_", (0, 0.0, 0.0))
        for name, values in found.items():
            sums[name][...] = values
        options = {"desc": stage, "total": total, "initial": int(done)}
        with tqdm(**options, unit="rows") as bar:
            for start in range(int(done), total, size):
                begun = time.perf_counter()
                stop = min(start + size, total)
                yield start, stop
                for array in arrays:
                    array.sync()
                seconds += time.perf_counter() - begun
                peak = max(peak, peak_memory())
                self._file(stage, _=np.array([stop, seconds, peak]), **sums)
                bar.update(stop - start)

    def _file(self, stage, **arrays):
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        self._replace(f"{stage}.npz", stream.getbuffer())

    def _replace(self, name, content):
        part = self.folder / f"{name}.part"
        part.write_bytes(content)
        replace(part, self.folder / name)

    def spent(self):
        """Of every stage in turn: seconds, and the most memory in MB."""
        paths = sorted(self.folder.glob("*.npz"), key=lambda p: p.stat().st_mtime_ns)
        ends = {path.stem: self.state(path.stem)["_"].tolist() for path in paths}
        return {stage: (seconds, peak) for stage, (_, seconds, peak) in ends.items()}


def replace(part, path):
    """Give a written file its name; when this returns, all of it is on the disk."""
    _sync(part)
    os.replace(part, path)
    _sync(Path(path).parent)


def _sync(path):
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def peak_memory():
    """The most memory that this process has held, in MB; 0 where that isn't known."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
