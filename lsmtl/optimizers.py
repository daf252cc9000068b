"""Adam with moments in BF16, which halves what they take and move."""

import functools

import torch


class BF16Adam(torch.optim.Optimizer):
    r"""Adam whose moments m and v are kept in BF16; weights stay FP32.

    $m \leftarrow \beta_1 m + (1 - \beta_1) g$, $v \leftarrow \beta_2 v +
    (1 - \beta_2) g^2$, $w \leftarrow w - \eta \hat{m} / (\sqrt{\hat{v}} + \epsilon)$.
    A step changes v by a thousandth where BF16 has steps of 1/128, so the nearest
    value would be the old one for ever: both are rounded at random (`rounded`).

    Args:
        params: tensors or groups of them.
        lr: learning rate η.
        betas: β₁ and β₂.
        eps: ε.
        weight_decay: ℓ2 penalty, added to the gradient.

    >>> w = torch.nn.Parameter(torch.ones(3))
    >>> adam = BF16Adam([w], lr=0.1)
    >>> w.sum().backward()
    >>> adam.step()
    >>> w.data, adam.state[w]["v"].dtype
    (tensor([0.9000, 0.9000, 0.9000]), torch.bfloat16)
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.betas, self.eps = betas, eps

    @torch.no_grad()
    def step(self):
        """Move all weights that have a gradient."""
        for group in self.param_groups:
            for w in (w for w in group["params"] if w.grad is not None):
                state = self.state[w]
                if not state:
                    state["step"] = 0
                    for name in "mv":
                        state[name] = torch.zeros_like(w, dtype=torch.bfloat16)
                state["step"] += 1
                corrections = [1 - beta ** state["step"] for beta in self.betas]
                rates = (group["lr"], group["weight_decay"], *corrections)
                rates = [torch.tensor(v) for v in rates]
                move = _compiled() if w.is_cuda else _move
                parts = (w, w.grad, state["m"], state["v"])
                flat = [v.view(-1) for v in parts]  # one shape for the compiler
                move(*flat, self.betas, self.eps, *rates)

    def load_state_dict(self, state_dict):
        """As in PyTorch, which would turn the moments into FP32."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state.update({name: state[name].bfloat16() for name in "mv"})


def rounded(x):
    """FP32 values in BF16: the neighbour above or below, at random, x in the mean.

    >>> x = torch.full((10_000,), 1.001)    # neighbours are 1 and 1.0078
    >>> bool((rounded(x).float().mean() - 1.001).abs() < 1e-4)
    True
    """
    bits = x.view(torch.int32)
    bits = bits + torch.randint_like(bits, 1 << 16)  # carries at the share cut off
    return (bits & -(1 << 16)).view(torch.float32).bfloat16()


def _move(w, g, m, v, betas, eps, lr, weight_decay, correct_m, correct_v):
    """A step for one tensor of weights."""
    g = g + weight_decay * w
    new_m = betas[0] * m.float() + (1 - betas[0]) * g
    new_v = betas[1] * v.float() + (1 - betas[1]) * g.square()
    w.sub_(lr * (new_m / correct_m) / ((new_v / correct_v).sqrt() + eps))
    m.copy_(rounded(new_m))
    v.copy_(rounded(new_v))


@functools.cache
def _compiled():
    return torch.compile(_move)  # one pass over a GPU's memory
