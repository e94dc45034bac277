# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Bags as sequences with known poses: against the folders they were made of, and in miniature with depth and tf."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid
from da3_ros.sources.bag_truth import BagMessage
from da3_ros.sources.truth import open_truth
from test.closeness import assert_close
from test.sources.recordings import header, image, info, made, transforms, without_definitions, write_messages

STEP_NS = 100_000_000
IMAGE = np.full((24, 32, 3), 7, np.uint8)
DEPTH_MM = np.full((24, 32), 1500, np.uint16)
BASE_FROM_CAMERA = rigid(np.eye(3), [0.0, 0.0, 0.5])


def compressed_depth(stamp_ns: int) -> Any:
    data = np.frombuffer(bytes(12) + cv2.imencode(".png", DEPTH_MM)[1].tobytes(), np.uint8)
    return made(
        "sensor_msgs/msg/CompressedImage", header(stamp_ns, "cam_optical"), "16UC1; compressedDepth png", data
    )  # fmt: skip


def base_at(seconds: float) -> FloatArray:
    return rigid(Rotation.from_rotvec([0.0, 0.0, 0.4 * seconds]).as_matrix(), [2.0 * seconds, 1.0, 0.0])


def write_bag(
    folder: Path,
    depth: Any = None,
    with_info: bool = True,
    with_tf: bool = True,
    with_images: bool = True,
    others: Sequence[tuple[str, Any]] = (),
    cut: Collection[int] = (),
) -> Path:
    """Three images at 0.05, 0.15 and 0.25 s, between transforms at 0.0, 0.1, 0.2 s: the last image has no pose.

    `others` are topics and messages at the first image; `cut` numbers messages in the order of time.
    """
    messages: list[tuple[int, str, Any]] = [(STEP_NS // 2, *other) for other in others]
    for number in range(3):
        at_ns = number * STEP_NS
        taken_ns = at_ns + STEP_NS // 2
        if with_images:
            messages.append((taken_ns, "/cam/image_raw", image(taken_ns, IMAGE, "rgb8")))
        if with_info:
            messages.append((taken_ns, "/cam/camera_info", info(taken_ns)))
        if depth is not None:
            messages.append((taken_ns, "/cam/depth/image", depth(taken_ns)))
        if with_tf:
            messages.append((at_ns, "/tf", transforms(at_ns, "map", "base_link", base_at(at_ns * 1e-9))))
    static = transforms(0, "base_link", "cam_optical", BASE_FROM_CAMERA)
    messages.append((0, "/tf_static", static))
    return write_messages(folder, messages, cut=cut)


def unturned(child: str) -> tuple[str, Any]:
    """A transform below base_link whose quaternion is zero."""
    message = transforms(STEP_NS // 2, "base_link", child, np.eye(4))
    message.transforms[0].transform.rotation = made("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.0, 0.0)
    return "/tf", message


def test_pose_is_found_along_the_tree_between_two_transforms(tmp_path: Path) -> None:
    (sequence,) = open_truth(write_bag(tmp_path / "bag"))

    assert (sequence.name, sequence.kind, len(sequence.frames)) == ("bag", "bag", 2)
    assert_close(sequence.frames[1].world_from_camera, base_at(0.15) @ BASE_FROM_CAMERA)
    assert sequence.frames[0].calibration.fy_px == 31.0
    np.testing.assert_array_equal(sequence.frames[1].read_image(), IMAGE)
    assert not sequence.frames[0].has_depth


@pytest.mark.parametrize(
    "depth",
    [
        lambda at_ns: image(at_ns, DEPTH_MM, "16UC1"),
        lambda at_ns: image(at_ns, DEPTH_MM.astype(np.float32) / 1000, "32FC1"),
        compressed_depth,
    ],
    ids=["16UC1", "32FC1", "compressedDepth"],
)
def test_depth_in_the_cameras_own_frame_belongs_to_its_images(tmp_path: Path, depth: Any) -> None:
    frame = open_truth(write_bag(tmp_path / "bag", depth))[0].frames[0]

    found = frame.read_depth()

    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1.5, rtol=1e-6)


@pytest.mark.parametrize(
    "depth",
    [
        lambda at_ns: image(at_ns, DEPTH_MM, "16UC1", "depth_optical"),
        lambda at_ns: image(at_ns + 40_000_000, DEPTH_MM, "16UC1"),
    ],
    ids=["another frame", "another time"],
)
def test_depth_of_another_camera_or_time_is_none_of_its_images(tmp_path: Path, depth: Any) -> None:
    assert not open_truth(write_bag(tmp_path / "bag", depth))[0].frames[0].has_depth


def test_unknown_depth_is_nan(tmp_path: Path) -> None:
    holes = DEPTH_MM.astype(np.float32) / 1000
    holes[0, :3] = np.nan, 0.0, np.inf
    (sequence,) = open_truth(write_bag(tmp_path / "bag", lambda at_ns: image(at_ns, holes, "32FC1")))

    depth = sequence.frames[0].read_depth()

    assert depth is not None
    assert np.isnan(depth[0, :3]).all()
    assert np.isfinite(depth[0, 3:]).all()


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ({"with_info": False}, "cam has no calibration: record /cam/camera_info"),
        ({"with_tf": False}, "do not say where 'cam_optical' is"),
        ({"with_images": False}, "has no colour images"),
    ],
)
def test_bag_is_refused_when_something_is_missing(tmp_path: Path, missing: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        open_truth(write_bag(tmp_path / "bag", **missing))


REAR = image(STEP_NS // 2, IMAGE, "rgb8", "rear_optical")


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([("/rear/image_raw", REAR)], "camera rear .* rear has no calibration: record /rear/camera_info"),
        ([("/detector/overlay", image(STEP_NS // 2, IMAGE, "rgb8"))], "camera detector_overlay .* has no calibration"),
        (
            [("/rear/image_raw", REAR), ("/rear/camera_info", info(STEP_NS // 2))],
            "camera rear .* do not say where 'rear_optical' is when rear takes",
        ),
        (
            [("/rear/image_raw", REAR), ("/rear/camera_info", info(STEP_NS // 2)), unturned("rear_optical")],
            "camera rear .* the transform of 'rear_optical': .*length zero",
        ),
    ],
    ids=["no calibration", "an overlay", "no pose", "a bad transform"],
)
def test_camera_that_cannot_be_used_is_left_out_and_the_others_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, others: Sequence[tuple[str, Any]], told: str
) -> None:
    (sequence,) = open_truth(write_bag(tmp_path / "bag", others=others))

    assert (sequence.name, len(sequence.frames)) == ("bag", 2)
    (record,) = caplog.records
    assert re.search(told, record.getMessage())


def test_bad_transform_matters_only_on_the_way_of_a_camera(tmp_path: Path) -> None:
    (sequence,) = open_truth(write_bag(tmp_path / "bag", others=[unturned("gripper")]))

    assert len(sequence.frames) == 2
    with pytest.raises(DatasetError, match="the transform of 'base_link'"):
        open_truth(write_bag(tmp_path / "other", others=[unturned("base_link")]))


def test_refusal_tells_what_every_camera_lacks(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cam has no calibration: .*; rear has no calibration: "):
        open_truth(write_bag(tmp_path / "bag", with_info=False, others=[("/rear/image_raw", REAR)]))


def test_what_is_no_bag_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("nothing: here\n")
    (tmp_path / "scene.zip").write_bytes(b"PK")

    with pytest.raises(DatasetError, match="cannot read the bag"):
        open_truth(tmp_path)
    with pytest.raises(DatasetError, match="is not there"):
        open_truth(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="is not there"):
        open_truth(write_bag(tmp_path / "bag") / "other.db3")
    with pytest.raises(DatasetError, match=r"scene\.zip is neither a folder nor a rosbag2: unpack"):
        open_truth(tmp_path / "scene.zip")


def test_bag_without_message_definitions_is_read_as_humble_recorded_it(tmp_path: Path) -> None:
    (sequence,) = open_truth(without_definitions(write_bag(tmp_path / "humble")))

    np.testing.assert_array_equal(sequence.frames[1].read_image(), IMAGE)


def test_file_of_a_bag_without_its_metadata_is_named_after_itself(tmp_path: Path) -> None:
    (file,) = write_bag(tmp_path / "bag").glob("*.db3")
    (tmp_path / "bag" / "metadata.yaml").unlink()
    file = file.rename(tmp_path / "walk.1.db3")

    (sequence,) = open_truth(file)

    assert sequence.name == "walk.1"
    np.testing.assert_array_equal(sequence.frames[1].read_image(), IMAGE)


def test_message_cut_short_is_left_out_and_refused_when_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first_ns = STEP_NS // 2
    bag = write_bag(tmp_path / "bag", cut={2})

    (sequence,) = open_truth(bag)

    assert [frame.name for frame in sequence.frames] == ["cam at 0.150 s"]
    assert "a message on /cam/image_raw was left out" in caplog.text
    with pytest.raises(DatasetError, match=f"no whole message on /cam/image_raw at {first_ns} ns"):
        BagMessage(bag, "/cam/image_raw", first_ns, first_ns).read()
    with pytest.raises(DatasetError, match=r"cannot read the bag .*gone"):
        BagMessage(tmp_path / "gone", "/cam/image_raw", first_ns, first_ns).read()


def test_bag_in_the_working_directory_is_named_after_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_bag(tmp_path / "walk"))

    assert open_truth(Path())[0].name == "walk"


@pytest.mark.parametrize(
    ("bag", "folder"), [("hololens_indoor_db3", "hololens_indoor"), ("livingroom1_redwood_mcap", "livingroom1_redwood")]
)
def test_bag_tells_the_poses_of_the_folder_it_was_made_of(shared_data: Path, bag: str, folder: str) -> None:
    (found,), (known,) = open_truth(shared_data / "bags" / bag), open_truth(shared_data / folder)

    assert len(found.frames) == len(known.frames)
    for frame, truth in zip(found.frames, known.frames, strict=True):
        np.testing.assert_allclose(frame.world_from_camera, truth.world_from_camera, atol=1e-3)  # few digits there
    assert found.frames[5].read_image().shape[:2] == found.frames[5].calibration.size


def test_rig_is_one_sequence_for_each_camera(shared_data: Path) -> None:
    sequences = open_truth(shared_data / "bags" / "ddad_rig6_mcap")

    assert [len(sequence.frames) for sequence in sequences] == [3] * 6
    assert sequences[0].name == "ddad_rig6_mcap/camera_01"
