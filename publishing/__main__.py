"""`python -m publishing SITE OUTPUT`: print the built book in SITE into a PDF."""

import argparse
import sys
from pathlib import Path

from publishing.pdf import ROOT, print_book


def main():
    """Print the book and say how long it became."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    try:
        pages = print_book(given.site, ROOT / "_toc.yml", given.output)
    except FileNotFoundError as error:
        sys.exit(str(error))
    print(f"{given.output}: {pages} pages")


if __name__ == "__main__":
    main()
