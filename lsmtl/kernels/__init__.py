r"""Regularised multi-task learning: one linear or kernel model for each of T tasks.

All methods minimise $\sum_i \ell(y_i, x_i^\top w_{t_i})
+ \lambda \sum_{st} H_{st}\, w_s^\top w_t$ with a loss of `LOSSES`, the strength
$\lambda$ and no intercept; they differ in H, which says how tasks are coupled. Its
inverse is the task kernel: in the dual, the model is a kernel machine with
$K((x, s), (z, t)) = H^{-1}_{st} K_B(x, z)$ (Evgeniou, Micchelli and Pontil 2005, JMLR
6:615). `relations` has the matrices, `estimators` the models with given relations,
`learned` one that learns them, `solvers` what fits them. No PyTorch.

Shapes: n rows, d features, T tasks; `task` names the task of every row.
"""

from lsmtl.kernels.estimators import Individual, Pooled
from lsmtl.kernels.learned import MTRL
from lsmtl.kernels.related import GraphRegularized, MeanRegularized, TaskKernel
from lsmtl.kernels.relations import (
    adjacency_from,
    laplacian,
    laplacian_form,
    mean_adjacency,
    multitask_kernel,
    pairwise_form,
    shared_component,
    task_kernel,
)
from lsmtl.kernels.solvers import LOSSES

__all__ = [
    "LOSSES",
    "MTRL",
    "GraphRegularized",
    "Individual",
    "MeanRegularized",
    "Pooled",
    "TaskKernel",
    "adjacency_from",
    "laplacian",
    "laplacian_form",
    "mean_adjacency",
    "multitask_kernel",
    "pairwise_form",
    "shared_component",
    "task_kernel",
]
