# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine for single images around a tiny random network: metres, sky, and what it does not know."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Effort, ViewKey
from da3_ros.inference import loading
from da3_ros.inference.engine import Engine, EngineError, OutOfMemory
from da3_ros.inference.estimator import network_input
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.monocular_estimator import MonocularEstimator
from da3_ros.inference.preprocess import Preprocessor
from da3_ros.model.build import build_network
from da3_ros.model.config import MonocularName
from da3_ros.model.monocular import MonocularNetwork, MonocularOutput
from da3_ros.model.weights import fill_with_noise
from test.model.tiny import TINY_MONOCULAR

CPU = torch.device("cpu")
SIZE = (60, 80)  # processed to 42x56
CAMERA = PinholeCamera(SIZE, 70.0, 71.0, 41.0, 28.0)
FISH_EYE = replace(CAMERA, distortion_model="plumb_bob", distortion=(0.3, 0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def tiny(name: MonocularName = "da3metric-large") -> MonocularNetwork:
    network = build_network(name, **TINY_MONOCULAR)
    fill_with_noise(network, 1)
    return network


def estimator_of(network: MonocularNetwork) -> MonocularEstimator:
    return MonocularEstimator(network, CPU, process_resolution=56, cpu_threads=1)


@pytest.fixture(scope="module")
def metric() -> MonocularEstimator:
    return estimator_of(tiny())


@pytest.fixture(scope="module")
def mono() -> MonocularEstimator:
    return estimator_of(tiny("da3mono-large"))


def images_of(views: int, size: tuple[int, int] = SIZE, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    return list(np.random.default_rng(seed).integers(0, 256, (views, *size, 3), dtype=np.uint8))


def raw(images: list[npt.NDArray[np.uint8]]) -> MonocularOutput:
    with torch.inference_mode():
        out: MonocularOutput = tiny()(network_input(Preprocessor(56).process(images).images, CPU), views_at_once=1)
    return out


def test_prediction_has_the_contract_of_the_seam(metric: MonocularEstimator) -> None:
    engine: Engine = metric

    found = engine.estimate(images_of(2), [CAMERA, CAMERA], keys=[ViewKey("left", 0), ViewKey("right", 9)])

    assert found.sky is not None
    assert found.images.shape == (2, 42, 56, 3)
    assert found.depth.shape == found.confidence.shape == found.sky.shape == (2, 42, 56)
    assert found.depth.dtype == found.confidence.dtype == np.float32
    assert 0 < found.sky.mean() < 0.5
    np.testing.assert_array_equal(np.isnan(found.depth), found.sky)
    assert (found.depth[~found.sky] > 0).all()
    assert (found.confidence == 1).all()
    assert found.cameras == found.predicted_cameras == (CAMERA.resized((42, 56)),) * 2
    assert found.metres_per_unit == 1.0
    assert not found.has_poses
    np.testing.assert_array_equal(found.window_from_camera, np.stack((np.eye(4),) * 2))


def test_depth_is_the_networks_times_focal_length_over_300(metric: MonocularEstimator) -> None:
    images = images_of(2)

    found = metric.depth_of(images, [CAMERA, None])

    out = raw(images)
    sky = out.is_sky[0].numpy()
    focal_px = (70.0 * 56 / 80 + 71.0 * 42 / 60) / 2
    assert found.is_metric == (True, False)
    np.testing.assert_array_equal(found.sky, sky)
    np.testing.assert_allclose(found.depth[0][~sky[0]], out.depth[0, 0].numpy()[~sky[0]] * focal_px / 300, rtol=1e-6)
    np.testing.assert_array_equal(found.depth[1][~sky[1]], out.depth[0, 1].numpy()[~sky[1]])


@given(st.floats(0.2, 20.0))
@settings(max_examples=10)
def test_metres_grow_with_the_focal_length(factor: float) -> None:
    estimator, images = estimator_of(tiny()), images_of(1)
    longer = replace(CAMERA, fx_px=factor * CAMERA.fx_px, fy_px=factor * CAMERA.fy_px)

    near, far = (estimator.depth_of(images, [camera]).depth for camera in (CAMERA, longer))

    np.testing.assert_allclose(far, factor * near, rtol=1e-5)


def test_metres_do_not_depend_on_the_resolution_of_the_source() -> None:
    """The calibration is that of the source image; the focal length counts at the processed size."""
    estimator = estimator_of(tiny())
    small, large = np.full((42, 56, 3), 90, np.uint8), np.full((84, 112, 3), 90, np.uint8)
    camera = PinholeCamera((42, 56), 50.0, 51.0, 27.5, 20.5)

    once = estimator.depth_of([small], [camera]).depth
    twice = estimator.depth_of([large], [camera.resized((84, 112))]).depth

    np.testing.assert_allclose(once, twice, rtol=1e-5)


def test_view_is_answered_to_the_bit_in_any_company(metric: MonocularEstimator) -> None:
    images = images_of(4)

    together = metric.depth_of(images, [CAMERA] * 4)
    alone = [metric.depth_of([image], [CAMERA]) for image in images]

    np.testing.assert_array_equal(together.depth, np.concatenate([one.depth for one in alone]))
    np.testing.assert_array_equal(together.sky, np.concatenate([one.sky for one in alone]))


def test_mono_depth_has_no_unit_whatever_the_calibration(mono: MonocularEstimator) -> None:
    images = images_of(1)

    with_calibration, without = mono.estimate(images, [CAMERA]), mono.estimate(images)

    assert np.isnan(with_calibration.metres_per_unit)
    np.testing.assert_array_equal(with_calibration.depth, without.depth)


def test_camera_without_calibration_is_taken_to_be_60_degrees_wide_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    estimator = estimator_of(tiny())

    with caplog.at_level(logging.WARNING):
        first, _ = (estimator.estimate(images_of(2), [CAMERA, None]) for _ in range(2))

    camera = first.cameras[1]
    assert np.degrees(2 * np.arctan(28 / camera.fx_px)) == pytest.approx(60.0)
    assert (camera.fx_px, camera.cx_px, camera.cy_px) == (camera.fy_px, 27.5, 20.5)
    assert np.isnan(first.metres_per_unit)
    said = [record.getMessage() for record in caplog.records if "calibration" in record.getMessage()]
    assert said == [
        "view 1 has no calibration: it is taken to be 60 degrees wide, and its depth is relative, not in metres"
    ]


def test_nothing_is_said_when_every_camera_is_calibrated(caplog: pytest.LogCaptureFixture) -> None:
    estimator = estimator_of(tiny())

    with caplog.at_level(logging.WARNING):
        estimator.warm_up(2, SIZE)
        estimator.estimate(images_of(1), [CAMERA])

    assert not caplog.records


def test_neither_depth_nor_sky_is_where_rectification_found_nothing(metric: MonocularEstimator) -> None:
    images = images_of(1)

    found = metric.estimate(images, [FISH_EYE])

    valid = Preprocessor(56).process(images, [FISH_EYE]).valid
    assert found.sky is not None
    assert 0 < valid.mean() < 1
    assert np.isnan(found.depth[~valid]).all()
    assert not found.sky[~valid].any()


def test_less_effort_is_answered_coarser_or_in_smaller_portions(metric: MonocularEstimator) -> None:
    images = images_of(3)

    full, chunks, coarse = (
        metric.estimate(images, [CAMERA] * 3, effort=effort)
        for effort in (Effort(), Effort(half_chunks=True), Effort(half_resolution=True))
    )

    np.testing.assert_array_equal(full.depth, chunks.depth)
    assert coarse.depth.shape == (3, 28, 28)
    assert coarse.cameras[0] == CAMERA.resized((28, 28))


def test_two_images_of_one_camera_are_refused(metric: MonocularEstimator) -> None:
    keys = [ViewKey("front", 0), ViewKey("front", 1)]

    with pytest.raises(ValueError, match=r"da3metric-large sees every image alone.*window_size to 1"):
        metric.estimate(images_of(2), [CAMERA] * 2, keys=keys)


def test_call_is_refused_when_an_argument_does_not_fit(metric: MonocularEstimator) -> None:
    with pytest.raises(ValueError, match="view 0: an image must be"):
        metric.depth_of([np.zeros((60, 80), np.uint8)])
    with pytest.raises(ValueError, match="view 0 has a known pose but no calibration"):
        metric.estimate(images_of(1), None, np.eye(4)[None])
    with pytest.raises(ValueError, match="2 images came with 1 keys"):
        metric.estimate(images_of(2), keys=[ViewKey("front", 0)])


class _Failing(torch.nn.Module):
    """Stands for a network that fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error, self.config = error, tiny().config

    def forward(self, images: torch.Tensor, views_at_once: int) -> MonocularOutput:
        if self.error is not None:
            raise self.error
        depth = torch.ones(*images.shape[:2], *images.shape[3:])
        depth[:, -1, 0, 0] = torch.inf
        return MonocularOutput(depth, torch.zeros_like(depth))


def failing(error: Exception | None = None) -> MonocularEstimator:
    return MonocularEstimator(_Failing(error), CPU, process_resolution=56, cpu_threads=1)  # type: ignore[arg-type]


def test_infinity_in_the_output_is_an_engine_error_that_names_the_view() -> None:
    with pytest.raises(EngineError, match="depth of view 2 holds a NaN or infinity"):
        failing().depth_of(images_of(3))


def test_lack_of_memory_says_what_to_do() -> None:
    with pytest.raises(OutOfMemory, match="cpu has not enough memory for 3 views of 42x56: use a lower"):
        failing(MemoryError()).depth_of(images_of(3))


def test_memory_limit_is_held_before_the_network_runs() -> None:
    estimator = MonocularEstimator(tiny(), CPU, process_resolution=504, cpu_threads=1, max_memory_mb=1)

    with pytest.raises(OutOfMemory, match="max_memory_mb leaves 1"):
        estimator.depth_of(images_of(1))


@pytest.mark.parametrize("name", ["da3mono-large", "da3metric-large"])
def test_loading_gives_the_engine_for_single_images(monkeypatch: pytest.MonkeyPatch, name: MonocularName) -> None:
    monkeypatch.setattr(loading, "build_network", tiny)

    loaded = loading.load_estimator(name, "random", LoadOptions(device="cpu", process_resolution=56, cpu_threads=1))

    assert isinstance(loaded, MonocularEstimator)
    assert loaded.depth_of(images_of(1), [CAMERA]).is_metric == (name == "da3metric-large",)


def test_loading_refuses_rays_of_a_network_without_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "build_network", tiny)

    with pytest.raises(ValueError, match="'rays' needs a model that predicts cameras"):
        loading.load_estimator("da3mono-large", "random", LoadOptions(device="cpu", pose_source="rays"))
