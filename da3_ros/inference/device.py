# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which device computes, and with how many threads."""

from __future__ import annotations

import os
from typing import Final

import torch
from torch.torch_version import TorchVersion

# Taken before any engine sets the number for its thread.
_TORCH_THREADS: Final = torch.get_num_threads()
_GRAPHS_FOR_ALL_THREADS: Final = "2.13"


def resolve_device(name: str) -> torch.device:
    """The device called `name`; `auto` is the first CUDA device, or the CPU where there is none.

    Raises:
        ValueError: when there is no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device '{name}' does not exist: use auto, cpu, cuda or cuda:<index>") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device '{name}' is not supported: use auto, cpu, cuda or cuda:<index>")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ValueError(f"device '{name}' is not available: torch finds {count} CUDA devices; use auto or cpu")
    return device


def resolve_cpu_threads(threads: int) -> int:
    """Number of threads of one network call on the CPU.

    Args:
        threads: as asked for; 0 leaves one core to the other threads of the process where there are more than two.

    Raises:
        ValueError: when it is negative.
    """
    if threads < 0:
        raise ValueError(f"cpu_threads is {threads}: give 0 for automatic, or a number above it")
    if threads:
        return threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_TORCH_THREADS, cores - 1) if cores > 2 else _TORCH_THREADS


def compile_mode(device: torch.device) -> str:
    """How `torch.compile` should treat a network of fixed shapes; on a GPU it records CUDA graphs, never run yet.

    They write to the same place again at every call: what they answer must be copied before the next one.
    """
    # A node warms up in one thread and calls in another, which fails before (pytorch issue #123177).
    may_record = TorchVersion(torch.__version__) >= _GRAPHS_FOR_ALL_THREADS
    return "reduce-overhead" if device.type == "cuda" and may_record else "default"
