# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How the official checkpoints name their tensors, and what we call them.

`{}` stands for one part of a dotted name, the same text on both sides. A name that matches nothing is an error.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

# Official checkpoints wrap the network once more; the nested one holds two, each under its own name.
PREFIX: Final = "model."
PARTS: Final = MappingProxyType({"da3.": "any_view.", "da3_metric.": "metric."})

_BLOCK: Final = {
    "norm1.{}": "norm1.{}",
    "attn.qkv.{}": "attention.qkv.{}",
    "attn.q_norm.{}": "attention.q_norm.{}",
    "attn.k_norm.{}": "attention.k_norm.{}",
    "attn.proj.{}": "attention.projection.{}",
    "ls1.gamma": "scale1.gamma",
    "norm2.{}": "norm2.{}",
    "mlp.fc1.{}": "feed_forward.fc1.{}",
    "mlp.fc2.{}": "feed_forward.fc2.{}",
    "mlp.w12.{}": "feed_forward.gate_and_value.{}",
    "mlp.w3.{}": "feed_forward.output.{}",
    "ls2.gamma": "scale2.gamma",
}

_FUSION_STAGE: Final = {
    "resConfUnit1.{}.{}": "lateral.{}.{}",
    "resConfUnit2.{}.{}": "merged.{}.{}",
    "out_conv.{}": "projection.{}",
}

_PYRAMID: Final = {
    "projects.{}.{}": "projections.{}.{}",
    "resize_layers.{}.{}": "resizes.{}.{}",
    "scratch.layer1_rn.{}": "adapters.0.{}",
    "scratch.layer2_rn.{}": "adapters.1.{}",
    "scratch.layer3_rn.{}": "adapters.2.{}",
    "scratch.layer4_rn.{}": "adapters.3.{}",
}


def _under(upstream: str, ours: str, table: dict[str, str]) -> dict[str, str]:
    return {f"{upstream}.{theirs}": f"{ours}.{mine}" for theirs, mine in table.items()}


OURS_FROM_UPSTREAM: Final = MappingProxyType(
    {
        "backbone.pretrained.cls_token": "backbone.patch_embed.class_token",
        "backbone.pretrained.pos_embed": "backbone.patch_embed.positions",
        "backbone.pretrained.patch_embed.proj.{}": "backbone.patch_embed.projection.{}",
        "backbone.pretrained.camera_token": "backbone.camera_token",
        **_under("backbone.pretrained.blocks.{}", "backbone.blocks.{}", _BLOCK),
        "backbone.pretrained.norm.{}": "backbone.norm.{}",
        "cam_enc.pose_branch.{}.{}": "camera_encoder.embed.{}.{}",
        "cam_enc.token_norm.{}": "camera_encoder.embed_norm.{}",
        **_under("cam_enc.trunk.{}", "camera_encoder.blocks.{}", _BLOCK),
        "cam_enc.trunk_norm.{}": "camera_encoder.norm.{}",
        "cam_dec.backbone.{}.{}": "camera_decoder.trunk.{}.{}",
        "cam_dec.fc_t.{}": "camera_decoder.centre.{}",
        "cam_dec.fc_qvec.{}": "camera_decoder.quaternion.{}",
        "cam_dec.fc_fov.0.{}": "camera_decoder.field_of_view.{}",
        "head.norm.{}": "head.reassemble.norm.{}",
        **_under("head", "head.reassemble", _PYRAMID),
        **_under("head.scratch.refinenet4", "head.depth_fusion.stages.0", _FUSION_STAGE),
        **_under("head.scratch.refinenet3", "head.depth_fusion.stages.1", _FUSION_STAGE),
        **_under("head.scratch.refinenet2", "head.depth_fusion.stages.2", _FUSION_STAGE),
        **_under("head.scratch.refinenet1", "head.depth_fusion.stages.3", _FUSION_STAGE),
        "head.scratch.output_conv1.{}": "head.depth_output.neck.{}",
        "head.scratch.output_conv2.0.{}": "head.depth_output.hidden.{}",
        "head.scratch.output_conv2.2.{}": "head.depth_output.output.{}",
        "head.scratch.sky_output_conv2.0.{}": "head.depth_output.sky_hidden.{}",
        "head.scratch.sky_output_conv2.2.{}": "head.depth_output.sky_output.{}",
        **_under("head.scratch.refinenet4_aux", "head.ray_fusion.stages.0", _FUSION_STAGE),
        **_under("head.scratch.refinenet3_aux", "head.ray_fusion.stages.1", _FUSION_STAGE),
        **_under("head.scratch.refinenet2_aux", "head.ray_fusion.stages.2", _FUSION_STAGE),
        **_under("head.scratch.refinenet1_aux", "head.ray_fusion.stages.3", _FUSION_STAGE),
        "head.scratch.output_conv1_aux.3.{}.{}": "head.ray_output.neck.{}.{}",
        "head.scratch.output_conv2_aux.3.0.{}": "head.ray_output.hidden.{}",
        # One norm shared by four levels; files keep it under the first, though only the last level is alive.
        "head.scratch.output_conv2_aux.0.2.{}": "head.ray_output.norm.{}",
        "head.scratch.output_conv2_aux.3.5.{}": "head.ray_output.output.{}",
        **_under("gs_head", "gaussian_head.reassemble", _PYRAMID),
        **_under("gs_head.scratch.refinenet4", "gaussian_head.fusion.stages.0", _FUSION_STAGE),
        **_under("gs_head.scratch.refinenet3", "gaussian_head.fusion.stages.1", _FUSION_STAGE),
        **_under("gs_head.scratch.refinenet2", "gaussian_head.fusion.stages.2", _FUSION_STAGE),
        **_under("gs_head.scratch.refinenet1", "gaussian_head.fusion.stages.3", _FUSION_STAGE),
        "gs_head.scratch.output_conv1.{}": "gaussian_head.neck.{}",
        "gs_head.images_merger.{}.{}": "gaussian_head.image_merger.{}.{}",
        "gs_head.scratch.output_conv2.0.{}": "gaussian_head.hidden.{}",
        "gs_head.scratch.output_conv2.2.{}": "gaussian_head.output.{}",
    }
)

# Under this name lie the tensors of a head that a network is built with only when Gaussians are wanted.
OPTIONAL_HEAD: Final = "gaussian_head."

# Tensors that no output of ours depends on.
DROPPED: Final = (
    # Ray outputs of the three coarser levels: computed and thrown away, or never run.
    "head.scratch.output_conv1_aux.0.{}.{}",
    "head.scratch.output_conv1_aux.1.{}.{}",
    "head.scratch.output_conv1_aux.2.{}.{}",
    "head.scratch.output_conv2_aux.0.0.{}",
    "head.scratch.output_conv2_aux.0.5.{}",
    "head.scratch.output_conv2_aux.1.0.{}",
    "head.scratch.output_conv2_aux.1.5.{}",
    "head.scratch.output_conv2_aux.2.0.{}",
    "head.scratch.output_conv2_aux.2.5.{}",
    # Other names of the shared norm, in files that do not store a tensor once.
    "head.scratch.output_conv2_aux.1.2.{}",
    "head.scratch.output_conv2_aux.2.2.{}",
    "head.scratch.output_conv2_aux.3.2.{}",
)


def our_name(upstream: str) -> str | None:
    """Translate an upstream tensor name.

    Returns:
        Our name, or None for a tensor that is dropped.

    Raises:
        KeyError: if the table does not know the name.
    """
    if upstream.startswith(PREFIX):
        name = upstream.removeprefix(PREFIX)
        part = next((part for part in PARTS if name.startswith(part)), "")
        for pattern, ours in _PATTERNS:
            if match := pattern.fullmatch(name.removeprefix(part)):
                return PARTS.get(part, "") + ours.format(*match.groups()) if ours is not None else None
    raise KeyError(upstream)


def upstream_name(ours: str) -> str:
    """The name under which official checkpoints of an any-view network keep a tensor of ours; undoes `our_name`.

    Raises:
        KeyError: if the table does not know the name.
    """
    for pattern, theirs in _INVERSE:
        if match := pattern.fullmatch(ours):
            return PREFIX + theirs.format(*match.groups())
    raise KeyError(ours)


def _compile(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(r"\{\}", r"([^.]+)"))


_PATTERNS: Final = [(_compile(theirs), ours) for theirs, ours in OURS_FROM_UPSTREAM.items()] + [
    (_compile(theirs), None) for theirs in DROPPED
]
_INVERSE: Final = [(_compile(ours), theirs) for theirs, ours in OURS_FROM_UPSTREAM.items()]
