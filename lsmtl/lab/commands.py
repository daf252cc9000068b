"""The commands around chapters: list them, run one, say what records there are."""

import ast
import re
import sys
import warnings
from pathlib import Path


def add(commands, choices):
    """Add the subcommands.

    Args:
        commands: what `ArgumentParser.add_subparsers` gives.
        choices: as `choices` gives them, for completion; empty otherwise, because the
            commands themselves say what is allowed.
    """
    commands.add_parser("chapters", help="list the chapters, their presets and data")
    run = commands.add_parser(
        "run",
        help="execute a chapter with parameters of your own",
        description="Execute a chapter by papermill. 2: a parameter isn't allowed, and "
        "nothing was run; 1: a cell failed.",
    )
    run.add_argument("chapter", choices=choices.get("chapter"), metavar="chapter")
    run.add_argument("-o", "--out", help="the notebook; default: CHAPTER.ipynb")
    run.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        choices=choices.get("parameter"),
        metavar="NAME=VALUE",
        help="a parameter of the chapter; may be given again",
    )
    run.add_argument("--force", action="store_true", help="replace a file")
    shown = commands.add_parser("records", help="say what run records there are")
    shown.add_argument(
        "--experiment", choices=choices.get("experiment"), metavar="CHAPTER"
    )
    shown.add_argument("--missing", action="store_true", help="incomplete ones only")
    for command in (run, shown):
        for name in ("preset", "dataset"):
            command.add_argument(
                f"--{name}", choices=choices.get(name), metavar=name.upper()
            )


def choices():
    """What completes the arguments, as `add` takes it."""
    from lsmtl.lab.catalogue import chapters
    from lsmtl.lab.chapters import EXPERIMENTS
    from lsmtl.lab.presets import PRESETS

    every = chapters()
    sets = dict.fromkeys(d for e in EXPERIMENTS.values() for d in e.datasets)
    names = dict.fromkeys(p for chapter in every.values() for p in chapter.parameters)
    known = {"preset": PRESETS, "dataset": [*sets]}
    values = [f"{n}={value}" for n in names for value in known.get(n, ("",))]
    return known | {
        "chapter": [*every],
        "experiment": [*EXPERIMENTS],
        "parameter": values,
    }


def list_chapters(given):
    """Print a chapter a paragraph."""
    from lsmtl.lab import catalogue
    from lsmtl.lab.chapters import EXPERIMENTS

    for name, chapter in catalogue.chapters().items():
        experiment = EXPERIMENTS.get(name)
        print(f"{name}: {chapter.title}, {chapter.minutes} min")
        print(f"  presets: {', '.join(catalogue.presets(experiment))}")
        if experiment:
            print(f"  datasets: {', '.join(catalogue.datasets(experiment))}")


def run(given):
    """Execute a chapter; 1 if a cell fails.

    Raises:
        ValueError: there is no such chapter or parameter, a value isn't allowed, or
            the notebook can't be written.
    """
    from lsmtl._checks import one_of
    from lsmtl.inference.model import written
    from lsmtl.lab import catalogue

    every = catalogue.chapters()
    chapter = every[one_of("chapter", given.chapter, every)]
    parameters = read_parameters(given.parameters)
    for name in ("preset", "dataset"):
        if (value := getattr(given, name)) is not None:
            if name in parameters:
                raise ValueError(f"{name} is given twice, by --{name} and by -p")
            parameters[name] = value
    check(chapter, parameters)
    out = Path(given.out or f"{chapter.name}.ipynb")
    if out.suffix != ".ipynb":
        raise ValueError(f"{out} must end in .ipynb")
    written(out, given.force).check()
    return execute(chapter, parameters, out)


def read_parameters(texts):
    """Parameters from texts NAME=VALUE: Python's literals, all else is text.

    >>> read_parameters(["seed=3", "dataset=ecoli", "genes=None"])
    {'seed': 3, 'dataset': 'ecoli', 'genes': None}

    Raises:
        ValueError: a text has no =, or a name comes twice.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"-p must be NAME=VALUE, got {text!r}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def check(chapter, parameters):
    """A ValueError unless a chapter takes these parameters, before it is run.

    Args:
        chapter: a `catalogue.Chapter`.
        parameters: name → value.
    """
    from lsmtl._checks import one_of
    from lsmtl.lab.chapter import check as check_runs
    from lsmtl.lab.chapter import usual
    from lsmtl.lab.chapters import EXPERIMENTS
    from lsmtl.lab.presets import PRESETS

    for name in parameters:
        one_of(f"parameter of {chapter.name}", name, chapter.parameters)
    if chapter.name in EXPERIMENTS:
        check_runs(chapter.name, **(chapter.parameters | parameters))
    else:
        one_of("preset", usual(parameters.get("preset")), PRESETS)


def execute(chapter, parameters, out):
    """Execute a chapter and write what it says of itself into the notebook's metadata.

    Args:
        chapter: a `catalogue.Chapter`.
        parameters: name → value, checked.
        out: path of the notebook.

    Returns:
        0, or 1 if a cell failed, whose error is printed.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    why = None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not end in one of")
        try:
            papermill.execute_notebook(chapter.path, out, parameters)
        except PapermillExecutionError as error:
            why = explained(error)
        except DeadKernelError:
            why = "the kernel died; where memory ran out, the system ends it"
    carry(out)
    if why is None:
        print(f"wrote {out}")
        return 0
    print(f"error: {why}\n{out} has what was executed", file=sys.stderr)
    return 1


def explained(error):
    """A failed cell in a few lines: which it is, the line that failed, and why."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    line = re.search(r"^-+> *\d+ (.*)$", text, re.M)
    where = f"cell {error.exec_count} failed" + (f" at: {line[1].strip()}" * bool(line))
    return f"{where}\n{error.ename}: {error.evalue}"


def carry(path):
    """Copy what an executed notebook says of itself into its metadata, as `lsmtl`."""
    import nbformat

    from lsmtl.lab import carried

    notebook = nbformat.read(path, as_version=4)
    if (about := carried.read(notebook)) is not None:
        notebook.metadata["lsmtl"] = about
        nbformat.write(notebook, path)


def list_records(given):
    """Print a line for every preset of a dataset of an experiment.

    Raises:
        ValueError: there is no such experiment, preset or dataset.
    """
    from lsmtl._checks import one_of
    from lsmtl.lab.catalogue import inventory
    from lsmtl.lab.chapters import EXPERIMENTS
    from lsmtl.lab.presets import PRESETS

    chosen = [*EXPERIMENTS.values()]
    if given.experiment is not None:
        chosen = [EXPERIMENTS[one_of("experiment", given.experiment, EXPERIMENTS)]]
    if given.preset is not None:
        one_of("preset", given.preset, PRESETS)
    if given.dataset is not None:
        known = dict.fromkeys(name for e in chosen for name in e.datasets)
        one_of("dataset", given.dataset, known)
    found = inventory(chosen, given.preset, given.dataset)
    if given.missing:
        found = found[found["recorded"] < found["runs"].fillna(1)]
    for row in found.itertuples():
        print(
            f"{row.experiment:20} {row.dataset:18} {row.preset:7} {state(row):>14}"
            f"{span(row.wall_s) if row.recorded else '':>9}"
        )
    print(f"{found['recorded'].sum()} records, {span(found['wall_s'].sum())}")


def state(row):
    """How many of the runs have a record, in words; `row` is one of an inventory."""
    if not row.recorded:
        return "missing"
    if row.recorded == row.runs:
        return "complete"
    return f"{row.recorded} of {row.runs:.0f}"


def span(seconds):
    """A time in words.

    >>> span(0.24), span(40.2), span(400), span(40000)
    ('0.2 s', '40 s', '7 min', '11.1 h')
    """
    if seconds < 90:
        return f"{seconds:.{int(seconds < 9.95)}f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


COMMANDS = {"chapters": list_chapters, "run": run, "records": list_records}
