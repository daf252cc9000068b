"""Each entry of the bibliography is cited once at least, complete and can be found."""

import re

import pytest
from pybtex.database import parse_file

from classroom import plain
from lsmtl.lab import ROOT

ENTRIES = parse_file(str(ROOT / "book" / "references.bib"), "bibtex").entries
every_entry = pytest.mark.parametrize("key", ENTRIES)

# Without a DOI or an address that is known for certain.
NOWHERE = {"lee2013", "widmer2014"}


def cited():
    """Key → the pages that cite it."""
    found = {}
    for page in (ROOT / "book").rglob("*.md"):
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.read_text("utf-8")):
            for key in keys.split(","):
                found.setdefault(key.strip(), set()).add(page.name)
    return found


def test_what_is_cited_is_there_and_what_is_there_is_cited():
    assert set(cited()) == set(ENTRIES)


@every_entry
def test_an_entry_can_be_found(key):
    fields = ENTRIES[key].fields
    if key in NOWHERE:
        assert not {"doi", "url"} & {*fields}
    elif "doi" in fields:
        assert re.fullmatch(r"10\.\d{4,9}/[\w.;()/:-]+", fields["doi"])
    else:
        assert re.fullmatch(r"https://[\w.-]+/\S*", fields["url"])


@every_entry
def test_a_notebook_leads_to_the_entry(key):
    fields = ENTRIES[key].fields
    assert plain.reference(key).endswith(fields.get("doi", "."))


@every_entry
def test_an_entry_has_a_title_a_year_and_who_wrote_it(key):
    entry = ENTRIES[key]
    assert entry.fields["title"] and re.fullmatch(r"\d{4}", entry.fields["year"])
    assert entry.persons.get("author") or entry.persons.get("editor")


@pytest.mark.parametrize("field", ["title", "doi", "url"])
def test_nothing_is_there_twice(field):
    values = [e.fields[field] for e in ENTRIES.values() if field in e.fields]
    plain = [re.sub(r"\W", "", value).lower() for value in values]
    assert len(plain) == len(set(plain))
