"""Checks of arguments that several modules make."""

import numbers
import reprlib


def whole(name, value):
    """`value` if it is a positive whole number; anything else is a ValueError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be a positive whole number, got {value!r}")
    return int(value)


def natural(name, value):
    """`value` if it is a whole number of at least 0; anything else is a ValueError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise ValueError(f"{name} must be a whole number of at least 0, got {value!r}")
    return int(value)


def one_of(name, value, allowed):
    """`value` if it is one of the allowed ones; anything else is a ValueError."""
    if value not in allowed:
        raise ValueError(
            f"{name} must be one of {', '.join(map(str, allowed))}; got {value!r}"
        )
    return value


def finite(name, value, minimum=0.0):
    """`value` if it is a finite number of at least `minimum`, else a ValueError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(f"{name} must be a number, got {value!r}")
    if not minimum <= value < float("inf"):
        raise ValueError(f"{name} must be finite and at least {minimum}, got {value!r}")
    return value


def matrix(name, value, columns=None):
    """`value` as a tensor (n, columns) of finite numbers, else a ValueError."""
    import torch  # here: not everything that checks arguments waits for it

    try:
        value = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{name} must be a tensor or an array, got {reprlib.repr(value)}"
        ) from None
    if value.dim() != 2 or columns not in (None, value.shape[1]):
        raise ValueError(
            f"{name} must have the shape (samples, {columns or 'genes'}), got "
            f"{tuple(value.shape)}"
        )
    if not value.isfinite().all():
        row, column = (~value.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"{name} must be finite, got {value[row, column].item()} in row {row}, "
            f"column {column}"
        )
    return value


def same_targets(values, targets, name="predictions"):
    """A ValueError unless values (B, T) are of that many targets."""
    if values.shape[1] != targets:
        raise ValueError(
            f"{name} have {values.shape[1]} targets and the regulariser was made for "
            f"{targets}"
        )
