"""An experiment whose runs do what they are told, in whatever process makes them."""

import os
import signal
import sys
import time
from pathlib import Path

from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import Experiment, Run


def runs(sizes, landmarks):
    """A run for each word of `$TOY_ACTS`, which say what it does."""
    for seed, act in enumerate(os.environ["TOY_ACTS"].split()):
        yield Run(f"toy {act}", {"folder": os.environ["TOY_FOLDER"]}, seed)


def measure(adata, run, device):
    """Note that the run begins, then do its act."""
    begun = Path(run.configuration["folder"]) / f"{run.seed}.begun"
    first = not begun.exists()
    with begun.open("a") as file:
        file.write(f"{os.getpid()} {time.monotonic()}\n")
    act = run.method.removeprefix("toy ")
    if act == "fail":
        raise RuntimeError("the toy is broken")
    if act == "die-once" and first:
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "stuck-once" and first:
        time.sleep(300)  # it has to be killed
    if act == "timed":
        time.sleep(0.3)
    return {"mae": float("nan") if act == "nan" else 0.5, "ended": time.monotonic()}


def timed(record):
    """Whether the run must be alone."""
    return record["method"] == "toy timed"


TOY = Experiment(
    "toy", 1, {"simulated": None}, {"ci": {}, "gpu": {}}, runs, measure, timed=timed
)


def main():
    """The command line of the sweep, for this experiment."""
    from lsmtl.lab.sweep import main

    EXPERIMENTS["toy"] = TOY
    sys.exit(main(["--preset", "ci", "--experiment", "toy", "--workers", "2"]))
