"""Which genes a matrix has: means of probes, genes in common, absent ones."""

import numpy as np
import pandas as pd

from lsmtl._checks import finite
from lsmtl.data.preprocess.values import by_row, dense, occur_once, result_like


def probes_to_genes(adata, probes):
    """The mean of each gene's probes, D-GEX's rule for probes joined by commas.

    Args:
        adata: AnnData, samples × probes.
        probes: dict of gene name to the list of its probes' names. A probe may serve
            several genes.

    Returns:
        AnnData, samples × genes in the order of `probes`, with `obs` and `uns` kept.

    Raises:
        ValueError: there is no gene, a gene has no probe or one twice, or a probe is
            not in `adata`.

    >>> import anndata
    >>> chip = anndata.AnnData(np.float32([[1, 3, 5]]))
    >>> probes_to_genes(chip, {"TP53": ["2"], "EGFR": ["0", "1"]}).X.tolist()
    [[5.0, 2.0]]
    """
    means = gene_means(adata.var_names, probes)
    var = pd.DataFrame(index=pd.Index([*probes], dtype=object))
    return result_like(adata, by_row(means, dense(adata), len(probes)), var)


def gene_means(names, probes):
    """The function that makes a sample's genes (genes,) of its probes (probes,).

    Args:
        names: of the sample's probes, in their order.
        probes: as for `probes_to_genes`.

    Raises:
        ValueError: as for `probes_to_genes`.

    >>> gene_means(["a", "b", "c"], {"EGFR": ["a", "c"]})(np.float32([1, 5, 3]))
    array([2.])
    """
    if not probes:
        raise ValueError("probes names no gene")
    for gene, own in probes.items():
        if isinstance(own, str):
            raise ValueError(f"the probes of {gene!r} must be a list, got {own!r}")
        if not len(own):
            raise ValueError(f"gene {gene!r} has no probes")
        occur_once(f"probes of {gene!r}", own)
    occur_once("probe names", names)
    wanted = [probe for own in probes.values() for probe in own]
    columns = pd.Index(names, dtype=object).get_indexer(wanted)
    if (columns < 0).any():
        unknown = pd.unique(np.array(wanted, dtype=object)[columns < 0])
        raise ValueError(
            f"{len(unknown)} probes are not in the data: "
            f"{', '.join(map(str, unknown[:5]))}"
        )
    counts = [len(own) for own in probes.values()]
    starts = np.cumsum([0, *counts[:-1]])

    def means(row):
        return np.add.reduceat(row[columns], starts, dtype=np.float64) / counts

    return means


def common_genes(*sets):
    """The genes that all sets have.

    Args:
        sets: AnnData, or lists of gene names.

    Returns:
        List of names, in the order of the first set.

    Raises:
        ValueError: there is no set, or no common gene.

    >>> common_genes(["TP53", "EGFR", "MYC"], ["MYC", "ACTB", "TP53"])
    ['TP53', 'MYC']
    """
    if not sets:
        raise ValueError("no set to take genes from")
    first, *others = (dict.fromkeys(getattr(s, "var_names", s)) for s in sets)
    common = [gene for gene in first if all(gene in other for other in others)]
    if not common:
        raise ValueError(f"the {len(sets)} sets have no gene in common")
    return common


def add_absent(adata, genes, value=0.0):
    """The given genes as columns, with a constant for those that are absent.

    Args:
        adata: AnnData, samples × genes.
        genes: names of the columns wanted.
        value: what absent genes get in every sample.

    Returns:
        AnnData, samples × `genes`, with `obs` and `uns` kept; `var` is missing for
        absent genes but for `var["absent"]`, which says which they are.

    Raises:
        ValueError: `genes` is no list, none of them is present, a name occurs twice
            in it or in `adata`, or the value is not finite.

    >>> import anndata
    >>> full = add_absent(anndata.AnnData(np.float32([[7, 8]])), ["1", "TP53"])
    >>> full.X.tolist(), full.var["absent"].tolist()
    ([[8.0, 0.0]], [False, True])
    """
    if isinstance(genes, str):
        raise ValueError(f"genes must be a list of names, got {genes!r}")
    finite("value", value, minimum=np.finfo(np.float32).min.item())
    occur_once("names of genes", genes)
    occur_once("gene names", adata.var_names)
    genes = pd.Index(genes, dtype=object)
    columns = adata.var_names.get_indexer(genes)
    present = columns >= 0
    if not present.any():
        raise ValueError(f"none of the {len(genes)} genes is in the data")

    def complete(row):
        return np.where(present, row[columns], value)

    absent = ~present
    if "absent" in adata.var:  # filled before
        absent[present] = adata.var["absent"].to_numpy(bool)[columns[present]]
    var = adata.var.reindex(genes).assign(absent=absent)
    return result_like(adata, by_row(complete, dense(adata), len(genes)), var)
