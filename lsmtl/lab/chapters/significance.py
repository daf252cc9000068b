"""Is the difference real? Deep-LSMTL against every other method, by 5×2 halves."""

from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.protocol import measure
from lsmtl.lab.rows import SIZES, SPECIAL, WITHIN, Row

UNITS, LAYERS = 9000, 3


def _deep(method, base="DenseNet", **more):
    return Row(method, UNITS, LAYERS, base, **more)


PAIR = [_deep("DenseNet"), _deep("Deep-LSMTL")]  # the paper's comparison
ZERO = [_deep(row.method, head="zero", ours=True) for row in PAIR]
FEW = [*PAIR, Row("LSR-L2")]
ROWS = [
    *PAIR,
    *(Row(method) for method in ("LSR", "LSR-L1", "LSR-L2", "KNN")),
    _deep("D-GEX", base=None),
    _deep("SemiGAN"),
    *(_deep(f"Deep-{name}") for name in ("GO-MTL", "CNMTL", "AMTL", "AMTFL")),
    Row("kernel ridge", ours=True),
    *ZERO,
]
FOLDS = 10  # two halves, five times


def rows(sizes):
    """The rows that are compared at some size."""
    return ROWS if sizes["all"] else FEW


def _runs(sizes, landmarks):
    for seed in range(FOLDS):
        for row in rows(sizes):
            run = row.run(sizes, seed, landmarks)
            detail = {"detail": True} if row in PAIR and seed < 2 else {}
            yield Run(run.method, run.configuration | detail, seed)
    for seed in range(sizes["starts"]):  # on one split, so that only the start differs
        for row in PAIR:
            run = row.run(sizes, seed, landmarks)
            yield Run(run.method, run.configuration | {"split": 0}, seed)


def _measure(adata, run, device):
    found = measure(adata, run, device)
    return {k: v for k, v in found.items() if k not in ("errors", "counts")}


def _size(preset):
    every, starts = preset == "laptop", 4 if preset == "ci" else FOLDS
    more = {"scenario": "halves", "all": every, "starts": starts}
    return SIZES[preset] | more


EXPERIMENT = Experiment(
    name="significance",
    recipe_version=1,
    datasets=dict(WITHIN),
    sizes={preset: _size(preset) for preset in SIZES},
    special={key: value for key, value in SPECIAL.items() if key[1] in WITHIN},
    runs=_runs,
    measure=_measure,
)

CHECKERS = ()
