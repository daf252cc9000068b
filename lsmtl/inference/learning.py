"""Learn a model from a matrix: which method, how many samples, what error to expect."""

import re
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from lsmtl._checks import natural, one_of, whole
from lsmtl._progress import CALM, tqdm
from lsmtl.data.datasets import dense, fingerprint, validate
from lsmtl.data.landmarks import select_landmarks, with_landmarks
from lsmtl.data.preprocess import quantile_normalize, reference_quantiles
from lsmtl.data.splits import FEWEST, column
from lsmtl.inference import methods
from lsmtl.inference.methods import METHODS
from lsmtl.inference.model import QUANTILES, Model, some, statistics

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of the training samples, in a learning curve
CLOSE = 0.02  # how much lower an error must be to count as lower: a share


class Recommendation(NamedTuple):
    """A method, the reasons for it, and whether the samples are enough: sentences."""

    method: str
    reasons: tuple
    enough: str


class _Source(NamedTuple):
    """A matrix as arrays: values (n, genes), who is a landmark, labels of samples."""

    values: np.ndarray
    landmark: np.ndarray
    genes: np.ndarray
    within: str | None
    platform: np.ndarray
    group: np.ndarray
    quantile: bool


def learn(
    adata, method="recommended", seed=0, group=None, folds=5, curve=None, select=None
):
    """A model of all samples, and the error to expect of it from cross-validation.

    Args:
        adata: AnnData with `var["role"]`, as `lsmtl.data.load` gives it, on a log
            scale; `uns["within"]` and `uns["normalize"]` are heeded as by `split`.
        method: one of `METHODS`, or `"recommended"`.
        seed: decides folds, and a network's start, batches and dropout.
        group: an obs column; samples with the same value stay in the same fold.
        folds: how many parts are left out in turn.
        curve: what `learning_curve` gave for these data; None computes it where it is
            needed for the recommendation.
        select: how many landmarks `select_landmarks` shall choose, whatever
            `var["role"]` says; for the expected errors from the other folds' samples,
            as those chosen from all samples would seem 1 to 3 % better than they are.
            A learning curve has those chosen from all samples for every method.

    Returns:
        A `Model`. That of kernel ridge holds the training samples' standardised
        landmarks.

    Raises:
        ValueError: the matrix can't be used (see `lsmtl.data.load`), or there are too
            few samples or groups.
    """
    one_of("method", method, ("recommended", *METHODS))
    if select is not None:
        adata = with_landmarks(adata, select_landmarks(adata, select))
    source = _source(adata, group)
    about = {"samples": adata.n_obs, "seed": seed, "folds": folds, "group": group}
    about["selected"] = select
    if method == "recommended":
        if curve is None:
            curve = learning_curve(adata, seed=seed, group=group, folds=folds)
        advice = recommend(curve)
        method = advice.method
        about["recommendation"] = [*advice.reasons, advice.enough]
    if curve is not None:
        about["curve"] = curve.to_dict("records")
    about["data"] = fingerprint(adata, group)
    expected = cross_validate(adata, method, seed, group, folds, select)
    every = np.arange(adata.n_obs)
    model = _trained(source, _normal(source, every), every, method, seed)
    return replace(model, expected=expected, about=about)


def cross_validate(adata, method, seed=0, group=None, folds=5, select=None):
    """What a method gets wrong about samples that it wasn't trained on.

    Every fold's samples are predicted by a model of the others, landmark values in,
    targets in the data's units out: the way that new profiles go. A platform that no
    other fold has is scaled by itself, its targets too; with fewer than 10 samples in
    the fold it isn't judged.

    Args:
        adata, seed, group, folds: as `learn`.
        method: one of `METHODS`.
        select: how many landmarks each fold's model chooses from its own samples;
            None takes `var["role"]`. A target is then judged by the folds in which it
            is one, and if there is none, by the mean of the others.

    Returns:
        DataFrame, a row a target: `mae` in the data's units, `mae_sd` in deviations of
        the training samples, and Pearson's `r` over all samples, in deviations.

    Raises:
        ValueError: as `learn`.
    """
    one_of("method", method, METHODS)
    source = _source(adata, group)
    judged = ~source.landmark  # those that the result is about
    said, seen, error = np.full((3, *source.values.shape), np.nan, np.float32)
    for known, asked in _parts(source, seed, folds, f"cross-validate {method}"):
        part = source
        if select is not None:
            own = select_landmarks(adata[known], select)
            part = source._replace(landmark=np.isin(source.genes, own))
        values = _normal(part, known)
        model = _trained(part, values, known, method, seed)
        at = np.ix_(asked, ~part.landmark)
        said[at], seen[at], scale = _asked(model, part, values, asked)
        error[at] = np.abs(said[at] - seen[at]) * scale
    said, seen, error = (v[:, judged].astype(np.float64) for v in (said, seen, error))
    known = ~np.isnan(said)

    def mean(values):
        count = known.sum(0)
        total = np.where(known, values, 0).sum(0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    a, b = said - mean(said), seen - mean(seen)
    spread = np.sqrt(mean(a * a) * mean(b * b))
    r = np.divide(mean(a * b), spread, out=np.zeros_like(spread), where=spread > 0)
    frame = {"mae": mean(error), "mae_sd": mean(np.abs(said - seen)), "r": r}
    frame = pd.DataFrame(frame, pd.Index(source.genes[judged], dtype=object))
    return frame.fillna(frame.mean())


def learning_curve(
    adata, methods=METHODS, sizes=None, seed=0, group=None, folds=5, targets=1000
):
    """The cross-validated MAE of methods that learn from fewer and more samples.

    The samples of a size contain those of the smaller ones; the samples that are
    asked about are the same for all.

    Args:
        adata, seed, group, folds: as `learn`.
        methods: some of `METHODS`.
        sizes: numbers of training samples; None takes an eighth, a quarter, a half
            and all of those that cross-validation has, parts below 10 left out.
        targets: how many, drawn at random, are predicted, at most; all of data that
            are mapped onto quantiles.

    Returns:
        DataFrame with the columns `method`, `samples` (to learn from), `fold` and
        `mae`, in deviations, the mean over targets and samples asked about.

    Raises:
        ValueError: as `learn`, or a size is out of range.
    """
    for method in methods:
        one_of("method", method, METHODS)
    source = _source(adata, group)
    rng = np.random.default_rng(seed)
    every = np.flatnonzero(~source.landmark)
    if len(every) > whole("targets", targets) and not source.quantile:
        kept = source.landmark.copy()
        kept[rng.choice(every, targets, replace=False)] = True
        source = source._replace(
            values=np.ascontiguousarray(source.values[:, kept]),
            landmark=source.landmark[kept],
            genes=source.genes[kept],
        )
    most = len(source.values) - -(-len(source.values) // _several(folds))
    if sizes is None:
        sizes = [round(share * most) for share in SHARES]
        sizes = [size for size in sizes if size >= FEWEST] or [most]
    fewest = min(FEWEST, most)
    for size in sizes:
        if not fewest <= whole("every size", size) <= most:
            raise ValueError(
                f"sizes must lie between {fewest} and {most}, which {folds} folds of "
                f"{len(source.values)} samples leave; got {size}"
            )
    rows = []
    parts = _parts(source, seed, folds, "learning curve")
    for fold, (known, asked) in enumerate(parts):
        units = rng.permutation(np.unique(source.group[known]))
        order = pd.Index(units).get_indexer(source.group[known])
        known = known[np.argsort(order, kind="stable")]
        for size in sizes:
            few = np.sort(known if size == max(sizes) == most else known[:size])
            values = _normal(source, few)
            for method in methods:
                model = _trained(source, values, few, method, seed)
                said, seen, _ = _asked(model, source, values, asked)
                rows.append(
                    (method, size, fold, float(np.nanmean(np.abs(said - seen))))
                )
    return pd.DataFrame(rows, columns=["method", "samples", "fold", "mae"])


def recommend(curve):
    """The simplest method that the best doesn't surely beat; whether samples suffice.

    The best has the lowest mean error. It surely beats another if the 95 % interval
    of their difference, from a t-test over the folds, is below zero. Folds share
    training samples, so the interval is approximate.

    Args:
        curve: DataFrame as `learning_curve` gives it.

    Returns:
        A `Recommendation`.

    Raises:
        ValueError: the curve has fewer than two folds.

    >>> curve = pd.DataFrame({"method": ["ridge"] * 4, "samples": [50, 50, 100, 100],
    ...                       "fold": [0, 1, 0, 1], "mae": [0.61, 0.60, 0.55, 0.54]})
    >>> recommend(curve).enough[:50]
    'Not enough yet: from 50 to 100 samples the MAE sti'
    """
    table = curve.pivot(index=["samples", "fold"], columns="method", values="mae")
    sizes = sorted(set(curve["samples"]))
    last = table.loc[sizes[-1]]
    if len(last) < 2:
        raise ValueError("a recommendation needs at least 2 folds")
    order = [m for m in METHODS if m in table]
    lowest = last.mean().idxmin()
    chosen = next(
        m for m in order if m == lowest or _difference(last[m], last[lowest])[1] <= 0
    )
    own = last[chosen].mean()
    reasons = [
        f"{chosen}: a cross-validated MAE of {own:.3f} deviations with {sizes[-1]} "
        "samples to learn from."
    ]
    for other in order:
        if other != chosen:
            mean, low, high = (
                100 * v / own for v in _difference(last[other], last[chosen])
            )
            word = "higher" if mean > 0 else "lower"
            sure = "" if low > 0 or high < 0 else ", not surely"
            reasons.append(
                f"{other}: {abs(mean):.1f} % {word}{sure} "
                f"(95 % interval {low:+.1f} to {high:+.1f} %, {len(last)} folds)."
            )
            if order.index(other) < order.index(chosen) and low <= 0:
                reasons[-1] += f" But {lowest} surely beats it."
            elif mean < 0:
                reasons[-1] += f" {chosen} is the simpler one."
            if len(sizes) > 1 and other == "DenseNet" and mean > 0:
                first = table.loc[sizes[0]].mean()
                gap = 100 * (first[other] / first[chosen] - 1)
                reasons[-1] += f" With {sizes[0]} samples it was {gap:+.1f} %."
    floor = "training mean"
    little = floor in order and _difference(last[floor], last[chosen])[1] <= 0
    if little and len(order) > 1:
        reasons.append("The landmarks tell little about the targets of these data.")
    reasons = tuple(re.sub(r"-(?=\d)", "−", reason) for reason in reasons)
    return Recommendation(chosen, reasons, _enough(table[chosen], sizes))


def _enough(errors, sizes):
    """A sentence on whether more samples would help, from errors by size and fold."""
    mean = errors.groupby("samples").mean()
    if len(sizes) == 1:
        return f"Only {sizes[0]} samples were tried: nothing tells what more would do."
    before, most = sizes[-2:]
    fall = 100 * (1 - (mean[most] / mean[before]) ** (1 / np.log2(most / before)))
    if fall > 100 * CLOSE:
        return (
            f"Not enough yet: from {before} to {most} samples the MAE still fell by "
            f"{fall:.1f} % per doubling."
        )
    near = min(size for size in sizes if mean[size] <= (1 + CLOSE) * mean[most])
    return (
        f"From {near} samples on the MAE is within {100 * CLOSE:.0f} % of that with "
        f"{most}; at the end it fell by {fall:.1f} % per doubling. More than {most} "
        "were not tried."
    )


def _difference(one, other):
    """Mean of the differences over folds, and the ends of its 95 % interval."""
    from scipy import stats

    d = (one - other).to_numpy()
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half


def _source(adata, group):
    validate(adata)
    if adata.n_obs < FEWEST:
        raise ValueError(
            f"{adata.n_obs} samples are too few; at least {FEWEST} are needed"
        )
    n, within = adata.n_obs, adata.uns.get("within")
    normal = adata.uns.get("normalize")
    if normal is not None:
        one_of('uns["normalize"]', normal, ("quantile",))
    return _Source(
        dense(adata),
        (adata.var["role"] == "landmark").to_numpy(),
        adata.var_names.to_numpy(str).astype(object),
        within,
        np.full(n, "all") if within is None else column(adata, within),
        np.arange(n).astype(str) if group is None else column(adata, group),
        normal is not None,
    )


def _parts(source, seed, folds, title):
    """Pairs of rows: known, and asked about."""
    natural("seed", seed)
    fold = methods.folds(source.group, _several(folds), seed)
    for number in tqdm(range(folds), desc=title, unit="fold", **CALM):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def _several(folds):
    if whole("folds", folds) < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    return folds


def _normal(source, known):
    """Values of all samples, mapped onto quantiles of the known ones where asked."""
    if not source.quantile:
        return source.values
    import anndata

    adata = anndata.AnnData(source.values)
    return quantile_normalize(adata, reference_quantiles(adata[known])).X


def _trained(source, values, known, method, seed):
    """A `Model` of some rows, without expected errors."""
    names, own, sizes = np.unique(
        source.platform[known], return_inverse=True, return_counts=True
    )
    kept = sizes > 1  # of one sample there is no deviation
    if not kept.any():
        raise ValueError("no platform has two samples to learn from")
    known, names = known[kept[own]], names[kept]
    x, y = source.values[known][:, source.landmark], values[known][:, ~source.landmark]
    scaling = {}
    if source.quantile:
        import anndata

        normal = anndata.AnnData(values[known][:, source.landmark])
        reference = reference_quantiles(normal)
        x = quantile_normalize(normal, reference).X
    at = pd.Index(names).get_indexer(source.platform[known])
    for key, part in (("x", x), ("y", y)):
        both = [statistics([part[at == k]], 2) for k in range(len(names))]
        scaling[f"{key}_mean"] = np.stack([mean for mean, _ in both])
        scaling[f"{key}_deviation"] = np.stack([deviation for _, deviation in both])
    constant = np.isinf(scaling["y_deviation"])
    scaling["y_deviation"] = np.where(constant, 1.0, scaling["y_deviation"])
    scaling["range"] = np.quantile(source.values[known][:, source.landmark], QUANTILES)
    genes = source.genes
    model = Model(
        method,
        {},
        tuple(genes[source.landmark]),
        tuple(genes[~source.landmark]),
        {},
        scaling,
        tuple(map(str, names)),
        source.within,
    )
    z = model.standardized(x, at)
    if source.quantile:
        scaling["reference"] = reference.astype(np.float64)
    y = (y - scaling["y_mean"][at]) / scaling["y_deviation"][at]
    settings, weights = methods.fitted(
        method,
        torch.from_numpy(z),
        torch.from_numpy(y.astype(np.float32)),
        source.group[known],
        seed,
    )
    return replace(model, settings=settings, weights=weights)


def _asked(model, source, values, asked):
    """Of rows: predictions, truth, both in deviations, and what a deviation is.

    Predictions are NaN for platforms that are unknown and too small to be scaled.
    """
    x, y = source.values[asked][:, source.landmark], values[asked][:, ~source.landmark]
    at = pd.Index(model.platforms).get_indexer(source.platform[asked])
    mean, scale = (model.scaling[f"y_{k}"][at] for k in ("mean", "deviation"))
    said = model.deviations(x, at)
    for name in np.unique(source.platform[asked][at < 0]):
        rows = source.platform[asked] == name
        if rows.sum() < FEWEST:
            said[rows] = np.nan
            continue
        said[rows] = model.deviations(x[rows], at[rows], statistics([x[rows]]))
        mean[rows], deviation = statistics([y[rows]])
        scale[rows] = np.where(np.isinf(deviation), 1.0, deviation)
    if np.isnan(said).all():
        raise ValueError(
            f"a fold can't be judged: it has fewer than {FEWEST} samples each of "
            f"{some(np.unique(source.platform[asked]))}, which no other fold has"
        )
    return said, (y - mean) / scale, scale
