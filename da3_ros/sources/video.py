# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Video files, decoded by OpenCV, as one camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from da3_ros.sources.folder import read_calibration
from da3_ros.sources.source import Source, SourceError
from da3_ros.streaming.frame import Frame


def open_video(path: Path) -> Source:
    """A video as frames at its own rate; a `camera_info.yaml` beside it is used.

    Raises:
        SourceError: when OpenCV cannot open it, or the calibration is none, or for images of another size.
    """
    video = cv2.VideoCapture(str(path))
    rate_hz, count = video.get(cv2.CAP_PROP_FPS), int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    opened, (decoded, first) = video.isOpened(), video.read()
    video.release()
    if not opened or rate_hz <= 0:
        raise SourceError(f"cannot open the video '{path}': OpenCV does not know its format")
    calibration = read_calibration(path.parent, (first.shape[0], first.shape[1]) if decoded else None)

    def play(start_ns: int | None) -> Iterator[Frame]:
        reader = cv2.VideoCapture(str(path))
        try:
            index = 0
            while True:
                more, image = reader.read()
                if not more:
                    return
                stamp_ns = (start_ns or 0) + round(index * 1e9 / rate_hz)
                rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
                yield Frame("camera", stamp_ns, "camera_optical_frame", rgb, calibration)
                index += 1
        finally:
            reader.release()

    return Source(("camera",), max(count, 0), play)
