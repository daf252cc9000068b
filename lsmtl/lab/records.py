"""Run records: where every number of the book comes from.

A record is a line of JSON in `<experiment>.jsonl`. Committed ones are in
`book/records`; new ones go to `$LSMTL_RECORDS` or, without it, to `_build/records`.
A record's key is what decides its result: experiment, method, configuration, data
hash, seed and a recipe version that is raised by hand. All else is provenance.
"""

import contextlib
import datetime
import functools
import hashlib
import json
import os
import platform
import resource
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

from lsmtl.lab import ROOT
from lsmtl.lab.presets import DRY, dry_run

COMMITTED = ROOT / "book" / "records"
KEY = ("experiment", "method", "configuration", "data", "seed", "recipe_version")


def key(record):
    """The hash of the fields that decide a run's result."""
    fields = {name: record[name] for name in KEY}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def folder():
    """Where new records go."""
    usual = ROOT / "_build" / ("dry-run" if dry_run() else "records")
    return Path(os.environ.get("LSMTL_RECORDS") or usual)


def read(experiment):
    """All records of an experiment, by key; new ones stand before committed ones.

    A line that is no valid record, such as one that a killed run left half written,
    is set aside with a warning that names the file and the line. Those of a dry run
    count in a dry run only.
    """
    found, dry = {}, dry_run()
    for path in (COMMITTED, folder()):
        file = path / f"{experiment}.jsonl"
        lines = (
            file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
        )
        for number, line in enumerate(lines, 1):
            try:
                record = parse(line)
            except ValueError as error:
                warnings.warn(
                    f"{file}, line {number}: set aside: {error}", stacklevel=2
                )
            else:
                if dry or record["preset"] != DRY:
                    found[key(record)] = record
    return found


def write(record):
    """Append a record to its experiment's file, in one write.

    Raises:
        ValueError: the record doesn't fit the schema, or one of a dry run would go to
            the committed ones.
    """
    line = json.dumps(record, sort_keys=True, allow_nan=False)
    parse(line)
    if record["preset"] == DRY and folder().resolve() == COMMITTED.resolve():
        raise ValueError(f"records of a dry run don't belong into {COMMITTED}")
    path = folder() / f"{record['experiment']}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n" if whole else "\n" + line + "\n")


def parse(line):
    """A record from its line of JSON.

    A machine without `fastjsonschema` checks less; the records that it makes are
    checked when they are merged.

    Raises:
        ValueError: the line is no JSON or doesn't fit the schema.
    """
    try:
        record = json.loads(line, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from None
    _check()(record)
    return record


def _no_number(constant):
    raise ValueError(f"{constant} is no number that a record can hold")


def forget_peak():
    """Let the most memory that `provenance` reports count from here.

    Where that can't be done (not on Linux), memory counts from the process's start.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # of the process's resident set
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def provenance(device):
    """Where, when and with what a run was made."""
    gpu = device == "cuda"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name() if gpu else platform.machine(),
        "threads": torch.get_num_threads(),
        "peak_memory_mb": round(peak / (2**20 if sys.platform == "darwin" else 2**10)),
        "versions": versions(),
        "code": code(),
    }
    if gpu:
        found["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return found


def versions():
    """Of what a result may depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


@functools.cache
def code():
    """A hash of the package's source files: provenance, not part of the key."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "lsmtl").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _check():
    """A function that raises ValueError for what doesn't fit the schema."""
    try:
        import fastjsonschema  # here, because a bare GPU machine has none
    except ImportError:
        return lambda record: None
    schema = json.loads(Path(__file__).with_name("record.schema.json").read_text())
    return functools.partial(fastjsonschema.compile(schema), name_prefix="record")
