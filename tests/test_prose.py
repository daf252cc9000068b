"""The book's prose as the linter wants it, and the linter on sentences made for it."""

import pytest

from scripts import prose

PLAIN = (
    "# Heading\n\nA sentence, and `code` with $x$, {cite}`key`.\nAnother (Eq. 5) one.\n"
)


def rules(text):
    """The rules that a page breaks."""
    return [rule for _, rule, _ in prose.findings(text)]


@pytest.mark.parametrize("page", prose.pages(), ids=lambda page: page.stem)
def test_a_page_breaks_no_rule(page):
    assert [*prose.report([page])] == []


def test_what_is_allowed_is_still_there():
    found = {
        (page.stem, phrase)
        for page in prose.pages()
        for _, _, phrase in prose.findings(page.read_text("utf-8"))
    }
    assert set(prose.ALLOWED) <= found


def test_plain_prose_breaks_none():
    assert rules(PLAIN) == []


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        ("G gains 3.1% there.", "a percentage of a run"),
        ("G gains two percent there.", "a percentage of a run"),
        ("That is 7.5 times as fast.", "a ratio of a run"),
        ("The difference has p = 0.03.", "a p-value of a run"),
        ("Ridge has a lower MAE, 0.412, than that.", "a number of a run"),
        ("Obviously this holds.", "a word to leave out"),
        ("We regularize it.", "American spelling"),
        ("The colors differ.", "American spelling"),
        ("It is the the best.", "a word twice"),
        ("It is {eq}` of it.", "markup that shows"),
        ("It is *not closed.", "markup that shows"),
        ("One sentence. Another one.", "two sentences on a line"),
        ("One that goes on\non the next line.", "a sentence broken over lines"),
        ("It " + "goes on and " * 14 + "ends.", "a sentence of 44 words"),
    ],
)
def test_a_rule_is_heard(sentence, rule):
    assert rules(f"# Heading\n\n{sentence}\n") == [rule]
    assert rules(f"# Heading\n\n- {sentence}\n") == (
        [] if rule == "two sentences on a line" else [rule]
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "G gains 3.1% there (Table 1).",
        "The paper has an MAE of 0.2924.",
        "Ridge has an MAE of 0.4 {cite}`key`.",
        "A test at 5% and the middle 95%.",
        "It matches within 10% of it.",
        "`note that the the` is code.",
        "**Timing.** Ten minutes for $a * b$ and *E. coli* (see Eq. 5).",
        "We know $x$ does, for " + "ten words and more: " * 9 + "that is all.",
    ],
)
def test_a_rule_knows_its_bounds(sentence):
    assert rules(f"# Heading\n\n{sentence}\n") == []


@pytest.mark.parametrize("before", ["Words.\n\n", ""])
@pytest.mark.parametrize("after", ["Words.\n\n", ""])
def test_an_output_needs_a_sentence_near_it(before, after):
    cell = '```{code-cell} ipython3\nlab.figure(fig, "alt", "caption")\n```\n\n'
    text = f"# Heading\n\n{before}{cell}{after}## Next\n\nWords.\n"
    silent = [] if before or after else ["no sentence about this output"]
    assert rules(text) == silent
    assert rules(f"# Heading\n\nWords.\n\n{cell}{cell}## Next\n")[-1:] == [
        "no sentence about this output"
    ]


def test_prose_in_boxes_is_read_and_the_line_is_right():
    text = "# Heading\n\n```{admonition} A box\n:class: note\n\nIt is very good.\n```\n"
    assert [*prose.findings(text)] == [(6, "a word to leave out", "very")]
    assert text.splitlines()[5] == "It is very good."
