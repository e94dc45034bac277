# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of triggered cameras as an imperfect transport delivers them, and what a synchroniser made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from da3_ros.streaming.frame import Frame, FrameSet
from da3_ros.streaming.synchronizer import MissingCamera, Synchronizer

CAMERAS = ("a", "b", "c", "d")
PERIOD_NS = 33_333_333
EPOCH_NS = 1_700_000_000_000_000_000
IMAGE = np.zeros((1, 1, 3), dtype=np.uint8)
POLICIES: tuple[MissingCamera, ...] = ("drop", "partial", "wait")
MS = 1_000_000


def frame(camera: str, stamp_ns: int) -> Frame:
    return Frame(camera, stamp_ns, "", IMAGE, None)


def triggered(
    triggers: Iterable[int],
    cameras: Iterable[str] = CAMERAS,
    *,
    jitter_ms: float = 0.0,
    drops: float = 0.0,
    in_order: bool = True,
    seed: int = 0,
) -> list[Frame]:
    """Hardware-triggered frames in the order of their delivery, which is late by up to the jitter."""
    generator = np.random.default_rng(seed)
    deliveries = []
    for camera in cameras:
        newest = 0.0
        for count, trigger in enumerate(triggers):
            arrival = count * PERIOD_NS + generator.uniform(0, jitter_ms * MS)
            newest = max(newest, arrival)
            if generator.random() >= drops:
                stamp_ns = EPOCH_NS + trigger * PERIOD_NS
                deliveries.append((newest if in_order else arrival, frame(camera, stamp_ns)))
    return [delivered for _, delivered in sorted(deliveries, key=lambda item: item[0])]


def run(synchronizer: Synchronizer, frames: Iterable[Frame], finish: bool = True) -> list[FrameSet]:
    sets = [frame_set for delivered in frames for frame_set in synchronizer.push(delivered)]
    return sets + list(synchronizer.finish()) if finish else sets


def mixed(sets: Iterable[FrameSet]) -> int:
    """Sets with frames of different triggers."""
    return sum(len({round(f.stamp_ns / PERIOD_NS) for f in frame_set.frames}) > 1 for frame_set in sets)


def used(sets: Iterable[FrameSet]) -> Counter[tuple[str, int]]:
    return Counter((f.camera, f.stamp_ns) for frame_set in sets for f in frame_set.frames)
