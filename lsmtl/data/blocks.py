"""Expression files that are larger than memory, block by block."""

from pathlib import Path

from lsmtl._checks import one_of, whole
from lsmtl.data.gct import gct_blocks, geuvadis_blocks
from lsmtl.data.gctx import gctx_blocks
from lsmtl.data.tables import kind

READERS = {".gctx": gctx_blocks, ".gct": gct_blocks, ".txt": geuvadis_blocks}


def read_blocks(path, size=1000, minimum=None):
    """Yield an expression file part by part, each an AnnData, samples × genes.

    The axis is that of the lines on disk. A GCTX file comes in blocks of samples with
    all genes, a text file (GCT, GEUVADIS) in one pass in blocks of genes with all
    samples. One block at a time is in memory, besides names and metadata.

    Args:
        path: of a `.gctx`, `.gct` (version 1.2 or 1.3) or `.txt` (GEUVADIS) file; the
            text files also with `.gz`.
        size: samples (GCTX) or genes (text) a block; the last may have fewer.
        minimum: the smallest value allowed (0 for counts); None allows all.

    Raises:
        ValueError, OSError: as `read_gctx` and `read_gct`; what is wrong with a value
            is raised when its block is reached, a wrong number of genes at the end.
    """
    path = Path(path)
    known = [*READERS] if path.suffix != ".gz" else [".gct", ".txt"]
    reader = READERS[one_of(f"the suffix of {path.name}", kind(path), known)]
    yield from reader(path, whole("size", size), minimum)
