"""AMTL and AMTFL: easy tasks give, hard tasks take."""

import torch
from torch import nn

from lsmtl._checks import finite, same_targets, whole
from lsmtl.regularizers.gomtl import GOMTL


class AMTL(nn.Module):
    r"""AMTL: the weights of each task from those of the others (Eq. 9).

    $\frac{1}{T} \big[ \sum_t (\alpha_t - 1) \, \ell_t + \lambda \|\mathbf{W}^{(L)} -
    \mathbf{W}^{(L)} \mathbf{V}\|_F^2 \big]$ with the tasks' losses $\ell_t$ and
    $\alpha_t = 1 + \mu \|\mathbf{v}_t\|_1$, which the paper leaves open: as in the
    original (Lee, Yang and Hwang, 2016), $\mathbf{v}_t$ is row t of V, what task t
    gives to the others, V ≥ 0 and $v_{tt} = 0$. V starts with the mean of the others.

    Both terms are sums over the columns of V. A step draws some of them and takes their
    mean, which estimates the penalty without bias. Its products cost `columns` / T of
    the exact ones; storing, clamping and updating V still costs T² a step.

    Args:
        targets: T, the number of tasks.
        strength: a factor on the whole penalty; λ = `strength`.
        outgoing: μ, over λ: what giving costs a task with a loss of 1.
        columns: how many columns a step draws; T or more give the exact penalty.

    Raises:
        ValueError: an argument is out of its range.

    >>> from lsmtl.networks import MLP
    >>> amtl = AMTL(targets=50)
    >>> amtl(MLP(20, 50, (8,)), None, torch.zeros(4, 50), torch.ones(50)).shape
    torch.Size([])
    >>> amtl.coefficients().shape
    torch.Size([50, 50])
    """

    def __init__(self, targets, strength=1.0, outgoing=0.01, columns=100):
        super().__init__()
        self.targets = whole("targets", targets)
        if targets < 2:
            raise ValueError("targets must be at least 2, one to give; got 1")
        self.strength = finite("strength", strength)
        self.outgoing = finite("outgoing", outgoing)
        self.columns = min(whole("columns", columns), targets)
        self.generator = None  # of the columns; None is PyTorch's global one
        self.V = nn.Parameter(torch.full((targets, targets), 1 / (targets - 1)))

    def coefficients(self):
        """V (T, T): column t rebuilds task t, row t is what it gives; zero diagonal."""
        return self.V.clamp(min=0).fill_diagonal_(0)

    def forward(self, network, features, predictions, losses=None):
        """The penalty of Eq. 9, or its estimate, a scalar.

        Args:
            network: its head has the columns w_t.
            features: not used.
            predictions: (B, T).
            losses: ℓ (T,) in the batch; without them α_t is left out.
        """
        same_targets(predictions, self.targets)
        with torch.no_grad():
            self.V.clamp_(min=0)  # a projected gradient: what is at 0 can rise again
        W = network.head.weight  # (T, w), row t is w_t
        drawn = torch.randperm(self.targets, device=W.device, generator=self.generator)
        drawn = drawn[: self.columns]
        V = self.V.index_select(1, drawn)  # (T, columns)
        V = V.scatter(0, drawn[None], 0.0)  # v_tt = 0
        rest = (-V).scatter(0, drawn[None], 1.0)  # these columns of I − V
        total = (rest.T @ W).square().sum()
        if losses is not None:
            total = total + self.outgoing * (losses @ V).sum()
        return self.strength * total / self.columns


class AMTFL(nn.Module):
    r"""AMTFL: the features from the predictions, mostly of easy tasks (Eq. 10).

    $\frac{1}{T} \big[ \sum_t (\alpha_t - 1) \, \ell_t + \frac{\gamma}{B} \|\mathbf{Z} -
    \sigma(\mathbf{Z} \mathbf{W}^{(L)} \mathbf{V})\|_F^2 + \mu \sum_t
    \|\mathbf{w}_t^{(L)}\|_1 + \lambda \sum_{l<L} \|\mathbf{W}^{(l)}\|_F^2 \big]$ with
    the tasks' losses $\ell_t$, the features Z (B, w) that the head sees, V (T, w), and
    $\alpha_t = 1 + \nu \|\mathbf{v}_t\|_1$, which the paper leaves open: as in the
    original's code (Lee, Yang and Hwang, 2018), $\mathbf{v}_t$ is row t of V, what
    task t gives to the features, of either sign. σ is the network's LeakyReLU(0.2).

    Args:
        targets: T, the number of tasks.
        features: w, the features at the head (`network.head.in_features`).
        strength: a factor on the whole penalty; γ = `strength`.
        outgoing: ν, over γ: what giving costs a task with a loss of 1.
        sparsity: μ, over γ.
        shared: λ, over γ.

    Raises:
        ValueError: an argument is out of its range.

    >>> from lsmtl.networks import MLP
    >>> network, x = MLP(20, 50, hidden=(8,)), torch.randn(4, 20)
    >>> amtfl, z = AMTFL(targets=50, features=8), network.features(x)
    >>> amtfl(network, z, network.head(z), torch.ones(50)).shape
    torch.Size([])
    """

    def __init__(
        self,
        targets,
        features,
        strength=1.0,
        outgoing=0.01,
        sparsity=0.01,
        shared=0.01,
    ):
        super().__init__()
        self.targets = whole("targets", targets)
        self.features = whole("features", features)
        self.strength = finite("strength", strength)
        self.outgoing = finite("outgoing", outgoing)
        self.weights = GOMTL(sparsity=sparsity, shared=shared)
        self.V = nn.Parameter(torch.empty(targets, features))
        nn.init.xavier_uniform_(self.V)

    def forward(self, network, features, predictions, losses=None):
        """The penalty of Eq. 10, a scalar.

        Args:
            network: its weights are penalised as by `GOMTL`.
            features: Z, (B, w).
            predictions: (B, T).
            losses: ℓ (T,) in the batch; without them α_t is left out.
        """
        same_targets(predictions, self.targets)
        if features.shape[1] != self.features:
            raise ValueError(
                f"the head sees {features.shape[1]} features and the regulariser was "
                f"made for {self.features}"
            )
        ZW = predictions - network.head.bias  # (B, T)
        rebuilt = nn.functional.leaky_relu(ZW @ self.V, 0.2)  # (B, w)
        total = (features - rebuilt).square().sum() / len(features)
        if losses is not None:
            total = total + self.outgoing * losses @ self.V.abs().sum(1)
        total = total / self.targets + self.weights(network, features, predictions)
        return self.strength * total
