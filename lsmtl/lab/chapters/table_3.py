"""Table 3: D-GEX and Deep-LSMTL on the same MLP, and what lies between them."""

from lsmtl.lab.experiments import Experiment
from lsmtl.lab.protocol import ACROSS, SIZES, SPECIAL, WITHIN, Row, measure, runs

WIDTHS = (3000, 6000, 9000)
LAYERS = (1, 2, 3)

ROWS = [
    *(
        Row(method, units, layers, base, ours=ours)
        for method, base, ours in (
            ("D-GEX", None, False),
            ("Deep-LSMTL", "MLP", False),
            ("MLP", "MLP", True),
        )
        for layers in LAYERS
        for units in WIDTHS
    ),
    *(
        Row(method, WIDTHS[-1], layers, "MLP", head="zero", ours=True)
        for method in ("MLP", "Deep-LSMTL")
        for layers in LAYERS
    ),
]


def rows(sizes):
    """The rows of the table."""
    return ROWS


EXPERIMENT = Experiment(
    name="table-3",
    recipe_version=1,
    datasets={**WITHIN, **ACROSS, "simulated": None},
    sizes=SIZES,
    special=SPECIAL,
    runs=runs(rows),
    measure=measure,
)

CHECKERS = ()
