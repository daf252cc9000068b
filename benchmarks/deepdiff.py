"""DeepDiff's Level I three ways: LSTMs one by one, batched, and as one wide LSTM.

`GroupedLSTM` takes a step of all marks at a time, `torch.nn.LSTM` with block-diagonal
weights would too (its zeros cost time, and it is only timed). About a minute.
"""

import hashlib

import numpy as np
import torch
from torch import nn

from lsmtl.lab.timing import seconds

HIDDEN, BINS, BATCH, SEED = 32, 200, 32, 0
MARKS = (5, 15)  # one input's, all three inputs'
GPU_MINUTES = 1


class GroupedLSTM(nn.Module):
    """LSTMs in two directions, each on a sequence of its own, in one batched product.

    Args:
        lstms: modules `torch.nn.LSTM(1, hidden, bidirectional=True)`, whose weights are
            copied.
    """

    def __init__(self, lstms):
        super().__init__()
        weights = [self._of(lstm) for lstm in lstms]
        stacked = (torch.stack(w, 1) for w in zip(*weights, strict=True))
        self.from_input, self.from_state, self.bias = map(nn.Parameter, stacked)

    @staticmethod
    def _of(lstm):
        """Weights of both directions, gates as input, forget, output, candidate."""
        H, found = lstm.hidden_size, ([], [], [])
        for end in ("", "_reverse"):
            weight = {
                k: v for k, v in lstm.named_parameters() if k.endswith("l0" + end)
            }
            a, b, c, d = weight.values()  # from input, from state, two biases
            for kept, w in zip(found, (a, b, (c + d)[:, None]), strict=True):
                w = w.detach().reshape(4, H, -1)[[0, 1, 3, 2]]
                kept.append(w.reshape(4 * H, -1).T)
        return [torch.stack(kept) for kept in found]

    def forward(self, x):
        """(B, G, L) → states (B, G, L, 2H), forward ones first."""
        (B, G, L), H = x.shape, self.from_state.shape[2]
        both = torch.stack([x, x.flip(2)])  # (2, B, G, L)
        gates = (
            both.permute(3, 0, 2, 1)[..., None] * self.from_input
        )  # (L, 2, G, B, 4H)
        gates = (gates + self.bias).reshape(L, 2 * G, B, 4 * H)
        weight = self.from_state.flatten(0, 1)  # (2G, H, 4H)
        state = cell = x.new_zeros(2 * G, B, H)
        states = []
        for of_step in gates:
            summed = torch.baddbmm(of_step, state, weight)
            enter, forget, leave = summed[..., : 3 * H].sigmoid().chunk(3, -1)
            cell = forget * cell + enter * summed[..., 3 * H :].tanh()
            state = leave * cell.tanh()
            states.append(state)
        states = torch.stack(states).reshape(L, 2, G, B, H)
        ahead, back = states[:, 0], states[:, 1].flip(0)
        return torch.cat([ahead, back], -1).permute(2, 1, 0, 3)


def one_by_one(lstms, x):
    """The same states by `torch.nn.LSTM`, mark by mark: what `lsmtl.deepdiff` does."""
    read = zip(lstms, x.unbind(1), strict=True)
    return torch.stack([lstm(s[..., None])[0] for lstm, s in read], 1)


def ways(marks, device):
    """The ways as functions that go forward and backward, the data, the difference."""
    x = torch.randn(BATCH, marks, BINS)
    data = hashlib.sha256(x.numpy().tobytes()).hexdigest()
    x, settings = x.to(device), {"batch_first": True, "bidirectional": True}
    lstms = nn.ModuleList(nn.LSTM(1, HIDDEN, **settings) for _ in range(marks))
    lstms, grouped = lstms.to(device), GroupedLSTM(lstms).to(device)
    wide = nn.LSTM(marks, marks * HIDDEN, **settings).to(device)
    functions = {
        "one by one": lambda: one_by_one(lstms, x).sum().backward(),
        "batched": lambda: grouped(x).sum().backward(),
        "one wide": lambda: wide(x.mT)[0].sum().backward(),
    }
    return functions, data, (one_by_one(lstms, x) - grouped(x)).abs().max().item()


def measure(rounds=7, threads=1):
    """Seconds forward and backward (the median of `rounds`), a dict a way and size."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    sizes = {"bins": BINS, "hidden": HIDDEN, "batch": BATCH}
    for marks in MARKS:
        functions, data, apart = ways(marks, device)
        times = seconds(functions, rounds)
        for way, taken in times.items():
            yield {
                "method": way,
                "configuration": {"marks": marks, "threads": threads, "rounds": rounds}
                | sizes,
                "dataset": "random",
                "data": data,
                "seed": SEED,
                "device": device,
                "metrics": {
                    "seconds": float(np.median(taken)),
                    "over_one_by_one": float(np.median(taken / times["one by one"])),
                    "batched_differs_by": apart,
                },
            }
    torch.set_num_threads(before)
