"""Linear models and neighbours: how good are the simple ones, well tuned?"""

import numpy as np
import torch

from lsmtl import data
from lsmtl.lab import shallow
from lsmtl.lab.exercises import Wrong, expect, numbers
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import scores, thin
from lsmtl.lab.shallow import FINE, L1, METHODS
from lsmtl.linear import LeastSquares
from lsmtl.training import predict


def _runs(sizes, landmarks):
    for seed in range(sizes["seeds"]):
        for method in ("training mean", *METHODS):
            grid = {"strengths": sizes["strengths"]} if method == "lasso" else {}
            yield Run(method, {"targets": sizes["targets"]} | grid, seed)


def _measure(adata, run, device):
    c = run.configuration
    splits = data.split(thin(adata, c["targets"]), run.seed, c["group"])
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method == "training mean":
        return scores(torch.zeros_like(test.y), test.y)
    grid = {k: c[k] for k in ("strengths",) if k in c}
    setting, model, errors = shallow.best(run.method, train, validation, **grid)
    found = scores(predict(model, test.x), test.y)
    if run.method == "lasso":
        found["nonzero"] = (model.coef_ != 0).double().mean().item()
    return found | setting | {"validation_mae": min(errors), "errors": errors}


EXPERIMENT = Experiment(
    name="linear-models",
    recipe_version=1,
    datasets={
        "breast": "group",
        "ecoli": "group",
        "arrays": "group",
        "gtex59": "group",
        "geo": "group",
    },
    sizes={
        "ci": {"targets": 250, "seeds": 2, "strengths": [0.2, 0.1, 0.05]},
        "laptop": {"targets": None, "seeds": 3, "strengths": L1},
        "paper": {"strengths": FINE, "seeds": 1},  # nothing is left to chance
    },
    special={
        ("ci", "gtex59"): {"strengths": FINE},
        ("laptop", "gtex59"): {"strengths": FINE},
        ("laptop", "arrays"): {"strengths": L1[1:-1]},  # the largest set
    },
    runs=_runs,
    measure=_measure,
)


def _shrink(ask):
    u = np.array([[3.0, -0.2, 0.5], [-1.5, 0.0, 0.7]])
    t = 0.5
    right = np.sign(u) * np.maximum(np.abs(u) - t, 0)
    expect(
        ask(u.copy(), t),
        right,
        [
            (
                np.where(np.abs(u) > t, u, 0),
                "That is hard thresholding: what survives must move towards 0 too.",
            ),
            (
                np.maximum(u - t, 0),
                "Negative entries are all gone: those below -threshold survive.",
            ),
            (u - t, "Nothing is exactly 0: small entries must vanish."),
            (
                np.sign(u) * (np.abs(u) - t),
                "Entries smaller than the threshold change their sign; they should "
                "become 0.",
            ),
            (u / (1 + t), "That is the proximal step of ridge: it scales."),
        ],
        "Not the minimum of (w - u)²/2 + threshold·|w| for every entry.",
    )
    thresholds = np.array([0.1, 0.6, 0.0])
    expect(
        ask(u.copy(), thresholds),
        np.sign(u) * np.maximum(np.abs(u) - thresholds, 0),
        [],
        "Right for a number; an array of thresholds, one a target, should work too.",
    )


def _ridge_path(ask):
    rng = np.random.default_rng(0)
    for n, D in ((12, 5), (4, 6)):
        x, y = rng.normal(size=(n, D)), rng.normal(size=(n, 3))
        values, V = np.linalg.eigh(x.T @ x)
        for l2 in (2.0, 0.3):
            right = np.linalg.solve(x.T @ x + l2 * np.eye(D), x.T @ y)

            def weights(scale, V=V, x=x, y=y):
                return V @ (scale[:, None] * (V.T @ (x.T @ y)))

            expect(
                ask(values.copy(), V.copy(), x.T @ y, l2),
                right,
                [
                    (
                        weights(1 / np.where(values > 1e-9, values, np.inf)),
                        "That is least squares: where does the strength come in?",
                    ),
                    (
                        weights(1 / (values**2 + l2)),
                        "The eigenvalues of XᵀX are squares of singular values "
                        "already.",
                    ),
                    (
                        weights(values / (values + l2)),
                        "Those are the factors by which ridge shrinks least squares; "
                        "here XᵀY is given, not the least squares solution.",
                    ),
                    (
                        (V.T @ (x.T @ y)) / (values + l2)[:, None],
                        "Almost: these are the weights in the basis of the "
                        "eigenvectors.",
                    ),
                ],
                f"Not (XᵀX + l2·I)⁻¹XᵀY for {n} samples, {D} landmarks and l2 = {l2}.",
            )


def _optimal(ask):
    rng = np.random.default_rng(0)
    n, l1 = 40, 0.2
    x, y = rng.normal(size=(n, 6)), rng.normal(size=(n, 4))
    y += 2 * x[:, :4]
    w = LeastSquares(l1=l1, tol=1e-10).fit(x, y).coef_.double().numpy()

    def violation(w, slope):
        at_zero = np.maximum(np.abs(slope) - l1, 0)
        return np.where(w == 0, at_zero, np.abs(slope - l1 * np.sign(w)))

    def slope(w):
        return x.T @ (y - x @ w) / n

    got = numbers(ask(x.copy(), y.copy(), w.copy(), l1), (4,))
    if np.allclose(got, 0, atol=1e-4):
        pass
    elif np.allclose(got, violation(w, slope(w) * n).max(0), rtol=1e-3):
        raise Wrong("The squared error has the factor 1/(2n): where is n?")
    elif np.allclose(got, violation(w, -slope(w)).max(0), rtol=1e-3):
        raise Wrong("A sign: at the minimum the slope downhill is +l1 where w > 0.")
    elif np.allclose(got, np.abs(slope(w)).max(0), rtol=1e-3):
        raise Wrong("That is the largest slope; without l1 it would have to be 0.")
    else:
        raise Wrong("These weights are optimal: every target should give 0.")
    off = w.copy()
    off[0, 0] += 0.5
    off[:, 1] = 0
    expect(
        ask(x.copy(), y.copy(), off.copy(), l1),
        violation(off, slope(off)).max(0),
        [
            (
                np.where(off == 0, 0, violation(off, slope(off))).max(0),
                "Weights of 0 have a condition too: a slope within ±l1.",
            ),
            (
                np.where(off == 0, violation(off, slope(off)), 0).max(0),
                "Only weights of 0 are looked at; the others have a condition too.",
            ),
            (
                violation(off, slope(off)).sum(0),
                "The largest violation of a target is asked for, not their sum.",
            ),
        ],
        "Right for optimal weights, wrong for others: look at both cases, w = 0 and "
        "w ≠ 0.",
    )


CHECKERS = (_shrink, _ridge_path, _optimal)  # in the order of the exercises
