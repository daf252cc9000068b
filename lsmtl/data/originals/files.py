"""The files of D-GEX: found, checked, and read by the genes of its space."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl._progress import tqdm
from lsmtl.data.blocks import read_blocks
from lsmtl.data.gctx import MATRIX, _opened
from lsmtl.data.matrices import measured
from lsmtl.data.on_demand import gene_space
from lsmtl.data.preprocess import gene_means

GEO = "bgedv2_QNORM.gctx"
GTEX = "GTEx_RNASeq_RPKM_n2921x55993.gctx"
GEUVADIS = "GD462.GeneQuantRPKM.50FN.samplename.resk10.txt"
PUBLISHED = {GEO: (129_158, 22_268), GTEX: (2_921, 55_993), GEUVADIS: (462, None)}
IN_NONE = "in no gene of the maps"
LINES = 1000  # genes of a text that are read at a time
CACHE = 2**28  # bytes of HDF5 chunks kept, where a file has any


@dataclass(frozen=True)
class Gctx:
    """A GCTX file whose form has been checked, to be read a run of samples at a time.

    Args:
        path: of the file.
        samples: their names.
        columns: names of the probes or genes on disk.
    """

    path: Path
    samples: pd.Index
    columns: pd.Index

    @classmethod
    def checked(cls, path):
        """The file, once `read_gctx` would open it."""
        with _opened(path) as (_, obs, var):
            return cls(path, obs.index, var.index)

    @cached_property
    def _matrix(self):
        import h5py

        return h5py.File(self.path, "r", rdcc_nbytes=CACHE)[MATRIX]

    def read(self, start, stop, minimum=None):
        """Values (stop − start, columns) float32; a ValueError names a wrong one."""
        try:
            values = self._matrix[start:stop]
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"{self.path.name} can't be read as HDF5: {error}"
            ) from None
        names = self.samples[start:stop]
        return measured(self.path, values, names, self.columns, minimum)


@dataclass
class Originals:
    """The three files and the genes that are wanted of them.

    Args:
        genes: DataFrame as `gene_space` gives it, landmarks first.
        geo: arrays, samples × probes.
        gtex: RNA sequencing, samples × genes.
        geuvadis: AnnData of RNA sequencing, samples × genes.
        maps: where the genes come from, file → Path.
    """

    genes: pd.DataFrame
    geo: Gctx
    gtex: Gctx
    geuvadis: object
    maps: dict
    gtex_columns: np.ndarray = field(init=False)
    geuvadis_columns: np.ndarray = field(init=False)

    def __post_init__(self):
        self.probes = {g: p.split(",") for g, p in self.genes["probes"].items()}
        try:
            self.means = gene_means(self.geo.columns, self.probes)
        except ValueError as error:
            raise ValueError(f"{self.geo.path.name}: {error}") from None
        self.gtex_columns = self._by_ensembl(GTEX, self.gtex.columns)
        self.geuvadis_columns = self._by_ensembl(GEUVADIS, self.geuvadis.var_names)

    def _by_ensembl(self, name, columns):
        """Where each gene is: the first column with its Ensembl id, without version."""
        ids = pd.Index(columns).str.split(".").str[0]
        first = pd.Series(np.arange(len(ids)), ids)[~ids.duplicated()]
        found = first.reindex(self.genes["ensembl"]).to_numpy()
        absent = self.genes.index[np.isnan(found)]
        if len(absent):
            raise ValueError(
                f"{name} lacks {len(absent)} of {len(found)} genes: "
                f"{', '.join(absent[:5])}"
            )
        return found.astype(int)

    def identity(self):
        """What tells these inputs from others: names, sizes, times, hashes."""
        files = (self.geo.path, self.gtex.path, Path(self.geuvadis.uns["path"]))
        stat = {file: Path(file).stat() for file in files}
        return {
            "files": [[f.name, s.st_size, s.st_mtime_ns] for f, s in stat.items()],
            "shapes": [list(shape) for shape in self.shapes().values()],
            "maps": [
                hashlib.sha256(Path(path).read_bytes()).hexdigest()
                for path in self.maps.values()
            ],
        }

    def unused(self):
        """What is on disk and serves no gene: columns `file`, `name`, `reason`."""
        probes = {probe for own in self.probes.values() for probe in own}
        parts = []
        for name, columns, used in (
            (GEO, self.geo.columns, self.geo.columns.isin(probes)),
            (GTEX, self.gtex.columns, self.gtex_columns),
            (GEUVADIS, self.geuvadis.var_names, self.geuvadis_columns),
        ):
            free = np.full(len(columns), True)
            free[used] = False
            left = pd.Index(columns[free])
            again = left.str.split(".").str[0].isin(self.genes["ensembl"])
            reason = np.where(again, "another row of the gene comes first", IN_NONE)
            parts.append(pd.DataFrame({"file": name, "name": left, "reason": reason}))
        return pd.concat(parts, ignore_index=True)

    def shapes(self):
        """File → (samples, probes or genes)."""
        return {
            GEO: (len(self.geo.samples), len(self.geo.columns)),
            GTEX: (len(self.gtex.samples), len(self.gtex.columns)),
            GEUVADIS: self.geuvadis.shape,
        }


def find(folder, maps):
    """The originals of a folder, their names, shapes and ids checked.

    Args:
        folder: where the three files lie.
        maps: `map_lm.txt` and `map_tg.txt` → Path.

    Raises:
        ValueError: the folder or a file isn't there, a link leads nowhere, a file
            can't be read or lacks a probe or gene; it says which.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"the folder of D-GEX's files isn't there: {str(folder)!r}")
    paths = {name: folder / name for name in PUBLISHED}
    if not paths[GEUVADIS].exists() and (folder / f"{GEUVADIS}.gz").is_file():
        paths[GEUVADIS] = folder / f"{GEUVADIS}.gz"
    wrong = [_trouble(path) for path in paths.values() if not path.is_file()]
    if wrong:
        raise ValueError(f"of D-GEX's files in {str(folder)!r}: {'; '.join(wrong)}")
    geo, gtex = (Gctx.checked(paths[name]) for name in (GEO, GTEX))
    return Originals(gene_space(maps), geo, gtex, _geuvadis(paths[GEUVADIS]), maps)


def _geuvadis(path):
    import anndata  # here, because a bare GPU machine has none

    parts = [*tqdm(read_blocks(path, LINES, minimum=0), "1000G", unit="blocks")]
    x = np.concatenate([part.X for part in parts], axis=1)
    var = pd.concat([part.var for part in parts])
    return anndata.AnnData(x, parts[0].obs, var, {"path": str(path)})


def _trouble(path):
    if path.is_symlink():
        return f"{path.name} is a link to {path.readlink()}, which isn't there"
    return f"{path.name} is {'no file' if path.exists() else 'missing'}"
