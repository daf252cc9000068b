"""The methods: the regulariser of each, the weights it adds, the λ that it tries."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from lsmtl._checks import finite, one_of
from lsmtl.regularizers import AMTFL, AMTL, CNMTL, GOMTL, MaskedLowRank, SelfExpression


class ShrunkenPredictions(nn.Module):
    r"""What is left of G's penalty where $\mathcal{G} = 0$.

    $\lambda \|\mathcal{F}(\mathbf{x})\|_F^2$, its mean over batch and tasks: a control
    that shrinks predictions and knows of no relations.

    Args:
        strength: λ.

    Raises:
        ValueError: strength is negative.

    >>> import torch
    >>> ShrunkenPredictions(0.5)(None, None, torch.full((2, 3), 2.0)).item()
    2.0
    """

    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = finite("strength", strength)

    def forward(self, network, features, predictions, losses=None):
        """The penalty for a batch of predictions (B, T), a scalar."""
        return self.strength * predictions.square().mean()


class Method(NamedTuple):
    """A network with a regulariser, as tables and formulas need it."""

    make: Callable  # T, w, λ, K → the regulariser, or None
    weights: Callable | None = None  # T, w, K → how many it adds; None: not in the cost
    strengths: tuple = ()  # λ among which a table's row chooses


METHODS = {
    "DenseNet": Method(lambda T, w, strength, rank: None, lambda T, w, K: 0),
    "shrunken head": Method(
        lambda T, w, strength, rank: CNMTL(T, 1, strength, weighted=True)  # λ‖W‖²/T
    ),
    "shrunken predictions": Method(
        lambda T, w, strength, rank: ShrunkenPredictions(strength)
    ),
    "Deep-GO-MTL": Method(
        lambda T, w, strength, rank: GOMTL(strength),
        lambda T, w, K: 0,
        (0.01, 0.1, 1.0),
    ),
    "Deep-CNMTL": Method(
        lambda T, w, strength, rank: CNMTL(T, min(20, T), strength),
        lambda T, w, K: 0,
        (0.1, 1.0, 10.0),
    ),
    "Deep-AMTL": Method(
        lambda T, w, strength, rank: AMTL(T, strength),
        lambda T, w, K: T**2,
        (0.1, 1.0, 10.0),
    ),
    "Deep-AMTL, all columns": Method(
        lambda T, w, strength, rank: AMTL(T, strength, columns=T)
    ),
    "Deep-AMTFL": Method(
        lambda T, w, strength, rank: AMTFL(T, w, strength),
        lambda T, w, K: T * w,
        (0.1, 1.0, 10.0),
    ),
    "V": Method(
        lambda T, w, strength, rank: SelfExpression(T, strength),
        lambda T, w, K: T**2,
    ),
    "Deep-LSMTL": Method(
        lambda T, w, strength, rank: MaskedLowRank(T, rank, strength),
        lambda T, w, K: 2 * T * K,
        (0.01, 0.1, 1.0),
    ),
}


def regularizer(method, targets, features, strength=1.0, rank=None):
    """The regulariser of a method, or None.

    Args:
        method: a key of `METHODS`.
        targets: T.
        features: w, what the head sees.
        strength: λ.
        rank: K of the sub-network G; None is a tenth of the targets, at most 100.

    Raises:
        ValueError: the method is unknown.

    >>> regularizer("Deep-CNMTL", 50, 8, strength=0.3).strength
    0.3
    """
    make = METHODS[one_of("method", method, METHODS)].make
    rank = min(max(targets // 10, 1), 100) if rank is None else rank
    return make(targets, features, strength, rank)
