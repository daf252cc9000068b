"""The regulariser that a method's name stands for."""

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


METHODS = {
    "DenseNet": lambda T, w, strength, rank: None,
    "shrunken head": lambda T, w, strength, rank: CNMTL(  # λ‖W‖²/T
        T, 1, strength, weighted=True
    ),
    "shrunken predictions": lambda T, w, strength, rank: ShrunkenPredictions(strength),
    "Deep-GO-MTL": lambda T, w, strength, rank: GOMTL(strength),
    "Deep-CNMTL": lambda T, w, strength, rank: CNMTL(T, min(20, T), strength),
    "Deep-AMTL": lambda T, w, strength, rank: AMTL(T, strength),
    "Deep-AMTL, all columns": lambda T, w, strength, rank: AMTL(T, strength, columns=T),
    "Deep-AMTFL": lambda T, w, strength, rank: AMTFL(T, w, strength),
    "V": lambda T, w, strength, rank: SelfExpression(T, strength),
    "Deep-LSMTL": lambda T, w, strength, rank: MaskedLowRank(T, rank, strength),
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
    made = METHODS[one_of("method", method, METHODS)]
    rank = min(max(targets // 10, 1), 100) if rank is None else rank
    return made(targets, features, strength, rank)
