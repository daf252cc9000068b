"""Models for several tasks with scikit-learn's interface, first without relations.

`fit(X, y, task)` takes a row's task beside it, `fit(X, Y)` a column of Y for each task
where all tasks share their inputs. In scikit-learn's searches the task travels by
metadata routing:

    sklearn.set_config(enable_metadata_routing=True)
    model = MeanRegularized().set_fit_request(task=True).set_score_request(task=True)
    GridSearchCV(model, {"strength": [1, 10]}).fit(X, y, task=task)
"""

import numpy as np
from sklearn.base import BaseEstimator

from lsmtl._checks import finite, one_of
from lsmtl.kernels._inputs import labels_of, numbers, ordered, same_rows
from lsmtl.kernels.rows import Kernel, Rows
from lsmtl.kernels.solvers import LOSSES, fit_dual, fit_primal, sylvester

SOLVERS = ("auto", "direct", "cg")


class Individual(BaseEstimator):
    r"""Each task alone: $\sum_i \ell_i + \lambda \sum_t \|w_t\|^2$.

    Args:
        strength: λ.
        loss: "squared", $(y - f)^2$; "logistic", $\log(1 + e^{-yf})$, or "hinge",
            $\max(0, 1 - yf)$, with labels −1 and 1. The hinge needs the dual.
        dual: whether to solve for a coefficient of every row, not for weights.
        kernel: the base kernel, in the dual: a name of scikit-learn's pairwise kernels,
            "precomputed", or a callable from X (n, d) and Z (m, d) to (n, m).
        kernel_params: a dict of its keywords.
        solver: "direct" (Cholesky), "cg" (conjugate gradients) or "auto", by size.
        tol: relative tolerance of conjugate gradients, of Newton's steps, and of the
            hinge's duality gap.

    After `fit`: `tasks_`, the labels in order; `task_kernel_` (T, T); with a linear
    kernel `coef_` (T, d); in the dual `dual_coef_` (n,), or (n, T) with shared inputs.

    >>> X, y, school = [[1.], [1.], [1.]], [2., 4., 9.], ["a", "a", "b"]
    >>> Individual(strength=1.).fit(X, y, school).coef_.round(6).tolist()
    [[2.0], [4.5]]
    """

    def __init__(
        self,
        strength=1.0,
        loss="squared",
        dual=False,
        kernel="linear",
        kernel_params=None,
        solver="auto",
        tol=1e-8,
    ):
        self.strength = strength
        self.loss = loss
        self.dual = dual
        self.kernel = kernel
        self.kernel_params = kernel_params
        self.solver = solver
        self.tol = tol

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        kind = "regressor" if self.loss == "squared" else "classifier"
        tags.estimator_type = kind
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def fit(self, X, y, task=None):
        """Fit to rows X (n, d); gives itself.

        Args:
            X: (n, d), or the base kernel (n, n) if it is precomputed.
            y: (n,) values or labels; (n, T) where tasks share their inputs.
            task: (n,) labels of any hashable type; none with shared inputs.

        Raises:
            ValueError: values that are not finite, shapes that don't fit, or
                parameters that are not allowed.
        """
        self._check()
        X = numbers("X", X, 2)
        if self.kernel == "precomputed" and X.shape[0] != X.shape[1]:
            raise ValueError(f"a precomputed kernel must be square, got {X.shape}")
        for name in ("coef_", "dual_coef_"):
            vars(self).pop(name, None)
        self.n_features_in_ = X.shape[1]
        if task is None:
            return self._fit_shared(X, y)
        y = same_rows(X, numbers("y", y, 1))
        if self.loss != "squared":
            self.classes_ = np.array([-1, 1])
            if not np.isin(y, self.classes_).all():
                wrong = y[~np.isin(y, self.classes_)][0]
                raise ValueError(f"labels must be -1 or 1, got {wrong}")
        labels = labels_of(task, X)
        self.tasks_ = ordered(labels)
        H, M = self._relations()  # may order tasks_ anew
        self._solve(X, y, self._codes(labels), H, M)
        return self

    def _check(self):
        finite("strength", self.strength)
        if finite("tol", self.tol) == 0:
            raise ValueError("tol must be positive, got 0")
        one_of("loss", self.loss, LOSSES)
        one_of("solver", self.solver, SOLVERS)
        one_of("dual", self.dual, (False, True))
        if not self.dual and self.loss == "hinge":
            raise ValueError("the loss 'hinge' needs dual=True: it has no curvature")
        if not self.dual and self.kernel != "linear":
            raise ValueError(f"the kernel {self.kernel!r} needs dual=True")
        if self.dual and not self.strength:
            raise ValueError("strength must be positive in the dual, got 0")

    def _relations(self):
        """H and its inverse M, both (T, T), for `tasks_`."""
        return np.eye(len(self.tasks_)), np.eye(len(self.tasks_))

    def _solve(self, X, y, codes, H, M, start=None):
        """Fit with these relations; gives what to start from the next time."""
        how = (self.strength, self.solver, self.tol, start)
        self.task_kernel_ = M
        if not self.dual:
            W = fit_primal(Rows(X, codes, len(H)), y, self.loss, H, *how)
            self.coef_ = np.broadcast_to(W, (len(M), X.shape[1])).copy()
            return W
        self._kernel = Kernel(X, codes, len(M), self.kernel, self.kernel_params)
        self.dual_coef_ = fit_dual(self._kernel, y, self.loss, M, *how)
        if self.kernel == "linear":
            self.coef_ = M @ self._kernel.rows.gather(self.dual_coef_)
        return self.dual_coef_

    def _fit_shared(self, X, Y):
        if self.loss != "squared":
            raise ValueError(
                f"shared inputs are for the loss 'squared', got {self.loss!r}; give "
                "the rows of each task, and task="
            )
        self.tasks_ = [*Y.columns] if hasattr(Y, "columns") else None
        Y = same_rows(X, numbers("y", Y, 2, " where no task is given"))
        self.tasks_ = self.tasks_ or [*range(Y.shape[1])]
        order = self.tasks_
        H, M = self._relations()
        if self.tasks_ != order:
            places = {label: i for i, label in enumerate(order)}
            absent = [label for label in self.tasks_ if label not in places]
            if absent:
                raise ValueError(f"y has no column for the task {absent[0]!r}")
            Y = Y[:, [places[label] for label in self.tasks_]]
        self._solve_shared(X, Y, H, M)
        return self

    def _solve_shared(self, X, Y, H, M):
        """Fit all tasks to the same inputs with these relations."""
        self.task_kernel_ = M
        if not self.dual:
            self.coef_ = sylvester(M, X.T @ X, self.strength, M @ (Y.T @ X))
            return
        self._kernel = Kernel(X, None, len(M), self.kernel, self.kernel_params)
        K = self._kernel.base(X)
        self.dual_coef_ = sylvester(M, K, self.strength, Y.T).T
        if self.kernel == "linear":
            self.coef_ = M @ self.dual_coef_.T @ X

    def decision_function(self, X, task=None):
        r"""Real predictions $x^\top w_t$ (n,) of any loss; without task (n, T), all.

        Raises:
            ValueError: no fit yet, a shape that doesn't fit, or a task without one.
        """
        if not hasattr(self, "tasks_"):
            name = type(self).__name__
            raise ValueError(f"this {name} is not fitted yet: call fit first")
        X = numbers("X", X, 2)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X must have {self.n_features_in_} columns, got {X.shape[1]}"
            )
        codes = None if task is None else self._codes(labels_of(task, X))
        return self._scores(X, codes)

    def _scores(self, X, codes):
        """Real predictions of rows whose tasks are given by place, or of all tasks."""
        if hasattr(self, "coef_"):
            if codes is None:
                return X @ self.coef_.T
            return Rows(X, codes, len(self.coef_)).scores(self.coef_)
        if self.dual_coef_.ndim == 1:
            sums = self._kernel.sums(self.dual_coef_, X)
        else:
            sums = self._kernel.base(X) @ self.dual_coef_
        M = self.task_kernel_
        return sums @ M if codes is None else (sums * M[codes]).sum(1)

    def predict(self, X, task=None):
        """Predictions (n,), values or labels; without task (n, T), of every task.

        Args:
            X: (n, d), or the kernel with the fitted rows if it is precomputed.
            task: (n,) labels that were there in `fit`.

        Raises:
            ValueError: as `decision_function`.
        """
        scores = self.decision_function(X, task)
        return scores if self.loss == "squared" else np.where(scores < 0, -1, 1)

    def score(self, X, y, task=None):
        r"""Explained variance $R^2$ over all rows; of labels, the share that is right.

        Args:
            X: (n, d).
            y: (n,), or (n, T) without task.
            task: (n,).
        """
        predicted, y = self.predict(X, task), np.asarray(y, dtype=float)
        if y.shape != predicted.shape:
            raise ValueError(f"y must have the shape {predicted.shape}, got {y.shape}")
        if self.loss != "squared":
            return float((predicted == y).mean())
        return float(1 - ((y - predicted) ** 2).sum() / ((y - y.mean(0)) ** 2).sum())

    def _codes(self, labels):
        """Places in `tasks_` of the rows' labels."""
        places = {label: i for i, label in enumerate(self.tasks_)}
        try:
            return np.array([places[label] for label in labels])
        except KeyError as error:
            raise ValueError(
                f"task {error.args[0]!r} is none of the {len(places)} that the model "
                "knows, tasks_"
            ) from None


class Pooled(Individual):
    r"""One w for all tasks: $\sum_i \ell_i + \lambda \|w\|^2$; `coef_` repeats it.

    Its arguments are those of `Individual`.

    >>> X, y, school = [[1.], [1.], [1.]], [2., 4., 10.], ["a", "a", "b"]
    >>> Pooled(strength=1.).fit(X, y, school).coef_.round(6).tolist()
    [[4.0], [4.0]]
    """

    def _relations(self):
        return np.eye(1), np.ones((len(self.tasks_),) * 2)

    def _codes(self, labels):
        return 0 * super()._codes(labels)
