r"""The generative model of the simulated compendium.

A profile is a point in the space of a few hundred latent *programs*; a gene is a
saturating function of them, shared in part with the other genes of its *module*, read
by a platform, with noise of its own:

$$
\begin{aligned}
\mathbf{z}_i &= \boldsymbol{\omega} \odot \big(\sqrt{s_1} \mathbf{c}_i +
    \sqrt{s_2} \mathbf{d}_i + \sqrt{s_3} \mathbf{e}_i + \sqrt{s_4} \mathbf{f}_i\big) \\
u_{im} &\propto \tanh(\mathbf{z}_i^\top \mathbf{a}_m + b_m) \\
v_{ig} &= \sqrt{\rho_g}\, u_{i m(g)} + \sqrt{1 - \rho_g}\,
    \overline{\tanh}(\mathbf{z}_i^\top \mathbf{w}_g + h_g) \\
y_{ig} &= \log_2\big(2^{\phi} + 2^{\mu_g + \sigma_g v_{ig}}\big)
    + \tau_g \epsilon_{ig}
\end{aligned}
$$

Profiles are drawn in chunks of 256, each from generators of its own, so a chunk has
the same values whatever else is drawn. Random numbers come from NumPy on the CPU,
products and functions are PyTorch's on the device.

Shapes: n samples, P programs, M modules, D landmarks, T targets, G = D + T genes.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from lsmtl._checks import finite, natural, one_of, whole

CHUNK = 256  # profiles that are drawn together
REFERENCE = 4096  # profiles, a study each, that means and shares are taken from
PROGRAMS = 200  # P
FALL = 1.0  # ω_p falls as p to the power of minus this
TYPES = 60  # cell types
SHARES = {"type": 0.4, "study": 0.2, "condition": 0.3, "profile": 0.1}  # of Var(z)
FREEDOM = 5  # of Student's t, from which all effects on programs are drawn
REPLICATES = 6  # profiles of a condition, on average
GAIN = 4.0  # slope of the saturating functions, per deviation of their input
THRESHOLD = 1.0  # spread of their thresholds, in the same deviations
CONCENTRATION = 10  # of the Beta distributions of relatedness and noise over genes
CANDIDATES = 2  # genes of a cluster from which its representative is taken
PLATFORMS = {  # spread of the genes' gains and offsets, floor in log2, noise's odds
    "microarray": (0.0, 0.0, 3.0, 1.0),
    "rnaseq": (0.25, 1.0, 0.0, 1.3),
    "beads": (0.15, 0.7, 5.0, 1.2),
}


def world(
    landmarks,
    targets,
    seed=0,
    modules=None,
    platform="microarray",
    noise=0.12,
    relatedness=0.5,
    per_study=40,
    device="cpu",
):
    """The genes of a simulated compendium and how they are read.

    Args:
        landmarks: D.
        targets: T.
        seed: decides everything.
        modules: M, at most T; None makes one for every 50 targets.
        platform: one of `PLATFORMS`. Each reads the same genes with its own gains,
            offsets, floor and noise, in other samples with another mix of cell types.
        noise: mean share of noise in a gene's variance on the first platform.
        relatedness: mean over targets of the share of a target's variance that its
            module's program makes.
        per_study: mean number of profiles of a study.
        device: where chunks are made.

    Returns:
        A `World`.
    """
    whole("landmarks", landmarks)
    whole("targets", targets)
    natural("seed", seed)
    modules = max(1, targets // 50) if modules is None else whole("modules", modules)
    if modules > targets:
        raise ValueError(f"modules must be at most targets, {targets}; got {modules}")
    one_of("platform", platform, PLATFORMS)
    if finite("noise", noise) >= 1:
        raise ValueError(f"noise must be below 1, got {noise!r}")
    if finite("relatedness", relatedness) > 1:
        raise ValueError(f"relatedness must be at most 1, got {relatedness!r}")
    finite("per_study", per_study, minimum=1)
    genes, weights = landmarks + targets, _weights()

    rng = _generator(seed, "modules")
    module = np.concatenate(
        [np.arange(landmarks) % modules, rng.permutation(np.arange(targets) % modules)]
    )
    strength = _shares(_generator(seed, "strength"), relatedness, landmarks, targets)
    share = _shares(_generator(seed, "noise"), noise, landmarks, targets, np.min)
    rng = _generator(seed, "programs")
    drawn = {
        "a": _slopes(rng, weights, modules),
        "b": GAIN * THRESHOLD * rng.standard_normal(modules),
        "w": _slopes(rng, weights, genes),
        "h": GAIN * THRESHOLD * rng.standard_normal(genes),
    }
    level = 5.5 + 1.6 * rng.standard_normal(genes)
    spread = 1.2 * np.exp(0.3 * rng.standard_normal(genes))
    gains, offsets, floor, odds = PLATFORMS[platform]
    rng = _generator(seed, "platform", list(PLATFORMS).index(platform))
    spread = spread * np.exp(gains * rng.standard_normal(genes))
    level = level + offsets * rng.standard_normal(genes)
    share = odds * share / (1 - share + odds * share)
    types = _generator(seed, "types").standard_t(FREEDOM, (TYPES, PROGRAMS))
    mix = rng.dirichlet(np.full(TYPES, 0.5))

    made = World(
        seed=seed,
        landmarks=landmarks,
        platform=platform,
        per_study=per_study,
        module=module,
        strength=strength,
        noise=share,
        types=types / np.sqrt(FREEDOM / (FREEDOM - 2)),
        mix=mix,
        floor=floor,
        tensors={k: torch.from_numpy(np.float32(v)) for k, v in drawn.items()},
    )
    _standardise(made, level, spread)
    made.tensors = {k: v.to(device) for k, v in made.tensors.items()}
    return made


@dataclass
class World:
    """What `world` makes: the genes' truth, and chunks of profiles.

    Args:
        module: (G,) module of every gene, landmarks first.
        strength: (G,) share of its module's program in its expression.
        noise: (G,) share of noise in its variance on this platform.
        types: (TYPES, P) programs of the cell types; `mix` (TYPES,) how frequent.
    """

    seed: int
    landmarks: int
    platform: str
    per_study: float
    module: np.ndarray
    strength: np.ndarray
    noise: np.ndarray
    types: np.ndarray
    mix: np.ndarray
    floor: float
    tensors: dict

    @property
    def shape(self):
        """How many landmarks and how many targets there are."""
        return self.landmarks, len(self.module) - self.landmarks

    def labels(self, samples):
        """Study, cell type and group of the first profiles, each (samples,) of str."""
        found = {"study": [], "cell_type": [], "group": []}
        for k in range(-(-samples // CHUNK)):
            study, group, kind, _ = self._design(k)
            found["study"] += [f"study{k}.{s}" for s in study]
            found["cell_type"] += [f"type{t}" for t in kind]
            found["group"] += [f"group{k}.{g}" for g in group]
        return {name: np.array(values[:samples]) for name, values in found.items()}

    def programs(self, k):
        """z (256, P) of a chunk's profiles, float32."""
        study, group, kind, rng = self._design(k)
        parts = {
            "type": self.types[kind],
            "study": _heavy(rng, study[-1] + 1)[study],
            "condition": _heavy(rng, group[-1] + 1)[group],
            "profile": _heavy(rng, CHUNK),
        }
        z = sum(np.sqrt(SHARES[name]) * part for name, part in parts.items())
        return torch.from_numpy(np.float32(_weights() * z))

    def signal(self, z):
        """What the platform reads of programs z (n, P), without noise: (n, G)."""
        t = self.tensors
        u = torch.tanh(z @ t["a"] + t["b"])  # (n, M)
        own = torch.tanh(z @ t["w"] + t["h"])  # (n, G)
        v = t["level"] + t["shared"] * u[:, t["module"]] + t["alone"] * own
        return torch.logaddexp2(t["floor"], v)

    def chunk(self, k):
        """Profiles k·256 to (k + 1)·256 - 1, (256, G)."""
        device = self.tensors["a"].device
        values = self.signal(self.programs(k).to(device))
        rng = _generator(self.seed, "errors", self._platform, k)
        errors = rng.standard_normal(values.shape, dtype=np.float32)
        return values.addcmul_(torch.from_numpy(errors).to(device), self.tensors["sd"])

    @property
    def _platform(self):
        return list(PLATFORMS).index(self.platform)

    def _design(self, k):
        """Study, group and cell type of each profile of a chunk; the generator."""
        rng = _generator(self.seed, "samples", self._platform, k)
        new_study = rng.random(CHUNK) < 1 / self.per_study
        new_study[0] = True  # a study lies within a chunk
        new_group = new_study | (rng.random(CHUNK) < 1 / REPLICATES)
        study, group = new_study.cumsum() - 1, new_group.cumsum() - 1
        pair = rng.choice(TYPES, (CHUNK, 2), p=self.mix)  # a study compares two types
        which = rng.integers(2, size=CHUNK)
        return study, group, pair[study, which[group]], rng


def _generator(seed, what, *index):
    """A generator of its own for every quantity and chunk."""
    word = int.from_bytes(hashlib.sha256(what.encode()).digest()[:4], "little")
    return np.random.default_rng([seed, word, *index])


def _weights():
    """ω (P,), falling, with squares that add up to 1."""
    weights = np.arange(1, PROGRAMS + 1) ** -FALL
    return weights / np.sqrt((weights**2).sum())


def _heavy(rng, rows):
    """Effects (rows, P) with heavy tails and variance 1."""
    t = rng.standard_t(FREEDOM, (rows, PROGRAMS))
    return t / np.sqrt(FREEDOM / (FREEDOM - 2))


def _slopes(rng, weights, columns):
    """Directions (P, columns) along which z has the standard deviation GAIN."""
    directions = rng.standard_normal((PROGRAMS, columns))
    scale = np.sqrt(((weights[:, None] * directions) ** 2).sum(0))
    return GAIN * directions / scale


def _shares(rng, mean, landmarks, targets, best=np.max):
    """A share for every gene; a landmark has the best among its candidates."""
    if mean in (0, 1):
        return np.full(landmarks + targets, float(mean))
    a, b = CONCENTRATION * mean, CONCENTRATION * (1 - mean)
    first = best(rng.beta(a, b, (landmarks, CANDIDATES)), axis=1)
    return np.concatenate([first, rng.beta(a, b, targets)])


def _standardise(made, level, spread):
    """Fold means and deviations over reference profiles into the genes' constants."""
    alone = World(**(vars(made) | {"per_study": 1.0}))
    chunks = range(2**20, 2**20 + REFERENCE // CHUNK)  # which no set reaches
    z = torch.cat([alone.programs(k) for k in chunks])
    t, module = made.tensors, torch.from_numpy(made.module)
    u = torch.tanh(z @ t["a"] + t["b"]).double()
    u_mean, u_sd = u.mean(0), u.std(0, correction=0)
    u = (u - u_mean) / u_sd
    slope, mean, sd = [], [], []
    for w, h, m in zip(
        t["w"].split(1000, 1), t["h"].split(1000), module.split(1000), strict=True
    ):
        own = torch.tanh(z @ w + h).double()
        mean.append(own.mean(0))
        slope.append((own * u[:, m]).mean(0))  # what it shares with the module
        sd.append((own.var(0, correction=0) - slope[-1] ** 2).sqrt())
    slope, mean, sd = torch.cat(slope), torch.cat(mean), torch.cat(sd)
    strength, level = torch.from_numpy(made.strength), torch.from_numpy(level)
    spread = torch.from_numpy(spread)
    alone = spread * (1 - strength).sqrt() / sd
    shared = (spread * strength.sqrt() - alone * slope) / u_sd[module]
    level = level - shared * u_mean[module] - alone * mean
    t |= {"level": level.float(), "shared": shared.float(), "alone": alone.float()}
    t |= {"module": module, "floor": torch.tensor(made.floor)}
    total, squares = 0.0, 0.0
    for part in z.split(CHUNK):
        read = made.signal(part).double()
        total, squares = total + read.sum(0), squares + read.square().sum(0)
    variance = squares / len(z) - (total / len(z)) ** 2
    noise = torch.from_numpy(made.noise)
    t["sd"] = (variance * noise / (1 - noise)).sqrt().float()
