"""Your own matrix: which genes to measure, how many samples, what error to expect."""

import numpy as np

from lsmtl import data, inference
from lsmtl.data.landmarks import select_landmarks, with_landmarks
from lsmtl.data.preprocess import quantile_normalize, reference_quantiles
from lsmtl.data.splits import column, partition, prepared, uses
from lsmtl.lab.exercises import expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import baseline, scores, thin

FRACTIONS = (0.8, 0.1, 0.1)
CHOICES = ("selected", "random", "as marked")
BINS = 20  # of genes, by expected error


def _runs(sizes, landmarks):
    size = {"targets": sizes["targets"]}
    scored = {"scored": sizes["scored"]}
    if "samples" in sizes:
        size, scored = ({"samples": sizes["samples"]} | c for c in (size, scored))
    for seed in range(sizes["seeds"]):
        for count in sorted({min(count, landmarks) for count in sizes["counts"]}):
            for choice in CHOICES:
                yield Run(choice, {"count": count} | scored, seed)
        for method in sizes["expected"]:
            yield Run(f"expected, {method}", size, seed)
    for method in sizes["methods"]:  # once: it has folds
        yield Run(f"curve, {method}", size, 0)


def _measure(adata, run, device):
    c, group = run.configuration, run.configuration["group"]
    if "samples" in c:
        rows = np.linspace(0, adata.n_obs - 1, min(c["samples"], adata.n_obs))
        adata = adata[rows.astype(int)].copy()
    kind, _, method = run.method.partition(", ")
    if kind == "curve":
        few = thin(adata, c["targets"])
        curve = inference.learning_curve(few, [method], seed=run.seed, group=group)
        return {
            "samples": [int(n) for n in curve["samples"]],
            "fold": [int(k) for k in curve["fold"]],
            "error": [round(float(v), 6) for v in curve["mae"]],
        }
    if kind == "expected":
        return expected(thin(adata, c["targets"]), method, run.seed, group)
    return measured(adata, run.method, c["count"], c["scored"], run.seed, group)


def _part(adata, seed, group):
    """Who trains (0), chooses (1) and tests (2): (n,)."""
    if prepared(adata):
        return uses(adata)
    return partition(adata.n_obs, seed, FRACTIONS, column(adata, group), group)


def measured(adata, choice, count, scored, seed, group):
    """Choose landmarks on training samples, predict the same genes from them by ridge.

    Args:
        adata: AnnData with `var["role"]`.
        choice: one of `CHOICES`; `"as marked"` draws from those that the role marks.
        count: number of landmarks.
        scored: number of genes to predict, drawn from the targets, at most half of
            them; no choice may take them.
        seed: decides the split, the scored genes and what is drawn.
        group: the obs column that keeps samples together.

    Returns:
        `scores` of the test samples.
    """
    rng = np.random.default_rng(seed)
    role = adata.var["role"].to_numpy(str)
    targets = rng.permutation(np.flatnonzero(role == "target"))
    genes = targets[: min(scored, (len(targets) + 1) // 2)]
    free = np.setdiff1d(np.arange(adata.n_vars), genes)
    part = _part(adata, seed, group)
    if choice == "selected":
        chosen = select_landmarks(adata[part == 0, free], count)
    else:
        from_ = np.flatnonzero(role == "landmark") if choice == "as marked" else free
        chosen = adata.var_names[rng.permutation(from_)[:count]]
    kept = adata[:, [*chosen, *adata.var_names[genes]]]
    splits = data.split(with_landmarks(kept, [*chosen]), seed, group, FRACTIONS)
    train, validation, test = splits.train, splits.validation, splits.test
    return scores(baseline("ridge", train, validation, test), test.y)


def expected(adata, method, seed, group):
    """The error that cross-validation expects of each gene, and the one that comes.

    Args:
        adata: AnnData with `var["role"]`.
        method: of `inference.METHODS`.
        seed: decides the split; a tenth of the samples is seen by nobody.
        group: the obs column that keeps samples together.

    Returns:
        dict: `mae` and `promised`, the MAE found on unseen samples and the expected
        one, means over genes in the data's units; `r`, their correlation over genes;
        `promised_bins` and `found_bins`, means over genes in `BINS` equal parts, by
        expected error.
    """
    part = _part(adata, seed, group)
    known = adata[part != 2].copy()
    model = inference.learn(known, method, seed=seed, group=group)
    unseen = adata[part == 2]
    truth = unseen
    if adata.uns.get("normalize") == "quantile":  # as the model's own samples were
        truth = quantile_normalize(unseen, reference_quantiles(known))
    truth = truth[:, list(model.targets)].X
    found = np.abs(model.predict(unseen).X - truth).mean(0)
    promised = model.expected["mae"].to_numpy()
    parts = np.array_split(np.argsort(promised, kind="stable"), BINS)
    return {
        "mae": float(found.mean()),
        "promised": float(promised.mean()),
        "r": float(np.corrcoef(promised, found)[0, 1]),
        "promised_bins": [round(float(promised[p].mean()), 5) for p in parts],
        "found_bins": [round(float(found[p].mean()), 5) for p in parts],
    }


EXPERIMENT = Experiment(
    name="your-own-matrix",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group", "arrays": "group", "geo": "group"},
    sizes={
        "ci": {
            "counts": [10, 50],
            "scored": 100,
            "methods": ["training mean", "ridge"],
            "expected": ["ridge"],
            "targets": 100,
            "seeds": 2,
        },
        "laptop": {
            "counts": [10, 30, 100, 300, 1000],
            "scored": 1000,
            "methods": list(inference.METHODS),
            "expected": ["ridge", "kernel ridge"],
            "targets": 1000,
            "seeds": 5,
        },
    },
    special={
        ("paper", "geo"): {"samples": 5000, "targets": None}
        | {"methods": ["training mean", "ridge", "kernel ridge"]}
    },
    runs=_runs,
    measure=_measure,
)


def _chosen(ask):
    predicted(
        ask(),
        "higher",
        {
            "lower": "Luck that a model had on these samples is no help on others.",
            "as promised": "So it is for a model that was named beforehand; this one "
            "was picked for its estimate.",
        },
    )


def _explained(ask):
    for seed, places in ((0, [3]), (1, [4, 0, 2])):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 6)) + rng.normal(
            size=(20, 6)
        )
        C, noise = np.cov(x, rowvar=False), 0.7
        M, rows = C[np.ix_(places, places)], C[places]
        total, noisy = C.trace(), M + noise * np.eye(len(places))
        found = np.trace(rows.T @ np.linalg.solve(noisy, rows))
        alone = sum((C[j] ** 2).sum() / (C[j, j] + noise) for j in places)
        rest = np.setdiff1d(np.arange(6), places)
        hints = [
            (found, "That is a variance; its share of all is asked for."),
            (1 - found / total, "That is the share that is left."),
            (
                np.trace(rows.T @ np.linalg.solve(M, rows)) / total,
                "The measurements hold noise, too.",
            ),
            (
                np.trace(rows.T @ np.linalg.solve(M + noise, rows)) / total,
                "The noise of one measurement is independent of another's.",
            ),
            (M.trace() / total, "That is the landmarks' own variance."),
            (
                np.trace(rows[:, rest].T @ np.linalg.solve(noisy, rows[:, rest]))
                / total,
                "All genes are to be explained, the landmarks, too.",
            ),
            (
                found / C[rest][:, rest].trace(),
                "The variance of all genes, not the rest's.",
            ),
            ((rows**2).sum() / total, "Divide by the measurements' covariance."),
        ]
        if len(places) > 1:
            hints.append((alone / total, "Landmarks that are alike explain it once."))
        expect(
            numbers(ask(C, list(places), noise), ()),
            found / total,
            hints,
            f"Not the share that {len(places)} of 6 genes explain.",
        )


def _enough(ask):
    samples = np.array([25, 50, 100, 300])
    for errors in (
        np.array([0.70, 0.61, 0.605, 0.60]),
        np.array([0.80, 0.72, 0.62, 0.61]),
    ):
        last, share = errors[-1], 0.02
        near = samples[np.flatnonzero(errors <= (1 + share) * last)[0]]
        ratio, doublings = last / errors[-2], np.log2(samples[-1] / samples[-2])
        fall = 1 - ratio ** (1 / doublings)
        gain = np.flatnonzero(errors[1:] / errors[:-1] > 1 - share)
        step = samples[gain[0]] if len(gain) else samples[-1]
        expect(
            numbers(ask(samples.copy(), errors.copy(), share), (2,)),
            (near, fall),
            [
                ((near, 1 - ratio), "A share per doubling: the last step is a larger."),
                (
                    (near, (1 - ratio) / doublings),
                    "Each doubling multiplies the error: take a root.",
                ),
                ((near, ratio ** (1 / doublings)), "By how much it fell, not to what."),
                ((near, -fall), "A fall is positive here."),
                ((near, 100 * fall), "A share, not percent."),
                ((step, fall), "Within the share of the last error, not of the next."),
                (
                    (samples[np.abs(errors - (1 + share) * last).argmin()], fall),
                    "At most that share above; yours is only the closest to it.",
                ),
                ((samples[-1], fall), "A smaller number is near enough."),
                (
                    (np.flatnonzero(samples == near)[0], fall),
                    "The number of samples, not its place.",
                ),
                (
                    (samples[np.flatnonzero(errors <= last + share)[0]], fall),
                    "A share of the last error, not a distance.",
                ),
            ],
            "Not the smallest number near enough, and the fall per doubling.",
        )


def _error(ask):
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(11, 2)), rng.normal(size=(11, 3))
        groups = np.array(list("aabbccddeef"))
        x[1::2], y[1::2] = x[:-1:2] + 0.01, y[:-1:2] + 0.01  # twins
        part_of = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 2, "f": 2}
        part = np.array([part_of[g] for g in groups])

        def fit(x, y):
            w = np.linalg.lstsq(x, y, rcond=None)[0]
            return lambda new: new @ w

        def without(labels, x=x, y=y, fit=fit):
            found = np.empty_like(y)
            for k in set(labels):
                known = labels != k
                found[~known] = fit(x[known], y[known])(x[~known])
            return found

        gap, itself = without(part) - y, np.abs(fit(x, y)(x) - y).mean(0)
        got = numbers(
            ask(x.copy(), y.copy(), groups.copy(), dict(part_of), fit), (2, 3)
        )
        expect(
            got[0],
            np.abs(gap).mean(0),
            [
                (itself, "The model has seen the samples that it predicts."),
                (
                    np.mean([np.abs(gap[part == k]).mean(0) for k in range(3)], 0),
                    "Every sample counts once: don't average over parts.",
                ),
                (
                    np.abs(without(groups) - y).mean(0),
                    "Parts are left out here, not single groups.",
                ),
                (
                    np.abs(without(np.arange(11)) - y).mean(0),
                    "A sample's twin has trained the model: leave out whole parts.",
                ),
                (np.sqrt((gap**2).mean(0)), "That is the root of the squared error."),
                (np.abs(gap).sum(0), "The mean over samples, not the sum."),
                (np.abs(gap.mean(0)), "Absolute values first, then the mean."),
            ],
            "Not the MAE of samples whose part was left out.",
        )
        expect(
            got[1],
            itself,
            [
                (
                    np.sqrt(((fit(x, y)(x) - y) ** 2).mean(0)),
                    "The first row is right; the second has squares.",
                ),
                (np.abs(gap).mean(0), "The second row is of a fit to all samples."),
            ],
            "The first row is right. The second is one fit to all, on all.",
        )


CHECKERS = (_chosen, _explained, _enough, _error)  # in the order of the exercises
