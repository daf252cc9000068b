"""The lasso for all targets at once, against scikit-learn's in a loop over targets."""

import hashlib
import time

import numpy as np
import torch
from sklearn.linear_model import Lasso

from lsmtl.linear import LeastSquares, duality_gap

SIZE = {"samples": 3000, "landmarks": 943, "targets": 9520, "factors": 60}
STRENGTHS, TOL, TIMED, SEED = (0.1, 0.03, 0.01), 1e-3, 100, 0
GPU_MINUTES = 2


def simulated(samples, landmarks, targets, factors):
    """Standardised genes that share factors of falling weight, and have noise."""
    rng = np.random.default_rng(SEED)
    genes = landmarks + targets
    scores = rng.normal(size=(samples, factors)) * np.geomspace(1, 0.1, factors)
    values = scores @ rng.normal(size=(factors, genes)) / 3
    values += 0.7 * rng.normal(size=(samples, genes))
    values = ((values - values.mean(0)) / values.std(0)).astype(np.float32)
    return values[:, :landmarks], values[:, landmarks:]


def measure():
    """Seconds, wall and processor, and objectives of both, for each strength.

    scikit-learn's time for all targets is that of `TIMED` random ones times their
    share, since a target's fit doesn't know of the others. It runs in both its ways,
    on the data and with XᵀX, computed once and given to it.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, y = simulated(**SIZE)
    chosen = np.random.default_rng(SEED).choice(y.shape[1], TIMED, replace=False)
    some, columns, scale = y[:, chosen], np.asfortranarray(x), y.shape[1] / TIMED
    once, gram = _timed(lambda: x.T @ x)
    common = {
        "method": "lasso",
        "dataset": "simulated",
        "data": hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest(),
        "seed": SEED,
        "device": device,
    }
    setup = {"tol": TOL, "timed_targets": TIMED, "threads": torch.get_num_threads()}
    LeastSquares(l1=1.0).fit(*_on(device, x[:100], y[:100]))  # a GPU starts slowly
    for l1 in STRENGTHS:
        model = LeastSquares(l1=l1, tol=TOL)
        ours, _ = _timed(lambda m=model: m.fit(*_on(device, x, y)))
        loop, coef = _timed(lambda s=l1: _loop(columns, some, s, False))
        given, _ = _timed(lambda s=l1: _loop(columns, some, s, gram))
        times = {"ours": ours, "sklearn": scale * loop}
        times["sklearn_gram"] = once + scale * given
        found = {"nonzero": (model.coef_ != 0).double().mean().item()}
        for name, (wall, cpu) in times.items():
            found |= {f"{name}_s": wall, f"{name}_cpu_s": cpu}
        zero = 0.5 * np.square(some).mean(0)  # the objective of no weights
        mine = model.coef_[:, chosen].cpu().numpy()
        for name, w in (("ours", mine), ("sklearn", coef)):
            found[f"{name}_objective"] = _objective(x, some, w, l1).mean()
            found[f"{name}_gap"] = (duality_gap(x, some, w, l1).numpy() / zero).max()
        above = _objective(x, some, mine, l1) - _objective(x, some, coef, l1)
        found["excess"] = (above / zero).max()
        yield common | {
            "configuration": SIZE | setup | {"l1": l1, "device": device},
            "metrics": {name: float(f"{value:.4g}") for name, value in found.items()},
        }


def _on(device, *arrays):
    return [torch.from_numpy(v).to(device) for v in arrays]


def _timed(call):
    """Wall and processor seconds of a call, and its result."""
    start = np.array([time.perf_counter(), time.process_time()])
    result = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return np.array([time.perf_counter(), time.process_time()]) - start, result


def _loop(x, y, l1, gram):
    """Weights (D, T) of scikit-learn's Lasso, target by target, at the same tolerance.

    Its own is a share of ‖y‖²/n, ours of ‖y‖²/(2n).
    """
    lasso = Lasso(l1, fit_intercept=False, precompute=gram, tol=TOL / 2, copy_X=False)
    return np.stack([lasso.fit(x, v).coef_ for v in y.T], axis=1)


def _objective(x, y, w, l1):
    x, y, w = (v.astype(float) for v in (x, y, w))
    return 0.5 * np.square(y - x @ w).mean(0) + l1 * np.abs(w).sum(0)
