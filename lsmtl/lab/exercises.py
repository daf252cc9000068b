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

    >>> check("transcriptome.3", lambda r: 1 - r)
    ✗ At r = 0 that is the deviation of y; the mean of |y| is smaller.
    """
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
    return Verdict(True, "Right.")


def _numbers(got, shape):
    """The answer as an array of that shape, or what is wrong with it."""
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    try:
        got = np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"Numbers are needed, your function returns {got!r}.") from None
    if got.shape != shape:
        raise Wrong(f"The result should have the shape {shape}, yours has {got.shape}.")
    if not np.isfinite(got).all():
        raise Wrong("The result holds NaN or infinity: is there a division by zero?")
    return got


def _expect(got, want, hints, otherwise):
    """Compare with what is right; a known mistake gets its own hint."""
    got = _numbers(got, np.shape(want))
    if np.allclose(got, want, rtol=1e-4, atol=1e-6):
        return
    for mistake, hint in hints:
        if np.shape(mistake) == got.shape and np.allclose(got, mistake, rtol=1e-4):
            raise Wrong(hint)
    raise Wrong(otherwise)


def _concordance(ask):
    rng = np.random.default_rng(0)
    target = rng.normal(size=7)
    prediction = target + rng.normal(size=7) + 0.7

    def lin(p, t, ddof=0, shift=True):
        cov = np.cov(p, t, ddof=ddof)
        return (
            2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + shift * (p.mean() - t.mean()) ** 2)
        )

    _expect(
        ask(prediction.copy(), target.copy()),
        lin(prediction, target),
        [
            (
                np.corrcoef(prediction, target)[0, 1],
                "That is Pearson's correlation: it forgives a wrong scale and a wrong "
                "offset, Eq. 12 doesn't.",
            ),
            (
                lin(prediction, target, ddof=1),
                "Close: Eq. 12 takes population variances (divide by n, not by n - 1), "
                "and all three moments alike.",
            ),
            (
                lin(prediction, target, shift=False),
                "The means differ in this case, and your result doesn't see it: the "
                "denominator has a third term.",
            ),
        ],
        "Not the value of Eq. 12 for seven random pairs; check numerator and "
        "denominator term by term.",
    )
    constant = np.full(7, 0.3)
    _expect(
        ask(constant, target.copy()),
        0.0,
        [],
        "A constant prediction says nothing: its concordance is 0.",
    )


def _standardize(ask):
    rng = np.random.default_rng(0)
    cohort = np.repeat(["a", "b"], 8)
    training = np.tile([True] * 6 + [False] * 2, 2)
    values = rng.normal(size=(16, 3)) * [1, 4, 9] + 50 * (cohort == "b")[:, None]

    def z(reference, pooled=False, ddof=0, at_rest=None):
        out = np.empty_like(values)
        for name in "ab":
            rows = np.full(16, True) if pooled else cohort == name
            used = values[rows & reference]
            out[rows] = (values[rows] - used.mean(0)) / used.std(0, ddof=ddof)
        return out if at_rest is None else np.where(training[:, None], out, at_rest)

    _expect(
        ask(values.copy(), training.copy(), cohort.copy()),
        z(training),
        [
            (
                z(np.full(16, True)),
                "Your means and deviations come from all rows: they must come from the "
                "training rows only, or the test samples leak into the training.",
            ),
            (
                z(training, pooled=True),
                "Each cohort needs its own mean and deviation, or the platform passes "
                "for biology.",
            ),
            (
                z(training, at_rest=z(~training)),
                "Your test rows are standardised by their own statistics: they need "
                "those of their cohort's training rows.",
            ),
            (z(training, ddof=1), "Close: divide by n in the deviation, not by n - 1."),
        ],
        "Not z for two cohorts of eight samples, six of them training rows: check the "
        "mean and the deviation of each cohort.",
    )
    values[cohort == "a", 1] = 2.5
    got = _numbers(ask(values.copy(), training.copy(), cohort.copy()), values.shape)
    if not np.allclose(got[cohort == "a", 1], 0):
        raise Wrong("A gene that is constant in a cohort should become 0 there.")


def _expected_mae(ask):
    _expect(
        ask(0.0),
        np.sqrt(2 / np.pi),
        [(1.0, "At r = 0 that is the deviation of y; the mean of |y| is smaller.")],
        "A prediction without any correlation (r = 0) is the mean 0: the MAE is then "
        "the mean of |y| for y ~ N(0, 1).",
    )
    _expect(
        ask(0.8),
        np.sqrt(2 / np.pi) * 0.6,
        [
            (
                np.sqrt(2 / np.pi) * 0.36,
                "1 - r² is the variance of what is left; the MAE goes with its root.",
            ),
            (
                np.sqrt(2 / np.pi) * 0.2,
                "The error doesn't fall in proportion to 1 - r: what share of the "
                "variance is left?",
            ),
        ],
        "Right at r = 0, wrong at r = 0.8: what is the deviation of what is left?",
    )


def _case(rng):
    """Random predictions (B, T), a mask that hides two tasks, and G's weights."""
    B, T, K = 5, 6, 3
    mask = np.ones(T)
    mask[[1, 4]] = 0
    return (
        rng.normal(size=(B, T)),
        mask,
        rng.normal(size=(K, T)),
        rng.normal(size=(T, K)),
    )


def _rebuild(ask):
    f, mask, V1, V2 = _case(np.random.default_rng(0))

    def g(f, slope=0.2):
        hidden = f @ V1.T
        return np.where(hidden > 0, hidden, slope * hidden) @ V2.T

    _expect(
        ask(V1.copy(), V2.copy(), f.copy(), mask.copy()),
        g(mask * f),
        [
            (g((1 - mask) * f), "Your mask is the wrong way round: 1 means visible."),
            (g(f), "G sees the hidden tasks as well: where does the mask come in?"),
            (g(mask * f, 1), "That is linear: σ between V1 and V2 is missing."),
            (g(mask * f, 0), "σ is a LeakyReLU: negative values are not cut to 0."),
            (g(mask * f, 0.01), "The paper's leakiness is 0.2, not 0.01."),
            (mask * g(mask * f), "Mask what goes into G, not what comes out of it."),
        ],
        "Not G(β ⊙ F(x)): check the order mask, V1, σ, V2 and the transposes.",
    )


def _penalty(ask):
    f, mask, _, _ = _case(np.random.default_rng(1))
    rebuilt = f + np.random.default_rng(2).normal(size=f.shape)
    error = (f - rebuilt) ** 2
    _expect(
        ask(f.copy(), rebuilt.copy(), mask.copy()),
        error[:, mask == 0].mean(),
        [
            (
                error.mean(),
                "That is the mean over all tasks; only the hidden ones count.",
            ),
            (
                error[:, mask == 1].mean(),
                "That is the error of the visible tasks, which G can copy; take the "
                "hidden ones.",
            ),
            (
                ((1 - mask) * error).mean(),
                "The visible entries are zero now, but you still divide by their "
                "number: divide by the number of hidden entries.",
            ),
            (
                ((1 - mask) * error).sum(),
                "That is the sum of Eq. 5 as printed; here the mean over the hidden "
                "entries is asked for.",
            ),
            (
                np.abs(f - rebuilt)[:, mask == 0].mean(),
                "The penalty squares the errors (‖·‖² in Eq. 5); yours are absolute.",
            ),
        ],
        "Not the mean squared error of the hidden entries for a batch of 5 profiles.",
    )
    masks = np.tile(mask, (len(f), 1))
    masks[0] = 1 - mask
    for_each = "Right for one mask a batch; a mask a sample, (B, T), should work too."
    try:
        got = ask(f.copy(), rebuilt.copy(), masks.copy())
    except Wrong:
        raise Wrong(for_each) from None
    _expect(got, error[masks == 0].mean(), [], for_each)


def _weights(ask):
    for L in (3, 1, 4):
        D, H, T, K = 7, 5, 11, 2
        hidden = sum((D + i * H) * H for i in range(L))
        base = hidden + (D + L * H) * T
        mlp = D * H + (L - 1) * H * H + H * T
        _expect(
            ask(D, H, L, T, K),
            base + 2 * T * K,
            [
                (
                    mlp + 2 * T * K,
                    "That is an MLP: in a DenseNet every layer, and the head, sees all "
                    "that came before it.",
                ),
                (base, "The base network is right; G's two matrices are missing."),
                (
                    base + T * K,
                    "G has two matrices, into the bottleneck and out of it.",
                ),
                (
                    base + T * T,
                    "T² is what one square matrix V would need; G goes through a "
                    "bottleneck of K units.",
                ),
                (
                    hidden + H * T + 2 * T * K,
                    "The hidden layers are right; the head sees all features.",
                ),
            ],
            f"Wrong for {L} hidden layers: count them one by one; how many inputs has "
            "each, how many units?",
        )


def _quantiles(ask):
    rng = np.random.default_rng(0)
    sample, reference = (
        rng.integers(0, 6, 12).astype(float),
        np.sort(rng.normal(size=9)),
    )
    steps, dense = np.unique(sample, return_inverse=True)
    count = np.bincount(dense)
    mean_rank = (np.cumsum(count) - (count + 1) / 2)[dense]
    first = (np.cumsum(count) - count)[dense]

    def at(rank, top):
        return np.interp(rank / top, np.linspace(0, 1, len(reference)), reference)

    _expect(
        ask(sample.copy(), reference.copy()),
        at(dense, len(steps) - 1),
        [
            (
                at(sample.argsort().argsort(), len(sample) - 1),
                "Equal values get different results: rank the unique values.",
            ),
            (
                at(mean_rank, len(sample) - 1),
                "Those are mean ranks among all values; here unique values are ranked.",
            ),
            (
                at(first, len(sample) - 1),
                "Equal values count several times in your ranks; count them once.",
            ),
            (
                at(dense, len(steps)),
                "The highest value should become the last of the reference: divide "
                "by k - 1.",
            ),
        ],
        "Not the reference at r / (k - 1) of its length for a sample of 12 values and "
        "a reference of 9.",
    )


def _twins(ask):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 40)) + 30 * rng.normal(size=40)
    values[6] = values[1] + 0.1 * rng.normal(size=40)
    values[8] = values[1] + 0.5 * rng.normal(size=40)  # nearest to 1, but 1's is 6

    def nearest(x):
        r = np.corrcoef(x)
        np.fill_diagonal(r, -2)
        return r.argmax(1)

    def mutual(j):
        return {(i, int(k)) for i, k in enumerate(j) if i < k and j[k] == i}

    got = ask(values.copy())
    if got is None:
        raise Wrong("Your function returns None: is the return missing?")
    try:
        pairs = [tuple(int(k) for k in pair) for pair in got]
    except (TypeError, ValueError):
        raise Wrong(f"A list of pairs (i, j) is needed, yours is {got!r}.") from None
    centred = nearest(values - values.mean(0))
    want = mutual(centred)
    if any(i == j for i, j in pairs):
        raise Wrong("A sample is not its own neighbour.")
    if any(i > j for i, j in pairs) or len(set(pairs)) < len(pairs):
        raise Wrong("Name each pair once, the lower number first.")
    if set(pairs) == want:
        return
    if set(pairs) >= {(min(i, int(j)), max(i, int(j))) for i, j in enumerate(centred)}:
        raise Wrong("Some of your pairs are one-sided: both must be nearest.")
    if set(pairs) == mutual(nearest(values)):
        raise Wrong("Take each gene's mean off first: it makes all samples alike.")
    raise Wrong(f"Found {sorted(set(pairs))} among nine samples; not the right pairs.")


def _log_cpm(ask):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 500, (4, 6)).astype(float)
    landmark = np.array([True, False, True, True, False, False])

    def cpm(library):
        return 1e6 * counts / library

    right = cpm(counts[:, landmark].sum(1, keepdims=True))
    whole = cpm(counts.sum(1, keepdims=True))
    _expect(
        ask(counts.copy(), landmark.copy()),
        np.log2(right + 1),
        [
            (
                np.log2(whole + 1),
                "Your library size sums all genes, so every landmark tells of the "
                "targets.",
            ),
            (right, "The logarithm is missing."),
            (np.log(right + 1), "That is the natural logarithm; take log2."),
            (
                np.log2(cpm(counts[:, landmark].sum(0).sum()) + 1),
                "Each sample needs its own library size.",
            ),
        ],
        "Not log2 of counts per million landmark counts + 1, for four samples.",
    )


CHECKERS = {
    "raw-to-tensors.1": _quantiles,
    "raw-to-tensors.2": _twins,
    "raw-to-tensors.3": _log_cpm,
    "transcriptome.1": _concordance,
    "transcriptome.2": _standardize,
    "transcriptome.3": _expected_mae,
    "masked-low-rank.1": _rebuild,
    "masked-low-rank.2": _penalty,
    "masked-low-rank.3": _weights,
}
