"""What a training takes of a device's memory, and what would fit."""

import contextlib
import os

import torch

STATE = 20  # bytes a weight: itself, gradient, Adam's two moments, its best value


def fits(device, module, profiles):
    """Whether profiles fit on the device beside what training needs.

    Args:
        device: a `torch.device`.
        module: what is trained.
        profiles: x (n, D) and y (n, T).
    """
    if device.type != "cuda":
        return True
    data = sum(v.nbytes for v in profiles if v.device.type != "cuda")
    state = STATE * sum(p.numel() for p in module.parameters())
    free = torch.cuda.mem_get_info(device)[0]
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return data + state < 0.8 * free


@contextlib.contextmanager
def explained(device, objective, profiles):
    """Turn an error that memory ran out into one that says what would fit.

    Raises:
        MemoryError: it ran out.
    """
    try:
        yield
    except RuntimeError as error:
        out = isinstance(error, torch.cuda.OutOfMemoryError)
        if not out and "allocate memory" not in str(error):
            raise
        raise MemoryError(would_fit(device, objective, profiles)) from error


def would_fit(device, objective, profiles):
    """What a training takes of the device's memory, and what would fit, in words."""
    if device.type == "cuda":
        total = torch.cuda.mem_get_info(device)[1]
    else:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    weights = sum(p.numel() for p in objective.parameters())
    profile = activations(objective.network)
    batch = min(objective.recipe.batch_size, len(profiles[0]))
    data = sum(v.nbytes for v in profiles)
    left = total - STATE * weights
    advice = []
    if device.type == "cuda":
        advice.append("the profiles outside, with resident=False")
    if left > data + 2 * profile:
        advice.append(f"a batch of at most {(left - data) // profile:,}")
    advice.append(f"at most {total // STATE:,} weights, and that with no profile")
    return (
        f"memory ran out, of {_gb(total)} on {device}: {weights:,} weights with "
        f"gradients, Adam's moments and a copy of the best {_gb(STATE * weights)}, the "
        f"training profiles {_gb(data)}, a batch of {batch} at least "
        f"{_gb(batch * profile)}. What would fit: {'; '.join(advice)}"
    )


def activations(network):
    """Bytes a profile that a forward pass keeps for the backward pass, at least.

    >>> from lsmtl.networks import MLP
    >>> activations(MLP(20, 50, hidden=(8,), dropout=0.0)) > 4 * 20
    True
    """
    kept = {}

    def keep(tensor):
        if tensor.dim() > 1 and tensor.shape[0] == 2:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    state = {k: v.to("meta") for k, v in network.state_dict(keep_vars=True).items()}
    x = torch.empty(2, network.landmarks, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        torch.func.functional_call(network, state, (x,)).sum()
    targets = 3 * 4 * network.targets  # predictions, measured values, their difference
    return sum(v.nbytes for v in kept.values()) // 2 + targets


def _gb(size):
    return f"{size / 1e9:.1f} GB"
