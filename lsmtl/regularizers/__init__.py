"""What a multi-task regulariser adds to the loss of the base network.

Every regulariser is an `nn.Module` whose
`forward(network, features, predictions, losses=None)` returns the penalty, a
scalar with its strength applied. Shapes: B batch, w features at the head, T targets;
`losses` are the tasks' losses (T,) in the batch.
"""

from lsmtl.regularizers.masked_low_rank import MaskedLowRank
from lsmtl.regularizers.self_expression import SelfExpression

__all__ = ["MaskedLowRank", "SelfExpression"]
