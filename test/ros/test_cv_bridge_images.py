# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Encodings that only cv_bridge knows, and whatever it raises."""

from __future__ import annotations

import re
import sys
import types
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sensor_msgs.msg import Image

from da3_ros.geometry.errors import FrameError
from da3_ros.ros.image_messages import rgb_message, to_array
from da3_ros.ros.stamps import header

RGB = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def message_of(encoding: str) -> Image:
    message = rgb_message(RGB, header(1, "front_optical_frame"))
    message.encoding = encoding
    return message


class CvBridgeError(TypeError):
    pass


def fake_cv_bridge(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    """Knows rgb565 alone; with an error not even that."""

    class CvBridge:
        def imgmsg_to_cv2(self, message: Image, desired_encoding: str) -> npt.NDArray[np.uint8]:
            if error is not None:
                raise error
            if message.encoding != "rgb565" or desired_encoding != "rgb8":
                raise CvBridgeError("unknown")
            return RGB

    module: Any = types.ModuleType("cv_bridge")
    module.CvBridge, module.CvBridgeError = CvBridge, CvBridgeError
    monkeypatch.setitem(sys.modules, "cv_bridge", module)


def test_unusual_encoding_is_decoded_when_cv_bridge_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cv_bridge(monkeypatch)

    np.testing.assert_array_equal(to_array(message_of("rgb565")), RGB)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (CvBridgeError("[rgb9] is not a color format"), "unknown_encoding"),
        (ImportError("no cv_bridge_boost"), "unknown_encoding"),
        (TypeError("buffer is too small for requested array"), "corrupt_image"),
        (ValueError("cannot reshape"), "corrupt_image"),
    ],
)
def test_unusual_encoding_is_refused_and_named_whatever_cv_bridge_raises(
    monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    fake_cv_bridge(monkeypatch, error)

    with pytest.raises(FrameError, match=f"'rgb9'.*{re.escape(str(error))}") as refusal:
        to_array(message_of("rgb9"))

    assert refusal.value.cause == cause
