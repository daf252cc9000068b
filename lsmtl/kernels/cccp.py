r"""The convex–concave procedure, for a convex function less another convex one.

A loss for partly annotated, structured answers has that form: the best answer at all,
less the best one that agrees with what is annotated.
"""

import numpy as np
from scipy.optimize import minimize

from lsmtl._checks import finite


def cccp(upper, lower, strength, start, rounds=50, tol=1e-6):
    r"""Weights with a small $\lambda \|w\|^2 + u(w) - v(w)$, u and v convex.

    Each round puts a tangent in the place of v. What is left is convex, lies above the
    objective everywhere and touches it at the present weights, so that its minimum
    cannot be higher (Yuille and Rangarajan 2003, Neural Computation 15:915). The end
    depends on the start: it is a stationary point.

    Args:
        upper: w (d,) → u(w) and a slope (d,), a subgradient.
        lower: the same of v.
        strength: λ, positive.
        start: w (d,).
        rounds: at most.
        tol: it stops when a round gains no more.

    Returns:
        w (d,) and the objective at the start and after each round.

    >>> w, falls = cccp(
    ...     lambda w: (0.0, 0 * w), lambda w: (abs(w).sum(), np.sign(w)), 0.5,
    ...     np.array([0.1]),
    ... )
    >>> w.round(3).tolist(), np.round(falls, 3).tolist()
    ([1.0], [-0.095, -0.5, -0.5])
    """
    w = np.asarray(start, dtype=float)
    values = [_value(upper, lower, strength, w)]
    for _ in range(rounds):
        slope = lower(w)[1]

        def left(v, slope=slope):
            value, up = upper(v)
            return value - slope @ v, up - slope

        w = cutting_planes(left, strength, w, tol)
        values.append(_value(upper, lower, strength, w))
        if values[-2] - values[-1] <= tol:
            break
    return w, values


def _value(upper, lower, strength, w):
    return float(strength * w @ w + upper(w)[0] - lower(w)[0])


def cutting_planes(risk, strength, start, tol=1e-6, planes=500):
    r"""The minimum of $\lambda \|w\|^2 + r(w)$, r convex, from tangents of r.

    The largest of the tangents seen so far is below r, so the minimum with it is a
    bound; the next tangent is taken there, until the bound is reached.

    Args:
        risk: w (d,) → r(w) and a subgradient (d,).
        strength: λ, positive.
        start: w (d,); the result is never worse.
        tol: how far above the minimum the result may be.
        planes: tangents at most.

    Returns:
        w (d,).

    >>> cutting_planes(lambda w: (abs(w - 1).sum(), np.sign(w - 1)), 1.0, np.zeros(2))
    array([0.5, 0.5])
    """
    if not finite("strength", strength):
        raise ValueError("strength must be positive, got 0")
    w = best = np.asarray(start, dtype=float)
    lowest, slopes, offsets = np.inf, [], []
    for _ in range(planes):
        value, slope = risk(w)
        total = strength * w @ w + value
        if total < lowest:
            lowest, best = total, w
        slopes.append(slope)
        offsets.append(value - slope @ w)
        w, bound = _below(np.array(slopes), np.array(offsets), strength)
        if lowest - bound <= tol:
            break
    return best


def _below(A, b, strength):
    """Where λ‖w‖² + max(Aw + b) is smallest, and how small that is.

    In the units v = √(2λ)·w, whose curvature is 1, it is one quadratic program.
    """
    A = A / np.sqrt(2 * strength)
    k, d = A.shape
    slack = np.column_stack([-A, np.ones(k)])  # ξ − Av ≥ b
    found = minimize(
        lambda v: (v[:d] @ v[:d] / 2 + v[d], np.append(v[:d], 1.0)),
        np.append(np.zeros(d), b.max()),
        jac=True,
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda v: slack @ v - b,
            "jac": lambda v: slack,
        },
        options={"ftol": 1e-10, "maxiter": 200},
    )
    return found.x[:d] / np.sqrt(2 * strength), found.fun
