"""Is a difference of two models real? Tests by five times two-fold cross-validation.

`lsmtl.data.two_halves` makes the two splits of a repetition.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from lsmtl._checks import finite

REPETITIONS = 5


class Result(NamedTuple):
    """A test's statistic and its p-value."""

    statistic: float
    p: float


def paired_5x2cv(differences):
    r"""Dietterich's 5×2 cross-validation paired t-test of two models.

    $$t = p_1^{(1)} \Big/ \sqrt{\tfrac{1}{5} \sum_{i=1}^5 s_i^2}, \qquad
    s_i^2 = \sum_{j=1}^2 (p_i^{(j)} - \bar p_i)^2 ,$$

    which has about a t distribution with 5 degrees of freedom if the models are
    equally good (Dietterich 1998, Neural Computation 10:1895).

    Args:
        differences: (5, 2) numbers $p_i^{(j)}$, of five repetitions and the two halves
            of each: one model's score minus the other's, such as the mean MAE on the
            half that neither was trained on.

    Returns:
        `(t, p)`, two-sided.

    Raises:
        ValueError: another shape, a number that is not finite, or no difference
            between the halves of any repetition, so that no variance can be had.

    >>> t, p = paired_5x2cv([[3, 1], [2, 2], [1, 3], [2, 1], [3, 2]])
    >>> round(t, 3), round(p, 3)
    (3.0, 0.03)
    """
    d = _checked(differences)
    t = d[0, 0] / _deviation(d)
    return Result(float(t), float(2 * stats.t.sf(abs(t), REPETITIONS)))


def combined_5x2cv(differences):
    r"""Alpaydın's combined 5×2 cross-validation F test of two models.

    $$F = \sum_{i=1}^5 \sum_{j=1}^2 \big(p_i^{(j)}\big)^2 \Big/
    2 \sum_{i=1}^5 s_i^2$$

    uses all ten differences, where the t-test's result hangs on which of them comes
    first; about F distributed with 10 and 5 degrees of freedom (Alpaydın 1999, Neural
    Computation 11:1885).

    Args:
        differences: as for `paired_5x2cv`.

    Returns:
        `(F, p)`.

    Raises:
        ValueError: as for `paired_5x2cv`.

    >>> F, p = combined_5x2cv([[3, 1], [2, 2], [1, 3], [2, 1], [3, 2]])
    >>> round(F, 2), round(p, 3)
    (4.6, 0.053)
    """
    d = _checked(differences)
    F = (d**2).sum() / (2 * REPETITIONS * _deviation(d) ** 2)
    return Result(float(F), float(stats.f.sf(F, 2 * REPETITIONS, REPETITIONS)))


def interval_5x2cv(differences, level=0.95):
    r"""The differences that `paired_5x2cv` would not reject.

    $$p_1^{(1)} \pm t_5 \sqrt{\tfrac{1}{5} \sum_{i=1}^5 s_i^2} ,$$

    around the first of the ten, as it is the test's numerator; $t_5$ is the quantile of
    the t distribution with 5 degrees of freedom that belongs to the level.

    Args:
        differences: as for `paired_5x2cv`.
        level: of the interval, between 0 and 1.

    Returns:
        Its two ends.

    Raises:
        ValueError: as for `paired_5x2cv`, or a level outside.

    >>> low, high = interval_5x2cv([[3, 1], [2, 2], [1, 3], [2, 1], [3, 2]])
    >>> round(low, 2), round(high, 2)
    (0.43, 5.57)
    """
    d = _checked(differences)
    if not 0 < finite("level", level) < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")
    half = stats.t.ppf((1 + level) / 2, REPETITIONS) * _deviation(d)
    return float(d[0, 0] - half), float(d[0, 0] + half)


def holm(p):
    """Holm's correction of p-values for the number of comparisons.

    The smallest of m is multiplied by m, the next by m - 1, and so on, none becomes
    smaller than one before it, and none exceeds 1 (Holm 1979).

    Args:
        p: (m,) p-values.

    Returns:
        (m,) array in the order of `p`.

    Raises:
        ValueError: a value is no probability.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p must be a list of numbers from 0 to 1, got {p.tolist()}")
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def _checked(differences):
    d = np.asarray(differences, dtype=float)
    if d.shape != (REPETITIONS, 2):
        raise ValueError(
            f"differences must have the shape ({REPETITIONS}, 2): a row a repetition, "
            f"a column a half; got {d.shape}"
        )
    if not np.isfinite(d).all():
        raise ValueError(f"differences must be finite, got {d.tolist()}")
    if (d[:, 0] == d[:, 1]).all():
        raise ValueError(
            "both halves of every repetition have the same difference, so there is no "
            "variance to compare with; are the models the same?"
        )
    return d


def _deviation(d):
    """√ of the mean of the five variances."""
    return np.sqrt(np.square(d[:, 0] - d[:, 1]).mean() / 2)
