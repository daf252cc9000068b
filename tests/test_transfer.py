"""Gains and losses of tasks, on runs whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from lsmtl.lab.transfer import beyond, changes, chosen, paired, scenes, surely


def run(method, strength, seed, noisy, clean=1.0, validation=1.0, scene="deep"):
    """A run whose quarters have the errors 1 to 4, the plain network's 1."""
    quarters = [1.0] * 4 if method == "DenseNet" else [1.0, 2, 3, 4]
    errors = {"mae_noisy": noisy, "mae_clean": clean, "mae": (noisy + clean) / 2}
    found = {"method": method, "strength": strength, "seed": seed, "scene": scene}
    return found | errors | {"mae_quartiles": quarters, "validation_mae": validation}


def plain():
    """Seeds differ by much more than methods do."""
    return [run("DenseNet", np.nan, seed, noisy=3.0 + seed) for seed in range(3)]


def runs_of(method, strength, change, clean=(0, 0, 0), validation=0.9):
    """Three seeds that change the plain network by so much."""
    return [
        run(method, strength, seed, 3 + seed + d, 1 + c, validation)
        for seed, (d, c) in enumerate(zip(change, clean, strict=True))
    ]


def table(*groups):
    return changes(pd.DataFrame(sum(groups, plain())), "deep")


def test_changes_are_against_the_plain_network_of_the_same_seed():
    found = table(runs_of("M", 1.0, [-0.2, -0.1, 0.3]))
    mine = found[found["method"] == "M"]
    np.testing.assert_allclose(mine["mae_noisy"], [-0.2, -0.1, 0.3])
    np.testing.assert_allclose(mine[["q0", "q1", "q2", "q3"]], [[0, 1, 2, 3]] * 3)
    assert not found[found["method"] == "DenseNet"]["mae"].any()


def test_validation_chooses_the_strength_and_may_choose_none():
    good, poor = runs_of("M", 1.0, [0, 0, 0]), runs_of("M", 3.0, [-1, -1, -1], (0,) * 3)
    for r in poor:
        r["validation_mae"] = 1.1  # although better on test profiles
    assert chosen(table(good, poor), "M")[0] == 1.0
    best, part = chosen(table(poor), "M")
    assert best == 0 and not part.to_numpy().any() and part.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        ([0.01, 0.02, 0.001], True),
        ([0.1, 0.2, -0.001], False),  # one seed disagrees
        ([0.0001, 0.0002, 0.0003], False),  # all agree, and it doesn't matter
        ([0.0, 0.0, 0.0], False),
    ],
)
def test_a_difference_counts_if_all_seeds_agree_and_it_matters(d, expected):
    assert surely(pd.Series(d)) is expected


def test_a_gain_counts_beyond_the_control_seed_by_seed():
    found = table(
        runs_of("shrunken head", 1.0, [-0.1, -0.2, -0.3]),
        runs_of("better", 1.0, [-0.11, -0.22, -0.31]),
        runs_of("lucky", 1.0, [-0.5, -0.5, -0.29], clean=(0.1, 0.2, 0.1)),
    )
    gain, hurt = beyond(found, ["shrunken head", "better", "lucky"])
    assert list(gain) == ["better"] and hurt == ["lucky"]
    np.testing.assert_allclose(gain["better"], [-0.01, -0.02, -0.01])


def test_beating_a_control_that_does_harm_is_no_gain():
    found = table(
        runs_of("shrunken head", 1.0, [0.1, 0.2, 0.3]),
        runs_of("harmless", 1.0, [0.01, 0.01, 0.01]),
        runs_of("good", 1.0, [-0.01, -0.01, -0.01]),
    )
    assert list(beyond(found, ["harmless", "good"])[0]) == ["good"]


def test_pairs_are_compared_at_their_own_strengths_and_elsewhere():
    found = table(
        runs_of("a", 1.0, [-0.1, -0.2, -0.3]),
        runs_of("a", 9.0, [-9, -9, -9], validation=2.0),
        runs_of("b", 1.0, [0, 0, 0], validation=1.5),
        runs_of("b", 3.0, [-0.1, -0.1, -0.1]),
        runs_of("b", 9.0, [0, 0, 1], validation=2.0),
    )
    strengths, d, rest = paired(found, "a", "b")
    assert strengths == (1.0, 3.0) and list(rest) == [9.0]
    np.testing.assert_allclose(d["mae_noisy"], [0, -0.1, -0.2], atol=1e-12)
    np.testing.assert_allclose(rest[9.0], [-9, -9, -10])


def test_scenes_without_noise_are_told_apart():
    scene = ["deep", None, "deep, no noise added", "linear", "deep"]
    runs = pd.DataFrame({"scene": scene})
    assert scenes(runs) == ["deep", "deep, no noise added", "linear"]
    assert scenes(runs, noisy=True) == ["deep", "linear"]
