r"""Models whose tasks are related in a way that is given, by a graph or a kernel.

Arguments that are not explained are those of `Individual`.
"""

import numpy as np

from lsmtl._checks import finite
from lsmtl.kernels.estimators import Individual
from lsmtl.kernels.relations import (
    checked_adjacency,
    inverse,
    laplacian,
    mean_adjacency,
    square,
)


class GraphRegularized(Individual):
    r"""Tasks that a graph relates: similar weights where the adjacency is large.

    It minimises $\sum_i \ell_i + \lambda \big(\sum_t \|w_t\|^2
    + \frac{c}{2} \sum_{st} A_{st} \|w_s - w_t\|^2\big)$, so $H = I + cL$.

    Args:
        adjacency: A (T, T), symmetric, non-negative, for tasks in sorted order; or a
            DataFrame with the tasks as index and columns, which gives their order and
            may name tasks without rows: they are predicted by their neighbours.
        strength: λ.
        coupling: c.

    >>> X, y, school = [[1.], [1.]], [3., 0.], ["a", "b"]
    >>> GraphRegularized([[0, 1], [1, 0]]).fit(X, y, school).coef_.round(3).tolist()
    [[1.125], [0.375]]
    """

    def __init__(
        self,
        adjacency,
        strength=1.0,
        loss="squared",
        dual=False,
        coupling=1.0,
        kernel="linear",
        kernel_params=None,
        solver="auto",
        tol=1e-8,
    ):
        super().__init__(strength, loss, dual, kernel, kernel_params, solver, tol)
        self.adjacency = adjacency
        self.coupling = coupling

    def _relations(self):
        A = checked_adjacency(_given(self, "adjacency", self.adjacency))
        H = np.eye(len(A)) + finite("coupling", self.coupling) * laplacian(A)
        return H, inverse(H)


class MeanRegularized(Individual):
    r"""Tasks that are pulled towards their average: A = c/T everywhere.

    It minimises $\sum_i \ell_i + \lambda \big(\sum_t \|w_t\|^2
    + c \sum_t \|w_t - \bar w\|^2\big)$ (Evgeniou and Pontil 2004, KDD).

    Args:
        strength: λ.
        coupling: c.
    """

    def __init__(
        self,
        strength=1.0,
        coupling=1.0,
        loss="squared",
        dual=False,
        kernel="linear",
        kernel_params=None,
        solver="auto",
        tol=1e-8,
    ):
        super().__init__(strength, loss, dual, kernel, kernel_params, solver, tol)
        self.coupling = coupling

    def _relations(self):
        A = mean_adjacency(len(self.tasks_), self.coupling)
        H = np.eye(len(A)) + laplacian(A)
        return H, inverse(H)


class TaskKernel(Individual):
    r"""Tasks with a given kernel: $K((x, s), (z, t)) = K_T(s, t)\, K_B(x, z)$.

    It minimises $\sum_i \ell_i + \lambda \sum_{st} (K_T^{-1})_{st}\, w_s^\top w_t$.
    `shared_component` and `task_kernel` make such matrices.

    Args:
        relations: $K_T$ (T, T), symmetric and positive semi-definite, in the order that
            `GraphRegularized` says. Without an inverse it needs the dual.
        strength: λ.
    """

    def __init__(
        self,
        relations,
        strength=1.0,
        loss="squared",
        dual=False,
        kernel="linear",
        kernel_params=None,
        solver="auto",
        tol=1e-8,
    ):
        super().__init__(strength, loss, dual, kernel, kernel_params, solver, tol)
        self.relations = relations

    def _relations(self):
        M = square("relations", _given(self, "relations", self.relations))
        values = np.linalg.eigvalsh(M)
        if values[0] < -1e-10 * max(values[-1], 1e-300):
            raise ValueError(
                "relations must be positive semi-definite, got the eigenvalue "
                f"{values[0]}"
            )
        if values[0] > 1e-12 * values[-1]:
            return inverse(M), M
        if not self.dual:
            raise ValueError("relations without an inverse need dual=True")
        return M, M  # the dual takes M alone


def _given(model, name, matrix):
    """A matrix over `tasks_`; a DataFrame says their order and may have more."""
    if hasattr(matrix, "columns"):
        if not matrix.index.is_unique or [*matrix.index] != [*matrix.columns]:
            raise ValueError(f"{name} must have the same tasks as index and columns")
        model.tasks_ = [*matrix.index]
    matrix = np.atleast_1d(matrix)
    if len(matrix) != len(model.tasks_):
        raise ValueError(
            f"{name} is for {len(matrix)} tasks and the data have "
            f"{len(model.tasks_)}; a DataFrame may name tasks without rows"
        )
    return matrix
