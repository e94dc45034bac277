# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The estimator around a tiny random network: what goes in, what comes out, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.inference.engine import Engine, EngineError, OutOfMemory
from da3_ros.inference.estimator import CPU_VIEWS_AT_ONCE, DepthEstimator, network_input
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.loading import load_estimator
from da3_ros.inference.network_cameras import network_intrinsics_from_camera
from da3_ros.inference.preprocess import Preprocessor
from da3_ros.model.backbone import ViewTokens
from da3_ros.model.build import build_network
from da3_ros.model.camera_token import normalise_cameras
from da3_ros.model.network import Da3Network, NetworkOutput
from da3_ros.model.weights import randomise
from test.closeness import assert_close

CPU = torch.device("cpu")
SIZE = (60, 80)  # processed to 42x56
CAMERA = PinholeCamera(SIZE, 70.0, 71.0, 41.0, 28.0)
POSES = rigid_inverse(
    rigid(
        matrix_from_rotation_vector([[0.0, 0.0, 0.0], [0.1, 0.2, 0.0], [0.0, -0.3, 0.1]]),
        [[900.0, 0.0, 0.0], [901.0, 0.0, 0.2], [902.0, 0.5, 0.0]],
    )
)


@pytest.fixture(scope="module")
def network() -> Da3Network:
    tiny = build_network(
        "da3-small",
        dim=32,
        depth=5,
        heads=2,
        alternation_start=1,
        tapped_blocks=(1, 2, 3, 4),
        head_features=16,
        head_channels=(8, 8, 16, 16),
        camera_heads=2,
        camera_depth=1,
    )
    randomise(tiny, seed=3)
    return tiny


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def estimator(network: Da3Network) -> DepthEstimator:
    return DepthEstimator(network, CPU, process_resolution=56, cpu_threads=1)


def images_of(views: int, size: tuple[int, int] = SIZE, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    return list(np.random.default_rng(seed).integers(0, 256, (views, *size, 3), dtype=np.uint8))


@pytest.mark.parametrize("views", [1, 2, 3, 5])
def test_prediction_has_the_contract_of_the_seam_when_there_are_v_views(estimator: DepthEstimator, views: int) -> None:
    engine: Engine = estimator

    found = engine.estimate(images_of(views))

    assert isinstance(found, Prediction)
    assert found.images.shape == (views, 42, 56, 3)
    assert found.depth.shape == found.confidence.shape == (views, 42, 56)
    assert found.depth.dtype == found.confidence.dtype == np.float32
    assert found.window_from_camera.shape == (views, 4, 4)
    assert found.window_from_camera.dtype == np.float64
    assert np.isfinite(found.depth).all()
    assert (found.depth > 0).all()
    assert (found.confidence >= 1).all()
    assert found.cameras == found.predicted_cameras
    assert {camera.size for camera in found.cameras} == {(42, 56)}
    assert {(camera.cx_px, camera.cy_px) for camera in found.cameras} == {(27.5, 20.5)}


def test_prediction_says_what_the_network_says(network: Da3Network, estimator: DepthEstimator) -> None:
    images = images_of(3)

    ours = estimator.estimate(images)

    with torch.inference_mode():
        theirs = network(network_input(Preprocessor(56).process(images).images, CPU))
    assert_close(ours.depth, theirs.depth[0])
    assert_close(ours.confidence, theirs.confidence[0])
    product = ours.window_from_camera @ theirs.camera_from_world[0].double().numpy()
    np.testing.assert_allclose(product, np.tile(np.eye(4), (3, 1, 1)), atol=1e-5)


def test_reference_view_is_chosen_as_the_setting_says(network: Da3Network) -> None:
    images = images_of(3)

    first, middle = (
        DepthEstimator(network, CPU, process_resolution=56, reference_view=name, cpu_threads=1).estimate(images)
        for name in ("first", "middle")
    )

    assert not np.allclose(first.depth, middle.depth, rtol=1e-3)
    with torch.inference_mode():
        theirs = network(network_input(Preprocessor(56).process(images).images, CPU), reference_view="middle")
    assert_close(middle.depth, theirs.depth[0])


def test_same_views_give_the_same_answer_twice(estimator: DepthEstimator) -> None:
    first, second = (estimator.estimate(images_of(3)) for _ in range(2))

    np.testing.assert_array_equal(first.depth, second.depth)
    np.testing.assert_array_equal(first.window_from_camera, second.window_from_camera)


def test_given_calibration_is_kept_and_the_predicted_one_beside_it(estimator: DepthEstimator) -> None:
    found = estimator.estimate(images_of(2), [CAMERA, None])

    assert found.cameras == (CAMERA.resized((42, 56)), found.predicted_cameras[1])
    assert found.predicted_cameras[0] != found.cameras[0]


def test_depth_is_nan_and_confidence_lowest_exactly_where_rectification_found_nothing(
    estimator: DepthEstimator,
) -> None:
    pincushion = replace(CAMERA, distortion_model="plumb_bob", distortion=(0.3, 0.0, 0.0, 0.0))
    images = images_of(2)

    found = estimator.estimate(images, [pincushion, CAMERA])

    valid = Preprocessor(56).process(images, [pincushion, CAMERA]).valid
    assert 0 < valid[0].mean() < 1
    np.testing.assert_array_equal(np.isnan(found.depth), ~valid)
    assert (found.confidence[~valid] == 1).all()


def test_mixed_sizes_are_answered_at_their_common_size(estimator: DepthEstimator) -> None:
    upright = PinholeCamera((80, 60), 70.0, 71.0, 29.5, 39.5)

    found = estimator.estimate([*images_of(1), *images_of(1, (80, 60))], [CAMERA, upright])

    assert found.depth.shape == (2, 42, 42)
    assert found.cameras[0] == CAMERA.resized((42, 56)).cropped(0, 7, (42, 42))
    assert found.cameras[1] == upright.resized((56, 42)).cropped(7, 0, (42, 42))


def test_known_poses_reach_the_network_normalised_and_with_its_own_intrinsics(
    network: Da3Network, estimator: DepthEstimator
) -> None:
    images = images_of(3)

    ours = estimator.estimate(images, [CAMERA] * 3, POSES)

    views = Preprocessor(56).process(images, [CAMERA] * 3)
    matrix = np.stack([network_intrinsics_from_camera(camera) for camera in views.cameras if camera])
    poses = normalise_cameras(torch.from_numpy(POSES)[None]).float()
    with torch.inference_mode():
        theirs = network(network_input(views.images, CPU), poses, torch.from_numpy(matrix)[None].float())
    assert_close(ours.depth, theirs.depth[0])
    assert not np.array_equal(ours.depth, estimator.estimate(images, [CAMERA] * 3).depth)


def test_known_poses_far_from_their_origin_count_like_near_ones(estimator: DepthEstimator) -> None:
    images = images_of(3)
    moved = POSES @ rigid(np.eye(3), [5000.0, -3000.0, 100.0])

    near, far = (estimator.estimate(images, [CAMERA] * 3, poses) for poses in (POSES, moved))

    np.testing.assert_allclose(near.depth, far.depth, rtol=1e-5)


@pytest.mark.parametrize("views", [1, 2])
def test_known_poses_work_when_there_are_one_or_two_views(estimator: DepthEstimator, views: int) -> None:
    found = estimator.estimate(images_of(views), [CAMERA] * views, POSES[:views])

    assert np.isfinite(found.depth).all()


def test_call_is_refused_when_an_argument_does_not_fit(estimator: DepthEstimator) -> None:
    with pytest.raises(ValueError, match="view 1"):
        estimator.estimate([*images_of(1), np.zeros((60, 80), np.uint8)])
    with pytest.raises(ValueError, match="view 0 has a known pose but no calibration"):
        estimator.estimate(images_of(1), None, POSES[:1])
    with pytest.raises(ValueError, match="2 images came with 1 keys"):
        estimator.estimate(images_of(2), keys=[ViewKey("front", 0)])


def test_estimator_is_refused_when_a_setting_does_not_exist(network: Da3Network) -> None:
    with pytest.raises(ValueError, match="last"):
        DepthEstimator(network, CPU, reference_view="last")
    with pytest.raises(ValueError, match="'lidar' is not one of camera_head, rays"):
        DepthEstimator(network, CPU, pose_source="lidar")


class _Failing(torch.nn.Module):
    """Stands for a network that fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error

    def encode(self, images: torch.Tensor) -> ViewTokens:
        return ViewTokens(images.flatten(2), images[:, :, 0, 0], (images.shape[2], images.shape[3]))

    def relate(self, views: ViewTokens, batch: int, **__: object) -> NetworkOutput:
        if self.error is not None:
            raise self.error
        (B, V), (H, W) = (batch, len(views.tokens) // batch), views.grid
        depth = torch.ones(B, V, H, W)
        depth[:, -1, 0, 0] = torch.inf
        eye = torch.eye(4).expand(B, V, 4, 4)
        return NetworkOutput(depth, torch.ones(B, V, H, W), eye, eye[..., :3, :3], None, None)


def failing(error: Exception | None = None) -> DepthEstimator:
    return DepthEstimator(_Failing(error), CPU, process_resolution=56, cpu_threads=1)  # type: ignore[arg-type]


def test_infinity_in_the_output_is_an_engine_error_that_names_the_view() -> None:
    with pytest.raises(EngineError, match="depth of view 2 holds a NaN or infinity"):
        failing().estimate(images_of(3))


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "python"],
)
def test_lack_of_memory_is_an_engine_error_that_says_what_to_do(error: Exception) -> None:
    with pytest.raises(EngineError, match="cpu has not enough memory for 3 views of 42x56: use a smaller window"):
        failing(error).estimate(images_of(3))


def test_other_failures_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="device-side assert") as caught:
        failing(RuntimeError("device-side assert")).estimate(images_of(1))

    assert not isinstance(caught.value, EngineError)


def test_number_of_threads_is_set_by_the_call_itself(network: Da3Network) -> None:
    torch.set_num_threads(2)

    DepthEstimator(network, CPU, process_resolution=56, cpu_threads=1).estimate(images_of(1))

    assert torch.get_num_threads() == 1


def test_warm_up_runs_the_network_and_fails_when_it_fails(estimator: DepthEstimator) -> None:
    estimator.warm_up(2, SIZE)
    with pytest.raises(EngineError):
        failing().warm_up(2, SIZE)


def test_loading_refuses_a_bad_device_model_or_weights() -> None:
    with pytest.raises(ValueError, match="use auto, cpu, cuda"):
        load_estimator("da3-small", "random", LoadOptions(device="tpu7"))
    with pytest.raises(ValueError, match="da3-tiny"):
        load_estimator("da3-tiny", "random", LoadOptions(device="cpu"))
    with pytest.raises(ValueError, match=r"nowhere\.safetensors"):
        load_estimator("da3-small", "nowhere.safetensors", LoadOptions(device="cpu"))
    with pytest.raises(ValueError, match="lidar"):
        load_estimator("da3-small", "random", LoadOptions(device="cpu", pose_source="lidar"))


def test_loading_gives_an_estimator_that_estimates() -> None:
    loaded = load_estimator("da3-small", "random", LoadOptions(device="cpu", process_resolution=56, cpu_threads=1))

    assert loaded.estimate(images_of(1)).depth.shape == (1, 42, 56)


def test_call_that_would_take_more_memory_than_it_may_is_refused_before_it_is_made(network: Da3Network) -> None:
    bounded = DepthEstimator(network, CPU, process_resolution=56, cpu_threads=1, max_memory_mb=60)

    with pytest.raises(OutOfMemory, match=r"400 views of 42x56 would take \d+ MB, and max_memory_mb leaves 60"):
        bounded.estimate(images_of(400))
    bounded.estimate(images_of(1))


def test_what_is_remembered_makes_room_when_memory_is_short() -> None:
    short = failing(MemoryError())
    keys = [ViewKey("front", 0)]

    with pytest.raises(OutOfMemory):
        short.estimate(images_of(1), keys=keys)

    assert short._cache.size_bytes == 0


def test_chunks_are_halved_when_that_is_asked_for() -> None:
    asked: list[int] = []

    class Asked(_Failing):
        def relate(self, views: ViewTokens, batch: int, *_: object, **settings: object) -> NetworkOutput:
            asked.append(int(str(settings["views_at_once"])))
            raise MemoryError

    estimator = DepthEstimator(Asked(), CPU, process_resolution=56, cpu_threads=1)  # type: ignore[arg-type]
    for effort in (FULL_EFFORT, Effort(half_chunks=True)):
        with pytest.raises(OutOfMemory):
            estimator.estimate(images_of(4), effort=effort)

    assert asked == [CPU_VIEWS_AT_ONCE, 1]
