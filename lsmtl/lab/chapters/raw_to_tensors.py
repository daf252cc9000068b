"""From raw files to tensors: what would each leak have pretended to?"""

import numpy as np
import torch

from lsmtl import data
from lsmtl.data.preprocess import (
    near_duplicates,
    quantile_normalize,
    reference_quantiles,
)
from lsmtl.data.splits import assemble
from lsmtl.lab.exercises import Wrong, expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import BASELINES, baseline, scores, thin

RULES = ("honest", "one scale", "no groups", "all statistics")
ONE_PLATFORM = ("honest", "no groups", "all statistics")
TWINS = 0.4  # correlation from which pairs of arrays are shown


def _runs(sizes, landmarks):
    for seed in range(sizes["seeds"]):
        for method in (*BASELINES, "cohort mean"):
            for rule in sizes["rules"]:
                yield Run(method, {"targets": sizes["targets"], "rule": rule}, seed)
    if sizes.get("steps"):
        yield Run("steps", {}, 0)


def _measure(adata, run, device):
    c = run.configuration
    if run.method == "steps":
        return steps(adata, run.seed)
    adata = thin(adata, c["targets"])
    label = adata.uns.get("within", c["group"])
    cohort = adata.obs[label].astype(str)
    if c["rule"] == "one scale":
        adata = _without_platforms(adata)
    if c["rule"] == "whole library":
        adata = _by_whole_library(adata)
    group = None if c["rule"] == "no groups" else c["group"]
    splits = data.split(adata, run.seed, group)
    if c["rule"] == "all statistics":
        splits = _scaled_by_all(adata, splits)
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method in BASELINES:
        return scores(baseline(run.method, train, validation, test), test.y)
    prediction = torch.zeros_like(test.y)  # the mean of the sample's own cohort
    own = cohort[list(train.samples)].to_numpy()
    for i, name in enumerate(cohort[list(test.samples)]):
        if (own == name).any():
            prediction[i] = train.y[own == name].mean(0)
    return scores(prediction, test.y)


def _without_platforms(adata):
    """As if all values could be compared."""
    adata = adata.copy()
    adata.uns.pop("within", None)
    return adata


def _by_whole_library(adata):
    """Logarithms of counts per million of *all* genes, the targets among them."""
    adata = adata.copy()
    shares = np.exp2(adata.X, dtype=np.float64) - 1
    shares /= shares.sum(axis=1, keepdims=True)
    adata.X = np.log2(1e6 * shares + 1).astype(np.float32)
    return adata


def _scaled_by_all(adata, splits):
    """`splits` with quantiles and scales of all samples, the test set among them."""
    part = np.zeros(adata.n_obs, dtype=int)
    for number, profiles in enumerate((splits.train, splits.validation, splits.test)):
        part[adata.obs_names.isin(profiles.samples)] = number
    return assemble(adata, part, known=np.full(adata.n_obs, True))


def steps(adata, seed=0):
    """What normalising does to the studies of `arrays`, and which of them are twins.

    Args:
        adata: AnnData with `obs["study"]`.
        seed: of the split whose training samples give the reference quantiles.

    Returns:
        dict of `<study> before` and `<study> after`: 21 quantiles of the values;
        `<study> first`, `second`, `pairs`: rows of near-duplicates within the study,
        and their correlation; `share before` and `share after`: the share of a gene's
        variance that the study explains, mean over genes.
    """
    known = adata.obs_names.isin(data.split(adata, seed, "group").train.samples)
    mapped = quantile_normalize(adata, reference_quantiles(adata[known]))
    study = adata.obs["study"].astype(str).to_numpy()
    found = {}
    for when, matrix in (("before", adata), ("after", mapped)):
        between = np.zeros(adata.n_vars)
        for name in np.unique(study):
            mine = matrix.X[study == name]
            quantiles = np.quantile(mine, np.linspace(0, 1, 21))
            found[f"{name} {when}"] = quantiles.round(3).tolist()
            between += len(mine) * (mine.mean(0) - matrix.X.mean(0)) ** 2
        share = between / (len(study) * matrix.X.var(0))
        found[f"share {when}"] = round(float(share.mean()), 4)
    for name in np.unique(study):
        mine = adata[study == name]
        pairs = near_duplicates(mine, at_least=TWINS)
        for side in ("first", "second"):
            rows = mine.obs_names.get_indexer(pairs[side]) + 1
            found[f"{name} {side}"] = rows.tolist()
        found[f"{name} pairs"] = pairs["correlation"].round(3).tolist()
    return found


EXPERIMENT = Experiment(
    name="raw-to-tensors",
    recipe_version=1,
    datasets={
        "breast": "group",
        "ecoli": "group",
        "endometrial": "group",
        "arrays": "group",
        "gtex59": "group",
        "geo": "group",
    },
    sizes={
        "ci": {"targets": 250, "seeds": 2, "rules": RULES},
        "laptop": {"targets": None, "seeds": 5, "rules": RULES},
        "paper": {"seeds": 1},
    },
    special={
        ("ci", "arrays"): {"rules": ONE_PLATFORM},
        ("laptop", "arrays"): {"rules": ONE_PLATFORM, "steps": True},
        ("paper", "geo"): {"rules": ("honest", "all statistics")},
        ("ci", "gtex59"): {"rules": (*ONE_PLATFORM, "whole library")},
        ("laptop", "gtex59"): {"rules": (*ONE_PLATFORM, "whole library")},
    },
    runs=_runs,
    measure=_measure,
)


def _unchanged(ask):
    predicted(
        ask(),
        "lower",
        {
            "same": "Their signals are the same in both samples; is that what the "
            "mapping keeps of them?",
            "higher": "How many genes stood above them before, and how many now?",
        },
    )


def _follows(ask):
    r = 0.36
    for k in (1, 2, 5):
        means = k * r / (1 + (k - 1) * r)
        expect(
            ask(r, k),
            np.sqrt(means),
            [
                (
                    r,
                    "r is the correlation of two probes, both with noise; the gene "
                    "itself has none.",
                ),
                (
                    means,
                    "That is the correlation of two such means; both have noise, the "
                    "gene has none.",
                ),
                (
                    np.sqrt(r),
                    "Right for one probe: what does the mean do to the noise?",
                ),
                (
                    np.sqrt(r**2 * k / (1 + (k - 1) * r)),
                    "That is the correlation of a mean with one more probe, not with "
                    "the gene.",
                ),
                (1 - (1 - r) / k, "The noise shrinks by k; a correlation doesn't."),
            ],
            f"Not the correlation of the mean of k = {k} probes with the gene, for "
            f"r = {r}.",
        )


def _log_cpm(ask):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 500, (4, 6)).astype(float)
    landmark = np.array([True, False, True, True, False, False])

    def cpm(library):
        return 1e6 * counts / library

    right = cpm(counts[:, landmark].sum(1, keepdims=True))
    whole = cpm(counts.sum(1, keepdims=True))
    expect(
        ask(counts.copy(), landmark.copy()),
        np.log2(right + 1),
        [
            (
                np.log2(whole + 1),
                "Your library size sums all genes, so every landmark tells of the "
                "targets.",
            ),
            (right, "The logarithm is missing."),
            (np.log(right + 1), "That is the natural logarithm; take log2."),
            (
                np.log2(cpm(counts[:, landmark].sum(0).sum()) + 1),
                "Each sample needs its own library size.",
            ),
        ],
        "Not log2 of counts per million landmark counts + 1, for four samples.",
    )


def _twins(ask):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 40)) + 30 * rng.normal(size=40)
    values[6] = values[1] + 0.1 * rng.normal(size=40)
    values[8] = values[1] + 0.5 * rng.normal(size=40)  # nearest to 1, but 1's is 6

    def nearest(x):
        r = np.corrcoef(x)
        np.fill_diagonal(r, -2)
        return r.argmax(1)

    def mutual(j):
        return {(i, int(k)) for i, k in enumerate(j) if i < k and j[k] == i}

    got = ask(values.copy())
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    try:
        pairs = [tuple(int(k) for k in pair) for pair in got]
    except (TypeError, ValueError):
        raise Wrong(f"A list of pairs (i, j) is needed, yours is {got!r}.") from None
    centred = nearest(values - values.mean(0))
    want = mutual(centred)
    if any(i == j for i, j in pairs):
        raise Wrong("A sample is not its own neighbour.")
    if any(i > j for i, j in pairs) or len(set(pairs)) < len(pairs):
        raise Wrong("Name each pair once, the lower number first.")
    if set(pairs) == want:
        return
    if set(pairs) >= {(min(i, int(j)), max(i, int(j))) for i, j in enumerate(centred)}:
        raise Wrong("Some of your pairs are one-sided: both must be nearest.")
    if set(pairs) == mutual(nearest(values)):
        raise Wrong("Take each gene's mean off first: it makes all samples alike.")
    raise Wrong(f"Found {sorted(set(pairs))} among nine samples; not the right pairs.")


CHECKERS = (_unchanged, _follows, _log_cpm, _twins)  # in the order of the exercises
