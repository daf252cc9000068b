"""Train a base network, with or without a regulariser, as the paper does."""

import contextlib
import math
import time
from dataclasses import asdict, dataclass
from functools import partial

import pandas as pd
import torch

from lsmtl import engine, memory
from lsmtl._checks import finite, matrix, natural, one_of
from lsmtl._progress import CALM, tqdm
from lsmtl.checkpoints import Checkpoint, Progress
from lsmtl.metrics import mae
from lsmtl.objective import Objective, make_optimizer, set_rate, step
from lsmtl.recipe import DEFAULT, Recipe

__all__ = ["Fit", "Recipe", "choose", "fit", "predict"]

WATCHED = 5000  # training profiles, drawn once, whose MAE lets the rate decay
BLOCK = 4096  # profiles that are predicted at a time
HISTORY = ["epoch", "lr", "loss", "penalty", "validation_mae"]


@dataclass(frozen=True)
class Fit:
    """A trained network and how it got there.

    Args:
        network: the network of the epoch with the lowest validation MAE, or of the
            last as the recipe says, in evaluation mode. The regulariser stays as the
            last epoch left it.
        history: a row an epoch: `epoch`, `lr`, `loss` (without the penalty),
            `penalty` (the regulariser's) and `validation_mae`; with the recipe's
            `decay` also `train_mae`.
    """

    network: torch.nn.Module
    history: pd.DataFrame


def fit(
    network,
    train,
    validation,
    regularizer=None,
    recipe=DEFAULT,
    seed=0,
    *,
    device=None,
    resident=None,
    graph=False,
    checkpoint=None,
    minutes=None,
):
    r"""Minimise the loss plus a regulariser's penalty (Eq. 2: the ℓ1 loss, Adam).

    $\min \sum_i \| \mathbf{y}_i - \mathcal{F}(\mathbf{x}_i) \|_1 + \mathcal{R}$; the
    network that is returned is the one with the best MAE on the validation profiles,
    unless the recipe keeps the last.
    Started by `torchrun`, every process takes its share of each batch (DDP).

    Args:
        network: F; trained in place.
        train: profiles with `.x` (n, D) and `.y` (n, T), standardised.
        validation: profiles that choose the epoch.
        regularizer: a module from `lsmtl.regularizers`, or None. It gets a random
            stream of its own, so batches and dropout are the same with and without
            (dropout not with moments in BF16, which are rounded at random).
            Its `start_epoch(network)`, if it has one, is called before each epoch.
        recipe: a `Recipe`; its defaults are the paper's.
        seed: decides batches, dropout and masks. The same seed and the same start
            give the same result on a CPU.
        device: where to train, `"cpu"`, `"cuda"`, `"cuda:1"` or a
            `lightning.fabric.Fabric`; None is where the network's parameters are.
        resident: whether the profiles lie on the device (True) or are sent there
            batch by batch (False); None keeps them there if they fit.
        graph: replay the steps as a CUDA graph, which saves time where a network is
            small; not with a regulariser that looks at values in a step (`CNMTL`).
        checkpoint: a file, written after an epoch, at most once a minute, and at the
            end. If it is there, training goes on as if it had not stopped.
        minutes: begin no epoch that would end later; the first always runs.

    Returns:
        A `Fit`.

    Raises:
        ValueError: profiles and network don't match, there are too few profiles, the
            loss stops being finite, or the checkpoint is of another training.
        MemoryError: they don't fit on the device; it says what would.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r}")
    if not isinstance(regularizer, torch.nn.Module | None):
        raise ValueError(
            f"regularizer must be a module like MaskedLowRank(…), got {regularizer!r}"
        )
    natural("seed", seed)
    one_of("resident", resident, (None, True, False))
    one_of("graph", graph, (True, False))
    if not (hasattr(network, "features") and hasattr(network, "head")):
        raise ValueError(
            "network must have features(x) and a head, such as an MLP or a DenseNet; "
            f"got {type(network).__name__} (a DGEX trains by lsmtl.dgex.fit)"
        )
    train = check_profiles("train", train, network)
    validation = check_profiles("validation", validation, network)
    if len(train[0]) < 2:
        raise ValueError(f"train has {len(train[0])} profiles; at least 2 are needed")
    objective = Objective(network, regularizer, recipe)
    run = engine.launch(device, objective, graph)
    limit = math.inf if minutes is None else 60 * finite("minutes", minutes)
    with (
        memory.explained(run.device, objective, train),
        engine.settings(run.device, None if run is device else recipe.precision),
        torch.random.fork_rng([run.device] if run.device.type == "cuda" else []),
        own_random(regularizer, "generator", run.device, seed),
    ):
        torch.manual_seed(seed + run.global_rank)
        if resident is None:
            resident = memory.fits(run.device, objective, train)
        if resident:
            train, validation = (
                [v.to(run.device) for v in part] for part in (train, validation)
            )
        return _fit(run, objective, train, validation, seed, graph, checkpoint, limit)


def _fit(run, objective, train, validation, seed, graph, checkpoint, limit):
    """The loop of `fit`."""
    network, regularizer = objective.network, objective.regularizer
    recipe, began = objective.recipe, time.monotonic()
    trained = run.setup_module(objective)
    optimizer = make_optimizer(network, objective.children(), recipe, graph)
    generators = [v for v in [getattr(regularizer, "generator", None)] if v is not None]
    take = partial(step, run, optimizer, trained)
    if graph:
        take = engine.Graphed(take, generators)
    shuffle = torch.Generator().manual_seed(seed)
    watched = None
    if recipe.decay is not None:
        rows = torch.randperm(len(train[0]), generator=shuffle)[:WATCHED]
        watched = [v[rows.to(v.device)] for v in train]
    progress = Progress()
    keeper = Checkpoint(
        checkpoint, run, objective, optimizer, [shuffle, *generators], progress
    )
    keeper.resume({"recipe": asdict(recipe), "seed": seed}, train, validation)
    first = progress.epoch
    shown = CALM | ({"disable": True} if run.global_rank else {})
    bar = tqdm(range(first, recipe.epochs), desc="fit", unit="epoch", **shown)
    for epoch in bar:
        lr = recipe.rate(epoch, progress.train_mae)
        set_rate(optimizer, lr)
        if hasattr(regularizer, "start_epoch"):
            regularizer.start_epoch(network)
        network.train()
        rows = engine.shares(run, len(train[0]), recipe.batch_size, shuffle)
        losses = [
            torch.stack(take(x, y))  # loss, penalty
            for x, y in engine.batches(*train, rows, run.device)
        ]
        loss, penalty = run.all_reduce(torch.stack(losses, 1).mean(1)).tolist()
        engine.agree(run, network)
        score = evaluate(run, network, *validation)
        if not math.isfinite(loss + penalty + score):
            raise ValueError(
                f"training diverged in epoch {epoch}: loss {loss}, penalty "
                f"{penalty}, validation MAE {score}; check the profiles, or "
                f"try a lower lr than {recipe.lr}"
            )
        if watched is not None:
            progress.train_mae.append(evaluate(run, network, *watched))
        progress.add((epoch, lr, loss, penalty, score), network)
        bar.set_postfix_str(f"validation MAE {score:.4f}", refresh=False)
        spent = engine.agreed(run, time.monotonic() - began)
        last = epoch + 1 == recipe.epochs
        last |= spent + spent / (progress.epoch - first) > limit
        keeper.save(spent, last)
        if last:
            break
    if recipe.keep == "best":
        network.load_state_dict(progress.best_state)
    history = pd.DataFrame(progress.history, columns=HISTORY)
    if watched is not None:
        history["train_mae"] = progress.train_mae
    return Fit(network.eval(), history)


def predict(model, x):
    """Predictions (n, T) of a network or of any other fitted model.

    Args:
        model: a network, used in evaluation mode and left in the mode it was in, or a
            fitted model with `.predict`, from `lsmtl.linear` or scikit-learn.
        x: (n, D) standardised landmark values, a tensor or an array.

    Raises:
        ValueError: the model is not fitted, or x has another number of landmarks than
            the model or values that are not finite.

    >>> from lsmtl.linear import LeastSquares
    >>> predict(LeastSquares().fit([[1.], [2.]], [[2.], [4.]]), [[3.]]).tolist()
    [[6.0]]
    """
    x = matrix("x", x)
    if not isinstance(model, torch.nn.Module):
        if not callable(getattr(model, "predict", None)):
            raise ValueError(
                f"model must be a network or have .predict, got {type(model).__name__}"
            )
        found = torch.as_tensor(model.predict(x.numpy(force=True)))
        return found.float().reshape(len(x), -1)  # one target: scikit-learn gives (n,)
    weights = next(model.parameters())
    with evaluating(model.modules()), torch.no_grad():
        return torch.cat([model(part.to(weights)) for part in x.split(BLOCK)])


def choose(models, x, y):
    """The fitted model with the lowest MAE on validation rows; the first of equals.

    Args:
        models: fitted models or networks, such as a path over strengths; one that
            makes them on the way, a generator, keeps only two at a time.
        x: (n, D) landmark values of the validation rows.
        y: (n, T) their target values.

    Raises:
        ValueError: there is no model, none has a finite error, or one can't be used
            (see `predict`).
    """
    best, lowest, y, model = None, float("inf"), matrix("y", y), None
    for model in models:
        error = mae(predict(model, x).to(y.device), y).mean().item()
        if error < lowest:
            best, lowest = model, error
    if model is None:
        raise ValueError("models is empty; give at least one fitted model")
    if best is None:
        raise ValueError("no model has a finite error on the validation rows")
    return best


@contextlib.contextmanager
def evaluating(modules):
    """Modules in evaluation mode for a while; each is left in the mode it was in.

    Args:
        modules: they alone, not what they contain.
    """
    modes = {module: module.training for module in modules}
    try:
        for module in modes:
            module.training = False
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextlib.contextmanager
def own_random(module, name, device, seed):
    """Give a module a random stream of its own for a while, if there is a module.

    Its draws then leave batches and dropout as they are without it.
    """
    if module is None:
        yield
        return
    before = getattr(module, name, None)
    setattr(module, name, torch.Generator(device).manual_seed(seed))
    try:
        yield
    finally:
        setattr(module, name, before)


def evaluate(run, network, x, y):
    """The MAE over all genes and profiles, a number; each process takes its share."""
    n = len(x)
    x, y = (v[run.global_rank :: run.world_size] for v in (x, y))
    error = torch.zeros((), dtype=torch.double, device=run.device)
    for some, measured in zip(x.split(BLOCK), y.split(BLOCK), strict=True):
        if len(some):
            found = mae(predict(network, some), measured.to(run.device)).mean()
            error += found * (len(some) / n)
    return run.all_reduce(error).item() * run.world_size


def check_profiles(name, profiles, network):
    """Their x and y, if they match the network."""
    if not all(torch.is_tensor(getattr(profiles, k, None)) for k in "xy"):
        raise ValueError(
            f"{name} must hold tensors x and y (see lsmtl.data.split), got "
            f"{type(profiles).__name__}"
        )
    x, y = profiles.x, profiles.y
    if x.dim() != 2 or y.dim() != 2 or len(x) != len(y) or not len(x):
        raise ValueError(
            f"{name} must hold x (n, landmarks) and y (n, targets) of the same n > 0, "
            f"got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    found = (x.shape[1], y.shape[1])
    if found != (network.landmarks, network.targets):
        raise ValueError(
            f"{name} has {found[0]} landmarks and {found[1]} targets, the network "
            f"takes {network.landmarks} and predicts {network.targets}"
        )
    return x, y
