"""How the paper's tables and ours stand beside each other."""

import re
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsmtl.lab import ROOT, standings, tables
from lsmtl.lab.chapters import EXPERIMENTS, table_1
from lsmtl.lab.experiments import Experiment, Run
from lsmtl.lab.rows import Row

ROWS = [Row("DenseNet", 9000, 2, "DenseNet"), Row("Deep-LSMTL", 9000, 2, "DenseNet")]


def runs(seeds=3, groups=30, better=0.0, noise=0.1, rng=0):
    """Two rows over some seeds, the second better by a share of a common error."""
    rng = np.random.default_rng(rng)
    lines = []
    for seed in range(seeds):
        common = rng.uniform(0.3, 0.9, groups)
        counts = rng.integers(1, 4, groups)
        for row, part in zip(ROWS, (0.0, better), strict=True):
            errors = common * (1 - part) + noise * part * rng.normal(size=groups)
            line = {"method": row.method, "seed": seed, "done": True}
            line |= {"errors": errors.tolist(), "counts": counts.tolist()}
            line |= {
                "validation_mae": 0.7,
                "mae": np.average(errors, weights=counts),
                "cc": 0.5,
                "r": 0.6,
            }
            lines.append(line | {"mae_sd": 0.1, "cc_sd": 0.2})
    return pd.DataFrame(lines)


def evidence(table, dataset="arrays"):
    return standings.Evidence(dataset, ROWS, table, "")


first = standings.against("DenseNet")


def method(row):
    """A row's name, and its place in the paper's columns."""
    return row.method


def columns(mae, effect):
    """The paper's MAE of DenseNet and of both, and its effect, by method."""
    names = [row.method for row in ROWS]
    return pd.Series(["0.30", mae], names), pd.Series([np.nan, effect], names)


def test_a_row_is_compared_with_one_that_shares_what_is_named():
    rows = [
        Row(name, units, layers, "MLP")
        for name in ("MLP", "Deep-LSMTL")
        for units in (3000, 6000)
        for layers in (1, 2)
    ]
    width = standings.against("MLP", "units")
    shape = standings.against("MLP", "units", "layers")
    assert [shape(row, rows) for row in rows] == [None] * 4 + rows[:4]
    assert [width(row, rows) for row in rows[4:]] == [rows[0]] * 2 + [rows[2]] * 2
    zero = [*rows, Row("MLP", 3000, 1, "MLP", head="zero")]
    assert shape(zero[-1], zero) is rows[0]  # whose label says no more than MLP


def test_an_effect_is_the_difference_in_percent_of_the_reference():
    table = runs(better=0.1, noise=0.0)
    plain, g = standings.standing(evidence(table), first).itertuples()
    assert plain.effect != plain.effect
    assert g.effect == pytest.approx(-10)
    assert g.low < g.effect < g.high < 0
    assert g.mae == pytest.approx(table["mae"][1::2].mean())
    assert g.mae_seeds == pytest.approx(table["mae"][1::2].std())


def test_a_difference_is_sure_where_test_profiles_and_seeds_agree():
    table = runs(better=0.1, noise=0.0)
    assert standings.standing(evidence(table), first)["sure"].tolist() == [False, True]
    worse = runs(seeds=1, better=-0.05, noise=0.0)
    worse["mae"] = [0.6, 0.61]
    mixed = pd.concat([table.iloc[:4], worse])
    g = standings.standing(evidence(mixed), first).iloc[1]
    assert g["high"] < 0  # yet one seed of three disagrees
    assert not g["sure"]


def test_two_methods_that_are_the_same_differ_by_nothing():
    own, other = (runs().iloc[i::2] for i in (0, 1))
    assert standings.interval(own, other, shared=False) == (0, 0)
    assert standings.interval(own, other, shared=True) == (0, 0)


def test_a_constant_difference_has_no_spread():
    own = runs().iloc[::2]
    other = own.assign(errors=[[e - 0.05 for e in v] for v in own["errors"]])
    low, high = standings.interval(own, other, shared=False)
    assert low == pytest.approx(0.05)
    assert high == pytest.approx(0.05)


def test_the_interval_is_scipys_where_every_profile_is_a_group():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.6, 0.2, 80), rng.normal(0.55, 0.2, 80)
    own, other = (
        pd.DataFrame({"errors": [v.tolist()], "counts": [[1] * 80]}) for v in (a, b)
    )
    found = standings.interval(own, other, shared=False)
    theirs = stats.bootstrap((a - b,), np.mean, method="percentile", rng=2)
    np.testing.assert_allclose(found, theirs.confidence_interval, atol=0.006)


def test_whole_groups_are_drawn():
    """Ten copies of a profile in a group say no more than one."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.6, 0.2, 40), rng.normal(0.55, 0.2, 40)

    def width(repeat, group):
        counts = [repeat if group else 1] * (40 if group else 40 * repeat)
        errors = [v if group else np.repeat(v, repeat) for v in (a, b)]
        parts = [pd.DataFrame({"errors": [e], "counts": [counts]}) for e in errors]
        low, high = standings.interval(*parts, shared=False)
        return high - low

    assert width(10, group=True) == pytest.approx(width(1, group=True))
    assert width(10, group=False) < 0.5 * width(10, group=True)


def test_seeds_with_the_same_test_profiles_tell_less_than_with_their_own():
    own, other = (runs(seeds=1, better=0.1, noise=1.0).iloc[i::2] for i in (0, 1))
    thrice = [pd.concat([part] * 3) for part in (own, other)]
    one, shared, apart = (
        np.diff(standings.interval(*parts, shared=flag)).item()
        for parts, flag in (((own, other), True), (thrice, True), (thrice, False))
    )
    assert shared == pytest.approx(one)
    assert apart == pytest.approx(one / np.sqrt(3), rel=0.15)


def test_a_row_that_misses_a_run_is_not_run():
    table = runs(better=0.1)
    table.loc[3, "done"] = False
    plain, g = standings.standing(evidence(table), first).itertuples()
    assert (plain.shown, plain.done) != ("not run", False)
    assert (g.shown, g.done, g.change) == ("not run", False, "")
    table.loc[[2, 3], "done"] = [False, True]  # the reference misses one
    plain, g = standings.standing(evidence(table), first).itertuples()
    assert (g.done, g.change, plain.shown) == (True, "", "not run")
    found = standings.only(standings.standing(evidence(table), first))
    assert [row.method for row in found["row"]] == ["Deep-LSMTL"]


def test_beside_has_words_for_the_papers_rows_only():
    standing = standings.standing(evidence(runs(better=0.1, noise=0.0)), first)
    near = tables.beside(standing, method, *columns("0.27", -9.5), method)
    far = tables.beside(standing, method, *columns("0.29", -3.0), method)
    standing["row"] = [ROWS[0], replace(ROWS[1], ours=True)]
    none = tables.beside(standing, method, *columns("0.27", -9.5), method)
    assert near["word"][0] == none["word"][1] == ""
    assert "matches" in near["word"][1]
    assert "differs" in far["word"][1]
    assert near["ranks"].tolist() == ["2, 2", "1, 1"]
    assert none["ranks"].tolist() == ["1, 1", ""]
    assert near[""].tolist() == none[""].tolist() == [row.method for row in ROWS]


@pytest.mark.parametrize(
    ("theirs", "ours", "word"),
    [
        (-9.0, -9.9, "matches"),
        (-9.0, -7.9, "differs"),
        (-1.3, -0.7, "matches"),
        (-1.3, -0.6, "differs"),  # less than half of it
        (-0.1, 0.1, "differs"),
        (-1.3, np.nan, "not run"),
    ],
)
def test_the_word_has_the_declared_tolerance(theirs, ours, word):
    assert word in tables.verdict(theirs, ours)
    assert tables.verdict(np.nan, ours) == ""


def test_the_papers_effects_are_those_of_its_numbers():
    lines = pd.DataFrame({"mae": ["0.50", "0.40"]}, ["plain", "tied"])
    found = standings.printed(lines, "mae", lambda line: "plain")
    assert found["plain"] != found["plain"]
    assert found["tied"] == pytest.approx(-20)


def toy(measured):
    """An experiment of two rows whose records `measured` presets have."""

    def listed(sizes, landmarks):
        for seed in range(sizes["seeds"]):
            yield from (Run(row.method, {"size": sizes["size"]}, seed) for row in ROWS)

    sizes = {k: {"size": k, "seeds": 2} for k in ("ci", "laptop", "gpu")}
    return Experiment(
        "toy", 1, {"breast": "group"}, sizes, listed, None, {("gpu", "arrays"): None}
    )


def test_evidence_is_the_largest_preset_that_is_complete(monkeypatch):
    done = {"laptop": 1.0, "gpu": 1.0}

    def results(experiment, preset, dataset, missing, known):
        table = runs(seeds=2)
        table["done"] = np.arange(4) < 4 * done[preset]
        return table.assign(preset=preset)

    monkeypatch.setattr(standings, "results", results)

    def chosen():
        found = standings.evidence(toy(done), lambda sizes: ROWS)["breast"]
        return found.runs["preset"][0], found.runs["done"].sum()

    assert chosen() == ("gpu", 4)
    done["gpu"] = 0.5
    assert chosen() == ("laptop", 4)
    done["laptop"] = 0.25
    assert chosen() == ("gpu", 2)
    done.update(gpu=0.0, laptop=0.0)
    assert chosen() == ("laptop", 0)


def test_a_picture_has_a_line_a_row_and_a_panel_a_dataset():
    table = standings.standing(evidence(runs(better=0.1)), first)
    panels = {"one": (table, [np.nan, -1.0]), "two": (table, None)}
    fig = tables.draw(panels, lambda row: row.method[:5])
    one, two = fig.axes
    assert [label.get_text() for label in one.get_yticklabels()] == ["Dense", "Deep-"]
    diamonds = [axis.lines[-1].get_xdata() for axis in (one, two)]
    np.testing.assert_array_equal(diamonds, [[np.nan, -1.0], [np.nan, np.nan]])
    assert one.get_title() == "one"


@pytest.mark.parametrize("name", ["table-1", "table-2", "table-3"])
def test_every_setting_of_a_table_has_a_name(name):
    assert EXPERIMENTS[name].datasets.keys() <= standings.NAMES.keys()


def test_choices_are_counted_over_seeds():
    row = next(r for r in table_1.ROWS if r.label == "Deep-LSMTL")
    table = pd.DataFrame({"chosen_strength": [0.1, 0.1, 1.0], "done": True})
    found = tables.choices(standings.Evidence("breast", [row], table, ""))
    assert found["strength"].item() == "0.1 × 2, 1 × 1"
    assert found["rank"].item() == ""


@pytest.mark.parametrize("name", ["table-1", "table-2", "table-3", "tables"])
def test_a_command_makes_the_records_of_a_table(name):
    command = ["make", "-n", name, "PRESET=ci", "DATASET=breast"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = ["table-1", "table-2", "table-3"] if name == "tables" else [name]
    made = re.findall(
        r"--preset ci .*--experiment (\S+)", done.stdout.replace("\\\n", "")
    )
    assert made == wanted
    assert done.stdout.count("--dataset breast") == len(wanted)


def test_what_lies_beyond_the_edge_of_a_picture_is_written_there():
    table = standings.standing(evidence(runs(better=-0.5, noise=0.0)), first)
    (axis,) = tables.draw({"one": (table, [np.nan, -40.0])}, method).axes
    written = {text.get_text() for text in axis.texts} - {""}
    assert written == {"● +50", "◇ -40"}
