"""Rows that have tasks: their scores and sums, linear or by a kernel, in blocks."""

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import pairwise_kernels

BLOCK = 2**22  # kernel entries at a time


class Rows:
    """Rows of a linear model, each with a task.

    Args:
        X: (n, d).
        codes: (n,) tasks from 0.
        tasks: T; some may have no rows.
    """

    def __init__(self, X, codes, tasks):
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(1, tasks))
        self.places = np.split(order, ends)
        self.parts = [X[rows] for rows in self.places]
        self.shape, self.n = (tasks, X.shape[1]), len(X)

    def scores(self, W):
        """x·w_t of every row (n,), from weights W (T, d)."""
        found = np.empty(self.n)
        for rows, X, w in zip(self.places, self.parts, W, strict=True):
            found[rows] = X @ w
        return found

    def gather(self, v):
        """Σ_i v_i x_i of each task (T, d), from a number v (n,) for every row."""
        pairs = zip(self.places, self.parts, strict=True)
        return np.stack([v[rows] @ X for rows, X in pairs])

    def grams(self, v):
        """Σ_i v_i x_i x_iᵀ of each task (T, d, d)."""
        pairs = zip(self.places, self.parts, strict=True)
        return np.stack([(X.T * v[rows]) @ X for rows, X in pairs])


class Kernel:
    """Base kernel between rows, each with a task, in blocks.

    Args:
        X: (n, d), or the kernel (n, n) if `metric` is "precomputed".
        codes: (n,) tasks from 0; None where tasks share all rows.
        tasks: T.
        metric: a name of scikit-learn's pairwise kernels, or a callable that takes
            X (n, d) and Z (m, d) and gives (n, m).
        params: keywords of it.
    """

    def __init__(self, X, codes, tasks, metric="linear", params=None):
        self.X, self.codes, self.tasks = X, codes, tasks
        self.metric, self.params = metric, params or {}
        linear = metric == "linear" and codes is not None
        self.rows = Rows(X, codes, tasks) if linear else None

    def base(self, Z):
        """K_B between rows Z (m, d) and the kernel's own (m, n)."""
        if self.metric == "precomputed":
            return Z
        if callable(self.metric):
            return np.asarray(self.metric(Z, self.X, **self.params), dtype=float)
        return pairwise_kernels(Z, self.X, metric=self.metric, **self.params)

    def full(self, M):
        """The whole kernel (n, n) with the task kernel M (T, T)."""
        return M[np.ix_(self.codes, self.codes)] * self.base(self.X)

    def sums(self, v, Z):
        """Σ_i v_i K_B(z, x_i) over each task's rows (m, T), for rows Z (m, d)."""
        if self.rows:
            return Z @ self.rows.gather(v).T
        places = (np.arange(len(v)), self.codes)
        V = sparse.csr_array((v, places), shape=(len(v), self.tasks))
        step = max(1, BLOCK // len(v))
        blocks = [self.base(Z[a : a + step]) @ V for a in range(0, len(Z), step)]
        return np.concatenate(blocks)

    def times(self, M, v):
        """The whole kernel times v (n,), without making it."""
        if self.rows:
            return self.rows.scores(M @ self.rows.gather(v))
        return (self.sums(v, self.X) * M[self.codes]).sum(1)
