"""The progress bar of long loops: tqdm where it is installed, else nothing."""

try:
    from tqdm import tqdm
except ImportError:

    class tqdm:
        """As much of tqdm as the loops here use, without a display."""

        def __init__(self, iterable, **_):
            self.iterable = iterable

        def __iter__(self):
            return iter(self.iterable)

        def set_postfix_str(self, _):
            """Show nothing."""
