# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a prediction: the terms of Depth Anything 3 (section 3.3), and five of ours.

Relative depth, the direction of baselines and the motion between every two views are what accuracy is measured by;
match and flow teach matching.

All are means over what is known; a term without anything known is zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from da3_ros.model.camera_token import decode_cameras, invert_rigid
from da3_ros.training.config import LossWeights
from da3_ros.training.predicted import Predicted
from da3_ros.training.targets import Windows, cameras, matches, ray_map, sampled

CONFIDENCE_REWARD = 0.2  # lambda of `confidence * error - lambda log confidence`
SHORT_BASELINE = 0.02  # in units of the window: below it a direction means nothing
GRADIENT_SCALES = 2
SHORTEST_MOTION = 0.05  # in units of the window: a shorter one is not held to its share of less
NEAREST = 0.05  # in units of the window: what is nearer is not held to its share of less


def losses(predicted: Predicted, windows: Windows, weights: LossWeights) -> dict[str, Tensor]:
    """All terms, by the names of their weights, and `total`.

    Args:
        predicted: by the network.
        windows: what was true, in their gauge.
        weights: of the terms.

    Returns:
        Scalars, each before its weight; terms of weight zero are left out.
    """
    depth = sampled(windows.depth, _grid(predicted.depth))
    is_known, depth = ~depth.isnan(), depth.nan_to_num()  # a NaN that is masked out still spoils gradients
    ray = ray_map(windows, _grid(predicted.ray))
    terms = {}
    if weights.depth:
        terms["depth"] = confident((predicted.depth - depth).abs(), predicted.depth_confidence, is_known)
    if weights.relative:
        terms["relative"] = mean_of_known((predicted.depth - depth).abs() / depth.clamp(min=NEAREST), is_known)
    if weights.gradient:
        terms["gradient"] = gradient_error(predicted.depth - depth, is_known)
    if weights.ray:
        # Rays are not weighted by their confidence: those of the first view are near their truth from the start, and
        # would count seven times as much as those of the others, which are all that is to be learnt.
        error = (predicted.ray - ray).abs().mean(-1)
        everywhere = torch.ones_like(error, dtype=torch.bool)
        terms["ray"] = error.mean() + confident(error.detach(), predicted.ray_confidence, everywhere)
    if weights.point:
        terms["point"] = point_error(predicted, windows.depth, ray)
    true_camera = cameras(windows)
    if weights.camera:
        centre, quaternion, field_of_view = (predicted.camera - true_camera).abs().split((3, 4, 2), dim=-1)
        # Half the angle of a small turn is in three of a quaternion's numbers: in radians, as the field of view is.
        turn = 2 * quaternion.sum(-1) / 3
        terms["camera"] = centre.mean() + turn.mean() + field_of_view.mean()
    if weights.direction:
        terms["direction"] = direction_error(predicted.camera[..., :3], true_camera[..., :3])
    if weights.pairs:
        poses = decode_cameras(predicted.camera, windows.size)[0]
        terms["pairs"] = pair_error(poses, invert_rigid(windows.world_from_camera))
    if weights.match or weights.flow:
        terms |= _matching(predicted, windows)
    return total(terms, weights)


def total(terms: Mapping[str, Tensor], weights: LossWeights) -> dict[str, Tensor]:
    """The terms that have a weight, and their weighted sum as `total`."""
    kept = {name: term for name, term in terms.items() if getattr(weights, name)}
    return {**kept, "total": torch.stack([getattr(weights, name) * term for name, term in kept.items()]).sum()}


def confident(error: Tensor, confidence: Tensor, is_known: Tensor) -> Tensor:
    """Mean of `confidence * error - lambda log confidence`, where the error is known (Kendall and Gal 2017)."""
    return mean_of_known(confidence * error - CONFIDENCE_REWARD * confidence.log(), is_known)


def gradient_error(difference: Tensor, is_known: Tensor) -> Tensor:
    """Mean slope of a difference (B, V, H, W) along rows and columns, at full and at half size."""
    total = difference.new_zeros(())
    for scale in range(GRADIENT_SCALES):
        step = 2**scale
        coarse, known = difference[..., ::step, ::step], is_known[..., ::step, ::step]
        total = total + mean_of_known(coarse.diff(dim=-1).abs(), known[..., 1:] & known[..., :-1])
        total = total + mean_of_known(coarse.diff(dim=-2).abs(), known[..., 1:, :] & known[..., :-1, :])
    return total / GRADIENT_SCALES


def point_error(predicted: Predicted, depth: Tensor, ray: Tensor) -> Tensor:
    """Mean error of `depth * direction + origin` at the grid of the rays, along each axis.

    Args:
        predicted: by the network.
        depth: (B, V, H, W) true depth, NaN where unknown.
        ray: (B, V, gh, gw, 6) true rays.
    """
    grid = _grid(ray)
    true_depth = sampled(depth, grid)
    is_known, true_depth = ~true_depth.isnan(), true_depth.nan_to_num()
    ours = predicted.depth
    if _grid(ours) != grid:
        ours = functional.interpolate(ours, size=grid, mode="bilinear", align_corners=False)
    points = ours[..., None] * predicted.ray[..., :3] + predicted.ray[..., 3:]
    true_points = true_depth[..., None] * ray[..., :3] + ray[..., 3:]
    return mean_of_known((points - true_points).abs().mean(-1), is_known)


def direction_error(centre: Tensor, true_centre: Tensor) -> Tensor:
    """Mean of 1 - cosine between centres (B, V, 3) as seen from the first view, without those that stand there."""
    baseline, true_baseline = centre[:, 1:] - centre[:, :1], true_centre[:, 1:] - true_centre[:, :1]
    away = 1 - functional.cosine_similarity(baseline, true_baseline, dim=-1)
    return mean_of_known(away, true_baseline.norm(dim=-1) > SHORT_BASELINE)


def pair_error(camera_from_world: Tensor, true_camera_from_world: Tensor) -> Tensor:
    """Mean over every two views of the error of the turn between them, in radians, and of the motion, as a share of it.

    What is asked of poses in the frame of the first view says little about two others that are near to each other and
    far from it; and how far a view is from every other one is what a window says whatever its frame (Wang et al. 2025,
    pi^3, section 3.3).

    Args:
        camera_from_world: (B, V, 4, 4) rigid, in any frame.
        true_camera_from_world: (B, V, 4, 4) rigid, in any frame.
    """
    ours, true = _between(camera_from_world), _between(true_camera_from_world)
    chord = (ours[..., :3, :3] - true[..., :3, :3]).flatten(-2).norm(dim=-1)  # sqrt(8) times the sine of half the angle
    motion, true_motion = ours[..., :3, 3], true[..., :3, 3]
    share = (motion - true_motion).norm(dim=-1) / true_motion.norm(dim=-1).clamp(min=SHORTEST_MOTION)
    error = chord / 2**0.5 + share
    return mean_of_known(error, torch.ones_like(error, dtype=torch.bool))


def match_error(query: Tensor, key: Tensor, patch: Tensor) -> Tensor:
    """Cross entropy of one attention head over the patches of another view and of its own, where the match is known.

    A patch resembles nothing as much as itself: without its own view among the choices the head would look there, and
    what it finds in the other view would not reach the token.

    Args:
        query: (B, V, P, d).
        key: (B, V, P, d).
        patch: (B, V, V, P) as in `targets.Matches`.
    """
    P = query.shape[2]
    scores = torch.einsum("bipd,bjqd->bijpq", query, key) * query.shape[-1] ** -0.5
    own = torch.diagonal(scores, dim1=1, dim2=2).permute(0, 3, 1, 2)[:, :, None].expand_as(scores)
    choices = torch.cat((scores, own), dim=-1).reshape(-1, 2 * P)
    found = functional.cross_entropy(choices, patch.flatten(), ignore_index=-1, reduction="sum")
    return found / (patch >= 0).sum().clamp(min=1)


def mean_of_known(values: Tensor, is_known: Tensor) -> Tensor:
    """Mean of finite values where a mask of their shape holds; 0, with a gradient of zero, of nothing."""
    return (values * is_known).sum() / is_known.sum().clamp(min=1)


def _between(camera_from_world: Tensor) -> Tensor:
    """(B, V (V - 1), 4, 4) motions from every view to every other one, of (B, V, 4, 4) poses."""
    V = camera_from_world.shape[1]
    first, second = torch.where(~torch.eye(V, dtype=torch.bool, device=camera_from_world.device))
    return camera_from_world[:, first] @ invert_rigid(camera_from_world)[:, second]


def _matching(predicted: Predicted, windows: Windows) -> dict[str, Tensor]:
    true = matches(windows)
    is_seen, place = ~true.place.isnan().any(-1), true.place.nan_to_num()
    is_seen[:, 0] = False  # where a patch of the first view lies in it is no question
    blocks = predicted.matches
    match = sum(match_error(block.query, block.key, true.patch) for block in blocks) / len(blocks)
    flow = sum(mean_of_known((block.flow - place).abs().sum(-1), is_seen) for block in blocks) / len(blocks)
    return {"match": torch.as_tensor(match), "flow": torch.as_tensor(flow)}


def _grid(dense: Tensor) -> tuple[int, int]:
    """(h, w) of a (B, V, h, w, ...) tensor."""
    return dense.shape[2], dense.shape[3]
