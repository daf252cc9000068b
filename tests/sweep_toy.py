"""An experiment whose runs do what they are told, in whatever process makes them."""

import os
import signal
import time
from pathlib import Path

from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import Experiment, Run


def runs(sizes, landmarks):
    """One for each of `$TOY_ACTS`, words such as `fail` or `sleep`."""
    folder = os.environ["TOY_FOLDER"]
    for seed, act in enumerate(os.environ["TOY_ACTS"].split()):
        yield Run(f"toy {act}", {"folder": folder}, seed)


def measure(adata, run, device):
    """Note that the run has begun, do its act."""
    begun = Path(run.configuration["folder"]) / f"{run.seed}.begun"
    first = not begun.exists()
    with begun.open("a") as file:
        file.write(f"{os.getpid()}\n")
    act = run.method.removeprefix("toy ")
    if act == "fail":
        raise RuntimeError("the toy is broken")
    if act == "nan":
        return {"mae": float("nan")}
    if act == "die" or (act == "die-once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "sleep" and first:
        time.sleep(60)
    if act == "wait":
        time.sleep(0.3)
    return {"mae": 0.5 + run.seed, "pid": os.getpid()}


def timed(record):
    """Whether it must be alone."""
    return record["method"] == "toy timed"


TOY = Experiment("toy", 1, {"simulated": None}, {"ci": {}}, runs, measure, timed=timed)

if __name__ == "__main__":  # the command line, for this experiment
    import sys

    import sweep_toy  # by its name, as workers import it

    from lsmtl.lab.sweep import main

    EXPERIMENTS["toy"] = sweep_toy.TOY
    sys.exit(main(["--preset", "ci", "--experiment", "toy", *sys.argv[1:]]))
