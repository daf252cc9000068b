"""How large the runs are: the presets, and what preset `paper` is for.

Preset `paper` runs on the original files (`make data DGEX=/path`) and needs a GPU. In a
dry run, `LSMTL_DRY_RUN=1`, it takes the sizes of `ci` on the CPU, so that all of its
code can be tried on small files of the same form; nothing that it makes counts as
`paper`.
"""

import os

import torch

PRESETS = ("ci", "laptop", "gpu", "paper")  # from small to large
ORIGINALS = {  # a set or scenario of the original files → its profiles, in words
    "geo": "111,009 arrays of GEO",
    "geo-gtex": "GEO; 1000G chooses; GTEx tests",
}
DRY = "dry run"  # stands for `paper` in badges and records


def dry_run():
    """Whether this is a dry run of preset `paper`."""
    given = os.environ.get("LSMTL_DRY_RUN") or "0"
    if given not in ("0", "1"):
        raise ValueError(f"LSMTL_DRY_RUN must be 0 or 1, got {given!r}")
    return given == "1"


def shown(preset):
    """What badges and records call a preset: `paper` is a dry run where it is one."""
    return DRY if preset == "paper" and dry_run() else preset


def on_gpu(preset):
    """Whether runs of a preset are made on a GPU, by its name or that of `shown`."""
    return shown(preset) in ("gpu", "paper")


def need_gpu(preset):
    """Refuse a preset that this machine can't run.

    Raises:
        ValueError: its runs are made on a GPU, and there is none.
    """
    if on_gpu(preset) and not torch.cuda.is_available():
        raise ValueError(f"preset {preset} needs a GPU, and PyTorch sees none here")
