"""D-GEX, the paper's deep baseline (Chen et al. 2016), with its own recipe.

Two MLPs with tanh units, each for half of the targets. Choices that the article leaves
open follow its code: https://github.com/uci-cbcl/D-GEX.
"""

from types import SimpleNamespace

import pandas as pd
import torch
from torch import nn

from lsmtl import training
from lsmtl._checks import whole
from lsmtl.networks import MLP
from lsmtl.training import Fit, Recipe, check_profiles


class DGEX(nn.Module):
    """Two MLPs side by side, each predicts half of the targets.

    They share nothing, so there is no head over both; `halves` are the two networks.
    Hidden layers are tanh units without batch norm, started by Glorot; dropout is on
    hidden layers only; the head starts uniformly within ±1e-4.

    Args:
        landmarks: D, the number of input genes.
        targets: T, the number of genes to predict; the first half has one more if T
            is odd.
        hidden: units of each hidden layer, of each half.
        dropout: share of the hidden units that are dropped in training, in [0, 1);
            D-GEX tries 0, 0.1 and 0.25.

    Raises:
        ValueError: an argument is out of its range.

    >>> network = DGEX(20, 7, hidden=(8,))
    >>> [half.targets for half in network.halves]
    [4, 3]
    >>> network(torch.zeros(5, 20)).shape
    torch.Size([5, 7])
    """

    def __init__(self, landmarks, targets, hidden=(9000, 9000, 9000), dropout=0.1):
        super().__init__()
        if whole("targets", targets) < 2:
            raise ValueError("targets must be at least 2, one for each half; got 1")
        options = {"head": "small", "activation": "tanh", "batch_norm": False}
        self.landmarks, self.targets = landmarks, targets
        self.halves = nn.ModuleList(
            MLP(landmarks, count, hidden, dropout, **options)
            for count in (targets - targets // 2, targets // 2)
        )

    def forward(self, x):
        """Predictions (B, T) from standardised landmark values x (B, D)."""
        return torch.cat([half(x) for half in self.halves], dim=1)


def recipe(hidden_layers, epochs=200, batch_size=200):
    """D-GEX's recipe for a number of hidden layers.

    SGD with momentum 0.5 on the squared error (summed over the targets, mean over the
    batch), rate 5e-4 with one hidden layer and 3e-4 with more. The rate falls by a
    factor of 0.9 when the training MAE rises, not below 1e-5, and is three times as
    high for the weights after the first layer. D-GEX multiplies a gradient by the rate
    before it enters the momentum, PyTorch after; the steps differ only just after a
    change of the rate.

    Args:
        hidden_layers: their number.
        epochs: passes over the training profiles; D-GEX's example has 200.
        batch_size: profiles a step; D-GEX has 200.

    Raises:
        ValueError: a value is out of its range.

    >>> recipe(1).lr, recipe(3).lr
    (0.0005, 0.0003)
    """
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        lr=5e-4 if whole("hidden_layers", hidden_layers) == 1 else 3e-4,
        final_lr=1e-5,
        reduction="profile",
        loss="squared",
        optimizer="sgd",
        momentum=0.5,
        decay=0.9,
        deeper=3.0,
    )


def fit(network, train, validation, recipe, seed=0):
    """Train both halves, each by `lsmtl.training.fit` on its own targets.

    Each half has a learning rate and a best epoch of its own.

    Args:
        network: a `DGEX`; trained in place, on the device that it is on.
        train: profiles with `.x` (n, D) and `.y` (n, T), standardised.
        validation: profiles that choose the epoch.
        recipe: a `Recipe`, such as `recipe(hidden_layers)`.
        seed: decides batches and dropout, of both halves alike.

    Returns:
        A `Fit`; its history has both halves, told apart by the column `half`.

    Raises:
        ValueError: as `lsmtl.training.fit`, or the network is no `DGEX`.
    """
    if not isinstance(network, DGEX):
        raise ValueError(f"network must be a DGEX, got {type(network).__name__}")
    train_x, train_y = check_profiles("train", train, network)
    valid_x, valid_y = check_profiles("validation", validation, network)
    histories, first = [], 0
    for number, half in enumerate(network.halves):
        mine = slice(first, first + half.targets)
        trained = training.fit(
            half,
            SimpleNamespace(x=train_x, y=train_y[:, mine]),
            SimpleNamespace(x=valid_x, y=valid_y[:, mine]),
            recipe=recipe,
            seed=seed,
        )
        histories.append(trained.history.assign(half=number))
        first += half.targets
    return Fit(network.eval(), pd.concat(histories, ignore_index=True))
