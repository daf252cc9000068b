"""Your own matrix: which genes to measure, how many samples, what error to expect."""

import numpy as np
import pandas as pd

from lsmtl import data, inference
from lsmtl.data.landmarks import select_landmarks, with_landmarks
from lsmtl.data.splits import partition
from lsmtl.lab.exercises import expect, numbers
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import baseline, scores, thin

FRACTIONS = (0.8, 0.1, 0.1)
CHOICES = ("selected", "random", "as marked")
BINS = 20  # of genes, by expected error


def _runs(sizes, landmarks):
    for seed in range(sizes["seeds"]):
        for count in sizes["counts"]:
            for choice in CHOICES:
                c = {"count": min(count, landmarks), "scored": sizes["scored"]}
                yield Run(choice, c, seed)
        for method in sizes["methods"]:
            yield Run(f"curve, {method}", {"targets": sizes["targets"]}, seed)
        for method in sizes["expected"]:
            yield Run(f"expected, {method}", {"targets": sizes["targets"]}, seed)


def _measure(adata, run, device):
    c, group = run.configuration, run.configuration["group"]
    kind, _, method = run.method.partition(", ")
    if kind == "curve":
        few = thin(adata, c["targets"])
        curve = inference.learning_curve(few, [method], seed=run.seed, group=group)
        by = curve.groupby("samples")["mae"]
        return {"samples": [int(n) for n in by.mean().index]} | {
            "mae": by.mean().iloc[-1],
            "curve": by.mean().round(6).tolist(),
        }
    if kind == "expected":
        return expected(thin(adata, c["targets"]), method, run.seed, group)
    return measured(adata, run.method, c["count"], c["scored"], run.seed, group)


def measured(adata, choice, count, scored, seed, group):
    """Choose landmarks on training samples, predict the same genes from them by ridge.

    Args:
        adata: AnnData with `var["role"]`.
        choice: one of `CHOICES`; `"as marked"` draws from those that the role marks.
        count: number of landmarks.
        scored: number of genes to predict, drawn from the targets; no choice may take
            them.
        seed: decides the split, the scored genes and what is drawn.
        group: the obs column that keeps samples together.

    Returns:
        `scores` of the test samples.
    """
    rng = np.random.default_rng(seed)
    role = adata.var["role"].to_numpy(str)
    genes = rng.permutation(np.flatnonzero(role == "target"))[:scored]
    free = np.setdiff1d(np.arange(adata.n_vars), genes)
    labels = adata.obs[group].astype(str).to_numpy()
    part = partition(adata.n_obs, seed, FRACTIONS, labels, group)
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
    labels = adata.obs[group].astype(str).to_numpy()
    part = partition(adata.n_obs, seed, FRACTIONS, labels, group)
    known = adata[part != 2].copy()
    model = inference.learn(known, method, seed=seed, group=group)
    unseen = adata[part == 2]
    truth = unseen[:, list(model.targets)].X
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
    datasets={"breast": "group", "ecoli": "group", "arrays": "group"},
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
    runs=_runs,
    measure=_measure,
)
