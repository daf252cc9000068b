"""Make the run records of the book: `python -m lsmtl.lab --preset laptop`."""

import argparse

from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import results


def main():
    """Run what has no record yet, experiment by experiment, dataset by dataset."""
    parser = argparse.ArgumentParser(prog="python -m lsmtl.lab", description=__doc__)
    parser.add_argument("--preset", default="laptop", choices=["ci", "laptop", "gpu"])
    parser.add_argument("--experiment", choices=EXPERIMENTS, help="default: all")
    parser.add_argument("--dataset", help="default: all of the experiment")
    chosen = parser.parse_args()
    for name, experiment in EXPERIMENTS.items():
        if chosen.experiment not in (None, name):
            continue
        for dataset in experiment.datasets:
            if chosen.dataset in (None, dataset) and chosen.preset in experiment.sizes:
                try:
                    table = results(experiment, chosen.preset, dataset)
                except FileNotFoundError as error:  # an on-demand set
                    print(f"{name}, {chosen.preset}, {dataset}: no runs: {error}")
                    continue
                print(f"{name}, {chosen.preset}, {dataset}: {len(table)} runs recorded")


if __name__ == "__main__":
    main()
