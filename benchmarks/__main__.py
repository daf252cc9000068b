"""Run the benchmarks and file their records: `python -m benchmarks [name …]`.

A benchmark is a module with `measure()`, which yields dicts: `method`,
`configuration`, `dataset`, `data` (a hash), `seed`, `device` and `metrics`.
"""

import sys
import time

from benchmarks import lasso
from lsmtl._checks import one_of
from lsmtl.lab import records

MODULES = {"lasso": lasso}


def main(names):
    """File a record for everything that the named benchmarks measure."""
    for name in names or MODULES:
        start = time.perf_counter()
        for found in MODULES[one_of("benchmark", name, MODULES)].measure():
            device = found.pop("device")
            records.write(
                {
                    "experiment": "bench",
                    "recipe_version": 1,
                    "preset": "gpu" if device == "cuda" else "laptop",
                    "wall_s": round(time.perf_counter() - start, 3),
                }
                | found
                | records.provenance(device)
            )
            print(found["method"], found["configuration"], found["metrics"])
            start = time.perf_counter()


if __name__ == "__main__":
    main(sys.argv[1:])
