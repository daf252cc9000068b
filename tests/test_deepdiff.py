"""DeepDiff: its variants, losses and attention; genes in pairs of cell types."""

import itertools
from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from lsmtl import data
from lsmtl.data.companions import HistoneMarks
from lsmtl.deepdiff import (
    VARIANTS,
    DeepDiff,
    Level,
    Variant,
    contrastive,
    correlation,
    fit,
    loss,
    predict,
)

every_variant = pytest.mark.parametrize("name", VARIANTS)
M, L = 5, 20


@pytest.fixture(scope="module")
def marks():
    return data.simulate_histones((60, 30, 40), bins=L)


@pytest.fixture(scope="module")
def genes(marks):
    return data.pairs(marks, "A", "B")


def network(name, seed=0, **more):
    torch.manual_seed(seed)
    return DeepDiff(name, M, L, **({"hidden": (6, 4)} | more)).eval()


@every_variant
def test_shapes_and_tasks_are_those_of_table_1(name, genes):
    found = network(name)(genes["test"].a, genes["test"].b)
    n, auxiliary = len(genes["test"]), "Aux" in name
    rows = {"Raw:d": M, "Raw:c": 2 * M, "Raw": 3 * M, "Raw+Aux": 5 * M, "Aux": 2 * M}
    J = rows[name.removesuffix("+Siamese")]
    assert found.difference.shape == (n,)
    assert found.bin_attention.shape == (n, J, L)
    assert found.mark_attention.shape == (n, J)
    assert len(network(name).rows) == J
    for task in (found.expression_a, found.expression_b):
        assert (task is not None) == auxiliary
        assert task is None or task.shape == (n,)
    for embedding in (found.embedding_a, found.embedding_b):
        assert (embedding is not None) == auxiliary


@every_variant
def test_attention_is_a_distribution(name, genes):
    found = network(name)(genes["test"].a, genes["test"].b)
    ones = torch.ones(())
    assert (found.bin_attention >= 0).all() and (found.mark_attention >= 0).all()
    assert torch.isclose(found.bin_attention.sum(-1), ones, atol=1e-5).all()
    levels = 1 if VARIANTS[name].raw else 2  # each of A's and B's sums to 1
    assert torch.isclose(found.mark_attention.sum(-1), levels * ones, atol=1e-5).all()


def test_a_level_is_lstms_and_a_softmax_written_out():
    torch.manual_seed(0)
    level, x = Level(3, 2, 4), torch.randn(5, 3, 7, 2)
    embedding, attention = level(x)
    for g in range(3):
        states = np.stack([_lstm(level.lstms[g], x[b, g].numpy()) for b in range(5)])
        score = states @ level.context[g].detach().numpy()
        alpha = np.exp(score) / np.exp(score).sum(1, keepdims=True)
        np.testing.assert_allclose(attention[:, g].detach(), alpha, atol=1e-5)
        m = (alpha[..., None] * states).sum(1)
        np.testing.assert_allclose(embedding[:, g].detach(), m, atol=1e-5)


def _lstm(module, x):
    """States (steps, 2H) of one sequence, from the equations of an LSTM."""
    weights = {k: v.detach().numpy() for k, v in module.named_parameters()}
    directions = []
    for end, sequence in (("", x), ("_reverse", x[::-1])):
        w_in, w_state = weights["weight_ih_l0" + end], weights["weight_hh_l0" + end]
        bias = weights["bias_ih_l0" + end] + weights["bias_hh_l0" + end]
        h = c = np.zeros(w_state.shape[1])
        states = []
        for step in sequence:
            i, f, g, o = np.split(w_in @ step + w_state @ h + bias, 4)
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
            states.append(h)
        directions.append(states if not end else states[::-1])
    return np.concatenate(directions, 1)


@pytest.mark.parametrize("name", ["Raw:d", "Raw:c", "Raw", "Aux", "Raw+Aux"])
def test_parameters_are_those_of_the_equations(name):
    def level(groups, inputs, H):
        return groups * (2 * 4 * H * (inputs + H + 2) + 2 * H)

    first, second, head = level(M, 1, 32), level(1, 64, 16), 32 + 1
    count = sum(p.numel() for p in DeepDiff(name, M, L).parameters())
    inputs = len(VARIANTS[name].raw)
    want = (inputs * first + second + head) if inputs else 64 * 32 + 32 + 33
    if VARIANTS[name].auxiliary:
        want += 2 * (first + second + head)
    assert count == want


@pytest.mark.parametrize("name", ["Aux", "Raw+Aux"])
def test_siamese_variants_share_level_one_and_nothing_else(name):
    apart, shared = network(name), network(f"{name}+Siamese")
    first = sum(p.numel() for p in apart.first_a.parameters())
    sizes = [sum(p.numel() for p in n.parameters()) for n in (apart, shared)]
    assert sizes[0] - sizes[1] == first
    assert shared.first_a is shared.first_b
    assert shared.second_a is not shared.second_b
    x = torch.randn(4, M, L)
    found = shared(x, x)
    assert torch.equal(found.embedding_a, found.embedding_b)
    assert not torch.allclose(found.expression_a, found.expression_b)


def test_difference_only_sees_differences():
    a, b, shift = torch.randn(3, 4, M, L)
    only, levels = network("Raw:d"), network("Raw:c")
    moved = only(a + shift, b + shift).difference
    assert torch.allclose(only(a, b).difference, moved, atol=1e-5)
    moved = levels(a + shift, b + shift).difference
    assert not torch.allclose(levels(a, b).difference, moved, atol=1e-5)


@every_variant
def test_dropout_acts_in_training_only(name, genes):
    net, some = network(name, dropout=0.5), genes["test"]
    with torch.no_grad():
        assert torch.equal(*(net(some.a, some.b).difference for _ in range(2)))
        net.train()
        assert not torch.equal(*(net(some.a, some.b).difference for _ in range(2)))


@every_variant
def test_every_weight_learns(name, genes):
    net, some = network(name), genes["train"]
    value = loss(net(some.a, some.b), some, siamese=VARIANTS[name].siamese)
    value.backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_the_loss_is_the_sum_of_its_terms(genes):
    net, some = network("Aux+Siamese"), genes["train"]
    found = net(some.a, some.b)
    y = [v.detach().numpy() for v in found[:3]]
    want = ((y[0] - some.difference.numpy()) ** 2).mean()
    cells = [
        ((y[1] - some.expression_a.numpy()) ** 2).mean(),
        ((y[2] - some.expression_b.numpy()) ** 2).mean(),
    ]
    classes = [
        np.log1p(np.exp(-v * (2 * high.numpy() - 1.0))).mean()
        for v, high in ((y[1], some.high_a), (y[2], some.high_b))
    ]
    assert loss(found, some).item() == pytest.approx(want + sum(cells), rel=1e-4)
    given = loss(found, some, auxiliary="classification").item()
    assert given == pytest.approx(want + sum(classes), rel=1e-4)
    apart = contrastive(found.embedding_a, found.embedding_b, some.regulated)
    total = loss(found, some, siamese=True).item()
    assert total == pytest.approx(want + sum(cells) + apart.item(), rel=1e-4)


@pytest.mark.equation(2, 3, of="appendix")
@pytest.mark.parametrize("form", ["printed", "code"])
def test_the_contrastive_loss_written_out(form):
    a, b = torch.randn(2, 6, 3, 4) / 3
    S = np.array([0, 1, 0, 1, 1, 0])
    R = np.sqrt(((a - b).numpy() ** 2).sum((1, 2)))
    far = np.maximum(0, 2 - R) ** 2
    want = {
        "printed": ((1 - S) * R + S * far) / 2,
        "code": 4 * ((1 - S) * R**2 + S * far),
    }
    got = contrastive(a, b, torch.as_tensor(S), form=form).item()
    assert got == pytest.approx(want[form].mean(), rel=1e-5)


def test_equal_embeddings_have_a_finite_gradient():
    a = torch.zeros(2, 3, requires_grad=True)
    contrastive(a, torch.zeros(2, 3), torch.tensor([0, 1])).backward()
    assert a.grad.isfinite().all()


def test_training_learns_and_repeats_itself(genes):
    start = {"dropout": 0.0, "hidden": (16, 8)}
    runs = [
        fit(network("Raw:d", **start), genes["train"], genes["valid"], 25, lr=1e-2)
        for _ in range(2)
    ]
    assert runs[0].history.equals(runs[1].history)
    assert runs[0].history["loss"].iloc[-1] < 0.9 * runs[0].history["loss"].iloc[0]
    kept = correlation(predict(runs[0].network, genes["valid"])[0], genes["valid"])
    assert kept == pytest.approx(runs[0].history["r"].max())


def test_training_leaves_the_global_random_stream_alone(genes):
    net = network("Aux")
    before = torch.random.get_rng_state()
    fit(net, genes["train"], genes["valid"], epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_predictions_don_t_depend_on_the_batch(genes):
    net = network("Raw+Aux")
    whole, parts = (predict(net, genes["test"], batch_size=n) for n in (512, 7))
    for one, other in zip(whole, parts, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_correlation_is_pearson_s(genes):
    found = torch.randn(len(genes["test"]))
    want = pearsonr(found, genes["test"].difference).statistic
    assert correlation(found, genes["test"]) == pytest.approx(want, abs=1e-6)
    assert correlation(torch.ones(len(found)), genes["test"]) == 0


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: DeepDiff("Raw:e"), "Raw:d, Raw:c"),
        (lambda: DeepDiff("Raw", marks=0), "marks"),
        (lambda: DeepDiff("Raw", dropout=1.0), "dropout"),
        (lambda: network("Raw")(torch.ones(2, M, L), torch.ones(2, M, 3)), "b must"),
        (
            lambda: contrastive(torch.ones(1), torch.ones(1), torch.ones(1), 2, "x"),
            "form",
        ),
        (lambda: data.simulate_histones((10, 10)), "three"),
        (lambda: data.simulate_histones((10, 10, 10), bins=3), "at least 10"),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_a_variant_of_one_s_own_is_a_line():
    net = DeepDiff(Variant(("a-b",), auxiliary=True), M, L, hidden=(3, 2))
    assert len(net.rows) == 3 * M


def test_statistics_are_the_training_genes_own(marks):
    signal = {c: s.copy() for c, s in marks.signal.items()}
    expression = marks.expression.copy()
    elsewhere = marks.part != "train"
    signal["A"][elsewhere] *= 9
    changed = HistoneMarks(signal, expression, marks.genes, marks.part, marks.marks)
    one, other = (data.pairs(m, "A", "B")["train"] for m in (marks, changed))
    for field in fields(one):
        assert torch.equal(getattr(one, field.name), getattr(other, field.name))
    both = torch.cat([one.a, one.b])
    assert torch.allclose(both.mean((0, 2)), torch.zeros(M), atol=1e-5)
    assert torch.allclose(both.std((0, 2), correction=0), torch.ones(M), atol=1e-4)
    for values in (one.difference, one.expression_a, one.expression_b):
        assert abs(values.mean()) < 1e-5
        assert values.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_pairs_are_as_described(marks):
    genes = data.pairs(marks, "A", "B")
    million = marks.expression / marks.expression.sum() * 1e6
    change = np.log2((1 + million.A) / (1 + million.B)).to_numpy()
    for part in ("train", "valid", "test"):
        mine = marks.part == part
        assert np.array_equal(genes[part].regulated, abs(change[mine]) >= 2)
        r = np.corrcoef(genes[part].difference, change[mine])[0, 1]
        assert r == pytest.approx(1)
    assert genes["train"].high_a.float().mean() == pytest.approx(0.5, abs=0.02)
    swapped = data.pairs(marks, "B", "A")["test"]
    assert torch.allclose(swapped.difference, -genes["test"].difference, atol=1e-5)
    assert torch.equal(swapped.a, genes["test"].b)


def test_bins_are_summed_and_marks_kept(marks):
    coarse = data.pairs(marks, "A", "B", bins=5)["train"]
    assert coarse.a.shape == (60, M, 5)
    counts = marks.signal["A"][marks.part == "train"].reshape(60, M, 5, 4).sum(-1)
    for mark, gene in itertools.product(range(M), (0, 31)):
        r = np.corrcoef(coarse.a[gene, mark], np.log2(1 + counts[gene, mark]))[0, 1]
        assert r == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="divide 20, got 6"):
        data.pairs(marks, "A", "B", bins=6)
    with pytest.raises(ValueError, match="one of A, B; got 'C'"):
        data.pairs(marks, "A", "C")


def test_what_is_planted_is_that_of_the_world_and_not_of_the_genes_drawn():
    few, many = (data.simulate_histones((n, 1, 1), 50, n).planted for n in (1, 3000))
    assert np.array_equal(few, many)
    assert np.allclose(few[0], few[0, ::-1])  # enhancers lie on either side alike


def test_simulated_marks_do_what_is_planted():
    marks = data.simulate_histones((3000, 10, 10), bins=20, seed=1)
    again = data.simulate_histones((3000, 10, 10), bins=20, seed=1)
    assert np.array_equal(marks.signal["B"], again.signal["B"])
    million = marks.expression / marks.expression.sum() * 1e6
    y = np.log2(1 + million["A"].to_numpy())
    signal = np.log2(1 + marks.signal["A"]).reshape(len(y), -1)
    r = np.corrcoef(signal.T, y)[:-1, -1].reshape(M, 20)
    for found, planted in zip(r, marks.planted, strict=True):
        if not planted.any():
            assert abs(found).max() < 0.1
        else:
            share = abs(planted) / abs(planted).max()
            found = found * np.sign(planted)
            assert (found[share > 0.6] > 0.05).all()
            assert found[share > 0.6].mean() > 2 * abs(found[share < 0.1].mean())
