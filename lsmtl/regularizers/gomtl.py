"""GO-MTL: sparse task weights on shared features."""

from torch import nn
from torch.linalg import matrix_norm, vector_norm

from lsmtl._checks import finite


class GOMTL(nn.Module):
    r"""GO-MTL: each task picks a few of the features that all tasks share (Eq. 8).

    $\frac{1}{T} \big[ \mu \sum_t \|\mathbf{w}_t^{(L)}\|_1 + \lambda \sum_{l<L}
    \|\mathbf{W}^{(l)}\|_F^2 \big]$, where $\mathbf{w}_t$ is the head's column of task t
    and $\mathbf{W}^{(l)}$ are the hidden layers' weights, without biases. The original
    (Kumar and Daumé, 2012) factors a linear model, W = LS, and penalises S and L so;
    here the hidden layers are L and the head is S.

    Args:
        strength: a factor on the whole penalty.
        sparsity: μ.
        shared: λ.

    Raises:
        ValueError: an argument is out of its range.

    >>> from lsmtl.networks import MLP
    >>> network = MLP(20, 50, hidden=(8,), head="zero")
    >>> GOMTL(shared=0.0)(network, None, None).item()
    0.0
    """

    def __init__(self, strength=1.0, sparsity=1.0, shared=1.0):
        super().__init__()
        self.strength = finite("strength", strength)
        self.sparsity = finite("sparsity", sparsity)
        self.shared = finite("shared", shared)

    def forward(self, network, features, predictions, losses=None):
        """The penalty of Eq. 8, a scalar; it looks at the network's weights only."""
        W = network.head.weight  # (T, w), row t is w_t
        hidden = [p for p in network.parameters() if p.dim() > 1 and p is not W]
        l1 = vector_norm(W, 1)
        l2 = sum(matrix_norm(p).square() for p in hidden)
        return self.strength * (self.sparsity * l1 + self.shared * l2) / len(W)
