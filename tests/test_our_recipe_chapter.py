"""Runs of the chapter with a recipe of ours."""

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from lsmtl import data
from lsmtl.data import Profiles
from lsmtl.lab.chapters import our_recipe
from lsmtl.lab.measuring import thin


def test_a_stack_has_the_weights_of_bounded_least_squares():
    torch.manual_seed(0)
    y = torch.randn(30, 20)
    parts = [0.8 * y + torch.randn(30, 20), torch.randn(30, 20) - 0.5 * y]
    parts.append(parts[0] + 0.1 * torch.randn(30, 20))
    A = torch.stack([p.ravel() for p in parts], 1).double().numpy()
    wanted = lsq_linear(A, y.double().ravel().numpy(), (0, np.inf)).x
    assert our_recipe.stack(parts, y) == pytest.approx(wanted, abs=1e-4)


def test_our_recipe_chooses_without_test_profiles():
    splits = data.split(thin(data.load("ecoli"), 40), 0, "group")
    train, validation, test = splits.train, splits.validation, splits.test
    c = {"units": 6, "members": 2, "steps": 8}
    found = [
        our_recipe.recipe(train, validation, Profiles(test.x, y), c, 0, "cpu")
        for y in (test.y, -test.y)
    ]
    chosen = [
        {k: v for k, v in one.items() if k.startswith(("chosen", "weights"))}
        | {k: v for k, v in one.items() if k.endswith("gain")}
        for one in found
    ]
    assert chosen[0] == chosen[1]
    assert found[0]["mae"] != found[1]["mae"]


def test_g_learns_to_rebuild_measured_targets():
    torch.manual_seed(1)
    y = torch.randn(300, 3) @ torch.randn(3, 40)
    y /= y.std(0)
    untrained, trained = (
        our_recipe.relations_of(y[:200], 0, rank=10, steps=steps) for steps in (0, 400)
    )
    left = [
        (our_recipe._rebuilt(g, y[200:]) - y[200:]).square().mean().item()
        for g in (untrained, trained)
    ]
    assert left[1] < 0.5 * left[0]
