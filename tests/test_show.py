"""What pages show: a table that can be saved, figures that can be seen."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib import colors

from lsmtl import lab
from lsmtl.lab import show


def test_a_download_holds_the_table_to_four_digits():
    values = np.array([123.456, -1e-5 / 3, 0.0])
    frame = pd.DataFrame({"gene": ["a", "b, c", "ERα"], "share": values}, [7, 8, 9])
    page = BeautifulSoup(
        lab.download(frame, "top-20", "all <genes>").data, "html.parser"
    )
    assert page.a["download"] == "top-20.csv" and page.a.text == "all <genes>"
    head, _, data = page.a["href"].partition(",")
    assert head == "data:text/csv;base64"
    found = pd.read_csv(io.BytesIO(base64.b64decode(data)))
    assert list(found) == ["gene", "share"]
    assert list(found["gene"]) == list(frame["gene"])
    np.testing.assert_allclose(found["share"], values, rtol=1e-3)
    assert len(str(found["share"][1])) < 11


@pytest.mark.parametrize("name", ["", "a b", 'a"', "a.csv", "é", "../a"])
def test_the_name_of_a_download_is_plain(name):
    with pytest.raises(ValueError, match="letters, digits"):
        lab.download(pd.DataFrame({"a": [1]}), name, "text")


GROUNDS = ("#ffffff", "#121212", "#14181e")  # pages of the theme, light and dark


def contrast(one, other):
    """As WCAG 2.2 defines it, of two colours #rrggbb."""

    def luminance(colour):
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_every_colour_of_a_figure_stands_out_on_both_pages():
    """What chapters, pictures and drawings name: 3 to 1, as marks need."""
    lab_files = [*(lab.ROOT / "lsmtl" / "lab").rglob("*.py")]
    lab_files += (lab.ROOT / "lsmtl" / "lab" / "drawings").glob("*.svg")
    files = [*(lab.ROOT / "book").glob("*/*.md"), *lab_files]
    named = {
        (colour.lower(), path.name)
        for path in files
        for colour in re.findall(r"#[0-9a-fA-F]{6}\b", path.read_text("utf-8"))
        if colour.lower() != show.INK
    }
    assert {*map(str.lower, lab.COLOURS.values())} <= {colour for colour, _ in named}
    for colour, name in sorted(named):
        for ground in GROUNDS:
            assert contrast(colour, ground) >= 3, f"{colour} of {name} on {ground}"


def test_heat_maps_begin_at_the_page_and_end_in_a_colour():
    assert lab.SEQUENTIAL(0.0)[3] == 0 and lab.SEQUENTIAL(1.0)[3] == 1
    assert lab.DIVERGING(0.5)[3] < 0.01
    for end, pole in zip((0.0, 1.0), lab.POLES, strict=True):
        assert colors.to_hex(lab.DIVERGING(end)) == pole


def test_every_figure_is_as_wide_as_the_others():
    sizes = [
        (path.name, width)
        for path in (lab.ROOT / "book").glob("*/*.md")
        for width in re.findall(r"figsize=\(([\d.]+),", path.read_text("utf-8"))
    ]
    assert sizes and {width for _, width in sizes} == {"5"}, sizes
    assert {width for width, _ in lab.SIZES.values()} == {5}


def svg_of(draw):
    fig, axis = plt.subplots()
    draw(axis)
    return lab.figure(fig, "Something.").data


def test_a_cloud_becomes_a_picture_and_few_points_stay_shapes():
    x = np.random.default_rng(0).normal(size=(2, 20_000))
    assert "<image" in svg_of(lambda axis: axis.plot(*x, "."))
    assert len(svg_of(lambda axis: axis.plot(*x, "."))) < 300_000
    assert "<image" not in svg_of(lambda axis: axis.plot(*x[:, :200], "."))
    assert "<image" not in svg_of(lambda axis: axis.plot(x[0]))  # a line


def test_numbers_of_a_drawing_are_short_and_those_of_its_words_are_whole():
    svg = svg_of(lambda axis: axis.set_title("exactly 0.123456"))
    assert "exactly 0.123456" in svg
    assert not re.search(r"\.\d{3}", re.sub(r">[^<]*<", "><", svg))


def test_texts_of_figures_have_the_ink_of_the_page():
    def draw(axis):
        axis.plot([1, 2], label="a")
        axis.set(xlabel="x", ylabel="y", title="t")
        axis.legend()

    svg = svg_of(draw)
    texts = re.findall(r"<text[^>]*>", svg)
    assert len(texts) > 8 and show.INK not in svg
    assert all("fill: currentColor" in text for text in texts)
