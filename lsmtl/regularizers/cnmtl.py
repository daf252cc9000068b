"""CNMTL: tasks fall into clusters of similar weights."""

import torch
from torch import nn
from torch.linalg import matrix_norm

from lsmtl._checks import finite, one_of, same_targets, whole


class CNMTL(nn.Module):
    r"""CNMTL: the head's columns form clusters (Eq. 7).

    $\frac{1}{T} \big[ \lambda_M \|\bar{\mathbf{w}}\|^2 + \lambda_B \sum_k
    \|\bar{\mathbf{w}}_k - \bar{\mathbf{w}}\|^2 + \lambda_W \sum_k \sum_{j \in
    \mathcal{J}(k)} \|\mathbf{w}_j - \bar{\mathbf{w}}_k\|^2 \big]$ with the mean
    $\bar{\mathbf{w}}$ of all columns and $\bar{\mathbf{w}}_k$ of a cluster. The paper
    doesn't say where the clusters come from, and the original (Jacob, Vert and Bach,
    2009) relaxes them away; here they are found by k-means on the columns, again at the
    start of each epoch, from where it stopped; a cluster that has lost its tasks starts
    anew at a random column. Until then it counts nothing.

    Args:
        targets: T, the number of tasks.
        clusters: K.
        strength: a factor on the whole penalty.
        mean: λ_M.
        between: λ_B.
        within: λ_W.
        weighted: weigh the first term by T and each $\bar{\mathbf{w}}_k$ by its
            cluster's size, as the original does and Eq. 7 doesn't; with three equal
            λ the penalty is then λ‖W‖²/T, whatever the clusters.

    Raises:
        ValueError: an argument is out of its range.

    >>> from lsmtl.networks import MLP
    >>> cnmtl = CNMTL(targets=50, clusters=3)
    >>> cnmtl(MLP(20, 50, hidden=(8,)), None, torch.zeros(4, 50)).shape
    torch.Size([])
    >>> cnmtl.labels.shape, cnmtl.labels.unique()
    (torch.Size([50]), tensor([0, 1, 2]))
    """

    def __init__(
        self,
        targets,
        clusters=20,
        strength=1.0,
        mean=1.0,
        between=1.0,
        within=1.0,
        weighted=False,
    ):
        super().__init__()
        self.targets = whole("targets", targets)
        self.clusters = whole("clusters", clusters)
        if clusters > targets:
            raise ValueError(
                f"clusters must be at most the {targets} targets, got {clusters}"
            )
        self.strength = finite("strength", strength)
        self.mean = finite("mean", mean)
        self.between = finite("between", between)
        self.within = finite("within", within)
        self.weighted = one_of("weighted", weighted, (True, False))
        self.generator = None  # of the first centres; None is PyTorch's global one
        unknown = torch.full((targets,), -1)
        self.register_buffer("labels", unknown)  # (T,), the cluster of each task

    def start_epoch(self, network):
        """Find the clusters of the head's columns as they are now."""
        W = network.head.weight.detach()  # (T, w)
        order = torch.randperm(self.targets, device=W.device, generator=self.generator)
        centres = W[order[: self.clusters]]
        if self.labels[0] >= 0:  # an empty cluster starts anew
            found, sizes = _means(W, self.labels, self.clusters)
            centres = torch.where(sizes[:, None] > 0, found, centres)
        self.labels = kmeans(W, centres)

    def forward(self, network, features, predictions, losses=None):
        """The penalty of Eq. 7, a scalar; it looks at the head's weights only."""
        same_targets(predictions, self.targets)
        if self.labels[0] < 0:
            self.start_epoch(network)
        W = network.head.weight  # (T, w), row j is w_j
        w_bar = W.mean(0)  # (w,)
        w_bar_k, sizes = _means(W, self.labels, self.clusters)  # (K, w), (K,)
        mean = w_bar.square().sum()
        between = (w_bar_k - w_bar).square().sum(1)  # (K,)
        # Σ_j ‖w_j − w̄_k‖² = Σ_j ‖w_j‖² − n ‖w̄_k‖², without another (T, w)
        within = matrix_norm(W).square() - sizes @ w_bar_k.square().sum(1)
        if self.weighted:
            mean, between = self.targets * mean, (sizes * between).sum()
        else:
            between = (between * (sizes > 0)).sum()
        total = self.mean * mean + self.between * between + self.within * within
        return self.strength * total / self.targets


def kmeans(points, centres, steps=20):
    """Lloyd's algorithm: the nearest centre of each point, centres moved meanwhile.

    Args:
        points: (n, w).
        centres: (K, w), where it starts; a centre that loses all points stays there.
        steps: the most rounds that it makes; it stops when no label changes.

    Returns:
        The labels (n,), whole numbers below K.

    >>> kmeans(torch.tensor([[0.0], [1], [8], [9]]), torch.tensor([[0.0], [1]]))
    tensor([0, 0, 1, 1])
    """
    labels = None
    for _ in range(steps):
        # ‖p − c‖² without ‖p‖², which is the same for all centres
        distance = centres.square().sum(1) - 2 * points @ centres.T  # (n, K)
        before, labels = labels, distance.argmin(1)
        if before is not None and torch.equal(before, labels):
            break
        moved, sizes = _means(points, labels, len(centres))
        centres = torch.where(sizes[:, None] > 0, moved, centres)
    return labels


def _means(points, labels, clusters):
    """The mean of the points in each cluster (K, w), 0 if empty, and the sizes (K,)."""
    member = nn.functional.one_hot(labels, clusters).to(points)  # (n, K)
    sizes = member.sum(0)
    return member.T @ points / sizes.clamp(min=1)[:, None], sizes
