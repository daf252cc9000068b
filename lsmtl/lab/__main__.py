"""Make the run records of the book: `python -m lsmtl.lab --preset laptop`."""

import sys

if __name__ == "__main__":  # not in a worker's process, which imports this module too
    from lsmtl.lab.sweep import main

    sys.exit(main())
