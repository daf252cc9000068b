"""Style sheets keep the rules that pages need, scripts wait, but for the search's."""

import lsmtl_light as light
import pytest
from sphinx.builders.html._assets import _JavaScript


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


def test_scripts_wait_for_the_text_but_on_the_search_page():
    files = ["documentation_options.js", "doctools.js", "tex-svg.js"]
    shared = [_JavaScript(f"_static/{name}", priority=200) for name in files]
    shared.append(_JavaScript(None, body="inline"))

    def scripts(page, body):
        context = {"script_files": [*shared], "body": body}
        light.defer(None, page, "page.html", context, None)
        return [
            (str(script.filename), "defer" in script.attributes)
            for script in context["script_files"]
        ]

    first, tools, math, inline = (str(script.filename) for script in shared)
    there = [(first, False), (tools, True), (inline, False)]
    assert scripts("a", "<p>") == there
    there.insert(2, (math, True))
    assert scripts("b", '<div class="math">') == there
    written_last = scripts("search", "")
    assert written_last == [(name, False) for name in (first, tools, math, inline)]
