"""Deep-LSMTL: infer the expression of target genes from landmark genes.

Importing the package stays cheap (no PyTorch); import the modules you need:
`lsmtl.data`, `lsmtl.networks`, `lsmtl.regularizers`, `lsmtl.training`,
`lsmtl.metrics`, and `lsmtl.lab` for what a chapter needs around a model.
"""

__version__ = "0.1.0"
