"""One thread a test process: as fast for small networks, and no fight for cores."""

import torch

torch.set_num_threads(1)
