"""One thing changed at a time: what each choice in Deep-LSMTL's training does."""

import numpy as np
import pandas as pd
import torch

from lsmtl.data.splits import assemble, partition
from lsmtl.lab.changes import by_value, change
from lsmtl.lab.exercises import expect, predicted
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.measuring import baseline, scores, tested, thin
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank
from lsmtl.training import Recipe, fit

FRACTIONS = (0.8, 0.1, 0.1)
SCORED = 100  # tasks, the same whatever the number that is trained
HEADS = ("xavier", "zero")
NETWORK = {  # of every network, unless changed
    "dropout": 0.1,
    "batch_norm": True,
    "loss": "absolute",
    "reduction": "mean",
    "samples": None,
    "tasks": None,
}
G = {"strength": 0.1, "masked": 0.1, "per_sample": False, "detach": False}
OF_NETWORK = {
    "dropout": (0.0, 0.05, 0.25, 0.5),
    "batch_norm": (False,),
    "loss": ("squared",),
}
OF_G = {
    "strength": (0.01, 0.03, 0.3, 1.0, 3.0, 10.0),
    "masked": (0.01, 0.03, 0.3, 0.5, 0.7, 0.9),
    "per_sample": (True,),
    "detach": (True,),
}
SUMS = (0.1, 1.0, 10.0)  # λ of Eq. 5 as it is printed: sums


def _runs(sizes, landmarks):
    network = NETWORK | {k: sizes[k] for k in ("targets", "hidden", "epochs")}
    g = G | {"rank": sizes["rank"]}
    data = {k: tuple(sizes[k]) for k in ("samples", "tasks")}
    of_g = OF_G | {"rank": tuple(sizes["ranks"])}
    listed = [("ridge", {"targets": sizes["targets"], "samples": None, "tasks": None})]
    listed += [
        ("ridge", listed[0][1] | {name: value})
        for name, values in data.items()
        for value in values
    ]
    for head in HEADS:
        base = network | {"head": head}
        both = [base] + [
            base | {name: value}
            for name, values in (OF_NETWORK | data).items()
            for value in values
        ]
        listed += [("DenseNet", c) for c in both]
        listed += [("Deep-LSMTL", c | g) for c in both]
        listed += [
            ("Deep-LSMTL", base | g | {name: value})
            for name, values in of_g.items()
            for value in values
        ]
        listed += [
            ("Deep-LSMTL", base | g | {"reduction": "sum", "strength": strength})
            for strength in SUMS
        ]
    for seed in range(sizes["seeds"]):
        yield from (Run(method, c, seed) for method, c in listed)


def _splits(adata, c, seed):
    """Splits with fewer training profiles, where the configuration says so.

    What is left out is left out of the means and deviations, too.
    """
    adata = thin(adata, c["targets"])
    labels = adata.obs[c["group"]].astype(str).to_numpy()
    part = partition(adata.n_obs, seed, FRACTIONS, labels, c["group"])
    if c["samples"] is not None:
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(part == 0))
        part[rows[c["samples"] :]] = 3
    return assemble(adata, part)


def _measure(adata, run, device):
    c = run.configuration
    splits = _splits(adata, c, run.seed)
    order = np.random.default_rng(0).permutation(len(splits.targets))
    chosen = torch.from_numpy(order[: c["tasks"]])
    train, validation, test = (
        type(part)(part.x, part.y[:, chosen], part.samples)
        for part in (splits.train, splits.validation, splits.test)
    )
    T = len(chosen)
    if run.method == "ridge":
        prediction = baseline("ridge", train, validation, test)
        found = scores(prediction, test.y)
    else:
        torch.manual_seed(run.seed)
        D, hidden = train.x.shape[1], tuple(c["hidden"])
        shape = {"head": c["head"], "batch_norm": c["batch_norm"]}
        network = DenseNet(D, T, hidden, c["dropout"], **shape).to(device)
        penalty = None
        if "strength" in c:
            given = {k: c[k] for k in (*G, "reduction")}
            penalty = MaskedLowRank(T, min(c["rank"], T), **given)
        recipe = Recipe(c["epochs"], loss=c["loss"], reduction=c["reduction"])
        trained = fit(network, train, validation, penalty, recipe, run.seed)
        prediction, found = tested(trained, test)
    few = prediction[:, :SCORED].to(test.y) - test.y[:, :SCORED]
    return found | {"mae_few": few.abs().mean().item()}


def start(runs, head):
    """Where every run of these starts (the rank depends on the preset)."""
    rank = runs["rank"].dropna().mode()[0]
    return NETWORK | G | {"rank": rank, "head": head}


def changed(runs, factor, method, head, metric="mae"):
    """How much a metric changes with a setting, paired by seed.

    Args:
        runs: what `chapter.results` or `chapter.evidence` gives.
        factor: a setting of `NETWORK` or `G`, or `"rank"`; `"reduction"` has λ of the
            sums for its values.
        method: `"Deep-LSMTL"`, `"DenseNet"` or `"ridge"`. Where the factor is one of G,
            DenseNet stands still: its distance from Deep-LSMTL's start.
        head: of the network.
        metric: an MAE, whose change is in percent of the start's, or `"cc"`.

    Returns:
        DataFrame, a row a seed, a column a value.
    """
    at = start(runs, head)
    by = "strength" if factor == "reduction" else factor
    other = at | ({"reduction": "sum"} if factor == "reduction" else {})
    still = method == "DenseNet" and factor in {*G, "rank", "reduction"}
    varied = "Deep-LSMTL" if still else method
    first = by_value(runs, varied, at, metric=metric)
    values = by_value(runs, varied, other, by, metric)
    if still:
        plain = by_value(runs, method, at, metric=metric)
        values = pd.DataFrame({value: plain for value in values})
    return values.sub(first, axis=0) if metric == "cc" else change(values, first)


LAPTOP = {
    "targets": None,
    "hidden": [100, 100, 100],
    "epochs": 40,
    "rank": 100,
    "ranks": [1, 5, 20, 50, 200, 500],
    "samples": [30, 60, 120],
    "tasks": [100, 300, 1000, 3000],
    "seeds": 3,
}
EXPERIMENT = Experiment(
    name="ablations",
    recipe_version=1,
    datasets={
        "breast": "group",
        "ecoli": "group",
        "arrays": "group",
        "geo": "group",
    },
    sizes={
        "ci": LAPTOP
        | {"targets": 120, "hidden": [20, 20], "epochs": 15, "rank": 20, "seeds": 1}
        | {"ranks": [2, 60], "samples": [60], "tasks": [100]},
        "laptop": LAPTOP,
        "paper": {"hidden": [3000] * 3, "epochs": 100, "rank": 1000, "seeds": 2}
        | {"ranks": [1, 10, 100, 300, 3000], "samples": [1000, 10_000, 30_000]},
    },
    runs=_runs,
    measure=_measure,
)


def _pull(ask):
    predicted(
        ask(),
        "zero",
        {
            "a little smaller": "That is where the cost is least for λ below 1; what "
            "does a step from there toward zero cost, and what does it save?",
            "half": "Halves come of a penalty that grows with f²; this one has the "
            "same slope everywhere.",
        },
    )


def _mean_strength(ask):
    for strength, hidden, targets, batch in ((1, 5, 50, 20), (10, 2, 9520, 30)):
        s, h, T, B = strength, hidden, targets, batch
        expect(
            ask(s, h, T, B),
            s * B * h / T,
            [
                (
                    s * h / T,
                    "That is for two sums; here only the penalty's runs over B.",
                ),
                (s * h / (T * B), "The loss is divided by B, which weighs it less."),
                (s * B * h, "You have undone the penalty's sum; the loss has one too."),
                (s * B, "The two have different numbers of tasks: T and h."),
                (s * T / (B * h), "That is upside down: more terms weigh more."),
                (s, "The loss has T terms, the penalty B h of the same kind."),
                (s * B / T, "The penalty's sum runs over h tasks, not over one."),
            ],
            "Multiply the whole so that the loss is a mean; what is left of the rest?",
        )


def _spread(ask):
    z = np.random.default_rng(0).normal(0.5, 1, size=(6, 40))
    w = z.shape[1]
    for T in (10, 1000):
        squares = (z**2).sum(1).mean()
        expect(
            ask(z.copy(), T),
            np.sqrt((squares + 1) / (3 * w)),
            [
                (np.sqrt(squares / (3 * w)), "The biases are drawn, too."),
                (
                    np.sqrt((squares + 1) / w),
                    "1 / w is the square of the bound; uniform numbers within a bound "
                    "have a third of its square as variance.",
                ),
                (np.sqrt(squares / w), "What is the variance within a bound?"),
                ((squares + 1) / (3 * w), "That is the variance; its root is asked."),
                (
                    np.sqrt(((z**2).mean() + 1) / (3 * w)),
                    "A prediction adds up w features; you count one.",
                ),
                (np.sqrt((squares + w) / (3 * w)), "A prediction has one bias, not w."),
                (np.sqrt(2 * squares / (w + T)), "That is Xavier's head."),
                (
                    np.sqrt(((z**2).sum() + 1) / (3 * w)),
                    "Take the mean over profiles, not their sum.",
                ),
            ],
            f"Wrong for T = {T}: what is the variance of one weight, and how many "
            "independent numbers make a prediction?",
        )


def _paired(ask):
    rng = np.random.default_rng(0)
    first = 0.6 + 0.1 * rng.normal(size=5)
    other = first + 0.01 + 0.004 * rng.normal(size=5)
    scale = 100 / first.mean()
    d = scale * (other - first)
    mean, spread = d.mean(), d.std(ddof=1)
    apart = scale * np.hypot(other.std(ddof=1), first.std(ddof=1))
    right = np.array([mean, spread, apart])
    expect(
        ask(other.copy(), first.copy()),
        right,
        [
            ((mean, apart, spread), "The paired deviation comes first."),
            (
                (mean, apart, apart),
                "That spread is of two sets apart: seeds are paired.",
            ),
            (
                (mean, d.std(), scale * np.hypot(other.std(), first.std())),
                "The spread of a sample of S numbers divides by S - 1.",
            ),
            ((mean, d.std(), apart), "The spread of S differences divides by S - 1."),
            (right * [-1, 1, 1], "A higher MAE should be a positive change."),
            (right / 100, "That is a fraction; percent is asked for."),
            (100 * right / scale, "Percent of what? Divide by the MAE at the start."),
            (
                (mean, spread, scale * (other.std(ddof=1) + first.std(ddof=1))),
                "Variances of unrelated numbers add up, deviations don't.",
            ),
            (
                (mean, spread, scale * (other - first).std(ddof=1)),
                "The third forgets which belong together.",
            ),
            (
                (mean, spread / 5**0.5, apart / 5**0.5),
                "The deviation over seeds, not that of their mean.",
            ),
        ],
        "Take the difference of each seed first, then their mean and spread; the "
        "third number takes the two lists apart.",
    )


CHECKERS = (_pull, _mean_strength, _spread, _paired)  # in the order of the exercises
