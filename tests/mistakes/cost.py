"""Typical mistakes, an entry an exercise: a wrong answer and a word of its hint."""


def phases(B, P, bandwidth, peak):
    """(seconds for bytes, seconds for operations) of forward, backward and Adam."""
    return [
        (P * moved / bandwidth, P * done * B / peak)
        for moved, done in ((4, 2), (8, 4), (28, 0))
    ]


def roofline(N, B, *rates):
    return N // B * sum(max(pair) for pair in phases(B, *rates))


MISTAKES = (
    [
        (lambda P, m, bf16: P * (4 + 4 * m), "one is missing"),
        (lambda P, m, bf16: 8 * P, "moments are missing"),
        (lambda P, m, bf16: 16 * P, "That is Adam"),
        (lambda P, m, bf16: P * ((4 if bf16 else 8) + 4 * m), "original"),
        (lambda P, m, bf16: P * (8 + (2 if bf16 else 4) * m), "stay in FP32"),
    ],
    [
        (lambda room, K: ((room / 20) ** 0.5, room / (32 * K)), "whole numbers"),
        (lambda room, K: (int((room / 16) ** 0.5), room // (32 * K)), "second matrix"),
        (lambda room, K: (int((room / 20) ** 0.5), room // (16 * K)), "two matrices"),
        (lambda room, K: (room // (32 * K), int((room / 20) ** 0.5)), "V comes first"),
        (lambda room, K: int((room / 20) ** 0.5), "shape (2,)"),
    ],
    [
        (lambda N, B, *r: roofline(N, B, *r) / (N // B), "one step"),
        (lambda N, B, *r: roofline(N, B, *r) * N / B / (N // B), "dropped"),
        (
            lambda N, B, *r: N // B * max(map(sum, zip(*phases(B, *r), strict=True))),
            "one after the other",
        ),
        (lambda N, B, *r: N // B * sum(map(sum, phases(B, *r))), "not their sum"),
        (lambda N, B, *r: N // B * sum(m for m, _ in phases(B, *r)), "Arithmetic"),
        (lambda N, B, *r: N // B * sum(d for _, d in phases(B, *r)), "Memory"),
    ],
)
