"""SemiGAN: let profiles without targets help to train a base network.

The idea is Ghasedi Dizaji, Wang and Huang's (KDD 2018), a baseline in the paper's
Table 1: a generator learns the joint distribution of landmarks and targets against
two discriminators, the pairs that it invents train the regressor, and the targets that
the regressor estimates for profiles without targets train the discriminators.

Chosen here, from their abstract: both discriminators weigh the same and have no batch
norm, which would tell real from invented batches; an invented pair counts as much as
D_xy believes in it, estimates the more the longer the training lasts; an epoch is a
pass through the profiles with targets, as in `lsmtl.training.fit`.

Shapes: B batch, D landmarks, T targets.
"""

import math

import pandas as pd
import torch
from torch import nn
from torch.nn.functional import softplus

from lsmtl._checks import finite, matrix, natural, one_of, whole
from lsmtl._progress import CALM, tqdm
from lsmtl.checkpoints import Progress
from lsmtl.metrics import mae
from lsmtl.networks import MLP
from lsmtl.recipe import DEFAULT, Recipe
from lsmtl.training import Fit, check_profiles, evaluating, own_random, predict

PARTS = ["loss", "penalty", "discriminator", "generator", "trust", "validation_mae"]


class SemiGAN(nn.Module):
    """What stands around the regressor: a generator G, discriminators D_x and D_xy.

    Args:
        landmarks: D.
        targets: T.
        hidden: units of each hidden layer, in all three networks.
        noise: length of the random vector z that G starts from.
        generated: weight of invented pairs in the regressor's loss.
        estimated: weight of estimated targets in the regressor's loss.

    Raises:
        ValueError: an argument is out of its range.

    >>> x, y = SemiGAN(20, 50, hidden=(8,)).sample(6)
    >>> x.shape, y.shape
    (torch.Size([6, 20]), torch.Size([6, 50]))
    """

    def __init__(
        self, landmarks, targets, hidden=(200, 200), noise=32, generated=1, estimated=1
    ):
        super().__init__()
        self.landmarks, self.targets = landmarks, targets
        self.noise = whole("noise", noise)
        self.generated = finite("generated", generated)
        self.estimated = finite("estimated", estimated)
        # batch norm's statistics would tell real from invented
        plain = {"dropout": 0.0, "batch_norm": False}
        self.D_x = MLP(landmarks, 1, hidden, **plain)
        pair = whole("landmarks", landmarks) + whole("targets", targets)
        self.D_xy = MLP(pair, 1, hidden, **plain)
        self.G = MLP(noise, pair, hidden, dropout=0.0)
        self.random = None  # the stream of z; `fit_semigan` gives one of its own

    def sample(self, n):
        """n invented pairs G(z): x (n, D) and y (n, T)."""
        z = self.G.head.weight.new_empty(n, self.noise).normal_(generator=self.random)
        return self.G(z).split([self.landmarks, self.targets], dim=1)

    def joint(self, x, y):
        """D_xy's logits (B,) for pairs x (B, D) and y (B, T)."""
        return self.D_xy(torch.cat([x, y], dim=1))[:, 0]

    @torch.no_grad()
    def trust(self, x, y):
        """The probability (B,) that D_xy gives to pairs for being measured."""
        return self.joint(x, y).sigmoid()

    def discriminator_loss(self, measured, estimated, invented, ramp=1.0):
        """Cross entropy of both discriminators, a scalar.

        Args:
            measured: x (B, D) and y (B, T) of profiles with targets.
            estimated: x (B, D) of any profiles, and the regressor's y (B, T) for them.
            invented: x (B, D) and y (B, T) from `sample`.
            ramp: weight of the estimated pairs, which D_xy shall take for measured.
        """
        marginal = softplus(-self.D_x(estimated[0])) + softplus(self.D_x(invented[0]))
        joint = softplus(-self.joint(*measured)) + softplus(self.joint(*invented))
        guess = softplus(-self.joint(*estimated))
        return marginal.mean() + joint.mean() + ramp * guess.mean()

    def generator_loss(self, x, y):
        """Cross entropy of invented pairs if they were measured ones, a scalar."""
        return softplus(-self.D_x(x)).mean() + softplus(-self.joint(x, y)).mean()


def regressor_penalty(network, gan, estimated, invented, ramp=1.0, reduction="mean"):
    """What invented and estimated pairs add to the regressor's ℓ1 loss, a scalar.

    Batch norm keeps the statistics of measured profiles. Arguments are as for
    `SemiGAN.discriminator_loss`; `reduction` is a `Recipe`'s.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
    penalty = torch.zeros((), device=estimated[0].device)
    with evaluating(norms):
        if gan.generated:
            x, y = invented
            error = gan.trust(x, y)[:, None] * (network(x) - y).abs()  # (B, T)
            penalty = penalty + gan.generated * getattr(error, reduction)()
        if gan.estimated:
            x, y = estimated
            error = (network(x) - y).abs()  # (B, T)
            penalty = penalty + gan.estimated * ramp * getattr(error, reduction)()
    return penalty


def fit_semigan(
    network, train, validation, gan, unlabelled=None, recipe=DEFAULT, seed=0
):
    r"""Minimise the ℓ1 loss with the help of profiles that have no targets.

    $\min \|y - F(x)\|_1 + a \, \sigma(D_{xy}(\tilde{x}, \tilde{y})) \,
    \|\tilde{y} - F(\tilde{x})\|_1 + b \, r \, \|\hat{F}(u) - F(u)\|_1$ with invented
    pairs $(\tilde{x}, \tilde{y})$ and any landmark profiles u; a is `gan.generated`,
    b `gan.estimated`, r grows from 0 to 1 over the epochs, and $\hat{F}$ is F without
    dropout and gradient.

    Args:
        network, train, validation: as for `lsmtl.training.fit`.
        gan: a `SemiGAN`; trained in place. It gets a random stream of its own: with
            both weights 0 the network becomes what `fit` makes of it.
        unlabelled: x (m, D) of profiles without targets, standardised like `train`;
            None is the ablation: the same steps, with `train.x` alone.
        recipe: a `Recipe`, for all networks; the defaults are the paper's. Loss,
            optimiser and the rate's decay are these, whatever the size.
        seed: decides batches, dropout and noise.

    Returns:
        A `Fit`; its history also has the mean losses `discriminator` and `generator`,
        and `trust`, what D_xy believes of invented pairs.

    Raises:
        ValueError: profiles, network and gan don't match, or a loss isn't finite.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r}")
    one_of("the recipe's reduction", recipe.reduction, ("mean", "sum"))
    for field in ("loss", "optimizer", "momentum", "decay", "deeper", "keep"):
        one_of(
            f"the recipe's {field}", getattr(recipe, field), (getattr(DEFAULT, field),)
        )
    natural("seed", seed)
    device = next(network.parameters()).device
    train_x, train_y, valid_x, valid_y = (
        v.to(device)
        for name, part in (("train", train), ("validation", validation))
        for v in check_profiles(name, part, network)
    )
    if len(train_x) < 2:
        raise ValueError(f"train has {len(train_x)} profiles; at least 2 are needed")
    pool = _pool(network, gan, train_x, unlabelled)
    gan.to(device)
    adam, adam_g, adam_d = adams = [
        torch.optim.Adam(parameters, betas=(memory, 0.999), fused=True)
        for parameters, memory in (
            (network.parameters(), 0.9),
            (gan.G.parameters(), 0.5),
            ([*gan.D_x.parameters(), *gan.D_xy.parameters()], 0.5),
        )
    ]
    adam.param_groups[0]["weight_decay"] = recipe.weight_decay
    batch = min(recipe.batch_size, len(train_x))
    progress = Progress()
    shuffle = torch.Generator().manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(), own_random(gan, "random", device, seed):
        torch.manual_seed(seed)
        bar = tqdm(range(recipe.epochs), desc="fit", unit="epoch", **CALM)
        for epoch in bar:
            for optimizer in adams:
                optimizer.param_groups[0]["lr"] = recipe.rate(epoch)
            ramp = epoch / max(recipe.epochs - 1, 1)
            network.train()
            gan.train()
            order = torch.randperm(len(train_x), generator=shuffle).to(device)
            parts = []
            for rows in order.split(batch):
                if len(rows) < batch:
                    break
                x, y = train_x[rows], train_y[rows]
                u = pool[torch.randint(len(pool), (batch,), generator=draw).to(device)]
                estimated, invented = (u, predict(network, u)), gan.sample(batch)
                fixed = tuple(v.detach() for v in invented)
                d_loss = gan.discriminator_loss((x, y), estimated, fixed, ramp)
                _step(adam_d, d_loss)
                g_loss = gan.generator_loss(*invented)
                _step(adam_g, g_loss)
                loss = getattr((network(x) - y).abs(), recipe.reduction)()
                penalty = regressor_penalty(
                    network, gan, estimated, fixed, ramp, recipe.reduction
                )
                _step(adam, loss + penalty)
                trust = gan.trust(*fixed).mean()
                parts.append(torch.stack([loss, penalty, d_loss, g_loss, trust]))
            found = torch.stack(parts).detach().mean(0).tolist()
            score = mae(predict(network, valid_x), valid_y).mean().item()
            found.append(score)
            if not all(map(math.isfinite, found)):
                raise ValueError(
                    f"training diverged in epoch {epoch}: {PARTS} are {found}; check "
                    f"the profiles, or try a lower lr than {recipe.lr}"
                )
            progress.add((epoch, recipe.rate(epoch), *found), network)
            bar.set_postfix_str(f"validation MAE {score:.4f}", refresh=False)
    gan.eval()
    network.load_state_dict(progress.best_state)
    history = pd.DataFrame(progress.history, columns=["epoch", "lr", *PARTS])
    return Fit(network.eval(), history)


def _step(adam, loss):
    adam.zero_grad()
    loss.backward()
    adam.step()


def _pool(network, gan, x, unlabelled):
    """All landmark profiles (n + m, D), if they and `gan` match the network."""
    found = getattr(gan, "landmarks", None), getattr(gan, "targets", None)
    if not isinstance(gan, SemiGAN) or found != (network.landmarks, network.targets):
        raise ValueError(
            f"gan must be a SemiGAN for {network.landmarks} landmarks and "
            f"{network.targets} targets, got {type(gan).__name__} for {found}"
        )
    if unlabelled is None:
        return x
    return torch.cat([x, matrix("unlabelled", unlabelled, x.shape[1]).to(x)])
