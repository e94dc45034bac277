# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One camera's image and camera_info topics to frames: convert, push, return."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import FrameError
from da3_ros.nodes.health import InputState
from da3_ros.ros import compressed_messages, image_messages
from da3_ros.ros.camera_messages import to_camera
from da3_ros.ros.log_bridge import throttled
from da3_ros.ros.qos import AdaptiveSubscription
from da3_ros.ros.stamps import to_ns
from da3_ros.streaming.frame import Frame

WARN_PERIOD_S = 30.0
_log = logging.getLogger(__name__)


class CameraInput:
    """Subscriptions of one camera.

    A camera keeps the image size of its first frame; frames of another size are refused until `forget`.

    Args:
        node: owner of the subscriptions.
        camera: prefix of the topics; may be empty.
        compressed: take `image_raw/compressed` instead of `image_raw`.
        push: takes every good frame.
        refuse: takes the cause of every frame that cannot be used.
    """

    def __init__(
        self,
        node: LifecycleNode,
        camera: str,
        compressed: bool,
        push: Callable[[Frame], None],
        refuse: Callable[[str], None],
    ) -> None:
        prefix = f"{camera}/" if camera else ""
        self.camera = camera
        self._info_faults: Counter[str] = Counter()
        self._info_fault = ""  # of the newest camera_info
        self._received, self._frame_id, self._refusal = 0, "", ""
        self._push, self._refuse = push, refuse
        self._decode = compressed_messages.to_array if compressed else image_messages.to_array
        self._info: CameraInfo | None = None
        self._info_is_new = False
        self._calibration: PinholeCamera | None = None
        self._size: tuple[int, int] | None = None
        message_type, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")
        self._images = AdaptiveSubscription(node, message_type, f"{prefix}image_raw{suffix}", self._on_image)
        self._infos = AdaptiveSubscription(node, CameraInfo, f"{prefix}camera_info", self._on_info)

    def destroy(self) -> None:
        """Stop listening."""
        self._images.destroy()
        self._infos.destroy()

    def forget(self) -> None:
        """Learn the image size anew, and hold the newest camera_info against it."""
        self._size = self._calibration = None
        self._refusal = ""
        self._info_is_new = self._info is not None

    @property
    def state(self) -> InputState:
        """For diagnostics."""
        images = self._images
        calibrated = self._calibration is not None
        return InputState(
            topic=images.topic,
            publishers=images.publisher_count,
            reliability=images.reliability.name.lower(),
            calibrated=calibrated,
            refused_infos=dict(self._info_faults),
            received=self._received,
            frame_id=self._frame_id,
            refusal=self._refusal,
        )

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._received += 1
        self._frame_id = message.header.frame_id
        try:
            frame = self._to_frame(message)
        except FrameError as error:
            self._refuse_image(error)
        except Exception as error:  # what nobody has foreseen costs this image, not the node
            text = " ".join(str(error).split())  # OpenCV's have several lines
            self._refuse_image(FrameError("corrupt_image", f"it cannot be read: {type(error).__name__}: {text}"))
        else:
            self._refusal = ""
            self._push(frame)

    def _to_frame(self, message: Image | CompressedImage) -> Frame:
        image = self._decode(message)
        size = (image.shape[0], image.shape[1])
        if size != (self._size or size):
            what = f"the image has {size} pixels (H, W), the first one had {self._size}"
            raise FrameError("size_changed", f"{what}: ~/reset takes another size")
        stamp_ns = to_ns(message.header.stamp)
        # Simulated time begins there.
        if not stamp_ns and self._size is not None:
            raise FrameError("no_stamp", "its stamp is zero: the driver must say when the image was taken")
        frame = Frame(self.camera, stamp_ns, message.header.frame_id, image, self._calibration_for(size))
        self._size = size
        return frame

    def _refuse_image(self, error: FrameError) -> None:
        self._refusal = f"{error.cause}: {error}"
        self._refuse(error.cause)
        self._warn(error)

    def _on_info(self, message: CameraInfo) -> None:
        # Equal but for the stamp, nearly always: nothing is computed twice.
        if self._info is None or not _same_camera(message, self._info):
            self._info, self._info_is_new = message, True
        elif self._info_fault:
            self._info_faults[self._info_fault] += 1

    def _calibration_for(self, size: tuple[int, int]) -> PinholeCamera | None:
        """The camera of the newest usable camera_info, or None (the network's own estimate is used) without one."""
        if self._info is not None and self._info_is_new:
            self._info_is_new, self._info_fault = False, ""
            try:
                self._calibration = to_camera(self._info, size)
            except FrameError as error:
                self._info_fault = error.cause
                self._info_faults[error.cause] += 1
                self._warn(error)
        return self._calibration

    def _warn(self, error: FrameError) -> None:
        key = f"{self.camera}/{error.cause}"
        _log.warning("camera '%s': %s: %s", self.camera, error.cause, error, extra=throttled(key, WARN_PERIOD_S))


def _same_camera(info: CameraInfo, other: CameraInfo) -> bool:
    return (
        list(info.k) == list(other.k)
        and list(info.d) == list(other.d)
        and (info.width, info.height, info.distortion_model) == (other.width, other.height, other.distortion_model)
        and (info.binning_x, info.binning_y, info.roi) == (other.binning_x, other.binning_y, other.roi)
    )
