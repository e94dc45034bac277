# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Predicted and measured peak memory of network calls, side by side; whoever changes the network refits by this.

python -m test.inference.peak_memory_report
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from scipy.optimize import nnls

from da3_ros.geometry.prediction import Effort
from da3_ros.inference.estimator import CPU_VIEWS_AT_ONCE, DepthEstimator
from da3_ros.inference.peak_memory import COPIES, MB, MemoryOfCall, one_copy, predicted_peak, weight_bytes
from da3_ros.inference.precision import resolve_precision, set_precision
from da3_ros.model.build import build_network
from da3_ros.nodes.memory import hand_back_freed_memory
from test.model.tiny import TINY, TINY_SWIGLU

# Wide and deep enough for the weights to count, and not so large that a test takes long.
NARROW: Final = MappingProxyType(
    {**TINY, "dim": 192, "heads": 3, "head_features": 64, "head_channels": (48, 96, 96, 96)}
)
GATED: Final = MappingProxyType({**TINY_SWIGLU, "dim": 192, "heads": 3})
CPU: Final = torch.device("cpu")
BYTES: Final = {"fp32": 4, "bf16": 2}
NETWORKS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"tiny": TINY, "narrow": NARROW, "gated": GATED, "small": {}}
)


@dataclass(frozen=True, slots=True)
class Case:
    """One call to be measured on the CPU."""

    network: str
    views: int
    size: tuple[int, int]
    precision: str = "fp32"
    head_precision: str = "fp32"
    half_chunks: bool = False
    want_rays: bool = False

    @property
    def is_native(self) -> bool:
        """Whether this machine computes in these types."""
        names = (self.precision, self.head_precision)
        return all(resolve_precision(name, CPU).itemsize == BYTES[name] for name in names)

    def call(self) -> MemoryOfCall:
        """As the prediction takes it."""
        with torch.device("meta"):
            network = build_network("da3-small", **NETWORKS[self.network])
        set_precision(network, *(resolve_precision(name, CPU) for name in (self.precision, self.head_precision)))
        return MemoryOfCall(
            network.config,
            weight_bytes(network),
            self.views,
            self.size,
            1 if self.half_chunks else CPU_VIEWS_AT_ONCE,
            self.want_rays,
        )


CASES: Final = (
    Case("tiny", 1, (56, 56)),
    Case("tiny", 4, (280, 504)),
    Case("tiny", 8, (280, 504), half_chunks=True),
    Case("tiny", 16, (140, 252)),
    Case("narrow", 1, (280, 504)),
    Case("narrow", 4, (280, 504)),
    Case("narrow", 8, (280, 504), want_rays=True),
    Case("narrow", 8, (280, 504), half_chunks=True),
    Case("narrow", 8, (280, 504), "bf16", "bf16"),
    Case("narrow", 24, (140, 252)),
    Case("gated", 8, (280, 504)),
    Case("gated", 24, (140, 252), half_chunks=True),
    Case("small", 1, (280, 504)),
    Case("small", 4, (280, 504)),
    Case("small", 4, (280, 504), want_rays=True),
    Case("small", 4, (280, 504), "bf16"),
    Case("small", 4, (280, 504), "bf16", "bf16"),
    Case("small", 8, (280, 504)),
    Case("small", 8, (280, 504), half_chunks=True),
    Case("small", 2, (504, 504)),
    Case("small", 12, (280, 504), half_chunks=True),
    Case("small", 12, (168, 224)),
)


def measured_bytes(case: Case) -> int:
    """Peak of a child process over what it held before the network was built."""
    command = [sys.executable, "-m", __spec__.name, "--measure", json.dumps(asdict(case))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    return int(done.stdout)


def measure(case: Case) -> int:
    """In this process, which must be fresh."""
    hand_back_freed_memory()
    torch.nn.functional.conv2d(torch.ones(1, 8, 8, 8), torch.ones(8, 8, 3, 3))  # oneDNN loads its code now
    images = [np.zeros((*case.size, 3), np.uint8)] * case.views
    before = _resident("VmRSS")
    estimator = DepthEstimator(
        build_network("da3-small", **NETWORKS[case.network]),
        CPU,
        process_resolution=max(case.size),
        pose_source="rays" if case.want_rays else "camera_head",
        cpu_threads=1,
        precision=case.precision,
        head_precision=case.head_precision,
    )
    estimator.estimate(images, effort=Effort(half_chunks=case.half_chunks))
    return _resident("VmHWM") - before


def fit(calls: Sequence[MemoryOfCall], measured: Sequence[int]) -> tuple[dict[str, float], float]:
    """`COPIES` and `SAFETY`: the relative least squares, and what then lifts every prediction above its measurement."""
    working = np.array([peak - call.weight_bytes - call.kept_bytes for call, peak in zip(calls, measured, strict=True)])
    parts = np.array([list(one_copy(call).values()) for call in calls]) / working[:, None]
    copies, _ = nnls(parts, np.ones(len(calls)))
    rounded = np.ceil(copies * 20) / 20
    return dict(zip(COPIES, rounded.tolist(), strict=True)), float((1 / (parts @ rounded)).max())


def _resident(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert found, f"the kernel does not tell {field}"
    return 1024 * int(found[1])


def main() -> None:
    """Print the table, or measure one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", help="one case as JSON: print its bytes")
    parser.add_argument("--fit", action="store_true", help="print the constants that suit the measurements")
    arguments = parser.parse_args()
    if arguments.measure:
        given = json.loads(arguments.measure)
        print(measure(Case(**{**given, "size": tuple(given["size"])})))
        return
    cases = [case for case in CASES if case.is_native]
    calls, measured = [case.call() for case in cases], []
    for case, call in zip(cases, calls, strict=True):
        measured.append(measured_bytes(case))
        ratio = predicted_peak(call) / measured[-1]
        print(f"{predicted_peak(call) / MB:7.1f} MB for {measured[-1] / MB:7.1f} MB, {ratio:4.2f}  {case}", flush=True)
    if arguments.fit:
        print(*fit(calls, measured))


if __name__ == "__main__":
    main()
