"""`python -m classroom student|instructor|nbgrader [folder]`, and `check`."""

import argparse
import sys
from pathlib import Path

from classroom import grading, leaks, material
from lsmtl.lab import ROOT

MAKE = {
    "student": material.student,
    "instructor": material.instructor,
    "nbgrader": grading.tree,
}


def main():
    """Write material, or look for solutions in a folder or zip."""
    parser = argparse.ArgumentParser(prog="python -m classroom", description=__doc__)
    parser.add_argument("what", choices=[*MAKE, "check"])
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    folder = given.folder or ROOT / "_build" / given.what
    if given.what != "check":
        try:
            MAKE[given.what](folder)
        except ValueError as error:
            sys.exit(f"error: {error}")
        print(f"wrote {folder}")
        return
    found = leaks.in_files(folder, leaks.solutions())
    if not folder.exists() or found:
        places = [f"{file}: {', '.join(found[file])}" for file in found]
        sys.exit("\n".join(places) or f"there is no {folder}")
    print(f"no solution in {folder}")


if __name__ == "__main__":
    main()
