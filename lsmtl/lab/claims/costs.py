"""Claims on cost: weights, time and memory of a step.

A rule's docstring says when a comparison is *for* its claim. It is *against* the claim
where the opposite is as sure, and else *open*.
"""

from lsmtl.lab import cost
from lsmtl.lab.claims.common import PLAIN, RIVALS, G, of
from lsmtl.lab.paper import compare, paper_table, unit
from lsmtl.lab.tracing import build, traced_peak
from lsmtl.lab.verdicts import COUNTED, Case, each

CARD = 12 * 2**30  # bytes of the paper's GPU
PROHIBITIVE = 10.0  # times the step of the plain network
FAR = 1.5  # times the memory
WIDEST = {  # of three layers: the next thousand units didn't fit the paper's GPU
    "Deep-GO-MTL": 9000,
    "Deep-CNMTL": 5000,
    "Deep-AMTL": 8000,
    "Deep-AMTFL": 6000,
}


def weights(book):
    """For: our count is within one unit of the last digit that is printed."""
    for line in paper_table(2).itertuples():
        units = int(line.hidden_units)
        ours = cost.count(line.method, (units, units))
        same = compare(line.parameters, ours, unit(line.parameters)) == "matches"
        what = f"{line.method.removeprefix('Deep-')} {units:,}"
        yield Case(COUNTED, what, "for" if same else "against")


def few_weights(book):
    """For: with the paper's tasks G's weights, 2TK, are fewer than half of V's T²."""
    for rank in (500, 1000, 2000):
        share = 2 * rank / cost.TARGETS
        found = "for" if share < 0.5 else "against"
        yield Case(COUNTED, f"K = {rank:,}", found, f"{share:.0%} of V's")


def over_plain(runs, sweep, method):
    """How many times longer a method's step takes than DenseNet's, by setting."""
    mine = runs[runs["sweep"] == sweep]
    key = [f"{c.hidden[0]:,} units, {c.targets:,} tasks" for c in mine.itertuples()]
    mine = mine.assign(key=key).groupby(["key", "method"], sort=False)["seconds"].mean()
    table = mine.unstack()
    return (table[method] / table[PLAIN]).dropna()


@each("cost")
def cheap(runs):
    """For: with the paper's tasks or more a step with G takes less than ten times as
    long as one without.
    """
    large = runs[runs["targets"] >= cost.TARGETS]
    for sweep in ("width", "tasks"):
        for what, ratio in over_plain(large, sweep, G).items():
            found = "for" if ratio < PROHIBITIVE else "against"
            yield what, found, f"{ratio:.1f} ×"


@each("cost")
def _rivals_step(runs):
    for method in RIVALS:
        for _, ratio in over_plain(runs, "methods", method).items():
            found = "for" if ratio >= PROHIBITIVE else "against"
            yield method, found, f"{ratio:.1f} ×"


@each("rival-regularizers")
def _rivals_written_out(runs):
    mine = runs[runs["method"].isin((*RIVALS, "Deep-AMTL, all columns"))]
    for run in mine[mine["tasks"] >= cost.TARGETS].itertuples():
        ratio = run.seconds / run.plain_seconds
        found = "for" if ratio >= PROHIBITIVE else "against"
        yield run.method, found, f"{ratio:.1f} ×"


def rivals_dear(book):
    """For: with the paper's tasks a step with the rival's penalty takes ten times as
    long as one without, or longer.
    """
    yield from _rivals_step(book)
    yield from _rivals_written_out(book)


@each("cost")
def _held(runs):
    held = of(runs, G, sweep="methods")["held_bytes"].mean()
    for method in RIVALS:
        ratio = of(runs, method, sweep="methods")["held_bytes"].mean() / held
        found = "for" if ratio >= FAR else "against" if ratio < 1 else "open"
        yield method, found, f"{ratio:.2f} × ours"


def traced(method, hidden):
    """Bytes of a step of a network at the paper's width, traced without content."""
    return traced_peak(lambda: build(method, hidden), 100, "unfused")


def memory(book):
    """For: a step with the rival needs half as much memory again as with G, or more.

    Against: it needs less than with G. Measured at a laptop's width, and traced at
    three layers of 9,000 units.
    """
    yield from _held(book)
    full = (9000,) * 3
    ours = traced(G, full)
    for method in RIVALS:
        ratio = traced(method, full) / ours
        found = "for" if ratio >= FAR else "against" if ratio < 1 else "open"
        yield Case(COUNTED, method, found, f"{ratio:.2f} × ours")


def too_large(book):
    """For: by tracing our code, a step needs more than the 12 GiB of the paper's
    GPU, where the paper ran out of memory or stopped at a thousand units less.
    """
    cells = [("Deep-CNMTL", 2, 9000), ("Deep-AMTFL", 2, 9000)]
    cells += [(method, 3, units) for method, units in WIDEST.items()]
    for method, layers, units in cells:
        found = traced(method, (units,) * layers)
        named = "for" if found > CARD else "against"
        what = f"{method}, {layers} × {units:,}"
        yield Case(COUNTED, what, named, f"{found / 2**30:.1f} GiB")
