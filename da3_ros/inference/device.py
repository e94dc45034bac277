# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which device computes, and with how many threads."""

from __future__ import annotations

import os

import torch


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
    default = torch.get_num_threads()
    return min(default, cores - 1) if cores > 2 else default


def compile_mode(device: torch.device) -> str:
    """How `torch.compile` should treat a network of fixed shapes; on a GPU it records CUDA graphs, never run yet.

    They write to the same place again at every call: what they answer must be copied before the next one.
    """
    return "reduce-overhead" if device.type == "cuda" else "default"
