"""Try preset `paper` at small size: `make dry-run`.

Small originals are simulated and pre-processed, the runs of all experiments are made
from them with the sizes of preset `ci`, and every page is executed at preset `paper` on
their records. Nothing of it is kept, and no record of it counts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lsmtl.data import originals
from lsmtl.data.originals.simulated import write_originals
from lsmtl.lab import ROOT
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.notebooks import chapters
from lsmtl.lab.presets import ORIGINALS

PATIENCE = 900  # seconds for a page
SAMPLES, LANDMARKS, TARGETS = 240, 40, 120


def simulate(folder):
    """Small originals and what the pipeline makes of them; its report."""
    maps, probe = {}, 0
    for file, count in (("map_lm.txt", LANDMARKS), ("map_tg.txt", TARGETS)):
        lines = []
        for number in range(count):
            own = [f"{p}_at" for p in range(probe, probe + 1 + number % 2)]
            probe += len(own)
            ensembl = f"ENSG{file[4:6]}{number:05d}"
            lines.append(f"{file[4]}{number}\t{ensembl}\t{','.join(own)}\n")
        maps[file] = folder / file
        maps[file].write_text("".join(lines), "utf-8")
    sizes = {"probes": probe + 20, "gtex": (60, 250), "geuvadis": (40, 250)}
    write_originals(folder / "in", maps, samples=SAMPLES, families=1, **sizes)
    return originals.prepare(folder / "in", "ours", folder / "converted", maps)[0]


def cases(essential=False):
    """(page, parameters) for every page, on every set that preset paper has for it.

    Args:
        essential: leave out what doesn't read the original files, and take each page
            once.
    """
    for page in chapters():
        experiment = EXPERIMENTS.get(page.stem)
        if experiment is None:
            yield page, {"preset": "paper"}
            continue
        sets = [d for d in experiment.datasets if experiment.size("paper", d)]
        if essential:
            sets = [d for d in sets if d in ORIGINALS][:1]
        for dataset in sets:
            yield page, {"preset": "paper", "dataset": dataset}


def execute(page, parameters, folder, environment):
    """Run a page with papermill; seconds, and the end of its errors or ""."""
    name = "-".join([page.stem, *parameters.values()])
    given = [word for pair in parameters.items() for word in ("-p", *pair)]
    start = time.monotonic()
    try:
        run = subprocess.run(
            [sys.executable, "-m", "papermill", page, folder / f"{name}.ipynb", *given],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return time.monotonic() - start, f"not done after {PATIENCE} s\n"
    error = run.stderr[-2000:] if run.returncode else ""
    if error or parameters.get("dataset") not in ORIGINALS:
        return time.monotonic() - start, error
    marked = "lsmtl-dry-run" in (folder / f"{name}.ipynb").read_text("utf-8")
    return time.monotonic() - start, "" if marked else "no badge of a dry run\n"


def main(arguments=None):
    """The command line; 1 if a run or a page failed."""
    parser = argparse.ArgumentParser(prog="scripts/dry_run.py", description=__doc__)
    parser.add_argument("--folder", type=Path, help="kept; default: a temporary one")
    parser.add_argument("--workers", type=int, default=2, help="processes; default: 2")
    parser.add_argument(
        "--essential",
        action="store_true",
        help="only runs on the original files, and each page once",
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        return int(bool(rehearse(folder, given.workers, given.essential)))


def rehearse(folder, workers, essential):
    """The whole dry run in a folder; how many sweeps and pages failed."""
    start = time.monotonic()
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "LSMTL_DRY_RUN": "1",
        "LSMTL_DATA": str(folder),
        "LSMTL_RECORDS": str(folder / "records"),
        "TQDM_DISABLE": "1",
        "OMP_NUM_THREADS": "1",
    }
    print(simulate(folder), flush=True)
    sweep = [sys.executable, "-m", "lsmtl.lab", "--preset", "paper"]
    sweep += ["--workers", str(workers)]
    failed = 0
    for more in [["--dataset", name] for name in ORIGINALS] if essential else [[]]:
        failed += subprocess.run([*sweep, *more], env=environment).returncode != 0
    print(f"all runs: {time.monotonic() - start:.0f} s", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        given = folder / "pages", environment
        jobs = [(c, pool.submit(execute, *c, *given)) for c in cases(essential)]
        for (page, parameters), job in jobs:
            seconds, error = job.result()
            where = " ".join([page.stem, *parameters.values()])
            print(f"{where}: {seconds:.0f} s{' FAILED' * bool(error)}", flush=True)
            print(error, end="")
            failed += bool(error)
    print(f"dry run: {time.monotonic() - start:.0f} s, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
