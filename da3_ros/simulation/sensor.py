# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From display values to what a camera delivers: lens blur, exposure, white balance, gamma, noise, bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@torch.inference_mode()
def develop(pictures: Tensor, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Images of one camera of random quality.

    Args:
        pictures: (N, H, W, 3) float32 display values in [0, 1].
        rng: draws the camera, and its noise.

    Returns:
        (N, H, W, 3) uint8 RGB.
    """
    # (H, W) come first, so that neighbours of all images are one slice apart, and work is done in place.
    image = _blurred(pictures.permute(1, 2, 0, 3).contiguous(), float(rng.uniform(0, 0.12)))
    gain = np.exp(rng.normal(0, 0.05, (len(pictures), 1)) + rng.normal(0, 0.07, 3))
    image.clamp_(min=1e-4).pow_(float(np.exp(rng.normal(0, 0.15)))).mul_(torch.from_numpy(gain.astype(np.float32)))
    dark, shot = float(rng.uniform(0, 0.012)), float(rng.uniform(0, 0.025))
    grains = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
    image.addcmul_(grains, image, value=shot).add_(grains, alpha=dark)
    return image.clamp_(0, 1).mul_(255).add_(0.5).to(torch.uint8).permute(2, 0, 1, 3).contiguous().numpy()


def _blurred(image: Tensor, share: float) -> Tensor:
    """Each pixel (H, W, ...) gives `share` to each of its neighbours along columns, then along rows."""
    for axis in (0, 1):
        size = image.shape[axis]
        result = image * (1 - 2 * share)
        for kept, source in ((0, 1), (1, 0)):
            result.narrow(axis, kept, size - 1).add_(image.narrow(axis, source, size - 1), alpha=share)
        for border in (0, size - 1):
            result.narrow(axis, border, 1).add_(image.narrow(axis, border, 1), alpha=share)
        image = result
    return image
