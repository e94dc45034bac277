# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows of known sequences to evaluate a network on, drawn evenly and alike in every run."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.known_frames import Image, KnownFrame, KnownSequence, checked_image, depth_on
from da3_ros.evaluation.mutual_overlap import MIN_OVERLAP, mutual_overlap
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewTruth
from da3_ros.geometry.rotation import FloatArray

REACH = 24  # frames before and after the first one drawn, from which the others come
REACH_UNSEEN = 4  # the same where no depth says whether they see the same
PAPER_FRAMES = 100
PAPER_SEED = 42
_OVERLAP_SIDE_PX = 128

Overlap = Callable[[int, int], float]
"""How much two frames of a sequence see of each other, 0 to 1; NaN where it is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class TrueWindow:
    """Views of one camera that a network is given together.

    Attributes:
        sequence: name of the sequence.
        kind: its data set's kind.
        numbers: V places in the sequence, ascending.
        frames: V frames; images and depth are read when asked for.
    """

    sequence: str
    kind: str
    numbers: tuple[int, ...]
    frames: tuple[KnownFrame, ...]

    @property
    def name(self) -> str:
        """Sequence and places, for people."""
        places = ", ".join(map(str, self.numbers[:6])) + (", ..." if len(self.numbers) > 6 else "")
        return f"{self.sequence}: {places}"

    @property
    def cameras(self) -> tuple[PinholeCamera, ...]:
        """V calibrations."""
        return tuple(frame.calibration for frame in self.frames)

    @property
    def world_from_camera(self) -> FloatArray:
        """(V, 4, 4) rigid, metres."""
        return np.stack([frame.world_from_camera for frame in self.frames])

    def read_images(self) -> list[Image]:
        """V images.

        Raises:
            DatasetError: when one cannot be read or does not fit its calibration.
        """
        return [checked_image(frame) for frame in self.frames]

    def depth_on(self, cameras: tuple[PinholeCamera, ...]) -> npt.NDArray[np.float32]:
        """(V, H, W) true depth on the pixels of V distortion-free cameras of one size; NaN where unknown.

        Raises:
            DatasetError: when depth cannot be read or does not fit its image.
        """
        return np.stack([depth_on(frame, camera) for frame, camera in zip(self.frames, cameras, strict=True)])


@dataclass(frozen=True, slots=True, eq=False)
class DrawnWindows:
    """What was drawn, and how many places gave no window because too few frames see what they see."""

    windows: tuple[TrueWindow, ...]
    left_out: int


def draw_windows(
    sequence: KnownSequence,
    size: int,
    count: int,
    overlap: Overlap | None = None,
    min_overlap: float = MIN_OVERLAP,
) -> DrawnWindows:
    """Up to `count` windows, spread evenly over a sequence.

    Each has a frame at its place and others within REACH frames, drawn among those that overlap with it, so that near
    and far ones occur. The draw depends on the place alone.

    Args:
        sequence: to draw from.
        size: views of a window, at least 1.
        count: at least 1; a sequence with fewer frames gives fewer windows.
        overlap: of two frames of this sequence; `sequence_overlap` when None.
        min_overlap: smallest overlap; where it is not known, frames within REACH_UNSEEN count as overlapping.
    """
    frames = sequence.frames
    known = overlap or sequence_overlap(sequence)
    windows, left_out = [], 0
    for place in sorted({round(at) for at in np.linspace(0, len(frames) - 1, min(count, len(frames)))}):
        near = range(max(place - REACH, 0), min(place + REACH + 1, len(frames)))
        others = [other for other in near if other != place and _belongs(known, place, other, min_overlap)]
        if len(others) < size - 1:
            left_out += 1
            continue
        chosen = np.random.default_rng(place).choice(len(others), size - 1, replace=False)
        windows.append(_window(sequence, sorted([place, *(others[index] for index in chosen)])))
    return DrawnWindows(tuple(windows), left_out)


def paper_window(sequence: KnownSequence) -> TrueWindow:
    """The one window of the DA3 benchmark: all frames of a scene, of more than 100 the first after a seeded shuffle."""
    numbers = list(range(len(sequence.frames)))
    if len(numbers) > PAPER_FRAMES:
        random.Random(PAPER_SEED).shuffle(numbers)
        numbers = sorted(numbers[:PAPER_FRAMES])
    return _window(sequence, numbers)


def sequence_overlap(sequence: KnownSequence) -> Overlap:
    """Mutual overlap of two frames by their depth, on images of 128 pixels; NaN where one has none."""

    @lru_cache(maxsize=4 * REACH)
    def truth(number: int) -> ViewTruth | None:
        frame = sequence.frames[number]
        if not frame.has_depth:
            return None
        camera = _small(frame.calibration)
        return ViewTruth(depth_on(frame, camera), camera, frame.world_from_camera)

    def overlap(first: int, second: int) -> float:
        one, other = truth(first), truth(second)
        return float("nan") if one is None or other is None else mutual_overlap(one, other)

    return overlap


def _belongs(overlap: Overlap, first: int, second: int, min_overlap: float) -> bool:
    shared = overlap(first, second)
    return abs(first - second) <= REACH_UNSEEN if np.isnan(shared) else shared >= min_overlap


def _window(sequence: KnownSequence, numbers: list[int]) -> TrueWindow:
    return TrueWindow(
        sequence.name, sequence.kind, tuple(numbers), tuple(sequence.frames[number] for number in numbers)
    )


def _small(camera: PinholeCamera) -> PinholeCamera:
    scale = min(_OVERLAP_SIDE_PX / max(camera.size), 1.0)
    height, width = (max(round(side * scale), 1) for side in camera.size)
    return camera.undistorted().resized((height, width))
