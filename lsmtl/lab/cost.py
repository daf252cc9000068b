"""What training costs: weights, operations, bytes held, bytes moved, seconds.

Formulas; `lsmtl.lab.tracing` counts what a step really does.

Shapes: B batch, D landmarks, T targets, H units of a hidden layer, w features at the
head, K the rank of G. GB are 10⁹ bytes, GiB 2³⁰.
"""

from lsmtl._checks import finite, natural, one_of, whole
from lsmtl.lab.penalties import METHODS

LANDMARKS, TARGETS = 943, 9520  # D and T of the paper
EXTRA = {name: m.weights for name, m in METHODS.items() if m.weights}

# scheme → (phase, what happens, bytes read, bytes written), a weight and step
_FORWARD = ("forward", "read W", 4, 0)
_BACKWARD = (
    ("backward", "read W for the gradient of the inputs", 4, 0),
    ("backward", "write the gradient of W", 0, 4),
)
_ADAM = (
    ("Adam", "read gradient, W, m and v", 16, 0),
    ("Adam", "write W, m and v", 0, 12),
)
_UNFUSED = (
    ("Adam", "m ← β₁m + (1−β₁)g", 8, 4),
    ("Adam", "v ← β₂v", 4, 4),
    ("Adam", "v ← v + (1−β₂)g²", 8, 4),
    ("Adam", "a ← √v, a new tensor", 4, 4),
    ("Adam", "a ← a/√(1−β₂ᵗ)", 4, 4),
    ("Adam", "a ← a + ε", 4, 4),
    ("Adam", "W ← W − ηm/a", 12, 4),
)
_BF16_PRODUCTS = (
    ("forward", "read W in BF16", 2, 0),
    ("backward", "read W in BF16 for the gradient of the inputs", 2, 0),
    ("backward", "write the gradient of W in BF16", 0, 2),
)
SCHEMES = {
    "fp32": (_FORWARD, *_BACKWARD, *_ADAM),
    "tf32": (_FORWARD, *_BACKWARD, *_ADAM),
    "unfused": (_FORWARD, *_BACKWARD, *_UNFUSED),
    "autocast": (
        ("forward", "copy W to BF16", 4, 2),
        *_BF16_PRODUCTS,
        ("backward", "copy the gradient to FP32", 2, 4),
        *_ADAM,
    ),
    "bf16 weights": (
        *_BF16_PRODUCTS,
        ("Adam", "read gradient in BF16; W, m and v in FP32", 14, 0),
        ("Adam", "write W, m and v in FP32, W in BF16", 0, 14),
    ),
    "bf16 states": (
        _FORWARD,
        *_BACKWARD,
        ("Adam", "read gradient and W, m and v in BF16", 12, 0),
        ("Adam", "write W, m and v in BF16", 0, 8),
    ),
}
HELD = {  # scheme → bytes held for a weight: itself, gradient, m and v, copies
    "fp32": 4 + 4 + 8,
    "tf32": 4 + 4 + 8,
    "unfused": 4 + 4 + 8,
    "autocast": 4 + 4 + 8 + 2,
    "bf16 weights": 2 + 2 + 8 + 4,
    "bf16 states": 4 + 4 + 4,
}
PER_PRODUCT = {"forward": 2, "backward": 4, "Adam": 0}  # FLOP a weight and profile


def traffic(weights, scheme="fp32"):
    """Bytes that one training step moves to and from memory for the weights alone.

    The sum over the lines of `SCHEMES`: every weight is read in the forward pass, read
    and its gradient written in the backward pass, and Adam reads and writes it and its
    two moments. Activations come on top; they are B/width of that.

    Args:
        weights: number of weights of all linear maps, the regulariser's included.
        scheme: `"fp32"` or `"tf32"` with a fused Adam (TF32 rounds inside the matrix
            units; memory holds FP32), 40 bytes a weight; `"unfused"`, FP32 with an
            Adam that makes a pass for each of its operations, 84; `"autocast"`,
            products in BF16 from FP32 weights, fused Adam, 46; `"bf16 weights"` with
            an FP32 original and FP32 moments, 34; `"bf16 states"`, FP32 weights with
            both moments in BF16, 32.

    Raises:
        ValueError: there is no such scheme, or `weights` is no whole number.

    >>> traffic(553_000_000) / 1e9  # GB a step
    22.12
    """
    lines = SCHEMES[one_of("scheme", scheme, SCHEMES)]
    return natural("weights", weights) * sum(line[2] + line[3] for line in lines)


def operations(weights, batch, training=True):
    """Floating-point operations of a step: 6 a weight and profile, 2 without training.

    A product of (B, n) with (n, m) takes 2Bnm operations, a multiplication and an
    addition for each weight and profile; the gradients of its two factors take as many
    each.

    Args:
        weights: number of weights of all linear maps.
        batch: B.
        training: with the backward pass.

    Raises:
        ValueError: `batch` is no positive whole number or `weights` no whole number.

    >>> operations(534_000_000, batch=100) / 1e12  # TFLOP a step
    0.3204
    """
    each = sum(PER_PRODUCT.values()) if training else PER_PRODUCT["forward"]
    return each * whole("batch", batch) * natural("weights", weights)


def least_seconds(weights, batch, bandwidth, peak, scheme="fp32"):
    """The least time of a training step: each phase is bound by memory or arithmetic.

    Sum over forward, backward and Adam of max(bytes / bandwidth, operations / peak).

    Args:
        weights: number of weights of all linear maps.
        batch: B.
        bandwidth: bytes a second, from and to memory.
        peak: operations a second of matrix products.
        scheme: see `traffic`.

    Raises:
        ValueError: there is no such scheme, or a rate is below one a second.

    >>> round(least_seconds(553_000_000, 100, 3.35e12, 495e12, "tf32") * 1000, 1)  # ms
    6.6
    """
    finite("bandwidth", bandwidth, minimum=1.0)
    finite("peak", peak, minimum=1.0)
    lines = SCHEMES[one_of("scheme", scheme, SCHEMES)]
    weights, batch = natural("weights", weights), whole("batch", batch)
    seconds = 0.0
    for phase, each in PER_PRODUCT.items():
        moved = sum(line[2] + line[3] for line in lines if line[0] == phase)
        seconds += weights * max(moved / bandwidth, each * batch / peak)
    return seconds


def count(method, hidden, targets=TARGETS, landmarks=LANDMARKS, rank=1000):
    """Weights of a DenseNet and a method's penalty: D·H + (D+H)·H + … + w·T + extra.

    AMTL and V add T² weights, AMTFL T·w, G 2TK, the others none. That gives the
    thirteen counts of Table 2.

    Args:
        method: a key of `EXTRA`.
        hidden: units of each hidden layer.
        targets: T.
        landmarks: D.
        rank: K.

    Raises:
        ValueError: there is no such method, or a size is no positive whole number.

    >>> f"{count('Deep-LSMTL', (3000, 3000)):.2e}"
    '9.98e+07'
    """
    extra = EXTRA[one_of("method", method, EXTRA)]
    hidden, targets, landmarks = _sizes(hidden, targets, landmarks)
    weights, width = 0, landmarks
    for units in hidden:
        weights, width = weights + width * units, width + units
    return weights + width * targets + extra(targets, width, whole("rank", rank))


def activations(hidden, targets=TARGETS, landmarks=LANDMARKS):
    """Numbers that a step of a DenseNet keeps for each profile until the backward pass.

    The profile itself, D + T; each concatenation; three of each layer's units (what the
    linear map and batch norm give, and the mask of the dropout); three of
    the targets (predictions, errors and their absolute values).

    Args:
        hidden: units of each hidden layer.
        targets: T.
        landmarks: D.

    Raises:
        ValueError: a size is no positive whole number.

    >>> activations((10,), targets=5, landmarks=3)  # 8 + 13 + 3·10 + 3·5
    66
    """
    hidden, targets, landmarks = _sizes(hidden, targets, landmarks)
    kept, width = landmarks + 4 * targets, landmarks
    for units in hidden:
        width += units
        kept += width + 3 * units
    return kept


def peak(method, hidden, targets=TARGETS, landmarks=LANDMARKS, rank=1000, batch=100):
    """Bytes that a step in FP32 with a fused Adam needs at its worst moment.

    16 a weight (`HELD`), and 4 for each number that it keeps: those of `activations`
    for each profile; for V a second matrix with its diagonal set to zero, T², and 2T a
    profile; for G 4T + 2K a profile.

    Args:
        method: `"DenseNet"`, `"V"` (on predictions) or `"Deep-LSMTL"`.
        hidden, targets, landmarks, rank: as for `count`.
        batch: B.

    Raises:
        ValueError: there is no such method, or a size is no positive whole number.

    >>> round(peak("Deep-LSMTL", (9000,) * 3) / 2**30, 1)  # GiB
    8.3
    """
    one_of("method", method, ("DenseNet", "V", "Deep-LSMTL"))
    weights = count(method, hidden, targets, landmarks, rank)
    kept = whole("batch", batch) * activations(hidden, targets, landmarks)
    more = {
        "DenseNet": 0,
        "V": targets**2 + batch * 2 * targets,
        "Deep-LSMTL": batch * (4 * targets + 2 * rank),
    }[method]
    return HELD["fp32"] * weights + 4 * (kept + more)


def _sizes(hidden, targets, landmarks):
    """The sizes of a network, each a positive whole number."""
    hidden = [whole("hidden", units) for units in hidden]
    return hidden, whole("targets", targets), whole("landmarks", landmarks)


def largest(fits, limit=10**9):
    """The largest whole number that fits, 0 if none does, by bisection.

    Args:
        fits: a function of a whole number that is true up to some number and false
            beyond it.
        limit: it isn't sought beyond this.

    >>> largest(lambda T: T**2 <= 10_000)
    100
    """
    low, high = 0, whole("limit", limit) + 1  # low fits, high doesn't
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
