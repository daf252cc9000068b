"""Draw the picture of README and landing page, `book/_static/result*.png`."""

import matplotlib.pyplot as plt

from lsmtl.lab.chapters.masked_low_rank import EXPERIMENT
from lsmtl.lab.experiments import results, tuned
from lsmtl.lab.notebooks import ROOT
from lsmtl.lab.show import COLOURS, INK

ROWS = {  # label → method, start of the head
    "DenseNet, random start": ("DenseNet", "xavier"),
    "the same with G": ("Deep-LSMTL", "xavier"),
    "ridge regression": ("ridge", None),
    "DenseNet, zero start": ("DenseNet", "zero"),
    "the same with G ": ("Deep-LSMTL", "zero"),
}


def draw(runs, path, ink, ground):
    """Draw one row a method: mean over seeds, and every seed as a dot."""
    inked = {k: ink for k, v in plt.rcParams.items() if isinstance(v, str) and v == INK}
    with plt.rc_context(inked):
        fig, axis = plt.subplots(figsize=(4.6, 2.6))
        for label, (method, head) in reversed(ROWS.items()):
            seeds = tuned(runs, method, head)["mae"]
            axis.plot(seeds, [label] * len(seeds), ".", color=ink, alpha=0.6, ms=5)
            axis.plot(seeds.mean(), label, "D", color=COLOURS[method], ms=8)
        guess = tuned(runs, "training mean")["mae"].mean()
        axis.axvline(guess, color=COLOURS["training mean"], ls="--")
        axis.text(guess, 2.5, "training \nmean ", ha="right", va="center", alpha=0.8)
        axis.grid(axis="y", color=ink, alpha=0.15, lw=0.7)
        axis.set_axisbelow(True)
        axis.locator_params(axis="x", nbins=5)
        axis.set_xlabel("test MAE (lower is better)")
        axis.set_title("laptop · breast, 6,372 genes", loc="left", fontsize=9)
        fig.savefig(path, dpi=200, facecolor=ground)
        plt.close(fig)


def main():
    """Draw it for a light and for a dark page."""
    runs = results(EXPERIMENT, "laptop", "breast", missing="show")
    folder = ROOT / "book" / "_static"
    draw(runs, folder / "result.png", ink="#222222", ground="white")
    draw(runs, folder / "result-dark.png", ink="#dddddd", ground="none")


if __name__ == "__main__":
    main()
