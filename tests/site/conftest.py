"""The site's tests look at `_build/html`, as `make book` leaves it."""

import pytest
from browser import SITE

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
