# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Image to tokens: 14x14 patches, one class token in front, and learned positions for any image size."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from da3_ros.model.config import PATCH_SIZE, POSITION_GRID

# DINOv2 resamples its table by the factor (n + 0.1) / 37, not to a size: the weights were trained on those samples.
_RESAMPLING_OFFSET = 0.1
_REMEMBERED_GRIDS = 4


class PatchEmbed(nn.Module):
    """Cuts images into patches and gives every token its position."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, dim, kernel_size=PATCH_SIZE, stride=PATCH_SIZE)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.zeros(1, 1 + POSITION_GRID**2, dim))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self._resampled: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()

    def forward(self, images: Tensor) -> Tensor:
        """Embed images of one size.

        Args:
            images: (N, 3, H, W), ImageNet-normalised; H and W multiples of 14.

        Returns:
            (N, 1 + H/14 * W/14, D) tokens: class token, then patches row by row.
        """
        patches = self.projection(images)  # (N, D, h, w)
        h, w = patches.shape[-2:]
        patches = patches.flatten(2).transpose(1, 2)  # (N, D, h, w) -> (N, h*w, D)
        class_token = self.class_token.expand(len(images), -1, -1)
        return torch.cat((class_token, patches), dim=1) + self.positions_for(h, w).to(patches.dtype)

    def positions_for(self, h: int, w: int) -> Tensor:
        """The learned positions for an (h, w) grid of patches; float32 (1, 1 + h*w, D).

        Without gradients they are resampled once for each grid and state of the weights.
        """
        if (h, w) == (POSITION_GRID, POSITION_GRID):
            return self.positions
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or self.positions.is_inference():
            return self._resample(h, w)
        # A copy of this module, another device and every change of the weights differ in one of these.
        key = (h, w, self.positions.data_ptr(), self.positions._version)
        found = self._resampled.pop(key, None)
        if found is None:
            with torch.inference_mode(False), torch.no_grad():  # a table made while predicting may be copied later
                found = self._resample(h, w)
        self._resampled[key] = found
        if len(self._resampled) > _REMEMBERED_GRIDS:
            self._resampled.popitem(last=False)
        return found

    def _resample(self, h: int, w: int) -> Tensor:
        positions = self.positions.float()
        grid = positions[:, 1:].unflatten(1, (POSITION_GRID, POSITION_GRID)).permute(0, 3, 1, 2)
        factor = ((h + _RESAMPLING_OFFSET) / POSITION_GRID, (w + _RESAMPLING_OFFSET) / POSITION_GRID)
        grid = nn.functional.interpolate(grid, scale_factor=factor, mode="bicubic")
        return torch.cat((positions[:, :1], grid.flatten(2).transpose(1, 2)), dim=1)
