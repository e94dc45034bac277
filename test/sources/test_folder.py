# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Folders and videos as people have them: odd names, depth beside colour, calibrations of another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from da3_ros.sources.source import SourceError, open_source
from test.sources.test_sources import CALIBRATION, write_images

HALF_AS_HIGH = CALIBRATION.replace("image_height: 24", "image_height: 12")
SIZES = r"camera_info\.yaml' is for 32x12 pixels, its images have 32x24"


@pytest.mark.parametrize("names", [("左", "右"), ("cam-1", "Cam 1")])
def test_folders_of_one_name_to_ros_are_refused_with_both(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        write_images(tmp_path / name, 1)

    with pytest.raises(SourceError, match="would both be the camera") as refusal:
        open_source(tmp_path)
    assert all(f"'{name}'" in str(refusal.value) for name in names)


def test_superscripts_in_names_are_letters(tmp_path: Path) -> None:
    write_images(tmp_path / "shots", 1)
    (tmp_path / "shots" / "000.png").rename(tmp_path / "shots" / "²1.png")

    assert open_source(tmp_path / "shots").frame_count == 1


def test_calibration_of_another_size_than_the_images_is_refused_with_both(tmp_path: Path) -> None:
    write_images(tmp_path / "rig" / "front", 2)
    (tmp_path / "rig" / "front" / "000.png").write_bytes(b"no image")
    (tmp_path / "rig" / "front" / "camera_info.yaml").write_text(HALF_AS_HIGH)

    with pytest.raises(SourceError, match=f"front/{SIZES}"):
        open_source(tmp_path / "rig")


def test_calibration_of_another_size_than_the_video_is_refused_with_both(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (32, 24))
    writer.write(np.zeros((24, 32, 3), dtype=np.uint8))
    writer.release()
    (tmp_path / "camera_info.yaml").write_text(HALF_AS_HIGH)

    with pytest.raises(SourceError, match=SIZES):
        open_source(tmp_path / "clip.avi")


@pytest.mark.parametrize("calibrated", [True, False])
def test_image_of_another_size_is_left_out_when_its_camera_is_calibrated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, calibrated: bool
) -> None:
    write_images(tmp_path / "shots", 3)
    cv2.imwrite(str(tmp_path / "shots" / "001.png"), np.zeros((30, 32, 3), dtype=np.uint8))
    if calibrated:
        (tmp_path / "shots" / "camera_info.yaml").write_text(CALIBRATION)

    heights = [frame.image.shape[0] for frame in open_source(tmp_path / "shots").play(None)]

    assert heights == ([24, 24] if calibrated else [24, 30, 24])
    assert ("001.png' has 32x30 pixels, its calibration is for 32x24" in caplog.text) is calibrated


DEPTHS: list[tuple[str, npt.NDArray[Any]]] = [
    ("000.png", np.full((24, 32), 1500, dtype=np.uint16)),
    ("000.tiff", np.full((24, 32), 1.5, dtype=np.float32)),
]


@pytest.mark.parametrize(("name", "depth"), DEPTHS, ids=["16 bits", "floats"])
def test_depth_beside_colour_is_no_camera(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, depth: npt.NDArray[Any]
) -> None:
    write_images(tmp_path / "color", 3)
    (tmp_path / "depth").mkdir()
    cv2.imwrite(str(tmp_path / "depth" / name), depth)

    source = open_source(tmp_path)

    assert (source.cameras, source.frame_count) == (("color",), 3)
    assert f"'{tmp_path / 'depth'}' is left out" in caplog.text


def test_folder_of_nothing_but_depth_is_refused(tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    cv2.imwrite(str(tmp_path / "depth" / "000.png"), DEPTHS[0][1])

    with pytest.raises(SourceError, match=r"no images in '.*' but depth \(depth\)"):
        open_source(tmp_path)


def test_grey_images_of_eight_bits_are_a_camera(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    cv2.imwrite(str(tmp_path / "infra" / "000.png"), np.zeros((24, 32), dtype=np.uint8))

    assert open_source(tmp_path).cameras == ("infra",)
