# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from da3_ros.evaluation.mutual_overlap import mutual_overlap, seen_share
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewTruth
from da3_ros.geometry.sim3 import rigid
from test.strategies import rigid_transforms

CAMERA = PinholeCamera((40, 60), 60.0, 60.0, 29.5, 19.5)


def wall(x: float = 0.0, depth: float = 2.0) -> ViewTruth:
    """A camera at x that looks straight at a wall."""
    return ViewTruth(np.full(CAMERA.size, depth, np.float32), CAMERA, rigid(np.eye(3), [x, 0.0, 0.0]))


def test_view_sees_all_of_itself() -> None:
    assert seen_share(wall(), wall()) == 1.0


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_overlap_is_the_share_of_the_wall_that_both_see(share: float) -> None:
    width_m = 60 / 60.0 * 2.0  # of what one view sees

    assert mutual_overlap(wall(), wall((1 - share) * width_m)) == pytest.approx(share, abs=0.02)


def test_things_behind_what_the_other_sees_do_not_count() -> None:
    assert seen_share(wall(depth=2.0), wall(depth=1.8)) == 0.0
    assert seen_share(wall(depth=2.0), wall(depth=1.95)) == 1.0  # within five per cent


def test_view_turned_away_sees_nothing() -> None:
    away = ViewTruth(wall().depth, CAMERA, rigid(np.diag([-1.0, 1.0, -1.0]), np.zeros(3)))

    assert seen_share(wall(), away) == 0.0


def holed(view: ViewTruth, share: float) -> ViewTruth:
    """With this share of the pixels unknown, anywhere."""
    holes = np.random.default_rng(5).random(CAMERA.size) < share
    return ViewTruth(np.where(holes, np.float32(np.nan), view.depth), CAMERA, view.world_from_camera)


@pytest.mark.parametrize("unknown", [0.3, 0.8])
def test_unknown_depth_does_not_lower_the_overlap(unknown: float) -> None:
    dense, sparse = (wall(), wall(0.8)), (holed(wall(), unknown), holed(wall(0.8), unknown))

    assert mutual_overlap(*sparse) == pytest.approx(mutual_overlap(*dense), abs=0.05)


def test_things_behind_do_not_count_when_depth_has_holes_either() -> None:
    behind = wall()
    behind.depth[:, 30:] = 3.0

    assert seen_share(behind, holed(wall(), 0.5)) == pytest.approx(0.5, abs=0.02)


def test_overlap_is_not_known_when_a_view_has_no_depth_that_tells() -> None:
    nothing, half = holed(wall(), 1.0), wall()
    half.depth[:, :31] = np.nan

    assert np.isnan(mutual_overlap(nothing, wall()))
    assert np.isnan(mutual_overlap(nothing, nothing))
    assert np.isnan(seen_share(wall(-1.0), half))  # all that falls into it falls where it knows nothing
    assert seen_share(wall(2.5), nothing) == 0.0  # nothing falls into it


@given(rigid_transforms())
def test_world_does_not_matter(other_from_world: np.ndarray) -> None:
    views = [wall(), wall(0.7)]
    moved = [ViewTruth(view.depth, view.camera, other_from_world @ view.world_from_camera) for view in views]

    assert seen_share(moved[0], moved[1]) == pytest.approx(
        seen_share(views[0], views[1]), abs=0.03
    )  # a pixel on a border may go over
