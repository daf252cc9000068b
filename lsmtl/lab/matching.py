"""Cells in two frames: who is who? Learned from all pairs, or from a few annotated.

A scene has `pairs` (k, k, d), features of every cell of the first frame beside every
one of the second, `truth` (k,), who is who, and `known` (k,), which cells of the first
frame are annotated. An answer is a permutation (k,); its score is the sum of w·pairs.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from lsmtl.kernels import shared_component
from lsmtl.kernels.cccp import cccp

WRONG = 1e6  # what an answer that contradicts an annotation would cost


class Scene(NamedTuple):
    """Two frames of k cells."""

    pairs: np.ndarray
    truth: np.ndarray
    known: np.ndarray


def simulate(scenes, cells, noise, annotated, seed):
    """Scenes whose cells have traits that change a little from frame to frame.

    Args:
        scenes: how many.
        cells: k.
        noise: (d,) how much each trait changes; the traits' own deviation is 1.
        annotated: share of the cells, at least one.
        seed: of all that is drawn.

    Returns:
        list of `Scene`; a pair's features are squared differences, negative.
    """
    rng, found = np.random.default_rng(seed), []
    for _ in range(scenes):
        first = rng.normal(size=(cells, len(noise)))
        truth = rng.permutation(cells)
        second = np.empty_like(first)
        second[truth] = first + noise * rng.normal(size=first.shape)
        known = np.zeros(cells, dtype=bool)
        known[rng.permutation(cells)[: max(1, round(annotated * cells))]] = True
        found.append(Scene(-((first[:, None] - second) ** 2), truth, known))
    return found


def answer(scores):
    """The permutation (k,) with the highest sum of scores (k, k)."""
    return linear_sum_assignment(scores, maximize=True)[1]


def upper(scenes):
    """w → Σ over scenes of the best answer's score and mistakes, and a slope.

    A mistake is an annotated cell that is matched with another one than it should be.
    """

    def of(w):
        return _sum(w, scenes, lambda s: s.known[:, None] & _others(s))

    return of


def lower(scenes):
    """w → Σ over scenes of the score of the best answer that agrees, and a slope."""

    def of(w):
        return _sum(w, scenes, lambda s: -WRONG * (s.known[:, None] & _others(s)))

    return of


def _others(scene):
    """(k, k): is it another pair than the true one?"""
    return scene.truth[:, None] != np.arange(len(scene.truth))


def _sum(w, scenes, extra):
    value, slope = 0.0, np.zeros_like(w)
    for scene in scenes:
        more = extra(scene)
        cells = np.arange(len(scene.truth))
        chosen = answer(scene.pairs @ w + more)
        features = scene.pairs[cells, chosen].sum(0)
        value += features @ w + more[cells, chosen].sum()
        slope += features
    return value, slope


def learn(source, target, own=1.0, common=1.0, start=None):
    r"""Weights of a source and a target that share a component.

    $\min \frac{\lambda_1}{2} \sum_t \|w_t - w\|^2 + \frac{\lambda_2}{2} \|w\|^2$ plus
    the losses of both, by the convex–concave procedure.

    Args:
        source: list of `Scene`, may be empty.
        target: the same.
        own: λ1.
        common: λ2.
        start: weights (d,) of both to start from; None: all 1.

    Returns:
        Weights (2, d) of source and target, and the objective after each round.
    """
    d = (source or target)[0].pairs.shape[-1]
    F = np.linalg.cholesky(shared_component(2, own, common))  # w_t = Σ_r F_tr v_r
    lifted = [
        scene._replace(pairs=np.kron(f, scene.pairs))
        for f, scenes in zip(F, (source, target), strict=True)
        for scene in scenes
    ]
    w = np.ones(d) if start is None else start
    v = np.linalg.solve(F, np.stack([w, w])).ravel()
    v, values = cccp(upper(lifted), lower(lifted), 0.5, v)
    return F @ v.reshape(2, d), values


def mistakes(w, scenes):
    """The share of cells that are matched with a wrong one, w (d,)."""
    return float(np.mean([answer(s.pairs @ w) != s.truth for s in scenes]))
