"""The marks' LSTMs: one after the other, in one batched kernel, as one wide LSTM."""

import time

import torch
from torch import nn

from lsmtl.deepdiff import VARIANTS, DeepDiff

GPU_MINUTES = 2
HIDDEN, BINS, BATCH, SEED, REPEATS = 32, 200, 32, 0, 5
MARKS = (5, 15)  # a cell type's, and those of both with their difference
