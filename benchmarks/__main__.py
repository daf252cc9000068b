"""Run the benchmarks and file their records: `python -m benchmarks [name …]`.

A benchmark is a module with `measure()`, which yields dicts: `method`,
`configuration`, `dataset`, `data` (a hash), `seed`, `device` and `metrics`. Measuring
again replaces the record of the same configuration on the same kind of device.
A module that uses a GPU where there is one has `GPU_MINUTES`, how long it takes there:
`make gpu-bundle` then lists it until it has been measured on one.
"""

import contextlib
import sys
import time

from benchmarks import chapters, deepdiff, engine, kernels, lasso, originals, step
from lsmtl._checks import one_of
from lsmtl.lab import records

MODULES = {
    "chapters": chapters,
    "deepdiff": deepdiff,
    "engine": engine,
    "kernels": kernels,
    "lasso": lasso,
    "originals": originals,
    "step": step,
}
VERSION = 1  # the recipe_version of all benchmarks


def main(names):
    """File a record for everything that the named benchmarks measure."""
    for name in names or MODULES:
        for record in measured(name):
            replace(record)
            print(record["method"], record["configuration"], record["metrics"])


def measured(name):
    """Yields the records of a benchmark, one by one as they are measured."""
    module = MODULES[one_of("benchmark", name, MODULES)]
    records.forget_peak()
    start = time.perf_counter()
    for found in module.measure():
        device = found.pop("device")
        found["configuration"] |= {"benchmark": name, "device": device}
        record = {
            "experiment": "bench",
            "recipe_version": VERSION,
            "preset": "gpu" if device == "cuda" else "laptop",
            "wall_s": round(time.perf_counter() - start, 3),
        }
        yield record | found | records.provenance(device)
        records.forget_peak()
        start = time.perf_counter()


def replace(record):
    """File a record in the place of an earlier one with the same key."""
    file = records.folder() / "bench.jsonl"
    kept = []
    for line in file.read_text("utf-8").splitlines() if file.is_file() else []:
        with contextlib.suppress(ValueError):  # a line that a killed run left half
            if records.key(records.parse(line)) != records.key(record):
                kept.append(f"{line}\n")
    if kept:
        file.write_text("".join(kept), "utf-8")
    else:
        file.unlink(missing_ok=True)
    records.write(record)


if __name__ == "__main__":
    main(sys.argv[1:])
