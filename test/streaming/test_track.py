# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the track keeps of its windows, in which order, and what it forgets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from da3_ros.streaming import track as tracks
from test.streaming.drawn_windows import NOISE, SCENE_DEPTH_M, Chain, DrawnWorld
from test.streaming.oracle_world import ONE, THREE, curve, still


def test_view_that_is_kept_stays_as_it_was_while_no_window_sees_it() -> None:
    chain = Chain(DrawnWorld(ONE, curve, 3), range(6))
    before = chain.track

    chain.take(range(4, 10), kept=[1], rebase=False)

    after = chain.track
    assert [frame.stamp_ns for frame in after.views] == [s.stamp_ns for s in (*after.window.frame_sets, *after.older)]
    assert after.older == (chain.world.frame_set(1),)
    np.testing.assert_allclose(after.world_from_camera[-1], before.world_from_camera[1], atol=1e-12)
    np.testing.assert_array_equal(after.samples[-1].depth, before.samples[1].depth)
    own = slice(7 * 6, 7 * 7)
    np.testing.assert_allclose(after.covariance[own, own], np.diag(chain.noise.variances), rtol=1e-12)
    assert not np.abs(after.covariance[own, : 7 * 6]).max() > 1e-12


def test_kept_view_is_shared_again_when_a_window_holds_it() -> None:
    chain = Chain(DrawnWorld(THREE, curve, 3), range(6))
    chain.take(range(4, 10), kept=[1])
    window = chain.world.window([1, *range(9, 14)])

    shared = tracks.shared_views(chain.track, window, chain.world.predict(window))

    keys = [frame.key for frame in chain.track.views]
    assert [keys[old] for old, _ in shared] == [window.views[new].key for _, new in shared]
    assert {window.views[new].stamp_ns for _, new in shared} == {100_000_000, 900_000_000}
    chain.take([1, *range(9, 14)], kept=[1])
    assert chain.track.views == chain.track.window.views  # nothing else is left
    assert len(chain.track.samples) == len(chain.track.world_from_camera) == 18


def test_shared_view_is_known_twice_as_well_and_lies_between_what_two_windows_say() -> None:
    """In the base's gauge, as if the second window's were known: so with many views it nearly is."""
    chain = Chain(DrawnWorld(ONE, still, 5), range(40))
    before = chain.track
    window, prediction, alignment = chain.align(range(1, 41))
    second = alignment.world_from_window.apply_to_poses(prediction.window_from_camera)

    after = tracks.extended(before, window, prediction, alignment, chain.noise, (), rebase=False)

    middle = (before.world_from_camera[20, :3, 3] + second[19, :3, 3]) / 2
    np.testing.assert_allclose(after.world_from_camera[19, :3, 3], middle, atol=0.05 * chain.noise.centre)
    variances = np.diagonal(after.covariance)[7 * 19 : 7 * 20]
    np.testing.assert_allclose(variances, chain.noise.variances / 2, rtol=0.1)
    of_depth = alignment.world_from_window.scale * prediction.depth[19, 0, 0] * before.samples[20].depth[0]
    assert after.samples[19].depth[0] == pytest.approx(np.sqrt(of_depth), rel=0.05 * NOISE.log_depth)


def test_new_base_makes_new_views_independent() -> None:
    chain = Chain(DrawnWorld(ONE, curve), range(6))

    chain.take(range(3, 9), rebase=True)

    new = slice(7 * 3, 7 * 6)
    np.testing.assert_allclose(chain.track.covariance[new, new], np.diag(np.tile(chain.noise.variances, 3)), rtol=1e-12)
    assert chain.track.covariance[-1, -1] > 0  # now the unit of the beginning is in doubt


def test_errors_are_told_of_the_newest_set_and_of_new_views() -> None:
    chain = Chain(DrawnWorld(THREE, curve), range(4))
    window, prediction, alignment = chain.align(range(2, 6))

    errors = tracks.published_errors(chain.track, window, prediction, alignment, chain.noise)

    stamps = [3, 4, 5]
    assert [(key.camera, key.stamp_ns) for key in errors.keys] == [
        (camera, k * 100_000_000) for k in stamps for camera in THREE
    ]
    old = slice(0, 7 * 3)
    np.testing.assert_allclose(errors.covariance[old, old], np.diag(np.tile(chain.noise.variances, 3)))
    assert np.linalg.eigvalsh(errors.covariance).min() > 0
    np.testing.assert_allclose(errors.covariance, errors.covariance.T, rtol=1e-12)


def test_views_of_a_new_track_have_their_own_errors_alone() -> None:
    chain = Chain(DrawnWorld(THREE, curve), range(2))

    errors = tracks.own_errors(chain.track)

    assert errors.keys == tuple(frame.key for frame in chain.track.window.views)
    np.testing.assert_array_equal(errors.covariance, np.diag(np.tile(chain.noise.variances, 6)))


def test_nothing_is_shared_when_the_image_size_is_another() -> None:
    chain = Chain(DrawnWorld(ONE, curve), range(4))
    window = chain.world.window(range(1, 5))
    prediction = chain.world.predict(window)
    smaller = replace(prediction, depth=prediction.depth[:, 1:], confidence=prediction.confidence[:, 1:])

    assert len(tracks.shared_views(chain.track, window, prediction)) == 3
    assert tracks.shared_views(chain.track, window, smaller).shape == (0, 2)


def test_depth_of_the_scene_is_that_of_the_newest_window_alone() -> None:
    chain = Chain(DrawnWorld(ONE, curve, noise=replace(NOISE, log_depth=0.0)), range(4))
    window = chain.world.window(range(4))
    first = chain.world.predict(window)
    far = replace(first, depth=first.depth * np.array([100, 1, 1, 1], dtype=np.float32)[:, None, None])
    chain.track = tracks.begin(window, far, chain.noise)

    assert chain.take(range(1, 5), kept=[0])

    scale = chain.world.gauges[1].scale  # the unit of the window that began the track
    assert chain.track.scene_depth == pytest.approx(SCENE_DEPTH_M * scale, rel=1e-5)
    unknown = replace(first, depth=first.depth * np.float32(np.nan))
    assert tracks.begin(window, unknown, NOISE).scene_depth == 1.0


def test_pixels_to_compare_are_bounded_and_spread_over_the_image() -> None:
    world = DrawnWorld(ONE, curve)
    window = world.window(range(2))
    rows, columns = np.mgrid[:378, :504]
    depth = np.stack([1000 * rows + columns + 1.0] * 2).astype(np.float32)
    prediction = replace(world.predict(window), depth=depth, confidence=np.ones_like(depth))

    samples = tracks.begin(window, prediction, NOISE).samples[0].depth

    assert 2000 < len(samples) < 3500
    sampled_rows, sampled_columns = np.divmod(samples - 1, 1000)
    assert sampled_rows.mean() == pytest.approx(188.5, abs=4)
    assert sampled_columns.mean() == pytest.approx(251.5, abs=4)


def test_confident_pixels_decide_where_pixels_disagree() -> None:
    chain = Chain(DrawnWorld(ONE, still), range(4))
    window = chain.world.window(range(2, 6))
    found = chain.world.predict(window)
    shared = tracks.shared_views(chain.track, window, found)
    wrong = np.zeros(found.depth.shape, dtype=bool)
    wrong[:, :4] = True  # four rows of six
    found = replace(
        found,
        depth=np.where(wrong, 3 * found.depth, found.depth),
        confidence=np.where(wrong, 1.0, 9.0).astype(np.float32),
    )

    alignment = tracks.align(chain.track, found, shared, chain.noise)

    # Three times as surely known in the mean of both windows: 2 of 6 rows weigh more than the other 4.
    assert [ratio.inliers for ratio in alignment.ratios] == pytest.approx([6 / 10] * 2)
    unit = alignment.world_from_window.scale * chain.world.gauges[-1].scale / chain.units_per_metre
    assert unit == pytest.approx(1.0, abs=4 * NOISE.log_depth)


@pytest.mark.parametrize(("bad", "good"), [(0, 1), (1, 0)])
def test_view_whose_pixels_agree_is_believed_when_two_views_contradict(bad: int, good: int) -> None:
    chain = Chain(DrawnWorld(ONE, still), range(4))
    window = chain.world.window(range(2, 6))
    found = chain.world.predict(window)
    depth, poses = found.depth.copy(), found.window_from_camera.copy()
    depth[bad] *= np.exp(np.random.default_rng(0).uniform(-1.0, 1.0, depth[bad].shape))
    poses[bad, :3, 3] += chain.world.gauges[-1].scale
    shared = tracks.shared_views(chain.track, window, found)

    alignment = tracks.align(chain.track, replace(found, depth=depth, window_from_camera=poses), shared, chain.noise)

    placed = alignment.world_from_window.apply(poses[good, :3, 3])
    assert np.linalg.norm(placed - chain.track.world_from_camera[2 + good, :3, 3]) < 4 * chain.noise.centre
