# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which camera a folder's images were taken by, which files belong to it, and what its sequence is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.evaluation.known_frames import checked_image
from da3_ros.evaluation.sequences import load_sequences
from da3_ros.geometry.camera import PinholeCamera
from test.evaluation.miniature_sequences import colour, eth3d, seven_scenes, tum, write_png

OWN = (30.0, 31.0, 19.5, 9.5)
FREIBURG = {  # as the benchmark's page of file formats prints them
    "freiburg1": (517.3, 516.5, 318.6, 255.3, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "fr2": (520.9, 521.0, 325.1, 249.7, (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "fr3": (535.4, 539.2, 320.1, 247.6, ()),
}


@pytest.mark.parametrize("name", FREIBURG)
def test_tum_camera_is_the_one_that_the_folder_is_named_after(tmp_path: Path, name: str) -> None:
    scene = tum(tmp_path).rename(tmp_path / f"rgbd_{name}_desk")

    calibration = load_sequences(scene)[0].frames[0].calibration

    fx, fy, cx, cy, distortion = FREIBURG[name]
    model = "plumb_bob" if distortion else PinholeCamera((480, 640), fx, fy, cx, cy).distortion_model
    assert calibration == PinholeCamera((480, 640), fx, fy, cx, cy, model, distortion)


def test_seven_scenes_have_the_recommended_camera(tmp_path: Path) -> None:
    (sequence,) = load_sequences(seven_scenes(tmp_path))

    assert sequence.frames[0].calibration == PinholeCamera((480, 640), 585.0, 585.0, 320.0, 240.0)


@pytest.mark.parametrize("folder", ["fr1_shed", "shed"])
def test_intrinsics_are_of_the_images_that_the_list_names_wherever_they_lie(tmp_path: Path, folder: str) -> None:
    scene = tum(tmp_path).rename(tmp_path / folder)
    write_png(scene / "color" / "0.png", colour(7, (20, 40)))
    (scene / "rgb.txt").write_text("100.0 color/0.png\n")
    (scene / "rgb" / ".DS_Store").write_text("no image")

    (sequence,) = load_sequences(scene, OWN)

    assert sequence.frames[0].calibration == PinholeCamera((20, 40), *OWN)
    (scene / "rgb.txt").write_text("# none\n")
    with pytest.raises(DatasetError, match=r"rgb\.txt lists no image"):
        load_sequences(scene, OWN)


@pytest.mark.parametrize(("apart_s", "joined"), [(0.019, True), (0.021, False)])
def test_tum_depth_belongs_to_an_image_within_20_ms(tmp_path: Path, apart_s: float, joined: bool) -> None:
    scene = tum(tmp_path)
    (scene / "depth.txt").write_text(f"{100 - apart_s:.3f} depth/0.png\n")

    assert load_sequences(scene)[0].frames[0].has_depth == joined


def test_eth3d_image_is_the_file_that_its_pose_names(tmp_path: Path) -> None:
    scene = eth3d(tmp_path)
    write_png(scene / "images" / "dslr_images_undistorted" / "DSC_1.JPG", colour(200, (40, 60)))

    reds = [checked_image(frame)[..., 0].mean() for frame in load_sequences(scene)[0].frames]

    assert reds == pytest.approx([0, 200], abs=3)  # JPEG


def test_eth3d_scene_without_undistorted_images_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    scene = eth3d(tmp_path)
    (scene / "dslr_calibration_undistorted").rename(scene / "dslr_calibration_jpg")

    with pytest.raises(DatasetError, match=r"no dslr_calibration_undistorted: download .* undistorted images too"):
        load_sequences(scene)


def test_archives_beside_the_sequences_of_a_scene_are_no_sequences(tmp_path: Path) -> None:
    scene = seven_scenes(tmp_path)
    scene.with_suffix(".zip").write_text("packed")

    assert [sequence.name for sequence in load_sequences(scene.parent)] == ["chess/seq-01"]


@pytest.mark.parametrize("path", [".", "../rgbd_dataset_freiburg3_desk", "rgb/.."])
def test_sequence_is_called_by_its_folder_however_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tum(tmp_path))

    (sequence,) = load_sequences(Path(path))

    assert sequence.name == "rgbd_dataset_freiburg3_desk"
