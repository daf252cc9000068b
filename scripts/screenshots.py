"""Photograph every page of the built book: `scripts/screenshots.py FOLDER`."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "site"))

from browser import PAGES, SCHEMES, WIDTHS, browser, serve, visit


def main():
    """Take full-page pictures at a phone's and a projector's width, light and dark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as chromium, serve() as origin:
        for width in WIDTHS:
            for scheme in SCHEMES:
                size = {"width": width, "height": 800}
                context = chromium.new_context(viewport=size, color_scheme=scheme)
                for name in PAGES:
                    stem = name.removesuffix(".html").replace("/", "-")
                    with visit(context, origin, name) as (page, _):
                        path = folder / f"{stem}-{width}-{scheme}.png"
                        page.screenshot(path=path, full_page=True)


if __name__ == "__main__":
    main()
