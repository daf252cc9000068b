"""What training costs: weights, operations, bytes held, bytes moved, seconds.

Formulas on the one hand, and on the other two ways to count what a step really does:
`traced_peak` and `traced_traffic` follow its operations on tensors without content,
so that the paper's full size needs neither its memory nor a GPU.

Shapes: B batch, D landmarks, T targets, H units of a hidden layer, w features at the
head, K the rank of G. GB are 10⁹ bytes, GiB 2³⁰.
"""

from lsmtl._checks import finite, natural, one_of, whole

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
        ValueError: there is no such scheme, or a rate is not positive.

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
