"""An expression set as plain arrays: all that splits need, where AnnData is missing."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lsmtl.data.preprocess import dense

KEPT = ("within", "normalize")  # of uns: what decides how splits scale


@dataclass
class Plain:
    """What splits use of an AnnData: `X`, `obs`, `var`, `uns`, and choosing from it.

    Args:
        X: (samples, genes) float32.
        obs: DataFrame, a row a sample.
        var: DataFrame, a row a gene.
        uns: dict.

    >>> genes = pd.DataFrame({"role": ["landmark", "target"]}, ["TP53", "EGFR"])
    >>> samples = pd.DataFrame(index=["a", "b"])
    >>> plain = Plain(np.eye(2, dtype=np.float32), samples, genes)
    >>> plain[:, [1]].var_names.tolist(), plain[[False, True]].X.tolist()
    (['EGFR'], [[0.0, 1.0]])
    """

    X: np.ndarray
    obs: pd.DataFrame
    var: pd.DataFrame
    uns: dict = field(default_factory=dict)

    obs_names = property(lambda self: self.obs.index)
    var_names = property(lambda self: self.var.index)
    shape = property(lambda self: self.X.shape)
    n_obs = property(lambda self: self.X.shape[0])
    n_vars = property(lambda self: self.X.shape[1])

    def __getitem__(self, index):
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        obs, var = self.obs.iloc[rows], self.var.iloc[columns]
        return Plain(self.X[rows][:, columns], obs, var, self.uns)


def save(path, adata, columns=()):
    """Write an AnnData as a compressed `.npz` without pickles: what its runs need.

    Values, all of `var`, tables in `uns`, and what splits need of `obs` and `uns`;
    labels become text.

    Args:
        path: of the file.
        adata: AnnData as `load` gives it.
        columns: the obs columns to keep, besides `"group"` and that of
            `uns["within"]`.
    """
    uns = {k: adata.uns[k] for k in KEPT if adata.uns.get(k) is not None}
    needed = {*columns, *filter(None, [uns.get("within")])}
    columns = sorted(needed | ({"group"} & {*adata.obs}))
    tables = {"obs": adata.obs[columns], "var": adata.var}
    tables |= {k: v for k, v in adata.uns.items() if isinstance(v, pd.DataFrame)}
    np.savez_compressed(
        path,
        X=dense(adata),
        samples=adata.obs_names.to_numpy(str),
        genes=adata.var_names.to_numpy(str),
        **{f"uns {k}": np.array(v) for k, v in uns.items()},
        **{
            f"table {name} {k}": table[k].astype(str).to_numpy(str)
            for name, table in tables.items()
            for k in table
        },
    )


def read(path):
    """A `Plain` from a file that `save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        uns = {k[4:]: file[k].item() for k in file if k.startswith("uns ")}
        tables = {"obs": {}, "var": {}}
        for key in (k for k in file if k.startswith("table ")):
            _, name, column = key.split(" ", 2)
            tables.setdefault(name, {})[column] = file[key]
        return Plain(
            file["X"],
            pd.DataFrame(tables.pop("obs"), index=file["samples"]),
            pd.DataFrame(tables.pop("var"), index=file["genes"]),
            uns | {name: pd.DataFrame(table) for name, table in tables.items()},
        )
