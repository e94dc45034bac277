# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""image_source_node publishes folders, videos, bags and the simulation as cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from da3_ros.nodes import subscribers
from da3_ros.nodes.image_source_node import ImageSourceNode
from da3_ros.ros import compressed_messages, image_messages
from da3_ros.ros.camera_messages import to_camera
from da3_ros.ros.stamps import to_ns
from test.graph.cameras import picture
from test.graph.harness import Graph
from test.graph.truth import edges_of

CALIBRATION = """\
image_width: 160
image_height: 120
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [100.0, 0.0, 79.5, 0.0, 101.0, 59.5, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0.0, 0.0, 0.0, 0.0]}
"""


def play(graph: Graph, heard: list[str], frames: int, raw: bool = True, **parameters: Any) -> ImageSourceNode:
    """Listen to the cameras, and play until so many frames came from each."""
    message_type, topic = (Image, "image_raw") if raw else (CompressedImage, "image_raw/compressed")
    for camera in heard:
        graph.recorder.listen(f"{camera}/camera_info", CameraInfo)
        graph.recorder.listen(f"{camera}/{topic}", message_type)
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.recorder.listen("/tf_static", TFMessage, latched)
    overrides = [Parameter(name, value=value) for name, value in {"speed": 20.0, **parameters}.items()]
    node = graph.spin(lambda **options: ImageSourceNode(parameter_overrides=overrides, **options))
    received = [f"{camera}/{topic}" for camera in heard]
    graph.recorder.wait_until(
        lambda: all(len(graph.recorder.messages(name)) >= frames for name in received), f"{frames} frames"
    )
    graph.recorder.settle()
    return node


def write_images(folder: Path, camera: str, count: int) -> list[npt.NDArray[np.uint8]]:
    folder.mkdir(parents=True)
    images = [picture(camera, number) for number in range(count)]
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number:03}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return images


def stamps_of(graph: Graph, topic: str) -> list[int]:
    return [to_ns(message.header.stamp) for message in graph.recorder.messages(topic)]


def test_folder_is_played_as_one_camera_at_the_rate(graph: Graph, tmp_path: Path) -> None:
    images = write_images(tmp_path / "kitchen", "camera", 5)
    (tmp_path / "kitchen" / "camera_info.yaml").write_text(CALIBRATION)

    node = play(graph, ["camera"], 5, source=str(tmp_path / "kitchen"), rate_hz=25.0)

    assert node.finished.wait(10)
    messages = graph.recorder.messages("camera/image_raw")
    for image, message in zip(images, messages, strict=True):
        np.testing.assert_array_equal(image_messages.to_array(message), image)
    stamps_ns = stamps_of(graph, "camera/image_raw")
    assert set(np.diff(stamps_ns)) == {40_000_000}
    assert stamps_of(graph, "camera/camera_info") == stamps_ns
    camera = to_camera(graph.recorder.messages("camera/camera_info")[0], (120, 160))
    assert (camera.fx_px, camera.fy_px, camera.distortion[0]) == (100.0, 101.0, 0.1)
    assert {message.header.frame_id for message in messages} == {"camera_optical_frame"}


def test_folder_of_folders_is_played_as_a_rig(graph: Graph, tmp_path: Path) -> None:
    for camera in ("left", "right"):
        write_images(tmp_path / camera, camera, 3)

    play(graph, ["left", "right"], 3, source=str(tmp_path))

    assert stamps_of(graph, "left/image_raw") == stamps_of(graph, "right/image_raw")
    np.testing.assert_array_equal(
        image_messages.to_array(graph.recorder.messages("right/image_raw")[2]), picture("right", 2)
    )


def test_one_camera_of_a_source_is_played_alone_and_nobody_waits_for_the_others(graph: Graph, tmp_path: Path) -> None:
    for camera in ("left", "right"):
        write_images(tmp_path / camera, camera, 3)

    play(graph, ["right"], 3, source=str(tmp_path), cameras=["right"])

    assert len(graph.recorder.messages("right/image_raw")) == 3


def test_topics_that_nobody_subscribes_to_are_named_while_nothing_is_played(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(subscribers, "SILENT_S", 0.0)
    monkeypatch.setattr(subscribers, "TELL_PERIOD_S", 0.0)
    for camera in ("left", "right"):
        write_images(tmp_path / camera, camera, 3)

    play(graph, ["left"], 0, source=str(tmp_path))

    def told() -> list[str]:
        return [message for message in caplog.messages if "nobody subscribes" in message]

    graph.recorder.wait_until(lambda: len(told()) > 2 and "left/image_raw" not in told()[-1], "three warnings")
    assert "right/image_raw" in told()[-1]
    assert "wait_for_subscribers:=false" in told()[-1]
    assert graph.recorder.messages("left/image_raw") == []


def test_images_are_jpeg_when_asked_for(graph: Graph, tmp_path: Path) -> None:
    write_images(tmp_path / "images", "camera", 2)

    play(graph, ["camera"], 2, raw=False, source=str(tmp_path), image_transport="compressed")

    message = graph.recorder.messages("camera/image_raw/compressed")[1]
    assert "jpeg" in message.format
    difference = compressed_messages.to_array(message).astype(int) - picture("camera", 1)
    assert np.median(np.abs(difference)) < 10


def test_video_is_played_at_its_own_rate(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, (160, 120))
    for number in range(6):
        writer.write(np.full((120, 160, 3), 40 * number, dtype=np.uint8))
    writer.release()

    play(graph, ["camera"], 6, source=str(path))

    assert set(np.diff(stamps_of(graph, "camera/image_raw"))) == {80_000_000}
    brightness = [image_messages.to_array(message).mean() for message in graph.recorder.messages("camera/image_raw")]
    np.testing.assert_allclose(brightness, [40 * number for number in range(6)], atol=4)


def test_folder_begins_again_with_later_stamps_when_it_loops(graph: Graph, tmp_path: Path) -> None:
    write_images(tmp_path / "images", "camera", 3)

    play(graph, ["camera"], 8, source=str(tmp_path), loop=True, speed=5.0)

    messages = graph.recorder.messages("camera/image_raw")
    np.testing.assert_array_equal(image_messages.to_array(messages[4]), picture("camera", 1))
    assert (np.diff(stamps_of(graph, "camera/image_raw")[:3]) > 0).all()
    assert len(set(stamps_of(graph, "camera/image_raw")[:6])) == 6


def test_bag_is_played_with_its_own_stamps_and_static_transforms(graph: Graph, shared_data: Path) -> None:
    bag = shared_data / "bags" / "ddad_rig6_mcap"
    cameras = [f"camera_0{number}" for number in (1, 5, 6, 7, 8, 9)]

    play(graph, cameras, 3, source=str(bag), stamps="source")

    first = stamps_of(graph, "camera_01/image_raw")
    assert len(first) == len(set(first)) == 3
    for camera in cameras:
        assert stamps_of(graph, f"{camera}/camera_info") == stamps_of(graph, f"{camera}/image_raw")
        info = graph.recorder.messages(f"{camera}/camera_info")[0]
        image = graph.recorder.messages(f"{camera}/image_raw")[0]
        assert (info.width, info.height) == (image.width, image.height)
        assert info.header.frame_id == image.header.frame_id
    edges = edges_of(graph.recorder.messages("/tf_static"))
    frames = {graph.recorder.messages(f"{camera}/image_raw")[0].header.frame_id for camera in cameras}
    assert {edge.child_frame_id for edge in edges} >= frames


def test_camera_without_calibration_has_no_camera_info(graph: Graph, tmp_path: Path) -> None:
    write_images(tmp_path / "images", "camera", 2)

    play(graph, ["camera"], 2, source=str(tmp_path))

    assert graph.recorder.messages("camera/camera_info") == []


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("source:=/nowhere/at/all", "/nowhere/at/all"),
        ("source:={empty}", "no images"),
        ("source:={text}", "cannot"),
        ("speed:=-1.0", "speed"),
        ("sauce:=simulation", "source"),
    ],
)
def test_process_ends_with_one_sentence_and_code_1_when_it_cannot_play(
    graph: Graph, tmp_path: Path, given: str, word: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.mp4").write_text("this is no video")
    given = given.format(empty=tmp_path / "empty", text=tmp_path / "notes.mp4")

    process = graph.process("da3_ros.nodes.image_source_node", ["--ros-args", "-p", given], tmp_path)

    assert process.wait() == 1
    said = [line for line in process.output.splitlines() if "ERROR" in line or "Traceback" in line]
    assert len(said) == 1
    assert word in said[0]
