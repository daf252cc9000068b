"""What choosing otherwise does: runs are found by their settings, or not at all."""

import math

import numpy as np
import pandas as pd
import pytest

from lsmtl.lab import effects
from lsmtl.lab.effects import Effect, compared, picked, recorded, told
from lsmtl.lab.experiments import Experiment, Run

STRENGTHS = (None, 0.1, 1.0)


def listed(sizes, landmarks):
    for seed in range(sizes["seeds"]):
        for strength in STRENGTHS:
            yield Run("F" if strength is None else "G", {"strength": strength}, seed)


def table(shift, done=True, seeds=3):
    """Runs of F and of G with two strengths; λ = 1 has the errors of F plus `shift`."""
    runs = pd.DataFrame(
        [
            {"method": run.method, "seed": run.seed, **run.configuration, "done": done}
            for run in listed({"seeds": seeds}, 0)
        ]
    )
    plain = np.repeat(0.5 + 0.1 * np.arange(seeds), len(STRENGTHS))
    runs["mae"] = plain + np.tile([0, 0.02, shift], seeds)
    runs["validation_mae"] = runs["mae"] - 0.01 * runs["seed"]
    return runs.assign(layers=[[100, 100]] * len(runs), mae_sd=0.06)


@pytest.fixture
def toy(monkeypatch):
    """An experiment whose records are these tables."""
    tables = {"laptop": table(0.06), "gpu": table(-0.06)}
    sizes = {key: {"seeds": 3} for key in ("ci", *tables)}
    experiment = Experiment("toy", 1, {"breast": "group"}, sizes, listed, None)
    monkeypatch.setitem(effects.EXPERIMENTS, "toy", experiment)

    def results(experiment, preset, dataset, missing, known):
        return tables[preset]  # ci is never looked at

    monkeypatch.setattr(effects, "results", results)
    return tables


def test_an_effect_is_the_difference_seed_by_seed_in_percent(toy):
    (found,) = compared("toy", {"strength": 1.0}, {"method": "F"})
    assert (found.effect, found.count) == (pytest.approx(-10), 3)  # 0.06 of 0.6
    assert found.seeds == pytest.approx(0, abs=1e-9)  # though MAEs differ by seed
    assert found.genes == pytest.approx(10)
    assert "gpu · breast" in found.badge
    (back,) = compared("toy", {"method": "F"}, {"strength": 1.0})
    assert back.effect > 0


def test_the_largest_preset_that_has_both_is_shown(toy):
    toy["gpu"].loc[toy["gpu"]["strength"] == 1.0, "done"] = False
    (found,) = compared("toy", {"strength": 1.0}, {"method": "F"})
    assert found.effect > 0 and "laptop" in found.badge
    (other,) = compared("toy", {"strength": 0.1}, {"method": "F"})
    assert "gpu" in other.badge  # a missing run of another setting doesn't matter
    toy["laptop"]["done"] = False
    (none,) = compared("toy", {"strength": 1.0}, {"method": "F"})
    assert not none.found and str(none) == "not run" and math.isnan(none.effect)


def test_tables_are_made_once_and_shared_by_comparisons(toy, monkeypatch):
    asked = []
    made = effects.results

    def counted(experiment, preset, dataset, missing, known):
        asked.append((preset, dataset))
        return made(experiment, preset, dataset, missing, known)

    monkeypatch.setattr(effects, "results", counted)
    runs = recorded("toy")
    assert asked == []  # only what is compared is looked at
    pair = {"strength": 1.0}, {"method": "F"}
    assert compared("toy", *pair, runs=runs) == compared("toy", *pair, runs=runs)
    assert asked == [("gpu", "breast")]


def test_pairs_of_other_seeds_are_refused(toy):
    toy["gpu"] = toy["gpu"].drop(index=toy["gpu"].index[toy["gpu"]["seed"] == 2][0])
    with pytest.raises(ValueError, match="different seeds on breast"):
        compared("toy", {"strength": 1.0}, {"method": "F"})


def test_a_setting_that_is_not_planned_is_an_error_and_not_not_run(toy):
    with pytest.raises(ValueError, match="toy has no runs on breast"):
        compared("toy", {"strength": 0.2}, {"method": "F"})
    with pytest.raises(ValueError, match=r"setting must be one of .*strenght"):
        compared("toy", {"strenght": 1.0}, {"method": "F"})
    with pytest.raises(ValueError, match=r"experiment must be one of .*toi"):
        compared("toi", {"strength": 1.0}, {"method": "F"})
    with pytest.raises(ValueError, match="more than one run with"):
        compared("toy", {"method": "G"}, {"method": "F"})


def test_settings_are_chosen_by_validation_and_not_by_test():
    runs = table(0.06)
    runs.loc[runs["strength"] == 1.0, "validation_mae"] = 0.0
    chosen = picked(runs, {"method": "G"}, choose=["strength"])
    assert chosen["strength"].tolist() == [1.0] * 3  # the worse one in the test


def test_values_are_numbers_lists_nothing_or_a_condition():
    runs = table(0.06)
    assert len(picked(runs, {"strength": None})) == 3
    assert len(picked(runs, {"strength": 1, "layers": (100, 100)})) == 3
    assert len(picked(runs, {"strength": 1, "layers": [100]})) == 0
    assert len(picked(runs, {"strength": lambda v: v > 0.5})) == 3  # not where empty
    assert len(picked(runs, {"method": "F", "layers": lambda v: len(v) == 2})) == 3


def test_text_has_a_sign_two_digits_where_small_and_a_name():
    small = Effect("breast", effect=-0.28, seeds=0.034, count=3)
    assert str(small) == "−0.28 ± 0.03 %"
    assert str(Effect("breast", effect=12.34, seeds=0.5, count=1)) == "+12.3 %"
    shown = told("a < b", [small, Effect("ecoli")]).data
    assert "a &lt; b" in shown and "ecoli not run" in shown
