"""Run records: what their key depends on, and that no line is lost."""

import json
import sys
import warnings

import pytest
from sets import here

from lsmtl import data
from lsmtl.lab import experiments, records
from lsmtl.lab.experiments import KNOWN
from lsmtl.lab.scenarios import FROM

KEYS = {
    "experiment": "toy",
    "method": "ridge",
    "configuration": {"alpha": 1.0, "group": None},
    "data": "0" * 64,
    "seed": 0,
    "recipe_version": 1,
}
OTHER_KEYS = {
    "experiment": "other",
    "method": "DenseNet",
    "configuration": {"alpha": 2.0, "group": None},
    "data": "1" * 64,
    "seed": 1,
    "recipe_version": 2,
}
PROVENANCE = {
    "preset": "ci",
    "dataset": "breast",
    "metrics": {"mae": 0.5, "mae_deciles": [0.1, 0.5, 0.9]},
    "wall_s": 1.5,
    "date": "2024-01-01T00:00:00+00:00",
    "device": "x86_64",
    "threads": 2,
    "peak_memory_mb": 100,
    "versions": {"torch": "2"},
    "code": "0" * 16,
}
RECORD = KEYS | PROVENANCE


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Empty folders for committed and new records."""
    committed, new = tmp_path / "committed", tmp_path / "deep" / "new"
    committed.mkdir()
    monkeypatch.setattr(records, "COMMITTED", committed)
    monkeypatch.setenv("LSMTL_RECORDS", str(new))
    return committed, new


def seeds(experiment="toy"):
    return sorted(r["seed"] for r in records.read(experiment).values())


@pytest.mark.parametrize("field", OTHER_KEYS)
def test_key_depends_on_every_field_that_decides_the_result(field):
    changed = RECORD | {field: OTHER_KEYS[field]}
    assert records.key(changed) != records.key(RECORD)
    with pytest.raises(KeyError):
        records.key({k: v for k, v in RECORD.items() if k != field})


@pytest.mark.parametrize("field", PROVENANCE)
def test_key_does_not_depend_on_provenance(field):
    assert records.key(RECORD | {field: "changed"}) == records.key(RECORD)
    without = {k: v for k, v in RECORD.items() if k != field}
    assert records.key(without) == records.key(RECORD)


def test_key_does_not_depend_on_the_order_of_a_dictionary():
    configuration = dict(reversed(RECORD["configuration"].items()))
    turned = dict(reversed((RECORD | {"configuration": configuration}).items()))
    assert list(turned) != list(RECORD)
    assert records.key(turned) == records.key(RECORD)


def test_key_survives_the_file():
    record = RECORD | {"configuration": {"starts": ("xavier", 1e-3), "lr": 1e-5 / 3}}
    records.write(record)
    (key,) = records.read("toy")
    assert key == records.key(record)


def test_what_is_written_is_read():
    written = [RECORD | {"seed": seed} for seed in range(3)]
    for record in written:
        records.write(record)
    assert [*records.read("toy").values()] == written
    assert records.read("other") == {}


def test_records_go_where_the_variable_says(folders):
    records.write(RECORD)
    assert [path.name for path in folders[1].iterdir()] == ["toy.jsonl"]
    assert list(folders[0].iterdir()) == []


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_records_go_to_the_build_folder(monkeypatch, value):
    monkeypatch.delenv("LSMTL_RECORDS")
    if value is not None:
        monkeypatch.setenv("LSMTL_RECORDS", value)
    assert records.folder() == records.ROOT / "_build" / "records"


def test_committed_records_are_read_and_new_ones_stand_before_them(folders):
    committed, _ = folders
    lines = [json.dumps(RECORD | {"seed": seed}) for seed in (0, 1)]
    (committed / "toy.jsonl").write_text("\n".join(lines) + "\n")
    records.write(RECORD | {"metrics": {"mae": 0.25}})
    records.write(RECORD | {"seed": 2})
    assert seeds() == [0, 1, 2]
    assert records.read("toy")[records.key(RECORD)]["metrics"] == {"mae": 0.25}


def test_a_half_written_line_is_set_aside_and_the_next_one_is_read(folders):
    records.write(RECORD)
    file = folders[1] / "toy.jsonl"
    with file.open("a") as stream:
        stream.write(json.dumps(RECORD | {"seed": 1})[:100])
    with pytest.warns(UserWarning, match=rf"{file}, line 2: set aside: no JSON"):
        assert seeds() == [0]
    records.write(RECORD | {"seed": 2})
    records.write(RECORD | {"seed": 3})
    with pytest.warns(UserWarning, match="line 2"):
        assert seeds() == [0, 2, 3]


def test_a_whole_line_without_its_line_break_is_not_lost(folders):
    records.write(RECORD)
    file = folders[1] / "toy.jsonl"
    file.write_text(file.read_text().rstrip("\n"))
    records.write(RECORD | {"seed": 1})
    assert seeds() == [0, 1]


@pytest.mark.parametrize(
    "line", ["[]", "{}", "null", json.dumps(KEYS), json.dumps(RECORD | {"extra": 1})]
)
def test_a_line_that_is_no_record_is_set_aside(folders, line):
    records.write(RECORD)
    with (folders[1] / "toy.jsonl").open("a") as stream:
        stream.write(line + "\n")
    with pytest.warns(UserWarning, match="line 2: set aside"):
        assert seeds() == [0]


@pytest.mark.parametrize("field", RECORD)
def test_a_record_without_a_field_is_refused(folders, field):
    with pytest.raises(ValueError, match=rf"must contain \['{field}'\]"):
        records.write({k: v for k, v in RECORD.items() if k != field})
    assert not folders[1].exists()


@pytest.mark.parametrize("field", ["hostname", "Seed"])
def test_an_unknown_field_is_refused(field):
    with pytest.raises(ValueError, match=field):
        records.write(RECORD | {field: "x"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("experiment", "../toy"),
        ("experiment", ""),
        ("method", ""),
        ("configuration", []),
        ("recipe_version", 0),
        ("preset", "huge"),
        ("data", "0" * 63),
        ("seed", -1),
        ("seed", 0.5),
        ("metrics", {}),
        ("metrics", {"mae": "0.5"}),
        ("metrics", {"mae": [None]}),
        ("wall_s", -1),
        ("date", "yesterday"),
        ("threads", 0),
        ("versions", {"torch": 2}),
        ("code", "main"),
    ],
)
def test_a_field_out_of_its_range_is_refused_and_named(folders, field, value):
    with pytest.raises(ValueError, match=rf"record\.{field}"):
        records.write(RECORD | {field: value})
    assert not folders[1].exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", [lambda v: v, lambda v: [0.5, v]])
def test_metrics_that_are_no_numbers_are_refused(folders, value, place):
    with pytest.raises(ValueError, match="JSON compliant"):
        records.write(RECORD | {"metrics": {"mae": place(value)}})
    assert not folders[1].exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_peak_memory_is_that_of_the_run_and_not_of_an_earlier_one():
    large = bytearray(300 * 2**20)
    before = records.provenance("cpu")["peak_memory_mb"]
    del large
    records.forget_peak()
    assert records.provenance("cpu")["peak_memory_mb"] < before - 250


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_line_with_a_metric_that_is_no_number_is_no_record(value):
    line = json.dumps(RECORD | {"metrics": {"mae": "?"}}).replace('"?"', value)
    with pytest.raises(ValueError, match=value):
        records.parse(line)


def test_provenance_completes_a_record():
    provenance = records.provenance("cpu")
    record = {k: v for k, v in RECORD.items() if k not in provenance} | provenance
    assert record.keys() == RECORD.keys()
    records.write(record)
    assert provenance["code"] == records.code()
    assert provenance["peak_memory_mb"] > 50


COMMITTED = sorted(records.COMMITTED.glob("*.jsonl"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_records_are_valid_and_distinct(path, monkeypatch):
    monkeypatch.setattr(records, "COMMITTED", path.parent)
    with warnings.catch_warnings(action="error"):
        found = records.read(path.stem)
    assert len(found) == len(path.read_text("utf-8").splitlines())
    assert {record["experiment"] for record in found.values()} == {path.stem}


def test_committed_records_are_of_todays_data():
    lines = [line for path in COMMITTED for line in path.read_text().splitlines()]
    found = {
        (r["dataset"], r["configuration"]["group"], r["data"])
        for r in map(json.loads, lines)
        if r["dataset"] in {*data.names(), *FROM}
    }
    assert len(found) >= 3
    for name, group, fingerprint in found:
        if not here(name):
            assert fingerprint == KNOWN[name][1]
        else:
            assert fingerprint == experiments.source(name, group)[2]
