"""V of subspace clustering: every task from the other tasks, linearly."""

import torch
from torch import nn

from lsmtl._checks import finite, one_of, same_targets, whole


class SelfExpression(nn.Module):
    r"""Subspace clustering of tasks: each one from the others (Eqs. 3 and 4).

    On the head's columns (Eq. 3), $\lambda \, \| \mathbf{W}^{(L)} - \mathbf{W}^{(L)}
    \mathbf{V} \|_F^2 + \gamma \|\mathbf{V}\|_1$, or on the predictions (Eq. 4),
    $\lambda \, \| \mathcal{F}(\mathbf{x}) - \mathcal{F}(\mathbf{x}) \mathbf{V} \|_F^2
    + \gamma \|\mathbf{V}\|_1$, with $v_{tt} = 0$. A step costs B T² multiplications
    on predictions and w T² on weights. V starts at zero, where the penalty is
    $\lambda \|\mathcal{F}(\mathbf{x})\|_F^2$: it begins as a plain shrinkage.

    Args:
        targets: T, the number of tasks.
        strength: λ.
        sparsity: γ.
        form: `"predictions"` (Eq. 4) or `"weights"` (Eq. 3, without the head's bias).
        reduction: `"sum"` as the equations are printed, or `"mean"`: the same over T,
            with Eq. 4's error a mean over the batch. With it both forms agree for
            features of mean 0 and covariance 1, and γ doesn't depend on T.

    Raises:
        ValueError: an argument is out of its range.

    >>> v = SelfExpression(targets=50, strength=0.3)
    >>> v(None, None, torch.ones(4, 50)).item()  # V = 0: λ times the mean of F²
    0.30000001192092896
    >>> v.coefficients().shape
    torch.Size([50, 50])
    """

    def __init__(
        self,
        targets,
        strength=1.0,
        sparsity=0.0,
        form="predictions",
        reduction="mean",
    ):
        super().__init__()
        self.targets = whole("targets", targets)
        if targets < 2:
            raise ValueError("targets must be at least 2, one for the other; got 1")
        self.strength = finite("strength", strength)
        self.sparsity = finite("sparsity", sparsity)
        self.form = one_of("form", form, ("predictions", "weights"))
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self.V = nn.Parameter(torch.zeros(targets, targets))

    def coefficients(self):
        """V (T, T): column t rebuilds task t; the diagonal is zero and stays so."""
        return self.V.diagonal_scatter(self.V.new_zeros(self.targets))

    def forward(self, network, features, predictions, losses=None):
        """The penalty of Eq. 4 for predictions (B, T), or of Eq. 3, a scalar."""
        if self.form == "weights":
            f, rows = network.head.weight.T, 1  # W, (w, T)
        else:
            f, rows = predictions, len(predictions)  # F(x), (B, T)
        same_targets(f, self.targets, self.form)
        V = self.coefficients()
        penalty = self.strength * (f - f @ V).square().sum()
        if self.reduction == "mean":
            penalty = penalty / rows
        if self.sparsity:  # else a pass over T² entries for nothing
            penalty = penalty + self.sparsity * V.abs().sum()
        return penalty / self.targets if self.reduction == "mean" else penalty
