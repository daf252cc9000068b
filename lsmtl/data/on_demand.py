"""The expression sets whose files are downloaded: from the files to AnnData, once.

`arrays` and `rnaseq` live in the gene space of D-GEX: 943 landmarks, 9,520 targets,
each defined by probes of the array HG-U133A. A conversion is kept beside the files,
under a name that holds a hash of all that it is made from.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd

from lsmtl.data import fetch
from lsmtl.data.gct import read_gct
from lsmtl.data.preprocess import groups, near_duplicates, probes_to_genes

HERE = Path(__file__).parent
STUDIES = {  # GEO accession
    "nakayama": "GSE6481",  # soft tissue sarcomas
    "chowdary": "GSE3726",  # breast and colon tumours, each preserved in two ways
    "borovecki": "GSE1751",  # blood, Huntington's disease
}
ALIKE = 0.6  # correlation within a study from which two arrays are near-duplicates
GTEX_LANDMARKS = 20


def converted(name):
    """The path of the `.h5ad` made from a dataset's files, making it if needed.

    It is written under another name first, so that one that was cut off is never
    taken for whole.

    Raises:
        FileNotFoundError: a file is missing and can't be downloaded.
        ValueError: a file isn't what it should be.
    """
    files = {file: fetch.path(file) for file in fetch.DATASETS[name]}
    used = [HERE / "on_demand.py", HERE / "gct.py"]
    used += sorted((HERE / "preprocess").glob("*.py"))
    used += [HERE / "shipped" / f"{s}.h5ad" for s in ("bladder", "endometrial")]
    digest = hashlib.sha256()
    for path in [*files.values(), *used]:
        digest.update(path.read_bytes())
    folder = fetch.writable() / "converted"
    path = folder / f"{name}-{digest.hexdigest()[:16]}.h5ad"
    if not path.is_file():
        adata = MAKERS[name](files)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            adata.write_h5ad(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return path


def arrays(files):
    """297 HG-U133A arrays of four studies by gene, log2, not yet normalised."""
    import anndata

    genes = gene_space(files)
    probes = {gene: p.split(",") for gene, p in genes["probes"].items()}
    studies = []
    for study, accession in STUDIES.items():
        found = _rda(files[f"{study}.RData"])[study]
        signal = found["x"]  # linear, samples × probes
        names = [f"{accession}_{i}" for i in range(1, len(signal) + 1)]
        obs = pd.DataFrame({"study": study, "label": np.asarray(found["y"])}, names)
        var = pd.DataFrame(index=signal.coords["dim_1"].to_numpy().astype(str))
        values = np.log2(np.maximum(signal.to_numpy(), 1)).astype(np.float32)
        studies.append(anndata.AnnData(values, obs=obs, var=var))
    bladder = anndata.read_h5ad(HERE / "shipped" / "bladder.h5ad")
    bladder.obs = bladder.obs[["outcome"]].rename(columns={"outcome": "label"})
    bladder.obs.insert(0, "study", "bladder")
    studies = [probes_to_genes(study, probes) for study in [*studies, bladder]]
    for study in studies:
        twins = near_duplicates(study, at_least=ALIKE)
        if study.obs["study"].iloc[0] == "chowdary":  # two rows, one tumour
            rows = study.obs_names
            pairs = pd.DataFrame({"first": rows[::2], "second": rows[1::2]})
            twins = pd.concat([twins, pairs])
        study.obs["group"] = groups(study, twins)
    adata = anndata.concat(studies)
    adata.obs["label"] = adata.obs["label"].astype(str)
    adata.var = genes
    adata.uns["normalize"] = "quantile"
    adata.uns["source"] = {
        "title": "297 human HG-U133A arrays in D-GEX's gene space",
        "licence": "MIT (datamicroarray), Artistic-2.0 (bladderbatch), GPL-2 (D-GEX)",
        "accession": "; ".join([*STUDIES.values(), "GSE3167"]),
        "files": "; ".join(files),
        "note": "log2(max(signal, 1)) of three studies and RMA values of the fourth; "
        "a gene is the mean of its probes. Splits map every array onto the quantiles "
        "of the training arrays. In chowdary rows 2k - 1 and 2k are one tumour.",
    }
    return adata


def rnaseq(files):
    """Three RNA-seq studies on the genes of D-GEX's space that all of them have."""
    import anndata

    genes = gene_space(files)
    lcl = _rda(files["lcl_count.data.rda"])["count.data"]
    lcl = pd.DataFrame(
        np.log2(lcl.to_numpy().T + 1.0), lcl.coords["dim_1"], lcl.coords["dim_0"]
    )
    colon = pd.read_csv(
        files["colon_transcriptomics.gz"], sep="\t", index_col=0, compression="gzip"
    ).T
    endometrial = anndata.read_h5ad(HERE / "shipped" / "endometrial.h5ad").to_df()
    parts = {  # study → values, and what its columns are named by
        "lcl": (lcl, "ensembl"),
        "colon": (colon, "symbol"),
        "endometrial": (endometrial, "symbol"),
    }
    for values, named in parts.values():
        genes = genes[genes[named].isin(values.columns)]
    x = [values[genes[named]].to_numpy(np.float32) for values, named in parts.values()]
    study = np.repeat(list(parts), [len(values) for values in x])
    samples = [str(sample) for values, _ in parts.values() for sample in values.index]
    obs = pd.DataFrame({"study": pd.Categorical(study)}, index=samples)
    adata = anndata.AnnData(np.concatenate(x), obs=obs, var=genes)
    adata.uns["within"] = "study"
    adata.uns["source"] = {
        "title": "RNA-seq of cell lines, colon and endometrial tissue in D-GEX's "
        "gene space",
        "licence": "GPL (lcl), Apache-2.0 (colon, endometrial), GPL-2 (D-GEX)",
        "files": "; ".join(files),
        "note": "lcl: log2(count + 1); the others are log2 as published. Genes that "
        "all three have.",
    }
    return adata


def gtex59(files):
    """GTEx v8: 17,382 samples of 948 donors, 59 genes."""
    (path,) = files.values()
    adata = read_gct(path, rows=59)  # the header announces all 56,200 genes
    counts = adata.X
    median = np.median(counts, axis=0)
    landmark = np.isin(np.arange(len(median)), np.argsort(-median)[:GTEX_LANDMARKS])
    library = counts[:, landmark].sum(axis=1, keepdims=True, dtype=np.float64)
    adata.X = np.log2(1e6 * counts / library + 1).astype(np.float32)
    adata.var["ensembl"] = adata.var_names
    adata.var_names = adata.var.pop("description").to_numpy(str)
    adata.var["role"] = np.where(landmark, "landmark", "target")
    donor = adata.obs_names.str.split("-").str[:2].str.join("-")
    adata.obs["group"] = donor
    adata.uns["source"] |= {
        "title": "GTEx v8, counts of 59 genes",
        "licence": "GTEx open access",
        "reference": "The GTEx Consortium, Science 369:1318, 2020.",
        "note": "log2(count per million landmark counts + 1): a library size over "
        "all genes would tell of the targets. Landmarks: the 20 genes with the "
        "highest median count. group is the donor.",
    }
    return adata


MAKERS = {"arrays": arrays, "rnaseq": rnaseq, "gtex59": gtex59}


def gene_space(files):
    """D-GEX's genes: role, symbol, Ensembl gene, probes, and a name of their own.

    A gene is named by its symbol. A target whose symbol is taken (by a landmark that
    another probe of the same gene measures, or by a target) adds its first probe.
    """
    names = ["symbol", "ensembl", "probes"]
    genes = pd.concat(
        pd.read_csv(files[file], sep="\t", names=names).assign(role=role)
        for file, role in (("map_lm.txt", "landmark"), ("map_tg.txt", "target"))
    )
    taken = genes["symbol"].duplicated()
    landmarks = genes.loc[genes["role"] == "landmark", "ensembl"]
    genes["landmark_gene"] = genes["ensembl"].isin(landmarks)
    first = genes["probes"].str.split(",").str[0]
    genes.index = genes["symbol"].where(~taken, genes["symbol"] + " " + first)
    return genes.rename_axis(None)


def _rda(path):
    """The objects in an R data file."""
    import rdata

    return rdata.read_rda(path)
