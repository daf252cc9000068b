"""A model for data of one's own: learn it, keep it in a file, use it on new profiles.

`learning_curve` and `recommend` say which method to take and how many samples are
enough, `learn` gives a `Model` with the error to expect of every gene, `Model.save` and
`load_model` keep it in a file that runs no code, `infer` streams profiles of any number
from file to file.
"""

from lsmtl.inference.learning import (
    Recommendation,
    cross_validate,
    learn,
    learning_curve,
    recommend,
)
from lsmtl.inference.methods import METHODS
from lsmtl.inference.model import Model, load_model
from lsmtl.inference.streaming import infer

__all__ = [
    "METHODS",
    "Model",
    "Recommendation",
    "cross_validate",
    "infer",
    "learn",
    "learning_curve",
    "load_model",
    "recommend",
]
