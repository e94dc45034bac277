# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets as people have them on disk: what is read, and what is refused with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.evaluation.eth3d import FisheyeLens
from da3_ros.evaluation.known_frames import HeldFrame, checked_image, depth_on, frame_truth
from da3_ros.evaluation.sequences import load_sequences
from da3_ros.evaluation.tum_rgbd import CAMERAS
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid
from test.closeness import assert_close
from test.evaluation.miniature_sequences import TURN, eth3d, meta, seven_scenes, tum


def test_tum_images_get_the_nearest_pose_and_depth(tmp_path: Path) -> None:
    (sequence,) = load_sequences(tum(tmp_path))

    first, second = sequence.frames
    assert (sequence.kind, sequence.name) == ("TUM RGB-D", "rgbd_dataset_freiburg3_desk")
    assert_close(first.world_from_camera, rigid(TURN.as_matrix(), [1, 2, 3]))
    assert_close(second.world_from_camera[:3, 3], [4, 5, 6])
    assert first.calibration == CAMERAS["3"]
    assert checked_image(second)[0, 0].tolist() == [1, 20, 10]
    depth = first.read_depth()
    assert depth is not None
    assert depth[5, 5] == np.float32(2.0)  # 5000 units a metre
    assert not second.has_depth
    assert second.read_depth() is None


def test_intrinsics_that_are_given_win(tmp_path: Path) -> None:
    (sequence,) = load_sequences(tum(tmp_path), (500.0, 501.0, 320.0, 240.0))

    assert sequence.frames[0].calibration == PinholeCamera((480, 640), 500.0, 501.0, 320.0, 240.0)


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("groundtruth.txt", "100.0 1 2 nan 0 0 0 1\n", r"groundtruth\.txt holds a NaN .* leave that line out"),
        ("groundtruth.txt", "100.0 1 2 3 0 0 0 0\n", "length zero"),
        ("groundtruth.txt", "100.0 1 2 3\n", "must have 8 columns"),
        ("groundtruth.txt", "100.0 1 2 3 a b c d\n", "malformed"),
        ("groundtruth.txt", "900.0 1 2 3 0 0 0 1\n", "no image .* need one clock"),
        ("rgb.txt", "", "no image"),
    ],
)
def test_tum_is_refused_when_it_is_malformed(tmp_path: Path, file: str, text: str, sentence: str) -> None:
    scene = tum(tmp_path)
    (scene / file).write_text(text)

    with pytest.raises(DatasetError, match=sentence):
        load_sequences(scene)


def test_tum_without_a_truth_file_or_a_known_camera_is_refused(tmp_path: Path) -> None:
    scene = tum(tmp_path)
    unnamed = scene.rename(tmp_path / "desk")

    with pytest.raises(DatasetError, match="give --intrinsics"):
        load_sequences(unnamed)
    (unnamed / "groundtruth.txt").unlink()
    with pytest.raises(DatasetError, match=r"groundtruth\.txt cannot be read"):
        load_sequences(unnamed)


def test_seven_scenes_are_read_by_sequence_or_by_scene(tmp_path: Path) -> None:
    scene = seven_scenes(tmp_path)

    (sequence,) = load_sequences(scene)
    (same,) = load_sequences(scene.parent)

    assert sequence.name == same.name == "chess/seq-01"
    frame = sequence.frames[1]
    assert len(sequence.frames) == 2
    assert_close(frame.world_from_camera, rigid(TURN.as_matrix(), [1, 2, 3]), 1e-6)
    depth = frame.read_depth()
    assert depth is not None
    assert np.isnan(depth[0, :2]).all()
    assert depth[1, 1] == pytest.approx(1.5)
    assert frame.calibration.fx_px == 585.0


def drop_depth(scene: Path) -> None:
    (scene / "frame-000001.depth.png").unlink()


def drop_pose(scene: Path) -> None:
    (scene / "frame-000001.pose.txt").unlink()


def pose_of(matrix: FloatArray) -> Callable[[Path], None]:
    return lambda scene: np.savetxt(scene / "frame-000001.pose.txt", matrix)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (drop_depth, r"frame-000001\.depth\.png is missing"),
        (drop_pose, r"frame-000001\.pose\.txt cannot be read"),
        (pose_of(np.diag([2.0, 2, 2, 1])), "is not rigid"),
        (pose_of(np.diag([1.0, 1, -1, 1])), "is not rigid"),
        (pose_of(np.full((4, 4), np.nan)), "not a finite 4x4 matrix"),
        (pose_of(np.eye(3)), "not a finite 4x4 matrix"),
        (lambda scene: (scene / "frame-000001.pose.txt").write_text("1 0\n1\n"), "not a"),
    ],
)
def test_seven_scenes_are_refused_when_malformed(
    tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    scene = seven_scenes(tmp_path)
    spoil(scene)

    with pytest.raises(DatasetError, match=sentence):
        load_sequences(scene)


def test_eth3d_is_read_in_the_order_of_names_with_colmaps_conventions(tmp_path: Path) -> None:
    (sequence,) = load_sequences(eth3d(tmp_path))

    assert [frame.name for frame in sequence.frames] == ["DSC_0.JPG", "DSC_1.JPG"]
    assert not sequence.frames[0].has_depth
    frame = sequence.frames[1]
    assert (frame.calibration.fy_px, frame.calibration.cx_px) == (51.0, 30.0)
    assert_close(np.linalg.inv(frame.world_from_camera), rigid(TURN.as_matrix(), [1, 2, 3]))
    depth = frame.read_depth()
    assert depth is not None
    assert np.isnan(depth[0, 0])
    assert depth[1, 1] == 4.0


def test_eth3d_depth_of_the_distorted_image_is_found_through_its_lens(tmp_path: Path) -> None:
    scene = eth3d(tmp_path)
    (scene / "dslr_calibration_jpg").mkdir()
    lens = "40 40 25.5 15.5 0.01 0.002 0.001 -0.001 0.003 0.001 0.002 -0.002"
    (scene / "dslr_calibration_jpg" / "cameras.txt").write_text(f"0 THIN_PRISM_FISHEYE 50 30 {lens}\n")
    columns = np.tile(np.arange(1.0, 51.0, dtype=np.float32), (30, 1))
    columns.tofile(scene / "ground_truth_depth" / "dslr_images" / "DSC_1.JPG")

    depth = load_sequences(scene)[0].frames[1].read_depth()

    assert depth is not None
    centre = depth[20, 30]  # of the undistorted image, which the axis goes through
    assert centre == 26.0  # the axis meets the distorted image at column 25
    assert np.all(np.diff(depth[20, 5:55]) >= 0)


def test_fisheye_without_prism_terms_is_opencvs(tmp_path: Path) -> None:
    k = (0.05, -0.02, 0.01, -0.004)
    lens = FisheyeLens((40, 60), (50.0, 51.0, 30.5, 20.5, k[0], k[1], 0.0, 0.0, k[2], k[3], 0.0, 0.0))
    points = np.random.default_rng(1).uniform(-0.8, 0.8, size=(30, 1, 2))
    matrix = np.array([[50.0, 0, 30.0], [0, 51.0, 20.0], [0, 0, 1]])
    # OpenCV's radius is the bent angle itself: theta (1 + k1 theta^2 + ...), which is what COLMAP adds up.
    theirs = cv2.fisheye.distortPoints(points, matrix, np.array(k))

    assert_close(lens.project(points[:, 0]), theirs[:, 0], 1e-9)


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("cameras.txt", "0 OPENCV 60 40 1 2 3 4 0 0 0 0\n", "give the undistorted images"),
        ("cameras.txt", "7 PINHOLE 60 40 50 51 30 20\n", r"camera 0 of .* is not in cameras\.txt"),
        ("cameras.txt", "0 PINHOLE sixty\n", "malformed"),
        ("images.txt", "1 0 0 0 0 1 2 3 0 a.JPG\n\n", "length zero"),
        ("images.txt", "1 1 0 0 0 1 2 nan 0 a.JPG\n\n", r"the pose of a\.JPG is not a finite"),
        ("images.txt", "1 1 0 0 0 1 2\n\n", "malformed"),
        ("images.txt", "# nothing\n", "lists no image"),
    ],
)
def test_eth3d_is_refused_when_malformed(tmp_path: Path, file: str, text: str, sentence: str) -> None:
    scene = eth3d(tmp_path)
    (scene / "dslr_calibration_undistorted" / file).write_text(text)

    with pytest.raises(DatasetError, match=sentence):
        load_sequences(scene)


def test_eth3d_depth_of_another_size_says_what_is_missing(tmp_path: Path) -> None:
    scene = eth3d(tmp_path)
    np.ones(7, np.float32).tofile(scene / "ground_truth_depth" / "dslr_images" / "DSC_1.JPG")

    with pytest.raises(DatasetError, match=r"holds 7 values.*dslr_calibration_jpg/cameras\.txt"):
        load_sequences(scene)[0].frames[1].read_depth()


def test_rig_is_one_sequence_for_each_camera(tmp_path: Path) -> None:
    assert [sequence.name for sequence in load_sequences(meta(tmp_path))] == ["rig/x", "rig/y"]


def test_folder_that_is_no_data_set_or_an_empty_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"not a data set known here: there must be meta\.json"):
        load_sequences(tmp_path)
    (tmp_path / "meta.json").write_text('{"cameras": {}, "frames": [], "depth": {}}')
    with pytest.raises(DatasetError, match="lists no frame"):
        load_sequences(tmp_path)


def held(depth_shape: tuple[int, int], image_shape: tuple[int, int] = (20, 40)) -> HeldFrame:
    camera = PinholeCamera((20, 40), 30.0, 30.0, 19.5, 9.5)
    image = np.zeros((*image_shape, 3), np.uint8)
    return HeldFrame("kitchen 7", camera, np.eye(4), image, np.full(depth_shape, 2.0, np.float32))


def test_depth_of_half_the_size_spans_the_same_view() -> None:
    truth = frame_truth(held((10, 20)))

    assert truth is not None
    assert truth.camera.fx_px == 15.0
    assert np.nanmax(depth_on(held((10, 20)), held((10, 20)).calibration)) == 2.0


def test_depth_or_image_of_another_shape_is_refused_with_its_name() -> None:
    with pytest.raises(DatasetError, match=r"depth of kitchen 7 has the shape \(20, 20\).*registered"):
        frame_truth(held((20, 20)))
    with pytest.raises(DatasetError, match="kitchen 7 has 20x20 pixels, its calibration is for 40x20"):
        checked_image(held((20, 40), (20, 20)))
