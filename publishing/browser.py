"""Headless Chromium, for what is printed and for the tests of the pages."""

import contextlib
import os
import shutil

from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY = "window.MathJax?.startup.promise.then(() => document.fonts.ready)"


def need(site):
    """Look for what printing needs.

    Args:
        site: folder of the built book.

    Raises:
        FileNotFoundError: there is no book, or no Chromium.
    """
    if not (site / "index.html").is_file():
        raise FileNotFoundError(f"no book in {site}; run `make book` first")
    if not CHROMIUM:
        raise FileNotFoundError("no Chromium: install it or name it in $CHROMIUM")


@contextlib.contextmanager
def browser():
    """A headless Chromium that talks to nobody of its own accord."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def opened(path, width):
    """A file as it is printed, its math drawn, at a width in CSS pixels."""
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": width, "height": 1000})
        page.set_default_timeout(600_000)  # the whole book takes its time
        page.emulate_media(media="print", color_scheme="light")
        page.goto(path.resolve().as_uri())
        page.evaluate(READY)
        yield page
