r"""DeepDiff: change of expression between two cell types from histone marks.

Few tasks with shared features, where Deep-LSMTL has many tasks with shared relations.
A gene comes as counts of M marks in L bins around its start, once for cell type A and
once for B. Level I reads each mark along its bins, Level II reads the marks; both are
LSTMs in two directions whose states are averaged by an attention that is learned.
The equations are numbered as in the appendix of Sekhon, Singh and Qi (2018).

Shapes: B genes, M marks, L bins, J rows (marks of all inputs together).
"""

from collections import namedtuple
from dataclasses import dataclass

import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from lsmtl._checks import finite, natural, one_of, whole


@dataclass(frozen=True)
class Variant:
    """What a network reads and which tasks it has (Table 1 of the appendix).

    Args:
        raw: inputs of the difference task's own Level I, of `"a"`, `"b"` and `"a-b"`;
            none where it builds on the cell types' embeddings alone.
        auxiliary: whether the expression in each cell type is predicted, too, and its
            embeddings join those of the difference.
        siamese: whether both cell types share Level I, which a contrastive loss trains.
    """

    raw: tuple = ()
    auxiliary: bool = False
    siamese: bool = False


ALL = ("a", "b", "a-b")
VARIANTS = {
    "Raw:d": Variant(("a-b",)),
    "Raw:c": Variant(("a", "b")),
    "Raw": Variant(ALL),
    "Raw+Aux": Variant(ALL, auxiliary=True),
    "Aux": Variant(auxiliary=True),
    "Aux+Siamese": Variant(auxiliary=True, siamese=True),
    "Raw+Aux+Siamese": Variant(ALL, auxiliary=True, siamese=True),
}

Prediction = namedtuple(
    "Prediction",
    "difference expression_a expression_b bin_attention mark_attention "
    "embedding_a embedding_b",
)


class Level(nn.Module):
    r"""A level of embedding: LSTMs, and an attention over their steps.

    $\alpha_l = \mathrm{softmax}_l(\mathbf{h}_l^\top \mathbf{c})$ with a context vector
    $\mathbf{c}$ for each group, and the embedding
    $\mathbf{m} = \sum_l \alpha_l \mathbf{h}_l$.

    Args:
        groups: G, sequences that are read by LSTMs of their own.
        inputs: I, numbers a step.
        hidden: H, of each direction.
    """

    def __init__(self, groups, inputs, hidden):
        super().__init__()
        self.lstms = nn.ModuleList(
            nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
            for _ in range(groups)
        )
        self.context = nn.Parameter(torch.empty(groups, 2 * hidden).uniform_(-0.1, 0.1))

    def forward(self, x):
        """(B, G, L, I) → embedding (B, G, 2H), attention (B, G, L)."""
        read = zip(self.lstms, x.unbind(1), strict=True)
        states = torch.stack([lstm(sequence)[0] for lstm, sequence in read], 1)
        attention = torch.einsum("bglh,gh->bgl", states, self.context).softmax(-1)
        return torch.einsum("bgl,bglh->bgh", attention, states), attention


class DeepDiff(nn.Module):
    r"""The network, in one of its seven variants.

    Level I reads every row, a mark of an input, Level II the embeddings of the rows.
    Without auxiliary tasks there is one of each and
    $\hat{y} = \mathbf{v}^\top \mathbf{w} + c$.
    With them each cell type has its own, whose $\mathbf{v}_A$ and $\mathbf{v}_B$ give
    its expression. Their rows join those of the difference task in its Level II, or,
    where that has no input of its own, $[\mathbf{v}_A, \mathbf{v}_B]$ goes through a
    layer of ReLU units.

    Args:
        variant: a name from `VARIANTS`, or a `Variant`.
        marks: M.
        bins: L.
        hidden: units of Level I and Level II in each direction; the paper's.
        dropout: of both levels' embeddings in training. (The authors' code gives it to
            LSTMs of one layer, where it does nothing: erratum D4.)

    `rows` names the rows in the order of both attentions: input and mark's number.

    Raises:
        ValueError: there is no such variant, or a size is out of its range.

    >>> network = DeepDiff("Aux", marks=5, bins=20)
    >>> network(torch.zeros(3, 5, 20), torch.zeros(3, 5, 20)).difference.shape
    torch.Size([3])
    """

    def __init__(self, variant, marks=5, bins=200, hidden=(32, 16), dropout=0.5):
        super().__init__()
        if not isinstance(variant, Variant):
            variant = VARIANTS[one_of("variant", variant, VARIANTS)]
        self.variant = variant
        self.marks, self.bins = whole("marks", marks), whole("bins", bins)
        if not finite("dropout", dropout) < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
        first, second = (whole("hidden", units) for units in hidden)
        self.dropout = nn.Dropout(dropout)
        inputs = [*variant.raw, *(("a", "b") if variant.auxiliary else ())]
        self.rows = [(name, mark) for name in inputs for mark in range(marks)]
        if variant.auxiliary:
            self.first_a = Level(marks, 1, first)
            self.first_b = self.first_a if variant.siamese else Level(marks, 1, first)
            self.second_a = Level(1, 2 * first, second)
            self.second_b = Level(1, 2 * first, second)
            self.head_a = nn.Linear(2 * second, 1)
            self.head_b = nn.Linear(2 * second, 1)
        if variant.raw:
            self.first = Level(len(variant.raw) * marks, 1, first)
            self.second = Level(1, 2 * first, second)
            self.head = nn.Linear(2 * second, 1)
        else:
            width = 4 * second
            middle = nn.Linear(width, width // 2)
            self.head = nn.Sequential(middle, nn.ReLU(), nn.Linear(width // 2, 1))

    def _read(self, level, x):
        """A level's embedding, with dropout, and its attention."""
        embedding, attention = level(x)
        return self.dropout(embedding), attention

    def forward(self, a, b):
        """Predict from both cell types' marks.

        Args:
            a, b: (B, marks, bins).

        Returns:
            A `Prediction`: `difference` (B,); `expression_a`, `expression_b` (B,) and
            the Level I embeddings (B, marks, units), None without auxiliary tasks;
            `bin_attention` (B, rows, bins) and `mark_attention` (B, rows), of the
            difference task, or of both cell types where it has no Level II.

        Raises:
            ValueError: a or b has another shape.
        """
        for name, x in (("a", a), ("b", b)):
            if x.dim() != 3 or x.shape[1:] != (self.marks, self.bins):
                raise ValueError(
                    f"{name} must have the shape (genes, {self.marks}, {self.bins}), "
                    f"got {tuple(x.shape)}"
                )
        expression_a = expression_b = m_a = m_b = None
        m, bin_attention, v, mark_attention = [], [], [], []
        if self.variant.raw:
            given = {"a": a, "b": b, "a-b": a - b}
            x = torch.cat([given[name] for name in self.variant.raw], 1)
            rows, attention = self._read(self.first, x[..., None])
            m, bin_attention = [rows], [attention]
        if self.variant.auxiliary:
            m_a, alpha_a = self._read(self.first_a, a[..., None])
            m_b, alpha_b = self._read(self.first_b, b[..., None])
            m, bin_attention = [*m, m_a, m_b], [*bin_attention, alpha_a, alpha_b]
            v_a, beta_a = self._read(self.second_a, m_a[:, None])
            v_b, beta_b = self._read(self.second_b, m_b[:, None])
            v, mark_attention = [v_a, v_b], [beta_a, beta_b]
            expression_a = self.head_a(v_a).flatten()
            expression_b = self.head_b(v_b).flatten()
        if self.variant.raw:
            joined = torch.cat(m, 1)  # (B, rows, units)
            of_all, attention = self._read(self.second, joined[:, None])
            v, mark_attention = [of_all], [attention]
        return Prediction(
            self.head(torch.cat(v, -1)).flatten(),
            expression_a,
            expression_b,
            torch.cat(bin_attention, 1),
            torch.cat(mark_attention, -1).flatten(1),
            m_a,
            m_b,
        )


def contrastive(embedding_a, embedding_b, regulated, margin=2.0, form="printed"):
    r"""The Siamese loss (Eqs. 2 and 3 of the appendix), a mean over genes.

    $(1 - S)\,\tfrac12 R + S\,\tfrac12 \max(0, m - R)^2$ with
    $R = \|f_1(\mathbf{X}^A) - f_1(\mathbf{X}^B)\|_2$, and S = 1 for a gene that is
    regulated. The authors' code has $4\,[(1 - S) R^2 + S \max(0, m - R)^2]$ (errata D1
    and D3).

    Args:
        embedding_a, embedding_b: (B, …), of Level I.
        regulated: (B,), S.
        margin: m.
        form: `"printed"` or `"code"`.
    """
    one_of("form", form, ("printed", "code"))
    R = (embedding_a - embedding_b).flatten(1).norm(dim=1)
    near, apart = R, (margin - R).clamp(min=0) ** 2
    if form == "code":
        near, apart = 8 * R**2, 8 * apart
    return torch.where(regulated.bool(), apart, near).mean() / 2


def loss(prediction, genes, siamese=False, auxiliary="regression", form="printed"):
    r"""$\ell_{Diff} + \ell_{CellAux} + \ell_{Siamese}$, with the terms of the variant.

    Args:
        prediction: of a `DeepDiff`, for these genes.
        genes: `GenePairs` with as many genes.
        siamese: whether the contrastive loss is added.
        auxiliary: `"regression"`, the squared error of each cell type's expression, or
            `"classification"`, the logistic loss of being above the cell type's median
            (Section 1.6).
        form: of the contrastive loss.
    """
    one_of("auxiliary", auxiliary, ("regression", "classification"))
    total = functional.mse_loss(prediction.difference, genes.difference)
    if prediction.expression_a is not None:
        for found, expression, high in (
            (prediction.expression_a, genes.expression_a, genes.high_a),
            (prediction.expression_b, genes.expression_b, genes.high_b),
        ):
            if auxiliary == "regression":
                total = total + functional.mse_loss(found, expression)
            else:
                score = functional.binary_cross_entropy_with_logits(found, high.float())
                total = total + score
    if siamese:
        embeddings = prediction.embedding_a, prediction.embedding_b
        total = total + contrastive(*embeddings, genes.regulated, form=form)
    return total


Fit = namedtuple("Fit", "network history")


def fit(
    network,
    train,
    validation,
    epochs=50,
    batch_size=32,
    lr=1e-3,
    seed=0,
    auxiliary="regression",
    form="printed",
):
    """Train with Adam; the network kept is the best by validation correlation.

    Args:
        network: a `DeepDiff`; trained in place, on the device where it is.
        train, validation: `GenePairs`.
        epochs: passes over the training genes.
        batch_size: genes a step.
        lr: Adam's learning rate.
        seed: decides batches and dropout.
        auxiliary, form: see `loss`.

    Returns:
        A `Fit`: the network, and a DataFrame with an epoch's mean training loss and the
        correlation `r` of predicted and true difference over the validation genes.

    Raises:
        ValueError: a number is out of its range, or the loss stops being finite.
    """
    whole("epochs", epochs), whole("batch_size", batch_size)
    finite("lr", lr, minimum=1e-12)
    natural("seed", seed)
    device = next(network.parameters()).device
    train, validation = train.to(device), validation.to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    best, history = (-2.0, None), []
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        for _ in range(epochs):
            losses = []
            for rows in torch.randperm(len(train)).split(batch_size):
                genes = train[rows.to(device)]
                network.train()
                found = network(genes.a, genes.b)
                value = loss(found, genes, network.variant.siamese, auxiliary, form)
                if not value.isfinite():
                    raise ValueError(f"the loss is {value.item()}; a lower lr may help")
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                losses.append(value.detach())
            r = correlation(predict(network, validation).difference, validation)
            history.append((torch.stack(losses).mean().item(), r))
            if r > best[0]:
                best = r, {k: v.clone() for k, v in network.state_dict().items()}
    if best[1] is not None:
        network.load_state_dict(best[1])
    return Fit(network.eval(), pd.DataFrame(history, columns=["loss", "r"]))


@torch.no_grad()
def predict(network, genes, batch_size=512):
    """The network's `Prediction` of many genes, without dropout, on its device."""
    network.eval()
    genes = genes.to(next(network.parameters()).device)
    parts = [
        network(
            genes.a[start : start + batch_size], genes.b[start : start + batch_size]
        )
        for start in range(0, len(genes), batch_size)
    ]
    columns = (None if f[0] is None else torch.cat(f) for f in zip(*parts, strict=True))
    return Prediction(*columns)


def correlation(difference, genes):
    """Pearson's r of a predicted difference (n,); 0 if it is constant."""
    both = torch.stack(
        [torch.as_tensor(difference).to(genes.difference), genes.difference]
    )
    both = both.double() - both.double().mean(1, keepdim=True)
    spread = both.norm(dim=1)
    return 0.0 if not spread.all() else (both[0] @ both[1] / spread.prod()).item()
