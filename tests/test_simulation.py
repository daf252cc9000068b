"""The simulated compendium: what is declared is what the values show."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from lsmtl import data
from lsmtl.data import simulate, simulate_blocks
from lsmtl.data.simulation import simulate_splits
from lsmtl.data.world import CHUNK, GAIN, PLATFORMS, REPLICATES, SHARES, world

SMALL = {"landmarks": 20, "targets": 100, "modules": 5}
WORLD = world(**SMALL)
LONERS = world(**SMALL, per_study=1)  # every profile is a study
Z = torch.cat([LONERS.programs(k) for k in range(30)])  # (7680, P)
V = LONERS.expression(Z).double().numpy()


def drawn(samples=700, seed=0, **options):
    return simulate(samples, seed=seed, **SMALL | options)


def correlations(values):
    return np.corrcoef(np.asarray(values, float).T)


# The same values


@pytest.mark.parametrize("block", [1, 100, CHUNK, 300, 5000])
def test_values_do_not_depend_on_the_block(block):
    blocks = list(simulate_blocks(700, seed=0, block=block, **SMALL))
    assert all(len(b) == block for b in blocks[:-1])
    assert torch.equal(torch.cat(blocks), torch.from_numpy(drawn().X))


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 600])
def test_a_smaller_set_is_the_beginning_of_a_larger_one(samples):
    large, small = drawn(), drawn(samples)
    assert (large.X[:samples] == small.X).all()
    assert small.obs.equals(large.obs[:samples])
    assert small.var.equals(large.var)


def test_seeds_make_other_worlds_and_other_profiles():
    one, two = drawn(seed=1), drawn(seed=2)
    assert not np.isclose(one.X, two.X).any(axis=0).all()
    assert (one.var["noise"] != two.var["noise"]).all()
    assert (
        one.uns["relations"]["module"] != two.uns["relations"]["module"]
    ).mean() > 0.5
    between = correlations(np.hstack([one.X, two.X]))[: one.n_vars, one.n_vars :]
    assert np.abs(between).mean() < np.abs(correlations(one.X)).mean()


def test_noise_and_relatedness_leave_the_programs_alone():
    other = world(**SMALL, noise=0.3, relatedness=0.1)
    assert torch.equal(other.programs(3), WORLD.programs(3))
    for name in "abwh":
        assert torch.equal(other.tensors[name], WORLD.tensors[name])


# The equations


def test_a_chunk_is_what_the_equations_say():
    t = {k: v.double().numpy() for k, v in WORLD.tensors.items()}
    z = WORLD.programs(2).double().numpy()
    u, o = np.tanh(z @ t["a"] + t["b"]), np.tanh(z @ t["w"] + t["h"])
    v = t["level"] + t["shared"] * u[:, WORLD.module] + t["alone"] * o
    read = np.log2(2 ** t["floor"] + 2**v)
    without = replace(
        WORLD, tensors=WORLD.tensors | {"sd": torch.zeros_like(WORLD.tensors["sd"])}
    )
    np.testing.assert_allclose(without.chunk(2), read, atol=1e-4)
    errors = (WORLD.chunk(2).numpy() - read) / t["sd"]
    assert abs(errors.mean()) < 0.03
    assert abs(errors.std() - 1) < 0.03
    assert np.abs(correlations(errors) - np.eye(120)).mean() < 0.07  # 1/√256


def test_strength_is_the_share_that_the_modules_program_explains():
    u = torch.tanh(Z @ LONERS.tensors["a"] + LONERS.tensors["b"]).numpy()
    explained = [
        np.corrcoef(V[:, g], u[:, m])[0, 1] for g, m in enumerate(WORLD.module)
    ]
    np.testing.assert_allclose(np.square(explained), WORLD.strength, atol=0.06)
    assert min(explained) > 0


def test_noise_is_the_share_of_the_variance_that_is_declared():
    made = torch.cat([LONERS.chunk(k) for k in range(30)]).double()
    errors = made - LONERS.read(LONERS.expression(Z))
    share = errors.var(0) / made.var(0)
    np.testing.assert_allclose(share, WORLD.noise, atol=0.03)
    assert drawn().var["noise"].tolist() == WORLD.noise.tolist()


def test_mean_strength_and_noise_are_what_is_asked_for():
    made = world(20, 2000, modules=5, noise=0.2, relatedness=0.3)
    assert made.noise[20:].mean() == pytest.approx(0.2, abs=0.02)
    assert made.strength[20:].mean() == pytest.approx(0.3, abs=0.02)


def test_values_are_finite_however_much_of_them_is_noise():
    made = world(**SMALL, noise=0.99)
    assert made.noise[20:].mean() == pytest.approx(0.99, abs=0.01)
    assert made.noise.max() < 1
    assert made.chunk(0).isfinite().all()


def test_effects_on_programs_have_their_shares_and_heavy_tails():
    z = np.concatenate([WORLD.programs(k) for k in range(30)])
    rare = z / z.std(0)
    assert np.median((rare**4).mean(0)) > 3.3  # a Gaussian has 3
    labels = WORLD.labels(len(z))
    within = {}
    for name in ("study", "group"):
        _, of = np.unique(labels[name], return_inverse=True)
        size = np.bincount(of)
        sums = np.zeros((len(size), z.shape[1]))
        np.add.at(sums, of, rare)
        left = ((rare - (sums / size[:, None])[of]) ** 2).sum(0)
        within[name] = np.median(left / (len(z) - len(size)))
    assert within["group"] == pytest.approx(SHARES["profile"], rel=0.2)
    assert within["study"] < 1 - SHARES["study"]
    assert within["study"] > SHARES["condition"]


def test_functions_saturate():
    v = WORLD.expression(torch.cat([Z[:5] * 100, Z[:5] * 200])).numpy()
    assert np.isclose(v[:5], v[5:], atol=0.1).mean() > 0.95
    slopes = (Z @ LONERS.tensors["a"]).std(0)
    np.testing.assert_allclose(slopes, GAIN, rtol=0.25)


# Relations


def test_targets_of_a_module_are_related_and_others_are_not():
    adata = drawn(3000, relatedness=0.7, per_study=1)
    module = adata.uns["relations"]["module"]
    found = correlations(adata.X[:, 20:])
    same = module[:, None] == module
    pairs = ~np.eye(100, dtype=bool)
    assert found[same & pairs].mean() > 0.4
    assert np.mean(found[same & pairs] > 0) > 0.95
    without = correlations(drawn(3000, relatedness=0.0, per_study=1).X[:, 20:])
    assert abs(without[same & pairs].mean() - without[~same].mean()) < 0.05


def test_given_the_modules_programs_targets_of_a_module_are_no_longer_related():
    u = torch.tanh(Z @ LONERS.tensors["a"] + LONERS.tensors["b"]).double().numpy()
    u = (u - u.mean(0)) / u.std(0)
    v = V[:, 20:] - V[:, 20:].mean(0)
    rest = np.empty_like(v)
    for t, m in enumerate(WORLD.module[20:]):
        rest[:, t] = v[:, t] - u[:, m] * (u[:, m] @ v[:, t]) / len(v)
    module = WORLD.module[20:]
    pairs = (module[:, None] == module) & ~np.eye(100, dtype=bool)
    assert correlations(v)[pairs].mean() > 0.3
    assert abs(correlations(rest)[pairs].mean()) < 0.1


def test_a_landmark_represents_its_module():
    made = world(50, 500, modules=10)
    adata = simulate(3000, 50, 500, modules=10, per_study=1)
    found = correlations(adata.X)[:50, 50:]
    same = made.module[:50, None] == made.module[50:]
    assert set(made.module[:50]) == set(range(10))
    assert found[same].mean() > 0.35
    assert abs(found[~same].mean()) < 0.1
    assert made.strength[:50].mean() > made.strength[50:].mean()
    assert made.noise[:50].mean() < made.noise[50:].mean()


def test_modules_are_of_equal_size_and_by_default_about_50():
    assert np.bincount(WORLD.module[20:]).tolist() == [20] * 5
    assert world(5, 300).module.max() == 5
    assert world(5, 9).module.max() == 0


# Samples and platforms


def test_labels_nest():
    adata = drawn(2000)
    assert list(adata.obs) == ["study", "cell_type", "group", "platform"]
    groups = adata.obs.groupby("group")
    assert (groups["study"].nunique() == 1).all()
    assert (groups["cell_type"].nunique() == 1).all()
    assert (adata.obs.groupby("study")["cell_type"].nunique() <= 2).all()
    assert len(groups) == pytest.approx(2000 / REPLICATES, rel=0.3)
    assert adata.obs["study"].nunique() == pytest.approx(2000 / 40, rel=0.5)
    assert (drawn(50, per_study=1).obs["study"].nunique()) == 50


def test_replicates_are_more_alike_than_a_study_and_that_than_all():
    z = torch.cat([WORLD.programs(k) for k in range(4)])
    labels = WORLD.labels(len(z))
    apart = torch.cdist(z, z).square().numpy()
    group = labels["group"][:, None] == labels["group"]
    study = labels["study"][:, None] == labels["study"]
    one = ~np.eye(len(z), dtype=bool)
    assert apart[group & one].mean() < 0.5 * apart[study & ~group].mean()
    assert apart[study & ~group].mean() < 0.9 * apart[~study].mean()


@pytest.mark.parametrize("platform", ["rnaseq", "beads"])
def test_another_platform_reads_the_same_genes_in_other_samples(platform):
    other = world(**SMALL, platform=platform)
    first, second = drawn(), drawn(platform=platform)
    for name in ("module", "strength"):
        truth = [a.uns["relations"][name] for a in (first, second)]
        assert (truth[0] == truth[1]).all()
    assert set(second.obs["platform"]) == {platform}
    assert not torch.isclose(other.programs(0), WORLD.programs(0)).any()
    assert np.abs(other.mix - WORLD.mix).sum() > 0.5  # other cell types
    assert (other.noise > WORLD.noise).all()
    means = [a.X.mean(0) for a in (first, second)]
    assert 0.3 < np.abs(means[0] - means[1]).mean() < 5
    assert np.corrcoef(*means)[0, 1] > 0.5
    values = other.expression(Z[:500]).double().numpy()  # of the same profiles
    for gene, reference in zip(values.T, V[:500].T, strict=True):
        assert np.corrcoef(gene, reference)[0, 1] > 0.9999


@pytest.mark.parametrize("platform", PLATFORMS)
def test_nothing_reads_below_the_floor(platform):
    made = world(**SMALL, platform=platform, noise=0.0)
    floor = PLATFORMS[platform][2]
    read = made.read(torch.tensor([[floor - 9.0, floor, floor + 9]]).repeat(120, 1).T)
    assert (made.chunk(0) >= floor).all()
    assert read[:, 0].tolist() == pytest.approx([floor, floor + 1, floor + 9], abs=0.01)


# Splits


@pytest.mark.parametrize("group", [None, "study", "group"])
@pytest.mark.parametrize("block", [64, 10_000])
def test_splits_are_those_of_the_adata(group, block):
    want = data.split(drawn(800), seed=3, group=group, fractions=(0.6, 0.2, 0.2))
    got = simulate_splits(
        800,
        **SMALL,
        fractions=(0.6, 0.2, 0.2),
        group=group,
        split_seed=3,
        block=block,
    )
    assert (got.landmarks, got.targets) == (want.landmarks, want.targets)
    for part in ("train", "validation", "test"):
        ours, theirs = getattr(got, part), getattr(want, part)
        assert ours.samples == theirs.samples
        torch.testing.assert_close(ours.x, theirs.x, rtol=0, atol=1e-6)
        torch.testing.assert_close(ours.y, theirs.y, rtol=0, atol=1e-6)


def test_splits_are_standardised_by_the_training_rows():
    splits = simulate_splits(800, **SMALL)
    for values in (splits.train.x, splits.train.y):
        assert values.double().mean(0).abs().max() < 1e-5
        assert (values.double().std(0, correction=0) - 1).abs().max() < 1e-5
    assert splits.test.y.mean(0).abs().max() > 0.01


def test_the_simulation_needs_no_anndata_to_fill_a_gpu():
    code = """
import sys
sys.modules.update(dict.fromkeys(("anndata", "scipy", "sklearn", "h5py")))
from lsmtl.data import simulate_blocks
from lsmtl.data.simulation import simulate_splits
assert len(next(iter(simulate_blocks(20, 5, 30, seed=0, block=7)))) == 7
assert len(simulate_splits(50, 5, 30, group="group").train)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Errors


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"samples": 0}, "samples"),
        ({"landmarks": 2.5}, "landmarks"),
        ({"targets": -1}, "targets"),
        ({"seed": -1}, "seed"),
        ({"modules": 0}, "modules"),
        ({"modules": 101}, "at most targets"),
        ({"platform": "rna"}, "microarray, rnaseq, beads"),
        ({"noise": 1}, "noise must be below 1"),
        ({"noise": -0.1}, "noise"),
        ({"relatedness": 1.1}, "relatedness"),
        ({"relatedness": float("nan")}, "relatedness"),
        ({"per_study": 0.5}, "per_study"),
    ],
)
def test_bad_arguments_are_named(options, word):
    for draw in (simulate, simulate_blocks, simulate_splits):
        with pytest.raises(ValueError, match=word):
            draw(**{"samples": 50, "seed": 0} | SMALL | options)


def test_bad_blocks_groups_and_numbers_of_samples_are_named():
    with pytest.raises(ValueError, match="block"):
        simulate_blocks(50, seed=0, block=0, **SMALL)
    with pytest.raises(ValueError, match="block"):
        simulate_splits(50, block=0, **SMALL)
    with pytest.raises(ValueError, match="group must be one of study"):
        simulate_splits(50, group="cohort", **SMALL)
    with pytest.raises(ValueError, match="9 samples are too few"):
        simulate_splits(9, **SMALL)
    with pytest.raises(ValueError, match="three sets need at least 3"):
        simulate_splits(20, group="study", per_study=500, **SMALL)
