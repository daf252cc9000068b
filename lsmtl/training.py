"""Train a base network, with or without a regulariser, as the paper does."""

import contextlib
import copy
import math
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd
import torch

from lsmtl._checks import finite, matrix, natural, one_of, whole
from lsmtl._progress import tqdm
from lsmtl.metrics import mae

WATCHED = 5000  # training profiles, drawn once, whose MAE lets the rate decay


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the paper's (Section 4.1).

    Args:
        epochs: passes over the training profiles.
        batch_size: profiles a step, B. A last, shorter batch is dropped; with fewer
            profiles than B, a batch is all of them.
        lr: learning rate in the first epoch.
        final_lr: its value in the last epoch, reached linearly; with `decay`, the
            least it can be.
        weight_decay: the optimiser's ℓ2 penalty on all weights.
        reduction: the loss as `"mean"` over batch and tasks, as `"sum"` over both, as
            it is printed, or as `"profile"`: the sum over tasks, its mean over the
            batch. λ's useful range moves with it.
        loss: `"absolute"`, |ŷ - y| (the ℓ1 loss), or `"squared"`, (ŷ - y)².
        optimizer: `"adam"` or `"sgd"`.
        momentum: SGD's, in [0, 1).
        decay: None for the linear rate. A factor in (0, 1] multiplies the rate after
            every epoch in which the MAE of the training profiles rose.
        deeper: the weights of every linear map but the first learn at this many
            times the rate.

    Raises:
        ValueError: a value is out of its range.

    >>> Recipe(epochs=3, lr=1e-2, final_lr=1e-4).rate(epoch=1)
    0.00505
    >>> Recipe(lr=0.5, decay=0.9).rate(epoch=3, train_mae=[0.8, 0.7, 0.75])
    0.45
    """

    epochs: int = 500
    batch_size: int = 100
    lr: float = 1e-3
    final_lr: float = 1e-5
    weight_decay: float = 0.0
    reduction: str = "mean"
    loss: str = "absolute"
    optimizer: str = "adam"
    momentum: float = 0.0
    decay: float | None = None
    deeper: float = 1.0

    def __post_init__(self):
        whole("epochs", self.epochs)
        if whole("batch_size", self.batch_size) < 2:
            raise ValueError("batch_size must be at least 2 for batch norm, got 1")
        finite("lr", self.lr, minimum=1e-12)
        finite("final_lr", self.final_lr)
        finite("weight_decay", self.weight_decay)
        one_of("reduction", self.reduction, ("mean", "sum", "profile"))
        one_of("loss", self.loss, ("absolute", "squared"))
        one_of("optimizer", self.optimizer, ("adam", "sgd"))
        if not finite("momentum", self.momentum) < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum!r}")
        if self.momentum and self.optimizer == "adam":
            raise ValueError(
                f"momentum is for the optimizer sgd; adam needs 0, got {self.momentum}"
            )
        if self.decay is not None and finite("decay", self.decay, 1e-12) > 1:
            raise ValueError(f"decay must be None or in (0, 1], got {self.decay!r}")
        finite("deeper", self.deeper)

    def rate(self, epoch, train_mae=()):
        """The learning rate of an epoch, counted from 0.

        Args:
            epoch: the epoch.
            train_mae: the MAE of the training profiles after each epoch before it;
                counts with `decay`.
        """
        if self.decay is not None:
            rises = sum(after > before for before, after in pairwise(train_mae))
            return max(self.lr * self.decay**rises, self.final_lr)
        done = epoch / max(self.epochs - 1, 1)
        return self.lr + done * (self.final_lr - self.lr)


@dataclass(frozen=True)
class Fit:
    """A trained network and how it got there.

    Args:
        network: the network of the epoch with the lowest validation MAE, in
            evaluation mode. The regulariser stays as the last epoch left it.
        history: a row an epoch: `epoch`, `lr`, `loss` (without the penalty),
            `penalty` (the regulariser's) and `validation_mae`; with the recipe's
            `decay` also `train_mae`.
    """

    network: torch.nn.Module
    history: pd.DataFrame


def fit(network, train, validation, regularizer=None, recipe=Recipe(), seed=0):
    r"""Minimise the loss plus a regulariser's penalty (Eq. 2: the ℓ1 loss, Adam).

    $\min \sum_i \| \mathbf{y}_i - \mathcal{F}(\mathbf{x}_i) \|_1 + \mathcal{R}$; the
    network that is returned is the one with the best MAE on the validation profiles.

    Args:
        network: F; trained in place, on the device that its parameters are on.
        train: profiles with `.x` (n, D) and `.y` (n, T), standardised.
        validation: profiles that choose the epoch.
        regularizer: a module from `lsmtl.regularizers`, or None. It gets a random
            stream of its own, so batches and dropout are the same with and without.
            Its `start_epoch(network)`, if it has one, is called before each epoch.
        recipe: a `Recipe`; its defaults are the paper's.
        seed: decides batches, dropout and masks. The same seed and the same start
            give the same result on a CPU.

    Returns:
        A `Fit`.

    Raises:
        ValueError: profiles and network don't match, there are too few profiles, or
            the loss stops being finite.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r}")
    if not isinstance(regularizer, torch.nn.Module | None):
        raise ValueError(
            f"regularizer must be a module like MaskedLowRank(…), got {regularizer!r}"
        )
    natural("seed", seed)
    if not (hasattr(network, "features") and hasattr(network, "head")):
        raise ValueError(
            "network must have features(x) and a head, such as an MLP or a DenseNet; "
            f"got {type(network).__name__} (a DGEX trains by lsmtl.dgex.fit)"
        )
    device = next(network.parameters()).device
    train_x, train_y = _profiles("train", train, network, device)
    valid_x, valid_y = _profiles("validation", validation, network, device)
    if len(train_x) < 2:
        raise ValueError(f"train has {len(train_x)} profiles; at least 2 are needed")
    modules = [network] if regularizer is None else [network, regularizer.to(device)]
    optimizer = make_optimizer(network, modules, recipe)
    batch = min(recipe.batch_size, len(train_x))
    history, best, best_state, train_mae = [], float("inf"), None, []
    shuffle = torch.Generator().manual_seed(seed)
    watched = None
    if recipe.decay is not None:
        watched = torch.randperm(len(train_x), generator=shuffle)[:WATCHED].to(device)
    with torch.random.fork_rng(), own_random(regularizer, "generator", device, seed):
        torch.manual_seed(seed)
        bar = tqdm(range(recipe.epochs), desc="fit", unit="epoch", leave=False)
        for epoch in bar:
            lr = recipe.rate(epoch, train_mae)
            for group in optimizer.param_groups:
                group["lr"] = lr * group["times"]
            if hasattr(regularizer, "start_epoch"):
                regularizer.start_epoch(network)
            network.train()
            order = torch.randperm(len(train_x), generator=shuffle).to(device)
            losses, penalties = [], []
            for rows in order.split(batch):
                if len(rows) < batch:
                    break
                loss, penalty = step(
                    optimizer,
                    network,
                    train_x[rows],
                    train_y[rows],
                    regularizer,
                    recipe,
                )
                losses.append(loss)
                penalties.append(penalty)
            score = mae(predict(network, valid_x), valid_y).mean().item()
            if watched is not None:
                of_train = predict(network, train_x[watched])
                train_mae.append(mae(of_train, train_y[watched]).mean().item())
            loss, penalty = (torch.stack(v).mean().item() for v in (losses, penalties))
            if not math.isfinite(loss + penalty + score):
                raise ValueError(
                    f"training diverged in epoch {epoch}: loss {loss}, penalty "
                    f"{penalty}, validation MAE {score}; check the profiles, or "
                    f"try a lower lr than {recipe.lr}"
                )
            history.append((epoch, lr, loss, penalty, score))
            if score < best:
                best, best_state = score, copy.deepcopy(network.state_dict())
            bar.set_postfix_str(f"validation MAE {score:.4f}")
    network.load_state_dict(best_state)
    names = ["epoch", "lr", "loss", "penalty", "validation_mae"]
    history = pd.DataFrame(history, columns=names)
    if watched is not None:
        history["train_mae"] = train_mae
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
    with evaluating(model.modules()), torch.no_grad():
        return model(x.to(next(model.parameters())))


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


def make_optimizer(network, modules, recipe):
    """Adam or SGD; a group's rate is `times` that of the recipe."""
    maps = [m.weight for m in network.modules() if isinstance(m, torch.nn.Linear)]
    deeper = {id(weight) for weight in maps[1:]}
    groups = [{"params": [], "times": 1.0}, {"params": [], "times": recipe.deeper}]
    for module in modules:
        for p in module.parameters():
            groups[id(p) in deeper]["params"].append(p)
    options = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, **options)
    return torch.optim.Adam(groups, fused=True, **options)


def step(optimizer, network, x, y, regularizer, recipe):
    """Take a training step on a batch; gives its loss and penalty, detached."""
    loss, penalty = _losses(network, x, y, regularizer, recipe)
    optimizer.zero_grad()
    (loss + penalty).backward()
    optimizer.step()
    return loss.detach(), penalty.detach()


def _losses(network, x, y, regularizer, recipe):
    """The loss of a batch and the regulariser's penalty."""
    features = network.features(x)  # (B, w)
    predictions = network.head(features)  # (B, T)
    error = predictions - y  # (B, T)
    error = error.abs() if recipe.loss == "absolute" else error.square()
    if recipe.reduction == "mean":
        loss = error.mean()
    elif recipe.reduction == "sum":
        loss = error.sum()
    else:  # "profile"
        loss = error.sum(1).mean()
    if regularizer is None:
        return loss, torch.zeros_like(loss)
    return loss, regularizer(network, features, predictions, error.mean(0))


def _profiles(name, profiles, network, device):
    """x and y on the device, checked against the network."""
    if not all(torch.is_tensor(getattr(profiles, k, None)) for k in "xy"):
        raise ValueError(
            f"{name} must hold tensors x and y (see lsmtl.data.split), got "
            f"{type(profiles).__name__}"
        )
    x, y = profiles.x.to(device), profiles.y.to(device)
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
