"""Which genes are measured: a list, the L1000's, or a choice made from the data."""

from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl._checks import finite, whole

L1000 = Path(__file__).parent / "shipped" / "l1000.csv"
LONGEST = 2**24  # bytes of a list of names: more is no such list
NOISE = 1.0  # chosen on validation samples of `breast` and `ecoli`


def with_landmarks(adata, landmarks):
    """A copy of a matrix with `var["role"]`: these genes are landmarks, others targets.

    Args:
        adata: AnnData, samples × genes.
        landmarks: names of genes, `"l1000"` for what `l1000` finds, or the path of a
            text file as `read_landmarks` reads it.

    Raises:
        ValueError: a name is not in the data or occurs twice, or there are none.

    >>> import anndata
    >>> adata = anndata.AnnData(np.zeros((1, 3), np.float32))
    >>> with_landmarks(adata, ["2"]).var["role"].tolist()
    ['target', 'target', 'landmark']
    """
    text = isinstance(landmarks, str)
    if text and landmarks == "l1000":
        landmarks = l1000(adata)
    elif isinstance(landmarks, Path) or (text and Path(landmarks).is_file()):
        landmarks = read_landmarks(landmarks)
    elif text:
        raise ValueError(
            "landmarks must be a list of names, 'l1000' or the path of a text file, "
            f"got {landmarks!r}"
        )
    landmarks = pd.Index(landmarks)
    twice = landmarks[landmarks.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{len(twice)} landmarks are named twice: {', '.join(map(str, twice[:5]))}"
        )
    unknown = landmarks[~landmarks.isin(adata.var_names)]
    if len(unknown):
        hint = ""
        if landmarks.isin(adata.obs_names).any():
            hint = '; some are samples: are genes the rows, genes="rows"?'
        raise ValueError(
            f"{len(unknown)} of {len(landmarks)} landmarks are not in the data: "
            f"{', '.join(map(str, unknown[:5]))}{hint}"
        )
    adata = adata.copy()
    chosen = adata.var_names.isin(landmarks)
    adata.var["role"] = np.where(chosen, "landmark", "target")
    return adata


def read_landmarks(path):
    """The names in a text file, one a line; empty lines are left out.

    Raises:
        ValueError: the file is not UTF-8, too large for a list, has no name, or one
            twice.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    with open(path, "rb") as file:
        raw = file.read(LONGEST + 1)
    if len(raw) > LONGEST:
        raise ValueError(f"{path.name} is too large for a list of names")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8: {error.reason}") from None
    names = [line.strip() for line in text.split("\n") if line.strip()]
    if not names:
        raise ValueError(f"{path.name} names no gene")
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{path.name}: {name!r} occurs twice")
        seen.add(name)
    return names


def l1000(adata):
    """The genes of a matrix that are among the 978 landmarks of the L1000.

    They are looked up as symbols, Entrez ids and probes of the array HG-U133A;
    whichever finds the most counts.

    Args:
        adata: AnnData, samples × genes.

    Returns:
        List of gene names, in the order of the matrix; its length says how many of
        the 978 were found.

    Raises:
        ValueError: none is found.

    >>> import anndata
    >>> names = pd.DataFrame(index=["ACTB", "AARS", "TP53"])
    >>> l1000(anndata.AnnData(np.zeros((1, 3), np.float32), var=names))
    ['AARS', 'TP53']
    """
    table = pd.read_csv(L1000, dtype=str)
    names = adata.var_names.astype(str)
    found = max((names[names.isin(table[column])] for column in table), key=len)
    if not len(found):
        raise ValueError(
            "none of the 978 L1000 landmarks is in the data, neither by symbol "
            "(AARS) nor by Entrez id (16) or probe of HG-U133A (201000_at); the "
            f"genes are named like {', '.join(names[:3])}"
        )
    return list(found)


def select_landmarks(adata, count, noise=NOISE):
    r"""Choose landmarks from data: those that explain the most variance of all genes.

    Genes are taken one after the other. With C the genes' covariance, standardised,
    given the landmarks so far, the next is the gene j with the largest

    $$ \sum_i C_{ij}^2 / (C_{jj} + \sigma^2), $$

    the variance of all genes that a linear model would explain by measuring it with
    noise σ²; then $C \leftarrow C - C_{:j} C_{j:} / (C_{jj} + \sigma^2)$. This is
    greedy column subset selection (Farahat et al., 2011) with noise, without which
    n samples are explained by n genes. Nothing is random.

    Args:
        adata: AnnData, samples × genes, training samples only: what is chosen from
            test samples has seen them. `uns["within"]` is heeded as by `split`.
        count: how many, fewer than there are genes that vary.
        noise: σ², of genes of variance 1.

    Returns:
        List of names, in the order in which they were taken.

    Raises:
        ValueError: there are too few samples or genes, or values are not finite.

    >>> import anndata
    >>> a, b, e = np.random.default_rng(0).normal(size=(3, 50))
    >>> x = np.stack([a, a + 0.1 * e, b], 1).astype(np.float32)
    >>> select_landmarks(anndata.AnnData(x), 2)
    ['0', '2']
    """
    from lsmtl.data.splits import scaled_by  # it needs `validate`, which needs us

    if adata.n_obs < 2:
        raise ValueError(f"{adata.n_obs} samples are too few to choose landmarks from")
    noise = finite("noise", noise, minimum=1e-6)
    z = scaled_by(adata, np.full(adata.n_obs, True)).astype(np.float64)
    varies = np.flatnonzero(z.any(0))
    if whole("count", count) >= len(varies):
        raise ValueError(
            f"count must be less than the {len(varies)} genes that vary, got {count}"
        )
    A = z[:, varies] / np.sqrt(len(z))  # C = AᵀA − WᵀW
    W = np.zeros((count, len(varies)))
    gain, left = ((A @ A.T @ A) * A).sum(0), (A * A).sum(0)  # Σ_i C_ij², C_jj
    taken = []
    for step in range(count):
        score = gain / (left + noise)
        score[taken] = -np.inf
        j = int(score.argmax())
        taken.append(j)
        c = A.T @ A[:, j] - W[:step].T @ W[:step, j]
        w = c / np.sqrt(c[j] + noise)
        Cw = A.T @ (A @ w) - W[:step].T @ (W[:step] @ w)
        gain = gain - 2 * w * Cw + (w @ w) * w * w
        left = left - w * w
        W[step] = w
    return [str(name) for name in adata.var_names[varies[taken]]]
