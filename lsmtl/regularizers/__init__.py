"""What a multi-task regulariser adds to the loss of the base network.

Every regulariser is an `nn.Module` whose
`forward(network, features, predictions, losses=None)` returns the penalty, a
scalar with its strength applied. Shapes: B batch, w features at the head, T targets;
`losses` are the tasks' losses (T,) in the batch. One with a method
`start_epoch(network)` is called there by `lsmtl.training.fit`.

The rivals of Eqs. 7–10 are the paper's, with the sums over samples and tasks read as
means, as in the loss: all of an equation is divided by the number of both.
"""

from lsmtl.regularizers.amtl import AMTFL, AMTL
from lsmtl.regularizers.cnmtl import CNMTL
from lsmtl.regularizers.gomtl import GOMTL
from lsmtl.regularizers.masked_low_rank import MaskedLowRank
from lsmtl.regularizers.self_expression import SelfExpression

__all__ = ["AMTFL", "AMTL", "CNMTL", "GOMTL", "MaskedLowRank", "SelfExpression"]
