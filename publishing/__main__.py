"""`python -m publishing SITE OUTPUT`: the built book in SITE as .pdf or .epub."""

import argparse
import sys
from pathlib import Path

from lsmtl.lab import ROOT
from publishing.epub import write_epub
from publishing.pdf import print_book

SHAPES = {".pdf": print_book, ".epub": write_epub}


def main():
    """Write the book in the shape that the output's name says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    shape = given.output.suffix
    if shape not in SHAPES:
        parser.error(f"OUTPUT ends in {' or '.join(SHAPES)}; got {given.output.name!r}")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        SHAPES[shape](given.site, ROOT / "_toc.yml", given.output)
    except FileNotFoundError as error:
        sys.exit(str(error))
    print(given.output)


if __name__ == "__main__":
    main()
