"""Peptides: letters into numbers, nearly identical ones, a simulated world."""

import functools

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lsmtl._checks import whole
from lsmtl.kernels import adjacency_from

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
FIRST, LAST = 5, 4  # residues that are read from each end: 9 in all
SHORTEST, LONGEST = 8, 11  # what is read
SAME_LOCUS = 0.2  # weight of two alleles of a locus, where two of a family weigh 1
PSEUDO, NEAREST = 5, 5  # rows that a profile is drawn to 0 by; neighbours of an allele
RUN = 7  # residues in a row that make two peptides nearly identical


def encode(peptides):
    """A 1 for the letter at each of nine places, and a last column of ones.

    The first five residues and the last four are read; of a peptide of nine that is
    all, a longer one loses its middle, one of eight has a residue twice.

    Args:
        peptides: n strings of at least `FIRST` of the 20 `LETTERS`.

    Returns:
        (n, 181) zeros and ones.

    Raises:
        ValueError: a peptide is shorter, or has another letter.

    >>> encode(["ACDEFGHIK"])[0].reshape(-1)[:180].reshape(9, 20).argmax(1).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    """
    peptides = np.asarray(peptides, dtype=str)
    for peptide in peptides:
        if len(peptide) < FIRST or set(peptide) - {*LETTERS}:
            raise ValueError(
                f"a peptide has at least {FIRST} of the letters {LETTERS}, "
                f"got {peptide!r}"
            )
    read = ["".join((p[:FIRST], p[-LAST:])) for p in peptides]
    place = np.array([[LETTERS.index(letter) for letter in word] for word in read])
    found = np.zeros((len(peptides), (FIRST + LAST) * len(LETTERS) + 1))
    columns = place.reshape(len(peptides), -1) + len(LETTERS) * np.arange(FIRST + LAST)
    np.put_along_axis(found, columns, 1.0, axis=1)
    found[:, -1] = 1.0
    return found


def clusters(peptides):
    """Numbers of the clusters of nearly identical peptides.

    Two peptides are nearly identical if they share seven residues in a row, or have
    the same length and differ in one place. A cluster is what such pairs connect.

    Args:
        peptides: n strings.

    Returns:
        (n,) numbers.

    >>> clusters(["AAAAAAAAC", "AAAAAAAAD", "GHIKLMNPQ", "AAAAAAAAC"]).tolist()
    [0, 0, 1, 0]
    """
    names, number = np.unique(np.asarray(peptides, dtype=str), return_inverse=True)
    first, pairs = {}, []
    for i, peptide in enumerate(names):
        runs = range(max(len(peptide) - RUN, 0) + 1)
        keys = [peptide[k : k + RUN] for k in runs]
        keys += [f"{peptide[:k]}*{peptide[k + 1 :]}" for k in range(len(peptide))]
        pairs += [(i, first.setdefault(key, i)) for key in keys]
    a, b = np.array(pairs).T
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(len(names), len(names)))
    found = connected_components(graph, directed=False)[1][number]
    return pd.factorize(found)[0]  # in the order of appearance


def readable(frame):
    """The rows of a table whose peptides can be read, with their cluster in `group`."""
    length = frame["peptide"].str.len().between(SHORTEST, LONGEST)
    frame = frame[length & ~frame["peptide"].str.contains(f"[^{LETTERS}]")]
    return frame.reset_index(drop=True).assign(
        group=clusters(frame["peptide"].to_numpy())
    )


def families(alleles):
    """What the name of each allele tells: `A*02:01` is of locus A and family A*02.

    Args:
        alleles: names, a letter, a star, a number, a colon, a number.

    Returns:
        DataFrame with the columns `locus` and `family`, a row an allele.
    """
    names = pd.Index(alleles)
    return pd.DataFrame(
        {
            "locus": names.str.split("*").str[0],
            "family": names.str.split(":").str[0],
        },
        index=names,
    )


def by_name(alleles):
    """Relations that names give: an adjacency with mean degree 1.

    Two alleles of a family weigh 1, two of a locus `SAME_LOCUS`, others 0: the
    nomenclature is a tree, as a taxonomy is.

    Args:
        alleles: T names.

    Returns:
        DataFrame (T, T).
    """
    A = 0.0
    for name, weight in {"locus": SAME_LOCUS, "family": 1 - SAME_LOCUS}.items():
        of = families(alleles)[name].to_numpy()
        A = A + weight * (of[:, None] == of)
    return pd.DataFrame(adjacency_from(A), alleles, alleles)


def profiles(X, y, task, alleles):
    """What binds to each allele: mean binder minus mean of the others.

    Both means are drawn towards 0 by `PSEUDO` rows, so that an allele with few
    peptides has a faint profile and not a loud one.

    Args:
        X: (n, d) as `encode` gives it, with its last column of ones.
        y: (n,) 1 or −1.
        task: (n,) alleles.
        alleles: T names, the order of the rows.

    Returns:
        (T, d - 1).
    """
    found = np.zeros((len(alleles), X.shape[1] - 1))
    for row, allele in enumerate(alleles):
        for sign in (1, -1):
            mine = X[(task == allele) & (y == sign), :-1]
            found[row] += sign * mine.sum(0) / (len(mine) + PSEUDO)
    return found


def by_profile(X, y, task, alleles):
    """Relations from the data: each allele's `NEAREST` by the correlation of profiles.

    Args: as for `profiles`; training rows only.

    Returns:
        DataFrame (T, T), mean degree 1.
    """
    found = profiles(X, y, task, alleles)
    found = found - found.mean(1, keepdims=True)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    found = found / np.where(length > 0, length, 1)
    alike = found @ found.T
    np.fill_diagonal(alike, 0)
    if alike.max() <= 0:  # no two profiles are alike: nobody is related
        return pd.DataFrame(0.0, alleles, alleles)
    A = adjacency_from(alike, min(NEAREST, len(alleles) - 1))
    return pd.DataFrame(A, alleles, alleles)


@functools.cache
def simulated(alleles=24, loci=2, families=3, peptides=2500, seed=0):
    """A table of peptides and alleles whose relations are known.

    Every allele has a weight for each letter at each place, more at the places 2 and
    9, which is its family's in part and its own in part. A peptide binds if its sum of
    weights, with some noise, is among the highest third. Alleles have from 40 to 600
    peptides; a third of all peptides are another one with one letter changed.

    Args:
        alleles: how many.
        loci, families: of how many loci, and of how many families in each.
        peptides: how many are drawn, from which each allele gets its own.
        seed: decides everything.

    Returns:
        DataFrame: `task`, `y` 1 or −1, `peptide`. A task is named by locus, family and
        number, such as `X*02:03`.
    """
    for name, value in {"alleles": alleles, "peptides": peptides}.items():
        whole(name, value)
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 20, size=(peptides, 9))
    copies = np.arange(peptides // 3)  # one letter changed
    pool[copies] = pool[copies + peptides // 3]
    pool[copies, rng.integers(0, 9, len(copies))] = rng.integers(0, 20, len(copies))
    words = np.array(["".join(LETTERS[i] for i in word) for word in pool])
    weight = np.full(9, 0.5)
    weight[[1, 8]] = 2.0  # the anchors
    common = rng.normal(size=(loci, families, 9, 20))
    tables = []
    sizes = np.geomspace(40, 600, alleles).astype(int)[rng.permutation(alleles)]
    for number, size in enumerate(sizes):
        locus, family = number % loci, number // loci % families
        own = 0.85**0.5 * common[locus, family] + 0.15**0.5 * rng.normal(size=(9, 20))
        score = (weight[:, None] * own)[np.arange(9), pool].sum(1)
        score = score + 0.5 * rng.normal(size=peptides)
        rows = np.sort(rng.permutation(peptides)[:size])
        name = f"{'XYZ'[locus]}*{family + 1:02d}:{number // loci // families + 1:02d}"
        y = np.where(score[rows] > np.quantile(score, 2 / 3), 1, -1)
        tables.append(pd.DataFrame({"task": name, "y": y, "peptide": words[rows]}))
    return pd.concat(tables, ignore_index=True)
