"""G of Deep-LSMTL, the masked low-rank sub-network."""

import torch
from torch import nn

from lsmtl._checks import finite, matrix, one_of, same_targets, whole


class MaskedLowRank(nn.Module):
    r"""G of Deep-LSMTL: rebuild hidden predictions from the visible ones (Eq. 5).

    $\lambda \, \| (1 - \beta) \odot [\mathcal{F}(\mathbf{x}) -
    \mathcal{G}(\beta \odot \mathcal{F}(\mathbf{x}))] \|_F^2$ with
    $\mathcal{G}(\mathbf{f}) = \mathbf{V}^{(2)} \sigma(\mathbf{V}^{(1)} \mathbf{f})$,
    σ a LeakyReLU(0.2), and β a random mask: 1 = visible, 0 = hidden. The bottleneck
    of K units makes the relations low-rank; the mask keeps G from copying.

    Args:
        targets: T, the number of tasks.
        rank: K, the units of the bottleneck.
        strength: λ.
        masked: share of the tasks hidden at a time, in (0, 1); at least one is
            hidden and at least one stays visible.
        per_sample: draw a mask for every sample instead of one for the batch.
        reduction: `"mean"` over the hidden entries, or `"sum"` as Eq. 5 is printed.
        detach: stop the gradient into the base network (then only G learns).
        sparsity: strength of ‖V1‖₁ + ‖V2‖₁, which the paper's text mentions and
            Eq. 5 leaves out.

    Raises:
        ValueError: an argument is out of its range.

    >>> g = MaskedLowRank(targets=50, rank=5, strength=0.3)
    >>> predictions = torch.randn(4, 50)
    >>> g.reconstruct(predictions, g.mask(predictions)).shape
    torch.Size([4, 50])
    """

    def __init__(
        self,
        targets,
        rank=1000,
        strength=1.0,
        masked=0.1,
        per_sample=False,
        reduction="mean",
        detach=False,
        sparsity=0.0,
    ):
        super().__init__()
        self.targets = whole("targets", targets)
        whole("rank", rank)
        if targets < 2:
            raise ValueError(
                "targets must be at least 2, to hide one and show one; got 1"
            )
        if not 0 < finite("masked", masked) < 1:
            raise ValueError(f"masked must lie between 0 and 1, got {masked!r}")
        self.strength = finite("strength", strength)
        self.hidden = min(max(round(masked * targets), 1), targets - 1)
        self.per_sample = one_of("per_sample", per_sample, (True, False))
        self.generator = None  # of the masks; None is PyTorch's global one
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self.detach = one_of("detach", detach, (True, False))
        self.sparsity = finite("sparsity", sparsity)
        self.V1 = nn.Linear(targets, rank, bias=False)
        self.V2 = nn.Linear(rank, targets, bias=False)
        self.activation = nn.LeakyReLU(0.2)
        for layer in (self.V1, self.V2):
            nn.init.xavier_uniform_(layer.weight)

    def mask(self, predictions):
        """Draw β for predictions (B, T): 1 = visible, 0 = hidden.

        Returns (1, T), or (B, T) with `per_sample`; every row hides the same number.
        """
        rows = len(predictions) if self.per_sample else 1
        noise = torch.rand(
            rows, self.targets, device=predictions.device, generator=self.generator
        )
        hidden = noise.topk(self.hidden, dim=1).indices  # (rows, hidden)
        return torch.ones_like(noise).scatter_(1, hidden, 0.0)

    def reconstruct(self, predictions, mask):
        """G(β ⊙ F(x)): every task from the visible ones.

        Args:
            predictions: F(x), (B, T).
            mask: β, (B, T) or (1, T) or (T,); 1 = visible, 0 = hidden.

        Returns:
            (B, T)
        """
        return self.V2(self.activation(self.V1(mask * predictions)))

    @torch.no_grad()
    def relations(self, predictions):
        r"""How much each task is rebuilt from each other: the mean Jacobian of G.

        $R_{ts} = \frac{\mathrm{sd}(f_s)}{\mathrm{sd}(f_t)} \, \mathbb{E} \Big[
        \frac{\partial \mathcal{G}_t}{\partial f_s} \Big] =
        \frac{\mathrm{sd}(f_s)}{\mathrm{sd}(f_t)} \sum_k V^{(2)}_{tk} \,
        \mathbb{E}[\sigma'(z_k)] \, V^{(1)}_{ks}$ with $\mathbf{z} = \mathbf{V}^{(1)}
        \mathbf{f}$: by how many of its standard deviations task t moves when task s
        moves by one of its own, nothing being hidden. The paper doesn't say how to
        read G.

        Args:
            predictions: F(x) (n, T) of at least two profiles, or measured values; a
                tensor or an array.

        Returns:
            R (T, T), signed: row t is rebuilt, column s is used; zero diagonal. A task
            whose predictions are constant has no relations.

        Raises:
            ValueError: predictions are no matrix of finite numbers, those of other
                targets, or of one profile.

        >>> g = MaskedLowRank(targets=50, rank=5)
        >>> g.relations(torch.randn(20, 50)).shape
        torch.Size([50, 50])
        """
        predictions = matrix("predictions", predictions).to(self.V1.weight)
        same_targets(predictions, self.targets)
        if len(predictions) < 2:
            raise ValueError(
                f"predictions must be of at least 2 profiles, got {len(predictions)}"
            )
        z = self.V1(predictions)  # (n, K)
        slope = torch.where(z > 0, 1.0, self.activation.negative_slope).mean(0)
        J = (self.V2.weight * slope) @ self.V1.weight  # (T, T)
        spread = predictions.std(0)  # (T,)
        rest = torch.where(spread > 0, 1 / spread, 0.0)
        return (rest[:, None] * J * spread).fill_diagonal_(0)

    def forward(self, network, features, predictions, losses=None):
        """The penalty of Eq. 5 for a batch of predictions (B, T), a scalar."""
        same_targets(predictions, self.targets)
        if self.detach:
            predictions = predictions.detach()
        mask = self.mask(predictions)
        rebuilt = self.reconstruct(predictions, mask)
        error = ((1 - mask) * (predictions - rebuilt)).square().sum()
        if self.reduction == "mean":
            error = error / (len(predictions) * self.hidden)
        penalty = self.strength * error
        if self.sparsity:  # else a pass over all weights of G for nothing
            size = self.V1.weight.abs().sum() + self.V2.weight.abs().sum()
            penalty = penalty + self.sparsity * size
        return penalty
