"""The site's tests look at `_build/html`, as `make book` leaves it."""

import pytest
from browser import SITE


@pytest.fixture(scope="session", autouse=True)
def built():
    """Fail early and clearly where there is no book."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"no book in {SITE}; run `make book` first", pytrace=False)
