"""The steps between a raw file and a matrix of genes, each on AnnData.

Matrices are samples × genes. No step changes its input. Values stay float32; sums are
taken in float64, row by row, so that a step needs little memory besides its result.
"""

from lsmtl.data.preprocess.genes import (
    add_absent,
    common_genes,
    gene_means,
    probes_to_genes,
)
from lsmtl.data.preprocess.scaling import (
    at_ranks,
    constant_genes,
    quantile_normalize,
    ranked,
    reference_quantiles,
    standardize,
    statistics,
)
from lsmtl.data.preprocess.twins import groups, near_duplicates
from lsmtl.data.preprocess.values import by_row, dense

__all__ = [
    "add_absent",
    "at_ranks",
    "by_row",
    "common_genes",
    "constant_genes",
    "dense",
    "gene_means",
    "groups",
    "near_duplicates",
    "probes_to_genes",
    "quantile_normalize",
    "ranked",
    "reference_quantiles",
    "standardize",
    "statistics",
]
