# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a figure was measured on: without it no figure can be compared."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

# Instructions without which bfloat16 is emulated, as the kernel of Linux calls them.
BF16_FLAGS = ("amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16")


@dataclass(frozen=True, slots=True)
class Machine:
    """Hardware, software and day of a measurement.

    Attributes:
        cpu: the processor's own name.
        cores: that this process may use.
        simd: widest vectors that torch's kernels use, and the bfloat16 instructions there are; empty when unknown.
        memory_gb: all of the machine's, 2^30 bytes.
        gpu: its name, or "none".
        system: kernel and Python.
        torch: its version; empty when it is not installed.
        threads: of the numerical libraries; 0 when each process chose for itself.
        date: ISO, UTC.
    """

    cpu: str
    cores: int
    simd: str
    memory_gb: float
    gpu: str
    system: str
    torch: str
    threads: int
    date: str

    def __str__(self) -> str:
        simd = f" ({self.simd})" if self.simd else ""
        gpu = "no GPU" if self.gpu == "none" else self.gpu
        threads = f", threads: {self.threads}" if self.threads else ""
        hardware = f"{self.cpu}, cores: {self.cores}{simd}, {self.memory_gb:.0f} GB, {gpu}"
        return f"{hardware}; {self.system}, torch {self.torch or 'not installed'}{threads}; {self.date}"


def this_machine(threads: int = 0) -> Machine:
    """Look at the machine that we run on; `threads` is told by whoever set them."""
    version, capability, gpu = _torch()
    flags = [flag for flag in BF16_FLAGS if flag in _cpuinfo("flags", "Features").split()]
    return Machine(
        cpu=_cpuinfo("model name", "Model") or platform.processor() or platform.machine(),
        cores=_cores(),
        simd=", ".join([capability, *flags]) if capability else ", ".join(flags),
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        gpu=gpu,
        system=f"{platform.system()}, Python {platform.python_version()}",
        torch=version,
        threads=threads,
        date=datetime.now(timezone.utc).date().isoformat(),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _torch() -> tuple[str, str, str]:
    """Version, capability of the CPU, and name of the GPU; `ros` needs none of it."""
    try:
        import torch
    except ImportError:
        return "", "", "none"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return str(torch.__version__), torch.backends.cpu.get_cpu_capability(), gpu


def _cpuinfo(*names: str) -> str:
    """The first line of one of these names in Linux's description of the processor; empty elsewhere."""
    if not sys.platform.startswith("linux"):
        return ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""
