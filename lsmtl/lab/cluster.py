"""The processes that make runs: of this machine, or of a Dask cluster elsewhere.

`DASK_SCHEDULER_ADDRESS` names a cluster's scheduler. Its workers load the data
themselves; each makes one run at a time.
"""

import contextlib
import functools
import logging
import math
import os
import signal
import threading
from multiprocessing import resource_tracker

import dask
import torch
from dask.system import CPU_COUNT
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.system import MEMORY_LIMIT

from lsmtl._checks import whole
from lsmtl._progress import tqdm
from lsmtl.lab import experiments, records
from lsmtl.lab.presets import on_gpu

ADDRESS = "DASK_SCHEDULER_ADDRESS"
CLIENT = 500  # MB that the client itself needs
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextlib.contextmanager
def connected(preset, workers=None):
    """A client of the cluster at `DASK_SCHEDULER_ADDRESS`, or of one made for it.

    Yields:
        The client, and the MB that all runs together may need.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        with local(preset, workers) as cluster, Client(cluster) as client:
            yield client, MEMORY_LIMIT / 2**20 - CLIENT
        return
    if workers is not None:
        raise ValueError(f"workers are processes here, but {ADDRESS} is {address}")
    with Client(address) as client:
        try:
            yield client, math.inf
        finally:
            if client.status == "running":
                client.cancel([*client.futures])


@contextlib.contextmanager
def local(preset, workers=None):
    """A cluster of processes of this machine, one run at a time in each.

    Args: as for `sweep`.

    Yields:
        A `SpecCluster`.
    """
    environments = worker_environments(preset, workers)
    cores = max(CPU_COUNT // len(environments), 1) if on_gpu(preset) else 1
    threads = int(os.environ.get("OMP_NUM_THREADS") or cores)
    address = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": ":0"}
    options = address | {"nthreads": 1, "silence_logs": logging.WARNING}
    options["memory_limit"] = 0  # none, and no spilling
    if on_gpu(preset):
        options["resources"] = {"GPU": 1}
    nannies = {
        number: {"cls": Nanny, "options": options | {"env": environment}}
        for number, environment in enumerate(environments)
    }
    scheduler = {"cls": Scheduler, "options": address | {"port": 0}}
    settings = {f"distributed.nanny.pre-spawn-environ.{n}": threads for n in THREADS}
    settings["distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"] = None
    settings["distributed.worker.profile.enabled"] = False  # both cost the runs time
    with dask.config.set(settings):
        # Ctrl-C is for this process only: threads and processes that are made with the
        # signal blocked have it blocked. The tracker would unblock it when it starts.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            cluster = SpecCluster(nannies, scheduler)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            yield cluster
        finally:
            for nanny in cluster.workers.values():  # they hold nothing that is needed
                nanny.close_gracefully()
                if nanny.pid:
                    os.kill(nanny.pid, signal.SIGKILL)
            cluster.close()


def worker_environments(preset, workers=None):
    """What each worker's process finds in its environment.

    Presets gpu and paper have a worker for every GPU, which sees no other; the others
    have one for every core, or for `OMP_NUM_THREADS` of them.

    Args: as for `sweep`.

    Raises:
        ValueError: as for `sweep`.
    """
    if workers is not None:
        whole("workers", workers)
    quiet = {"TQDM_DISABLE": "1"}
    if not on_gpu(preset):
        threads = int(os.environ.get("OMP_NUM_THREADS") or 1)
        return [quiet] * (workers or max(CPU_COUNT // threads, 1))
    count = torch.cuda.device_count()
    if not count:
        raise ValueError(f"preset {preset} needs a GPU, and PyTorch sees none here")
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = seen.split(",") if seen else [str(number) for number in range(count)]
    names = names[: min(count, workers or count)]
    return [quiet | {"CUDA_VISIBLE_DEVICES": name} for name in names]


def slots(client, resources):
    """How many workers there are that have such resources."""
    found = client.scheduler_info(n_workers=-1)["workers"].values()
    return sum(set(resources or ()) <= set(worker["resources"]) for worker in found)


# --- In a worker ----------------------------------------------------------------

_ONE = threading.Lock()  # runs seed the process's random numbers
_BARS = threading.RLock()  # tqdm's own is a semaphore, which outlives a killed process
_source = functools.cache(experiments.source)  # data are loaded once a process


def work(experiment, record, code):
    """Make a planned run, and nothing else meanwhile, in a worker's process.

    Args:
        experiment: an `Experiment`.
        record: one of `planned`.
        code: the client's `records.code()`.

    Returns:
        The complete record.

    Raises:
        RuntimeError: this worker has other code, or other data, than the client.
    """
    if records.code() != code:
        raise RuntimeError(f"the worker at {records.ROOT} has other code: restart it")
    with _ONE:
        tqdm.set_lock(_BARS)
        group = record["configuration"]["group"]
        adata, _, content = _source(record["dataset"], group)
        if content != record["data"]:
            raise RuntimeError(f"the worker has another {record['dataset']}")
        return experiments.make(experiment, record, adata)
