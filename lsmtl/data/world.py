r"""The generative model of the simulated compendium.

Latent programs **z** of a profile add up what cell type, study, condition and the
profile itself do; a module's program and a gene's own are saturating functions of
them; a platform reads their sum and adds noise:

$$
\begin{aligned}
\mathbf{z} &= \omega \odot \textstyle\sum_k \sqrt{s_k}\,
    \mathbf{e}_k, \quad \omega_p \propto p^{-1} \\
u_m &= \tanh(\mathbf{z}^\top \mathbf{a}_m + b_m), \quad
o_g = \tanh(\mathbf{z}^\top \mathbf{w}_g + h_g) \\
v_g &= \mu_g + \sigma_g \big(\sqrt{\rho_g}\, \tilde{u}_{m(g)}
    + \sqrt{1 - \rho_g}\, \tilde{o}_g\big) \\
x_g &= \log_2\big(2^{\phi} + 2^{v_g}\big) + \tau_g \epsilon_g
\end{aligned}
$$

The tilde stands for mean 0, variance 1 and, for $o$, what is uncorrelated with the
module's program, among the first platform's profiles, one a study. Profiles are drawn
in chunks of 256, each from generators of its own, so a chunk has the same values
whatever else is drawn. Random numbers are NumPy's, on the CPU; products and functions
are PyTorch's, on the device.

Shapes: n profiles, P programs, M modules, D landmarks, T targets, G = D + T genes.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch

from lsmtl._checks import finite, natural, one_of, whole

CHUNK = 256  # profiles that are drawn together
REFERENCE = 4096  # profiles, a study each, that means and shares are taken from
PROGRAMS = 200  # P
FALL = 1.0  # ω_p falls as p to the power of minus this
TYPES = 60  # cell types
SHARES = {"type": 0.3, "study": 0.35, "condition": 0.25, "profile": 0.1}  # of Var(z)
FREEDOM = 5  # of Student's t, from which all effects on programs are drawn
REPLICATES = 6  # profiles of a condition, on average, before chunks cut some
GAIN = 4.0  # slope of the saturating functions, per deviation of their input
THRESHOLD = 0.8  # spread of their thresholds, in the same deviations
CONCENTRATION = 10  # of the Beta distributions of relatedness and noise over genes
MOST = 1 - 1e-6  # of a gene's variance that can be noise
CANDIDATES = 2  # genes of a cluster from which its representative is taken
PLATFORMS = {  # spread of the genes' gains and offsets, floor in log2, noise's odds
    "microarray": (0.0, 0.0, 1.5, 1.0),
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
        noise: mean over targets of the share of noise in a gene's variance on the first
            platform; landmarks have less.
        relatedness: mean over targets of the share of a target's variance that its
            module's program makes.
        per_study: mean number of profiles of a study, before chunks of 256 cut some.
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
    share = share.clip(max=MOST)  # a Beta draw can be 1 to the last digit
    rng = _generator(seed, "programs")
    drawn = {
        "a": _slopes(rng, weights, modules),
        "b": GAIN * THRESHOLD * rng.standard_normal(modules),
        "w": _slopes(rng, weights, genes),
        "h": GAIN * THRESHOLD * rng.standard_normal(genes),
    }
    level = 5.5 + 1.6 * rng.standard_normal(genes)
    spread = 1.2 * np.exp(0.3 * rng.standard_normal(genes))
    number = list(PLATFORMS).index(platform)
    gains, offsets, floor, odds = PLATFORMS[platform]
    rng = _generator(seed, "platform", number)
    level = level + offsets * rng.standard_normal(genes)
    spread = spread * np.exp(gains * rng.standard_normal(genes))
    share = odds * share / (1 - share + odds * share)
    drawn |= {"level": level, "spread": spread, "floor": floor}
    made = World(
        seed=seed,
        platform=platform,
        number=number,
        per_study=per_study,
        landmarks=landmarks,
        module=module,
        strength=strength,
        noise=share,
        types=_heavy(_generator(seed, "types"), TYPES),
        mix=_mix(seed, number),
        tensors={k: torch.tensor(v, dtype=torch.float32) for k, v in drawn.items()},
    )
    _calibrate(made)
    made.tensors = {k: v.to(device) for k, v in made.tensors.items()}
    return made


@dataclass
class World:
    """What `world` makes: the genes' truth, and chunks of profiles.

    Args:
        seed, platform, per_study, landmarks: as given; `number` is the platform's.
        module: (G,) module of every gene, landmarks first.
        strength: (G,) ρ, the share of its module's program in its expression.
        noise: (G,) share of noise in its variance on this platform.
        types: (TYPES, P) effects of the cell types; `mix` (TYPES,) how frequent.
        tensors: the constants of the equations: `a` (P, M), `b` (M,), `w` (P, G),
            `h` (G,), `floor`; `level`, `shared` and `alone` (G,), so that
            v = level + shared · u + alone · o; and τ, `sd` (G,).
    """

    seed: int
    platform: str
    number: int
    per_study: float
    landmarks: int
    module: np.ndarray
    strength: np.ndarray
    noise: np.ndarray
    types: np.ndarray
    mix: np.ndarray
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
        effects = {
            "type": self.types[kind],
            "study": _heavy(rng, study[-1] + 1)[study],
            "condition": _heavy(rng, group[-1] + 1)[group],
            "profile": _heavy(rng, CHUNK),
        }
        z = sum(np.sqrt(share) * effects[name] for name, share in SHARES.items())
        return torch.from_numpy(np.float32(_weights() * z))

    def expression(self, z):
        """v (n, G), before platform and noise, from programs z (n, P)."""
        t = self.tensors
        u = torch.tanh(z @ t["a"] + t["b"])  # (n, M)
        o = torch.tanh(z @ t["w"] + t["h"])  # (n, G)
        return t["level"] + t["shared"] * u[:, t["module"]] + t["alone"] * o

    def read(self, v):
        """What the platform reads of expression v (n, G), without noise."""
        return torch.logaddexp2(self.tensors["floor"], v)

    def chunk(self, k):
        """Profiles k·256 to (k + 1)·256 - 1, (256, G)."""
        device = self.tensors["a"].device
        values = self.read(self.expression(self.programs(k).to(device)))
        rng = _generator(self.seed, "errors", self.number, k)
        errors = rng.standard_normal(values.shape, dtype=np.float32)
        return values.addcmul_(torch.from_numpy(errors).to(device), self.tensors["sd"])

    def _design(self, k):
        """Study, group and cell type of each profile of a chunk; the generator."""
        rng = _generator(self.seed, "samples", self.number, k)
        new_study = rng.random(CHUNK) < 1 / self.per_study
        new_study[0] = True  # a study lies within a chunk
        new_group = new_study | (rng.random(CHUNK) < 1 / REPLICATES)
        study, group = new_study.cumsum() - 1, new_group.cumsum() - 1
        pair = rng.choice(TYPES, (CHUNK, 2), p=self.mix)  # at most two in a study
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


def _mix(seed, number):
    """How frequent each cell type is among a platform's profiles."""
    return _generator(seed, "mix", number).dirichlet(np.full(TYPES, 0.5))


def _reference(made):
    """z (REFERENCE, P) of profiles that each are a study."""
    loners = replace(made, per_study=1.0)
    chunks = range(2**20, 2**20 + REFERENCE // CHUNK)  # which no set reaches
    return torch.cat([loners.programs(k) for k in chunks])


def _calibrate(made):
    """Set the constants that means and deviations over reference profiles decide.

    Those of the genes are the same on every platform, from the first one's profiles.
    """
    z = _reference(replace(made, number=0, mix=_mix(made.seed, 0)))
    t, module = made.tensors, torch.from_numpy(made.module)
    u = torch.tanh(z @ t["a"] + t["b"]).double()
    u_mean, u_sd = u.mean(0), u.std(0, correction=0)
    u = (u - u_mean) / u_sd
    found = []
    for genes in torch.arange(len(module)).split(1000):
        o = torch.tanh(z @ t["w"][:, genes] + t["h"][genes]).double()
        slope = (o * u[:, module[genes]]).mean(0)  # what it shares with the module
        found.append((o.mean(0), slope, (o.var(0, correction=0) - slope**2).sqrt()))
    o_mean, slope, o_sd = map(torch.cat, zip(*found, strict=True))
    strength, spread = torch.from_numpy(made.strength), t.pop("spread").double()
    alone = spread * (1 - strength).sqrt() / o_sd
    shared = (spread * strength.sqrt() - alone * slope) / u_sd[module]
    level = t["level"] - shared * u_mean[module] - alone * o_mean
    t |= {"level": level.float(), "shared": shared.float(), "alone": alone.float()}
    t["module"] = module
    total, squares = 0.0, 0.0
    for part in _reference(made).split(CHUNK):
        read = made.read(made.expression(part)).double()
        total, squares = total + read.sum(0), squares + read.square().sum(0)
    variance = squares / REFERENCE - (total / REFERENCE) ** 2
    noise = torch.from_numpy(made.noise)
    t["sd"] = (variance * noise / (1 - noise)).sqrt().float()
