"""What pages show: a table that can be saved."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from lsmtl import lab


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
