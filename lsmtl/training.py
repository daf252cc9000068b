"""Train a base network, with or without a regulariser, as the paper does."""

import copy
import math
from dataclasses import dataclass

import pandas as pd
import torch

from lsmtl._checks import finite, natural, one_of, whole
from lsmtl._progress import tqdm
from lsmtl.metrics import mae


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the paper's (Section 4.1).

    Args:
        epochs: passes over the training profiles.
        batch_size: profiles a step, B. A last, shorter batch is dropped; with fewer
            profiles than B, a batch is all of them.
        lr: Adam's learning rate in the first epoch.
        final_lr: its value in the last epoch, reached linearly.
        weight_decay: Adam's ℓ2 penalty on all weights.
        reduction: the ℓ1 loss as `"mean"` over batch and tasks or as `"sum"`, as it
            is printed; λ's useful range moves with it.

    Raises:
        ValueError: a value is out of its range.

    >>> Recipe(epochs=3, lr=1e-2, final_lr=1e-4).rate(epoch=1)
    0.00505
    """

    epochs: int = 500
    batch_size: int = 100
    lr: float = 1e-3
    final_lr: float = 1e-5
    weight_decay: float = 0.0
    reduction: str = "mean"

    def __post_init__(self):
        whole("epochs", self.epochs)
        if whole("batch_size", self.batch_size) < 2:
            raise ValueError("batch_size must be at least 2 for batch norm, got 1")
        finite("lr", self.lr, minimum=1e-12)
        finite("final_lr", self.final_lr)
        finite("weight_decay", self.weight_decay)
        one_of("reduction", self.reduction, ("mean", "sum"))

    def rate(self, epoch):
        """The learning rate of an epoch, counted from 0."""
        done = epoch / max(self.epochs - 1, 1)
        return self.lr + done * (self.final_lr - self.lr)


@dataclass(frozen=True)
class Fit:
    """A trained network and how it got there.

    Args:
        network: the network of the epoch with the lowest validation MAE, in
            evaluation mode.
        history: a row an epoch: `epoch`, `lr`, `loss` (the ℓ1 loss), `penalty` (the
            regulariser's) and `validation_mae`.
    """

    network: torch.nn.Module
    history: pd.DataFrame


def fit(network, train, validation, regularizer=None, recipe=Recipe(), seed=0):
    r"""Minimise the ℓ1 loss plus a regulariser's penalty with Adam (Eq. 2).

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
    device = next(network.parameters()).device
    train_x, train_y = _profiles("train", train, network, device)
    valid_x, valid_y = _profiles("validation", validation, network, device)
    if len(train_x) < 2:
        raise ValueError(f"train has {len(train_x)} profiles; at least 2 are needed")
    modules = [network] if regularizer is None else [network, regularizer.to(device)]
    parameters = [p for module in modules for p in module.parameters()]
    adam = torch.optim.Adam(
        parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
    )
    batch = min(recipe.batch_size, len(train_x))
    history, best, best_state = [], float("inf"), None
    shuffle = torch.Generator().manual_seed(seed)
    if regularizer is not None:  # its draws leave batches and dropout as they are
        regularizer.generator = torch.Generator(device).manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        bar = tqdm(range(recipe.epochs), desc="fit", unit="epoch", leave=False)
        for epoch in bar:
            for group in adam.param_groups:
                group["lr"] = recipe.rate(epoch)
            if hasattr(regularizer, "start_epoch"):
                regularizer.start_epoch(network)
            network.train()
            order = torch.randperm(len(train_x), generator=shuffle).to(device)
            losses, penalties = [], []
            for rows in order.split(batch):
                if len(rows) < batch:
                    break
                loss, penalty = _losses(
                    network, train_x[rows], train_y[rows], regularizer, recipe
                )
                adam.zero_grad()
                (loss + penalty).backward()
                adam.step()
                losses.append(loss.detach())
                penalties.append(penalty.detach())
            score = mae(predict(network, valid_x), valid_y).mean().item()
            loss, penalty = (torch.stack(v).mean().item() for v in (losses, penalties))
            if not math.isfinite(loss + penalty + score):
                raise ValueError(
                    f"training diverged in epoch {epoch}: loss {loss}, penalty "
                    f"{penalty}, validation MAE {score}; check the profiles, or "
                    f"try a lower lr than {recipe.lr}"
                )
            history.append((epoch, recipe.rate(epoch), loss, penalty, score))
            if score < best:
                best, best_state = score, copy.deepcopy(network.state_dict())
            bar.set_postfix_str(f"validation MAE {score:.4f}")
    if regularizer is not None:
        regularizer.generator = None
    network.load_state_dict(best_state)
    names = ["epoch", "lr", "loss", "penalty", "validation_mae"]
    return Fit(network.eval(), pd.DataFrame(history, columns=names))


def predict(network, x):
    """Predictions (n, T) for profiles x (n, D), in evaluation mode, no gradient."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    with torch.no_grad():
        predictions = network(x)
    for module, training in modes.items():
        module.training = training
    return predictions


def _losses(network, x, y, regularizer, recipe):
    """The ℓ1 loss of a batch and the regulariser's penalty."""
    features = network.features(x)  # (B, w)
    predictions = network.head(features)  # (B, T)
    error = (predictions - y).abs()  # (B, T)
    loss = error.mean() if recipe.reduction == "mean" else error.sum()
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
