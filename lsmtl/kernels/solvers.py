r"""What fits the models: Newton steps over weighted least squares, and their solvers.

A Newton step for any smooth loss is a weighted least squares problem,
$\min_f \frac{1}{2} \sum_i \kappa_i (z_i - f_i)^2 + \lambda \Omega$ with curvatures
$\kappa$ and working responses z; for the squared loss one step is the solution. The
primal solves it for weights W (T, d), the dual for coefficients α (n,): by Cholesky
where the matrix is small, else by conjugate gradients, which never make it.
"""

import warnings

import numpy as np
from scipy.linalg import LinAlgError, block_diag, cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import expit
from sklearn.svm import LinearSVC

LOSSES = ("squared", "logistic", "hinge")
DIRECT = 3000  # unknowns up to which a system is solved by Cholesky
ROUNDS = 100  # Newton steps at most; about 10 are usual


def fit_primal(rows, y, loss, H, strength, solver="auto", tol=1e-8, start=None):
    """Weights W (T, d) that minimise Σ_i loss_i + strength·Σ_st H_st w_s·w_t.

    Args:
        rows: `Rows`.
        y: (n,).
        loss: "squared" or "logistic".
        H: (T, T), positive definite.
        strength: λ.
        solver: "direct", "cg", or "auto", which goes by size.
        tol: of conjugate gradients and of Newton's steps.
        start: W (T, d) to start from.
    """
    T, d = rows.shape
    alone = not np.any(H - np.diag(np.diag(H)))
    ridge = 2 * strength * H

    def step(curvature, z, W):
        right = rows.gather(curvature * z)
        if alone:  # a system for each task
            grams = rows.grams(curvature)
            for gram, own in zip(grams, np.diag(ridge), strict=True):
                gram[np.diag_indices(d)] += own
            pairs = zip(grams, right, strict=True)
            return np.stack([_cholesky(*pair) for pair in pairs])
        if _directly(solver, T * d):
            matrix = block_diag(*rows.grams(curvature)) + np.kron(ridge, np.eye(d))
            return _cholesky(matrix, right.ravel()).reshape(T, d)
        return _primal_cg(rows, curvature, ridge, right, W, tol)

    def penalty(W, V):
        return strength * np.vdot(W, H @ V)

    start = np.zeros((T, d)) if start is None else start
    return _newton(loss, y, rows.scores, penalty, step, start, tol)


def _primal_cg(rows, curvature, ridge, right, W, tol):
    """Conjugate gradients, preconditioned by each task's own part of the matrix."""
    T, d = rows.shape
    inverses = rows.grams(curvature)
    inverses[:, np.arange(d), np.arange(d)] += np.diag(ridge)[:, None]
    inverses = np.linalg.inv(inverses)

    def matrix(v):
        V = v.reshape(T, d)
        return (rows.gather(curvature * rows.scores(V)) + ridge @ V).ravel()

    def precondition(v):
        return (inverses @ v.reshape(T, d, 1)).ravel()

    return _cg(matrix, right.ravel(), tol, W.ravel(), precondition).reshape(T, d)


def fit_dual(kernel, y, loss, M, strength, solver="auto", tol=1e-8, start=None):
    """Coefficients α (n,) of f = Kα that minimise Σ_i loss_i + strength·αᵀKα.

    Args:
        kernel: `Kernel`.
        y: (n,).
        loss: one of `LOSSES`.
        M: task kernel (T, T).
        strength: λ, positive.
        solver: as for `fit_primal`; the hinge always makes the whole kernel.
        tol: as for `fit_primal`.
        start: α (n,) to start from.
    """
    if loss == "hinge":
        return _hinge(kernel.full(M), y, strength, tol)
    n, full = len(y), None
    if _directly(solver, n):
        full = kernel.full(M)

    def scores(alpha):
        return kernel.times(M, alpha) if full is None else full @ alpha

    def penalty(alpha, beta):
        return strength * alpha @ scores(beta)

    def step(curvature, z, alpha):
        # (K + 2λ/κ) α = z, made symmetric
        root = np.sqrt(curvature)
        if full is not None:
            matrix = root[:, None] * full * root
            matrix[np.diag_indices(n)] += 2 * strength
            return root * _cholesky(matrix, root * z)

        def product(v):
            return root * scores(root * v) + 2 * strength * v

        return root * _cg(product, root * z, tol, alpha / root)

    start = np.zeros(n) if start is None else start
    return _newton(loss, y, scores, penalty, step, start, tol)


def sylvester(M, G, strength, right):
    r"""Z (T, d) with $M Z G + \lambda Z = R$, by the eigenvectors of M and G.

    Where M has an inverse H it is a Sylvester equation,
    $Z G + \lambda H Z = H R$: the squared loss with inputs that tasks share.

    Args:
        M: (T, T), symmetric and positive semi-definite.
        G: (d, d), the same.
        strength: λ.
        right: R (T, d).

    >>> sylvester(np.eye(1), 2 * np.eye(1), 1.0, np.array([[6.0]])).tolist()
    [[2.0]]
    """
    m, U = np.linalg.eigh(M)
    g, V = np.linalg.eigh(G)
    below = np.outer(m.clip(0), g.clip(0)) + strength
    return U @ ((U.T @ right @ V) / below) @ V.T


def total_loss(loss, y, f):
    """Σ_i loss_i of real predictions f.

    >>> total_loss("hinge", np.array([1, -1]), np.array([0.5, -3.0]))
    0.5
    """
    if loss == "squared":
        return float(((y - f) ** 2).sum())
    margins = y * f
    if loss == "logistic":
        return float(np.logaddexp(0, -margins).sum())
    return float(np.maximum(0, 1 - margins).sum())


def _newton(loss, y, scores, penalty, step, theta, tol):
    if loss == "squared":  # Σ(y − f)²: curvature 2, whatever f is
        return step(np.full(len(y), 2.0), y, theta)

    def value(theta):
        f = scores(theta)
        return total_loss(loss, y, f) + penalty(theta, theta), f

    now, f = value(theta)
    for _ in range(ROUNDS):
        slope = -y * expit(-y * f)
        curvature = (expit(f) * expit(-f)).clip(1e-10)
        new = step(curvature, f - slope / curvature, theta)
        move = new - theta
        gain = -(slope @ (scores(new) - f) + 2 * penalty(theta, move))
        size, (then, g) = 1.0, value(new)
        while then > now - 1e-4 * size * gain and size > 1e-6 and gain > tol * now:
            size /= 2
            then, g = value(theta + size * move)
        theta, now, f = theta + size * move, then, g
        if gain <= tol * now:
            return theta
    warnings.warn(
        f"Newton's method stopped after {ROUNDS} steps above the tolerance {tol}",
        RuntimeWarning,
        stacklevel=4,
    )
    return theta


def _hinge(kernel, y, strength, tol):
    """The support vector machine without an intercept: liblinear's dual ascent.

    Its features are those of the whole kernel, K = ΦΦᵀ with n columns at most.
    """
    values, U = np.linalg.eigh(kernel)
    kept = values > values[-1] * len(y) * np.finfo(float).eps
    root = np.sqrt(values[kept])
    machine = LinearSVC(
        loss="hinge",
        C=1 / (2 * strength),
        fit_intercept=False,
        tol=tol,
        max_iter=100_000,
        random_state=0,
    )
    v = machine.fit(U[:, kept] * root, y).coef_[0]
    return U[:, kept] @ (v / root)


def _directly(solver, unknowns):
    return solver == "direct" or (solver == "auto" and unknowns <= DIRECT)


def _cholesky(matrix, right):
    try:
        return cho_solve(cho_factor(matrix, overwrite_a=True), right)
    except LinAlgError:
        raise ValueError(
            "the data don't determine the weights at this strength; give a larger one"
        ) from None


def _cg(product, right, tol, start, precondition=None):
    n = len(right)
    matrix = LinearOperator((n, n), matvec=product, dtype=float)
    inverse = precondition and LinearOperator((n, n), matvec=precondition, dtype=float)
    found, failed = cg(matrix, right, x0=start, rtol=tol, maxiter=10 * n, M=inverse)
    if failed:
        warnings.warn(
            f"conjugate gradients stopped after {failed} steps above the tolerance "
            f"{tol}",
            RuntimeWarning,
            stacklevel=2,
        )
    return found
