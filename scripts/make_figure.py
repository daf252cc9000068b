"""Draw the README's picture, `book/_static/result.png`, from the run records."""

import matplotlib.pyplot as plt

from lsmtl.lab.experiments import MASKED_LOW_RANK, results
from lsmtl.lab.notebooks import ROOT
from lsmtl.lab.show import COLOURS, INK

ROWS = {  # label → method, start of the head, colour
    "DenseNet, random start (the paper's)": ("DenseNet", "xavier"),
    "… with G (Deep-LSMTL)": ("Deep-LSMTL", "xavier"),
    "ridge regression": ("ridge", None),
    "DenseNet, head started at zero": ("DenseNet", "zero"),
    "… with G (Deep-LSMTL) ": ("Deep-LSMTL", "zero"),
}


def tuned(runs, method, head):
    """Test MAE of each seed, learning rate and λ chosen on the validation samples."""
    mine = runs[runs["method"] == method]
    if head:
        mine = mine[mine["head"] == head]
        settings = mine.groupby(["lr", "strength"], dropna=False)
        validation = settings["validation_mae"].transform("mean")
        mine = mine[validation == validation.min()]
    return mine["mae"]


def main():
    """Draw one row a method: mean over seeds, and every seed as a dot."""
    runs = results(MASKED_LOW_RANK, "laptop", "breast", missing="show")
    guess = tuned(runs, "training mean", None).mean()
    with plt.rc_context(
        {
            k: "#222222"
            for k, v in plt.rcParams.items()
            if isinstance(v, str) and v == INK
        }
    ):
        fig, axis = plt.subplots(figsize=(7, 2.8), facecolor="white")
        for label, (method, head) in reversed(ROWS.items()):
            seeds = tuned(runs, method, head)
            axis.plot(seeds, [label] * len(seeds), ".", color="#666666", ms=5)
            axis.plot(seeds.mean(), label, "D", color=COLOURS[method], ms=8)
        axis.axvline(guess, color=COLOURS["training mean"], ls="--")
        axis.text(guess, 4.5, "training mean ", ha="right", color="#666666")
        axis.grid(axis="y", color="#dddddd", lw=0.7)
        axis.set_axisbelow(True)
        axis.set_xlabel("test MAE (lower is better): mean and three seeds")
        axis.set_title("laptop · breast, 6,372 genes", loc="left", fontsize=9)
        fig.savefig(ROOT / "book" / "_static" / "result.png", dpi=150)


if __name__ == "__main__":
    main()
