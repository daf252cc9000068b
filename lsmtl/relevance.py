r"""Layer-wise relevance propagation: how much each landmark adds to the predictions.

Shapes: n profiles, D landmarks, T targets, H units of a layer.
"""

import torch

from lsmtl._checks import finite, matrix
from lsmtl.networks import MLP, DenseNet

BLOCK = 1024  # profiles that are explained at a time


def folded(network):
    r"""The linear maps of a network in evaluation mode, batch norm folded into them.

    $\gamma \frac{\mathbf{W} \mathbf{a} + \mathbf{b} - \mu}{\sqrt{v + \delta}} + \beta$
    is linear in $\mathbf{a}$: $s \mathbf{W}$ and $s (\mathbf{b} - \mu) + \beta$ with
    $s = \gamma / \sqrt{v + \delta}$ do the same in one step (μ, v, δ, γ, β: the running
    mean and variance, the constant, the scale and the shift of batch norm).

    Args:
        network: a `lsmtl.networks.MLP` or `DenseNet`; it stays as it is.

    Returns:
        A list of (W, b, σ), in the order of the network: its hidden layers, the narrow
        layer if there is one, and the head. W is (H, inputs), b (H,); σ is a module, or
        None after the narrow layer and after the head.

    Raises:
        ValueError: the network is of another type.

    >>> network = DenseNet(20, 50, hidden=(8,))
    >>> [tuple(W.shape) for W, b, activation in folded(network)]
    [(8, 20), (50, 28)]
    """
    if not isinstance(network, MLP | DenseNet):
        raise ValueError(
            "network must be an MLP or a DenseNet of lsmtl.networks, got "
            f"{type(network).__name__}"
        )
    maps = []
    for linear, *norms, activation, _ in network.layers:  # the last is dropout
        W, b = linear.weight.detach(), linear.bias.detach()
        for norm in norms:
            s = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
            b = s * (b - norm.running_mean) + norm.bias.detach()
            W = s[:, None] * W
        maps.append((W, b, activation))
    if isinstance(network.narrow, torch.nn.Linear):  # else an Identity
        W = network.narrow.weight.detach()
        maps.append((W, W.new_zeros(len(W)), None))
    head = network.head
    maps.append((head.weight.detach(), head.bias.detach(), None))
    return maps


@torch.no_grad()
def lrp(network, x, weights=None, epsilon=1e-6):
    r"""Relevance of every landmark for a weighted sum of the predictions (Bach 2015).

    A unit that holds $z_j = \sum_i W_{ji} a_i + b_j$ hands its relevance down in the
    shares of that sum (the epsilon rule; the paper's reference [4]):

    $R_{i \leftarrow j} = \frac{W_{ji} a_i}{z_j + \varepsilon \, \mathrm{sign}(z_j)} R_j
    , \quad R_i = \sum_j R_{i \leftarrow j}, \quad \mathrm{sign}(0) = 1$,

    starting with $R_t = w_t f_t(\mathbf{x})$. It passes an activation unchanged, and
    where units are concatenated each keeps its part; a unit that is used again sums
    what comes from all uses. What is handed down adds up to $\sum_t w_t f_t$ but for
    what biases (batch norm's shift included) and ε absorb, in each unit
    $R_j (b_j + \varepsilon \, \mathrm{sign}(z_j)) / (z_j + \varepsilon \,
    \mathrm{sign}(z_j))$.

    As ε vanishes, relevance is gradient × input where activations are piecewise linear
    through the origin, as LeakyReLU is. A tanh has $\tanh(z) / z$ in the place of its
    slope.

    Args:
        network: a `lsmtl.networks.MLP` or `DenseNet`, explained as it predicts in
            evaluation mode; it stays as it is.
        x: (n, D) standardised landmark values. Their type and device are those of the
            work.
        weights: w, (T,) or, of each profile its own, (n, T); None is 1 for all. A
            target with weight 0 costs nothing.
        epsilon: ε > 0.

    Returns:
        (n, D) tensor: R of the landmarks, in units of the weighted predictions.

    Raises:
        ValueError: the network is of another type, x or the weights have the wrong
            shape or values that are not finite, or ε is not positive.

    >>> network = DenseNet(20, 50, hidden=(8, 8))
    >>> x = torch.randn(4, 20)
    >>> group = torch.arange(50) < 10             # the first ten targets
    >>> R = lrp(network, x, weights=group / 10)   # for their mean prediction
    >>> R.shape
    torch.Size([4, 20])
    >>> f = network.eval()(x)[:, group].mean(1)
    >>> torch.allclose(R.sum(1), f, atol=1e-4)    # no biases yet: nothing is lost
    True
    """
    maps = folded(network)
    x = matrix("x", x, network.landmarks)
    if not x.is_floating_point():
        raise ValueError(f"x must hold floating-point numbers, got {x.dtype}")
    if not finite("epsilon", epsilon):
        raise ValueError(f"epsilon must be greater than 0, got {epsilon!r}")
    w = _weights(weights, len(x), network.targets).to(x)
    W, b, _ = maps.pop()
    used = (w != 0).any(0).to(W.device)
    maps.append((W[used], b[used], None))
    maps = [(W.to(x), b.to(x), activation) for W, b, activation in maps]
    w = w[:, used.to(w.device)].expand(len(x), -1)
    dense = isinstance(network, DenseNet)
    parts = zip(x.split(BLOCK), w.split(BLOCK), strict=True)
    return torch.cat([_walk(maps, dense, *part, epsilon) for part in parts])


def _weights(weights, n, targets):
    """The weights as a matrix of one row or n."""
    if weights is None:
        return torch.ones(1, targets)
    try:
        weights = torch.as_tensor(weights)
    except (TypeError, ValueError, RuntimeError):
        pass  # `matrix` says what is wrong
    else:
        if weights.shape not in ((targets,), (n, targets)):
            raise ValueError(
                f"weights must have the shape ({targets},) or ({n}, {targets}): one "
                f"for each target, or for each profile and target; got "
                f"{tuple(weights.shape)}"
            )
        weights = weights.reshape(-1, targets)
    return matrix("weights", weights)


def _walk(maps, dense, x, w, epsilon):
    """Forwards through the maps, then backwards with the relevance."""
    a, kept = x, []
    for W, b, activation in maps:
        z = a @ W.T + b  # (B, H)
        kept.append((a, z))
        if activation is None:
            a = z
        else:
            a = torch.cat([a, activation(z)], 1) if dense else activation(z)
    R = w * z  # (B, T)
    for (W, _, activation), (a, z) in zip(reversed(maps), reversed(kept), strict=True):
        passed = 0
        if dense and activation is not None:  # what σ(z) was concatenated to
            passed, R = R[:, : a.shape[1]], R[:, a.shape[1] :]
        sign = torch.where(z < 0, -1.0, 1.0).to(z)
        R = passed + a * ((R / (z + epsilon * sign)) @ W)  # (B, inputs)
    return R
