"""The pre-processing of D-GEX's original files, simulated at full width.

Two heights, so that seconds at the full one can be projected; about five minutes and
5 GB of disk. The maps of the genes are on-demand files (`make data`).
"""

import hashlib
import tempfile
import time
from pathlib import Path

import pandas as pd

from lsmtl.data import fetch, originals
from lsmtl.data.originals import files
from lsmtl.data.originals.simulated import write_originals
from lsmtl.data.originals.work import peak_memory
from lsmtl.lab import records

SIZES = {"probes": 22_268, "gtex": [2_921, 55_993], "geuvadis": [462, 23_722]}
HEIGHTS, FULL = (3_229, 12_916), files.PUBLISHED[files.GEO][0]
FAMILIES, COPIES, SEED = 50, 300, 0


def measure():
    """Measure; yields what a record needs, a dict a height.

    Metrics: `seconds` of the whole command's work, of which the arrays' rows are what
    grows with the height; `peak_mb`, the process's; `gigabytes` of the arrays' file;
    `removed` duplicates, which must be those planted; from the second height on
    `full_minutes`, projected on the straight line through the last two.
    """
    maps = {name: fetch.path(name) for name in fetch.GENES}
    seconds = {}
    for samples in HEIGHTS:
        with tempfile.TemporaryDirectory() as folder:
            planted = write_originals(
                Path(folder), maps, samples, families=FAMILIES, copies=COPIES, **SIZES
            )
            size = (Path(folder) / files.GEO).stat().st_size
            records.forget_peak()
            start = time.perf_counter()
            originals.prepare(folder, "ours", Path(folder) / "out", maps)
            seconds[samples] = time.perf_counter() - start
            found = pd.read_csv(Path(folder) / "out" / "geo-duplicates.csv")
        if [*found["removed"]] != [*planted["removed"]]:
            raise ValueError(f"{len(found)} removed, {len(planted)} planted")
        metrics = {
            "seconds": seconds[samples],
            "peak_mb": peak_memory(),
            "gigabytes": size / 1e9,
            "removed": len(found),
        }
        if len(seconds) > 1:
            (n, low), (m, high) = [*seconds.items()][-2:]
            full = high + (FULL - m) * (high - low) / (m - n)
            metrics["full_minutes"] = full / 60
        sizes = {"samples": samples, "families": FAMILIES, "copies": COPIES, **SIZES}
        yield {
            "method": "originals",
            "configuration": sizes,
            "dataset": "simulated",
            "data": hashlib.sha256(repr((sizes, SEED)).encode()).hexdigest(),
            "seed": SEED,
            "device": "cpu",
            "metrics": {k: float(f"{v:.4g}") for k, v in metrics.items()},
        }
