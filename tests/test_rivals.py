"""GOMTL, CNMTL, AMTL and AMTFL, against Eqs. 7–10 written out in NumPy."""

import copy
import itertools

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from lsmtl import lab
from lsmtl.data import Profiles
from lsmtl.networks import MLP, DenseNet, count_weights
from lsmtl.regularizers import AMTFL, AMTL, CNMTL, GOMTL, MaskedLowRank
from lsmtl.regularizers.cnmtl import kmeans
from lsmtl.training import Recipe, fit

B, D, T, H, K = 6, 4, 10, 3, 3
w = D + 2 * H
EVERY = pytest.mark.parametrize("name", ["GOMTL", "CNMTL", "AMTL", "AMTFL"])
OF_TASKS = pytest.mark.parametrize("name", ["CNMTL", "AMTL", "AMTFL"])


def make(name, **options):
    torch.manual_seed(0)
    if name == "GOMTL":
        return GOMTL(**options)
    if name == "CNMTL":
        return CNMTL(T, **{"clusters": K} | options)
    if name == "AMTL":
        return AMTL(T, **options)
    return AMTFL(T, w, **options)


def base(make=DenseNet, **options):
    torch.manual_seed(1)
    network = make(D, T, hidden=(H, H), **options).double()
    torch.nn.init.normal_(network.head.bias)  # no penalty may depend on it
    return network


@pytest.fixture
def case():
    """A network, its features and predictions on a batch, and losses of the tasks."""
    network = base()
    x = torch.randn(B, D, dtype=torch.double, generator=torch.manual_seed(2))
    features = network.features(x).detach()
    losses = torch.rand(T, dtype=torch.double, generator=torch.manual_seed(3))
    return network, features, network.head(features), losses


def value(regularizer, case):
    return regularizer.double()(*case).item()


def random_v(regularizer):
    """V ≥ 0 for AMTL, of either sign for AMTFL."""
    V = torch.randn(regularizer.V.shape, generator=torch.manual_seed(4)).double()
    regularizer.V.data = V.abs() if isinstance(regularizer, AMTL) else V
    return regularizer


def array(tensor):
    return tensor.detach().numpy().astype(float)


def hidden_weights(network):
    return [array(layer[0].weight) for layer in network.layers]


# --- The equations ----------------------------------------------------------------


def equation_8(network, mu, lam):
    W = array(network.head.weight).T  # (w, T)
    l1 = sum(np.abs(W[:, t]).sum() for t in range(T))
    return mu * l1 + lam * sum((V**2).sum() for V in hidden_weights(network))


@pytest.mark.equation(8)
@pytest.mark.parametrize("make_network", [MLP, DenseNet])
def test_gomtl_is_equation_8(make_network):
    network = base(make_network)
    found = GOMTL(0.7, sparsity=0.3, shared=0.2)(network, None, None).item()
    assert found == pytest.approx(0.7 * equation_8(network, 0.3, 0.2) / T, rel=1e-12)


def test_without_hidden_layers_gomtl_is_the_lasso_penalty():
    network = DenseNet(D, T, hidden=()).double()
    expected = np.abs(array(network.head.weight)).sum() / T
    assert GOMTL()(network, None, None).item() == pytest.approx(expected)


def equation_7(W, labels, mean, between, within, weighted=False):
    """W (w, T); labels of the tasks."""
    clusters = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    w_bar = W.mean(1)
    total = mean * (T if weighted else 1) * (w_bar**2).sum()
    for J in clusters:
        w_bar_k = W[:, J].mean(1)
        size = len(J) if weighted else 1
        total += between * size * ((w_bar_k - w_bar) ** 2).sum()
        total += within * sum(((W[:, j] - w_bar_k) ** 2).sum() for j in J)
    return total


@pytest.mark.equation(7)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "labels", [[0, 1, 2, 0, 0, 1, 0, 0, 2, 0], [2, 0, 0, 2, 2, 2, 2, 0, 2, 0]]
)
def test_cnmtl_is_equation_7(case, labels, weighted):
    """The second labels leave cluster 1 empty."""
    lambdas = {"mean": 0.3, "between": 0.5, "within": 0.2}
    cnmtl = CNMTL(T, K, strength=0.7, weighted=weighted, **lambdas)
    cnmtl.labels = torch.tensor(labels)
    W = array(case[0].head.weight).T
    expected = 0.7 * equation_7(W, np.array(labels), **lambdas, weighted=weighted) / T
    assert value(cnmtl, case) == pytest.approx(expected, rel=1e-10)


def equation_9(W, V, losses, mu, lam):
    """What α and the second term add; W (w, T), V (T, T)."""
    added = sum(mu * np.abs(V[t]).sum() * losses[t] for t in range(T))
    return added + lam * ((W - W @ V) ** 2).sum()


@pytest.mark.equation(9)
def test_amtl_with_all_columns_is_equation_9(case):
    amtl = random_v(make("AMTL", strength=0.7, outgoing=0.3, columns=T))
    W, V, losses = (
        array(v) for v in (case[0].head.weight.T, amtl.coefficients(), case[3])
    )
    expected = equation_9(W, V, losses, 0.7 * 0.3, 0.7) / T
    assert value(amtl, case) == pytest.approx(expected, rel=1e-12)
    assert value(amtl, case) == pytest.approx(expected, rel=1e-12)  # whatever is drawn


def equation_10(case, V, gamma, nu, mu, lam):
    network, Z, _, losses = case
    W, Z, losses = array(network.head.weight).T, array(Z), array(losses)
    rebuilt = Z @ W @ V
    rebuilt = np.where(rebuilt > 0, rebuilt, 0.2 * rebuilt)
    added = sum(nu * np.abs(V[t]).sum() * losses[t] for t in range(T))
    error = ((Z - rebuilt) ** 2).sum() / B
    return added + gamma * error + equation_8(network, mu, lam)


@pytest.mark.equation(10)
def test_amtfl_is_equation_10(case):
    options = {"outgoing": 0.3, "sparsity": 0.2, "shared": 0.5}
    amtfl = random_v(make("AMTFL", strength=0.7, **options))
    strengths = [0.7 * s for s in (1, *options.values())]
    expected = equation_10(case, array(amtfl.V), *strengths) / T
    assert value(amtfl, case) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["AMTL", "AMTFL"])
def test_alpha_weighs_the_losses(case, name):
    """Loss and penalty together are the mean of α_t ℓ_t, where nothing else counts."""
    options = {"sparsity": 0.0, "shared": 0.0} if name == "AMTFL" else {"columns": T}
    r = random_v(make(name, outgoing=0.4, **options))
    V = array(r.coefficients() if name == "AMTL" else r.V)
    alpha = 1 + 0.4 * np.abs(V).sum(1)  # what each task gives
    losses = array(case[3])
    added = value(r, case) - value(r, case[:3])
    assert losses.mean() + added == pytest.approx((alpha * losses).mean())


# --- Gradients and invariances ----------------------------------------------------


class Together(torch.nn.Module):
    """A penalty as a function of the weights of network and regulariser."""

    def __init__(self, network, regularizer):
        super().__init__()
        self.network, self.regularizer = network, regularizer

    def forward(self, features, losses):
        predictions = self.network.head(features)
        return self.regularizer(self.network, features, predictions, losses)


@EVERY
def test_gradient_is_the_numerical_one(case, name):
    network, features, _, losses = case
    r = make(name).double()
    if name in ("AMTL", "AMTFL"):
        random_v(r).outgoing = 0.3
    if name == "CNMTL":
        r.start_epoch(network)
    both = Together(network, r)
    weights = dict(both.named_parameters())

    def penalty(features, losses, *values):
        torch.manual_seed(0)  # the same columns
        new = dict(zip(weights, values, strict=True))
        return torch.func.functional_call(both, new, (features, losses))

    inputs = [features, losses, *weights.values()]
    inputs = [v.detach().clone().requires_grad_() for v in inputs]
    assert torch.autograd.gradcheck(penalty, inputs)


@OF_TASKS
def test_order_of_tasks_does_not_matter(case, name):
    network, features, predictions, losses = case
    order = torch.randperm(T, generator=torch.manual_seed(5))
    shuffled = copy.deepcopy(network)
    shuffled.head.weight.data = network.head.weight.data[order]
    shuffled.head.bias.data = network.head.bias.data[order]
    r = make(name).double()
    if name == "CNMTL":
        r.start_epoch(network)
    else:
        random_v(r)
    again = copy.deepcopy(r)
    if name == "CNMTL":
        again.labels = r.labels[order]
    else:
        again.V.data = r.V.data[order]
        if name == "AMTL":
            again.V.data = again.V.data[:, order]
    permuted = shuffled, features, predictions[:, order], losses[order]
    assert value(again, permuted) == pytest.approx(value(r, case), rel=1e-12)


def test_names_of_clusters_do_not_matter(case):
    cnmtl = make("CNMTL")
    before = value(cnmtl, case)
    cnmtl.labels = torch.tensor([2, 0, 1])[cnmtl.labels]
    assert value(cnmtl, case) == pytest.approx(before, rel=1e-12)


@EVERY
def test_strength_scales_the_penalty(case, name):
    found = {}
    for strength in (0.0, 1.0, 3.0):
        torch.manual_seed(0)
        r = make(name, strength=strength).double()
        if name == "CNMTL":
            r.labels = torch.arange(T) % K
        found[strength] = value(r, case)
    assert found[0] == 0
    assert found[3] == pytest.approx(3 * found[1])
    assert found[1] > 0


# --- Limits of CNMTL, and its clusters --------------------------------------------


def test_with_one_cluster_nothing_is_between(case):
    """The within term is then the spread around the mean: mean-regularised tasks."""
    found = value(CNMTL(T, 1, mean=0.0, between=1e9, within=1.0), case)
    W = array(case[0].head.weight)
    assert found == pytest.approx(W.var(0).sum(), rel=1e-6)


def test_with_a_cluster_a_task_nothing_is_within(case):
    cnmtl = CNMTL(T, T, mean=0.0, between=1.0, within=1e9)
    W = array(case[0].head.weight)
    assert value(cnmtl, case) == pytest.approx(W.var(0).sum(), rel=1e-6)


@pytest.mark.parametrize("clusters", [1, 3, 7, T])
def test_weighted_and_with_equal_lambdas_cnmtl_is_the_l2_penalty(case, clusters):
    W = array(case[0].head.weight)
    found = value(CNMTL(T, clusters, weighted=True), case)
    assert found == pytest.approx((W**2).sum() / T)
    if clusters in (3, 7):
        assert value(CNMTL(T, clusters), case) < 0.99 * found  # as printed


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_is_scikit_learns_from_the_same_start(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(80, 5))
    points[:40] += 3
    start = points[rng.permutation(80)[:4]]
    theirs = KMeans(4, init=start, n_init=1, tol=0, algorithm="lloyd").fit(points)
    ours = kmeans(torch.tensor(points), torch.tensor(start), steps=300)
    assert ours.tolist() == theirs.labels_.tolist()


def test_kmeans_of_equal_points_ends():
    assert kmeans(torch.ones(5, 2), torch.ones(3, 2)).tolist() == [0] * 5


def test_clusters_that_are_there_are_found_and_followed(case):
    network = case[0]
    truth = torch.arange(T) % 2
    centres = 5 * torch.eye(2, w, dtype=torch.double)

    def spread(centres):
        network.head.weight.data = centres[truth] + 0.1 * torch.randn(T, w)

    spread(centres)
    cnmtl = CNMTL(T, 2)
    cnmtl.generator = torch.Generator().manual_seed(0)
    cnmtl.start_epoch(network)
    first = cnmtl.labels.clone()
    assert len(set(zip(first.tolist(), truth.tolist(), strict=True))) == 2
    spread(centres + 3)  # the same clusters elsewhere keep their names
    cnmtl.start_epoch(network)
    assert torch.equal(cnmtl.labels, first)


def profiles(n, seed):
    """Targets in three groups, linear in the landmarks, plus noise."""
    rng = np.random.default_rng(seed)
    groups = np.random.default_rng(99).normal(size=(D, 3))
    weights = groups[:, np.arange(T) % 3]
    x = rng.normal(size=(n, D))
    y = x @ weights + 0.3 * rng.normal(size=(n, T))
    return Profiles(torch.tensor(x).float(), torch.tensor(y).float())


TRAIN, VALIDATION = profiles(60, 0), profiles(30, 1)
SHORT = Recipe(epochs=4, batch_size=16, lr=1e-2, final_lr=1e-3)


def single(**options):
    torch.manual_seed(0)
    return DenseNet(D, T, hidden=(H, H), **options)


def test_clusters_are_refreshed_at_the_start_of_each_epoch():
    cnmtl, heads = make("CNMTL"), []
    find = cnmtl.start_epoch
    cnmtl.start_epoch = lambda network: (
        heads.append(network.head.weight.detach().clone()),
        find(network),
    )
    fit(single(), TRAIN, VALIDATION, cnmtl, SHORT)
    assert len(heads) == 4
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(heads))
    centres = [heads[-1][cnmtl.labels == k].mean(0) for k in range(K)]
    assert torch.equal(kmeans(heads[-1], torch.stack(centres)), cnmtl.labels)


def test_a_cluster_that_is_empty_starts_anew():
    cnmtl, network = make("CNMTL"), single()
    cnmtl.labels = torch.zeros_like(cnmtl.labels)  # all in one cluster
    torch.manual_seed(0)
    cnmtl.start_epoch(network)
    assert len(cnmtl.labels.unique()) > 1


# --- AMTL's drawn columns, and its V ------------------------------------------------


@pytest.mark.parametrize("columns", [1, 4])
def test_the_mean_over_draws_is_the_exact_penalty(case, columns):
    exact = value(random_v(make("AMTL", outgoing=0.5, columns=T)), case)
    amtl = random_v(make("AMTL", outgoing=0.5, columns=columns)).double()
    amtl.generator = torch.Generator().manual_seed(0)
    draws = np.array([amtl(*case).item() for _ in range(4000)])
    error = draws.std() / len(draws) ** 0.5
    assert draws.std() > 0.05 * exact
    assert abs(draws.mean() - exact) < 4 * error


def test_so_is_the_mean_of_the_gradients(case):
    network, features, predictions, losses = (*case[:2], case[2].detach(), case[3])
    gradients = {}
    for columns in (2, T):
        amtl = random_v(make("AMTL", outgoing=0.5, columns=columns)).double()
        network.zero_grad()
        total, n = 0.0, 3000 if columns == 2 else 1
        amtl.generator = torch.Generator().manual_seed(0)
        for _ in range(n):
            total = total + amtl(network, features, predictions, losses) / n
        total.backward()
        gradients[columns] = network.head.weight.grad.clone(), amtl.V.grad.clone()
    for drawn, exact in zip(gradients[2], gradients[T], strict=True):
        scale = exact.abs().max().item()
        torch.testing.assert_close(drawn, exact, rtol=0, atol=0.15 * scale)


def test_up_to_as_many_targets_as_columns_the_default_is_exact(case):
    assert AMTL(100).columns == 100
    assert AMTL(9).columns == 9
    found = {value(random_v(make("AMTL")), case) for _ in range(5)}
    assert max(found) == pytest.approx(min(found), rel=1e-12)


def test_orthogonal_tasks_help_each_other_in_nothing(case):
    """For orthonormal columns ‖W − WV‖² = ‖W‖² + ‖V‖², smallest at V = 0."""
    network = case[0]
    network.head.weight.data = torch.eye(T, w, dtype=torch.double)
    amtl = random_v(make("AMTL", outgoing=0.0))
    V = array(amtl.coefficients())
    assert value(amtl, case) == pytest.approx(1 + (V**2).sum() / T)
    amtl.V.data.zero_()
    assert value(amtl, case) == pytest.approx(1)


def test_equal_tasks_are_rebuilt_from_the_start(case):
    """V starts with the mean of the others."""
    column = torch.randn(1, w, dtype=torch.double)
    case[0].head.weight.data = column.expand(T, w).clone()
    amtl = AMTL(T, outgoing=0.0)
    assert value(amtl, case) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(array(amtl.coefficients()).sum(0), 1, rtol=1e-6)


@pytest.mark.parametrize("columns", [3, T])
def test_diagonal_stays_zero_and_v_nonnegative_in_training(columns):
    amtl = AMTL(T, strength=0.3, outgoing=0.1, columns=columns)
    before = amtl.coefficients().detach().clone()
    fit(single(), TRAIN, VALIDATION, amtl, Recipe(30, 16, lr=2e-2, final_lr=1e-3))
    V = amtl.coefficients()
    assert V.shape == (T, T)
    assert (V.diagonal() == 0).all()
    assert (V >= 0).all()
    off = ~torch.eye(T, dtype=torch.bool)
    assert (before != V)[off].float().mean() > 0.9
    assert (V == 0)[off].any()  # projected, not only small


def test_what_stands_on_the_diagonal_or_below_zero_has_no_effect(case):
    amtl = random_v(make("AMTL"))
    before = value(amtl, case)
    amtl.V.data.fill_diagonal_(1e6)
    assert value(amtl, case) == pytest.approx(before, rel=1e-12)
    amtl.V.data[0, 1] = 0
    at_zero = value(amtl, case)
    amtl.V.data[0, 1] = -5
    assert value(amtl, case) == pytest.approx(at_zero, rel=1e-12)
    assert amtl.coefficients()[0, 1] == 0


def test_a_weight_at_zero_can_come_back():
    """Where an equal task is switched off, training switches it on again."""
    network = DenseNet(D, 2, hidden=()).double()
    network.head.weight.data = torch.ones(2, D, dtype=torch.double)
    amtl = AMTL(2, outgoing=0.0).double()
    amtl.V.data.fill_(-0.01)  # where a step may have left it
    adam = torch.optim.Adam(amtl.parameters(), lr=0.05)
    for _ in range(100):
        adam.zero_grad()
        amtl(network, None, torch.zeros(3, 2)).backward()
        adam.step()
    np.testing.assert_allclose(array(amtl.coefficients()), 1 - np.eye(2), atol=0.05)


# --- Through fit --------------------------------------------------------------------


@EVERY
def test_strength_0_leaves_the_network_as_it_is(name):
    """Not even batches and dropout change: draws come from a stream of their own."""
    plain, idle = (
        fit(single(dropout=0.3), TRAIN, VALIDATION, r, SHORT, seed=3)
        for r in (None, make(name, strength=0.0))
    )
    for a, b in zip(
        plain.network.state_dict().values(),
        idle.network.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b)
    assert plain.history.equals(idle.history)


@EVERY
def test_training_lowers_the_penalty(name):
    """Below what the same training gives without feeling it."""
    found = {}
    for felt in (False, True):
        r = make(name, strength=0.3 if felt else 0.0)
        recipe = Recipe(60, 20, lr=1e-2, final_lr=1e-3)
        network = fit(single(dropout=0.0), TRAIN, VALIDATION, r, recipe).network
        r.strength = 1.0
        x = TRAIN.x
        features = network.features(x)
        predictions = network.head(features)
        losses = (predictions - TRAIN.y).abs().mean(0)
        found[felt] = r(network, features, predictions, losses).item()
    assert found[True] < 0.8 * found[False]


@EVERY
def test_the_same_seed_gives_the_same_result(name):
    options = {"columns": 3} if name == "AMTL" else {}
    fits = []
    for state in (1, 2):
        network, r = single(), make(name, strength=0.1, **options)
        torch.manual_seed(state)
        fits.append(fit(network, TRAIN, VALIDATION, r, SHORT, seed=7))
    assert fits[0].history.equals(fits[1].history)


# --- Table 2 and wrong arguments ---------------------------------------------------

TABLE_2 = lab.paper_table(2)


@pytest.mark.parametrize("row", TABLE_2.index)
def test_weights_are_those_of_table_2(row):
    """To one unit of the last printed digit: 1.7e8 and 1.89e8 are cut off."""
    units, method, printed = TABLE_2.loc[row, ["hidden_units", "method", "parameters"]]
    with torch.device("meta"):
        network = DenseNet(943, 9520, hidden=(int(units), int(units)))
        regularizer = {
            "Deep-GO-MTL": lambda: GOMTL(),
            "Deep-CNMTL": lambda: CNMTL(9520),
            "Deep-AMTL": lambda: AMTL(9520),
            "Deep-AMTFL": lambda: AMTFL(9520, network.head.in_features),
            "Deep-LSMTL": lambda: MaskedLowRank(9520, rank=1000),
        }[method]()
    ours = count_weights(network, regularizer)
    assert abs(ours - float(printed)) <= lab.unit(printed)


@pytest.mark.parametrize(
    ("name", "wrong", "named"),
    [
        ("GOMTL", {"strength": -1.0}, r"strength .* -1\.0"),
        ("GOMTL", {"sparsity": "1"}, "sparsity .* '1'"),
        ("GOMTL", {"shared": float("nan")}, "shared .* nan"),
        ("CNMTL", {"targets": 0}, "targets .* 0"),
        ("CNMTL", {"clusters": 0}, "clusters .* 0"),
        ("CNMTL", {"clusters": T + 1}, f"clusters .* {T} targets, got {T + 1}"),
        ("CNMTL", {"mean": -1.0}, r"mean .* -1\.0"),
        ("CNMTL", {"between": -1.0}, r"between .* -1\.0"),
        ("CNMTL", {"within": -1.0}, r"within .* -1\.0"),
        ("CNMTL", {"weighted": "yes"}, "weighted .* True, False.*yes"),
        ("AMTL", {"targets": 1}, "targets .* at least 2"),
        ("AMTL", {"outgoing": -1.0}, r"outgoing .* -1\.0"),
        ("AMTL", {"columns": 0}, "columns .* 0"),
        ("AMTFL", {"features": 0}, "features .* 0"),
        ("AMTFL", {"outgoing": float("inf")}, "outgoing .* inf"),
        ("AMTFL", {"sparsity": -1.0}, r"sparsity .* -1\.0"),
        ("AMTFL", {"shared": -1.0}, r"shared .* -1\.0"),
    ],
)
def test_wrong_arguments_are_named(name, wrong, named):
    kind, least = {
        "GOMTL": (GOMTL, {}),
        "CNMTL": (CNMTL, {"targets": T, "clusters": K}),
        "AMTL": (AMTL, {"targets": T}),
        "AMTFL": (AMTFL, {"targets": T, "features": w}),
    }[name]
    with pytest.raises(ValueError, match=named):
        kind(**least | wrong)


@OF_TASKS
def test_predictions_of_another_number_of_targets_are_refused(case, name):
    network, features, *_ = case
    with pytest.raises(ValueError, match=f"11 targets .* made for {T}"):
        make(name)(network, features, torch.zeros(B, 11))


def test_features_of_another_width_are_refused(case):
    network, _, predictions, losses = case
    with pytest.raises(ValueError, match=f"{w + 1} features .* made for {w}"):
        make("AMTFL")(network, torch.zeros(B, w + 1), predictions, losses)
