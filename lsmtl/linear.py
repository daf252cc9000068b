r"""Linear models, all targets at once: least squares, ridge, lasso, reduced rank.

They need XᵀX and XᵀY, once, however many targets and strengths there are. None has an
intercept: profiles are standardised, so the training mean of every gene is 0. Sums
are in float64, weights and predictions in float32, on the device of the profiles.

Shapes: n samples, D landmarks, T targets, r ≤ min(n, D) the rank of X.
"""

import warnings

import torch

from lsmtl._checks import finite, matrix, whole
from lsmtl.metrics import mae

STRENGTHS = tuple(10.0 ** (k / 2) for k in range(11))  # of ridge, 1 to 10⁵
CHECK, LIMIT = 5, 50_000  # iterations from gap to gap, and at most
BLOCK = 2048  # targets that are solved together: their weights fit into a cache


class _Linear:
    """What the fitted models share: predictions from `coef_`."""

    def predict(self, x):
        """Predictions XW (n, T) from standardised landmark values x (n, D)."""
        if not hasattr(self, "coef_"):
            raise ValueError(
                f"this {type(self).__name__} is not fitted yet: call fit(x, y) first"
            )
        x = matrix("x", x, columns=len(self.coef_))
        return x.to(self.coef_) @ self.coef_


class LeastSquares(_Linear):
    r"""Least squares with ridge and lasso penalties, LSR, LSR-L2 and LSR-L1 (Eq. 6).

    Without l1 it minimises $\|Y - XW\|_F^2 + \ell_2 \|W\|_F^2$; where `l2` is 0 as
    well and X has not full rank, W is the solution of minimum norm. With l1 it
    minimises $\frac{1}{2n} \big(\|Y - XW\|_F^2 + \ell_2 \|W\|_F^2\big)
    + \ell_1 \sum_{dt} |W_{dt}|$. The paper prints the penalty as $\|W\|_p^2$; with
    p = 1 that is the square of a norm that ties all targets together, not the lasso.

    Args:
        l2: strength of the ridge penalty, scikit-learn's `Ridge(alpha)`.
        l1: strength of the lasso penalty, scikit-learn's `Lasso(alpha)`.
        tol: where the lasso stops: every target's duality gap, a bound on how far its
            objective is from the minimum, is at most tol times the objective of zero
            weights, ‖y‖²/(2n).

    Raises:
        ValueError: a strength is negative or not finite, or `tol` is below 1e-10.

    >>> x, y = torch.eye(2), torch.tensor([[3., -1.], [1., 0.]])
    >>> LeastSquares(l2=1.).fit(x, y).coef_.tolist()
    [[1.5, -0.5], [0.5, 0.0]]
    >>> LeastSquares(l1=.75).fit(x, y).coef_.tolist()       # n · l1 = 1.5
    [[1.5, 0.0], [0.0, 0.0]]
    """

    def __init__(self, l2=0.0, l1=0.0, tol=1e-3):
        self.l2 = finite("l2", l2)
        self.l1 = finite("l1", l1)
        self.tol = finite("tol", tol, minimum=1e-10)

    def fit(self, x, y):
        """Fit to landmarks x (n, D) and targets y (n, T), standardised; gives itself.

        Raises:
            ValueError: x and y have different or no rows, or values that are not
                finite.
        """
        if self.l1:
            (fitted,) = lasso_path(x, y, [self.l1], self.l2, self.tol)
        else:
            fitted = RidgePath(x, y).model(self.l2)
        self.coef_ = fitted.coef_  # (D, T)
        return self


def _profiles(x, y):
    x, y = matrix("x", x), matrix("y", y)
    if len(x) != len(y) or not len(x):
        raise ValueError(
            f"x and y must have the same number of rows, at least 1; got {len(x)} and "
            f"{len(y)}"
        )
    return x, y.to(x.device)


def moments(x, y, block=1024, dtype=torch.float64):
    """XᵀX (D, D), XᵀY (D, T) and ‖y‖² (T,) in float64, summed over blocks of rows.

    Args:
        x: (n, D).
        y: (n, T).
        block: rows at a time.
        dtype: of the products within a block.

    >>> moments([[1., 2.]], [[3.]])[1].tolist()
    [[3.0], [6.0]]
    """
    x, y = _profiles(x, y)
    D, T = x.shape[1], y.shape[1]
    new = {"dtype": torch.float64, "device": x.device}
    gram, cross = torch.zeros(D, D, **new), torch.zeros(D, T, **new)
    power = torch.zeros(T, **new)
    for rows, out in zip(x.split(whole("block", block)), y.split(block), strict=True):
        rows, out = rows.to(dtype), out.to(dtype)
        gram += rows.T @ rows
        cross += rows.T @ out
        power += out.square().sum(0)
    return gram, cross, power


class RidgePath:
    r"""Ridge for every strength, from one eigendecomposition.

    With $X^\top X = V S^2 V^\top$ it is $W = V (S^2 + \ell_2 I)^{-1} V^\top X^\top Y$.
    Where there are fewer samples than landmarks, $X X^\top = U S^2 U^\top$ is the
    smaller matrix and gives the same, with $V = X^\top U S^{-1}$.

    Args:
        x: (n, D) standardised landmark values.
        y: (n, T) standardised target values.

    Raises:
        ValueError: as `LeastSquares.fit`.

    >>> path = RidgePath(torch.eye(2), torch.tensor([[3.], [1.]]))
    >>> [path.model(l2).coef_.flatten().tolist() for l2 in (0., 1.)]
    [[3.0, 1.0], [1.5, 0.5]]
    """

    def __init__(self, x, y):
        x, y = _profiles(x, y)
        if len(x) < x.shape[1]:
            x, y = x.double(), y.double()
            self.squares, U = _positive(x @ x.T)  # (r,), (n, r)
            s = self.squares.sqrt()
            self.V = x.T @ U / s  # (D, r)
            self.rotated = s[:, None] * (U.T @ y)  # VᵀXᵀY (r, T)
        else:
            gram, cross, _ = moments(x, y)
            self.squares, self.V = _positive(gram)
            self.rotated = self.V.T @ cross

    def predict(self, x, l2):
        """Predictions (n, T) at a strength, cheaper than with its weights."""
        x = matrix("x", x, columns=len(self.V)).to(self.V)
        return (x @ self.V / self._damped(l2) @ self.rotated).float()

    def model(self, l2):
        """The fitted `LeastSquares` of a strength."""
        model = LeastSquares(l2)
        model.coef_ = (self.V / self._damped(l2) @ self.rotated).float()
        return model

    def _damped(self, l2):
        return self.squares + finite("l2", l2)  # (r,)


def _positive(gram):
    """Eigenvalues and eigenvectors of a Gram matrix, without those that are 0."""
    values, vectors = torch.linalg.eigh(gram)
    kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    return values[kept], vectors[:, kept]


def ridge(x, y, valid_x, valid_y, strengths=STRENGTHS):
    """Ridge with the strength of lowest MAE on validation rows.

    Args:
        x: (n, D) standardised landmark values.
        y: (n, T) standardised target values.
        valid_x: (m, D), rows that choose the strength.
        valid_y: (m, T).
        strengths: the `l2` to choose from.

    Returns:
        A fitted `LeastSquares`.
    """
    path = RidgePath(x, y)
    valid_x, valid_y = _profiles(valid_x, valid_y)
    valid_y = valid_y.to(path.V.device)
    if not len(strengths):
        raise ValueError("strengths is empty; give at least one to choose from")
    errors = {l2: mae(path.predict(valid_x, l2), valid_y).mean() for l2 in strengths}
    return path.model(min(errors, key=errors.get))


class ReducedRank(_Linear):
    r"""Reduced-rank ridge regression: ridge among weights of at most a given rank.

    It minimises $\|Y - XW\|_F^2 + \ell_2 \|W\|_F^2$ over $\mathrm{rank}(W) \le K$:
    predictions of all targets come from K linear combinations of the landmarks. With
    $C = (S^2 + \ell_2 I)^{-1/2} V^\top X^\top Y$ and P the first K eigenvectors of
    $C C^\top$ it is $W = V (S^2 + \ell_2 I)^{-1/2} P P^\top C$.

    Args:
        rank: K; from min(n, D, T) on it is plain ridge.
        l2: strength of the ridge penalty.

    Raises:
        ValueError: `rank` is no positive whole number, or `l2` out of range.

    >>> x, y = torch.eye(2), torch.tensor([[3., 0.], [0., 1.]])
    >>> ReducedRank(rank=1).fit(x, y).coef_.tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """

    def __init__(self, rank, l2=0.0):
        self.rank = whole("rank", rank)
        self.l2 = finite("l2", l2)

    def fit(self, x, y):
        """Fit to landmarks x (n, D) and targets y (n, T), standardised; gives itself.

        Raises:
            ValueError: as `LeastSquares.fit`.
        """
        path = RidgePath(x, y)
        root = (path.squares + self.l2).sqrt()  # (r,)
        C = path.rotated / root[:, None]  # (r, T)
        P = torch.linalg.eigh(C @ C.T).eigenvectors[:, -self.rank :]  # (r, K)
        self.coef_ = (path.V / root @ P @ (P.T @ C)).float()
        return self


def lasso_path(x, y, strengths, l2=0.0, tol=1e-3):
    """The lasso at several strengths, each started from the one before.

    Args:
        x: (n, D) standardised landmark values.
        y: (n, T) standardised target values.
        strengths: the `l1`, positive; best from strong to weak.
        l2: strength of the ridge penalty that is added.
        tol: as `LeastSquares`.

    Yields:
        A fitted `LeastSquares` for each strength.
    """
    dtype = torch.float32 if tol >= 1e-4 else torch.float64  # which carries the gap
    gram, cross, power = (sums / len(x) for sums in moments(x, y, dtype=dtype))
    gram.diagonal().add_(finite("l2", l2) / len(x))  # as √l2·I below X, 0 below Y
    largest = torch.linalg.eigvalsh(gram)[-1].item()
    gram, cross, power = (sums.to(dtype) for sums in (gram, cross, power))
    parts = [v.split(BLOCK, dim=-1) for v in (torch.zeros_like(cross), cross, power)]
    for l1 in strengths:
        model = LeastSquares(l2, finite("l1", l1, minimum=1e-12), tol)
        parts[0] = [
            _lasso(gram, largest, *p, l1, tol) for p in zip(*parts, strict=True)
        ]
        model.coef_ = torch.cat(parts[0], dim=1).float()
        yield model


def _lasso(A, largest, W, b, e, l1, tol):
    """Accelerated proximal gradient; every target has its own step and restarts.

    It minimises wᵀAw/2 − bᵀw + e/2 + l1·‖w‖₁ for every column w, from W on. L is a
    target's inverse step: it shrinks with every step, doubles where a step turns out
    too long, and never has to exceed the `largest` eigenvalue of A.
    """
    left = torch.arange(b.shape[1], device=b.device)  # targets still to be solved
    w, Aw = W, A @ W
    v, Av, t, L = w, Aw, torch.ones_like(e), torch.full_like(e, largest / 5)
    for iteration in range(LIMIT):
        if iteration % CHECK == 0:
            ready = _gap(w, Aw, b, e, l1) <= tol * e / 2
            if ready.any():
                W = W.index_copy(1, left[ready], w[:, ready])
                state = (left, w, Aw, v, Av, t, L, b, e)
                left, w, Aw, v, Av, t, L, b, e = (u[..., ~ready] for u in state)
            if not len(left):
                return W
        new = _soft(v - (Av - b) / L, l1 / L)
        A_new = A @ new
        step, moved = new - v, new - w
        fits = (step * (A_new - Av)).sum(0) <= L * step.square().sum(0)
        fits |= largest <= L
        t = torch.where((step * moved).sum(0) < 0, 1.0, t)  # uphill: restart
        t_next = (1 + (1 + 4 * t * t).sqrt()) / 2
        push = (t - 1) / t_next
        v = torch.where(fits, new + push * moved, v)
        Av = torch.where(fits, A_new + push * (A_new - Aw), Av)
        w, Aw = torch.where(fits, new, w), torch.where(fits, A_new, Aw)
        t = torch.where(fits, t_next, t)
        L = torch.where(fits, 0.9 * L, 2 * L).clamp_max(largest)
    warnings.warn(
        f"the lasso at l1 = {l1} stopped after {LIMIT} iterations with {len(left)} "
        f"targets above the tolerance {tol}",
        RuntimeWarning,
        stacklevel=3,
    )
    return W.index_copy(1, left, w)


def _soft(u, threshold):
    """The proximal step of the ℓ1 norm: every entry is moved towards 0."""
    return u - u.clamp(-threshold, threshold)


def _gap(w, Aw, b, e, l1):
    """Primal minus dual objective for every column, at the dual point that r gives."""
    r = b - Aw  # Xᵀ(y − Xw)/n
    wb = (w * b).sum(0)
    rr = e - wb - (w * r).sum(0)  # ‖y − Xw‖²/n
    scale = (l1 / r.abs().amax(0)).clamp_max(1.0)
    dual = scale * (e - wb) - scale.square() * rr / 2
    return rr / 2 + l1 * w.abs().sum(0) - dual


def duality_gap(x, y, coef, l1, l2=0.0):
    r"""How far weights can be from the lasso's minimum, a bound for every target.

    For a residual $r = y - Xw$ and $s = \min(1, n \ell_1 / \|X^\top r\|_\infty)$ the
    point $s\,r$ is feasible in the dual, and the gap is
    $\frac{1}{2n}\|r\|^2 + \ell_1 \|w\|_1
    - \frac{1}{n} \big(s\, y^\top r - \frac{s^2}{2} \|r\|^2\big) \ge 0$.

    Args:
        x: (n, D).
        y: (n, T).
        coef: (D, T) weights.
        l1: strength.
        l2: strength of the ridge penalty, as in `LeastSquares`.

    Returns:
        (T,) float64 tensor.

    >>> duality_gap([[1.], [1.]], [[1.], [1.]], [[0.75]], l1=.25).tolist()
    [0.0]
    """
    x, y = _profiles(x, y)
    n, coef = len(x), matrix("coef", coef).to(x.device, torch.float64)
    gram, cross, power = moments(x, y)
    gram.diagonal().add_(finite("l2", l2))
    l1 = finite("l1", l1, minimum=1e-12)
    return _gap(coef, gram @ coef / n, cross / n, power / n, l1)
