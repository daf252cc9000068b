"""Expression data: load a set, split it, standardise it without leaks.

`load(name)` gives an AnnData (samples × genes, `var["role"]` says landmark or
target), shipped with the code or made once from downloaded files. `preprocess` has
the steps between raw values and such a matrix. `read_gct`, `read_gctx`,
`read_geuvadis`, `read_table`, `read_matrix` and `read_blocks` read expression files;
`originals.prepare` makes profiles of D-GEX's. `with_landmarks` says which genes are
landmarks, `l1000` and `select_landmarks` which to take. `split`, `two_halves`,
`leave_one_out` and `transfer` make training, validation and test profiles of a matrix.
There is no other way from a matrix to a network. `pairs` makes genes in two cell types
of histone marks, which `simulate_histones` draws.
"""

from lsmtl.data.blocks import read_blocks
from lsmtl.data.datasets import fingerprint, load, names, read_matrix
from lsmtl.data.gct import read_gct, read_geuvadis
from lsmtl.data.gctx import read_gctx
from lsmtl.data.histones import pairs, simulate_histones
from lsmtl.data.landmarks import (
    l1000,
    read_landmarks,
    select_landmarks,
    with_landmarks,
)
from lsmtl.data.simulation import simulate, simulate_blocks
from lsmtl.data.splits import (
    Profiles,
    Splits,
    leave_one_out,
    split,
    transfer,
    two_halves,
)
from lsmtl.data.tables import read_table

__all__ = [
    "Profiles",
    "Splits",
    "fingerprint",
    "l1000",
    "leave_one_out",
    "load",
    "names",
    "pairs",
    "read_blocks",
    "read_gct",
    "read_gctx",
    "read_geuvadis",
    "read_landmarks",
    "read_matrix",
    "read_table",
    "select_landmarks",
    "simulate",
    "simulate_blocks",
    "simulate_histones",
    "split",
    "transfer",
    "two_halves",
    "with_landmarks",
]
