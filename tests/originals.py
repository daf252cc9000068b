"""Small files of the form that `make data DGEX=/path` writes."""

import numpy as np
import pandas as pd

from lsmtl import data

USES = ("train", "validation", "test")


def write(folder, samples=240, landmarks=40, targets=120, seed=0):
    """`geo.h5ad` and `geo-rnaseq.h5ad` into `folder`."""
    import anndata

    folder.mkdir(parents=True, exist_ok=True)
    made = data.simulate(samples + 60, landmarks, targets, seed)
    X = np.asarray(made.X, dtype=np.float32)
    names = [f"G{i:04d}" for i in range(X.shape[1])]
    var = pd.DataFrame({"role": made.var["role"].to_numpy(str)}, index=names)
    var["symbol"] = [name.replace("G", "S") for name in names]
    rng = np.random.default_rng(seed)
    counts = [samples - 2 * (samples // 10), samples // 10, samples // 10]
    use = rng.permutation(np.repeat(USES, counts))
    geo, rna = X[:samples], X[samples:] + 0.3
    train = geo[use == "train"]
    geo = (geo - train.mean(0)) / train.std(0)
    rna = (rna - rna.mean(0)) / rna.std(0)
    uns = {"conventions": "ours", "source": "simulated"}
    obs = pd.DataFrame({"use": use}, index=[f"GSM{i}" for i in range(samples)])
    anndata.AnnData(geo, obs, var, uns=uns).write_h5ad(folder / "geo.h5ad")
    obs = pd.DataFrame(
        {
            "use": ["validation"] * 20 + ["test"] * 40,
            "platform": ["1000g"] * 20 + ["gtex"] * 40,
        },
        index=[f"HG{i:05d}" for i in range(20)]
        + [f"GTEX-{i // 2:04d}-{i}" for i in range(40)],
    )
    anndata.AnnData(rna, obs, var, uns=uns).write_h5ad(folder / "geo-rnaseq.h5ad")
