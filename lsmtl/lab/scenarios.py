"""Data of more than one set, or of one set that is split in another way."""

from types import MappingProxyType

import numpy as np
import pandas as pd

from lsmtl import data
from lsmtl.data.companions import HistoneMarks
from lsmtl.data.preprocess import (
    common_genes,
    dense,
    quantile_normalize,
    reference_quantiles,
)
from lsmtl.lab import peptides

FROM = MappingProxyType(  # a scenario that is no set of its own → its sets
    {
        "breast-endometrial": ("breast", "endometrial"),
        "breast-cohorts": ("breast",),
        "arrays-rnaseq": ("arrays", "rnaseq"),
        "arrays-studies": ("arrays",),
        "geo-gtex": ("geo", "geo-rnaseq"),
        "simulated-peptides": (),  # drawn, the same table every time
    }
)


def load(name):
    """The data of a scenario, as AnnData; a set's own name gives that set.

    Across platforms it is the training set and the others together, on their common
    genes: `obs["platform"]` tells them apart, and `obs["use"]` says `"train"`,
    `"validation"` or `"test"`. Samples of another platform than arrays are mapped onto
    the arrays' quantiles, as D-GEX does it.

    A set without `obs["group"]` gets it: every sample is alone, but for those of a
    GTEx donor. So a file of one's own, by its path, fits every chapter. The tables of
    the companions are DataFrames; one of peptides gets the column `group`, whose
    clusters are nearly identical, and loses peptides that `encode` doesn't read. Pairs
    of cell types are `HistoneMarks`.

    Raises:
        FileNotFoundError: a set is on demand, and its files are not here.
    """
    if name == "simulated-peptides":
        return peptides.readable(peptides.simulated())
    sets = [grouped(data.load(part)) for part in FROM.get(name, (name,))]
    if name == "geo-gtex":
        return original(*sets)
    return sets[0] if len(sets) == 1 else joined(*sets)


def grouped(adata):
    """`adata` with `obs["group"]`, filled in if there is none; a table as in `load`."""
    if isinstance(adata, HistoneMarks):
        return adata
    if isinstance(adata, pd.DataFrame):
        return peptides.readable(adata) if "peptide" in adata else adata
    if "group" not in adata.obs:
        names = adata.obs_names.to_series().astype(str)
        donor = names.str.extract(r"^(GTEX-[^-]+)-", expand=False)
        adata.obs["group"] = donor.fillna(names)
    return adata


def original(geo, rnaseq):
    """GEO's training rows, 1000G to choose on and GTEx to test on, as one AnnData."""
    import anndata

    genes = common_genes(geo, rnaseq)
    sets = [geo[geo.obs["use"].astype(str) == "train", genes], rnaseq[:, genes]]
    columns = ["use", "group"]
    obs = pd.concat([adata.obs[columns].astype(str) for adata in sets])
    platform = [pd.Series("geo", sets[0].obs_names), sets[1].obs["platform"]]
    obs["platform"] = pd.concat([labels.astype(str) for labels in platform])
    X = np.empty((len(obs), len(genes)), dtype=np.float32)
    X[: sets[0].n_obs] = sets[0].X
    X[sets[0].n_obs :] = sets[1].X
    kept = {k: geo.uns[k] for k in ("conventions", "source") if k in geo.uns}
    return anndata.AnnData(X, obs, sets[0].var, uns=kept)


def joined(train, others):
    """Platforms to train on and others, as one AnnData (see `load`)."""
    import anndata  # here, because a bare GPU machine has none

    genes = common_genes(train, others)
    sets = [adata[:, genes] for adata in (train, others)]
    if train.uns.get("normalize") == "quantile":
        reference = reference_quantiles(sets[0])
        sets = [
            quantile_normalize(adata, reference, ties)
            for adata, ties in zip(sets, ("mean", "unique"), strict=True)
        ]
    platform = [
        adata.obs[adata.uns["within"]].astype(str)
        if "within" in adata.uns
        else pd.Series(name, adata.obs_names)
        for adata, name in zip(sets, ("train", "other"), strict=True)
    ]
    group = [
        (a.obs["group"] if "group" in a.obs else a.obs_names.to_series()).astype(str)
        for a in sets
    ]
    obs = pd.DataFrame({"platform": pd.concat(platform), "group": pd.concat(group)})
    trained = np.arange(len(obs)) < sets[0].n_obs
    choose = ~trained & (obs["platform"] == "lcl")
    obs["use"] = np.select([trained, choose], ["train", "validation"], "test")
    X = np.vstack([dense(adata) for adata in sets])
    return anndata.AnnData(X, obs, sets[0].var, uns={"within": "platform"})
