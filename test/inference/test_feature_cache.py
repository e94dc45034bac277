# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is remembered of earlier images never changes an answer, and never takes more memory than it may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.inference.feature_cache import FeatureCache, ImageIdentities
from da3_ros.model.backbone import ViewTokens
from test.model.tiny import tiny_network

CPU = torch.device("cpu")
SIZES = ((42, 56), (56, 42), (40, 60))
BENT = PinholeCamera((42, 56), 40.0, 40.0, 27.0, 20.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))
FIELDS = ("images", "depth", "confidence", "window_from_camera")


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def estimator(cache_mb: int, precision: str = "fp32") -> DepthEstimator:
    return DepthEstimator(
        tiny_network(),
        CPU,
        process_resolution=56,
        cpu_threads=1,
        cache_mb=cache_mb,
        precision=precision,
        head_precision=precision,
    )


@pytest.fixture(scope="module")
def uncached() -> DepthEstimator:
    return estimator(0)


def image(camera: int, stamp: int, take: int = 0) -> npt.NDArray[np.uint8]:
    """What a camera of its own size saw at a stamp, in one of several takes of a bag."""
    return np.random.default_rng((camera, stamp, take)).integers(0, 256, (*SIZES[camera], 3), dtype=np.uint8)


def assert_same(ours: Prediction, theirs: Prediction) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.cameras == theirs.cameras


windows = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=5, unique=True),
        st.booleans(),  # a second take of the same stamps: a bag that was replaced, a clock that was reset
        st.booleans(),  # half the resolution
    ),
    min_size=2,
    max_size=5,
)


@pytest.mark.timeout(1200)  # a minute, but CI may be busy
@settings(max_examples=100)
@given(schedule=windows, kilobytes=st.sampled_from([8, 64, 1024]))
def test_answers_are_identical_with_and_without_memory_whatever_the_schedule(
    uncached: DepthEstimator, schedule: list[tuple[list[tuple[int, int]], bool, bool]], kilobytes: int
) -> None:
    cached = estimator(1)
    cached._cache = cached._preprocessor._cache = cached._half_preprocessor._cache = FeatureCache(kilobytes * 1024)
    for views, is_second_take, half in schedule:
        images = [image(*view, int(is_second_take)) for view in views]
        keys = [ViewKey(f"camera{camera}", stamp) for camera, stamp in views]
        cameras = [BENT if camera == 0 else None for camera, _ in views]
        effort = Effort(half_resolution=half)

        ours = cached.estimate(images, cameras, keys=keys, effort=effort)

        assert_same(ours, uncached.estimate(images, cameras, effort=effort))
        assert cached._cache.size_bytes <= kilobytes * 1024


def test_only_new_images_go_through_the_network() -> None:
    ours, asked = estimator(16), []
    encode = ours._encode

    def count(images: torch.Tensor) -> ViewTokens:
        asked.append(len(images))
        return encode(images)

    ours._encode = count
    for begin in range(4):
        stamps = range(begin, begin + 3)
        ours.estimate([image(0, stamp) for stamp in stamps], keys=[ViewKey("front", stamp) for stamp in stamps])

    assert sum(asked) == 6


def test_images_without_keys_are_not_remembered() -> None:
    ours = estimator(16)

    ours.estimate([image(0, 0)] * 2)

    assert ours._cache.size_bytes == 0


def test_known_poses_and_their_absence_share_what_is_remembered() -> None:
    ours, images, keys = estimator(16), [image(0, stamp) for stamp in range(2)], [ViewKey("a", 0), ViewKey("a", 1)]
    cameras, poses = [BENT] * 2, np.tile(np.eye(4), (2, 1, 1))

    free = ours.estimate(images, cameras, keys=keys)
    posed = ours.estimate(images, cameras, poses, keys)

    assert_same(posed, estimator(0).estimate(images, cameras, poses))
    assert not np.array_equal(free.depth, posed.depth)


@pytest.mark.parametrize("is_read_only", [False, True], ids=["writeable", "read-only"])
def test_other_pixels_under_the_same_key_are_seen(uncached: DepthEstimator, is_read_only: bool) -> None:
    ours, key = estimator(16), [ViewKey("front", 0)]
    first, second = image(0, 0), image(0, 1)
    for one in (first, second):
        one.setflags(write=not is_read_only)

    ours.estimate([first], keys=key)

    assert_same(ours.estimate([second], keys=key), uncached.estimate([second]))


def test_pixels_that_change_in_place_are_seen(uncached: DepthEstimator) -> None:
    ours, key, pixels = estimator(16), [ViewKey("front", 0)], image(0, 0)
    ours.estimate([pixels], keys=key)

    pixels[0, 0] += 100

    assert_same(ours.estimate([pixels], keys=key), uncached.estimate([pixels]))


def test_pixels_that_change_behind_a_read_only_view_are_seen(uncached: DepthEstimator) -> None:
    ours, key, buffer = estimator(16), [ViewKey("front", 0)], image(0, 0)
    view = buffer[:]
    view.setflags(write=False)
    ours.estimate([view], keys=key)

    buffer[0, 0] += 100

    assert_same(ours.estimate([view], keys=key), uncached.estimate([view]))


def test_another_calibration_of_the_same_image_is_seen(uncached: DepthEstimator) -> None:
    ours, key, pixels = estimator(16), [ViewKey("front", 0)], image(0, 0)
    ours.estimate([pixels], [BENT], keys=key)

    assert_same(ours.estimate([pixels], [None], keys=key), uncached.estimate([pixels], [None]))


def test_answers_are_identical_in_low_precision_too() -> None:
    cached, plain = estimator(16, "bf16"), estimator(0, "bf16")
    for begin in range(3):
        stamps = range(begin, begin + 3)
        images, keys = [image(0, stamp) for stamp in stamps], [ViewKey("front", stamp) for stamp in stamps]

        assert_same(cached.estimate(images, keys=keys), plain.estimate(images))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60), st.booleans()), max_size=60))
def test_memory_is_bounded_and_values_are_those_that_were_put(steps: Sequence[tuple[int, int, bool]]) -> None:
    cache = FeatureCache(100)
    put: dict[int, tuple[int, int]] = {}
    for key, size, is_read in steps:
        if is_read:
            assert cache.get(key) in (None, put.get(key))
        else:
            put[key] = (key, size)
            cache.put(key, put[key], size)
            assert cache.get(key) == (key, size)
        assert cache.size_bytes <= 100
    cache.clear()
    assert cache.size_bytes == 0


def test_value_that_was_not_asked_for_longest_goes_first() -> None:
    cache = FeatureCache(2)
    cache.put("a", 1, 1)
    cache.put("b", 2, 1)
    cache.get("a")
    cache.put("c", 3, 1)

    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert (cache.hits, cache.misses) == (3, 1)


def test_cache_of_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold -1 bytes"):
        FeatureCache(-1)


def test_identities_differ_exactly_when_key_or_pixels_do() -> None:
    identities, pixels = ImageIdentities(), image(0, 0)
    one = identities.of(ViewKey("a", 0), pixels)

    assert identities.of(ViewKey("a", 0), pixels.copy()) == one
    assert identities.of(ViewKey("a", 1), pixels) != one
    assert identities.of(ViewKey("a", 0), pixels[::-1]) != one
    assert identities.of(ViewKey("a", 0), pixels.reshape(56, 42, 3)) != one


def test_effort_changes_the_size_only_where_it_says_so(uncached: DepthEstimator) -> None:
    full, chunked = (uncached.estimate([image(0, 0)], effort=one) for one in (FULL_EFFORT, Effort(half_chunks=True)))

    assert_same(full, chunked)
    assert uncached.estimate([image(0, 0)], effort=Effort(half_resolution=True)).depth.shape == (1, 28, 28)
