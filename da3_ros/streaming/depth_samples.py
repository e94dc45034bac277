# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A few thousand pixels of each view, to compare its depth with what another window says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray

# Pixels of a view, spread evenly.
PIXELS_PER_VIEW = 2500


@dataclass(frozen=True, slots=True, eq=False)
class DepthSamples:
    """Pixels of one view, at places that depend on the image size alone.

    Attributes:
        depth: (P,) NaN where unknown.
        confidence: (P,).
    """

    depth: FloatArray
    confidence: FloatArray

    def scaled(self, factor: float) -> DepthSamples:
        """The same in another unit."""
        return replace(self, depth=self.depth * factor)


def sampled(prediction: Prediction, views: Iterable[int]) -> list[DepthSamples]:
    """Samples of some views, window units."""
    height, width = image_size(prediction)
    step = max(1, int(np.sqrt(height * width / PIXELS_PER_VIEW)))
    places = (slice(step // 2, None, step), slice(step // 2, None, step))
    samples = []
    for view in views:
        depth = prediction.depth[view][places].ravel().astype(np.float64)
        confidence = prediction.confidence[view][places].ravel().astype(np.float64)
        samples.append(DepthSamples(np.where(np.isfinite(depth), depth, np.nan), confidence))
    return samples


def median_depth(samples: Sequence[DepthSamples]) -> float:
    """Of all of them, in their unit; 1 when nothing is known."""
    depth = np.concatenate([view.depth for view in samples])
    known = depth[depth > 0]
    return float(np.median(known)) if len(known) else 1.0


def image_size(prediction: Prediction) -> tuple[int, int]:
    """(H, W)."""
    return (prediction.depth.shape[1], prediction.depth.shape[2])
