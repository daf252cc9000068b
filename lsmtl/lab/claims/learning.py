"""Claims on what G learns, and on the ingredients.

A rule's docstring says when a comparison is *for* its claim. It is *against* the claim
where the opposite is as sure, and else *open*.
"""

import itertools

import torch

from lsmtl.lab import cost
from lsmtl.lab.claims.common import (
    ALL,
    PLAIN,
    G,
    at_start,
    better,
    of,
    signed,
    versus,
)
from lsmtl.lab.experiments import preferred
from lsmtl.lab.transfer import LEAST as SMALL
from lsmtl.lab.transfer import changes, chosen, scenes, surely
from lsmtl.lab.verdicts import COUNTED, Case, each, tabled
from lsmtl.networks import MLP, DenseNet, count_weights


@each("learned-relations")
def relations(runs):
    """For: at the setting that validation chooses, G ranks pairs of related tasks
    better than chance, and better than the plain correlation of the measured targets,
    in all seeds (average precision of its mean Jacobian).
    """
    mine = preferred(of(runs, G, scene=None), "strength", "rank", "masked")
    by_chance = mine.assign(ap=mine["chance"])
    yield "against chance", *better(mine, by_chance, "ap")
    yield "against correlation", *better(mine, of(runs, "correlation"), "ap")


@each("subspace-clustering")
def self_expression(runs):
    """For: V, trained with the network by Eq. 4, ranks pairs of tasks that share a
    regulator better than chance, and better than their plain correlation, in all
    seeds.
    """
    mine = of(runs[runs["genes"] == "measured"], "V trained")
    plain = of(runs[runs["genes"] == "measured"], "correlation", of="targets")
    for head, runs_of in mine.groupby("head"):
        best = preferred(runs_of, "strength", "sparsity")
        by_chance = best.assign(ap_apart=best["chance_apart"])
        yield f"{head} head, against chance", *better(best, by_chance, "ap_apart")
        yield f"{head} head, against correlation", *better(best, plain, "ap_apart")


@each("learned-relations")
def two_layers(runs):
    """For: with G the network has a lower MAE than with V of Eq. 4, and G finds more of
    the known relations, in all seeds; each at what validation chooses.
    """
    g = preferred(of(runs, G, scene=None), "strength", "rank", "masked")
    v = preferred(of(runs, "V trained", scene=None), "strength")
    if len(v):
        yield "MAE", *better(g, v)
        yield "average precision", *better(g, v, "ap")


def _bottleneck(runs, most):
    low = preferred(runs[runs["rank"] < most], "rank")
    return better(low, runs[runs["rank"] == most])


@each("ablations")
def _rank_ablation(runs):
    for head in ("xavier", "zero"):
        mine = at_start(runs, G, head, "rank")
        most = mine["rank"].max()
        yield f"{head} head, K below {most:.0f}", *_bottleneck(mine, most)


@each("learned-relations")
def _rank_relations(runs):
    mine = of(runs, G, scene=None)
    mine = mine[(mine["strength"] == 0.1) & (mine["masked"] == 0.1)]
    most = mine["rank"].max()
    yield f"K below {most:.0f}", *_bottleneck(mine, most)


def bottleneck(book):
    """For: the best smaller K, by validation, has a lower MAE than the largest K that
    was tried, in all seeds.
    """
    yield from _rank_ablation(book)
    yield from _rank_relations(book)


@each("learned-relations")
def transfer(runs):
    """For: at the λ that validation chooses hard tasks gain in all seeds, and easy
    tasks lose no more than 0.0005 in the mean. Against: easy tasks lose in all seeds,
    and more than that.
    """
    for scene in scenes(runs):
        strength, parts = chosen(changes(runs, scene), G)
        noisy = "no noise" not in scene
        hard, easy = ("mae_noisy", "mae_clean") if noisy else ("q3", "q0")
        found = "against" if surely(parts[easy]) else "open"
        if surely(-parts[hard]) and parts[easy].mean() <= SMALL:
            found = "for"
        text = f"(λ = {strength:g}) hard {signed(parts[hard].mean(), 4)}"
        yield scene, found, f"{text}, easy {signed(parts[easy].mean(), 4)}"


@each("base-networks")
def absolute_loss(runs):
    """For: with the ℓ1 loss the network has a lower MAE than with the squared error,
    and a higher concordance, in all seeds; the rate is chosen for each.
    """
    full = runs[runs["profiles"].isna()]
    usual = {"dropout": 0.1, "batch_norm": True}
    for base, head in itertools.product(("MLP", PLAIN), ("xavier", "zero")):
        pair = [
            preferred(of(full, base, head=head, loss=loss, **usual), "lr")
            for loss in ("absolute", "squared")
        ]
        for score, name in (("mae", "MAE"), ("cc", "CC")):
            yield f"{base}, {head} head, {name}", *better(*pair, score)


@each("ablations")
def _norm_ablation(runs):
    for head in ("xavier", "zero"):
        mine = at_start(runs, PLAIN, head, "batch_norm")
        pair = (mine[mine["batch_norm"] == on] for on in (True, False))
        yield f"DenseNet, {head} head", *better(*pair, "validation_mae")


@each("base-networks")
def _norm_networks(runs):
    usual = {"head": "zero", "loss": "absolute", "dropout": 0.1, "profiles": None}
    pair = (
        preferred(of(runs, "MLP", batch_norm=on, **usual), "lr") for on in (True, False)
    )
    yield "MLP, zero head", *better(*pair, "validation_mae")


def batch_norm(book):
    """For: after the same epochs the lowest validation MAE is lower with batch norm
    than without, in all seeds.
    """
    yield from _norm_ablation(book)
    yield from _norm_networks(book)


def fewer_weights(book):
    """For: a DenseNet has fewer weights than an MLP of the same layers and width."""
    for layers, units in itertools.product((2, 3), (3000, 6000, 9000)):
        with torch.device("meta"):
            mlp, dense = (
                count_weights(
                    make(cost.LANDMARKS, cost.TARGETS, hidden=(units,) * layers)
                )
                for make in (MLP, DenseNet)
            )
        found = "for" if dense < mlp else "against"
        yield Case(COUNTED, f"{layers} × {units:,}", found, f"{dense / mlp:.2f} ×")


@tabled(1, ALL)
def _dense_table(item):
    yield "Table 1", *versus(item, PLAIN, "MLP")


@each("base-networks")
def _dense_networks(runs):
    usual = {"loss": "absolute", "dropout": 0.1, "batch_norm": True, "profiles": None}
    for head in ("xavier", "zero"):
        pair = (
            preferred(of(runs, m, head=head, **usual), "lr") for m in (PLAIN, "MLP")
        )
        yield f"{head} head", *better(*pair)


def dense_network(book):
    """For: the DenseNet has a lower MAE than an MLP of the same layers and width,
    surely; neither has G.
    """
    yield from _dense_table(book)
    yield from _dense_networks(book)
