"""Matrices (T, T) that say how tasks are related, and what can be made of them."""

import numpy as np

from lsmtl._checks import finite, whole
from lsmtl.kernels._inputs import numbers


def square(name, matrix):
    """`matrix` as a symmetric float array (T, T), else a ValueError."""
    matrix = _square(name, matrix)
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12):
        s, t = np.unravel_index(np.abs(matrix - matrix.T).argmax(), matrix.shape)
        raise ValueError(
            f"{name} must be symmetric, got {matrix[s, t]} at ({s}, {t}) and "
            f"{matrix[t, s]} at ({t}, {s})"
        )
    return (matrix + matrix.T) / 2


def _square(name, matrix):
    try:
        matrix = np.asarray(matrix, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a matrix of numbers") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"{name} must have the shape (T, T), got {matrix.shape}")
    if not np.isfinite(matrix).all():
        s, t = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"{name} must be finite, got {matrix[s, t]} at ({s}, {t})")
    return matrix


def checked_adjacency(adjacency):
    """`adjacency` as a symmetric non-negative array (T, T), else a ValueError."""
    A = square("adjacency", adjacency)
    if A.min() < 0:
        s, t = np.unravel_index(A.argmin(), A.shape)
        raise ValueError(
            f"adjacency must not be negative, got {A[s, t]} at ({s}, {t}): it can only "
            "pull tasks together"
        )
    return A


def laplacian(adjacency):
    r"""The graph Laplacian $L = D - A$, with the degrees $D_{tt} = \sum_s A_{st}$.

    Args:
        adjacency: A (T, T), symmetric and non-negative; its diagonal has no effect.

    Raises:
        ValueError: `adjacency` is no such matrix.

    >>> laplacian([[0, 2], [2, 0]]).tolist()
    [[2.0, -2.0], [-2.0, 2.0]]
    """
    A = checked_adjacency(adjacency)
    return np.diag(A.sum(0)) - A


def pairwise_form(W, adjacency):
    r"""How much related tasks differ: $\frac{1}{2} \sum_{st} A_{st} \|w_s - w_t\|^2$.

    Args:
        W: (T, d), a row of weights for each task.
        adjacency: A (T, T).

    >>> pairwise_form([[1.], [3.]], [[0, 2], [2, 0]])
    8.0
    """
    A = checked_adjacency(adjacency)
    W = _weights(W, len(A))
    differences = W[:, None] - W  # (T, T, d)
    return float((A * (differences**2).sum(-1)).sum() / 2)


def laplacian_form(W, adjacency):
    r"""The same as `pairwise_form`: $\sum_{st} L_{st}\, w_s^\top w_t$, without a ½.

    Args:
        W: (T, d).
        adjacency: A (T, T).

    >>> laplacian_form([[1.], [3.]], [[0, 2], [2, 0]])
    8.0
    """
    L = laplacian(adjacency)
    W = _weights(W, len(L))
    return float(np.vdot(W, L @ W))


def _weights(W, tasks):
    W = numbers("W", W, 2)
    if len(W) != tasks:
        raise ValueError(f"W must have a row for each of {tasks} tasks, got {len(W)}")
    return W


def mean_adjacency(tasks, coupling=1.0):
    r"""All tasks alike, $A_{st} = c / T$, so that $L$ pulls towards the average.

    With it, $\frac{1}{2} \sum_{st} A_{st} \|w_s - w_t\|^2
    = c \sum_t \|w_t - \bar w\|^2$ (Evgeniou and Pontil 2004).

    Args:
        tasks: T.
        coupling: c.

    >>> mean_adjacency(2).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    T = whole("tasks", tasks)
    return np.full((T, T), finite("coupling", coupling) / T)


def task_kernel(adjacency):
    r"""The task kernel of a graph, $H^+ = (I + L)^{-1}$.

    H is positive definite, so the pseudo-inverse is the inverse. Its entries are
    non-negative, its rows add up to 1.

    Args:
        adjacency: A (T, T).

    >>> task_kernel([[0, 1], [1, 0]]).round(3).tolist()
    [[0.667, 0.333], [0.333, 0.667]]
    """
    L = laplacian(adjacency)
    return inverse(np.eye(len(L)) + L)


def inverse(matrix):
    """Inverse of a symmetric matrix, exactly symmetric."""
    found = np.linalg.inv(matrix)
    return (found + found.T) / 2


def shared_component(tasks, own=1.0, common=1.0):
    r"""Task kernel of a shared component: $1/\lambda_2 + \delta_{st}/\lambda_1$.

    It is what $\min_w \lambda_1 \sum_t \|w_t - w\|^2 + \lambda_2 \|w\|^2$ leaves of the
    shared w: $\sum_{st} (K_T^{-1})_{st}\, w_s^\top w_t$, at
    $w = \lambda_1 \sum_t w_t / (T \lambda_1 + \lambda_2)$. The ratio
    $\lambda_1 / \lambda_2$ is the coupling: two tasks have the correlation
    $\lambda_1 / (\lambda_1 + \lambda_2)$. With both strengths 1 it is the kernel of
    domain adaptation, $1 + \delta_{st}$ (Daumé 2007).

    Args:
        tasks: T.
        own: λ1, strength of each task's deviation from w.
        common: λ2, strength of w.

    Raises:
        ValueError: a strength is not positive.

    >>> shared_component(2).tolist()
    [[2.0, 1.0], [1.0, 2.0]]
    """
    own, common = finite("own", own), finite("common", common)
    if not own or not common:
        raise ValueError(f"own and common must be positive, got {own} and {common}")
    return 1 / common + np.eye(whole("tasks", tasks)) / own


def multitask_kernel(relations, s, t, base):
    r"""Kernel of rows that have tasks (Eq. 1 of the review): $K_T(s, t)\, K_B(x, z)$.

    Args:
        relations: $K_T$ (T, T).
        s: (n,) the tasks' places in `relations`, from 0, of the rows x.
        t: (m,) those of the rows z.
        base: $K_B$ (n, m).

    Raises:
        ValueError: a place that `relations` doesn't have.

    >>> multitask_kernel([[2, 1], [1, 2]], [0], [0, 1], [[3., 3.]]).tolist()
    [[6.0, 3.0]]
    """
    K_T = square("relations", relations)
    for name, places in {"s": s, "t": t}.items():
        wrong = [k for k in places if k not in range(len(K_T))]
        if wrong:
            raise ValueError(
                f"{name} must be places from 0 to {len(K_T) - 1}, got {wrong[0]!r}"
            )
    return K_T[np.ix_(s, t)] * np.asarray(base)


def adjacency_from(relations, neighbours=None):
    """A valid adjacency from any relations, such as those that a network learned.

    Both directions are averaged, what is negative becomes 0 as an adjacency can only
    pull together (take absolute values before if the sign means nothing), the
    diagonal becomes 0, and all is scaled to a mean degree of 1, that of
    `mean_adjacency`: then a `coupling` means the same with any relations.

    Args:
        relations: (T, T), entry (s, t) says how much task s has to do with task t.
        neighbours: keep what is among the so many strongest of either task; None: all.

    Raises:
        ValueError: no matrix (T, T), or nothing positive beside the diagonal.

    >>> adjacency_from([[9, 3], [1, 9]]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    R = _square("relations", relations)
    A = np.clip((R + R.T) / 2, 0, None)
    np.fill_diagonal(A, 0)
    if neighbours is not None and whole("neighbours", neighbours) < len(A):
        lowest = np.sort(A)[:, -neighbours]  # of those that a task keeps
        A = np.where(np.minimum(lowest[:, None], lowest) <= A, A, 0)
    if not A.any():
        raise ValueError("relations must have a positive entry beside the diagonal")
    return A * len(A) / A.sum()
