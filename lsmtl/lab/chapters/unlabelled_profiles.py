"""Learning from unlabelled profiles: do landmarks without targets help?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from lsmtl import data
from lsmtl.data import Profiles
from lsmtl.lab.exercises import Wrong, expect, numbers, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import BASELINES, baseline, scores, thin
from lsmtl.linear import ridge
from lsmtl.networks import DenseNet
from lsmtl.semigan import SemiGAN, fit_semigan
from lsmtl.training import Recipe, fit, predict

COMPONENTS = (5, 10, 20, 50, 100, 200)  # to choose from on validation profiles


@dataclass(frozen=True)
class Hidden:
    """Splits of which some training profiles have lost their targets.

    Args:
        train: training profiles that kept them.
        unlabelled: x (m, D) of those that lost them.
        validation: validation profiles.
        test: test profiles. All of these are in the scale of `train`.
        target: y (n, T) of the test profiles in the scale of the splits.
        mean: (n, T), what a zero in the scale of `train` means there.
        deviation: (n, T), what a one means.
    """

    train: Profiles
    unlabelled: torch.Tensor
    validation: Profiles
    test: Profiles
    target: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    def scores(self, prediction):
        """Scores of predictions (n, T) for `test.x`."""
        prediction = torch.as_tensor(prediction, dtype=torch.float32)
        return scores(self.mean + prediction * self.deviation, self.target)


def hide(adata, splits, share, seed, group):
    """Take the targets from all but a share of the training groups, in each cohort.

    Each cohort's means, and the targets' deviations, then come from the profiles that
    kept them: those that `splits` used know the hidden targets too.

    Raises:
        ValueError: a cohort has no training profile.
    """
    within = adata.uns.get("within")
    cohorts = pd.Series("", adata.obs_names)
    cohorts += adata.obs[within].astype(str) if within else ""
    parts = splits.train, splits.validation, splits.test
    cohort = cohorts[list(splits.train.samples)].to_numpy(str)
    own = adata.obs[group][list(splits.train.samples)].to_numpy()
    kept = np.zeros(len(own), dtype=bool)
    rng = np.random.default_rng(seed)
    for name in np.unique(cohort):
        units = rng.permutation(np.unique(own[cohort == name]))
        kept |= np.isin(own, units[: max(2, round(share * len(units)))])

    def own_scale(name, deviations):
        """Values of each part, their mean and deviation by cohort, (n, genes) each."""
        values = getattr(splits.train, name)
        names = np.unique(cohort)
        known = [values[kept & (cohort == c)] for c in names]
        means = torch.stack([v.mean(0) for v in known])  # (cohorts, genes)
        spreads = torch.stack([v.std(0, correction=0) for v in known])
        for part in parts:
            labels = cohorts[list(part.samples)].to_numpy(str)
            rows = pd.Index(names).get_indexer(labels)
            if (rows < 0).any():
                unknown = str(labels[rows < 0][0])
                raise ValueError(f"no training profile is of {unknown!r}")
            mean, spread = means[rows], spreads[rows]  # (n, genes)
            spread = spread.clamp(min=0.1) if deviations else torch.ones_like(mean)
            yield (getattr(part, name) - mean) / spread, mean, spread

    (x, *_), (valid_x, *_), (test_x, *_) = own_scale("x", deviations=False)
    (y, *_), (valid_y, *_), (test_y, *scale) = own_scale("y", deviations=True)
    return Hidden(
        Profiles(x[kept], y[kept]),
        x[~kept],
        Profiles(valid_x, valid_y),
        Profiles(test_x, test_y),
        splits.test.y,
        *scale,
    )


def pca_ridge(hidden, unlabelled, whiten):
    """Weights (D, T) of ridge on the first principal components of x.

    Args:
        hidden: a `Hidden`, whose validation profiles choose strength and components.
        unlabelled: whether the components come from all training profiles, or only
            from those with targets.
        whiten: whether each component is scaled to variance 1.
    """
    x, y = hidden.train.x.numpy(), hidden.train.y.numpy()
    valid_x, valid_y = hidden.validation.x.numpy(), hidden.validation.y.numpy()
    every = np.vstack([x, hidden.unlabelled.numpy()]) if unlabelled else x
    _, s, vt = np.linalg.svd(every, full_matrices=False)
    found = {}
    for k in COMPONENTS:
        k = min(k, int((s > 1e-3 * s[0]).sum()))
        V = vt[:k].T  # (D, k)
        if whiten:
            V = V / s[:k] * len(every) ** 0.5
        W = V @ ridge(x @ V, y, valid_x @ V, valid_y).coef_.numpy()
        found[np.abs(valid_x @ W - valid_y).mean()] = W
    return found[min(found)]


def _runs(sizes, landmarks):
    network = {k: sizes[k] for k in ("hidden", "steps", "lr")}
    for seed in range(sizes["seeds"]):
        for share in sizes["shares"]:
            run = {"targets": sizes["targets"], "share": share}
            pools = [
                {"unlabelled": v} for v in ((False, True) if share < 1 else (False,))
            ]
            yield Run("training mean", run, seed)
            yield Run("ridge", run, seed)
            for pool in pools:
                for whiten in (False, True):
                    yield Run("PCA + ridge", run | pool | {"whiten": whiten}, seed)
            yield Run("DenseNet", run | network, seed)
            for a, b in sizes["weights"]:
                gan = {"gan": sizes["gan"], "generated": a, "estimated": b}
                for pool in pools:
                    yield Run("SemiGAN", run | network | gan | pool, seed)


def recipe(steps, lr, n):
    """A recipe of about that many steps for n profiles with targets."""
    batch = min(32, n)
    return Recipe(max(1, round(steps / (n // batch))), batch, lr, lr / 100)


def _measure(adata, run, device):
    c = run.configuration
    adata = thin(adata, c["targets"])
    splits = data.split(adata, run.seed, c["group"])
    hidden = hide(adata, splits, c["share"], run.seed, c["group"])
    train, validation, test = hidden.train, hidden.validation, hidden.test
    if run.method in BASELINES:
        return hidden.scores(baseline(run.method, train, validation, test))
    if run.method == "PCA + ridge":
        return hidden.scores(
            test.x.numpy() @ pca_ridge(hidden, c["unlabelled"], c["whiten"])
        )
    D, T = len(splits.landmarks), len(splits.targets)
    torch.manual_seed(run.seed)
    network = DenseNet(D, T, tuple(c["hidden"]), head="zero").to(device)
    how = recipe(c["steps"], c["lr"], len(train))
    if run.method == "DenseNet":
        trained = fit(network, train, validation, recipe=how, seed=run.seed)
    else:
        weights = {k: c[k] for k in ("generated", "estimated")}
        gan = SemiGAN(D, T, tuple(c["gan"]), **weights)
        unlabelled = hidden.unlabelled if c["unlabelled"] else None
        trained = fit_semigan(
            network, train, validation, gan, unlabelled, how, run.seed
        )
    best = trained.history.loc[trained.history["validation_mae"].idxmin()]
    prediction = predict(trained.network, test.x).cpu()
    measured = {k: best[k] for k in ("validation_mae", "trust") if k in best}
    return hidden.scores(prediction) | measured


EXPERIMENT = Experiment(
    name="unlabelled-profiles",
    recipe_version=1,
    datasets={"breast": "group", "ecoli": "group", "geo": "group"},
    sizes={
        "ci": {
            "targets": 100,
            "hidden": [50, 50],
            "gan": [50],
            "steps": 40,
            "lr": 1e-3,
            "shares": [0.1, 0.5],
            "weights": [(1, 1)],
            "seeds": 2,
        },
        "laptop": {
            "targets": 500,
            "hidden": [200, 200],
            "gan": [100],
            "steps": 200,
            "lr": 5e-4,
            "shares": [0.1, 0.25, 0.5, 1.0],
            "weights": [(1, 0), (0, 1), (1, 1)],
            "seeds": 3,
        },
        "paper": {
            "targets": None,
            "hidden": [3000, 3000],
            "gan": [1000],
            "steps": 20_000,
            "shares": [0.01, 0.1, 0.5, 1.0],
            "seeds": 2,
        },
    },
    runs=_runs,
    measure=_measure,
)


def _changes(ask):
    predicted(
        ask(),
        "nearest neighbour",
        {
            "median": "The median minimises a sum of absolute errors: which errors do "
            "its own predictions add, if it stays?",
            "kernel ridge": "It gets more weights, but which objective do they serve, "
            "and what do its own predictions add to that?",
        },
    )


def _second_fit(ask):
    rng = np.random.default_rng(0)
    X, Y, U = (rng.normal(size=size) for size in [(12, 5), (12, 3), (40, 5)])
    alpha, one = 0.7, np.eye(5)
    XX, UU = X.T @ X, U.T @ U

    def solve(penalty, right):
        return np.linalg.solve(XX + UU + penalty * one, right)

    W = np.linalg.solve(XX + 12 * alpha * one, X.T @ Y)
    once, all_ = XX + 12 * alpha * one, XX + UU + 12 * alpha * one
    expect(
        ask(W.copy(), X.copy(), U.copy(), alpha),
        solve(52 * alpha, X.T @ Y + UU @ W),
        [
            (
                W,
                "So it is for sums. Does the penalty weigh the same in both fits here?",
            ),
            (
                solve(alpha, (XX + UU + alpha * one) @ W),
                "So it is for sums. Does the penalty weigh the same in both fits here?",
            ),
            (
                solve(52 * alpha, once @ W),
                "Your unlabelled profiles have the target 0 in the second fit.",
            ),
            (
                solve(52 * alpha, (XX + UU) @ W),
                "XᵀY is more than XᵀX W₁: W₁ had a penalty, too.",
            ),
            (
                solve(52 * alpha, (XX + UU + alpha * one) @ W),
                "How many profiles did the first fit divide by?",
            ),
            (
                solve(12 * alpha, (XX + UU + 52 * alpha * one) @ W),
                "Your second fit is larger than the first: which of the two has the "
                "larger penalty?",
            ),
            (
                solve(40 * alpha, all_ @ W),
                "The second fit has the measured profiles as well: n + m in all.",
            ),
        ],
        "Not the weights of the second fit for n = 12, m = 40, D = 5 and α = 0.7.",
    )


def _still_pays(ask):
    rng = np.random.default_rng(0)
    p, q = (v / v.sum() for v in rng.random((2, 6)))
    blind, both = 2 * np.log(2), p + q
    pays = -(p * np.log(p / both)).sum() - (q * np.log(q / both)).sum()
    expect(
        ask(p.copy(), q.copy()),
        pays,
        [
            (blind, "That is a discriminator that says ½ everywhere; this one knows."),
            (
                blind - pays,
                "That is what knowing saves; what is left to pay is asked for.",
            ),
            (-pays, "A sign: a loss is not negative."),
            (pays / 2, "The two sums are added, not averaged."),
            (pays / np.log(2), "Those are bits; take natural logarithms."),
            (
                -(p * np.log(p / both)).sum(),
                "That is for real profiles; invented ones cost, too.",
            ),
            (
                -(p * np.log(p)).sum() - (q * np.log(q)).sum(),
                "Those are the entropies of p and q: where is the discriminator?",
            ),
            (
                -(p * np.log(q / both)).sum() - (q * np.log(p / both)).sum(),
                "Your discriminator takes real for invented.",
            ),
        ],
        "Not the loss of σ* for six bins.",
    )
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.25, 0.0, 0.75, 0.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        got = np.asarray(ask(p.copy(), q.copy()), dtype=float)
    if np.isnan(got).any():
        raise Wrong("Right where both occur; 0 · log 0 comes up where one doesn't.")
    want = 0.5 * np.log(1.5) + 0.25 * np.log(3)
    expect(got, want, [], "Right where both occur, wrong where one of them never does.")


def _keep(ask):
    groups = np.repeat([f"g{i}" for i in range(20)], [1, 4, 2, 1, 7] * 4)
    drawn = []
    for seed, share in [(0, 0.25), (1, 0.25), (2, 0.25), (3, 1.0), (4, 0.01)]:
        kept = numbers(
            ask(groups.copy(), share, np.random.default_rng(seed)), groups.shape
        )
        if not np.isin(kept, (0, 1)).all():
            raise Wrong("The result should say true or false for each profile.")
        shares = [kept[groups == name].mean() for name in np.unique(groups)]
        if not np.isin(shares, (0, 1)).all():
            raise Wrong("A group is torn apart: draw groups, not profiles.")
        want = max(1, round(share * 20))
        if sum(shares) != want:
            if sum(shares) == 20 - want:
                raise Wrong("Those are the ones that lose their targets.")
            raise Wrong(
                f"{sum(shares):.0f} of 20 groups keep their targets at a share of "
                f"{share}; it should be {want}."
            )
        drawn.append(tuple(shares))
    if len(set(drawn[:3])) == 1:
        raise Wrong("Every generator gives the same groups: draw them at random.")


def _travel(ask):
    rng = np.random.default_rng(0)
    line = np.stack([np.arange(12.0), np.zeros(12)], 1)
    chain = rng.permutation(8)  # 1, 2, …, 8 away from the first of two
    cases = [(line[[0, 10]], np.array([[1.0], [2.0]]), line[1:9][chain])]
    for m in (15, 9):
        X, Y, U = (rng.normal(size=size) for size in [(4, 3), (4, 2), (m, 3)])
        cases.append((X, Y, U))
    for X, Y, U in cases:
        want, order, passed = _reached(X, Y, U)
        copied = Y[np.linalg.norm(U[:, None] - X, axis=2).argmin(1)]
        expect(
            ask(X.copy(), Y.copy(), U.copy()),
            want,
            [
                (
                    copied,
                    "Those are copies from the nearest measured profile: nothing "
                    "travels on from an unlabelled one.",
                ),
                (
                    want[order],
                    "The targets are right, their order isn't: it is that of U.",
                ),
                (
                    passed,
                    "You go through the profiles as they come; the nearest one of all "
                    "comes first.",
                ),
                (
                    np.repeat(Y.mean(0)[None], len(U), axis=0),
                    "That is the mean of all; each copies from one.",
                ),
            ],
            f"Not where the targets travel, for {len(X)} measured and {len(U)} "
            "unlabelled profiles.",
        )


def _reached(X, Y, U):
    """Targets that travelled, in which order, and those of one pass as U comes."""

    def go(x, y, rows, nearest):
        found, order, rows = np.empty((len(U), Y.shape[1])), [], list(rows)
        while rows:
            d = np.linalg.norm(U[rows][:, None] - x, axis=2)
            i = d.min(1).argmin() if nearest else 0
            row, source = rows.pop(i), d[i].argmin()
            found[row] = y[source]
            order.append(row)
            x, y = np.vstack([x, U[row]]), np.vstack([y, y[source]])
        return found, order

    found, order = go(X, Y, range(len(U)), nearest=True)
    return found, order, go(X, Y, range(len(U)), nearest=False)[0]


# in the order of the exercises
CHECKERS = (_changes, _second_fit, _still_pays, _keep, _travel)
