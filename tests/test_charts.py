"""Charts to move: what can be seen without a script, and what the script gets."""

import base64
import json
import re
from types import SimpleNamespace

import lsmtl_charts
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from lsmtl import data, lab
from lsmtl.lab import charts, circles, records, strongest
from lsmtl.lab.chapter import evidence

PAIR = {"ridge": np.array([0.5, 0.61234, 0.9]), "DenseNet": np.array([0.6, 0.6, 0.8])}
NAMES = ["A1", "</script>", "ERα"]


def shown(spec, alt="Three genes."):
    html = lab.chart(plt.figure(), alt, spec, "caption", "badge").data
    page = BeautifulSoup(html, "html.parser")
    return page, json.loads(page.script.string)


def test_a_chart_has_its_still_figure_and_says_the_same_in_words():
    page, _ = shown(charts.genes(NAMES, PAIR, "MAE"), 'Say "three".')
    (chart,) = page.select("div.lsmtl-chart")
    assert chart.select_one("figure.lsmtl-figure > svg")["role"] == "img"
    assert chart.figcaption.text == "badge caption"
    assert chart["data-alt"] == chart.svg["aria-label"] == 'Say "three".'
    assert chart.script["type"] == "application/json"


def test_genes_keep_their_names_and_errors_in_the_page():
    _, spec = shown(charts.genes(NAMES, PAIR, "MAE"))
    assert spec["columns"]["names"] == NAMES
    for method, errors in PAIR.items():
        np.testing.assert_allclose(spec["columns"][method], errors, atol=5e-4)
    view = spec["views"]["0,1"]  # ridge across, DenseNet up
    assert "DenseNet is better than ridge on 2 of 3" in view["say"]
    cloud = view["traces"][1]
    assert cloud["every"] == 1  # few enough to draw them all
    assert (cloud["x"], cloud["y"], cloud["text"]) == ("@ridge", "@DenseNet", "@names")


def test_a_chart_without_a_view_for_a_choice_is_refused():
    spec = charts.genes(NAMES, PAIR, "MAE")
    del spec["views"]["1,0"]
    with pytest.raises(ValueError, match="1,0"):
        shown(spec)


def test_a_control_is_of_a_known_kind():
    with pytest.raises(ValueError, match="dial"):
        shown({"controls": [{"kind": "dial"}], "views": {}})


@pytest.fixture(scope="module")
def tables():
    return {name: runs for name, (runs, _) in evidence("learned-relations").items()}


def drawn(traces, columns):
    """Pairs of places of a view's lines, within groups and across."""

    def of(values):
        return columns[values[1:]] if isinstance(values, str) else values

    at = [(x, y) for x, y in zip(of(traces[2]["x"]), of(traces[2]["y"]), strict=True)]
    for trace in (traces[1], traces[0]):
        xy = zip(trace["x"], trace["y"], strict=True)
        ends = [at.index(point) for point in xy if point != (None, None)]
        yield {frozenset(p) for p in zip(ends[::2], ends[1::2], strict=True)}


def test_the_circle_shows_the_pairs_of_the_records(tables):
    spec = circles.spec(tables)
    known = records.read("learned-relations").values()
    known = [r for r in known if r["method"] == circles.METHOD]
    options = [control["options"] for control in spec["controls"]]
    assert len(known) == len(options[0]) * len(options[2])
    for record in known:
        i = options[0].index(record["dataset"])
        k = options[2].index(f"{record['configuration']['strength']:g}")
        for j, read in enumerate(circles.READ):
            view, m = spec["views"][f"{i},{j},{k}"], record["metrics"]
            flat = m[f"pairs_{read}"]
            pairs = {frozenset(p) for p in zip(flat[::2], flat[1::2], strict=True)}
            within, across = drawn(view["traces"], spec["columns"])
            assert within | across == pairs and len(pairs) == strongest.PAIRS
            groups = m["groups"]
            assert all(len({groups[t] for t in pair}) == 1 for pair in within)
            assert all(len({groups[t] for t in pair}) == 2 for pair in across)
            assert f"MAE {m['mae']:.3f}, concordance {m['cc']:.3f}" in view["say"]
            (share,) = re.findall(r"(\d+)% of the strongest", view["say"])
            assert int(share) == pytest.approx(100 * len(within) / len(pairs), abs=0.51)


def test_the_strongest_pairs_are_the_strongest():
    rng = np.random.default_rng(0)
    R = rng.random((12, 12))
    R += R.T
    places = np.array([7, 2, 11, 5])
    a, b, *_ = found = strongest.pairs(R, places, count=3)
    every = sorted((R[s, t] for i, s in enumerate(places) for t in places[:i]))
    assert R[places[a], places[b]] == every[-1]
    values = [
        R[places[s], places[t]] for s, t in zip(found[::2], found[1::2], strict=True)
    ]
    assert values == every[:-4:-1]


def test_tasks_of_a_regulator_are_of_different_operons_and_of_one_group():
    adata = data.load("ecoli")
    targets = list(adata.var_names[adata.var["role"] == "target"])
    places, groups = strongest.of_regulators(adata, targets)
    assert len(set(places)) == len(places) == len(groups)
    network = adata.uns["regulation"].astype(str)
    network = set(zip(network["regulator"], network["gene"], strict=True))
    for group in set(groups):
        mine = [targets[p] for p, g in zip(places, groups, strict=True) if g == group]
        assert all((group, gene) in network for gene in mine)
        assert adata.var.loc[mine, "operon"].is_unique
        assert strongest.LEAST <= len(mine) <= strongest.EACH


def test_by_chance_is_the_share_of_all_pairs():
    groups = ["a", "a", "b", "b", "b"]
    assert circles.chance(groups) == pytest.approx(4 / 10)
    assert circles.inside([0, 1, 1, 2], groups) == 0.5


def test_a_table_to_be_saved_becomes_a_file_of_the_book(tmp_path):
    app = SimpleNamespace(builder=SimpleNamespace(name="html"), outdir=tmp_path)
    body = lab.download(pd.DataFrame({"gene": ["ERα"]}), "top", "all").data
    data = BeautifulSoup(body, "html.parser").a["href"].partition(",")[2]
    context = {"body": body, "pathto": lambda path, resource: f"../{path}"}
    lsmtl_charts.finish(app, "part/page", "page.html", context, None)
    link = BeautifulSoup(context["body"], "html.parser").a
    path = tmp_path / link["href"].removeprefix("../")
    assert link["download"] == path.name == "top.csv"
    assert path.read_bytes() == base64.b64decode(data)
