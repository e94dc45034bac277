# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.training.config import LossWeights, Stage, TrainingConfig
from da3_ros.training.losses import confident, direction_error, gradient_error, losses, match_error, pair_error
from da3_ros.training.predicted import BlockMatches, Predicted
from da3_ros.training.shards import ShardReader
from da3_ros.training.targets import Windows, cameras, in_gauge, matches, ray_map
from da3_ros.training.windows import draw_windows
from test.training.rooms import SIZE

STAGE = Stage(steps=1, sizes=(SIZE,), views=(2,), views_per_step=4, colour=0.0)
ALL = LossWeights(direction=1.0, pairs=1.0, relative=1.0)
PATCHES = SIZE[0] // 14 * (SIZE[1] // 14)


@pytest.fixture
def windows(rooms: ShardReader) -> Windows:
    return in_gauge(draw_windows(rooms, TrainingConfig("da3-nano", (STAGE,)), STAGE, 0, [0, 1]))


def perfect(windows: Windows) -> Predicted:
    """The truth, said with no confidence; matches by one-hot features."""
    found = matches(windows)
    key = 100 * torch.eye(2 * PATCHES).view(2, PATCHES, -1).expand(2, -1, -1, -1)
    query = torch.zeros(2, 2, PATCHES, 2 * PATCHES)
    for view in range(2):
        patch = found.patch[:, view, 1 - view].clamp(min=0)
        query[:, view] = 100 * torch.nn.functional.one_hot(patch + (1 - view) * PATCHES, 2 * PATCHES)
    block = BlockMatches(query, key, found.place.nan_to_num())
    depth, ray = windows.depth.clone(), ray_map(windows, SIZE)
    ones = torch.ones_like(depth)
    return Predicted(depth, ones, ray, ones, cameras(windows), (block,))


def test_truth_has_no_loss(windows: Windows) -> None:
    terms = losses(perfect(windows), windows, ALL)

    assert set(terms) == {*(field.name for field in fields(LossWeights)), "total"} - {"normal"}  # a teacher's
    assert all(abs(float(term)) < 1e-4 for term in terms.values()), terms


def test_terms_of_weight_zero_are_left_out(windows: Windows) -> None:
    terms = losses(perfect(windows), windows, replace(ALL, match=0.0, camera=0.0))

    assert "match" not in terms
    assert "camera" not in terms
    assert "flow" in terms


def test_unknown_depth_changes_nothing_and_spoils_no_gradient(windows: Windows) -> None:
    depth = windows.depth.clone()
    depth[:, :, 10:20, 10:20] = torch.nan
    predicted = perfect(windows)
    guess = predicted.depth.clone()
    guess[:, :, 10:20, 10:20] = 9.0
    guess.requires_grad_()

    terms = losses(replace(predicted, depth=guess), replace(windows, depth=depth), replace(ALL, match=0.0, flow=0.0))
    terms["total"].backward()

    assert float(terms["depth"].detach()) < 1e-5
    assert guess.grad is not None
    assert guess.grad.isfinite().all()
    assert (guess.grad[:, :, 11:19, 11:19] == 0).all()


def test_sure_errors_cost_more_and_sureness_is_rewarded() -> None:
    error, known = torch.tensor([0.5]), torch.tensor([True])

    assert float(confident(error, torch.tensor([2.0]), known)) == pytest.approx(0.5 * 2 - 0.2 * 0.6931, abs=1e-4)


def test_rays_of_a_sure_view_weigh_no_more_than_others(windows: Windows) -> None:
    exact = perfect(windows)
    ray = (exact.ray + 0.1).requires_grad_()
    confidence = torch.full_like(exact.ray_confidence, 2.0).requires_grad_()
    confidence.data[:, 0] = 9.0
    predicted = replace(exact, ray=ray, ray_confidence=confidence)

    losses(predicted, windows, LossWeights())["ray"].backward()

    assert ray.grad is not None
    assert confidence.grad is not None
    torch.testing.assert_close(ray.grad[:, 0], ray.grad[:, 1])
    assert (confidence.grad[:, 0] > 0).all()  # 0.1 - 0.2 / 9: too sure
    assert confidence.grad[:, 1].abs().max() < 1e-6  # 0.1 - 0.2 / 2: just right


def test_turns_weigh_as_the_field_of_view_does_in_radians(windows: Windows) -> None:
    exact, angle = perfect(windows), 0.02
    turned, opened = exact.camera.clone(), exact.camera.clone()
    turned[..., 3:6] += angle / 2  # about all three axes, while the angle is small
    opened[..., 7:] += angle

    terms = [
        losses(replace(exact, camera=camera), windows, LossWeights())["camera"].item() for camera in (turned, opened)
    ]

    assert terms == pytest.approx([angle, angle], rel=1e-3)


def test_gradient_error_sees_slopes_alone() -> None:
    flat = torch.full((1, 1, 8, 8), 3.0)
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    known = torch.ones(1, 1, 8, 8, dtype=torch.bool)

    assert float(gradient_error(flat, known)) == 0
    assert float(gradient_error(ramp, known)) == pytest.approx((1 + 2) / 2)  # slope 1, and 2 at half size


def test_relative_error_is_the_share_of_the_depth_near_and_far(windows: Windows) -> None:
    predicted = perfect(windows)

    terms = losses(replace(predicted, depth=1.1 * predicted.depth), windows, ALL)

    assert float(terms["relative"]) == pytest.approx(0.1, rel=1e-3)


def test_direction_error_leaves_out_views_that_stand_where_the_first_does() -> None:
    true = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0], [0.0, 0.001, 0]]])
    guess = torch.tensor([[[0.0, 0, 0], [0.0, 1.0, 0], [1.0, 0, 0]]])

    assert float(direction_error(guess, true)) == pytest.approx(1.0)
    assert float(direction_error(true, true)) == pytest.approx(0.0)


def poses(turns_deg: Sequence[float], centres: Sequence[Sequence[float]]) -> torch.Tensor:
    """(1, V, 4, 4) camera_from_world of cameras turned about y."""
    turns = np.radians(np.outer(turns_deg, (0.0, 1.0, 0.0)))
    world_from_camera = rigid(matrix_from_rotation_vector(turns), np.array(centres))
    return torch.from_numpy(rigid_inverse(world_from_camera)[None])


def test_pair_error_does_not_depend_on_the_frame() -> None:
    true = poses([0, 20, 60], [[0, 0, 0], [0.3, 0, 0], [0, 0.4, 0.1]])
    moved = true @ poses([35], [[1.0, -2.0, 0.5]])

    assert float(pair_error(moved, true)) == pytest.approx(0.0, abs=1e-6)


def test_pair_error_is_the_angle_and_the_share_of_the_motion_that_is_missing() -> None:
    true = poses([0, 0], [[0, 0, 0], [0.3, 0, 0]])

    assert float(pair_error(poses([0, 2], [[0, 0, 0], [0.3, 0, 0]]), true)) == pytest.approx(
        np.radians(2) * 1.5,  # seen from the turned view the motion has turned too
        rel=1e-3,
    )
    assert float(pair_error(poses([0, 0], [[0, 0, 0], [0.1, 0, 0]]), true)) == pytest.approx(2 / 3, rel=1e-5)


def test_pair_error_sees_two_views_lose_their_motion_far_from_the_first() -> None:
    true = poses([0, 60, 66], [[0, 0, 0], [0.3, 0, 0], [0.36, 0, 0]])
    standing = poses([0, 60, 60], [[0, 0, 0], [0.3, 0, 0], [0.3, 0, 0]])

    assert float(pair_error(standing, true)) > 0.3
    assert float(direction_error(*(torch.linalg.inv(one)[..., :3, 3] for one in (standing, true)))) < 1e-6


def test_one_view_has_no_pair_and_a_finite_gradient() -> None:
    one = poses([10], [[0, 0, 0]]).requires_grad_()

    pair_error(one, one.detach()).backward()

    assert one.grad is not None
    assert (one.grad == 0).all()


def test_exact_pairs_have_a_finite_gradient() -> None:
    exact = poses([0, 20], [[0, 0, 0], [0.3, 0, 0]]).requires_grad_()

    pair_error(exact, exact.detach()).backward()

    assert exact.grad is not None
    assert exact.grad.isfinite().all()


def test_match_error_is_cross_entropy_of_known_matches() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 2, 5, 4, generator=generator) for _ in range(2))
    patch = torch.full((1, 2, 2, 5), -1)
    patch[0, 0, 1, 2] = 3

    scores = query[0, 0, 2] @ torch.cat((key[0, 1], key[0, 0])).T / 2
    assert float(match_error(query, key, patch)) == pytest.approx(-float(scores.log_softmax(-1)[3]), rel=1e-5)


def test_nothing_known_is_no_loss(windows: Windows) -> None:
    blank = torch.full_like(windows.depth, torch.nan)
    wrong = replace(perfect(windows), depth=windows.depth + 1)

    terms = losses(wrong, replace(windows, depth=blank, exact_depth=blank), ALL)

    assert all(float(terms[name]) == 0 for name in ("depth", "relative", "gradient", "point", "match", "flow")), terms
    assert all(term.isfinite() for term in terms.values())
