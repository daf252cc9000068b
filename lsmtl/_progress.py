"""The progress bar of long loops: tqdm where it is installed, else nothing."""

try:
    from tqdm import tqdm
except ImportError:

    class tqdm:
        """As much of tqdm as the loops here use, without a display."""

        def __init__(self, iterable=(), **_):
            self.iterable = iterable

        def __enter__(self):
            return self

        def __exit__(self, *_):
            """Close nothing."""

        def __iter__(self):
            return iter(self.iterable)

        def update(self, _):
            """Show nothing."""

        def set_postfix_str(self, _, refresh=True):
            """Show nothing."""


# A training of seconds shows nothing: many in a row would flood a notebook.
CALM = {"leave": False, "delay": 3, "mininterval": 1}
