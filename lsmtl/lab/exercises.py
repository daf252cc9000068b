"""Grade the exercises: say in words what is wrong, never how to do it.

A checker gets `ask`, which calls the reader's function, and raises `Wrong` with a
hint. The solutions stand in the chapters, folded; the stubs are made from them.
"""

import html
from dataclasses import dataclass

import numpy as np

from lsmtl._checks import one_of


class Wrong(Exception):
    """What is wrong with an answer, in words."""


@dataclass(frozen=True)
class Verdict:
    """Whether an answer passed, and what to say about it."""

    passed: bool
    message: str

    def __bool__(self):
        return self.passed

    def __repr__(self):
        return f"{'✓' if self.passed else '✗'} {self.message}"

    def _repr_html_(self):
        kind = "passed" if self.passed else "failed"
        return f'<p class="lsmtl-verdict lsmtl-{kind}">{html.escape(repr(self))}</p>'


def check(name, answer):
    """Grade an answer to an exercise.

    Args:
        name: the exercise, `<chapter>.<number>`.
        answer: the function that the exercise asks for.

    Returns:
        A `Verdict`, true if the answer passed; it shows what to do if not.

    Raises:
        ValueError: there is no such exercise.

    >>> check("transcriptome.2", lambda r: 1 - r)
    ✗ At r = 0 that is the deviation of y; the mean of |y| is smaller.
    """
    from lsmtl.lab.chapters import CHECKERS  # whose modules import this one

    checker = CHECKERS[one_of("exercise", name, CHECKERS)]
    if not callable(answer):
        return Verdict(False, f"A function is needed here, not {answer!r}.")

    def ask(*arguments):
        try:
            return answer(*arguments)
        except NotImplementedError:
            raise Wrong("Not written yet: replace the last line of the stub.") from None
        except Exception as error:
            raise Wrong(
                f"Your function stops: {type(error).__name__}: {error}"
            ) from error

    try:
        checker(ask)
    except Wrong as wrong:
        return Verdict(False, str(wrong))
    except Exception as error:  # of the checker, which got what it can't read
        return Verdict(
            False,
            f"What your function returns can't be read as an answer ({error}): "
            "has it the form that the docstring asks for?",
        )
    return Verdict(True, "Right.")


def numbers(got, shape):
    """The answer as an array of that shape, or what is wrong with it."""
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    if hasattr(got, "detach"):  # a tensor of torch, whose history doesn't matter here
        got = got.detach()
    try:
        got = np.asarray(got, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"Numbers are needed, your function returns {got!r}.") from None
    if got.shape != shape:
        raise Wrong(f"The result should have the shape {shape}, yours has {got.shape}.")
    if not np.isfinite(got).all():
        raise Wrong("The result holds NaN or infinity: is there a division by zero?")
    return got


def expect(got, want, hints, otherwise):
    """Compare with what is right; a known mistake gets its own hint."""
    got = numbers(got, np.shape(want))
    if np.allclose(got, want, rtol=1e-4, atol=1e-6):
        return
    for mistake, hint in hints:
        if np.shape(mistake) == got.shape and np.allclose(got, mistake, rtol=1e-4):
            raise Wrong(hint)
    raise Wrong(otherwise)


def predicted(got, right, hints):
    """Compare a prediction in a word with what happens.

    Args:
        got: the word that the reader's function returns.
        right: what happens.
        hints: for every other word, what speaks against it.
    """
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    if not isinstance(got, str) or got not in {right, *hints}:
        words = ", ".join(repr(word) for word in sorted([right, *hints]))
        raise Wrong(f"Return one of {words}, not {got!r}.")
    if got != right:
        raise Wrong(hints[got])
