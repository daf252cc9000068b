"""`python -m lsmtl.data`: get the files of on-demand datasets."""

import sys

from lsmtl.data.fetch import main

sys.exit(main())
