"""Table 2: the multi-task methods side by side, at equal widths."""

from lsmtl.lab.experiments import Experiment
from lsmtl.lab.protocol import ACROSS, SIZES, SPECIAL, WITHIN, Row, measure, runs

WIDTHS = (3000, 6000, 9000)
METHODS = ("Deep-GO-MTL", "Deep-CNMTL", "Deep-AMTL", "Deep-AMTFL", "Deep-LSMTL")
TOO_LARGE = {("Deep-CNMTL", 9000), ("Deep-AMTFL", 9000)}  # for the paper's card

ROWS = [
    *(
        Row(method, units, 2, "DenseNet", ours=(method, units) in TOO_LARGE)
        for units in WIDTHS
        for method in METHODS
    ),
    *(Row("DenseNet", units, 2, "DenseNet", ours=True) for units in WIDTHS),
    *(
        Row(method, WIDTHS[-1], 2, "DenseNet", head="zero", ours=True)
        for method in ("DenseNet", "Deep-LSMTL")
    ),
]


def rows(sizes):
    """The rows of the table."""
    return ROWS


EXPERIMENT = Experiment(
    name="table-2",
    recipe_version=1,
    datasets={**WITHIN, **ACROSS, "simulated": None},
    sizes=SIZES,
    special=SPECIAL,
    runs=runs(rows),
    measure=measure,
)

CHECKERS = ()
