"""The benchmarks in small: what they file, and that measuring again replaces it."""

import pytest
import torch

from benchmarks import chapters, deepdiff, engine, kernels, lasso, originals, step
from benchmarks.__main__ import main
from lsmtl.data import fetch
from lsmtl.lab import notebooks, records


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Small sizes, and a folder of its own for the records."""
    monkeypatch.setattr(records, "COMMITTED", tmp_path / "committed")
    monkeypatch.setenv("LSMTL_RECORDS", str(tmp_path))
    monkeypatch.setattr(
        lasso, "SIZE", {"samples": 60, "landmarks": 20, "targets": 30, "factors": 5}
    )
    monkeypatch.setattr(lasso, "STRENGTHS", (0.1, 0.05))
    monkeypatch.setattr(lasso, "TIMED", 6)
    sizes = {"landmarks": 20, "targets": 120, "hidden": [8], "batch": 10}
    monkeypatch.setattr(step, "SIZES", sizes)
    sizes = {"landmarks": 20, "targets": 120, "rank": 5, "batch": 10}
    monkeypatch.setattr(engine, "SIZES", sizes)
    monkeypatch.setattr(engine, "HIDDEN", {key: [8] for key in ("cpu", "cuda")})
    monkeypatch.setattr(deepdiff, "BINS", 6)
    monkeypatch.setattr(kernels, "ROWS", (60,))
    monkeypatch.setattr(kernels, "SHARED", (6,))
    monkeypatch.setattr(kernels, "SIZES", {"features": 3, "tasks": 5})
    return tmp_path / "bench.jsonl"


def test_everything_measured_is_filed_once(small):
    main(["lasso", "step"])
    first = [*records.read("bench").values()]
    assert len(first) == 2 + 7  # strengths, methods
    assert {r["method"] for r in first} >= {"lasso", "DenseNet", "Deep-LSMTL"}
    main(["lasso"])
    again = records.read("bench")
    assert len(small.read_text().splitlines()) == len(again) == len(first)


def test_the_lasso_is_compared_at_the_same_objective(small):
    main(["lasso"])
    for record in records.read("bench").values():
        m = record["metrics"]
        assert m["ours_objective"] == pytest.approx(m["sklearn_objective"], rel=2e-3)
        assert max(m["ours_gap"], m["sklearn_gap"]) <= lasso.TOL * 1.01


def test_a_step_is_compared_with_the_plain_one(small):
    main(["step"])
    found = {
        (r["method"], r["configuration"].get("rank")): r["metrics"]
        for r in records.read("bench").values()
    }
    assert found["DenseNet", None]["over_plain"] == 1
    plain, narrow, wide = (
        found[key]["weights"]
        for key in (("DenseNet", None), ("Deep-LSMTL", 100), ("Deep-LSMTL", 1000))
    )
    assert wide - plain == 10 * (narrow - plain) > 0
    assert all(m["seconds"] > 0 for m in found.values())


def test_ways_to_train_are_compared_with_the_memory_and_a_plain_loop(small):
    main(["engine"])
    found = {
        r["configuration"]["way"]: r["metrics"] for r in records.read("bench").values()
    }
    gpu = [k for k, way in engine.WAYS.items() if way.get("precision") == "tf32"]
    assert set(found) == {*engine.WAYS, "plain loop"} - {
        name for name in gpu if not torch.cuda.is_available()
    }
    weights = 20 * 8 + 28 * 120  # of the DenseNet
    for way, m in found.items():
        G = 0 if "without G" in way else 2 * 120 * 5
        each = 46 if way == "bf16" else 40  # bytes a weight
        assert m["limit"] * m["bandwidth"] == pytest.approx(
            each * (weights + G), rel=1e-3
        )
        assert m["reached"] == pytest.approx(m["limit"] / m["seconds"], rel=1e-3)
    assert found["plain loop"]["speedup"] == 1
    assert "over_plain" in found["fp32"] and "over_plain" not in found["bf16"]


def test_ways_without_the_kernel_predict_as_those_with_it(small):
    main(["kernels"])
    found = [r["metrics"] for r in records.read("bench").values()]
    assert len(found) == 5 + 2
    assert [m["kernel_mb"] for m in found] == [60**2 * 8e-6] * 5 + [30**2 * 8e-6] * 2
    differences = [m["difference"] for m in found]
    assert max(differences) < 1e-6 and differences.count(0) == 3


def test_the_original_files_are_projected_to_their_height(small, tmp_path, monkeypatch):
    for name, role in (("map_lm.txt", "L"), ("map_tg.txt", "T")):
        lines = (f"{role}{i}\tENSG{role}{i}\t{role}{i}_at\n" for i in range(9))
        (tmp_path / name).write_text("".join(lines))
    monkeypatch.setattr(fetch, "path", tmp_path.joinpath)
    monkeypatch.setattr(originals, "HEIGHTS", (40, 60))
    monkeypatch.setattr(originals, "FULL", 100)
    sizes = {"probes": 30, "gtex": [5, 30], "geuvadis": [5, 30]}
    monkeypatch.setattr(originals, "SIZES", sizes)
    monkeypatch.setattr(originals, "FAMILIES", 2)
    monkeypatch.setattr(originals, "COPIES", 4)
    main(["originals"])
    low, high = (r["metrics"] for r in records.read("bench").values())
    assert low["removed"] == high["removed"] == 2 * 8 + 3
    full = high["seconds"] + 2 * (high["seconds"] - low["seconds"])
    assert high["full_minutes"] == pytest.approx(full / 60, rel=1e-2)


def test_kernels_are_measured_alone_and_together(small, tmp_path, monkeypatch):
    block = "```{code-cell} ipython3\n{code}\n```\n"
    code = {
        "small": "x = 1",
        "large": "import time\nx = b'1' * (200 * 2**20)\ntime.sleep(1)",
        "busy": "import time\nwhile time.process_time() < 3:\n    pass",
    }
    for name, lines in code.items():
        text = (notebooks.chapters()[0]).read_text("utf-8")
        head = text[: text.index("\n# ")] + "\n# A page\n\n"
        body = block.replace("{code}", lines)
        (tmp_path / f"{name}.md").write_text(head + body, "utf-8")
    pages = [tmp_path / f"{name}.md" for name in code]
    monkeypatch.setattr(notebooks, "chapters", lambda: pages)
    monkeypatch.setattr(chapters, "CLASS", "large")
    monkeypatch.setattr(chapters, "TOGETHER", (2,))
    main(["chapters"])
    found = {r["method"]: r["metrics"] for r in records.read("bench").values()}
    alone, large = found["small"], found["large"]
    assert large["peak_mb"] - alone["peak_mb"] == pytest.approx(200, rel=0.05)
    assert found["large, together"]["sum_mb"] > large["sum_mb"] + 190
    assert alone["cpu_seconds"] + 1.5 < found["busy"]["cpu_seconds"]
    assert found["busy"]["cpu_seconds"] <= found["busy"]["seconds"] + 0.5
    assert [*tmp_path.glob("*.jsonl")] == [small]


def test_an_unknown_benchmark_is_refused(small):
    with pytest.raises(
        ValueError, match=r"engine, kernels, lasso, originals, step.* 'speed'"
    ):
        main(["speed"])


def test_one_batched_product_gives_what_lstms_give_one_by_one(small):
    main(["deepdiff"])
    found = [*records.read("bench").values()]
    assert {r["method"] for r in found} == {"one by one", "batched", "one wide"}
    assert all(r["metrics"]["batched_differs_by"] < 1e-5 for r in found)
    assert all(r["metrics"]["seconds"] > 0 for r in found)
