# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How a network is to be run, whichever it is; without torch, so that asking costs no import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadOptions:
    """What `loading.load_estimator` is asked for besides a model and weights.

    A network for single images has no use for a reference view and a cache; of an ONNX file the own resolution,
    precision and reference view rule.
    """

    device: str = "auto"  # auto, cpu, cuda or cuda:<index>
    process_resolution: int = 0  # pixels of the longest side that the network sees; 0 for what it was trained at
    reference_view: str = "saddle_balanced"  # how the network chooses it
    pose_source: str = "camera_head"  # where cameras and their poses come from: this, or `rays`
    cpu_threads: int = 0  # of one call on the CPU; 0 leaves a core to the rest of the process
    precision: str = "fp32"  # these five: see `DepthEstimator`
    head_precision: str = "fp32"
    cache_mb: int = 256
    compile: bool = False
    max_memory_mb: int = 0
    accept_noncommercial_license: bool = False  # the user accepts CC BY-NC 4.0 for the weights that need it
    allow_download: bool = False  # weights that are not in the local cache may be downloaded
