"""The rows of the paper's tables, and how large they are at each preset and dataset."""

from dataclasses import dataclass
from types import MappingProxyType

from lsmtl.lab import shallow
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.protocol import SIMULATED, measure

WITHIN = MappingProxyType({"breast": "group", "arrays": "group", "gtex59": "group"})
ACROSS = MappingProxyType({"breast-endometrial": "use", "arrays-rnaseq": "use"})
LEFT_OUT = MappingProxyType({"breast-cohorts": "cohort", "arrays-studies": "study"})
ORIGINAL = MappingProxyType({"geo": "group", "geo-gtex": "use"})
LAPTOP = {
    "scenario": "within",
    "targets": None,
    "divide": 90,  # 9000 units become 100
    "epochs": {"DenseNet": 40, "MLP": 160, "D-GEX": 160},  # an MLP's are cheap
    "batch": 100,
    "precision": "fp32",
    "search": [33, 8, 1],
    "ranks": [50, 100, 200],
    "strengths": [0.1, 0.07, 0.05],
    "seeds": 3,
}


def _every(epochs):
    return dict.fromkeys(LAPTOP["epochs"], epochs)


SIZES = {
    "ci": LAPTOP
    | {"targets": 60, "divide": 450, "epochs": _every(20), "search": [8, 2, 10]}
    | {"ranks": [3, 6, 12], "strengths": [0.1], "seeds": 2},
    "laptop": LAPTOP,
    "gpu": LAPTOP
    | {"divide": 1, "epochs": _every(500), "search": [1000, 8, 10]}
    | {"ranks": [500, 1000, 2000], "precision": "tf32"},
}
PAPER = {"strengths": shallow.FINE, "seeds": 2}  # of what `gpu` has
MANY = {"search": [33, 1, 5], "ranks": [2, 4, 8], "strengths": shallow.FINE}  # gtex59
WORLD = {"samples": 2000, "landmarks": 100, "targets": 1000, "strengths": shallow.FINE}
SPECIAL = {
    **{(p, d): {"scenario": "across"} for p in SIZES for d in ACROSS},
    **{(p, d): {"scenario": "left out"} for p in SIZES for d in LEFT_OUT},
    ("ci", "gtex59"): MANY
    | {"epochs": {"DenseNet": 1, "MLP": 4, "D-GEX": 4}, "strengths": [0.1]},
    ("laptop", "gtex59"): MANY | {"epochs": {"DenseNet": 10, "MLP": 20, "D-GEX": 20}},
    ("gpu", "gtex59"): MANY
    | {"divide": 9, "epochs": _every(20), "search": [300, 1, 10]},
    ("ci", "simulated"): {"samples": 200, "landmarks": 40},
    ("laptop", "simulated"): WORLD
    | {"epochs": {"DenseNet": 30, "MLP": 60, "D-GEX": 60}, "search": [33, 4, 3]},
    **{("gpu", d): None for d in ("breast", *ACROSS, *LEFT_OUT, "simulated")},
}
SPECIAL["paper", "geo-gtex"] = {"scenario": "across"}
SPECIAL["laptop", "arrays-studies"] |= {"seeds": 4}  # a study each
for _name in ("arrays-rnaseq", "arrays-studies"):  # the main evidence, on a GPU too
    SPECIAL["gpu", _name] = SPECIAL["laptop", _name]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        method: as the paper names it, or ours.
        units: hidden units of a layer in the paper; None for shallow methods.
        layers: hidden layers.
        base: `"DenseNet"` or `"MLP"`; None for methods that have no base network.
        head: how the head's weights start.
        batch: profiles a step, if not the paper's 100.
        part: of the epochs that others have, one over this.
        ours: whether the paper has no such row.
    """

    method: str
    units: int | None = None
    layers: int | None = None
    base: str | None = None
    head: str = "xavier"
    batch: int | None = None
    part: int = 1
    ours: bool = False

    @property
    def label(self):
        """The row's name, without its units and layers."""
        name = self.method
        name += ", zero head" if self.head == "zero" else ""
        name += f", batch {self.batch}" if self.batch else ""
        return name + (f", 1/{self.part} of the epochs" if self.part > 1 else "")

    def run(self, sizes, seed, landmarks):
        """The row's `Run` at some size.

        Args:
            sizes: `targets` (None is all), `divide` (by which the paper's units are),
                `epochs` by base or method, `search` (units, every how many-th target,
                the part of the epochs is one over this), `ranks`, `strengths` of the
                lasso, `batch`, `precision`, `scenario`; simulated data also `samples`
                and `landmarks`.
            seed: decides the splits and the training.
            landmarks: D, or None where data are simulated.
        """
        c = {"scenario": sizes["scenario"], "targets": sizes["targets"]}
        if landmarks is None:
            c |= {k: sizes[k] for k in SIMULATED}
        if self.method == "LSR-L1":
            c["strengths"] = sizes["strengths"]
        if self.units is None:
            return Run(self.method, c, seed)
        hidden = [max(self.units // sizes["divide"], 4)] * self.layers
        epochs = sizes["epochs"][self.base or self.method]
        units, every, share = sizes["search"]
        search = [units, every, max(epochs // share, 1)]
        c |= {"units": self.units, "hidden": hidden, "search": search}
        c["epochs"] = max(epochs // self.part, 1)
        if self.method == "D-GEX":
            return Run(self.method, c, seed)
        c |= {"base": self.base, "head": self.head}
        c |= {"batch_size": self.batch or sizes["batch"]}
        if sizes["precision"] != "fp32":
            c["precision"] = sizes["precision"]
        if self.method == "Deep-LSMTL":
            c["ranks"] = sizes["ranks"]
        return Run(self.method, c, seed)


def deep(method, units=9000, base="DenseNet", **more):
    """A row of three hidden layers, as Table 1 has them."""
    return Row(method, units, 3, base, **more)


def special(datasets):
    """What differs on each of some datasets, for an `Experiment`."""
    return {key: value for key, value in SPECIAL.items() if key[1] in datasets}


def experiment(name, rows, left_out=(), **more):
    """The `Experiment` of a table, whose rows share data, sizes and protocol.

    Args:
        name: of the table's chapter.
        rows: function of the sizes that gives its `Row`s.
        left_out: `LEFT_OUT`, if the table has these settings, too.
        **more: of the `Experiment`.
    """
    datasets = {**WITHIN, **ACROSS, **dict(left_out), "simulated": None, **ORIGINAL}

    def runs(sizes, landmarks):
        for seed in range(sizes["seeds"]):
            for row in rows(sizes):
                yield row.run(sizes, seed, landmarks)

    return Experiment(
        name=name,
        recipe_version=1,
        datasets=datasets,
        sizes=SIZES | {"paper": PAPER},
        special=special(datasets),
        runs=runs,
        measure=measure,
        **more,
    )
