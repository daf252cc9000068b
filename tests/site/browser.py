"""The built book in headless Chromium; used by the tests and by scripts/screenshots."""

import contextlib
import functools
import gzip
import http.server
import io
import threading
from pathlib import Path

from lsmtl.lab import ROOT, contents

SITE = ROOT / "_build" / "html"
PAGES = [f"book/{name}.html" for name in contents.pages()]
PICTURES = ROOT / "_build" / "pictures"
WIDTHS = (390, 768, 1280, 1920)  # a phone, a tablet, a projector, a desk
SCHEMES = ("light", "dark")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line of log for each."""

    def log_message(self, *_):
        """Nothing."""

    def copyfile(self, source, target):
        """Send a file, to a reader who may have left."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(source, target)


class Compressing(Quiet):
    """Compresses text, as hosts do."""

    def send_head(self):
        """Send the headers and give what follows."""
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js"):
            return super().send_head()
        body = compressed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)


@functools.cache
def compressed(path):
    """A file's content in gzip's format."""
    return gzip.compress(path.read_bytes())


@contextlib.contextmanager
def serve(handler=Quiet):
    """Serve the book on this machine; gives its address."""
    handler = functools.partial(handler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def visit(context, origin, page):
    """Open a page and wait for its math.

    Yields:
        The page, and a list of what went wrong: errors on the console and requests
        for anything outside `origin`, which are refused.
    """
    troubles = []

    def check(route):
        url = route.request.url
        if url.startswith((origin, "data:", "blob:")):
            return route.continue_()
        troubles.append(f"asks for {url}")
        return route.abort()

    def listen(message):
        if message.type == "error":
            troubles.append(f"console: {message.text} {message.location['url']}")

    tab = context.new_page()
    tab.set_default_timeout(120_000)  # a busy machine is slow, not broken
    tab.on("console", listen)
    tab.on("pageerror", lambda error: troubles.append(f"script: {error}"))
    tab.route("**/*", check)
    tab.goto(f"{origin}/{page}")
    if tab.locator(".math").count():
        tab.evaluate("MathJax.startup.promise.then(() => {})")
    yield tab, troubles
    tab.close()


THEME = "scheme => document.documentElement.dataset.theme === scheme"


def sizes(tab):
    """Show a page at every width, light and dark; yields (width, scheme).

    Fails where the page doesn't follow the reader's system.
    """
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            tab.emulate_media(color_scheme=scheme)
            tab.wait_for_function(THEME, arg=scheme, timeout=30_000)
            yield width, scheme


def photograph(tab, name, width, scheme):
    """Keep a picture of a whole page, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    stem = name.removesuffix(".html").replace("/", "-")
    path = PICTURES / f"{stem}-{width}-{scheme}.jpg"
    how = {"full_page": True, "type": "jpeg", "quality": 70, "animations": "disabled"}
    tab.screenshot(path=path, **how)
