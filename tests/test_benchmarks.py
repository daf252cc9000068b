"""Benchmarks run, at a small size, and file records that hold what they claim."""

import pytest

from benchmarks import __main__ as runner
from benchmarks import lasso
from lsmtl.lab import records


def test_the_lasso_is_measured_against_scikit_learn(tmp_path, monkeypatch):
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path))
    monkeypatch.setattr(records, "COMMITTED", tmp_path / "none")
    small = {"samples": 80, "landmarks": 12, "targets": 30, "factors": 4}
    monkeypatch.setattr(lasso, "SIZE", small)
    monkeypatch.setattr(lasso, "TIMED", 5)
    runner.main(["lasso"])
    found = list(records.read("bench").values())
    assert [r["configuration"]["l1"] for r in found] == list(lasso.STRENGTHS)
    for record in found:
        m = record["metrics"]
        assert abs(m["excess"]) <= lasso.TOL  # both within it, so no further apart
        assert all(m[f"{k}_s"] > 0 for k in ("ours", "sklearn", "sklearn_gram"))
        assert all(m[f"{k}_gap"] <= lasso.TOL * 1.01 for k in ("ours", "sklearn"))


def test_an_unknown_benchmark_is_named():
    with pytest.raises(ValueError, match=r"benchmark must be one of lasso.*'laso'"):
        runner.main(["laso"])
