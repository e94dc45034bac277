# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metres per world unit from a network that was trained to predict metres.

Its depth of some views of a window against the window's own depth of the same pixels: the logarithm of their ratio is
metres per window unit. It needs no motion and no second camera, but the network errs by a factor that it keeps for a
whole scene: what `scale.BIAS` is for. An engine that itself knows metres says so in its Prediction, for every window.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.cloud import DepthFilter, clean_depth
from da3_ros.geometry.depth_scale import MAD_TO_SIGMA, depth_ratio
from da3_ros.geometry.prediction import Prediction
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.depth_samples import PIXELS_PER_VIEW
from da3_ros.streaming.frame import Window
from da3_ros.streaming.scale import ScaleObservation

DepthMaps = npt.NDArray[np.float32]

MetricDepth = Callable[[Sequence[npt.NDArray[np.uint8]], Sequence[PinholeCamera]], DepthMaps]
"""A network that predicts metres: (V images (H, W, 3) uint8 RGB, V distortion-free cameras of exactly these images) ->
(V, h, w) float32 z along the optical axis, metres; NaN where unknown, as in the sky. Any h and w that show the same."""

# By how much the network's factor differs from one image of a scene to the next (relative).
IMAGE_SIGMA = 0.03
# Beyond this an answer tells nothing: the two depths are not of the same shape.
MAX_SIGMA = 0.25
MIN_INLIERS = 0.3
# Pixels at which either depth jumps by more than this fraction to a neighbour are not compared.
EDGE_THRESHOLD = 0.1
# An error of depth covers a part of the image: so many parts err independently of each other.
PARTS_OF_A_VIEW = 9
# An image may overtake its camera_info, so cameras count as uncalibrated after so many windows.
PATIENCE_WINDOWS = 10
WARN_PERIOD_S = 60.0

_log = logging.getLogger(__name__)
_MAPPED = DepthFilter(min_confidence=0.0, edge_threshold=EDGE_THRESHOLD)


@dataclass(frozen=True, slots=True)
class MetricRatio:
    """What metric depth says of the window's unit.

    Attributes:
        log_metres_per_unit: natural logarithm of metres per window unit.
        sigma: its standard deviation, without the bias that the network has in this scene.
    """

    log_metres_per_unit: float
    sigma: float


class Stopwatch:
    """A metric network whose time is counted.

    Args:
        metric_depth: the network.
        now_ns: a clock; only differences are used.
    """

    def __init__(self, metric_depth: MetricDepth, now_ns: Callable[[], int]) -> None:
        self._metric_depth, self._now_ns = metric_depth, now_ns
        self._spent_ns = 0

    def __call__(self, images: Sequence[npt.NDArray[np.uint8]], cameras: Sequence[PinholeCamera]) -> DepthMaps:
        """See `MetricDepth`."""
        start_ns = self._now_ns()
        metres = self._metric_depth(images, cameras)
        self._spent_ns += self._now_ns() - start_ns
        return metres

    def taken_ns(self) -> int:
        """What it took since this was asked last."""
        spent_ns, self._spent_ns = self._spent_ns, 0
        return spent_ns


class ModelScale:
    """Decides which windows and views a metric network is asked about, and what follows for the world's unit.

    Args:
        metric_depth: the network; None without one, then only engines that know metres themselves are heard.
        every: of so many windows one is asked about, once metres are known.
        views: how many of its views. One is enough, as cameras take turns: what a network sees wrong, it sees wrong in
            all images of one camera for a while, but not in those of a camera that looks elsewhere.
        trusts_predicted: views without a calibration are used too, as the user trusts the predicted focal lengths.
    """

    def __init__(
        self, metric_depth: MetricDepth | None, every: int = 10, views: int = 1, trusts_predicted: bool = False
    ) -> None:
        if every < 1 or views < 1:
            raise ValueError(f"every {every} and views {views} of the metric model must be above zero")
        self._metric_depth = metric_depth
        self._every, self._views = every, views
        self._trusts_predicted = trusts_predicted
        self._asked = self._uncalibrated = 0
        self.forget()

    def forget(self) -> None:
        """A new segment has another unit: the next window is asked about."""
        self._passed = self._every  # windows since the last one that was asked about
        self._patience = 1  # after how many to ask again while metres are unknown

    def observe(
        self, window: Window, prediction: Prediction, report: AlignmentReport, is_metric: bool
    ) -> ScaleObservation | None:
        """What there is to say of a good window; None when it is not asked about, or has no answer.

        Args:
            window: as the engine saw it.
            prediction: of it, with the cameras that are published.
            report: of its alignment.
            is_metric: whether the world's unit is known already; until it is, no window is passed over, but for ever
                longer while there is no answer.
        """
        found = _engines_own(prediction) or self._ask(window, prediction, report, is_metric)
        if found is None:
            return None
        log_scale = found.log_metres_per_unit - math.log(report.world_from_window.scale)
        return ScaleObservation("model", log_scale, found.sigma, window.frame_sets[-1].stamp_ns)

    def _ask(
        self, window: Window, prediction: Prediction, report: AlignmentReport, is_metric: bool
    ) -> MetricRatio | None:
        if self._metric_depth is None:
            return None
        self._passed += 1
        if self._passed < (self._every if is_metric else self._patience):
            return None
        views = self._chosen(window, report)
        if not views:
            return None
        metres = self._metric_depth(
            [prediction.images[view] for view in views], [prediction.cameras[view] for view in views]
        )
        found = metric_ratio(metres, prediction.depth[views], prediction.confidence[views])
        self._asked, self._passed = self._asked + 1, 0
        self._patience = 1 if found is not None else min(2 * self._patience, self._every)
        return found

    def _chosen(self, window: Window, report: AlignmentReport) -> list[int]:
        """Views to ask about: of the newest frame set first, its cameras in turn."""
        at = {frame.key: view for view, frame in enumerate(window.views)}
        order = []
        for frame_set in reversed(window.frame_sets):
            turn = self._asked % len(frame_set.frames)
            frames = (*frame_set.frames[turn:], *frame_set.frames[:turn])
            order += [frame for frame in frames if frame.key not in report.distrusted]
        usable = [frame for frame in order if self._trusts_predicted or frame.calibration is not None]
        self._uncalibrated = 0 if usable or not order else self._uncalibrated + 1
        if self._uncalibrated >= PATIENCE_WINDOWS:
            once = {"throttle_key": "model_scale/uncalibrated", "throttle_period_s": WARN_PERIOD_S}
            _log.warning(
                "the metric model is not asked, as no camera has a calibration and metres depend on the focal length: "
                "publish camera_info, or set intrinsics to 'predicted' to trust the network's own",
                extra=once,
            )
        return [at[frame.key] for frame in usable[: self._views]]


def metric_ratio(metres: DepthMaps, depth: DepthMaps, confidence: DepthMaps) -> MetricRatio | None:
    """Metres per window unit, robustly: by pixels within each view, then by the median over views.

    Edges count in neither depth. The sigma is what one image may be off by, what the pixels of a view disagree by, and
    what views do.

    Args:
        metres: (V, h, w) metric depth; NaN where unknown.
        depth: (V, H, W) the same views in window units; NaN where unknown.
        confidence: (V, H, W) of that depth.

    Returns:
        None when no view has enough pixels that agree in shape, or they say too little together.

    Raises:
        ValueError: when the two are not of the same views.
    """
    if metres.ndim != 3 or len(metres) != len(depth) or depth.shape != confidence.shape:
        raise ValueError(f"metric depth {metres.shape} does not belong to depth {depth.shape}")
    found = [_view_ratio(*view) for view in zip(metres, depth, confidence, strict=True)]
    known = np.array([ratio for ratio in found if ratio is not None]).reshape(-1, 2)
    if not len(known):
        return None
    log_ratios, within = known.T
    between = float(np.std(log_ratios, ddof=1)) if len(known) > 1 else 0.0
    variance = (float(np.mean(within**2)) + between**2) / len(known)
    sigma = math.sqrt(IMAGE_SIGMA**2 + variance)
    return None if sigma > MAX_SIGMA else MetricRatio(float(np.median(log_ratios)), sigma)


def _view_ratio(metres: DepthMaps, depth: DepthMaps, confidence: DepthMaps) -> tuple[float, float] | None:
    """Logarithm of the ratio in one view and its standard deviation."""
    rows, columns = _common_grid(metres.shape, depth.shape)
    places, metric_places = _places(rows, columns, depth.shape), _places(rows, columns, metres.shape)
    ratio = depth_ratio(
        clean_depth(metres, np.ones_like(metres), _MAPPED)[metric_places].ravel(),
        clean_depth(depth, confidence, _MAPPED)[places].ravel(),
        confidence[places].ravel(),
    )
    if ratio.inliers < MIN_INLIERS:
        return None
    return ratio.log_ratio, MAD_TO_SIGMA * ratio.residual / math.sqrt(PARTS_OF_A_VIEW)


def _common_grid(size: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a grid over what two images of any sizes show, no finer than either."""
    height, width = min(size[0], other[0]), min(size[1], other[1])
    step = max(1.0, math.sqrt(height * width / PIXELS_PER_VIEW))
    return max(1, int(height / step)), max(1, int(width / step))


def _places(rows: int, columns: int, size: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], ...]:
    """Indices of the pixels of an (H, W) image in which the middles of the grid's cells lie."""
    down, right = ((np.arange(cells) + 0.5) / cells for cells in (rows, columns))
    return np.ix_((down * size[0]).astype(np.intp), (right * size[1]).astype(np.intp))


def _engines_own(prediction: Prediction) -> MetricRatio | None:
    """What the engine says of its own unit; images that windows share make it no worse than its bias does."""
    if math.isnan(prediction.metres_per_unit):
        return None
    return MetricRatio(math.log(prediction.metres_per_unit), IMAGE_SIGMA)
