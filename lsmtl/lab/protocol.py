"""How a row of the tables is trained, chosen and tested: the same way for all.

Dropout, λ and K are chosen on validation profiles over the paper's grids, one after
the other from the middle of each, by a narrow network on some of the targets. The
network itself keeps the epoch with the lowest validation MAE. Test profiles are looked
at once, with what was chosen.
"""

from dataclasses import replace
from itertools import islice
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch

from lsmtl import data, dgex, metrics
from lsmtl._checks import one_of
from lsmtl.data import Profiles
from lsmtl.data.splits import assemble
from lsmtl.lab import shallow
from lsmtl.lab.experiments import Run
from lsmtl.lab.measuring import drawn, scores, thin
from lsmtl.lab.penalties import METHODS, regularizer
from lsmtl.networks import MLP, DenseNet
from lsmtl.semigan import SemiGAN, fit_semigan
from lsmtl.training import Recipe, fit, predict

HOW = ("within", "halves", "across", "left out")
BASES = MappingProxyType({"DenseNet": DenseNet, "MLP": MLP})
SHALLOW = MappingProxyType(  # the paper's name → ours
    {
        "LSR": "least squares",
        "LSR-L1": "lasso",
        "LSR-L2": "ridge",
        "KNN": "KNN",
        "kernel ridge": "kernel ridge",
    }
)
DROPOUT = (0.05, 0.1, 0.25)  # the paper's
STRENGTH = MappingProxyType(  # λ: a decade apart, as the paper's 0.1, 1, 10
    {"SemiGAN": (0.1, 1.0, 10.0)}
    | {name: method.strengths for name, method in METHODS.items() if method.strengths}
)
DGEX_DROPOUT = (0.0, 0.1, 0.25)  # D-GEX's
DGEX_STEPS = 3  # in an epoch of D-GEX, where there are few profiles
KEPT = 8  # scenarios and seeds whose splits and choices are remembered
LARGE = 10**8  # values from which on only one of these fits into memory
GROUPS = 1000  # of test profiles in a record, at most; more are pooled at random
CHOICE = ("base", "head", "search", "ranks")  # what a choice depends on
SIMULATED = ("samples", "landmarks")


def measure(adata, run, device):
    """Train a run's model, choose, test: the metrics of its record.

    Besides `scores`: `r` and `r_sd`, Pearson's correlation of a target over the test
    profiles, its mean and spread over targets; `errors` and `counts`, the MAE and the
    number of profiles of each test group (pooled to `GROUPS` of them where there are
    more), which a bootstrap draws from; `mae_apart`,
    the MAE without targets of a landmark's own gene, where the set tells; and what
    was chosen. Where the configuration has a `detail`: `genes`, the MAE of each target,
    and for networks `curve`, the validation MAE of each epoch.
    """
    c, case = run.configuration, _case(adata, run, device)
    train, validation, test = case.parts
    if run.method == "training mean":
        return _tested(case, torch.zeros_like(test.y)) | {
            "validation_mae": validation.y.abs().mean().item()
        }
    if run.method in SHALLOW:
        known = [Profiles(part.x.cpu(), part.y.cpu()) for part in (train, validation)]
        grid = {k: c[k] for k in ("strengths",) if k in c}
        setting, model, errors = shallow.best(SHALLOW[run.method], *known, **grid)
        prediction = predict(model, test.x)
        found = _tested(case, prediction) | {"validation_mae": min(errors)}
        found |= {"genes": _genes(prediction, test)} if c.get("detail") else {}
        return found | {f"chosen_{k}": v for k, v in setting.items()}
    settings = case.choose(run, device)
    if "ranks" in c:
        settings = settings | {"rank": c["ranks"][settings.pop("rank")]}
    trained = train_row(run.method, c, settings, train, validation, run.seed, device)
    prediction = predict(trained.network, test.x).to(test.y.device)
    best = _best(trained)
    found = _tested(case, prediction) | {f"chosen_{k}": v for k, v in settings.items()}
    found["validation_mae"] = best["validation_mae"].mean()
    if c.get("detail"):
        found["genes"] = _genes(prediction, test)
        found["curve"] = trained.history["validation_mae"].round(5).tolist()
    return found | {"best_epoch": int(best["epoch"].max())}


def split(adata, configuration, seed, device="cpu"):
    """Training, validation and test profiles of a run, by its scenario.

    Within a set they are drawn at random, in groups. In halves, two seeds are the two
    sides of one draw. Across platforms a model is trained on one, chosen on a second
    and tested on others. With a study left out, it is tested on that study.

    Args:
        adata: AnnData, or None for simulated data.
        configuration: its `scenario` is one of `HOW`, its `group` the obs column that
            keeps samples together, or the one that names the study to leave out.
        seed: decides who goes where; with `"left out"` also which study is left out.
            Across platforms nothing is left to chance if a platform is there to choose
            on; else the training platforms take turns in that.
        device: where simulated profiles lie.

    Returns:
        `Splits`.
    """
    c = configuration
    how = one_of("scenario", c["scenario"], HOW)
    if adata is None:
        size = c["samples"], c["landmarks"], c["targets"]
        return drawn(*size, seed, device=device)
    adata = thin(adata, c["targets"])
    if how == "within":
        return data.split(adata, seed, c["group"])
    if how == "halves":
        both = data.two_halves(adata, seed // 2, c["group"])
        return next(islice(both, seed % 2, None))
    if how == "left out":
        studies = adata.obs[c["group"]].nunique()
        keep = "group" if "group" in adata.obs else None
        every = data.leave_one_out(adata, c["group"], seed, keep=keep)
        return next(islice(every, seed % studies, None))[1]
    use, platform = (adata.obs[k].to_numpy(str) for k in ("use", "platform"))
    part = np.select([use == "train", use == "validation"], [0, 1], 2)
    if 1 not in part:
        turns = np.unique(platform[part == 0])
        part[platform == turns[seed % len(turns)]] = 1
    return assemble(adata, part)


def train_row(method, c, settings, train, validation, seed, device):
    """A row's network, trained with settings; a `Fit`.

    Args:
        method: of a `Row` with units.
        c: `base`, `hidden`, `head`, `epochs`, `batch_size`, perhaps `precision`.
        settings: `dropout`, and where the method has them `strength` and `rank`.
        train, validation: `Profiles`.
        seed: decides the network's start, its batches, dropout and masks.
        device: where to train.
    """
    D, T = train.x.shape[1], train.y.shape[1]
    hidden, dropout = tuple(c["hidden"]), settings["dropout"]
    torch.manual_seed(seed)
    if method == "D-GEX":
        network = dgex.DGEX(D, T, hidden, dropout).to(device)
        batch = min(200, max(len(train.x) // DGEX_STEPS, 2))
        recipe = dgex.recipe(len(hidden), c["epochs"], batch)
        return dgex.fit(network, train, validation, recipe, seed)
    network = BASES[c["base"]](D, T, hidden, dropout, head=c["head"]).to(device)
    precision = c.get("precision", "fp32")
    recipe = Recipe(c["epochs"], c["batch_size"], precision=precision)
    if method == "SemiGAN":
        recipe = replace(recipe, precision="fp32")
        gan = SemiGAN(D, T, hidden, generated=settings["strength"], estimated=0)
        return fit_semigan(network, train, validation, gan, None, recipe, seed)
    penalty = None
    if method not in BASES:
        w, given = network.head.in_features, {**settings}
        del given["dropout"]
        penalty = regularizer(method, T, w, **given)
    return fit(network, train, validation, penalty, recipe, seed)


class _Case:
    """Splits that runs share, and what has been chosen on them."""

    def __init__(self, adata, run, device):
        self.adata = adata  # held, so that its identity stays its own
        c = run.configuration
        self.splits = split(adata, c, _draw(run), device)
        self.parts = self.splits.train, self.splits.validation, self.splits.test
        self._known = {}

    def choose(self, run, device):
        """The dropout, λ and K (its place in the grid) of a run's method."""
        c = run.configuration
        known = run.method, *(str(c.get(k)) for k in CHOICE)
        if known not in self._known:
            self._known[known] = self._chosen(run, device)
        return dict(self._known[known])

    def _chosen(self, run, device):
        c = run.configuration
        units, every, epochs = c["search"]
        small = c | {"hidden": [units, units], "epochs": epochs, "batch_size": 100}
        train, validation = (
            Profiles(part.x, part.y[:, ::every]) for part in self.parts[:2]
        )
        targets = train.y.shape[1]
        ranks = [max(rank // every, 1) for rank in c.get("ranks", ())]
        if run.method in (*BASES, "D-GEX"):
            settings, grids = {}, {"dropout": DROPOUT}
            if run.method == "D-GEX":
                grids = {"dropout": DGEX_DROPOUT}
        else:  # the dropout of the network without its penalty
            base = {k: v for k, v in c.items() if k != "ranks"}
            settings = self.choose(Run(c["base"], base, run.seed), device)
            grids = {"strength": STRENGTH[run.method]}
            if ranks:
                grids["rank"] = range(len(ranks))

        def error(tried):
            if "rank" in tried:
                tried = tried | {"rank": min(ranks[tried["rank"]], targets)}
            trained = train_row(
                run.method, small, tried, train, validation, run.seed, device
            )
            return _best(trained)["validation_mae"].mean()

        return search(settings, grids, error)


def search(settings, grids, error):
    """Choose settings one after the other, each with the others as they stand.

    Args:
        settings: dict of what is given.
        grids: dict of name → values, in this order; each starts from the middle.
        error: (settings) → what is to be low; asked once for each.

    Returns:
        `settings` with what was chosen.

    >>> search({}, {"a": (1, 2, 3), "b": (1, 2, 3)}, lambda s: (s["a"] - s["b"]) ** 2)
    {'a': 2, 'b': 2}
    """
    settings = settings | {name: grid[len(grid) // 2] for name, grid in grids.items()}
    errors = {}

    def remembered(tried):
        key = tuple(tried.items())
        if key not in errors:
            errors[key] = error(tried)
        return errors[key]

    for name, grid in grids.items():
        settings = min((settings | {name: v} for v in grid), key=remembered)
    return settings


def _best(trained):
    """The row of a `Fit`'s history with the lowest validation MAE; two for D-GEX."""
    history = trained.history
    halves = history["half"] if "half" in history else np.zeros(len(history))
    return history.loc[history.groupby(halves)["validation_mae"].idxmin()]


def _draw(run):
    """The seed of a run's splits: its own, unless the configuration fixes another."""
    return run.configuration.get("split", run.seed)


_cases = {}


def _case(adata, run, device):
    """The `_Case` of a run, kept for the next one."""
    shared = ("scenario", "group", "targets", *SIMULATED)
    c = run.configuration
    key = (id(adata), run.seed, _draw(run), *(c.get(k) for k in shared))
    if key not in _cases:
        large = adata is not None and adata.n_obs * adata.n_vars > LARGE
        while len(_cases) >= (1 if large else KEPT):
            del _cases[next(iter(_cases))]
        _cases[key] = _Case(adata, run, device)
    return _cases[key]


def _genes(prediction, test):
    """The MAE of each target, to four digits."""
    error = metrics.mae(torch.as_tensor(prediction).cpu(), test.y.cpu())
    return error.numpy().round(4).tolist()


def _tested(case, prediction):
    """Scores of predictions (n, T) for the test profiles of a case."""
    test = case.splits.test
    prediction = torch.as_tensor(prediction, dtype=torch.float32)
    prediction, y = prediction.cpu(), test.y.cpu()
    r = metrics.pearson(prediction, y).numpy()
    found = scores(prediction, y)
    found |= {"r": round(float(r.mean()), 6), "r_sd": round(float(r.std()), 6)}
    error = (prediction - y).abs()
    groups = np.arange(len(y)).astype(str)
    if case.adata is not None:
        obs, var = case.adata.obs, case.adata.var
        if "group" in obs:
            groups = obs["group"][list(test.samples)].to_numpy(str)
        if "landmark_gene" in var:
            own = var["landmark_gene"][list(case.splits.targets)].astype(str) == "True"
            found["mae_apart"] = round(error[:, ~own.to_numpy()].mean().item(), 6)
    names, codes = np.unique(groups, return_inverse=True)
    if len(names) > GROUPS:
        groups = np.random.default_rng(0).permutation(len(names))[codes] % GROUPS
    by = pd.Series(error.mean(1).numpy()).groupby(groups, sort=False)
    found["errors"] = by.mean().round(5).tolist()
    found["counts"] = by.size().tolist()
    return found
