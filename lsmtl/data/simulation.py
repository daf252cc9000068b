"""A simulated compendium of expression profiles whose truth is known.

`lsmtl.data.world` holds the generative model. Here it becomes an AnnData, blocks for
sizes that don't fit, or standardised splits that are made where they are to lie.
"""

import hashlib

import numpy as np
import torch

from lsmtl._checks import one_of, whole
from lsmtl.data.splits import FEWEST, Profiles, Splits, partition
from lsmtl.data.world import CHUNK, world

VERSION = 1  # raised by hand when the same arguments give other values


def fingerprint():
    """SHA-256 that stands for simulated data in a run record's key.

    The values follow from this version and the arguments, which are a part of the
    run's configuration; their last digits differ between processors.

    >>> len(fingerprint())
    64
    """
    return hashlib.sha256(f"simulated, version {VERSION}".encode()).hexdigest()


def simulate(samples=2000, landmarks=943, targets=9520, seed=0, **options):
    """A simulated set of profiles with known relations between targets, as AnnData.

    Args:
        samples: n, the number of profiles.
        landmarks: D; each represents a module, as L1000's genes represent clusters.
        targets: T.
        seed: decides everything. With the same seed and numbers of genes, a smaller
            set is the beginning of a larger one.
        **options: of `world`: `modules`, `platform`, `noise`, `relatedness`,
            `per_study`.

    Returns:
        AnnData with X (n, D + T) float32 on a log2-like scale, landmarks first.
        `obs` has `study`, `cell_type`, `platform` and `group` (replicates, which
        must not straddle two sets); `var` has `role` and `noise`, the share of the
        gene's variance that is noise. `uns["relations"]` holds `module` (T,), the
        module of each target, and `strength` (T,), the share of its expression's
        variance, before platform and noise, that comes from the module's program.

    Raises:
        ValueError: an argument is out of its range.

    >>> adata = simulate(20, landmarks=10, targets=50, modules=5)
    >>> adata.shape, adata.uns["relations"]["module"].max().item()
    ((20, 60), 4)
    """
    import anndata  # here, because a bare GPU machine has none
    import pandas as pd

    whole("samples", samples)
    made = world(landmarks, targets, seed, **options)
    X = np.concatenate([v.numpy() for v in _blocks(made, samples, CHUNK)])
    landmark, target = _genes(landmarks, targets)
    role = np.repeat(["landmark", "target"], [landmarks, targets])
    return anndata.AnnData(
        X,
        obs=pd.DataFrame(
            made.labels(samples) | {"platform": made.platform}, index=_names(samples)
        ),
        var=pd.DataFrame(
            {"role": role, "noise": made.noise}, index=[*landmark, *target]
        ),
        uns={
            "relations": {
                "module": made.module[landmarks:],
                "strength": made.strength[landmarks:],
            },
            "source": f"simulated by lsmtl, version {VERSION}, seed {seed}",
        },
    )


def simulate_blocks(
    samples, landmarks, targets, seed, block=1000, device="cpu", **options
):
    """The values of `simulate`, block by block, for sizes that don't fit.

    Args:
        samples, landmarks, targets, seed: as `simulate`.
        block: profiles a block; the last may be shorter. Values don't depend on it.
        device: where the blocks are made; values differ by rounding between devices.
        **options: of `world`.

    Yields:
        float32 tensors (b, D + T), landmarks first.

    Raises:
        ValueError: an argument is out of its range.

    >>> [len(b) for b in simulate_blocks(5, 10, 50, seed=0, block=2, modules=5)]
    [2, 2, 1]
    """
    whole("samples", samples)
    whole("block", block)
    made = world(landmarks, targets, seed, device=device, **options)
    return _blocks(made, samples, block)


def simulate_splits(
    samples,
    landmarks,
    targets,
    seed=0,
    fractions=(0.8, 0.1, 0.1),
    group=None,
    split_seed=0,
    block=1000,
    device="cpu",
    **options,
):
    """What `data.split` makes of `simulate`, with little more memory than its result.

    Args:
        samples, landmarks, targets, seed: as `simulate`.
        fractions: shares of training, validation and test.
        group: None, as the paper splits, or the labels that stay together: `"study"`,
            `"cell_type"` or `"group"`.
        split_seed: decides who goes where.
        block: profiles that are made and scaled at a time.
        device: where the splits lie.
        **options: of `world`.

    Returns:
        `Splits` of float32 tensors, standardised by the training rows.

    Raises:
        ValueError: an argument is out of its range, or there are too few samples or
            groups.

    >>> splits = simulate_splits(50, 10, 50, modules=5)
    >>> splits.train.x.shape, splits.test.y.shape
    (torch.Size([40, 10]), torch.Size([5, 50]))
    """
    if whole("samples", samples) < FEWEST:
        raise ValueError(f"{samples} samples are too few; at least {FEWEST} are needed")
    whole("block", block)
    made = world(landmarks, targets, seed, device=device, **options)
    labels = None
    if group is not None:
        labels = made.labels(samples)
        labels = labels[one_of("group", group, labels)]
    part = partition(samples, split_seed, fractions, labels, group)
    sets = [
        [torch.empty((part == k).sum(), genes, device=device) for genes in made.shape]
        for k in range(3)
    ]
    first, rows = 0, [0, 0, 0]
    for values in _blocks(made, samples, block):
        of = part[first : first + len(values)]
        first += len(values)
        for k, (x, y) in enumerate(sets):
            chosen = values[torch.from_numpy(of == k).to(device)]
            place = slice(rows[k], rows[k] + len(chosen))
            x[place], y[place] = chosen.split(made.shape, dim=1)
            rows[k] = place.stop
    for same_genes in zip(*sets, strict=True):
        _standardize(same_genes, block)
    names = np.array(_names(samples))
    return Splits(
        *(Profiles(*xy, tuple(names[part == k])) for k, xy in enumerate(sets)),
        *map(tuple, _genes(landmarks, targets)),
    )


def _standardize(sets, block):
    """Training, validation and test values in deviations of the training's, in place.

    As `statistics` and `standardize` in `preprocess`, on any device.
    """
    train = sets[0]
    constant = train.amin(0) == train.amax(0)
    mean = sum(v.double().sum(0) for v in train.split(block)) / len(train)
    mean = torch.where(constant, train[0].double(), mean)
    total = sum((v.double() - mean).square().sum(0) for v in train.split(block))
    deviation = (total / len(train)).sqrt().masked_fill(constant, 1.0)
    for values in sets:
        for v in values.split(block):
            v.copy_((v.double() - mean) / deviation)


def _blocks(made, samples, block):
    """The first profiles of a world in blocks, made chunk by chunk."""
    held, count = [], 0
    for k in range(-(-samples // CHUNK)):
        values = made.chunk(k)[: samples - k * CHUNK]
        held.append(values)
        count += len(values)
        while count >= block:
            values = torch.cat(held)
            yield values[:block].clone()
            held, count = [values[block:]], count - block
    if count:
        yield torch.cat(held)


def _names(samples):
    return [f"sample{i}" for i in range(samples)]


def _genes(landmarks, targets):
    """Names of the landmarks, and of the targets."""
    return [f"landmark{d}" for d in range(landmarks)], [
        f"target{t}" for t in range(targets)
    ]
