"""The verdicts: no word without records, and each rule can give either word."""

import re
import zlib

import numpy as np
import pandas as pd
import pytest

from lsmtl.lab import ROOT, cost, paper_table, records, standings, verdicts
from lsmtl.lab.chapters import EXPERIMENTS
from lsmtl.lab.claims import CLAIMS, gains
from lsmtl.lab.claims.common import DEEP, RIVALS, SHALLOW, better, outcome
from lsmtl.lab.experiments import planned
from lsmtl.lab.verdicts import COUNTED, Book, Case, Claim, weigh, word

PAGE = (ROOT / "book" / "replication" / "verdict.md").read_text("utf-8")
G = "Deep-LSMTL"
RULES = {claim.key: claim for claim in CLAIMS if claim.rule}


@pytest.fixture(autouse=True)
def faster(monkeypatch):
    """Intervals are drawn from less."""
    monkeypatch.setattr(standings, "DRAWS", 100)


def cases(*outcomes):
    return [Case("laptop", "", outcome) for outcome in outcomes]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], "not run"),
        (["not run"], "not run"),
        (["for", "for"], "holds here"),
        (["for", "open"], "holds in part"),
        (["for", "not run"], "holds in part"),
        (["for", "against"], "holds in part"),
        (["for", "open", "against"], "seldom holds here"),
        (["for", "open", "open", "not run"], "seldom holds here"),
        (["against", "open", "not run"], "does not hold here"),
        (["against", "open", "open"], "undecided here"),
        (["open", "not run"], "undecided here"),
    ],
)
def test_the_word_follows_from_the_cases(outcomes, expected):
    assert word(cases(*outcomes)) == expected
    assert word(cases(*outcomes[::-1])) == expected


def test_many_cases_on_one_set_weigh_as_much_as_one():
    many = [Case("breast", "", outcome) for outcome in ["for"] * 9 + ["against"]]
    others = [Case(name, "", "against") for name in ("arrays", "ecoli")]
    assert word(many) == "holds in part"
    assert word(many + others) == "seldom holds here"
    assert word(cases("for") + [Case("b", "", "against")] * 9) == "holds in part"


def test_an_outcome_needs_a_mark_of_its_records():
    with pytest.raises(ValueError, match="no mark of records"):
        word([Case("", "a", "for")])
    assert word([Case("", "a", "not run")]) == "not run"
    with pytest.raises(ValueError, match=r"outcome.*for, open, against, not run"):
        word(cases("holds"))


def test_a_claim_without_a_rule_is_not_testable_whatever_the_records():
    verdict = weigh(Claim("a", "b", None), Book())
    assert verdict.word == "not testable here" and not verdict.cases


@pytest.mark.parametrize("least", [0, 0.5])
def test_differences_count_if_all_seeds_agree_and_they_matter(least):
    assert outcome([-1, -0.6, -2], least) == "for"
    assert outcome([1, 0.6, 2], least) == "against"
    assert outcome([-1, 0.1, -2], least) == "open"
    assert outcome([-1], least) == "open"  # one seed agrees with itself
    assert outcome([-1e-3, -1e-3], 0.5) == "open"


def test_runs_that_are_missing_are_no_evidence():
    runs = pd.DataFrame({"seed": [0, 1, 2], "mae": 0.5})
    assert better(runs.assign(mae=0.4), runs)[0] == "for"
    assert better(runs.iloc[:0], runs) == ("not run", "")
    assert better(runs, runs.iloc[:0]) == ("not run", "")
    assert better(runs.assign(mae=[0.4, np.nan, 0.4]), runs) == ("not run", "")
    assert better(runs.assign(mae=0.4).iloc[:2], runs) == ("not run", "")


@pytest.mark.parametrize("claim", RULES.values(), ids=RULES)
def test_without_records_no_claim_passes(claim, monkeypatch):
    monkeypatch.setattr(records, "read", lambda experiment: {})
    verdict = weigh(claim, Book())
    ran = [case for case in verdict.cases if case.outcome != "not run"]
    assert all(case.mark == COUNTED for case in ran)
    assert verdict.cases
    if not ran:
        assert verdict.word == "not run"


# Made-up records: those that a preset would have, with metrics in which what a claim
# favours is better (sign 1) or worse (−1).

PARTS = np.linspace(0.9, 1.1, 9)  # errors of groups of test profiles


def usual(favoured):
    """Metrics of networks, by whether a claim favours a record."""

    def metrics(record, sign):
        text = f"{record['method']} {record['seed']}"
        noise = 1e-4 * (zlib.crc32(text.encode()) % 100) / 100
        skill = sign * favoured(record)
        mae, score = 0.5 * (1 - 0.1 * skill) + noise, 0.5 + 0.2 * skill
        found = {"mae": mae, "validation_mae": mae, "cc": score, "r": score}
        found |= {"mae_sd": 0.1, "cc_sd": 0.1, "chance": 0.4, "chance_apart": 0.4}
        found |= {"plain_mae": 0.5 + noise / 2}
        found |= {"errors": list(mae * PARTS), "counts": [1] * 9}
        found |= dict.fromkeys(("ap", "ap_apart", "ap_predictions"), score)
        return found | {"mae_noisy": mae, "mae_clean": 0.5, "mae_quartiles": [mae] * 4}

    return metrics


def method(*names):
    return usual(lambda record: record["method"] in names)


def setting(name, *values):
    return usual(lambda record: record["configuration"].get(name) in values)


def like_the_paper(record, sign):
    printed = paper_table(1).set_index("method")["geo_mae"].astype(float)
    if record["method"] not in printed or record["configuration"].get("batch") == 25:
        return usual(lambda record: False)(record, sign)
    mae = 0.5 + sign * (printed[record["method"]] - 0.3)
    return usual(lambda record: False)(record, sign) | {"mae": mae}


def transfer(record, sign):
    """Hard tasks gain with G and easy ones don't lose, or the other way round."""
    mine = record["method"] == G
    hard, easy = 0.5 - 0.05 * mine * sign, 0.5 + 0.05 * mine * (sign < 0)
    found = usual(lambda record: mine)(record, 1)
    found |= {"mae_noisy": hard, "mae_clean": easy}
    return found | {"mae_quartiles": [easy, 0.5, 0.5, hard]}


def costs(slow, heavy):
    """Steps in which some methods are slow or hold much; the rest is the other way."""

    def metrics(record, sign):
        is_slow = record["method"] in slow
        seconds = 20.0 if is_slow == (sign > 0) else 2.0
        plain = record["method"] == "DenseNet"
        held = 4 if (record["method"] in heavy) == (sign > 0) else 1
        found = usual(lambda record: False)(record, sign)
        found |= {"seconds": 1.0 if plain else seconds, "plain_seconds": 1.0}
        return found | {"held_bytes": held, "traced_bytes": held}

    return metrics


def picture(record, sign):
    """Rows of a heat map that differ in pairs, and seeds that agree; or neither."""
    rng = np.random.default_rng(0 if sign > 0 else record["seed"])
    far = record["dataset"] in ("breast-endometrial", "arrays-rnaseq")
    rows = rng.normal(size=(4, 60)) * (0.3 if far == (sign > 0) else 0.1)
    rows[1] = rows[0] + 0.01  # alike
    shared = np.linspace(0, 5, 60) * (sign < 0)
    one = rng.normal(size=60)
    names = [f"g{k}" for k in range(60)]
    return {
        "genes": names,
        "profiles": list((1 + rows + shared).ravel()),
        "targets": list((1 + rows + shared).ravel()),
        "importance": list(one),
        **{f"{k}_unit": 1.0 for k in ("profiles", "targets", "importance")},
    }


by_g = method(G)
WORLDS = {
    **dict.fromkeys(
        ("gain", "gain-cc", "size", "test", "test-all", "two-layers"), by_g
    ),
    **dict.fromkeys(("shallow", "deep", "multitask", "concordance", "widths"), by_g),
    **dict.fromkeys(("shapes", "mlp"), by_g),
    "cause": by_g,
    "order": like_the_paper,
    "cheap": costs(("Deep-GO-MTL", "V"), ()),
    "dear": costs((*RIVALS, "Deep-AMTL, all columns"), ()),
    "memory": costs((), RIVALS),
    "relations": by_g,
    "self-expression": method("V trained"),
    "bottleneck": usual(
        lambda r: r["configuration"].get("rank") not in (300, 500, 150)
    ),
    "transfer": transfer,
    "loss": setting("loss", "absolute"),
    "norm": setting("batch_norm", True),
    "base": method("DenseNet"),
    **dict.fromkeys(("groups", "notable", "insight"), picture),
}
ARITHMETIC = {"weights", "few", "card", "dense"}  # no record has a say in them


class MadeUp:
    """What `records.read` would give if all runs of preset laptop had been made."""

    def __init__(self, metrics, sign):
        self.metrics, self.sign = metrics, sign

    def __call__(self, name):
        experiment, found = EXPERIMENTS[name], {}
        for dataset in experiment.datasets:
            _, runs = planned(experiment, "laptop", dataset, files=False)
            for record in runs:
                metrics = self.metrics(record, self.sign)
                found[records.key(record)] = record | {"metrics": metrics}
        return found


@pytest.mark.parametrize("key", sorted(WORLDS))
def test_each_rule_gives_either_word_on_made_up_records(key, monkeypatch):
    seen = {}
    for sign in (1, -1):
        monkeypatch.setattr(records, "read", MadeUp(WORLDS[key], sign))
        verdict = weigh(RULES[key], Book())
        mine = [case for case in verdict.cases if case.mark != COUNTED]
        seen[sign] = {case.outcome for case in mine}
    assert "for" in seen[1] and "against" not in seen[1]
    assert "against" in seen[-1] and "for" not in seen[-1]
    assert "not run" not in seen[1] | seen[-1]


def test_every_rule_is_tried_or_arithmetic():
    assert set(WORLDS) | ARITHMETIC | {"numbers"} == set(RULES)
    assert not set(WORLDS) & ARITHMETIC


@pytest.mark.parametrize(
    ("factor", "shift", "expected"),
    [(1.0, 0.0, {"for"}), (1.009, 0.009, {"for"}), (1.011, -0.011, {"against"})],
)
def test_printed_numbers_are_weighed_on_the_papers_own_data(factor, shift, expected):
    printed = paper_table(1).set_index("method")
    rows = [row for row in verdicts.table_1.ROWS if not row.ours]
    book = Book()
    book._tables[1] = {}
    for dataset, half in (("geo", "geo"), ("geo-gtex", "gtex")):
        mae, cc = (
            printed[f"{half}_{k}"][[r.method for r in rows]].astype(float).to_numpy()
            for k in ("mae", "cc")
        )
        runs = pd.DataFrame({"mae": factor * mae, "cc": cc + shift, "done": True})
        mark = verdicts.standings.badge("paper", dataset)
        book._tables[1][dataset] = standings.Evidence(dataset, rows, runs, mark)
    found = weigh(RULES["numbers"], book).cases
    assert len(found) == 4 * len(rows)
    assert {case.outcome for case in found} == expected
    del book._tables[1]["geo"], book._tables[1]["geo-gtex"]
    assert weigh(RULES["numbers"], book).word == "not run"


def halves(gap, noise):
    """Ten MAEs of G and of its control, which differ by about `gap`."""
    control = 0.5 + 0.01 * np.random.default_rng(0).random(10)
    own = control + gap + noise * np.array([0.0, 1, 0, -1, 1, 0, -1, 0, 0, 1])
    return pd.DataFrame({"mae": own}), pd.DataFrame({"mae": control})


@pytest.mark.parametrize(
    ("gap", "noise", "expected"),
    [
        (-0.01, 1e-3, "for"),
        (-0.01, 0.1, "open"),  # not significant
        (-1e-4, 1e-6, "open"),  # significant, and of no matter
        (0.01, 1e-3, "against"),
        (0.01, 0.1, "open"),
    ],
)
def test_g_must_beat_its_control_by_the_test(gap, noise, expected):
    assert gains.tested_on_halves(*halves(gap, noise))[0] == expected


def test_without_records_of_gain_its_cases_are_not_run(monkeypatch):
    full = MadeUp(by_g, 1)
    monkeypatch.setattr(records, "read", lambda k: {} if k == "gain" else full(k))
    found = [c for c in RULES["cause"].rule(Book()) if "gain" in c.mark]
    assert found and {case.outcome for case in found} == {"not run"}
    assert weigh(RULES["cause"], Book()).word == "holds in part"


def test_counted_claims_follow_the_count(monkeypatch):
    assert weigh(RULES["weights"], Book()).word == "holds here"
    monkeypatch.setitem(cost.EXTRA, G, lambda T, w, K: T**2)
    assert weigh(RULES["weights"], Book()).word == "holds in part"


def test_the_methods_that_are_weighed_are_those_of_the_paper():
    assert {*SHALLOW, *DEEP, *RIVALS, G, "DenseNet"} == set(paper_table(1)["method"])


def test_the_page_has_a_block_for_every_claim_in_order():
    keys = [claim.key for claim in CLAIMS]
    assert len(set(keys)) == len(keys)
    assert re.findall(r"^\(verdict-(.+)\)=$", PAGE, re.M) == keys
    assert re.findall(r'^show\("(.+)"\)$', PAGE, re.M) == keys
    blocks = PAGE.split("\n(verdict-")[1:]
    for claim, block in zip(CLAIMS, blocks, strict=True):
        assert f"\n### {claim.title}\n" in block
        assert all(f"\n**{part}.** " in block for part in ("The paper", "Here"))


def test_no_word_is_typed_into_a_block():
    blocks = PAGE.split("\n(verdict-")[1:]
    prose = "".join(blocks).split("## What follows")[0]
    assert not any(name in prose for name in verdicts.WORDS if name != "not run")
    assert "not run" not in prose


def test_a_block_shows_its_rule_and_escapes_it():
    claim = RULES["card"]
    text = verdicts.block(weigh(claim, Book())).data
    assert " ".join(claim.rule.__doc__.split()) in text
    assert "def too_large(book)" in text
    assert "found &gt; CARD" in text
