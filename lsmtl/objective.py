"""What is minimised, and one step of it."""

import torch

from lsmtl.optimizers import BF16Adam


class Objective(torch.nn.Module):
    """What is minimised, as one module with all the weights that are trained.

    Args:
        network: F.
        regularizer: a module from `lsmtl.regularizers`, or None.
        recipe: a `Recipe`; its loss and reduction count here.
    """

    def __init__(self, network, regularizer, recipe):
        super().__init__()
        self.network, self.regularizer, self.recipe = network, regularizer, recipe

    def forward(self, x, y):
        """The loss of a batch x (B, D), y (B, T) and the penalty (Eqs. 1 and 2)."""
        features = self.network.features(x)  # (B, w)
        predictions = self.network.head(features)  # (B, T)
        error = predictions - y  # (B, T)
        error = error.abs() if self.recipe.loss == "absolute" else error.square()
        if self.recipe.reduction == "mean":
            loss = error.mean()
        elif self.recipe.reduction == "sum":
            loss = error.sum()
        else:  # "profile"
            loss = error.sum(1).mean()
        if self.regularizer is None:
            return loss, torch.zeros_like(loss)
        tasks = error.mean(0)  # (T,)
        return loss, self.regularizer(self.network, features, predictions, tasks)


def make_optimizer(network, modules, recipe, graph=False):
    """Adam or SGD; a group's rate is `times` that of the recipe.

    Args:
        network: its linear maps after the first learn at `recipe.deeper` times.
        modules: whose weights are trained.
        recipe: a `Recipe`.
        graph: whether its steps are recorded as a CUDA graph, which reads the rate
            from the GPU's memory.
    """
    maps = [m.weight for m in network.modules() if isinstance(m, torch.nn.Linear)]
    deeper = {id(weight) for weight in maps[1:]}
    groups = [{"params": [], "times": 1.0}, {"params": [], "times": recipe.deeper}]
    for module in modules:
        for p in module.parameters():
            groups[id(p) in deeper]["params"].append(p)
    options = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.moments == "bf16":
        return BF16Adam(groups, **options)
    options["fused"] = True  # one pass over weights, gradients and moments
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(groups, momentum=recipe.momentum, **options)
    else:
        optimizer = torch.optim.Adam(groups, capturable=graph, **options)
    if graph:
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(recipe.lr, device=maps[0].device)
    return optimizer


def set_rate(optimizer, lr):
    """Let an optimiser of `make_optimizer` go on at another rate."""
    for group in optimizer.param_groups:
        if torch.is_tensor(group["lr"]):
            group["lr"].fill_(lr * group["times"])
        else:
            group["lr"] = lr * group["times"]


def step(run, optimizer, objective, x, y):
    """Take a training step on a batch; gives its loss and penalty, detached.

    Args:
        run: an `engine.Single` or a Fabric.
        optimizer: over the objective's weights.
        objective: an `Objective`, as `run.setup_module` gives it.
        x, y: (B, D) and (B, T), on the run's device.
    """
    with run.autocast():
        loss, penalty = objective(x, y)
    optimizer.zero_grad()
    run.backward(loss + penalty)
    optimizer.step()
    return loss.detach(), penalty.detach()
