# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine that runs an exported file: what it predicts, what it refuses, and how users come by it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from da3_ros.cli.main import main
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.inference.engine import Engine, EngineError
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.loading import load_estimator
from da3_ros.inference.onnx_engine import OnnxEngine
from da3_ros.model.network import Da3Network
from test.inference.conftest import Exporter

SIZE = (60, 80)  # processed to 42x56
CAMERA = PinholeCamera(SIZE, 70.0, 71.0, 41.0, 28.0)
PINCUSHION = replace(CAMERA, distortion_model="plumb_bob", distortion=(0.3, 0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def engine(exported: Exporter) -> OnnxEngine:
    return OnnxEngine(exported(rays=True), device="cpu", cpu_threads=1)


def images_of(views: int, size: tuple[int, int] = SIZE) -> list[npt.NDArray[np.uint8]]:
    return list(np.random.default_rng(2).integers(0, 256, (views, *size, 3), dtype=np.uint8))


@pytest.mark.parametrize("pose_source", ["camera_head", "rays"])
def test_prediction_is_that_of_torch(small_network: Da3Network, exported: Exporter, pose_source: str) -> None:
    cameras = [CAMERA, None, PINCUSHION]
    torch_engine = DepthEstimator(
        small_network, torch.device("cpu"), process_resolution=56, pose_source=pose_source, cpu_threads=1
    )
    engine: Engine = OnnxEngine(exported(rays=True), device="cpu", pose_source=pose_source, cpu_threads=1)

    ours, theirs = (each.estimate(images_of(3), cameras) for each in (engine, torch_engine))

    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_allclose(ours.depth, theirs.depth, rtol=1e-4)
    np.testing.assert_allclose(ours.confidence, theirs.confidence, rtol=1e-4)
    np.testing.assert_allclose(ours.window_from_camera, theirs.window_from_camera, atol=1e-3)
    assert ours.cameras[0] == theirs.cameras[0]
    assert ours.cameras[1].fx_px == pytest.approx(theirs.cameras[1].fx_px, rel=1e-3)
    assert np.isnan(ours.depth[2]).any()


def test_warm_up_runs_the_file_whatever_is_asked(engine: OnnxEngine) -> None:
    engine.warm_up(1, (480, 640))


def test_window_of_another_number_or_size_is_refused(engine: OnnxEngine) -> None:
    name = engine.path.name

    with pytest.raises(EngineError, match=f"{name} was exported for 3 views of 42x56, this window has 2 of 42x56: set"):
        engine.estimate(images_of(2))
    with pytest.raises(EngineError, match="this window has 3 of 56x42"):
        engine.estimate(images_of(3, (80, 60)))
    with pytest.raises(ValueError, match="2 cameras in windows of 4 make 8 views: set window_size, or export again"):
        engine.check_windows(cameras=2, window_size=4)
    engine.check_windows(cameras=3, window_size=1)


def test_known_poses_and_stray_keys_are_refused(engine: OnnxEngine) -> None:
    with pytest.raises(EngineError, match="takes no known poses"):
        engine.estimate(images_of(3), [CAMERA] * 3, np.tile(np.eye(4), (3, 1, 1)))
    with pytest.raises(ValueError, match="3 images came with 0 keys"):
        engine.estimate(images_of(3), keys=[])


def test_file_is_refused_when_it_is_not_what_is_asked_for(exported: Exporter) -> None:
    without_rays = exported(views=2, precision="fp16")

    with pytest.raises(ValueError, match="holds da3-small, not da3-base: change the weights or the model"):
        OnnxEngine(without_rays, model="da3-base", device="cpu")
    with pytest.raises(ValueError, match="holds no rays: export again with --rays"):
        OnnxEngine(without_rays, pose_source="rays", device="cpu")


def test_file_is_refused_when_it_is_not_ours(exported: Exporter, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="NOT RUN: no onnx here: pip install -e .[test]")
    stranger, text = tmp_path / "stranger.onnx", tmp_path / "text.onnx"
    model = onnx.load(exported(rays=True))
    del model.metadata_props[:]
    onnx.save(model, stranger)
    text.write_text("not a network")

    with pytest.raises(ValueError, match=r"stranger\.onnx is no ONNX file of this da3_ros"):
        OnnxEngine(stranger, device="cpu")
    with pytest.raises(ValueError, match=r"text\.onnx is not an ONNX file"):
        OnnxEngine(text, device="cpu")
    with pytest.raises(ValueError, match=r"nowhere\.onnx does not exist"):
        OnnxEngine(tmp_path / "nowhere.onnx", device="cpu")


def test_device_is_refused_when_onnx_runtime_has_none_such(exported: Exporter) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="NOT RUN: no onnxruntime here: pip install -e .[test]")

    with pytest.raises(ValueError, match="'tpu7' is not supported: use auto, cpu, cuda"):
        OnnxEngine(exported(rays=True), device="tpu7")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(ValueError, match="'cuda:0': this ONNX Runtime has no CUDA provider"):
            OnnxEngine(exported(rays=True), device="cuda:0")


def test_missing_onnx_runtime_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(ValueError, match=r"needs onnxruntime: pip install onnxruntime \(or onnxruntime-gpu\)"):
        OnnxEngine(tmp_path / "any.onnx", device="cpu")


def test_weights_that_end_in_onnx_are_loaded_as_an_engine(exported: Exporter) -> None:
    loaded = load_estimator("da3-small", str(exported(rays=True)), LoadOptions(device="cpu", cpu_threads=1))

    assert isinstance(loaded, OnnxEngine)
    assert loaded.estimate(images_of(3)).depth.shape == (3, 42, 56)
    with pytest.raises(ValueError, match=r"weights/nowhere\.onnx': no such file"):
        load_estimator("da3-small", "weights/nowhere.onnx", LoadOptions(device="cpu"))


def test_infer_runs_a_folder_through_a_file(exported: Exporter, tmp_path: Path) -> None:
    folder, output = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    for number, image in enumerate(images_of(3)):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    given = ["infer", str(folder), "--weights", str(exported(rays=True)), "--window-size", "3", "--device", "cpu"]

    assert main([*given, "--output", str(output)]) == 0

    assert len(list(output.rglob("*.npz"))) == 3
