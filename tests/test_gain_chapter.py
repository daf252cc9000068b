"""Runs of the chapter on the gain's cause."""

import numpy as np
import pytest
import torch

from lsmtl import data
from lsmtl.lab.chapters import gain
from lsmtl.lab.experiments import Run
from lsmtl.lab.penalties import ShrunkenPredictions
from lsmtl.regularizers import MaskedLowRank

SMALL = {"scenario": "within", "targets": 40, "hidden": [8, 8], "epochs": 4}
SMALL |= {"head": "xavier", "way": "as printed", "group": "group"}
DRAWN = {"samples": 1000, "landmarks": 20, "targets": 30, "train": 64}


@pytest.fixture(scope="module")
def ecoli():
    return data.load("ecoli")


def measured(adata, method=gain.G, **changed):
    return gain._measure(adata, Run(method, SMALL | changed, 0), "cpu")


def test_the_control_is_gs_mean_penalty_where_g_is_zero():
    f = torch.randn(50, 12)
    g = MaskedLowRank(12, 3, 0.7, masked=0.25)
    torch.nn.init.zeros_(g.V2.weight)
    every = torch.stack([g(None, None, f) for _ in range(3000)])
    wanted = ShrunkenPredictions(0.7)(None, None, f)
    assert every.mean().item() == pytest.approx(wanted.item(), rel=0.02)


def test_a_network_without_penalty_doesnt_depend_on_the_penalty(ecoli):
    found = [measured(ecoli, method) for method in gain.DEEP]
    for other in found[1:]:
        assert other["plain_mae_deciles"] == found[0]["plain_mae_deciles"]
        assert other["mae_deciles"] != found[0]["mae_deciles"]


def test_the_strength_is_the_one_that_validation_prefers(ecoli, monkeypatch):
    found = measured(ecoli)
    each = []
    for strength in gain.STRENGTHS:
        monkeypatch.setattr(gain, "STRENGTHS", (strength,))
        each.append(measured(ecoli))
    errors = [one["validation_mae"] for one in each]
    best = each[int(np.argmin(errors))]
    assert len(set(errors)) > 1
    assert found["chosen_strength"] == best["chosen_strength"]
    assert found["mae"] == best["mae"]


def test_without_early_stopping_the_last_epoch_counts(ecoli):
    found = measured(ecoli, way="no early stopping", epochs=6)
    assert found["plain_best_epoch"] == found["best_epoch"] == 5


def test_the_factor_afterwards_is_that_of_least_squares(ecoli):
    splits = gain._parts(ecoli, SMALL, 0, "cpu")
    train, validation, test = splits

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(train.x.shape[1], 40) / 10)

        def forward(self, x):
            return x @ self.weight

    model = Twice()
    f = model(validation.x).detach().numpy().ravel()
    slope = np.linalg.lstsq(f[:, None], validation.y.numpy().ravel(), rcond=None)[0]
    found = gain._tested(model, validation, test)
    assert found["scale"] == pytest.approx(slope[0], rel=1e-4)
    error = (test.y - slope[0] * model(test.x)).abs().mean().item()
    assert found["mae_scaled"] == pytest.approx(error, rel=1e-4)


def test_fewer_simulated_profiles_are_scaled_by_themselves():
    few, validation, test = gain._parts(None, DRAWN, 0, "cpu")
    assert [len(p) for p in (few, validation)] == [64, 10]
    assert torch.allclose(few.y.mean(0), torch.zeros(30), atol=1e-5)
    assert torch.allclose(few.y.std(0), torch.ones(30), atol=1e-4)
    more = gain._parts(None, DRAWN | {"train": 400}, 0, "cpu")
    assert len(more[2]) == len(test) > 50  # the same test profiles, whatever n
    again = gain._parts(None, DRAWN, 0, "cpu")
    assert torch.equal(again[0].y, few.y)
