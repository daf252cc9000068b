"""Relations between tasks that are learned with the weights.

Arguments that are not explained are those of `Individual`.
"""

import numpy as np

from lsmtl._checks import finite, whole
from lsmtl.kernels.estimators import Individual
from lsmtl.kernels.solvers import total_loss


class MTRL(Individual):
    r"""Multi-task relationship learning (Zhang and Yeung 2010, UAI).

    It minimises, over weights and over positive definite $\Omega$ with
    $\mathrm{tr}\,\Omega = 1$, in turns,

    $$\sum_i \ell_i + \lambda \Big(\sum_t \|w_t\|^2
    + c\, \mathrm{tr}\big(\Omega^{-1} (W W^\top + \varepsilon I)\big)\Big) ,$$

    with the rows of W (T, d) as weights. Given $\Omega$ it is the model with
    $H = I + c\, \Omega^{-1}$; given W the best relations are
    $\Omega = (W W^\top + \varepsilon I)^{1/2} / \mathrm{tr}$ of it. The paper has
    $\varepsilon = 0$. Then what one round takes away never returns: where $\Omega$ has
    no inverse, weights cannot leave its range. With $\varepsilon > 0$ the objective is
    jointly convex and the turns reach its minimum (Argyriou, Evgeniou and Pontil 2008,
    Machine Learning 73:243).

    Args:
        strength: λ.
        coupling: c.
        rounds: at most; fewer when the objective falls by less than `settled` of it.
        epsilon: ε, in the squared units of weights.
        settled: share of the objective.

    After `fit`, beside what `Individual` has: `relations_`, Ω (T, T);
    `correlations_`, the same with a diagonal of 1; `objective_`, a value a round.
    """

    def __init__(
        self,
        strength=1.0,
        coupling=1.0,
        rounds=50,
        epsilon=1e-6,
        settled=1e-5,
        loss="squared",
        dual=False,
        kernel="linear",
        kernel_params=None,
        solver="auto",
        tol=1e-8,
    ):
        super().__init__(strength, loss, dual, kernel, kernel_params, solver, tol)
        self.coupling = coupling
        self.rounds = rounds
        self.epsilon = epsilon
        self.settled = settled

    def _check(self):
        super()._check()
        whole("rounds", self.rounds)
        for name in ("coupling", "epsilon", "settled"):
            if not finite(name, getattr(self, name)):
                raise ValueError(f"{name} must be positive, got 0")

    def _relations(self):
        T = len(self.tasks_)
        return self._coupled(np.full(T, 1 / T), np.eye(T))

    def _coupled(self, omega, U):
        """H = I + cΩ⁻¹ and its inverse, of Ω = U diag(omega) Uᵀ."""
        c = self.coupling
        return (U * (1 + c / omega)) @ U.T, (U * (omega / (omega + c))) @ U.T

    def _solve(self, X, y, codes, H, M):
        fit = super()._solve
        self._alternate(lambda *how: fit(X, y, codes, *how), X, y, codes, H, M)

    def _solve_shared(self, X, Y, H, M):
        fit = super()._solve_shared
        self._alternate(lambda H, M, _: fit(X, Y, H, M), X, Y, None, H, M)

    def _alternate(self, fit, X, y, codes, H, M):
        """Weights given relations, relations given weights, until little changes."""
        self.objective_, start = [], None
        for _ in range(self.rounds):
            start = fit(H, M, start)
            squares, U = np.linalg.eigh(self._products(X, codes))
            root = np.sqrt(squares.clip(0) + self.epsilon)
            omega = root / root.sum()
            H, M = self._coupled(omega, U)
            loss = total_loss(self.loss, y, self._scores(X, codes))
            penalty = squares.sum() + self.coupling * root.sum() ** 2
            self.objective_.append(float(loss + self.strength * penalty))
            last, now = self.objective_[-2:][0], self.objective_[-1]
            if len(self.objective_) > 1 and last - now <= self.settled * now:
                break
        self.relations_ = (U * omega) @ U.T
        scale = np.sqrt(np.diag(self.relations_))
        self.correlations_ = self.relations_ / np.outer(scale, scale)

    def _products(self, X, codes):
        """W Wᵀ (T, T), the tasks' inner products, in the kernel's space if need be."""
        if hasattr(self, "coef_"):
            return self.coef_ @ self.coef_.T
        M, alpha = self.task_kernel_, self.dual_coef_
        if codes is None:
            C = alpha.T @ self._kernel.base(X) @ alpha
        else:
            sums = alpha[:, None] * self._kernel.sums(alpha, X)  # (n, T)
            C = np.stack([sums[codes == t].sum(0) for t in range(len(M))])
        return M @ (C + C.T) / 2 @ M
