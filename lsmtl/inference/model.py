"""A model that infers target genes of new profiles, and the file that keeps it.

The file is a safetensors file: numbers, and JSON in its header. Reading it runs no
code. A hash over all of it tells a damaged file.
"""

import functools
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lsmtl._checks import one_of
from lsmtl.data.datasets import dense
from lsmtl.data.matrices import measured
from lsmtl.data.preprocess import quantile_normalize
from lsmtl.inference import methods

ROWS = 256  # profiles that are predicted at a time
MANY = 100  # values from which a scale can be told
SCALING = ("x_mean", "x_deviation", "y_mean", "y_deviation")
EXPECTED = ("mae", "mae_sd", "r")
QUANTILES = (0.01, 0.5, 0.99)


@dataclass(frozen=True, eq=False)
class Model:
    """Landmarks to targets, with what it takes to scale profiles and what to expect.

    Args:
        method: one of `lsmtl.inference.METHODS`.
        settings: dict of what was chosen for it.
        landmarks, targets: names of the D and T genes.
        weights: dict of the method's arrays.
        scaling: dict of arrays: `x_mean` and `x_deviation` (P, D), `y_mean` and
            `y_deviation` (P, T) of the training samples of each platform, `range`
            (3,) the 1, 50 and 99 % quantiles of their landmark values; where profiles
            are mapped onto quantiles first, these, `reference` (D,).
        platforms: names of the P platforms; one, `"all"`, where they don't differ.
        within: the obs column that names the platform, or None.
        expected: DataFrame, a row a target: `mae` in the data's units, `mae_sd` in
            deviations, `r`; None before cross-validation.
        about: dict of what it was learned from.
    """

    method: str
    settings: dict
    landmarks: tuple
    targets: tuple
    weights: dict
    scaling: dict
    platforms: tuple = ("all",)
    within: str | None = None
    expected: pd.DataFrame | None = None
    about: dict = field(default_factory=dict)

    def predict(self, adata, platform=None, absent="error", anyway=False):
        """Targets of profiles, in the units of the data that the model learned from.

        Args:
            adata: AnnData with the model's landmarks among its genes, in any order.
            platform: what their values are compared with. None: the platform of every
                sample is in `obs`, or the model knows only one. A name: this
                platform. `"own"`: their own means and deviations, for profiles of a
                platform that the model hasn't seen; predictions are then deviations
                from each gene's mean, because nothing says what its units are.
            absent: `"error"`, or `"zero"` to give landmarks that are missing their
                training mean; `uns["inference"]` then names them.
            anyway: whether to accept values on another scale than the training data.

        Returns:
            AnnData, samples × targets, with `obs` kept, and `expected_mae`,
            `expected_mae_sd` and `expected_r` in `var`.

        Raises:
            ValueError: landmarks are missing or occur twice, values are not finite or
                on another scale, or the platform is unknown.
        """
        import anndata

        columns = self.columns(adata.var_names, absent)
        x = taken(dense(adata[:, columns[columns >= 0]]), columns, adata)
        labels = adata.obs.get(self.within)
        at = self.platform_of(platform, labels, len(x))
        own = statistics([x]) if platform == "own" else None
        if self.has_scale(platform, anyway):
            self.check_scale(x)
        found = np.empty((len(x), len(self.targets)), np.float32)
        for start in range(0, len(x), ROWS):
            rows = slice(start, start + ROWS)
            found[rows] = self.block(x[rows], at[rows], own)
        uns = {"inference": self.told(platform, columns, anyway)}
        return anndata.AnnData(found, adata.obs.copy(), self.var(), uns)

    def columns(self, genes, absent="error"):
        """Where each landmark is among gene names: (D,), −1 where it is missing."""
        one_of("absent", absent, ("error", "zero"))
        genes, wanted = pd.Index(genes).astype(str), pd.Index(self.landmarks)
        twice = genes[genes.duplicated() & genes.isin(wanted)].unique()
        if len(twice):
            raise ValueError(
                f"{len(twice)} landmarks occur twice in the profiles: {some(twice)}"
            )
        columns = genes.drop_duplicates().get_indexer(wanted)
        if not genes.is_unique:
            first = np.flatnonzero(~genes.duplicated())
            columns = np.where(columns < 0, -1, first[columns])
        lost = wanted[columns < 0]
        if len(lost) == len(wanted):
            raise ValueError(
                f"none of the model's {len(wanted)} landmarks ({some(wanted)}) is in "
                f"the profiles, whose genes are named like {some(genes)}"
            )
        if len(lost) and absent == "error":
            raise ValueError(
                f"{len(lost)} of the model's {len(wanted)} landmarks are not in the "
                f"profiles: {some(lost)}; absent='zero' gives them their training mean"
            )
        if len(lost) and "reference" in self.scaling:
            raise ValueError(
                f"{len(lost)} landmarks are missing ({some(lost)}), and without all "
                "of them profiles can't be mapped onto the model's quantiles"
            )
        return columns

    def platform_of(self, platform, labels, count):
        """The number of every sample's platform: (count,), −1 for `"own"`."""
        if platform == "own":
            return np.full(count, -1)
        if platform is not None:
            one_of("platform", platform, (*self.platforms, "own"))
            return np.full(count, self.platforms.index(platform))
        if self.within is None:
            return np.zeros(count, dtype=int)
        known = f"the model knows {', '.join(self.platforms)}"
        advice = f'{known}; name one as platform, or "own" for a new one'
        if labels is None:
            raise ValueError(
                f"the profiles have no column {self.within!r} that names their "
                f"platform; {advice}"
            )
        labels = np.asarray(labels).astype(str)
        at = pd.Index(self.platforms).get_indexer(labels)
        if (at < 0).any():
            unknown = np.unique(labels[at < 0])
            raise ValueError(f"obs[{self.within!r}] has {some(unknown)}; {advice}")
        return at

    def block(self, x, at, own=None):
        """Predictions (B, T) for landmark values x (B, D), NaN where absent.

        Args:
            x: float32, in the data's units.
            at: (B,) numbers of platforms.
            own: (mean, deviation), each (D,), that replace the platforms'.
        """
        found = self.deviations(x, at, own)
        if own is not None:
            return found
        found = found * self.scaling["y_deviation"][at] + self.scaling["y_mean"][at]
        return found.astype(np.float32)

    def deviations(self, x, at, own=None):
        """As `block`, in deviations from the targets' means."""
        z = self.standardized(x, at, own)
        return self._predictor(torch.from_numpy(z)).numpy()

    def standardized(self, x, at, own=None):
        """Landmark values in deviations from their means, (B, D) float32."""
        if "reference" in self.scaling and own is None:
            import anndata

            raw = anndata.AnnData(x)
            x = quantile_normalize(raw, self.scaling["reference"]).X
        mean, deviation = own or (self.scaling[k][at] for k in SCALING[:2])
        z = (x - mean) / deviation
        return np.nan_to_num(z, nan=0.0).astype(np.float32)

    def has_scale(self, platform, anyway):
        """Whether profiles must be on the scale of the training data."""
        return not (anyway or platform == "own" or "reference" in self.scaling)

    def check_scale(self, x):
        """A ValueError if landmark values x (n, D) are on another scale.

        Too few values tell nothing.
        """
        values = x[np.isfinite(x)]
        if len(values) < MANY:
            return
        low, middle, high = np.quantile(values, QUANTILES)
        first, median, last = self.scaling["range"]
        ratio = (high - low) / max(last - first, 1e-12)
        if not first <= middle <= last or not 0.25 <= ratio <= 4:
            raise ValueError(
                f"the profiles are on another scale than the training data: median "
                f"{middle:.4g} (training: {median:.4g}), 98 % of the values from "
                f"{low:.4g} to {high:.4g} ({first:.4g} to {last:.4g}). Are they "
                'logarithms, as those were? platform="own" scales them by '
                "themselves, anyway=True takes them as they are"
            )

    @functools.cached_property
    def _predictor(self):
        T = len(self.targets)
        return methods.predictor(self.method, self.settings, self.weights, T)

    def var(self):
        """`var` of predictions: the targets and the error to expect of each."""
        var = pd.DataFrame(index=pd.Index(self.targets, dtype=object))
        if self.expected is not None:
            for name in EXPECTED:
                var[f"expected_{name}"] = self.expected[name].to_numpy()
        return var

    def told(self, platform, columns, anyway):
        """What predictions say of how they came about, a dict of plain values."""
        from lsmtl import __version__

        absent = [g for g, c in zip(self.landmarks, columns, strict=True) if c < 0]
        own, mapped = platform == "own", "reference" in self.scaling
        units = "deviations" if own else "those of the data"
        if mapped and not own:
            units += ", mapped onto the training samples' quantiles"
        return {
            "model": self.digest,
            "method": self.method,
            "lsmtl": __version__,
            "units": units,
            "platform": platform or ("as in obs" if self.within else "all"),
            "absent": np.array(absent, dtype=str),
            "scale_checked": not (anyway or own or mapped),
        }

    @functools.cached_property
    def digest(self):
        """SHA-256 over all that the model is, as in its file."""
        return _digest(*self._parts)

    @property
    def _parts(self):
        """JSON text and arrays by name: the content of the file."""
        about = {
            "format": 1,
            "method": self.method,
            "settings": self.settings,
            "landmarks": list(self.landmarks),
            "targets": list(self.targets),
            "platforms": list(self.platforms),
            "within": self.within,
            "about": self.about,
        }
        arrays = {f"weights.{k}": v for k, v in self.weights.items()}
        arrays |= {f"scaling.{k}": v for k, v in self.scaling.items()}
        if self.expected is not None:
            for name in EXPECTED:
                arrays[f"expected.{name}"] = self.expected[name].to_numpy(np.float64)
        arrays = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
        return json.dumps(about, sort_keys=True), arrays

    def save(self, path, force=False):
        """Write the model to a file, whole or not at all.

        Args:
            path: its name; `.safetensors` is usual.
            force: whether to replace a file that is there.

        Raises:
            ValueError: there is such a file, or it can't be written.
        """
        from safetensors.numpy import save

        text, arrays = self._parts
        given = {"lsmtl": text, "sha256": self.digest}
        with written(path, force) as part:
            part.write_bytes(save(arrays, given))


def load_model(path):
    """A `Model` from its file.

    Raises:
        ValueError: the file is damaged, cut off or no such model, or of a later
            version.
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
    """
    import fastjsonschema
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    with open(path, "rb"):
        pass
    try:
        with safe_open(path, "np") as file:
            given = file.metadata() or {}
            if "lsmtl" not in given:
                raise ValueError(f"{path.name} is a safetensors file, but no model")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise ValueError(f"{path.name} is no whole safetensors file: {error}") from None
    if given.get("sha256") != _digest(given["lsmtl"], arrays):
        raise ValueError(f"{path.name} is damaged: its hash is another than it says")
    try:
        about = json.loads(given["lsmtl"])
        _schema()(about)
        return _assembled(about, arrays)
    except fastjsonschema.JsonSchemaException as error:
        raise ValueError(f"{path.name} is no model of this version: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no model that fits: {error}") from None


def _assembled(about, arrays):
    D, T, P = (len(about[k]) for k in ("landmarks", "targets", "platforms"))
    for kind in ("landmarks", "targets", "platforms"):
        if len(set(about[kind])) < len(about[kind]):
            raise ValueError(f"{kind} occur twice")
    wanted = {
        f"weights.{k}": v
        for k, v in methods.shapes(about["method"], about["settings"], D, T).items()
    }
    wanted |= {f"scaling.x_{k}": (P, D) for k in ("mean", "deviation")}
    wanted |= {f"scaling.y_{k}": (P, T) for k in ("mean", "deviation")}
    wanted |= {"scaling.range": (3,)}
    if "scaling.reference" in arrays:
        wanted["scaling.reference"] = (D,)
    if "expected.mae" in arrays:
        wanted |= {f"expected.{k}": (T,) for k in EXPECTED}
    if wanted.keys() != arrays.keys():
        differ = sorted(wanted.keys() ^ arrays.keys())
        raise ValueError(f"arrays missing or unknown: {some(differ)}")
    m = len(arrays.get("weights.centres", ()))
    for name, shape in wanted.items():
        array, shape = arrays[name], tuple(m if s == "m" else s for s in shape)
        kind = np.float32 if name.startswith("weights.") else np.float64
        if array.shape != shape or array.dtype != kind:
            raise ValueError(
                f"{name} is {array.dtype} {array.shape}, not {np.dtype(kind)} {shape}"
            )
        if name.endswith("_deviation"):
            sound = array > 0  # infinite for a landmark that never varied
        else:
            sound = np.isfinite(array) | (name == "expected.r")
        if not sound.all():
            raise ValueError(f"{name} has values that are out of range")
    parts = {"weights": {}, "scaling": {}, "expected": {}}
    for name, array in arrays.items():
        part, _, key = name.partition(".")
        parts[part][key] = array
    expected = None
    if parts["expected"]:
        expected = pd.DataFrame(
            {k: parts["expected"][k] for k in EXPECTED},
            pd.Index(about["targets"], dtype=object),
        )
    return Model(
        about["method"],
        about["settings"],
        tuple(about["landmarks"]),
        tuple(about["targets"]),
        parts["weights"],
        parts["scaling"],
        tuple(about["platforms"]),
        about["within"],
        expected,
        about["about"],
    )


def taken(present, columns, names):
    """Landmark values (n, D), finite, NaN in the columns of absent ones."""
    genes = names.var_names[columns[columns >= 0]]
    values = measured(Path("profiles"), present, names.obs_names, genes)
    return gathered(values, columns)


def gathered(x, columns):
    """Landmark values (B, D), NaN in the columns of absent ones."""
    if (columns >= 0).all():
        return x
    whole = np.full((len(x), len(columns)), np.nan, np.float32)
    whole[:, columns >= 0] = x
    return whole


def statistics(blocks, fewest=10):
    """Means and deviations (D,) of blocks (B, D), infinite where nothing varies."""
    count, mean, square = 0, 0.0, 0.0
    for x in blocks:
        x = x.astype(np.float64)
        more, centre = len(x), x.mean(0)
        total = count + more
        step = centre - mean
        square = square + ((x - centre) ** 2).sum(0) + step**2 * count * more / total
        mean, count = mean + step * more / total, total
    if count < fewest:
        raise ValueError(
            f"{count} profiles are too few to take means and deviations from; at "
            f"least {fewest} are needed"
        )
    deviation = np.sqrt(square / count)
    return mean, np.where(deviation > 0, deviation, np.inf)


def some(names):
    """The first of many names, as text."""
    names = [str(name) for name in names]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


class written:
    """A file that appears under its name only when it is whole.

    Args:
        path: its name.
        force: whether to replace a file that is there.

    Raises:
        ValueError: there is such a file, or none can be written.
    """

    def __init__(self, path, force=False):
        self.path = Path(path)
        self.part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        self.force = force

    def check(self):
        """A ValueError if the file can't be written; leaves nothing behind."""
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder")
        if self.path.exists() and not self.force:
            raise ValueError(
                f"{self.path} is there already; force (--force) replaces it"
            )
        try:
            self.part.touch()
            self.part.unlink()
        except OSError as error:
            reason = error.strerror or error
            raise ValueError(f"{self.path} can't be written: {reason}") from None

    def __enter__(self):
        self.check()
        return self.part

    def __exit__(self, kind, error, _):
        try:
            if error is None:
                with open(self.part, "rb+") as file:
                    os.fsync(file.fileno())
                os.replace(self.part, self.path)
        except OSError as trouble:
            reason = trouble.strerror or trouble
            raise ValueError(f"{self.path} can't be written: {reason}") from None
        finally:
            self.part.unlink(missing_ok=True)
        if isinstance(error, OSError) and not error.filename:
            raise ValueError(f"{self.path} can't be written: {error}") from None


def _digest(text, arrays):
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@functools.cache
def _schema():
    import fastjsonschema  # here, because training needs none

    path = Path(__file__).with_name("model.schema.json")
    return fastjsonschema.compile(json.loads(path.read_text("utf-8")))
