"""From a matrix to training, validation and test profiles, without leaks.

One rule scales everything: a gene's mean and deviation come from the training rows,
taken separately within each platform where `uns["within"]` says that platforms
differ. A platform without a training row is held out: its inputs are scaled by its
own inputs, and its targets by their own statistics, for scoring only.

Before that, where `uns["normalize"]` is `"quantile"`, every sample is mapped onto the
mean quantiles of the training rows.

The original files have one split, `obs["use"]`, and were scaled by it when they were
made, as `uns["conventions"]` says. `split` keeps both; other splits of them go by the
rule.
"""

from dataclasses import dataclass

import numpy as np
import torch

from lsmtl._checks import finite, natural, one_of
from lsmtl.data.datasets import validate
from lsmtl.data.preprocess import (
    add_absent,
    common_genes,
    dense,
    quantile_normalize,
    reference_quantiles,
    standardize,
    statistics,
)

FEWEST = 10  # samples; statistics of fewer mean nothing


@dataclass(frozen=True)
class Profiles:
    """Standardised profiles.

    Args:
        x: (n, D) float32 tensor, landmark genes.
        y: (n, T) float32 tensor, target genes.
        samples: names of the n samples.
    """

    x: torch.Tensor
    y: torch.Tensor
    samples: tuple = ()

    def __len__(self):
        return len(self.x)


@dataclass(frozen=True)
class Splits:
    """Training, validation and test `Profiles`, and the genes of their columns."""

    train: Profiles
    validation: Profiles
    test: Profiles
    landmarks: tuple
    targets: tuple


def split(adata, seed=0, group=None, fractions=(0.8, 0.1, 0.1)):
    """Random training, validation and test profiles.

    Args:
        adata: AnnData with `var["role"]`, as `load` gives it.
        seed: decides who goes where.
        group: an obs column; samples with the same value stay together, as
            replicates should (the shipped sets have `"group"` for it). The fractions
            are then shares of the groups.
        fractions: shares of training, validation and test; they add up to 1.

    Returns:
        `Splits`, standardised by the training rows (see the module's rule).

    Raises:
        ValueError: the matrix can't be used, there are too few samples or groups,
            the column is missing or incomplete, or the fractions are no shares.

    >>> from lsmtl.data import load
    >>> splits = split(load("breast"), seed=0)
    >>> splits.train.x.shape, splits.test.y.shape
    (torch.Size([317, 734]), torch.Size([40, 6372]))
    """
    _check(adata)
    if prepared(adata):
        return fixed(adata)
    labels = None if group is None else column(adata, group)
    part = partition(adata.n_obs, seed, fractions, labels, f"obs[{group!r}]")
    return assemble(adata, part)


def prepared(adata):
    """Whether a set was split and scaled when it was made (the original files)."""
    return "conventions" in adata.uns


def uses(adata):
    """Who goes where by `obs["use"]`: (n,) as `partition` gives it.

    Raises:
        ValueError: it is missing, or another word than train, validation or test, or
            one of these has no sample.
    """
    use = column(adata, "use")
    words = ("train", "validation", "test")
    for word in np.unique(use):
        one_of('obs["use"]', str(word), words)
    for word in words:
        if word not in use:
            raise ValueError(f'no sample has obs["use"] {word!r}')
    return np.select([use == "train", use == "validation"], [0, 1], 2)


def fixed(adata):
    """`Splits` by `obs["use"]`, with the values as they are.

    Raises:
        ValueError: as for `uses`.
    """
    X, part, roles = dense(adata), uses(adata), adata.var["role"].astype(str)
    landmark = (roles == "landmark").to_numpy()
    profiles = []
    for number in range(3):
        rows = np.flatnonzero(part == number)
        x, y = (
            torch.from_numpy(X[np.ix_(rows, np.flatnonzero(of))])
            for of in (landmark, ~landmark)
        )
        profiles.append(Profiles(x, y, tuple(map(str, adata.obs_names[rows]))))
    genes = roles.index.astype(str)
    return Splits(*profiles, tuple(genes[landmark]), tuple(genes[~landmark]))


def partition(samples, seed, fractions, labels=None, name="labels"):
    """Who goes where: (samples,) 0 for training, 1 for validation, 2 for test.

    Args:
        samples: how many there are.
        seed: decides it.
        fractions: shares of the three, of the samples or of the groups.
        labels: (samples,) groups that stay together, or None.
        name: of the labels, in errors.
    """
    natural("seed", seed)
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(
            "fractions must be three positive shares that add up to 1, got "
            f"{fractions!r}"
        )
    single = labels is None
    labels = np.arange(samples) if single else labels
    units = np.unique(labels)
    if len(units) < 3:
        raise ValueError(
            f"{name} has {len(units)} group(s); three sets need at least 3"
        )
    units = np.random.default_rng(seed).permutation(units)
    held = [max(1, round(share * len(units))) for share in shares[1:]]
    if len(units) - sum(held) < (2 if single else 1):
        raise ValueError(
            f"fractions {fractions!r} of {len(units)} leave too little for training"
        )
    test, validation = units[: held[1]], units[held[1] : sum(held)]
    part = np.zeros(samples, dtype=int)
    part[np.isin(labels, validation)] = 1
    part[np.isin(labels, test)] = 2
    return part


def two_halves(adata, seed=0, group=None, validation=0.1):
    """Halves of the samples, each of which trains once and tests once.

    Five seeds make the 5×2 cross-validation of `lsmtl.significance`.

    Args:
        adata: AnnData with `var["role"]`.
        seed: decides the halves, and who of a training half chooses.
        group: an obs column; samples with the same value stay together, and shares
            are then shares of the groups.
        validation: the share of a training half that chooses epoch and settings.

    Yields:
        Two `Splits`, standardised by their training rows.

    Raises:
        ValueError: as for `split`, or `validation` is no share.

    >>> from lsmtl.data import load
    >>> one, other = two_halves(load("breast"))
    >>> len(one.train), len(one.validation), len(one.test), len(other.test)
    (178, 20, 199, 198)
    """
    _check(adata)
    natural("seed", seed)
    _share(validation)
    single = group is None
    labels = np.arange(adata.n_obs) if single else column(adata, group)
    units = np.unique(labels)
    if len(units) < 4:
        raise ValueError(
            f"obs[{group!r}] has {len(units)} group(s); training and validation in "
            "each of two halves need at least 4"
        )
    units = np.random.default_rng(seed).permutation(units)
    middle, parts = len(units) // 2, []
    for train in (units[:middle], units[middle:]):
        count = max(1, round(validation * len(train)))
        part = np.where(np.isin(labels, train), 0, 2)
        part[np.isin(labels, train[:count])] = 1
        parts.append(part)
    return (assemble(adata, part) for part in parts)


def leave_one_out(adata, group, seed=0, validation=0.1, keep=None):
    """Hold out one study or cohort after the other.

    Args:
        adata: AnnData with `var["role"]`.
        group: the obs column that names the study or cohort.
        seed: decides which of the other samples are the validation set.
        validation: their share.
        keep: an obs column; samples with the same value stay together, and the share
            is then one of these groups.

    Yields:
        (name, `Splits`) with that study as the test set.

    Raises:
        ValueError: as for `split`, or `validation` is no share.
    """
    _check(adata)
    natural("seed", seed)
    _share(validation)
    labels = column(adata, group)
    units = np.unique(labels)
    if len(units) < 2:
        raise ValueError(
            f"obs[{group!r}] has {len(units)} group(s); leaving one out needs 2"
        )
    kept = np.arange(adata.n_obs) if keep is None else column(adata, keep)
    return _each_left_out(adata, labels, units, seed, validation, kept)


def _each_left_out(adata, labels, units, seed, validation, kept):
    for unit in units:
        part = np.where(labels == unit, 2, 0)
        others = np.unique(kept[part == 0])
        count = max(1, round(validation * len(others)))
        chosen = np.random.default_rng(seed).permutation(others)[:count]
        part[np.isin(kept, chosen) & (part == 0)] = 1
        if (part == 0).sum() < 2:
            raise ValueError(
                f"validation={validation!r} of the samples outside {str(unit)!r} "
                "leaves too few for training"
            )
        yield str(unit), assemble(adata, part)


def transfer(train, validation, test, absent="drop"):
    """Train on one platform, choose on a second, test on a third.

    Where `uns["normalize"]` of `train` is `"quantile"`, the samples of all three are
    mapped onto the mean quantiles of the training samples.

    Args:
        train, validation, test: AnnData with `var["role"]`; the genes that all three
            have are used, in the order of `train`.
        absent: what becomes of landmarks that a platform lacks: `"drop"` leaves them
            out for all three, `"zero"` keeps those of `train` and fills them with 0,
            their mean, where they are absent.

    Returns:
        `Splits`; validation and test are scaled like held-out platforms.

    Raises:
        ValueError: a matrix can't be used, no landmark or no target is common to all
            three, a common gene is a landmark here and a target there, or `absent`
            is another word.
    """
    one_of("absent", absent, ("drop", "zero"))
    parts = {"train": train, "validation": validation, "test": test}
    for name, adata in parts.items():
        try:
            validate(adata)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if not adata.n_obs:
            raise ValueError(f"{name} has no samples")
    genes = common_genes(*parts.values())
    roles = {k: a.var["role"].astype(str).reindex(genes) for k, a in parts.items()}
    for name in ("validation", "test"):
        differ = roles["train"].index[roles["train"] != roles[name]]
        if len(differ):
            raise ValueError(
                f"{len(differ)} genes have another role in {name} than in train: "
                f"{', '.join(map(str, differ[:5]))}"
            )
    for role in ("landmark", "target"):
        if not (roles["train"] == role).any():
            raise ValueError(f"train, validation and test have no {role} in common")
    kept = roles["train"]
    if absent == "zero":
        every = train.var["role"].astype(str)
        kept = every[(every == "landmark") | every.index.isin(genes)]
    parts = {n: a[:, kept.index.intersection(a.var_names)] for n, a in parts.items()}
    if _quantile(train):
        reference = reference_quantiles(parts["train"])
        for name, adata in parts.items():  # validation and test as D-GEX maps them
            ties = "mean" if name == "train" else "unique"
            parts[name] = quantile_normalize(adata, reference, ties)
    if absent == "zero":
        parts = {n: add_absent(a, kept.index) for n, a in parts.items()}
    scaled = [
        scaled_by(adata, np.full(adata.n_obs, True), f"{name}/")
        for name, adata in parts.items()
    ]
    samples = [adata.obs_names for adata in parts.values()]
    return _profiles(scaled, samples, kept)


def _share(validation):
    if not 0 < finite("validation", validation, minimum=-np.inf) < 1:
        raise ValueError(f"validation must lie between 0 and 1, got {validation!r}")


def _check(adata):
    validate(adata)
    if adata.n_obs < FEWEST:
        raise ValueError(
            f"{adata.n_obs} samples are too few; at least {FEWEST} are needed"
        )


def column(adata, name):
    """Labels of an obs column as strings, complete."""
    if name not in adata.obs:
        columns = ", ".join(map(str, adata.obs)) or "none"
        raise ValueError(f"obs has no column {name!r}; columns: {columns}")
    column = adata.obs[name]
    if column.isna().any():
        raise ValueError(
            f"obs[{name!r}] is missing for {column.isna().sum()} samples, the first "
            f"{adata.obs_names[column.isna()][0]!r}"
        )
    return column.astype(str).to_numpy()


def _within(adata):
    """The platform of every sample; one for all unless `uns["within"]` names some."""
    name = adata.uns.get("within")
    return np.full(adata.n_obs, "all") if name is None else column(adata, name)


def _quantile(adata):
    """Whether samples are to be mapped onto common quantiles."""
    how = adata.uns.get("normalize")
    return how is not None and one_of('uns["normalize"]', how, ("quantile",)) == how


def assemble(adata, part, known=None):
    """`Splits` by the module's rule.

    Args:
        adata: AnnData with `var["role"]`.
        part: (n,) 0 training, 1 validation, 2 test.
        known: (n,) bool, the rows that quantiles, means and deviations come from: the
            training rows, unless one wants to see what a leak does.
    """
    known = part == 0 if known is None else known
    if _quantile(adata):
        adata = quantile_normalize(adata, reference_quantiles(adata[known]))
    scaled = scaled_by(adata, known)
    rows = [part == k for k in range(3)]
    samples = [adata.obs_names[r] for r in rows]
    return _profiles([scaled[r] for r in rows], samples, adata.var["role"].astype(str))


def scaled_by(adata, known, prefix=""):
    """X standardised within each platform; `prefix` goes before names in errors."""
    within = _within(adata)
    scaled = np.empty(adata.shape, dtype=np.float32)
    for label in np.unique(within):
        rows = within == label
        reference = rows & known if (rows & known).any() else rows
        if reference.sum() < 2:
            raise ValueError(
                f"{prefix + label!r} has 1 sample to take means and deviations from; "
                "at least 2 are needed"
            )
        scaled[rows] = standardize(adata[rows], *statistics(adata[reference])).X
    return scaled


def _profiles(values, samples, roles):
    """`Splits` of the training, validation and test values, (n, genes) each."""
    landmark = (roles == "landmark").to_numpy()
    profiles = [
        Profiles(
            torch.from_numpy(v[:, landmark]),
            torch.from_numpy(v[:, ~landmark]),
            tuple(map(str, names)),
        )
        for v, names in zip(values, samples, strict=True)
    ]
    genes = roles.index.astype(str)
    return Splits(*profiles, tuple(genes[landmark]), tuple(genes[~landmark]))
