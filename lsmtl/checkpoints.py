"""What a training has come to, and the file from which it goes on."""

import hashlib
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch

SAVED_EVERY = 60  # seconds between checkpoints


@dataclass
class Progress:
    """What a training has come to: enough, with weights and random states, to go on.

    Args:
        epoch: the next.
        history: the rows of `Fit.history`.
        train_mae: after each epoch, with the recipe's `decay`.
        best: the lowest validation MAE.
        best_state: the network's weights then.
    """

    epoch: int = 0
    history: list = field(default_factory=list)
    train_mae: list = field(default_factory=list)
    best: float = math.inf
    best_state: dict | None = None

    def add(self, row, network):
        """Note a row of the history, its last entry the validation MAE."""
        self.epoch += 1
        self.history.append(row)
        if row[-1] < self.best:
            self.best, state = row[-1], network.state_dict()
            if self.best_state is None:
                self.best_state = {k: torch.empty_like(v) for k, v in state.items()}
            for name, values in state.items():
                self.best_state[name].copy_(values)


class Checkpoint:
    """A file from which a training goes on as if it had not stopped.

    Args:
        path: the file; None keeps nothing.
        run: a `Single` or a Fabric; its first process writes.
        objective: the module with all the weights that are trained.
        optimizer: over them.
        generators: of random numbers, beside PyTorch's own.
        progress: an object whose attributes are kept too.
    """

    def __init__(self, path, run, objective, optimizer, generators, progress):
        self.path = None if path is None else Path(path)
        self.run, self.generators, self.progress = run, generators, progress
        self.objective, self.optimizer = objective, optimizer
        self.saved = 0.0

    def resume(self, settings, *profiles):
        """Go on from the file, if it is there. Nothing in it is executed.

        Args:
            settings: what the training was started with.
            profiles: x and y of each part, told by some of their rows.

        Raises:
            ValueError: the file is no checkpoint, or one of another training.
        """
        if self.path is None:
            return
        self.settings = {
            "network": _described(self.objective.network),
            "regularizer": _described(self.objective.regularizer),
            "profiles": _some_rows(profiles),
            "processes": self.run.world_size,
            "device": self.run.device.type,
        } | settings
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
            found = kept["settings"]
        except Exception as error:
            raise ValueError(
                f"{self.path} is no checkpoint of a training: {error}"
            ) from None
        for name, value in self.settings.items():
            if found.get(name) != value:
                raise ValueError(
                    f"{self.path} is of another training: its {name} differs, from "
                    f"{found.get(name)!r} there to {value!r} here"
                )
        vars(self.progress).update(kept["progress"])
        self.objective.load_state_dict(kept["objective"])
        groups = self.optimizer.state_dict()["param_groups"]
        states = {"state": kept["optimizer"], "param_groups": groups}
        self.optimizer.load_state_dict(states)
        for generator, state in zip(self.generators, kept["generators"], strict=True):
            generator.set_state(state)
        rank = self.run.global_rank
        torch.set_rng_state(kept["random"][rank].clone())  # a view would crash
        if self.run.device.type == "cuda":
            torch.cuda.set_rng_state(kept["cuda"][rank].clone(), self.run.device)

    def save(self, spent, last):
        """Write the file, when `SAVED_EVERY` has passed or this is the last time.

        A reader finds the file before or the file after, whole.

        Args:
            spent: seconds since the training began, the same in all processes.
            last: whether this is the last time.
        """
        if self.path is None or (not last and spent < self.saved + SAVED_EVERY):
            return
        self.saved = spent
        kept = {
            "settings": self.settings,
            "progress": vars(self.progress),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "generators": [generator.get_state() for generator in self.generators],
            "random": self._of_all(torch.get_rng_state()),
        }
        if self.run.device.type == "cuda":
            state = torch.cuda.get_rng_state(self.run.device)
            kept["cuda"] = self._of_all(state)
        if self.run.global_rank == 0:
            part = self.path.with_name(self.path.name + ".part")
            torch.save(kept, part)
            os.replace(part, self.path)
        self.run.barrier()

    def _of_all(self, state):
        """A random state, a row a process."""
        return self.run.all_gather(state).cpu().view(self.run.world_size, -1)


def _described(module):
    """Kind and settings of a module, in words that a checkpoint can hold."""
    if module is None:
        return None
    settings = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, int | float | str) and name != "training"
    }
    layers = " ".join(str(module).split())
    return f"{layers} {settings}"


def _some_rows(profiles):
    """A hash of some rows of x and y of each part, and of their number."""
    digest = hashlib.sha256()
    for v in (v for part in profiles for v in part):
        digest.update(f"{tuple(v.shape)}".encode())
        digest.update(v[:: len(v) // 64 + 1].cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
