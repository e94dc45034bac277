# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Data set folders: what is read, what is refused, and truth found by pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from da3_ros.evaluation.datasets import DatasetError, DatasetFrame, dataset_truth, load_dataset
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.sim3 import rigid_inverse

KEY = ViewKey("front", 123)


def small_meta() -> dict[str, Any]:
    matrix = [[30.0, 0, 19.5], [0, 31.0, 9.5], [0, 0, 1]]
    pose = np.eye(4).tolist()
    return {
        "depth": {"format": "png16", "scale": 0.002, "invalid": 0},
        "cameras": {name: {"K": matrix, "width": 40, "height": 20, "distortion": None} for name in ("front", "left")},
        "frames": [
            {"image": "a.png", "depth": "a_depth.png", "camera": "front", "pose_c2w": pose},
            {"image": "b.png", "depth": "b_depth.png", "camera": "left", "pose_c2w": pose},
            {"image": "c.png", "camera": "front", "pose_c2w": pose},
        ],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "meta.json").write_text(json.dumps(small_meta()))
    for number, name in enumerate("abc"):
        image = np.full((20, 40, 3), (10, 20, 30 + number), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
        depth = np.full((20, 40), 1000 + number, dtype=np.uint16)
        depth[0, 0] = 0
        cv2.imwrite(str(tmp_path / f"{name}_depth.png"), depth)
    return tmp_path


def rewrite(folder: Path, **changes: Any) -> None:
    (folder / "meta.json").write_text(json.dumps(small_meta() | changes))


def test_frames_are_read_as_the_meta_file_says(folder: Path) -> None:
    frames = load_dataset(folder)

    assert [(frame.camera, frame.index) for frame in frames] == [("front", 0), ("left", 0), ("front", 1)]
    first = frames[0]
    assert first.calibration.size == (20, 40)
    assert (first.calibration.fy_px, first.calibration.cx_px) == (31.0, 19.5)
    assert first.read_image()[0, 0].tolist() == [30, 20, 10]
    assert first.depth_file is not None
    depth = first.depth_file.read()
    assert depth.dtype == np.float32
    assert np.isnan(depth[0, 0])
    assert depth[1, 1] == np.float32(2.0)
    assert frames[2].depth_file is None


def test_truth_is_found_by_the_pixels_of_the_image_whatever_the_key(folder: Path) -> None:
    rewrite(folder, frames=small_meta()["frames"][:2])
    truth = dataset_truth(folder)

    found = truth(KEY, None, load_dataset(folder)[1].read_image())

    assert found.depth[1, 1] == np.float32(2.002)
    assert found.camera.size == found.depth.shape


def test_truth_is_a_lookup_error_when_the_image_is_not_of_the_set(folder: Path) -> None:
    rewrite(folder, frames=small_meta()["frames"][:2])
    truth = dataset_truth(folder)
    changed = load_dataset(folder)[0].read_image()
    changed[3, 4, 0] += 1

    with pytest.raises(LookupError, match="front"):
        truth(KEY, None, changed)


def test_truth_is_refused_when_a_frame_has_no_depth(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"no depth image for c\.png"):
        dataset_truth(folder)


def test_folder_is_refused_when_there_is_no_meta_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a data set"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "broken",
    [
        {"cameras": {}},
        {"cameras": ["front", "left"]},
        {"cameras": {"front": {"K": [[1]], "width": 40, "height": 20, "distortion": None}}},
        {"cameras": {"front": {"K": np.eye(3).tolist(), "width": 40, "height": 20, "distortion": [0.1]}}},
        {"frames": [{"image": "a.png", "camera": "front", "pose_c2w": [[1, 0], [0, 1]]}]},
        {"frames": [{"image": "a.png", "camera": "front", "pose_c2w": np.diag([2, 2, 2, 1]).tolist()}]},
        {"frames": [{"image": "a.png", "camera": "front"}]},
    ],
)
def test_folder_is_refused_when_its_meta_file_is_malformed(folder: Path, broken: dict[str, Any]) -> None:
    rewrite(folder, **broken)

    with pytest.raises(DatasetError, match="malformed"):
        load_dataset(folder)


@pytest.mark.parametrize("scale", [0, -0.001, float("nan"), float("inf")])
def test_folder_is_refused_when_its_depth_has_no_unit(folder: Path, scale: float) -> None:
    rewrite(folder, depth={"scale": scale, "invalid": 0})

    with pytest.raises(DatasetError, match=r"the scale of depth is .*: it must be metres per unit, above zero"):
        load_dataset(folder)


def test_unit_of_depth_is_asked_for_only_when_a_frame_names_depth(folder: Path) -> None:
    meta = small_meta()
    del meta["depth"]
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DatasetError, match=r"a frame names a_depth\.png, and no `depth` says its scale"):
        load_dataset(folder)

    (folder / "meta.json").write_text(json.dumps(meta | {"frames": meta["frames"][2:]}))

    assert not load_dataset(folder)[0].has_depth


def test_missing_depth_is_told_from_a_file_that_is_no_depth(folder: Path) -> None:
    (folder / "a_depth.png").unlink()

    with pytest.raises(DatasetError, match=r"the depth image .*a_depth\.png is missing"):
        load_dataset(folder)[0].read_depth()


def test_file_is_refused_when_it_is_no_image(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"not an image")
    (folder / "a_depth.png").write_bytes((folder / "b.png").read_bytes())
    first = load_dataset(folder)[0]

    with pytest.raises(DatasetError, match=r"a\.png is not a readable image"):
        first.read_image()
    assert first.depth_file is not None
    with pytest.raises(DatasetError, match="not a 16-bit depth image"):
        first.depth_file.read()


def median_depth_disagreement(source: DatasetFrame, target: DatasetFrame) -> float:
    """Median relative difference of the source's depth, moved into the target's view, from the depth found there."""
    assert source.depth_file is not None
    assert target.depth_file is not None
    depth, seen = source.depth_file.read(), target.depth_file.read()
    points = (source.calibration.rays() * depth[..., None])[~np.isnan(depth)]
    target_from_source = rigid_inverse(target.world_from_camera) @ source.world_from_camera
    moved = points @ target_from_source[:3, :3].T + target_from_source[:3, 3]
    pixels = target.calibration.project(moved)
    height, width = target.calibration.size
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 0) & (pixels <= (width - 1, height - 1))).all(axis=-1)
    cols, rows = np.rint(pixels[inside]).astype(int).T
    return float(np.nanmedian(np.abs(moved[inside, 2] / seen[rows, cols] - 1)))


@pytest.mark.parametrize(
    ("name", "frames", "cameras", "tolerance"),
    [("livingroom1_redwood", 53, 1, 0.002), ("hololens_indoor", 63, 1, 0.01)],
)
def test_depth_and_poses_of_real_sets_agree_between_views(
    shared_data: Path, name: str, frames: int, cameras: int, tolerance: float
) -> None:
    found = load_dataset(shared_data / name)

    assert len(found) == frames
    assert len({frame.camera for frame in found}) == cameras
    assert found[0].read_image().shape[:2] == found[0].calibration.size
    assert median_depth_disagreement(found[10], found[12]) < tolerance


def test_rig_without_depth_images_is_read_with_shared_instants(shared_data: Path) -> None:
    found = load_dataset(shared_data / "ddad_rig6")

    assert len(found) == 18
    assert {frame.index for frame in found} == {0, 1, 2}
    assert all(frame.depth_file is None for frame in found)
