# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which intrinsics are published with a depth image, and poses that fit them.

A cloud is the unprojection of its depth by its published camera: the poses of the window must fit that camera, not the
one with which the network explained the images.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.focal import corrected_poses, focal_ratio
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.frame import Window

MODES = ("auto", "calibrated", "predicted")
REPORTED_DIFFERENCE = 0.05
# Consumers want camera_info to stay as it is (nvblox): predicted intrinsics are held until the median of the latest
# windows has left them by this part of the focal length.
HELD_WITHIN = 0.03
# Smaller differences are not worth the time of a correction.
CORRECTED_FROM = 0.005
REMEMBERED_WINDOWS = 15


@dataclass(frozen=True, slots=True, eq=False)
class ChosenIntrinsics:
    """A prediction with the cameras to be published.

    Attributes:
        prediction: `cameras` are the chosen ones, `window_from_camera` fits them; the rest is as the engine said.
        focal_difference: largest relative difference of a predicted focal length from the calibrated one, median over
            the latest windows; 0 when nothing is calibrated.
        camera: the one with that difference; empty when nothing is calibrated.
    """

    prediction: Prediction
    focal_difference: float
    camera: str

    @property
    def warning(self) -> str:
        """One sentence when the difference is large, else empty."""
        if self.focal_difference <= REPORTED_DIFFERENCE:
            return ""
        return (
            f"camera '{self.camera}': the focal length that the network sees differs by {self.focal_difference:.0%} "
            "from its camera_info: check that the calibration belongs to these images"
        )


class IntrinsicsPolicy:
    """Chooses between calibrated and predicted intrinsics, and holds the predicted ones.

    Args:
        mode: "auto": a view's calibration where there is one, else the predicted intrinsics; "calibrated": a view
            without calibration is an error; "predicted": always the predicted ones (lens distortion has been removed by
            the calibration all the same).

    Raises:
        ValueError: when the mode is none of these.
    """

    def __init__(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"intrinsics '{mode}' is not one of {', '.join(MODES)}")
        self._mode = mode
        self.forget()

    def forget(self) -> None:
        """Begin again: nothing is held, no difference is known."""
        self._held: dict[str, _HeldCamera] = {}
        self._ratios: defaultdict[str, deque[tuple[float, float]]] = defaultdict(_latest)

    def apply(self, window: Window, prediction: Prediction) -> ChosenIntrinsics:
        """Choose the cameras of one window and correct its poses for them.

        Args:
            window: what the engine saw.
            prediction: its answer; calibrated views have their calibration in `cameras`.

        Raises:
            ValueError: when a view has no calibration and the mode is "calibrated", or when the prediction does not
                have the window's views.
        """
        views = window.views
        if len(views) != len(prediction.depth):
            raise ValueError(f"a window of {len(views)} views has a prediction of {len(prediction.depth)}")
        if self._mode == "calibrated":
            _check_calibrated(window)
        by_camera: dict[str, list[int]] = {}
        for index, frame in enumerate(views):
            by_camera.setdefault(frame.camera, []).append(index)
        held = {name: self._hold(name, prediction, indices) for name, indices in by_camera.items()}
        self._compare(window, prediction, by_camera)
        chosen = tuple(
            held[frame.camera] if self._mode == "predicted" or frame.calibration is None else calibrated
            for frame, calibrated in zip(views, prediction.cameras, strict=True)
        )
        poses = prediction.window_from_camera
        if any(_differ(ours, theirs) for ours, theirs in zip(prediction.predicted_cameras, chosen, strict=True)):
            poses = corrected_poses(poses, prediction.predicted_cameras, chosen, prediction.depth)
        difference, camera = self._largest_difference()
        # What an engine takes for metres it measured with the focal lengths that it predicted.
        ratios = [focal_ratio(*pair) for pair in zip(prediction.predicted_cameras, chosen, strict=True)]
        metres_per_unit = prediction.metres_per_unit * float(np.exp(np.log(ratios).mean()))
        used = replace(prediction, cameras=chosen, window_from_camera=poses, metres_per_unit=metres_per_unit)
        return ChosenIntrinsics(used, difference, camera)

    def _hold(self, name: str, prediction: Prediction, indices: Sequence[int]) -> PinholeCamera:
        found = [prediction.predicted_cameras[index] for index in indices]
        if name not in self._held or self._held[name].camera.size != found[0].size:
            self._held[name] = _HeldCamera(found[0])
            self._ratios.pop(name, None)
        return self._held[name].update(found)

    def _compare(self, window: Window, prediction: Prediction, by_camera: Mapping[str, Sequence[int]]) -> None:
        views = window.views
        for name, indices in by_camera.items():
            ratios = [
                focal_ratio(prediction.cameras[index], prediction.predicted_cameras[index])
                for index in indices
                if views[index].calibration is not None
            ]
            if ratios:
                self._ratios[name].append(tuple(np.median(ratios, axis=0)))

    def _largest_difference(self) -> tuple[float, str]:
        differences = {
            name: float(np.abs(np.median(ratios, axis=0) - 1).max()) for name, ratios in self._ratios.items()
        }
        return max(((difference, name) for name, difference in differences.items()), default=(0.0, ""))


class _HeldCamera:
    """The predicted intrinsics of one camera: their running median, followed only when it has moved far."""

    def __init__(self, camera: PinholeCamera) -> None:
        self.camera = camera
        self._medians: deque[tuple[float, ...]] = deque(maxlen=REMEMBERED_WINDOWS)

    def update(self, found: Sequence[PinholeCamera]) -> PinholeCamera:
        """Take the predictions of one window, return what to publish."""
        is_first = not self._medians
        self._medians.append(tuple(np.median([_numbers(camera) for camera in found], axis=0)))
        median = np.median(self._medians, axis=0)
        held = _numbers(self.camera)
        focal = np.tile(held[:2], 2)
        if is_first or (np.abs(median - held) > HELD_WITHIN * focal).any():
            fx, fy, cx, cy = (float(number) for number in median)
            self.camera = replace(self.camera, fx_px=fx, fy_px=fy, cx_px=cx, cy_px=cy)
        return self.camera


def _numbers(camera: PinholeCamera) -> FloatArray:
    return np.array((camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px))


def _differ(camera: PinholeCamera, other: PinholeCamera) -> bool:
    """By more than is worth a correction, in focal lengths."""
    difference = np.subtract(_numbers(camera), _numbers(other)) / camera.fx_px
    return bool(np.abs(difference).max() > CORRECTED_FROM)


def _latest() -> deque[tuple[float, float]]:
    return deque(maxlen=REMEMBERED_WINDOWS)


def _check_calibrated(window: Window) -> None:
    missing = sorted({frame.camera for frame in window.views if frame.calibration is None})
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise ValueError(
            f"no calibration of camera {names}: intrinsics 'calibrated' needs a camera_info with K for every image; "
            "publish it, or set intrinsics to 'auto'"
        )
