# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from da3_ros.sources.simulated import open_simulation
from da3_ros.sources.source import SourceError, only, open_source


def write_images(folder: Path, count: int, suffix: str = ".png", size: tuple[int, int] = (24, 32)) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        image = np.full((*size, 3), (10, 20, 30 + index), dtype=np.uint8)  # B G R
        cv2.imwrite(str(folder / f"{index:03d}{suffix}"), image)


CALIBRATION = """
image_width: 32
image_height: 24
camera_matrix: {rows: 3, cols: 3, data: [30.0, 0.0, 15.5, 0.0, 31.0, 11.5, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0.0, 0.0, 0.0, 0.0]}
"""


def test_folder_plays_its_images_in_name_order_at_the_rate(tmp_path: Path) -> None:
    write_images(tmp_path / "shots", 3)

    source = open_source(tmp_path / "shots", rate_hz=20.0)
    frames = list(source.play(1_000))

    assert source.cameras == ("camera",)
    assert source.frame_count == 3
    assert [frame.stamp_ns for frame in frames] == [1_000, 50_001_000, 100_001_000]
    assert [tuple(frame.image[0, 0]) for frame in frames] == [(30, 20, 10), (31, 20, 10), (32, 20, 10)]  # RGB
    assert frames[0].calibration is None


def test_folder_of_images_beside_a_recording_is_a_folder_of_images(tmp_path: Path) -> None:
    write_images(tmp_path / "shots", 3)
    (tmp_path / "shots" / "drive.mcap").write_bytes(b"")

    assert open_source(tmp_path / "shots").frame_count == 3


def test_folder_of_folders_is_a_rig_whose_images_are_taken_together(tmp_path: Path) -> None:
    write_images(tmp_path / "rig" / "Left Cam", 2)
    write_images(tmp_path / "rig" / "front", 2)

    frames = list(open_source(tmp_path / "rig").play(None))

    assert [(frame.camera, frame.stamp_ns) for frame in frames] == [
        ("left_cam", 0), ("front", 0), ("left_cam", 100_000_000), ("front", 100_000_000),
    ]  # fmt: skip


def test_folder_uses_the_calibration_beside_the_images(tmp_path: Path) -> None:
    write_images(tmp_path / "shots", 1)
    (tmp_path / "shots" / "camera_info.yaml").write_text(CALIBRATION)

    (frame,) = open_source(tmp_path / "shots").play(None)

    assert frame.calibration is not None
    assert (frame.calibration.fx_px, frame.calibration.size) == (30.0, (24, 32))
    assert frame.calibration.is_distorted


def test_folder_is_refused_when_a_camera_lacks_images(tmp_path: Path) -> None:
    write_images(tmp_path / "rig" / "front", 2)
    write_images(tmp_path / "rig" / "left", 1)

    with pytest.raises(SourceError, match="different numbers of images"):
        open_source(tmp_path / "rig")


@pytest.mark.parametrize("text", ["not: a calibration", "{", "camera_matrix: {data: [1]}"])
def test_calibration_that_is_none_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    write_images(tmp_path / "shots", 1)
    (tmp_path / "shots" / "camera_info.yaml").write_text(text)

    with pytest.raises(SourceError, match=r"camera_info\.yaml"):
        open_source(tmp_path / "shots")


def test_corrupt_image_is_left_out_with_its_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_images(tmp_path / "shots", 3)
    (tmp_path / "shots" / "001.png").write_bytes(b"no image")

    frames = list(open_source(tmp_path / "shots").play(None))

    assert [frame.stamp_ns for frame in frames] == [0, 200_000_000]
    assert "001.png" in caplog.text


def test_folder_counts_in_numbers_not_in_letters(tmp_path: Path) -> None:
    write_images(tmp_path / "shots", 2)
    (tmp_path / "shots" / "000.png").rename(tmp_path / "shots" / "img_10.png")
    (tmp_path / "shots" / "001.png").rename(tmp_path / "shots" / "img_9.png")

    assert [frame.image[0, 0, 0] for frame in open_source(tmp_path / "shots").play(None)] == [31, 30]


def test_video_plays_all_frames_at_its_own_rate(tmp_path: Path) -> None:
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (32, 24))
    for level in (0, 100, 200):
        writer.write(np.full((24, 32, 3), level, dtype=np.uint8))
    writer.release()

    frames = list(open_source(file).play(0))

    assert [frame.stamp_ns for frame in frames] == [0, 40_000_000, 80_000_000]
    assert [round(float(frame.image.mean()), -2) for frame in frames] == [0, 100, 200]


def test_what_is_no_source_is_refused_with_what_could_be(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="folder of images, a video"):
        open_source(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no images"):
        open_source(tmp_path / "empty")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match="cannot open the video"):
        open_source(tmp_path / "broken.mp4")
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "metadata.yaml").write_text("nothing: here\n")
    with pytest.raises(SourceError, match="cannot read the bag"):
        open_source(tmp_path / "bag")


@pytest.mark.parametrize(("name", "cameras", "frames"), [
    ("ddad_rig6_mcap", 6, 18), ("hololens_indoor_db3", 1, 63), ("hololens_indoor_mcap", 1, 63),
])  # fmt: skip
def test_bag_plays_calibrated_cameras_named_after_their_namespaces(
    shared_data: Path, name: str, cameras: int, frames: int
) -> None:
    source = open_source(shared_data / "bags" / name)
    played = list(source.play(7))

    assert len(source.cameras) == cameras
    assert source.frame_count == len(played) == frames
    assert played[0].stamp_ns == 7
    assert {frame.camera for frame in played} == set(source.cameras)
    assert all(frame.calibration is not None and frame.calibration.size == frame.image.shape[:2] for frame in played)


Quaternion = tuple[float, float, float, float]


def write_raw_bag(
    folder: Path, sets: int, offset_ns: int = 0, edges: Sequence[tuple[str, str, Quaternion]] = ()
) -> None:
    """Two cameras with raw images, the second one `offset_ns` later than the first; the n-th edge is n metres long."""
    types = get_typestore(Stores.ROS2_JAZZY)
    header, stamp, image_type = (
        types.types[name] for name in ("std_msgs/msg/Header", "builtin_interfaces/msg/Time", "sensor_msgs/msg/Image")
    )
    with Writer(folder, version=9) as bag:
        write_edges(bag, types, edges)
        topics = ("/left/image_raw", "/right/image_raw")
        connections = [bag.add_connection(topic, image_type.__msgtype__, typestore=types) for topic in topics]
        for number in range(sets):
            for camera, connection in enumerate(connections):
                at_ns = number * 100_000_000 + camera * offset_ns
                about = header(stamp(at_ns // 10**9, at_ns % 10**9), f"camera_{camera}")
                pixels = np.full(24 * 32 * 3, number, np.uint8)
                message = image_type(about, 24, 32, "rgb8", 0, 96, pixels)
                bag.write(connection, at_ns, types.serialize_cdr(message, image_type.__msgtype__))


def write_edges(bag: Writer, types: Typestore, edges: Sequence[tuple[str, str, Quaternion]]) -> None:
    names = "TransformStamped", "Transform", "Vector3", "Quaternion"
    stamped, transform, vector, quaternion = (types.types[f"geometry_msgs/msg/{name}"] for name in names)
    header, stamp = types.types["std_msgs/msg/Header"], types.types["builtin_interfaces/msg/Time"]
    connection = bag.add_connection("/tf_static", "tf2_msgs/msg/TFMessage", typestore=types)
    for length, (parent, child, turn) in enumerate(edges):
        place = transform(vector(float(length), 0.0, 0.0), quaternion(*turn))
        message = types.types["tf2_msgs/msg/TFMessage"]([stamped(header(stamp(0, 0), parent), child, place)])
        bag.write(connection, 0, types.serialize_cdr(message, "tf2_msgs/msg/TFMessage"))


def test_bag_with_raw_images_plays_them_in_stamp_order(tmp_path: Path) -> None:
    write_raw_bag(tmp_path / "raw", 3, offset_ns=8_000_000)

    frames = list(open_source(tmp_path / "raw").play(None))

    assert [(frame.camera, frame.stamp_ns // 1_000_000, int(frame.image[0, 0, 0])) for frame in frames] == [
        ("left", 0, 0), ("right", 8, 0), ("left", 100, 1), ("right", 108, 1), ("left", 200, 2), ("right", 208, 2),
    ]  # fmt: skip


def test_bag_knows_where_its_cameras_sit(shared_data: Path) -> None:
    source = open_source(shared_data / "bags" / "ddad_rig6_mcap")
    frame_ids = {frame.frame_id for frame in source.play(None)}

    assert {edge.child for edge in source.static_transforms} >= frame_ids
    for edge in source.static_transforms:
        turn = edge.parent_from_child[:3, :3]
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)


def test_bag_gives_every_static_transform_on_the_way_from_its_cameras_to_the_base(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    level, none = (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 0.0)
    chain = [("base_footprint", "base_link", level), ("base_link", "mount", level), ("/mount", "/camera_0", level)]
    write_raw_bag(tmp_path / "raw", 1, edges=[*chain, ("base_link", "lidar", none)])

    source = open_source(tmp_path / "raw")

    assert [(edge.parent, edge.child) for edge in source.static_transforms] == [
        ("base_footprint", "base_link"), ("base_link", "mount"), ("mount", "camera_0"),
    ]  # fmt: skip
    assert [edge.parent_from_child[0, 3] for edge in source.static_transforms] == [0.0, 1.0, 2.0]
    assert "the static transform of 'lidar' in the bag was left out" in caplog.text


def test_bag_keeps_its_own_stamps_unless_told_a_start(shared_data: Path) -> None:
    frame = next(open_source(shared_data / "bags" / "hololens_indoor_mcap").play(None))

    assert frame.stamp_ns == 1_700_000_000_000_000_000


def test_some_cameras_of_a_source_are_played_alone(tmp_path: Path) -> None:
    for name in ("left", "middle", "right"):
        (tmp_path / name).mkdir()
        for number in range(2):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    source = open_source(tmp_path)

    chosen = only(source, ("right", "left"))

    assert chosen.cameras == ("right", "left")
    assert [frame.camera for frame in chosen.play(0)] == ["left", "right", "left", "right"]
    with pytest.raises(SourceError, match="no camera 'up' in the source: it has left, middle, right"):
        only(source, ("up",))


def test_simulation_plays_the_cameras_that_are_wanted() -> None:
    source = open_simulation(3, 10.0, ("right",))

    frames = list(itertools.islice(source.play(0), 2))

    assert [(frame.camera, frame.stamp_ns) for frame in frames] == [("right", 0), ("right", 100_000_000)]
    assert [(edge.parent, edge.child) for edge in source.static_transforms] == [("base_link", "right_optical_frame")]
    with pytest.raises(SourceError, match="no camera 'up'"):
        open_simulation(3, 10.0, ("up",))


def test_simulation_gives_the_same_frames_in_every_process_that_knows_seed_and_stamp() -> None:
    first = open_simulation(3, 10.0)
    frames = [next(player) for player in (first.play(5_000_000_000), first.play(5_000_000_000))]

    assert frames[0].key == frames[1].key
    np.testing.assert_array_equal(frames[0].image, frames[1].image)
    assert {edge.child for edge in first.static_transforms} == {f"{name}_optical_frame" for name in first.cameras}
