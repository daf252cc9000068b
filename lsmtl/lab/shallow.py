"""Models without hidden layers, each with the settings that it may choose from.

A method takes x (n, D) and y (n, T) and yields pairs (setting, fitted model); `best`
chooses among them by the MAE on validation profiles.
"""

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from lsmtl import metrics
from lsmtl.linear import STRENGTHS, LeastSquares, ReducedRank, RidgePath, lasso_path
from lsmtl.training import predict

MANY = 2000  # from so many samples on, the kernel is approximated

L1 = [0.3, 0.2, 0.1, 0.07, 0.05, 0.03, 0.02]  # for a few hundred samples
FINE = [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003]  # for thousands
NEIGHBOURS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
KERNELS = [(g, l2) for g in (0.1, 0.3, 1.0, 3.0) for l2 in (0.03, 0.1, 0.3, 1.0, 3.0)]
RANKS = [
    (k, l2) for k in (5, 10, 20, 50, 100, 200) for l2 in (1.0, 100.0, 300.0, 1e3, 3e3)
]


def least_squares(x, y):
    """Nothing to choose."""
    yield {}, LeastSquares().fit(x, y)


def ridge(x, y):
    """The whole path from one eigendecomposition."""
    path = RidgePath(x, y)
    for l2 in STRENGTHS:
        yield {"l2": l2}, path.model(l2)


def lasso(x, y, strengths):
    """The path from strong to weak, each started from the one before."""
    for model in lasso_path(x, y, strengths):
        yield {"l1": model.l1}, model


def reduced_rank(x, y):
    """Rank and strength; ranks above the number of targets are ridge."""
    for rank, l2 in RANKS:
        yield {"rank": rank, "l2": l2}, ReducedRank(rank, l2).fit(x, y)


def knn(x, y):
    """The mean profile of the k nearest samples."""
    for k in NEIGHBOURS:
        if k <= len(x):
            yield {"k": k}, KNeighborsRegressor(k).fit(x, y)


def kernel_ridge(x, y):
    """A Gaussian kernel, exp(−g ‖x − x'‖² / D); of many samples by 500 of them."""
    for g, l2 in KERNELS:
        gamma = g / x.shape[1]
        if len(x) < MANY:
            model = KernelRidge(alpha=l2, kernel="rbf", gamma=gamma)
        else:
            features = Nystroem(gamma=gamma, n_components=500, random_state=0)
            model = make_pipeline(features, Ridge(l2, fit_intercept=False))
        yield {"g": g, "l2": l2}, model.fit(x, y)


METHODS = {
    "least squares": least_squares,
    "ridge": ridge,
    "lasso": lasso,
    "reduced rank": reduced_rank,
    "KNN": knn,
    "kernel ridge": kernel_ridge,
}


def best(method, train, validation, **grid):
    """A method's model with the lowest MAE on validation profiles.

    Args:
        method: a key of `METHODS`.
        train, validation: `Profiles`.
        **grid: what the method takes besides, the lasso its `strengths`.

    Returns:
        Its setting, the model, and the validation MAE of every setting.
    """
    errors, chosen = [], None
    for setting, model in METHODS[method](train.x, train.y, **grid):
        error = metrics.mae(predict(model, validation.x), validation.y).mean().item()
        if error < min(errors, default=np.inf):
            chosen = setting, model
        errors.append(error)
    return *chosen, errors
