"""A transcriptome from a thousand genes: how much do k genes tell?"""

import numpy as np
import torch

from lsmtl import data
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import scores
from lsmtl.linear import ridge
from lsmtl.training import predict

PAIRED = 2000  # profiles whose pairs are compared, at most


def _runs(sizes, landmarks):
    for draw in range(sizes["seeds"]):
        for genes in [k for k in sizes["genes"] if k < landmarks] + [landmarks]:
            for method in ("random genes", "landmarks"):
                yield Run(method, {"genes": genes}, draw)
        yield Run("training mean", {}, draw)


def _measure(adata, run, device):
    splits = data.split(adata, run.seed, run.configuration["group"])
    parts = splits.train, splits.validation, splits.test
    if run.method == "training mean":
        return scores(torch.zeros_like(splits.test.y), splits.test.y)
    D, T = len(splits.landmarks), len(splits.targets)
    drawn_from = {"random genes": D + T, "landmarks": D}[run.method]
    order = np.random.default_rng(run.seed).permutation(drawn_from)
    measured = order[: run.configuration["genes"]]
    inferred = np.setdiff1d(np.arange(D, D + T), measured)  # targets not measured
    whole = [np.hstack([p.x, p.y]) for p in parts]  # (n, D + T)
    (x, y), (valid_x, valid_y), (test_x, test_y) = (
        (genes[:, measured], genes[:, inferred]) for genes in whole
    )
    prediction = predict(ridge(x, y, valid_x, valid_y), test_x).numpy()
    residual = ((prediction - test_y) ** 2).sum()
    few = np.linspace(0, len(x) - 1, min(len(x), PAIRED)).astype(int)
    pairs = np.triu_indices(len(few), 1)
    alike = [np.corrcoef(genes[few])[pairs] for genes in (x, y)]  # of sample pairs
    return scores(prediction, test_y) | {
        "r2": float(1 - residual / ((test_y - test_y.mean(0)) ** 2).sum()),
        "similarity": float(np.corrcoef(*alike)[0, 1]),
    }


EXPERIMENT = Experiment(
    name="transcriptome",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group", "geo": "group"},
    sizes={
        "ci": {"genes": [5, 20, 100], "seeds": 2},
        "laptop": {"genes": [5, 10, 20, 50, 100, 200, 400], "seeds": 10},
        "paper": {"seeds": 3},
    },
    runs=_runs,
    measure=_measure,
)


def _improved(ask):
    predicted(
        ask(),
        "concordance",
        {
            "both": "Before the division the factor was the best one. Best at what?",
            "MAE": "Can a factor that is not the best one bring the prediction closer "
            "to the truth?",
            "neither": "One of the two measures minds it when a prediction varies less "
            "than the truth.",
        },
    )


def _expected_mae(ask):
    expect(
        ask(0.0),
        np.sqrt(2 / np.pi),
        [(1.0, "At r = 0 that is the deviation of y; the mean of |y| is smaller.")],
        "A prediction without any correlation (r = 0) is the mean 0: the MAE is then "
        "the mean of |y| for y ~ N(0, 1).",
    )
    expect(
        ask(0.8),
        np.sqrt(2 / np.pi) * 0.6,
        [
            (
                np.sqrt(2 / np.pi) * 0.36,
                "1 - r² is the variance of what is left; the MAE goes with its root.",
            ),
            (
                np.sqrt(2 / np.pi) * 0.2,
                "The error doesn't fall in proportion to 1 - r: what share of the "
                "variance is left?",
            ),
        ],
        "Right at r = 0, wrong at r = 0.8: what is the deviation of what is left?",
    )


def _one_landmark(ask):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)) * [1, 9, 0.2, 3, 1], rng.normal(size=(30, 4))
    y += x @ (rng.normal(size=(5, 4)) * [[1], [0.05], [3], [0.1], [1]])
    y[:, 0] -= 3 * x[:, 4]  # the best one falls when the target rises
    slopes = (x.T @ y) / (x**2).sum(0)[:, None]  # (D, T)

    def weights(score, values=slopes):
        kept = np.zeros_like(slopes)
        kept[score.argmax(0), range(4)] = values[score.argmax(0), range(4)]
        return kept

    gain = slopes**2 * (x**2).sum(0)[:, None]
    cosine = (x.T @ y) / np.sqrt(np.outer((x**2).sum(0), (y**2).sum(0)))
    expect(
        ask(x.copy(), y.copy()),
        weights(gain),
        [
            (
                weights(cosine),
                "The landmark that tells a gene best may fall when the gene rises.",
            ),
            (
                weights(np.abs(x.T @ y)),
                "You chose by the inner product, in which a landmark with large "
                "values wins.",
            ),
            (
                weights(np.abs(slopes)),
                "You chose by the slope, in which a landmark with small values wins.",
            ),
            (
                weights(gain, cosine),
                "The right landmarks, but a correlation is no slope: their scales "
                "differ.",
            ),
            (slopes, "Each target should use a single landmark; yours use all."),
            (
                np.linalg.lstsq(x, y, rcond=None)[0] * (weights(gain) != 0),
                "The right landmarks with weights of a joint fit: fit each alone.",
            ),
        ],
        "Not the single best landmark of each of four targets with its least squares "
        "slope.",
    )


def _standardize(ask):
    rng = np.random.default_rng(0)
    cohort = np.repeat(["a", "b"], 8)
    training = np.tile([True] * 6 + [False] * 2, 2)
    values = rng.normal(size=(16, 3)) * [1, 4, 9] + 50 * (cohort == "b")[:, None]

    def z(reference, pooled=False, ddof=0, at_rest=None):
        out = np.empty_like(values)
        for name in "ab":
            rows = np.full(16, True) if pooled else cohort == name
            used = values[rows & reference]
            out[rows] = (values[rows] - used.mean(0)) / used.std(0, ddof=ddof)
        return out if at_rest is None else np.where(training[:, None], out, at_rest)

    expect(
        ask(values.copy(), training.copy(), cohort.copy()),
        z(training),
        [
            (
                z(np.full(16, True)),
                "Your means and deviations come from all rows: they must come from the "
                "training rows only, or the test samples leak into the training.",
            ),
            (
                z(training, pooled=True),
                "Each cohort needs its own mean and deviation, or the platform passes "
                "for biology.",
            ),
            (
                z(training, at_rest=z(~training)),
                "Your test rows are standardised by their own statistics: they need "
                "those of their cohort's training rows.",
            ),
            (z(training, ddof=1), "Close: divide by n in the deviation, not by n - 1."),
        ],
        "Not z for two cohorts of eight samples, six of them training rows: check the "
        "mean and the deviation of each cohort.",
    )
    values[cohort == "a", 1] = 2.5
    got = numbers(ask(values.copy(), training.copy(), cohort.copy()), values.shape)
    if not np.allclose(got[cohort == "a", 1], 0):
        raise Wrong("A gene that is constant in a cohort should become 0 there.")


CHECKERS = (_improved, _expected_mae, _one_landmark, _standardize)  # as the exercises
