"""What does the model look at? Landmarks' relevance, redrawn and tested."""

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from lsmtl import data
from lsmtl.data import Profiles
from lsmtl.lab import explaining
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.explaining import clusters, means, pack, top
from lsmtl.lab.protocol import split, train_row
from lsmtl.lab.rows import ACROSS, SIZES
from lsmtl.linear import ridge
from lsmtl.metrics import mae
from lsmtl.networks import DenseNet
from lsmtl.training import predict

GROUPS = 20  # clusters of profiles and of targets, as in the paper
PARTS = 10  # clusters of landmarks
FEW = 10  # profiles a cluster, at least: where profiles are fewer, so are clusters
OTHER = (10, 30)  # numbers of clusters beside GROUPS
LSMTL, UNTRAINED, HEADS = "Deep-LSMTL", "untrained", ("xavier", "zero")
SETTINGS = {"dropout": 0.25, "strength": 0.01}
TISSUES = {"nakayama": "sarcoma", "borovecki": "blood", "bladder": "bladder"}
ER = {0: "ER−", 1: "ER+"}


def _runs(sizes, landmarks):
    base = {k: sizes[k] for k in ("scenario", "targets", "repeats")}
    network = {k: sizes[k] for k in ("hidden", "epochs", "batch_size", "rank")}
    for seed in range(sizes["seeds"]):
        yield Run("ridge", base, seed)
        for method, head in (*((LSMTL, h) for h in HEADS), (UNTRAINED, HEADS[0])):
            more = network | SETTINGS | {"base": "DenseNet", "head": head}
            yield Run(method, base | more, seed)


def kinds(adata, samples):
    """What each sample is, (n,) text; "" where that isn't known."""
    obs = adata.obs.loc[list(samples)]
    if "label" in obs:  # arrays: a study is a tissue, but for one
        study, label = obs["study"].astype(str), obs["label"].astype(str)
        return study.map(TISSUES).fillna(label).to_numpy(str)
    if "er_status" in obs:
        return obs["er_status"].map(ER).fillna("").to_numpy(str)
    known = obs["platform"].astype(str).to_numpy()
    if (known == "other").any():
        own = data.load("endometrial").obs.loc[list(samples)].astype(str)
        normal = own["tissue"] != "tumour"
        return own["subtype"].where(~normal, "normal").replace("nan", "").to_numpy(str)
    return known


def explained(splits, scenario):
    """The profiles that are explained: all, or those of the other platform.

    Of a set's own test profiles there are too few to make twenty clusters.
    """
    if scenario == "across":
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
    if run.method == UNTRAINED:
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
    "seeds": 3,
}
CI = LAPTOP | {"targets": 200, "hidden": [20, 20, 20], "epochs": 20, "rank": 20}

EXPERIMENT = Experiment(
    name="relevance",
    recipe_version=1,
    datasets={"breast": "group", "arrays": "group", **ACROSS},
    sizes={"ci": CI | {"repeats": 1, "seeds": 2}, "laptop": LAPTOP},
    special={(p, d): {"scenario": "across"} for p in ("ci", "laptop") for d in ACROSS},
    runs=_runs,
    measure=_measure,
)

CHECKERS = ()
