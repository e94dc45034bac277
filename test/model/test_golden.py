# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny networks repeat the published network's recorded answers, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from da3_ros.model import backbone
from da3_ros.model.backbone import Tap
from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.model.network import Da3Network, NetworkOutput
from da3_ros.model.reference_view import STRATEGIES, reference_first, select_reference
from test.closeness import assert_close
from test.model.tiny import TINY, TINY_SWIGLU
from test.parity.reference import sim_range

ALT2 = (
    "n1",
    "n2",
    "n3",
    "n3_ray",
    "n4_pose",
    "n5",
    "n5_feat",
    "n5_first",
    "n5_middle",
    "n5_saddle_sim_range",
    "n9_chunk",
)
RECORDINGS = [("tiny_alt2", TINY, case) for case in ALT2] + [("tiny_alt3_swiglu", TINY_SWIGLU, "n4")]


def _load(golden: Path, weights: str, overrides: Mapping[str, Any]) -> Da3Network:
    network = build_network("da3-small", **overrides)
    load_weights(network, golden / f"{weights}.weights.safetensors")
    return network


def _run(network: Da3Network, theirs: dict[str, Tensor], case: str) -> tuple[NetworkOutput, dict[str, Tensor]]:
    """The answer, and what the modules inside said on the way, under the recording's names."""
    inside: dict[str, Tensor] = {}

    def record(module: nn.Module, name: str) -> None:
        module.register_forward_hook(lambda _module, _inputs, output: inside.__setitem__(name, output))

    for i, block in enumerate(network.backbone.blocks):
        record(block, f"block{i:02d}")
    record(network.camera_encoder, "cam_enc")
    record(network.camera_decoder, "pose_enc")
    taps: list[Tap] = []
    relate_views = network.backbone.relate_views

    def record_taps(*arguments: Any) -> Iterator[Tap]:
        for tap in relate_views(*arguments):
            taps.append(tap)
            yield tap

    strategy = next((name for name in STRATEGIES if case.endswith(name)), "saddle_balanced")

    def take_the_recorded_view(class_tokens: Tensor, name: str) -> Tensor:
        chosen, recorded = select_reference(class_tokens, name), theirs["b_idx"]
        if name == "saddle_sim_range":  # the two views most alike are equally good: rounding chose when it was recorded
            spread = sim_range(class_tokens)
            torch.testing.assert_close(spread.gather(1, chosen[:, None]), spread.gather(1, recorded[:, None]))
            return recorded
        return chosen

    choose = patch.object(backbone, "select_reference", take_the_recorded_view)
    with torch.inference_mode(), choose, patch.object(network.backbone, "relate_views", record_taps):
        out = network(
            theirs["x"],
            camera_from_world=theirs.get("in_extrinsics"),
            intrinsics=theirs.get("in_intrinsics"),
            want_rays=True,
            reference_view=strategy,
        )
    for k, tap in enumerate(taps):
        inside |= {f"feat{k}": tap.patches, f"camtok{k}": tap.camera_tokens}
    return out, inside


@pytest.mark.parametrize(
    ("weights", "overrides", "case"), RECORDINGS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_network_repeats_recorded_answer(
    shared_golden: Path, weights: str, overrides: Mapping[str, Any], case: str
) -> None:
    network = _load(shared_golden, weights, overrides)
    theirs = load_file(shared_golden / f"{weights}_{case}.safetensors")

    out, inside = _run(network, theirs, case)

    assert inside.keys() >= {f"block{i:02d}" for i in range(8)} | {"feat3", "camtok3", "pose_enc"}
    last_view_block = overrides["alternation_start"] - 1
    if "b_idx" in theirs:  # the reference puts the views in order before this block, we after it
        order = reference_first(theirs["b_idx"], len(inside[f"block{last_view_block:02d}"]))
        name = f"block{last_view_block:02d}"
        inside[name] = order.apply(inside[name][None])[0]
    for name in inside.keys() & theirs.keys():
        assert_close(inside[name], theirs[name])
    assert_close(out.depth, theirs["out.depth"])
    assert_close(out.confidence, theirs["out.depth_conf"])
    assert out.ray is not None
    assert out.ray_confidence is not None
    assert_close(out.ray, theirs["head.ray"])
    assert_close(out.ray_confidence, theirs["head.ray_conf"])
    if case != "n3_ray":  # there the cameras were fitted to rays, which is not the network's work
        assert_close(out.camera_from_world[..., :3, :], theirs["out.extrinsics"])
        assert_close(out.intrinsics, theirs["out.intrinsics"])


def test_checkpoint_loads_when_it_also_holds_a_gaussian_head(shared_golden: Path) -> None:
    network = _load(shared_golden, "tiny_gs", TINY_SWIGLU)
    theirs = load_file(shared_golden / "tiny_gs_n2.safetensors")

    with torch.inference_mode():
        out = network(theirs["x"])

    assert_close(out.depth, theirs["out.depth"])
