"""The base network F, from landmark to target genes: a plain MLP and a DenseNet.

Shapes: B batch, D landmarks, T targets, H units of a hidden layer, w features at
the head.
"""

from collections.abc import Sequence
from math import sqrt

import torch
from torch import nn

from lsmtl._checks import finite, one_of, whole

HEADS = ("xavier", "small", "zero")
SMALL = 1e-4  # the head "small": uniform within ±1e-4, as D-GEX starts it
ACTIVATIONS = {"leaky": lambda: nn.LeakyReLU(0.2), "tanh": nn.Tanh}


def _layer(inputs, units, dropout, activation, batch_norm):
    """Linear → BatchNorm → activation → Dropout, with batch norm or without."""
    return nn.Sequential(
        nn.Linear(inputs, units),
        *([nn.BatchNorm1d(units)] if batch_norm else []),
        ACTIVATIONS[activation](),
        nn.Dropout(dropout),
    )


class _Network(nn.Module):
    """What MLP and DenseNet share: checks, initialisation, the linear head."""

    def __init__(
        self,
        landmarks,
        targets,
        hidden=(3000, 3000),
        dropout=0.1,
        head="xavier",
        activation="leaky",
        batch_norm=True,
        bottleneck=None,
    ):
        super().__init__()
        self.landmarks = whole("landmarks", landmarks)
        self.targets = whole("targets", targets)
        if not isinstance(hidden, Sequence) or isinstance(hidden, str):
            raise ValueError(
                f"hidden must be a sequence such as (3000, 3000), got {hidden!r}"
            )
        hidden = [whole("every entry of hidden", units) for units in hidden]
        if not finite("dropout", dropout) < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
        one_of("head", head, HEADS)
        one_of("activation", activation, ACTIVATIONS)
        one_of("batch_norm", batch_norm, (True, False))
        self.layers = nn.ModuleList()
        width = landmarks
        for units in hidden:
            self.layers.append(_layer(width, units, dropout, activation, batch_norm))
            width = self._width(width, units)
        self.narrow = nn.Identity()
        if bottleneck is not None:
            width, inputs = whole("bottleneck", bottleneck), width
            self.narrow = nn.Linear(inputs, width, bias=False)
        self.head = nn.Linear(width, targets)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if head == "zero":
            nn.init.zeros_(self.head.weight)
        if head == "small":  # the same draw, scaled
            bound = sqrt(6 / (width + targets))
            self.head.weight.data.mul_(SMALL / bound)

    def forward(self, x):
        """Predictions (B, T) from standardised landmark values x (B, D)."""
        return self.head(self.features(x))

    def _check(self, x):
        if x.dim() != 2 or x.shape[1] != self.landmarks:
            raise ValueError(
                f"x must have the shape (samples, {self.landmarks}): one column a "
                f"landmark gene; got {tuple(x.shape)}"
            )
        return x


class MLP(_Network):
    r"""Multi-layer perceptron: every layer sees only the one before it.

    $\mathbf{x}^{(l+1)} = \sigma(\mathbf{x}^{(l)} \mathbf{W}^{(l+1)})$, then a
    linear head (the base network of the paper's Table 3).

    Args:
        landmarks: D, the number of input genes.
        targets: T, the number of genes to predict, each a regression task.
        hidden: units of each hidden layer.
        dropout: share of the units that are dropped in training, in [0, 1).
        head: start of the head's weights, `"xavier"` as in the paper, `"small"`
            (uniform within ±1e-4, as in D-GEX), or `"zero"` (predicts 0, the
            training mean, before the first step).
        activation: σ, `"leaky"` (LeakyReLU(0.2)) as in the paper, or `"tanh"`.
        batch_norm: whether each hidden layer has batch norm, as in the paper.
        bottleneck: units of a linear layer between the last features and the head,
            which makes the map to the targets low-rank; None, as in the paper, has
            no such layer.

    Raises:
        ValueError: an argument is out of its range.

    >>> MLP(20, 50, hidden=(8, 8))(torch.zeros(4, 20)).shape
    torch.Size([4, 50])
    """

    @staticmethod
    def _width(width, units):
        return units

    def features(self, x):
        """What the head sees: the last hidden layer (B, w)."""
        x = self._check(x)
        for layer in self.layers:
            x = layer(x)
        return self.narrow(x)


class DenseNet(_Network):
    r"""Densely connected network: every layer sees all that came before it.

    $\mathbf{x}^{(l+1)} = \sigma([\mathbf{x}^{(0)}, \dots, \mathbf{x}^{(l)}]
    \mathbf{W}^{(l+1)})$, and the linear head sees the whole concatenation, the
    landmarks included (the paper's Section 3.1 and Fig. 1a).

    Args:
        landmarks: D, the number of input genes.
        targets: T, the number of genes to predict, each a regression task.
        hidden: units of each hidden layer.
        dropout: share of the units that are dropped in training, in [0, 1).
        head: start of the head's weights, `"xavier"` as in the paper, `"small"`
            (uniform within ±1e-4, as in D-GEX), or `"zero"` (predicts 0, the
            training mean, before the first step).
        activation: σ, `"leaky"` (LeakyReLU(0.2)) as in the paper, or `"tanh"`.
        batch_norm: whether each hidden layer has batch norm, as in the paper.
        bottleneck: units of a linear layer between the last features and the head,
            which makes the map to the targets low-rank; None, as in the paper, has
            no such layer.

    Raises:
        ValueError: an argument is out of its range.

    >>> network = DenseNet(20, 50, hidden=(8, 8))
    >>> network.features(torch.zeros(4, 20)).shape      # w = D + 2H
    torch.Size([4, 36])
    """

    @staticmethod
    def _width(width, units):
        return width + units

    def features(self, x):
        """What the head sees: landmarks and all hidden layers (B, D + ΣH)."""
        z = self._check(x)
        for layer in self.layers:
            z = torch.cat([z, layer(z)], dim=1)
        return self.narrow(z)


def count_weights(*modules):
    """Weights of the linear maps, as the paper's Table 2 counts them.

    Biases and batch norm are left out: they don't show at three digits.

    >>> count_weights(nn.Linear(20, 50))
    1000
    """
    return sum(p.numel() for m in modules for p in m.parameters() if p.dim() > 1)
