"""Models for a matrix of your own, and the chapters of the book, as commands."""

import argparse
import os
import sys
from pathlib import Path

from lsmtl.lab import commands as chapters
from lsmtl.lab import completion

METHODS = ("recommended", "training mean", "ridge", "kernel ridge", "DenseNet")


def main(arguments=None):
    """Run a command; 0 when it is done, 2 with one line of text when it can't be."""
    given = _parser().parse_args(arguments)
    try:
        return COMMANDS[given.command](given) or 0
    except BrokenPipeError:  # who reads the output wants no more of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, MemoryError, ImportError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _learn(given):
    from lsmtl.data.datasets import load, read_matrix, validate_values
    from lsmtl.inference import learn
    from lsmtl.inference.model import written

    written(given.out, given.force).check()  # now, not after an hour
    wanted, select = given.landmarks, None
    if wanted is not None and wanted.isdecimal():
        select, adata = int(wanted), read_matrix(given.matrix, given.genes)
        validate_values(adata)
    else:
        adata = load(given.matrix, wanted, given.genes)
    print(f"{adata.n_obs} samples, {adata.n_vars} genes")
    if wanted == "l1000":
        print(f"{(adata.var['role'] == 'landmark').sum()} of 978 landmarks found")
    if adata.X.max() > 100:
        print(
            f"warning: values up to {adata.X.max():.0f} look like no logarithms; a "
            "model of log2(x + 1) would be better",
            file=sys.stderr,
        )
    settings = given.method, given.seed, given.group, given.folds
    model = learn(adata, *settings, select=select)
    model.save(given.out, force=True)
    _tell(model)


def _infer(given):
    from lsmtl.inference import infer

    out = infer(
        given.model,
        given.profiles,
        given.out,
        given.platform,
        given.absent,
        given.anyway,
        given.force,
        given.genes,
        given.with_landmarks,
    )
    print(f"wrote {out}")


def _show(given):
    from lsmtl.inference import load_model

    _tell(load_model(given.model))


def _tell(model):
    settings = ", ".join(f"{k} {v}" for k, v in model.settings.items())
    print(f"{model.method}{f' ({settings})' if settings else ''}")
    print(f"{len(model.landmarks)} landmarks → {len(model.targets)} targets")
    if model.within:
        print(f"platforms, by {model.within}: {', '.join(model.platforms)}")
    for sentence in model.about.get("recommendation", ()):
        print(sentence)
    if model.expected is not None:
        low, middle, high = (model.expected["r"].quantile(q) for q in (0.1, 0.5, 0.9))
        print(
            f"expected of a new profile: MAE {model.expected['mae'].mean():.3f} in the "
            f"data's units, {model.expected['mae_sd'].mean():.3f} deviations; r of a "
            f"target {middle:.2f} in the middle, {low:.2f} to {high:.2f} for most"
        )


def _completion(given):
    print(completion.script(_parser("lsmtl", chapters.choices()), given.shell))


COMMANDS = {
    "learn": _learn,
    "infer": _infer,
    "show": _show,
    "completion": _completion,
} | chapters.COMMANDS


def _parser(name=None, choices=()):
    own = Path(sys.argv[0]).name == "lsmtl"
    name = name or ("lsmtl" if own else "python -m lsmtl")
    parser = argparse.ArgumentParser(name, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    chapters.add(commands, dict(choices))
    files = ".h5ad, .gctx, .gct, .csv or .tsv (text also .gz)"
    learn = commands.add_parser("learn", help="learn a model from a matrix")
    learn.add_argument("matrix", help=f"samples × genes: {files}")
    learn.add_argument("-o", "--out", required=True, help="the model's file")
    learn.add_argument(
        "--landmarks",
        help="a text file with a name a line; l1000; or how many to choose from the "
        'data; without it, var["role"] says',
    )
    learn.add_argument("--method", choices=METHODS, default="recommended")
    learn.add_argument("--group", help="obs column of samples that belong together")
    learn.add_argument("--folds", type=int, default=5, help="of cross-validation: 5")
    learn.add_argument("--seed", type=int, default=0)
    infer = commands.add_parser("infer", help="predict the targets of profiles")
    infer.add_argument("model", help="what learn wrote")
    infer.add_argument("profiles", help=files)
    infer.add_argument("-o", "--out", required=True, help="the .h5ad to write")
    infer.add_argument(
        "--platform",
        help="what values are compared with: a platform of the model, or own, the "
        "profiles themselves; predictions are then in deviations",
    )
    infer.add_argument(
        "--absent",
        choices=("error", "zero"),
        default="error",
        help="zero: give landmarks that are missing their training mean",
    )
    infer.add_argument(
        "--anyway", action="store_true", help="accept values on another scale"
    )
    infer.add_argument(
        "--with-landmarks", action="store_true", help="write the landmarks, too"
    )
    for command in (learn, infer):
        command.add_argument(
            "--genes",
            choices=("columns", "rows"),
            default="columns",
            help="where a .csv or .tsv has its genes",
        )
        command.add_argument(
            "--force", action="store_true", help="replace a file that is there"
        )
    show = commands.add_parser("show", help="say what a model is")
    show.add_argument("model")
    script = commands.add_parser(
        "completion", help="print a script with which a shell completes lsmtl …"
    )
    script.add_argument("shell", choices=completion.SHELLS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
