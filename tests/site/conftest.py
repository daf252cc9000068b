"""The site's tests look at `_build/html`, as `make book` leaves it."""

import pytest
from browser import SITE, serve

from publishing.browser import CHROMIUM, browser

SHORT = """
format: jb-book
root: book/index
parts:
  - caption: One part
    chapters:
      - file: book/derivation/rival-regularizers
  - caption: Another part
    chapters:
      - file: book/back/data
      - file: book/back/bibliography
"""


@pytest.fixture(scope="session", autouse=True)
def built():
    """Fail early and clearly where there is no book."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"no book in {SITE}; run `make book` first", pytrace=False)


@pytest.fixture(scope="session")
def toc(tmp_path_factory):
    """The table of contents of a short book."""
    path = tmp_path_factory.mktemp("toc") / "toc.yml"
    path.write_text(SHORT)
    return path


@pytest.fixture(scope="session")
def needs_chromium():
    """Skip, and say so, where there is no Chromium."""
    if not CHROMIUM:
        pytest.skip("Chromium is missing: install it or name it in $CHROMIUM")


@pytest.fixture(scope="module")
def chromium(needs_chromium):
    """A browser for a module's tests; what prints the book starts one of its own."""
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def origin():
    """The address at which the book is served."""
    with serve() as origin:
        yield origin
