"""Run records from a borrowed GPU: `python -m lsmtl.lab.gpu bundle|run|merge`.

Such a machine is often bare (no internet, no AnnData) and lent for minutes. So the
data and the list of what is due travel there as a bundle, `lsmtl.lab.lease` makes
what it can in the time, and the records travel back as one file, which is checked
when it is merged.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import pandas as pd

from lsmtl._checks import one_of
from lsmtl.data import plain
from lsmtl.data.companions import HistoneMarks
from lsmtl.lab import experiments, lease, records
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.experiments import planned

LIMIT = 56.0  # MB of data: the repository travels with them


def bundle(folder, preset="gpu", only=()):
    """Write the data of what is due, a file a dataset, and the list, `due.json`.

    The list is in the order of value. A page shows a preset once all its runs on a
    dataset have a record, so these stay together: first benchmarks, then simulated
    data (their full size is what only a GPU can run), then the others, and among
    equals what is finished soonest.

    Args:
        folder: where to; an earlier bundle in it is replaced.
        preset: how large.
        only: names of experiments, and of benchmarks with `bench-` before them, in the
            order to run them; without any, all are taken, in the order of value.

    Returns:
        The list: records without what a run adds, but with `minutes`, an estimate.

    Raises:
        ValueError: a name is unknown, or the data are larger than `LIMIT`.
    """
    minutes = _benchmarks()
    benchmarks = {f"bench-{name}": name for name in minutes}
    known = [*benchmarks, *EXPERIMENTS]
    for name in only:
        one_of("experiment or benchmark", name, known)
    parts, sets = [], {}  # a part: what belongs together; a set: AnnData, columns
    for name in only or known:
        if name in EXPERIMENTS:
            for dataset, adata, runs in experiments.due(EXPERIMENTS[name], preset):
                if isinstance(adata, pd.DataFrame | HistoneMarks):  # not a matrix
                    continue
                parts.append(runs)
                if runs and adata is not None:
                    group = EXPERIMENTS[name].datasets[dataset]
                    sets.setdefault(dataset, (adata, set()))[1].add(group)
        elif preset == "gpu" and not _measured(benchmarks[name]):
            benchmark = benchmarks[name]
            parts.append([{"benchmark": benchmark, "minutes": minutes[benchmark]}])
    if not only:
        parts.sort(key=_value)
    due = [item for part in parts for item in part]
    content = {"preset": preset, "data": _saved(Path(folder), sets), "due": due}
    (Path(folder) / lease.LIST).write_text(json.dumps(content, indent=1), "utf-8")
    total = sum(item["minutes"] for item in due)
    print(f"{len(due)} runs due, estimated at {total:.0f} minutes")
    return due


def _saved(folder, sets):
    """Write the sets, in the place of earlier ones; their files and hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.npz"), folder / lease.LIST]:
        old.unlink(missing_ok=True)
    files, sizes = {}, {}
    for dataset, (adata, groups) in sets.items():
        file = folder / f"{Path(dataset).stem}.npz"
        plain.save(file, adata, groups - {None})
        content = file.read_bytes()
        sizes[dataset] = len(content) / 1e6
        sha256 = hashlib.sha256(content).hexdigest()
        files[dataset] = {"file": file.name, "sha256": sha256}
    if sum(sizes.values()) > LIMIT:
        listed = ", ".join(f"{dataset} {mb:.1f}" for dataset, mb in sizes.items())
        raise ValueError(f"a bundle holds at most {LIMIT:g} MB; in MB: {listed}")
    named = ", ".join(files) or "no data"
    print(f"{folder}: {named}, {sum(sizes.values()):.1f} MB")
    return files


def _benchmarks():
    """The benchmarks that use a GPU where there is one, and the minutes they take."""
    from benchmarks.__main__ import MODULES  # here: it is no part of the package

    found = {k: getattr(m, "GPU_MINUTES", None) for k, m in MODULES.items()}
    return {name: minutes for name, minutes in found.items() if minutes is not None}


def _measured(name):
    """Whether a benchmark has been measured on a GPU."""
    found = (r["configuration"] for r in records.read("bench").values())
    return any((c["benchmark"], c["device"]) == (name, "cuda") for c in found)


def _value(part):
    """By what parts are sorted."""
    first = part[0] if part else {}
    simulated = first.get("dataset") == "simulated"
    return (
        "benchmark" not in first,
        not simulated,
        sum(item["minutes"] for item in part),
    )


def merge(files):
    """File the records that `run` made, all or none; those already there are left.

    Args:
        files: paths of `records.jsonl`.

    Returns:
        How many were new.

    Raises:
        ValueError: a line is no record of a run that today's code would make on
            today's data; the message names the file and the line.
    """
    from benchmarks.__main__ import replace

    plans, found = {}, {}
    for file in files:
        for number, line in enumerate(Path(file).read_text("utf-8").splitlines(), 1):
            try:
                record = records.parse(line)
                _check(record, plans)
            except ValueError as error:
                raise ValueError(f"{file}, line {number}: {error}") from None
            found[records.key(record)] = record
    known = set()
    for name in {record["experiment"] for record in found.values()} - {"bench"}:
        known |= records.read(name).keys()
    new = 0
    for key, record in found.items():
        if record["experiment"] == "bench":
            replace(record)
        elif key in known:
            continue
        else:
            records.write(record)
        new += 1
    print(f"{new} records filed in {records.folder()}, {len(found) - new} were there")
    return new


def _check(record, plans):
    """Refuse a record that isn't due or known; `plans` keeps what was looked up."""
    if record["experiment"] == "bench":
        from benchmarks.__main__ import VERSION

        _same_version(record, VERSION)
        name = record["configuration"].get("benchmark")
        one_of("benchmark", name, _benchmarks())
        return
    experiment = EXPERIMENTS[one_of("experiment", record["experiment"], EXPERIMENTS)]
    _same_version(record, experiment.recipe_version)
    which = experiment.name, record["preset"], record["dataset"]
    if which not in plans:
        _, runs = planned(experiment, *which[1:], files=False)
        content = runs[0]["data"] if runs else None
        plans[which] = content, {records.key(run) for run in runs}
    content, keys = plans[which]
    if record["data"] != content:
        raise ValueError(
            f"made on other data: {record['dataset']} has the hash {content}, the "
            f"record {record['data']}"
        )
    if records.key(record) not in keys:
        raise ValueError(
            f"no run of {', '.join(which)}: {record['method']}, "
            f"{record['configuration']}, seed {record['seed']}"
        )


def _same_version(record, version):
    if record["recipe_version"] != version:
        raise ValueError(
            f"made with recipe_version {record['recipe_version']} of "
            f"{record['experiment']}, the code has {version}"
        )


def main(arguments=None):
    """The command line; 1 if a run failed."""
    parser = argparse.ArgumentParser(prog="python -m lsmtl.lab.gpu")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("bundle", help="write the data and the list of what is due")
    verb.add_argument("folder")
    verb.add_argument("--preset", default="gpu", choices=["ci", "laptop", "gpu"])
    verb.add_argument("--only", nargs="+", default=(), metavar="NAME")
    verb = verbs.add_parser("run", help="make what is due, for some minutes")
    verb.add_argument("folder")
    verb.add_argument("out")
    verb.add_argument("minutes", type=float)
    verb = verbs.add_parser("merge", help="check records and file them")
    verb.add_argument("file", nargs="+")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.verb == "bundle":
            bundle(chosen.folder, chosen.preset, chosen.only)
        elif chosen.verb == "merge":
            merge(chosen.file)
        else:
            return int(lease.run(chosen.folder, chosen.out, chosen.minutes) > 0)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    sys.exit(main())
