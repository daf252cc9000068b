"""What is imported when: papermill doesn't wait for torch, the core needs little."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lsmtl

PACKAGE = Path(lsmtl.__file__).parent
OUTSIDE_LAB = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if PACKAGE / "lab" not in path.parents
    and path != PACKAGE / "__main__.py"  # the command line, which is above both
)

WITHOUT = "import sys; sys.modules.update(dict.fromkeys({absent!r}))"  # None: absent

TRAIN = """
from types import SimpleNamespace
import torch
from lsmtl.metrics import concordance, mae
from lsmtl.networks import DenseNet
from lsmtl.regularizers import MaskedLowRank
from lsmtl.semigan import SemiGAN, fit_semigan
from lsmtl.training import Recipe, fit, predict

x = torch.randn(40, 6)
part = SimpleNamespace(x=x, y=x[:, :4])
recipe = Recipe(epochs=3, batch_size=10)
trained = fit(DenseNet(6, 4, (8,)), part, part, MaskedLowRank(4, 2), recipe)
fit_semigan(DenseNet(6, 4, (8,)), part, part, SemiGAN(6, 4, (8,)), x, recipe)
prediction = predict(trained.network, x)
assert mae(prediction, part.y).isfinite().all()
assert concordance(prediction, part.y).isfinite().all()
assert len(trained.history) == 3
"""


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "module",
    ["lsmtl", "lsmtl.lab", "lsmtl.lab.notebooks", "lsmtl.__main__", "lsmtl.kernels"],
)
def test_import_does_not_wait_for_torch(module):
    loaded = python(f"import {module}, sys; print(*sys.modules)").split()
    assert module in loaded
    assert "torch" not in loaded


def test_training_needs_torch_numpy_and_pandas_only():
    absent = (
        "anndata",
        "lightning",
        "sklearn",
        "scipy",
        "matplotlib",
        "tqdm",
        "h5py",
        "fastjsonschema",
    )
    assert python(WITHOUT.format(absent=absent) + TRAIN) == ""


@pytest.mark.parametrize("module", ["pandas", "anndata.io", "tqdm"])
def test_what_is_made_absent_is_not_found(module):
    code = WITHOUT.format(absent=(module.split(".")[0],)) + f"\nimport {module}"
    with pytest.raises(AssertionError, match="ModuleNotFoundError"):
        python(code)


def imported(path):
    """Absolute names of all modules that a file imports, anywhere in it."""
    package = [*path.relative_to(PACKAGE.parent).with_suffix("").parts][:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{home}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    "path", OUTSIDE_LAB, ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_nothing_outside_lab_imports_lab(path):
    assert not [name for name in imported(path) if f"{name}.".startswith("lsmtl.lab.")]


def test_imports_of_lab_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "lsmtl")
    file = tmp_path / "lsmtl" / "data" / "x.py"
    file.parent.mkdir(parents=True)
    for line in (
        "import lsmtl.lab.show",
        "from lsmtl import lab",
        "from lsmtl.lab import show",
        "from ..lab import show",
        "from .. import lab",
        "def f():\n    from lsmtl.lab.show import table",
    ):
        file.write_text(line)
        assert any(f"{name}.".startswith("lsmtl.lab.") for name in imported(file))


def test_there_is_something_to_look_at():
    names = {path.stem for path in OUTSIDE_LAB}
    assert {"networks", "masked_low_rank", "training", "metrics", "splits"} <= names
