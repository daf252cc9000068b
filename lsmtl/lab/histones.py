"""What DeepDiff is compared with, how it is judged, and what it looks at.

Inputs are `GenePairs` of M marks in L bins; a rival is fitted to training genes and
gives a function from genes to their predicted difference.
"""

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.svm import SVR

from lsmtl._checks import one_of, whole
from lsmtl.data.histones import GenePairs
from lsmtl.deepdiff import correlation, predict

PAIRS = (  # Table 6 of the appendix: cell types A and B
    ("E123", "E003"),
    ("E116", "E003"),
    ("E123", "E116"),
    ("E003", "E005"),
    ("E003", "E006"),
    ("E006", "E007"),
    ("E005", "E006"),
    ("E003", "E004"),
    ("E004", "E006"),
    ("E037", "E038"),
)
BASE = "two-layer SVR"  # what relative performance is relative to
C = (0.1, 1, 10, 100)
FOLDS = 3
ALPHAS = np.logspace(-1, 6, 15)
TUNED = 400  # training genes on which a first layer's C is chosen
DRAWS = 1000  # of the bootstrap
LEVEL = 95  # percent


def summed(genes, bins):
    """The same marks in fewer bins: means of neighbours, (n, M, bins)."""
    whole("bins", bins)
    if genes.a.shape[2] % bins:
        raise ValueError(f"bins must divide {genes.a.shape[2]}, got {bins}")
    marks = torch.cat([genes.a, genes.b, genes.a - genes.b], 1)
    return marks.unflatten(2, (bins, -1)).mean(3).numpy()  # (n, 3M, bins)


def ridge(train, bins, cell=None):
    """Ridge on the differences of log counts; its strength by leaving one gene out.

    With a cell type, `"a"` or `"b"`, on its log counts, for the expression in it.
    """

    def flat(genes):
        x = summed(genes, bins)
        x = np.split(x, 3, axis=1)[{"a": 0, "b": 1, None: 2}[cell]]
        return x.reshape(len(x), -1)

    y = train.difference if cell is None else getattr(train, f"expression_{cell}")
    model = RidgeCV(ALPHAS).fit(flat(train), y.numpy())
    return lambda genes: model.predict(flat(genes))


def _tuned(x, y, seed):
    """An SVR with a kernel of radial functions, C by cross-validation."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    return GridSearchCV(SVR(), {"C": C}, cv=folds).fit(x, y).best_estimator_


def svr(train, bins, seed=0):
    """One SVR on all marks in all bins, of A, of B and of their difference."""

    def flat(genes):
        return summed(genes, bins).reshape(len(genes), -1)

    model = _tuned(flat(train), train.difference.numpy(), seed)
    return lambda genes: model.predict(flat(genes))


def two_layer_svr(train, bins, seed=0):
    """An SVR a bin on its marks; another on what they predict for genes left out.

    After Cheng and Gerstein (2011). The first layer's C is chosen for each bin, on at
    most `TUNED` genes.
    """
    x, y = summed(train, bins), train.difference.numpy()
    few = np.random.default_rng(seed).permutation(len(y))[:TUNED]
    folds = KFold(FOLDS, shuffle=True, random_state=seed + 1)
    first, left_out = [], []
    for bin_ in range(bins):
        model = _tuned(x[few, :, bin_], y[few], seed)
        left_out.append(cross_val_predict(model, x[:, :, bin_], y, cv=folds))
        first.append(model.fit(x[:, :, bin_], y))
    second = _tuned(np.stack(left_out, 1), y, seed)

    def predicted(genes):
        x = summed(genes, bins)
        found = [model.predict(x[:, :, bin_]) for bin_, model in enumerate(first)]
        return second.predict(np.stack(found, 1))

    return predicted


RIVALS = {  # → (training genes, bins, seed) → genes → difference
    "training mean": lambda train, bins, seed: lambda genes: np.zeros(len(genes)),
    "ridge": lambda train, bins, seed: ridge(train, bins),
    "SVR": svr,
    "two-layer SVR": two_layer_svr,
}


def interval(prediction, truth, seed=0):
    """A bootstrap interval of Pearson's r: genes are drawn anew, `DRAWS` times.

    Args:
        prediction, truth: (n,).
        seed: of the draws.

    Returns:
        The lower and the upper end of the middle `LEVEL` percent.
    """
    both = np.stack([np.asarray(v, float) for v in (prediction, truth)])
    rng, found = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        x, y = both[:, rng.integers(both.shape[1], size=both.shape[1])]
        x, y = x - x.mean(), y - y.mean()
        size = np.sqrt((x @ x) * (y @ y))
        found.append(x @ y / size if size else 0.0)
    outside = (100 - LEVEL) / 2
    return np.percentile(found, [outside, 100 - outside]).tolist()


def scores(prediction, genes):
    """r, its interval and the squared error over genes, as a record has them."""
    truth = genes.difference.numpy()
    low, high = interval(prediction, truth)
    r = correlation(prediction, genes)
    error = np.square(np.asarray(prediction) - truth).mean()
    found = {"r": r, "r_low": low, "r_high": high, "mse": float(error)}
    return {name: round(value, 4) for name, value in found.items()}


def attention(network, genes):
    """What a network attends to: bin attention, weighed by its row's attention.

    Rows of the same mark are added, so that all places of a gene sum to 1 (for a
    network without a Level II of its own, the mean of both cell types').

    Args:
        network: a `DeepDiff`.
        genes: n `GenePairs`.

    Returns:
        (n, marks, bins).
    """
    found = predict(network, genes)
    both = found.bin_attention * found.mark_attention[..., None]
    both = both / both.sum((1, 2), keepdim=True)
    maps = torch.zeros(len(genes), network.marks, network.bins)
    for row, (_, mark) in enumerate(network.rows):
        maps[:, mark] += both[:, row].cpu()
    return maps


def occlusion(predicted, genes, regions, seed=0):
    """How much a prediction moves when a mark in a region is another gene's.

    Exchanging both cell types' marks together keeps what values occur and how A and B
    belong together.

    Args:
        predicted: genes → difference (n,).
        genes: n `GenePairs`.
        regions: R, neighbouring bins that are exchanged together; divides the bins.
        seed: who gets whose.

    Returns:
        (marks, R): root mean square change, in standard deviations of the prediction.
    """
    marks, bins = genes.a.shape[1:]
    one_of("regions", regions, [r for r in range(1, bins + 1) if bins % r == 0])
    order = torch.as_tensor(np.random.default_rng(seed).permutation(len(genes)))
    before = np.asarray(predicted(genes))
    moved = np.empty((marks, regions))
    for mark in range(marks):
        for region, where in enumerate(np.split(np.arange(bins), regions)):
            a, b = genes.a.clone(), genes.b.clone()
            for x in (a, b):
                x[:, mark, where] = x[order][:, mark, where]
            fields = [getattr(genes, name) for name in GenePairs.__annotations__]
            after = predicted(GenePairs(a, b, *fields[2:]))
            moved[mark, region] = np.sqrt(np.square(after - before).mean())
    return moved / (before.std() or 1)
