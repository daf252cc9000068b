"""Photograph every page of the built book, light and dark: `_build/pictures`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "site"))

from browser import PAGES, PICTURES, photograph, serve, sizes, visit

from publishing.browser import browser


def main():
    """Take full-page pictures at every width; those named only, or of all pages."""
    with browser() as chromium, serve() as origin:
        for name in sys.argv[1:] or PAGES:
            with (
                chromium.new_context() as context,
                visit(context, origin, name) as (page, _),
            ):
                for width, scheme in sizes(page):
                    photograph(page, name, width, scheme)
    print(PICTURES)


if __name__ == "__main__":
    main()
