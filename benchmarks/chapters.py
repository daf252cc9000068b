"""What executing a chapter takes at preset ci, and many kernels at the same time.

Every chapter in a fresh kernel, one after the other, with the committed records at
hand and no others, so that runs of preset ci are made. Then one chapter in several
kernels at once, as in a class. About 15 minutes on two idle cores; Linux only.
"""

import asyncio
import contextlib
import hashlib
import os
import tempfile
import time

import jupytext
import psutil
from nbclient import NotebookClient

from lsmtl.lab import notebooks

TOGETHER = (1, 2, 4)  # kernels
CLASS = "masked-low-rank"  # the chapter that they execute
PERIOD = 0.1  # seconds between two looks at memory


def measure():
    """Measure; yields what a record needs, a dict a chapter, then a dict a class.

    Metrics: `seconds` (wall clock, from the start of the kernel to its end) and
    `cpu_seconds`, a kernel's; `peak_mb` of one kernel with its children; and `sum_mb`,
    the most that all took together, pages that they share counted once.
    """
    for path in notebooks.chapters():
        yield {"method": path.stem} | _measured(path, 1)
    for kernels in TOGETHER:
        path = next(p for p in notebooks.chapters() if p.stem == CLASS)
        yield {"method": f"{path.stem}, together"} | _measured(path, kernels)


def _measured(path, kernels):
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"LSMTL_PRESET": "ci", "TQDM_DISABLE": "1"}
        each = [env | {"LSMTL_RECORDS": f"{folder}/{n}"} for n in range(kernels)]
        found, most = asyncio.run(together(path, each))
    metrics = {
        "seconds": max(seconds for seconds, _, _ in found),
        "cpu_seconds": sum(cpu for _, cpu, _ in found) / kernels,
        "peak_mb": max(peak for _, _, peak in found),
        "sum_mb": most,
    }
    return {
        "configuration": {"kernels": kernels, "cores": len(os.sched_getaffinity(0))},
        "dataset": "default",
        "data": hashlib.sha256(path.name.encode()).hexdigest(),
        "seed": 0,
        "device": "cpu",
        "metrics": {k: float(f"{v:.4g}") for k, v in metrics.items()},
    }


async def together(path, environments):
    """Execute a chapter in several kernels at once.

    Args:
        path: of the chapter.
        environments: a kernel each; its environment variables.

    Returns:
        For each kernel its wall and CPU seconds and its peak memory in MB, and the
        peak of their sum.
    """
    watches = [Watch() for _ in environments]
    looking = asyncio.create_task(_look(watches, most := [0]))
    try:
        pairs = zip(environments, watches, strict=True)
        seconds = await asyncio.gather(*(execute(path, *pair) for pair in pairs))
    finally:
        looking.cancel()
    found = zip(seconds, watches, strict=True)
    return [(s, w.cpu, w.peak / 2**20) for s, w in found], max(most) / 2**20


async def execute(path, environment, watch):
    """Execute a chapter in a kernel of its own; its wall seconds."""
    client = NotebookClient(jupytext.read(path), timeout=600, kernel_name="python3")
    start = time.perf_counter()
    async with client.async_setup_kernel(env=environment):
        watch.process = psutil.Process(client.km.provisioner.pid)
        for index, cell in enumerate(client.nb.cells):
            await client.async_execute_cell(cell, index)
        watch.look()
        watch.process = None
    return time.perf_counter() - start


async def _look(watches, most):
    """Add to `most` what all kernels take together, in bytes, again and again."""
    while True:
        most.append(sum(watch.look() for watch in watches))
        await asyncio.sleep(PERIOD)


class Watch:
    """Memory (bytes) and CPU seconds of a kernel and its children."""

    def __init__(self):
        self.process, self.peak, self.cpu = None, 0, 0.0

    def look(self):
        """Note what they have now; returns it without what processes share."""
        own = shared = cpu = 0
        with contextlib.suppress(psutil.Error, AttributeError):  # ended just now
            for process in (self.process, *self.process.children(recursive=True)):
                memory = process.memory_full_info()
                own, shared = own + memory.rss, shared + memory.pss
                times = process.cpu_times()
                cpu += times.user + times.system
                if process is self.process:
                    cpu += times.children_user + times.children_system
        self.peak, self.cpu = max(self.peak, own), max(self.cpu, cpu)
        return shared
