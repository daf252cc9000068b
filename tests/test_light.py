"""Style sheets keep the rules that pages need, and lose the others."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "book" / "_ext" / "lsmtl_light.py"
SPEC = importlib.util.spec_from_file_location("lsmtl_light", PATH)
light = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(light)


@pytest.mark.parametrize(
    "rule",
    [
        "p{color:red}",
        ".used{color:red}",
        ".unused,.used{color:red}",
        "p:is(.unused,.used){color:red}",
        ".used:not(.unused){color:red}",
        ".bs-tooltip-auto{color:red}",
        '#used>a::after{content:"}.unused{"}',
        "@media (width<9px){.used{color:red}}",
        "@font-face{font-family:x;src:url(unused.woff2)}",
        '@import "unused.css";',
        ":root{--used:url(\"data:image/svg+xml,<svg class='unused'>\")}",
    ],
)
def test_what_a_page_may_need_stays(rule):
    assert light.needed(rule, {"used"}).strip() == rule


@pytest.mark.parametrize(
    "rule",
    [
        ".unused{color:red}",
        ".used .unused{color:red}",
        ".used#unused,.unused{color:red}",
        "@media print{.unused{color:red}@supports (a:b){.unused{color:red}}}",
        "/* .used{color:red} */",
    ],
)
def test_what_no_page_needs_goes(rule):
    assert light.needed(rule, {"used"}).strip() == ""


def test_names_are_those_of_pages_and_of_small_scripts(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "page.html").write_text('<p class="one two" id="three">four</p>')
    (tmp_path / "_static" / "own.js").write_text('e.classList.add("five-six")')
    library = "seven " * light.LIBRARY
    (tmp_path / "_static" / "library.js").write_text(library)
    names = light.used(tmp_path)
    assert {"one", "two", "three", "five-six"} <= names
    assert not {"four", "seven"} & names
