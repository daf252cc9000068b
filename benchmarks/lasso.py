"""The lasso for all targets at once, against scikit-learn's in a loop over targets."""

import hashlib
import time

import numpy as np
import torch
from sklearn.linear_model import Lasso

from lsmtl.linear import LeastSquares, duality_gap

SIZE = {"samples": 3000, "landmarks": 943, "targets": 9520, "factors": 60}
STRENGTHS, TOL, TIMED, SEED = (0.1, 0.03, 0.01), 1e-3, 100, 0


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
    """Seconds and objectives of both; scikit-learn's seconds for a part of the targets.

    Its time for all of them is that of `TIMED` random targets times their share: a
    target's fit doesn't know of the others. It runs in both its ways, on the data and
    with XᵀX computed once and given to it, the faster one where samples are many.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, y = simulated(**SIZE)
    digest = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
    chosen = np.random.default_rng(SEED).choice(y.shape[1], TIMED, replace=False)
    for l1 in STRENGTHS:
        seconds, coef = {}, {}
        model = LeastSquares(l1=l1, tol=TOL)
        seconds["ours"], _ = _timed(lambda m=model: m.fit(*_on(device, x, y)))
        coef["ours"] = model.coef_[:, chosen].cpu()
        for name in ("sklearn", "sklearn_gram"):
            start, coef[name] = _timed(
                lambda s=l1, n=name: _loop(x, y[:, chosen], s, n)
            )
            seconds[name] = start * y.shape[1] / TIMED
        bound = 0.5 * np.square(y[:, chosen]).mean(0)  # the objective of no weights
        gap, objective = {}, {}
        for name, w in coef.items():
            gaps = duality_gap(x, y[:, chosen], w, l1).numpy()
            gap[name] = (gaps / bound).max()
            objective[name] = _objective(x, y[:, chosen], w.numpy(), l1)
        excess = (objective["ours"] - objective["sklearn"]) / bound
        yield {
            "method": "lasso",
            "configuration": SIZE | {"l1": l1, "tol": TOL, "timed_targets": TIMED},
            "dataset": "simulated",
            "data": digest,
            "seed": SEED,
            "device": device,
            "metrics": {f"{k}_s": round(v, 2) for k, v in seconds.items()}
            | {f"{k}_gap": float(f"{v:.3g}") for k, v in gap.items()}
            | {
                f"{k}_objective": round(v.mean().item(), 6)
                for k, v in objective.items()
            }
            | {
                "excess": float(f"{excess.max():.3g}"),
                "nonzero": round((coef["ours"] != 0).double().mean().item(), 4),
            },
        }


def _on(device, *arrays):
    return [torch.from_numpy(v).to(device) for v in arrays]


def _timed(call):
    start = time.perf_counter()
    result = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


def _loop(x, y, l1, name):
    """Weights (D, T) of scikit-learn's Lasso, target by target, at the same tolerance.

    Its own is a share of ‖y‖²/n, ours of ‖y‖²/(2n).
    """
    x = np.asfortranarray(x)
    gram = x.T @ x if name == "sklearn_gram" else False
    lasso = Lasso(l1, fit_intercept=False, precompute=gram, tol=TOL / 2, copy_X=False)
    return torch.tensor(np.stack([lasso.fit(x, v).coef_ for v in y.T], axis=1))


def _objective(x, y, w, l1):
    x, y, w = (v.astype(float) for v in (x, y, w))
    return 0.5 * np.square(y - x @ w).mean(0) + l1 * np.abs(w).sum(0)
