"""What does the model look at? Landmarks' relevance, redrawn and tested."""

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from lsmtl import data
from lsmtl.data import Profiles
from lsmtl.lab import explaining
from lsmtl.lab.exercises import Wrong, expect, numbers
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.explaining import clusters, means, pack, top
from lsmtl.lab.protocol import split, train_row
from lsmtl.lab.rows import ACROSS, ORIGINAL, SIZES
from lsmtl.linear import ridge
from lsmtl.metrics import mae
from lsmtl.networks import DenseNet
from lsmtl.training import predict

GROUPS = 20  # clusters of profiles and of targets, as in the paper
PARTS = 10  # clusters of landmarks
FEW = 10  # profiles a cluster, at least: where profiles are fewer, so are clusters
OTHER = (10, 30)  # numbers of clusters beside GROUPS
LSMTL, UNTRAINED, SHORT = "Deep-LSMTL", "untrained", "trained for less"
HEADS = "xavier", "zero"
SETTINGS = {"dropout": 0.25, "strength": 0.01}
TISSUES = {"nakayama": "sarcoma", "borovecki": "blood", "bladder": "bladder"}
UNLABELLED = "unlabelled"  # a set that doesn't say what its samples are
ENOUGH = 2000  # test profiles, to be explained without the others
ER = {0: "ER−", 1: "ER+"}


def _runs(sizes, landmarks):
    base = {k: sizes[k] for k in ("scenario", "targets", "repeats")}
    network = {k: sizes[k] for k in ("hidden", "epochs", "batch_size", "rank")}
    network |= {k: sizes[k] for k in ("precision",) if k in sizes}
    for seed in range(sizes["seeds"]):
        yield Run("ridge", base, seed)
        network |= SETTINGS | {"base": "DenseNet"}
        for head in HEADS:
            yield Run(LSMTL, base | network | {"head": head}, seed)
            for epochs in sizes["short"]:
                less = {"head": head, "epochs": epochs}
                yield Run(SHORT, base | network | less, seed)
        yield Run(UNTRAINED, base | network | {"head": "xavier"}, seed)


def kinds(adata, samples):
    """What each sample is, (n,) text; "" where that isn't known of some."""
    obs = adata.obs.loc[list(samples)]
    if "label" in obs:  # arrays: a study is a tissue, but for one
        study, label = obs["study"].astype(str), obs["label"].astype(str)
        return study.map(TISSUES).fillna(label).to_numpy(str)
    if "er_status" in obs:
        return obs["er_status"].map(ER).fillna("").to_numpy(str)
    if "platform" not in obs:
        return np.full(len(obs), UNLABELLED)
    known = obs["platform"].astype(str).to_numpy()
    if (known == "other").any():
        own = data.load("endometrial").obs.loc[list(samples)].astype(str)
        normal = own["tissue"] != "tumour"
        return own["subtype"].where(~normal, "normal").replace("nan", "").to_numpy(str)
    return known


def explained(splits, scenario):
    """The profiles that are explained: all, or those of the other platform.

    Of a small set's own test profiles there are too few to make twenty clusters.
    """
    if scenario == "across" or len(splits.test) >= ENOUGH:
        return splits.test
    parts = splits.train, splits.validation, splits.test
    return Profiles(
        torch.cat([part.x for part in parts]),
        torch.cat([part.y for part in parts]),
        sum((tuple(part.samples) for part in parts), ()),
    )


def made(method, c, splits, seed, device="cpu"):
    """The network of a run; ridge, too, is one, without hidden layers."""
    train, validation = splits.train, splits.validation
    if method == "ridge":
        model = ridge(train.x, train.y, validation.x, validation.y)
        return explaining.as_network(model.coef_)
    if method == UNTRAINED:
        torch.manual_seed(seed)
        D, T = train.x.shape[1], train.y.shape[1]
        return DenseNet(D, T, tuple(c["hidden"]), head=c["head"]).to(device).eval()
    settings = {k: c[k] for k in ("dropout", "strength", "rank")}
    return train_row(LSMTL, c, settings, train, validation, seed, device).network


def importance(network, x):
    """What each landmark adds to the mean squared prediction, (D,)."""
    every = np.zeros(network.targets, int)
    return explaining.contributions(network, x, every)[0].mean(0)


def _measure(adata, run, device):
    c = run.configuration
    splits = split(adata, c, run.seed, device)
    train, test = splits.train, splits.test
    network = made(run.method, c, splits, run.seed, device)
    shown = explained(splits, c["scenario"])
    if run.method in (UNTRAINED, SHORT):
        return pack("importance", importance(network, shown.x))
    genes = clusters(train.y.T, GROUPS)
    rho = explaining.contributions(network, shown.x, genes)  # (G, n, D)
    M = np.tensordot(np.bincount(genes) / len(genes), rho, 1)  # (n, D): of all targets
    squares = predict(network, shown.x).square().mean().item()
    rises = explaining.permutation(network, test.x, test.y, c["repeats"])
    found = {
        "mae": mae(predict(network, test.x), test.y).mean().item(),
        "absorbed": 1 - float(M.sum(1).mean()) / squares,
        "unseen": spearmanr(*(importance(network, p.x) for p in (train, test)))[0],
        **pack("importance", M.mean(0)),
        **pack("permutation", rises),
    }
    count = min(GROUPS, len(shown) // FEW)
    groups = clusters(shown.x, count)
    if run.method == "ridge":
        found |= pack("norm", network.head.weight.norm(dim=0).numpy(force=True))
        r = train.x.T @ train.y / len(train)  # both are standardised
        found |= pack("correlation", r.square().mean(1).numpy())
        if not run.seed:
            found |= _described(adata, splits, shown, groups, genes)
        return found
    found |= _over_k(shown.x, M, groups, count)
    if not run.seed:
        found |= pack("profiles", means(M, groups)) | pack("targets", rho.mean(1))
    return found


def _described(adata, splits, shown, groups, genes):
    """What the pictures of seed 0 need besides the model: clusters, names, labels."""
    kind = kinds(adata, shown.samples)
    known = kind != ""
    names, code = np.unique(kind[known], return_inverse=True)
    table = np.stack(
        [
            np.bincount(code[groups[known] == g], minlength=len(names))
            for g in range(groups.max() + 1)
        ]
    )
    x = shown.x.numpy()[known]
    return pack("between", explaining.explained_between(x, code)) | {
        "counts": table.ravel().tolist(),
        "kinds": names.tolist(),
        "sizes": np.bincount(groups).tolist(),
        "target_sizes": np.bincount(genes).tolist(),
        "parts": clusters(splits.train.x.T, PARTS).tolist(),
        "highest": means(x, code).argmax(0).tolist(),
        "genes": symbols(adata, splits.landmarks),
    }


def symbols(adata, names):
    """The genes' symbols, where the set has them beside other names."""
    var = adata.var.loc[list(names)]
    return var.get("symbol", var.index.to_series()).astype(str).tolist()


def _over_k(x, M, groups, count):
    """How much the cleaned picture depends on the clusters: other k, another start.

    For each, the adjusted Rand index with the clusters that are shown, and the share of
    a profile's top list that its other cluster's list has, the mean over profiles.
    """
    tops, found = top(means(M, groups))[groups], {"ari": [], "kept": []}
    for k, start in [*((k * count // GROUPS, 0) for k in OTHER), (count, 1)]:
        other = clusters(x, k, start)
        found["ari"].append(adjusted_rand_score(groups, other))
        same = explaining.shared(tops, top(means(M, other))[other])
        found["kept"].append(float(same.mean()))
    return found


LAPTOP = {
    "scenario": "within",
    "targets": None,
    "hidden": [100, 100, 100],
    "epochs": SIZES["laptop"]["epochs"]["DenseNet"],
    "batch_size": SIZES["laptop"]["batch"],
    "rank": 100,
    "repeats": 3,
    "short": [5, 10],  # epochs
    "seeds": 3,
}
CI = LAPTOP | {"targets": 120, "hidden": [20, 20, 20], "epochs": 20, "rank": 20}
CI |= {"repeats": 1, "short": [5], "seeds": 2}

PAPER = {"hidden": [9000, 9000, 9000], "rank": 1000, "precision": "tf32", "seeds": 2}
PAPER |= {"epochs": SIZES["gpu"]["epochs"]["DenseNet"], "short": [5, 50]}

EXPERIMENT = Experiment(
    name="relevance",
    recipe_version=1,
    datasets={"breast": "group", "arrays": "group", **ACROSS, **ORIGINAL},
    sizes={"ci": CI, "laptop": LAPTOP, "paper": PAPER},
    special={
        ("paper", "geo-gtex"): {"scenario": "across", "short": []},
    }
    | {
        (preset, dataset): {"scenario": "across", "short": []}
        for preset in ("ci", "laptop")
        for dataset in ACROSS
    },
    runs=_runs,
    measure=_measure,
)


def _copies(ask):
    for k in (1, 2, 3, 10):
        expect(
            ask(k),
            1 / k**2,
            [
                (1 / k, "That is its weight, and its contribution; and the error?"),
                (1, "The other columns still hold a part of what was shuffled."),
                (
                    0,
                    "The other columns don't step in: weights are fitted before the "
                    "shuffle.",
                ),
                (1 / np.sqrt(k), "Nothing is averaged here: only one is shuffled."),
                (1 / (2 * k), "What if k = 1? Nothing should have changed."),
                (2.0**-k, "What if k = 1? Nothing should have changed."),
                (2.0 ** (1 - k), "Right for one and two; does it halve each time?"),
                (k**2, "One of many is needed less, not more."),
            ],
            f"Not the importance of one of {k}.",
        )


def _fold(ask):
    rng = np.random.default_rng(1)
    W, b, mu = (rng.normal(size=shape) for shape in [(4, 4), 4, 4])
    v, gamma, beta, delta = rng.random(4) + 0.2, *rng.normal(size=(2, 4)), 0.1
    got = ask(*(value.copy() for value in (W, b, mu, v, gamma, beta)), delta)
    if not isinstance(got, tuple) or len(got) != 2:
        raise Wrong("Return two things: the weights (H, I) and the bias (H,).")
    s = gamma / np.sqrt(v + delta)
    expect(
        got[0],
        W * s,
        [
            (s[:, None] * W, "Inputs are scaled here, not units."),
            (W * gamma / np.sqrt(v), "δ is missing under the root."),
            (W * gamma / (v + delta), "v is a variance: where is the root?"),
            (W * s / gamma, "γ scales, too."),
            (W, "The weights change as well."),
        ],
        "The weights are not those of the folded layer.",
    )
    right = b + W @ (beta - s * mu)
    expect(
        got[1],
        right,
        [
            (b, "The weights are right; the bias changes as well."),
            (
                b + beta - s * mu,
                "Shifts of the inputs reach a unit through its weights.",
            ),
            (s * (b - mu) + beta, "That is batch norm after the layer."),
            (b + W @ beta, "The running mean μ is still to be taken off."),
            (b - W @ (s * mu), "The shift β is missing."),
            (b + W @ (beta - mu), "The mean is scaled as the inputs are."),
            (b + (W * s) @ (beta - mu), "β comes after the scaling."),
            (W @ (beta - s * mu), "The layer's own bias b is missing."),
        ],
        "The weights are right, the bias is not.",
    )


def _only_for(ask):
    rng = np.random.default_rng(0)
    a, W, R = (rng.normal(size=shape) for shape in [(5, 4), (3, 4), (5, 3)])
    W[2] = 0  # no input raises this unit
    parts = a[:, None] * W  # (n, H, I)
    up = np.maximum(parts, 0)

    def shared(parts, total):
        share = R / np.where(total == 0, 1, total)
        return (np.where(total == 0, 0, share)[:, :, None] * parts).sum(1)

    got = ask(a.copy(), W.copy(), R.copy())
    if got is not None and np.isnan(np.asarray(got, dtype=float)).any():
        raise Wrong("NaN: one unit of the three isn't raised by any input.")
    total, rising = parts.sum(2), np.maximum(W, 0) * a[:, None]
    expect(
        got,
        shared(up, up.sum(2)),
        [
            (shared(parts, total), "That lets inputs take part that lower the unit."),
            (
                shared(rising, rising.sum(2)),
                "W a decides whether an input raises a unit, not W alone.",
            ),
            (shared(up, total), "Shares of what raises the unit, not of all of it."),
            (
                np.maximum(shared(parts, total), 0),
                "Leave parts out before they are shared, not relevance afterwards.",
            ),
            ((R[:, :, None] * up).sum(1), "Shares add up to one: by what to divide?"),
            (
                shared(up > 0, (up > 0).sum(2)),
                "Not in equal shares: in the shares of what raises the unit.",
            ),
            (
                shared(np.abs(parts), np.abs(parts).sum(2)),
                "What lowers a unit is left out, not turned around.",
            ),
        ],
        "Not the relevance of 4 inputs of 3 units, for 5 profiles.",
    )


def _agreement(ask):
    rng = np.random.default_rng(2)
    one = rng.normal(size=60)
    other = one + rng.normal(size=60)
    count = 12

    def share(a, b):
        return len(set(np.argsort(a)[-count:]) & set(np.argsort(b)[-count:])) / count

    got = numbers(ask(one.copy(), other.copy(), count), (2,))
    found, chance = share(np.abs(one), np.abs(other)), count / 60
    union = 2 * count - count * found
    expect(
        got[0],
        found,
        [
            (share(one, other), "A large negative contribution counts as well."),
            (share(-np.abs(one), -np.abs(other)), "Those are the smallest ones."),
            (count * found, "A share is asked for; yours is a number."),
            (count * found / union, "That is a share of both lists together."),
            (chance, "Chance is the second number."),
        ],
        "The first number is not the share of one top list that is in the other.",
    )
    expect(
        got[1],
        chance,
        [
            (chance**2, "A landmark of the first list is given; is it in the second?"),
            (count * chance, "That is how many they share by chance, not which share."),
            (0.5, "Chance depends on how many landmarks there are."),
            (1 / 60, "That is the chance for one place of the list."),
        ],
        "The share is right. Chance is what two random lists would share on average.",
    )


CHECKERS = (_copies, _fold, _only_for, _agreement)  # in the order of the exercises
