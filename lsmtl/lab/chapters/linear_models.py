"""Linear models and neighbours: how good are the simple ones, well tuned?"""

import numpy as np
import torch

from lsmtl import data
from lsmtl.lab import shallow
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
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


def _copied(ask):
    predicted(
        ask("ridge"),
        "larger",
        {
            "same": "The penalty sums squares: is a weight as dear in two halves?",
            "smaller": "Two weights can do all that one did. Do they cost more?",
        },
    )
    predicted(
        ask("lasso"),
        "same",
        {
            "larger": "Right for ridge. The lasso sums absolute values: is a weight "
            "cheaper in two parts there?",
            "smaller": "Right for ridge. In the lasso, does the same sum cost more in "
            "two parts?",
        },
    )
    predicted(
        ask("least squares"),
        "same",
        {
            "larger": "Right for ridge and lasso. Least squares has no penalty: what "
            "decides the sum of the two weights?",
            "smaller": "Right for ridge and lasso. The fit of least squares is as good "
            "as can be: which sums leave it so?",
        },
    )


def _drop_landmarks(ask):
    rng = np.random.default_rng(0)
    U = rng.normal(size=(6, 4)) * np.array([[2], [0.3], [0], [1], [0.4], [1.5]])
    t = 1.2

    def scaled(axis=1, factor=lambda size: np.maximum(1 - t / size, 0)):
        size = np.linalg.norm(U, axis=axis, keepdims=True)
        return U * factor(np.where(size > 0, size, 1))

    expect(
        ask(U.copy(), t),
        scaled(),
        [
            (
                np.sign(U) * np.maximum(np.abs(U) - t, 0),
                "That is the step of the lasso, entry by entry: a landmark goes for "
                "some targets and stays for others.",
            ),
            (scaled(axis=0), "Your groups are targets: a landmark is a row."),
            (
                scaled(factor=lambda size: size > t),
                "The rows that go are right; those that stay must become shorter too.",
            ),
            (
                scaled(factor=lambda size: 1 - t / size),
                "Short rows turn around, past 0; they should stop there.",
            ),
            (
                scaled(factor=lambda size: 1 / (1 + t)),
                "That is the step for the *squared* norm: it scales and drops nothing.",
            ),
        ],
        "Not the minimum of ‖w - u‖²/2 + threshold·‖w‖₂ for each of six rows.",
    )


def _left_out(ask):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 5)), rng.normal(size=(9, 3))
    for l2 in (2.0, 0.3):
        rest = [np.delete(np.arange(9), i) for i in range(9)]
        fits = [
            np.linalg.solve(x[r].T @ x[r] + l2 * np.eye(5), x[r].T @ y[r]) for r in rest
        ]
        errors = np.array([y[i] - x[i] @ W for i, W in enumerate(fits)])
        H = x @ np.linalg.solve(x.T @ x + l2 * np.eye(5), x.T)
        own, seen = (1 - H.diagonal())[:, None], y - H @ y
        expect(
            ask(x.copy(), y.copy(), l2),
            errors,
            [
                (
                    seen,
                    "Those are the errors of the fit to all profiles: each has helped "
                    "to predict itself.",
                ),
                (y - errors, "Those are the predictions; their errors are asked for."),
                (-errors, "A sign: the error is y minus its prediction."),
                (
                    seen * own,
                    "The wrong way round: a profile that is left out is predicted "
                    "worse, not better.",
                ),
                (
                    seen / own.mean(),
                    "You correct all profiles alike (generalised cross-validation); "
                    "each pulls differently on its own prediction.",
                ),
                (seen / own**2, "Too much: the correction comes once, not twice."),
            ],
            f"Not the errors of nine fits without a profile each, for l2 = {l2}.",
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


CHECKERS = (_copied, _drop_landmarks, _left_out, _optimal)  # as the exercises
