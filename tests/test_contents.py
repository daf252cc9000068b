"""What pages there are: the book says of itself what holds, and what can't is named."""

import re

import pytest

from lsmtl import __version__
from lsmtl.lab import ROOT, contents, notebooks

PAGES = contents.pages()


def test_pages_are_those_of_the_table_of_contents_in_its_order():
    toc = re.findall(r"(?:file|root): book/(\S+)", (ROOT / "_toc.yml").read_text())
    assert [*PAGES] == toc
    listed = [page for pages in contents.parts(PAGES).values() for page in pages]
    assert listed == [page for page in PAGES.values() if page.part]
    for pages in contents.parts(PAGES).values():
        assert [page.place for page in pages] == [*range(1, len(pages) + 1)]


def test_all_pages_with_code_are_chapters_of_a_part():
    paths = {page.path: page for page in PAGES.values()}
    for path in notebooks.chapters():
        assert paths[path].part and (
            paths[path].is_chapter or path.parent.name == "back"
        )


def test_exercises_take_the_time_that_the_chapter_gives_them():
    for page in PAGES.values():
        if page.is_chapter:
            found = notebooks.exercises(page.path)
            assert bool(page.exercises) == bool(found), page.name
            assert sum(e.minutes for e in found) <= page.exercises, page.name


def write(root, *pages):
    """A book of pages, each a name, what it needs, and more lines."""
    entries = [f"      - file: book/{name}\n" for name, *_ in pages]
    (root / "_toc.yml").write_text(
        "root: book/index\nparts:\n  - caption: One\n    chapters:\n" + "".join(entries)
    )
    for name, *lines in [("index",), *pages]:
        path = root / "book" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'---\nsummary: "of {name}"\n---\n# T {name}\n' + "".join(lines)
        )
    return root


TIME = "**Time**: 5 minutes to read and run, 7 more for the exercises.\n"


def need(links):
    return f"**You need**: {links}.\n"


def test_a_page_is_read_as_it_says(tmp_path):
    write(
        tmp_path,
        ("a/x", TIME, need("nothing")),
        ("a/y", "**Time**: 9 minutes to read.\n", need("[](x.md); [z](../a/x.md)")),
        ("b/z", TIME, need("[](../a/y.md#sec) or [](../a/x.md) for the start")),
    )
    _, x, y, z = found = contents.pages(tmp_path).values()
    assert (x.title, x.summary, x.reading, x.exercises) == ("T a/x", "of a/x", 5, 7)
    assert (y.minutes, y.exercises, y.needs) == (9, 0, ("a/x", "a/x"))
    assert z.place == 3 and set(z.needs) == {"a/x", "a/y"}
    # z's link to x adds nothing, as y needs x.
    edges = contents.edges({page.name: page for page in found})
    assert edges == [("a/x", "a/y"), ("a/y", "b/z")]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([("a/x", need("-"))], r"a/x lacks \*\*Time\*\*"),
        ([("a/x", TIME)], r"a/x lacks \*\*You need\*\*"),
        ([("a/x", TIME, need("[](y.md)")), ("a/y", TIME, need("-"))], "a/x needs a/y"),
        ([("a/x", TIME, need("[](x.md)"))], "a/x needs a/x"),
        ([("a/x", TIME, need("[](../none.md)"))], "a/x needs none"),
        (
            [("a/x", TIME, need("[](y.md)")), ("a/y", TIME, need("[](x.md)"))],
            "a/x needs a/y",  # a cycle has a link to a later page somewhere
        ),
    ],
)
def test_what_is_amiss_is_named(tmp_path, pages, said):
    with pytest.raises(ValueError, match=said):
        contents.pages(write(tmp_path, *pages))


def test_a_chapter_says_in_a_line_what_it_shows(tmp_path):
    write(tmp_path, ("a/x", TIME, need("-")))
    (tmp_path / "book" / "a" / "x.md").write_text(f"# X\n{TIME}{need('-')}")
    with pytest.raises(ValueError, match="a/x lacks summary"):
        contents.pages(tmp_path)


def test_a_title_stands_below_the_header_and_is_missed(tmp_path):
    path = write(tmp_path, ("back/x",)) / "book" / "back" / "x.md"
    path.write_text("---\n# a comment\nsummary: of x\n---\n\n# The title\n")
    assert contents.pages(tmp_path)["back/x"].title == "The title"
    path.write_text(path.read_text().replace("# The title", "No title"))
    with pytest.raises(ValueError, match="back/x lacks a title"):
        contents.pages(tmp_path)


def test_back_matter_needs_no_time(tmp_path):
    write(tmp_path, ("a/x", TIME, need("-")), ("back/data",))
    assert contents.pages(tmp_path)["back/data"].minutes == 0


def test_edges_keep_all_that_a_page_builds_on():
    """What can be reached along them is what could be reached along all links."""

    def closure(pairs):
        before = {name: set() for name in PAGES}
        for need, name in sorted(pairs, key=lambda pair: [*PAGES].index(pair[1])):
            before[name] |= {need, *before[need]}
        return before

    links = [(need, page.name) for page in PAGES.values() for need in page.needs]
    edges = contents.edges(PAGES)
    assert set(edges) <= set(links)
    assert closure(edges) == closure(links)
    for edge in edges:
        assert closure(e for e in edges if e != edge) != closure(links)


def test_the_version_is_the_same_wherever_it_stands():
    for name, line in (
        ("pyproject.toml", 'version = "'),
        ("CITATION.cff", "version: "),
        ("CHANGELOG.md", "## "),  # the newest stands first
    ):
        text = (ROOT / name).read_text("utf-8")
        assert re.search(rf'^{line}([\d.]+)"?$', text, re.M)[1] == __version__
