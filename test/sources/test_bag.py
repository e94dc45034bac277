# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Bags as they come: from older distributions, without metadata.yaml, damaged, or with rectified images only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from da3_ros.sources.source import BAG_SUFFIXES, SourceError, open_source
from test.sources.recordings import NO_PROJECTION, K, image, info, without_definitions, write_messages

STORAGES = pytest.mark.parametrize("storage", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
DISTORTION = (0.1, 0.0, 0.0, 0.0, 0.0)
PROJECTION = (25.0, 0.0, 16.0, -3.0, 0.0, 26.0, 12.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def write_bag(
    folder: Path,
    storage: StoragePlugin = StoragePlugin.SQLITE3,
    cut: Collection[int] = (),
    topic: str = "image_raw",
    p: Sequence[float] = NO_PROJECTION,
    height: int = 24,
) -> Path:
    """Messages 0 to 4: a camera_info, an image, a camera_info, two images, the last one of any height."""
    messages: list[tuple[int, str, Any]] = []
    for at_ns in (0, 2):
        messages.append((at_ns, "/cam/camera_info", info(at_ns, DISTORTION, p)))
    for at_ns in (1, 3, 4):
        pixels = np.full((height if at_ns == 4 else 24, 32, 3), at_ns, np.uint8)
        messages.append((at_ns, f"/cam/{topic}", image(at_ns, pixels, "rgb8")))
    return write_messages(folder, messages, storage, cut)


def stamps(path: Path) -> list[int]:
    return [frame.stamp_ns for frame in open_source(path).play(None)]


def test_bag_without_message_definitions_plays_as_humble_recorded_it(tmp_path: Path) -> None:
    frames = list(open_source(without_definitions(write_bag(tmp_path / "humble"))).play(None))

    assert [(frame.stamp_ns, int(frame.image[0, 0, 0])) for frame in frames] == [(1, 1), (3, 3), (4, 4)]
    assert frames[0].calibration is not None
    assert frames[0].calibration.fx_px == 30.0


@STORAGES
def test_file_of_a_bag_plays_without_its_metadata(tmp_path: Path, storage: StoragePlugin) -> None:
    (file,) = (file for file in write_bag(tmp_path / "bag", storage).iterdir() if file.suffix in BAG_SUFFIXES)
    with_metadata = stamps(file)
    (tmp_path / "bag" / "metadata.yaml").unlink()

    assert stamps(file) == stamps(tmp_path / "bag") == with_metadata == [1, 3, 4]


def test_bag_that_is_not_there_is_not_taken_for_the_one_beside_it(tmp_path: Path) -> None:
    folder = write_bag(tmp_path / "bag")

    with pytest.raises(SourceError, match=r"cannot read '.*other\.mcap': it is not there"):
        open_source(folder / "other.mcap")


@pytest.mark.parametrize(
    ("cut", "played", "told"),
    [({3}, [1, 4], "/cam/image_raw"), ({1}, [3, 4], "/cam/image_raw"), ({0}, [1, 3, 4], "/cam/camera_info")],
    ids=["a later image", "the first image", "the first calibration"],
)
def test_message_cut_short_is_left_out_with_its_topic(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: set[int], played: list[int], told: str
) -> None:
    frames = list(open_source(write_bag(tmp_path / "bag", cut=cut)).play(None))

    assert [frame.stamp_ns for frame in frames] == played
    assert all(frame.calibration is not None for frame in frames)
    assert f"a message on {told} was left out" in caplog.text


def test_image_of_another_size_than_the_calibration_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert stamps(write_bag(tmp_path / "bag", height=48)) == [1, 3]
    assert "an image of cam was left out: it has 32x48 pixels, its calibration is for 32x24" in caplog.text


@pytest.mark.parametrize("topic", ["image_rect", "image_rect_color", "image_rect_raw", "image_color_rect"])
@pytest.mark.parametrize(("p", "focal_px"), [(PROJECTION, 25.0), (NO_PROJECTION, K[0])], ids=["P", "no P"])
def test_rectified_images_have_the_camera_of_p_and_no_distortion(
    tmp_path: Path, topic: str, p: Sequence[float], focal_px: float
) -> None:
    frame = next(open_source(write_bag(tmp_path / "bag", topic=topic, p=p)).play(None))

    assert frame.calibration is not None
    assert frame.calibration.fx_px == focal_px
    assert not frame.calibration.is_distorted


@pytest.mark.parametrize("topic", ["image_raw", "image", "image_color", "image_corrected"])
def test_other_images_have_the_camera_of_k_and_its_distortion(tmp_path: Path, topic: str) -> None:
    frame = next(open_source(write_bag(tmp_path / "bag", topic=topic, p=PROJECTION)).play(None))

    assert frame.calibration is not None
    assert frame.calibration.fx_px == K[0]
    assert frame.calibration.is_distorted


@pytest.mark.parametrize(("storage", "wiped"), [(StoragePlugin.SQLITE3, 20_000), (StoragePlugin.MCAP, 600_000)])
def test_damaged_file_plays_up_to_the_damage_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, storage: StoragePlugin, wiped: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 16, (600, 800, 3), np.uint8)  # zstd cannot tell damage of pure noise
    frames = [(at_ns, "/cam/image_raw", image(at_ns, pixels, "rgb8")) for at_ns in range(1, 5)]
    folder = write_messages(tmp_path / "bag", frames, storage)
    (file,) = (file for file in folder.iterdir() if file.suffix in BAG_SUFFIXES)
    with file.open("r+b") as data:
        data.seek(file.stat().st_size * 3 // 5)
        data.write(bytes(wiped))

    assert stamps(folder) in ([1], [1, 2])
    assert "the bag is damaged, and the rest of it is left out" in caplog.text


@STORAGES
def test_recordings_without_metadata_are_refused_with_what_mends_them(tmp_path: Path, storage: StoragePlugin) -> None:
    folder = write_bag(tmp_path / "bag", storage)
    (file,) = (file for file in folder.iterdir() if file.suffix in BAG_SUFFIXES)
    (folder / "metadata.yaml").unlink()
    (folder / f"second{file.suffix}").write_bytes(file.read_bytes())

    with pytest.raises(SourceError, match="ros2 bag reindex"):
        open_source(folder)


@STORAGES
def test_recording_that_was_cut_off_is_refused_with_what_mends_it(tmp_path: Path, storage: StoragePlugin) -> None:
    folder = write_bag(tmp_path / "bag", storage)
    (file,) = (file for file in folder.iterdir() if file.suffix in BAG_SUFFIXES)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    with pytest.raises(
        SourceError, match=r"cannot read the bag .*bag': .* \(a recording that was cut off is mended by"
    ):
        open_source(folder)
