"""The experiments of the book: which runs each one has, and how a run is made.

An experiment lists its runs for a preset; `results` looks each one up among the run
records and makes those that are missing. Changing what a run computes means raising
the experiment's `recipe_version`, so that old records no longer count.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from lsmtl import data, metrics
from lsmtl._checks import one_of
from lsmtl._progress import tqdm
from lsmtl.data.preprocess import standardize, statistics
from lsmtl.lab import records
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank
from lsmtl.training import Recipe, fit, predict

ALPHAS = 10.0 ** np.arange(0, 5.5, 0.5)  # ridge strengths, for standardised x

KNOWN = {  # on-demand set → its landmarks and fingerprint by group, for its records
    "arrays": (943, "b632a5e7b7574d28ead8939873d8fab2793356aa4a3b33eed1a37c6c0792050d"),
}


@dataclass(frozen=True)
class Run:
    """One line of an experiment: a method, its configuration, a seed."""

    method: str
    configuration: dict
    seed: int


@dataclass(frozen=True)
class Experiment:
    """What is run, on what, and how large.

    Args:
        name: also the name of the chapter and of the records' file.
        recipe_version: raised by hand when a run would give another result.
        datasets: a dataset's name → the obs column that never straddles two sets.
        sizes: a preset's name → how large the runs are.
        runs: (sizes, number of landmarks) → the `Run`s.
        measure: (AnnData, Run, device) → metrics.
    """

    name: str
    recipe_version: int
    datasets: dict
    sizes: dict
    runs: Callable
    measure: Callable = field(repr=False)


def results(experiment, preset, dataset, missing="run", seed=0):
    """The runs of an experiment as a table, from their records.

    Args:
        experiment: an `Experiment`.
        preset: how large; a key of its `sizes`.
        dataset: a key of its `datasets`.
        missing: `"run"` makes the missing runs and records them; `"show"` leaves
            their metrics empty.
        seed: added to the seed of every run.

    Returns:
        DataFrame, a row a run: `method`, `seed`, the configuration's entries, the
        metrics, and `done`.
    """
    one_of("preset", preset, experiment.sizes)
    one_of("dataset", dataset, experiment.datasets)
    one_of("missing", missing, ("run", "show"))
    group = experiment.datasets[dataset]
    try:
        adata = data.load(dataset)
        landmarks = int((adata.var["role"] == "landmark").sum())
        content = data.fingerprint(adata, group)
    except FileNotFoundError:
        if missing == "run" or dataset not in KNOWN:
            raise
        landmarks, content = KNOWN[dataset]  # enough to show what is recorded
    device = "cuda" if preset == "gpu" else "cpu"
    known = records.read(experiment.name)
    fixed = {
        "experiment": experiment.name,
        "recipe_version": experiment.recipe_version,
        "data": content,
    }
    rows = []
    runs = list(experiment.runs(experiment.sizes[preset], landmarks))
    name = f"{experiment.name}, {preset}, {dataset}"
    # an explicit disable=False would overrule TQDM_DISABLE
    for run in tqdm(runs, desc=name, unit="run") if missing == "run" else runs:
        record = fixed | {
            "method": run.method,
            "configuration": run.configuration | {"group": group},
            "seed": run.seed + seed,
        }
        found = known.get(records.key(record))
        if found is None and missing == "run":
            found = _make(experiment, record, adata, device, preset, dataset)
        measured = (
            {"done": False} if found is None else found["metrics"] | {"done": True}
        )
        rows.append(
            {"method": run.method, "seed": run.seed + seed}
            | run.configuration
            | measured
        )
    return pd.DataFrame(rows)


def tuned(runs, method, head=None):
    """Runs of a method, learning rate and λ chosen by validation MAE over the seeds.

    Args:
        runs: the table that `results` gives.
        method: `"DenseNet"`, `"Deep-LSMTL"`, or one that has nothing to choose.
        head: how the networks' head starts; None for methods without one.
    """
    mine = runs[runs["method"] == method]
    if head is None:
        return mine
    mine = mine[mine["head"] == head]
    settings = mine.groupby(["lr", "strength"], dropna=False)["validation_mae"]
    validation = settings.transform("mean")
    return mine[validation == validation.min()]


def _make(experiment, record, adata, device, preset, dataset):
    start = time.perf_counter()
    run = Run(record["method"], record["configuration"], record["seed"])
    measured = experiment.measure(adata, run, device)
    record = record | {
        "preset": preset,
        "dataset": dataset,
        "metrics": measured,
        "wall_s": round(time.perf_counter() - start, 3),
        **records.provenance(device),
    }
    records.write(record)
    return record


def scores(prediction, target):
    """Mean, spread and deciles over genes of MAE and concordance, for a record."""
    found = {}
    for name, measure in (("mae", metrics.mae), ("cc", metrics.concordance)):
        genes = measure(prediction, target).cpu().numpy()
        found[name] = genes.mean()
        found[f"{name}_sd"] = genes.std()
        found[f"{name}_deciles"] = np.quantile(genes, np.linspace(0, 1, 11))
    return {k: np.round(v, 6).tolist() for k, v in found.items()}


def ridge(x, y, validation_x, validation_y):
    """Ridge weights (D, T), the strength with the lowest MAE on validation rows.

    One singular value decomposition x = U S Vᵀ gives W = V (S² + α)⁻¹ S Uᵀ y for
    every α. No intercept: x and y are standardised.
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    uy, validation_v = u.T @ y, validation_x @ vt.T
    errors = {}
    for alpha in ALPHAS:
        prediction = (validation_v * (s / (s**2 + alpha))) @ uy
        errors[alpha] = np.abs(prediction - validation_y).mean()
    alpha = min(errors, key=errors.get)
    return vt.T @ ((s / (s**2 + alpha))[:, None] * uy)


# --- A transcriptome from a thousand genes: how much do k genes tell? -----------


def _transcriptome_runs(sizes, landmarks):
    for draw in range(sizes["seeds"]):
        for genes in [k for k in sizes["genes"] if k < landmarks] + [landmarks]:
            for method in ("random genes", "landmarks"):
                yield Run(method, {"genes": genes}, draw)
        yield Run("training mean", {}, draw)


def _transcriptome_measure(adata, run, device):
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
    prediction = test_x @ ridge(x, y, valid_x, valid_y)
    residual = ((prediction - test_y) ** 2).sum()
    pairs = np.triu_indices(len(x), 1)
    alike = [np.corrcoef(genes)[pairs] for genes in (x, y)]  # of sample pairs
    return scores(prediction, test_y) | {
        "r2": float(1 - residual / ((test_y - test_y.mean(0)) ** 2).sum()),
        "similarity": float(np.corrcoef(*alike)[0, 1]),
    }


TRANSCRIPTOME = Experiment(
    name="transcriptome",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group"},
    sizes={
        "ci": {"genes": [5, 20, 100], "seeds": 2},
        "laptop": {"genes": [5, 10, 20, 50, 100, 200, 400], "seeds": 10},
    },
    runs=_transcriptome_runs,
    measure=_transcriptome_measure,
)


# --- From raw files to tensors: what would each leak have pretended to? ---------

RULES = ("honest", "one scale", "no groups", "all statistics")


def _raw_to_tensors_runs(sizes, landmarks):
    for seed in range(sizes["seeds"]):
        for method in ("training mean", "cohort mean", "ridge"):
            for rule in RULES:
                yield Run(method, {"targets": sizes["targets"], "rule": rule}, seed)


def _raw_to_tensors_measure(adata, run, device):
    c = run.configuration
    adata = thin(adata, c["targets"])
    label = adata.uns.get("within", c["group"])
    cohort = adata.obs[label].astype(str)
    if c["rule"] == "one scale":
        adata = _without_platforms(adata)
    group = None if c["rule"] == "no groups" else c["group"]
    splits = data.split(adata, run.seed, group)
    if c["rule"] == "all statistics":
        splits = _scaled_by_all(adata, splits)
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method == "ridge":
        parts = [v.numpy() for v in (train.x, train.y, validation.x, validation.y)]
        return scores(test.x.numpy() @ ridge(*parts), test.y)
    prediction = torch.zeros_like(test.y)
    if run.method == "cohort mean":
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


def _scaled_by_all(adata, splits):
    """`splits` standardised by all samples, those of the test set among them."""
    label = adata.uns.get("within")
    within = np.full(adata.n_obs, "") if label is None else adata.obs[label]
    scaled = np.empty(adata.shape, dtype=np.float32)
    for name in np.unique(within):
        part = adata[within == name]
        scaled[within == name] = standardize(part, *statistics(part)).X
    columns = [
        adata.var_names.get_indexer(g) for g in (splits.landmarks, splits.targets)
    ]
    parts = {}
    for name in ("train", "validation", "test"):
        rows = adata.obs_names.get_indexer(getattr(splits, name).samples)
        x, y = (torch.from_numpy(scaled[np.ix_(rows, c)]) for c in columns)
        parts[name] = replace(getattr(splits, name), x=x, y=y)
    return replace(splits, **parts)


RAW_TO_TENSORS = Experiment(
    name="raw-to-tensors",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group", "endometrial": "group"},
    sizes={
        "ci": {"targets": 250, "seeds": 2},
        "laptop": {"targets": None, "seeds": 5},
    },
    runs=_raw_to_tensors_runs,
    measure=_raw_to_tensors_measure,
)


# --- The masked low-rank sub-network: does G help? ------------------------------


def _masked_low_rank_runs(sizes, landmarks):
    network = {k: sizes[k] for k in ("targets", "hidden", "epochs")}
    for seed in range(sizes["seeds"]):
        for method in ("training mean", "ridge"):
            yield Run(method, {"targets": sizes["targets"]}, seed)
        for head, lr in sizes["starts"]:
            start = network | {"head": head, "lr": lr}
            yield Run("DenseNet", start, seed)
            for strength in sizes["strengths"]:
                g = {"rank": sizes["rank"], "strength": strength}
                yield Run("Deep-LSMTL", start | g, seed)


def _masked_low_rank_measure(adata, run, device):
    c = run.configuration
    splits = data.split(thin(adata, c["targets"]), run.seed, c["group"])
    train, validation, test = splits.train, splits.validation, splits.test
    if run.method == "training mean":
        return scores(torch.zeros_like(test.y), test.y)
    if run.method == "ridge":
        parts = [v.numpy() for v in (train.x, train.y, validation.x, validation.y)]
        return scores(test.x.numpy() @ ridge(*parts), test.y)
    D, T = len(splits.landmarks), len(splits.targets)
    torch.manual_seed(run.seed)
    network = DenseNet(D, T, tuple(c["hidden"]), head=c["head"]).to(device)
    g = MaskedLowRank(T, c["rank"], c["strength"]) if "strength" in c else None
    recipe = Recipe(epochs=c["epochs"], lr=c["lr"], final_lr=c["lr"] / 100)
    start = predict(network, test.x.to(device)).std(0).mean().item()
    trained = fit(network, train, validation, g, recipe, run.seed)
    best = trained.history["validation_mae"].idxmin()
    prediction = predict(trained.network, test.x.to(device)).cpu()
    return scores(prediction, test.y) | {
        "validation_mae": trained.history["validation_mae"][best],
        "best_epoch": int(best),
        "spread_at_start": start,
        "spread": prediction.std(0).mean().item(),
    }


def thin(adata, targets):
    """`adata` with at most that many targets, evenly spaced; None keeps all."""
    role = adata.var["role"].to_numpy(str)
    every = np.flatnonzero(role == "target")
    if targets is None or targets >= len(every):
        return adata
    kept = every[np.linspace(0, len(every) - 1, targets).astype(int)]
    return adata[:, np.union1d(np.flatnonzero(role == "landmark"), kept)]


FULL = {
    "targets": None,
    "starts": [(head, lr) for head in ("xavier", "zero") for lr in (1e-3, 1e-4)],
    "strengths": [0.03, 0.1, 0.3, 1.0],
    "seeds": 3,
}

MASKED_LOW_RANK = Experiment(
    name="masked-low-rank",
    recipe_version=2,  # 2: G draws from a stream of its own, Adam is fused
    datasets={"breast": "group", "ecoli": "group", "arrays": "group"},
    sizes={
        "ci": {
            "targets": 250,
            "hidden": [100, 100],
            "epochs": 40,
            "rank": 50,
            "starts": [("xavier", 1e-3), ("zero", 1e-4)],
            "strengths": [0.1, 0.3, 1.0],
            "seeds": 2,
        },
        "laptop": FULL | {"hidden": [300, 300], "epochs": 100, "rank": 300},
        "gpu": FULL | {"hidden": [3000, 3000], "epochs": 500, "rank": 1000},
    },
    runs=_masked_low_rank_runs,
    measure=_masked_low_rank_measure,
)

EXPERIMENTS = {e.name: e for e in (TRANSCRIPTOME, RAW_TO_TENSORS, MASKED_LOW_RANK)}
