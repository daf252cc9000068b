"""How to train: the paper's choices, and others."""

from dataclasses import dataclass
from itertools import pairwise

from lsmtl._checks import finite, one_of, whole

PRECISIONS = ("fp32", "tf32", "bf16")


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the paper's (Section 4.1).

    Args:
        epochs: passes over the training profiles.
        batch_size: profiles a step, B. A last, shorter batch is dropped; with fewer
            profiles than B, a batch is all of them.
        lr: learning rate in the first epoch.
        final_lr: its value in the last epoch, reached linearly; with `decay`, the
            least it can be.
        weight_decay: the optimiser's ℓ2 penalty on all weights.
        reduction: the loss as `"mean"` over batch and tasks, as `"sum"` over both, as
            it is printed, or as `"profile"`: the sum over tasks, its mean over the
            batch. λ's useful range moves with it.
        loss: `"absolute"`, |ŷ - y| (the ℓ1 loss), or `"squared"`, (ŷ - y)².
        optimizer: `"adam"` or `"sgd"`.
        momentum: SGD's, in [0, 1).
        decay: None for the linear rate. A factor in (0, 1] multiplies the rate after
            every epoch in which the MAE of the training profiles rose.
        deeper: the weights of every linear map but the first learn at this many
            times the rate.
        precision: `"fp32"`; `"tf32"`, a GPU's matrix products of inputs rounded to
            10 bits; or `"bf16"`, matrix products and what lies between them with 7
            bits. Weights are FP32 in all.
        moments: Adam's, `"fp32"` or `"bf16"` (see `lsmtl.optimizers.BF16Adam`).
        keep: the network of the `"best"` epoch by validation MAE, or of the `"last"`.

    Raises:
        ValueError: a value is out of its range.

    >>> Recipe(epochs=3, lr=1e-2, final_lr=1e-4).rate(epoch=1)
    0.00505
    >>> Recipe(lr=0.5, decay=0.9).rate(epoch=3, train_mae=[0.8, 0.7, 0.75])
    0.45
    """

    epochs: int = 500
    batch_size: int = 100
    lr: float = 1e-3
    final_lr: float = 1e-5
    weight_decay: float = 0.0
    reduction: str = "mean"
    loss: str = "absolute"
    optimizer: str = "adam"
    momentum: float = 0.0
    decay: float | None = None
    deeper: float = 1.0
    precision: str = "fp32"
    moments: str = "fp32"
    keep: str = "best"

    def __post_init__(self):
        whole("epochs", self.epochs)
        if whole("batch_size", self.batch_size) < 2:
            raise ValueError("batch_size must be at least 2 for batch norm, got 1")
        finite("lr", self.lr, minimum=1e-12)
        finite("final_lr", self.final_lr)
        finite("weight_decay", self.weight_decay)
        one_of("reduction", self.reduction, ("mean", "sum", "profile"))
        one_of("loss", self.loss, ("absolute", "squared"))
        one_of("optimizer", self.optimizer, ("adam", "sgd"))
        if not finite("momentum", self.momentum) < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum!r}")
        if self.momentum and self.optimizer == "adam":
            raise ValueError(
                f"momentum is for the optimizer sgd; adam needs 0, got {self.momentum}"
            )
        if self.decay is not None and finite("decay", self.decay, 1e-12) > 1:
            raise ValueError(f"decay must be None or in (0, 1], got {self.decay!r}")
        finite("deeper", self.deeper)
        one_of("precision", self.precision, PRECISIONS)
        one_of("moments", self.moments, ("fp32", "bf16"))
        one_of("keep", self.keep, ("best", "last"))
        if self.moments == "bf16" and self.optimizer == "sgd":
            raise ValueError("moments bf16 are for the optimizer adam, got sgd")

    def rate(self, epoch, train_mae=()):
        """The learning rate of an epoch, counted from 0.

        Args:
            epoch: the epoch.
            train_mae: the MAE of the training profiles after each epoch before it;
                counts with `decay`.
        """
        if self.decay is not None:
            rises = sum(after > before for before, after in pairwise(train_mae))
            return max(self.lr * self.decay**rises, self.final_lr)
        done = epoch / max(self.epochs - 1, 1)
        return self.lr + done * (self.final_lr - self.lr)


DEFAULT = Recipe()
