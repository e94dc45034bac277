# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The vision transformer that sees all views: DINOv2 blocks, the later of which also look across views.

The blocks of da3-small; v attends within each view, A over the tokens of all views:

    block      0   1   2   3  |  4   5   6   7   8   9  10  11
    attends    v   v   v   v  |  v   A   v   A   v   A   v   A
    tapped                    |      T       T       T       T
               encode_views   |  relate_views
                           ^  ^
                           |  '-- class tokens make way for camera tokens: of known cameras,
                           |      or the learned pair (reference view, any other view)
                           '----- class tokens entering this block choose the reference view,
                                  which then goes first until the taps restore the order

    T = [ output of the last v | normed output of this block ], 2*D channels

Everything left of the bar depends on one image alone: it may run view by view, and its result may be kept for the
next call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from da3_ros.model.block import Block
from da3_ros.model.config import PATCH_SIZE, Da3Config
from da3_ros.model.patch_embed import PatchEmbed
from da3_ros.model.reference_view import MIN_VIEWS, ViewOrder, reference_first, select_reference
from da3_ros.model.rope import global_rotary, local_rotary


@dataclass(frozen=True, slots=True)
class ViewTokens:
    """What the per-view blocks know of N images; exact to keep and reuse.

    Attributes:
        tokens: (N, T, D) tokens entering the alternating blocks, T = 1 + h*w.
        class_tokens: (N, D) class tokens entering the block before, by which the reference view is chosen.
        grid: (h, w) patches of an image.
    """

    tokens: Tensor
    class_tokens: Tensor
    grid: tuple[int, int]

    @staticmethod
    def joined(parts: Sequence[ViewTokens]) -> ViewTokens:
        """Images that were encoded apart, as if they had been encoded together."""
        tokens = torch.cat([part.tokens for part in parts])
        return ViewTokens(tokens, torch.cat([part.class_tokens for part in parts]), parts[0].grid)

    def apart(self) -> tuple[ViewTokens, ...]:
        """One for each image, to be kept alone."""
        if len(self.tokens) == 1:
            return (self,)
        images = zip(self.tokens.split(1), self.class_tokens.split(1), strict=True)
        return tuple(ViewTokens(tokens.clone(), class_token.clone(), self.grid) for tokens, class_token in images)

    @property
    def size_bytes(self) -> int:
        """What it takes to keep this."""
        return self.tokens.nbytes + self.class_tokens.nbytes


@dataclass(frozen=True, slots=True)
class Tap:
    """One tapped block, views in their original order.

    Attributes:
        patches: (B, V, h*w, 2*D) patch features for the head, float32.
        camera_tokens: (B, V, 2*D), not normed, float32.
    """

    patches: Tensor
    camera_tokens: Tensor


class Backbone(nn.Module):
    """Images of a batch of windows to the features of four tapped blocks."""

    def __init__(self, config: Da3Config) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config.dim)
        self.camera_token = nn.Parameter(torch.randn(1, 2, config.dim))  # the reference view's, the others'
        self.blocks = nn.ModuleList(
            Block(
                config.dim,
                config.heads,
                feed_forward=config.feed_forward,
                qk_norm=i >= config.alternation_start,
                norm_eps=1e-6,
            )
            for i in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, images: Tensor, camera_tokens: Tensor | None, reference_view: str) -> tuple[Tap, ...]:
        """Run all blocks.

        Args:
            images: (B, V, 3, H, W), ImageNet-normalised; H and W multiples of 14.
            camera_tokens: (B, V, D) of known cameras, or None.
            reference_view: strategy that chooses the reference view; see `reference_view.STRATEGIES`.

        Returns:
            The four taps, shallow to deep.
        """
        views = self.encode_views(images.flatten(0, 1))
        return tuple(self.relate_views(views, len(images), camera_tokens, reference_view))

    def encode_views(self, images: Tensor) -> ViewTokens:
        """Run the patch embedding and the blocks before the alternation on (N, 3, H, W) images."""
        x = self.patch_embed(images)
        *blocks, last = self.blocks[: self.config.alternation_start]
        for block in blocks:
            x = block(x)
        grid = (images.shape[-2] // PATCH_SIZE, images.shape[-1] // PATCH_SIZE)
        return ViewTokens(last(x), x[:, 0].clone(), grid)  # a part of x would keep all of it alive

    def relate_views(
        self,
        views: ViewTokens,
        batch: int,
        camera_tokens: Tensor | None,
        reference_view: str,
    ) -> Iterator[Tap]:
        """Run the alternating blocks on the B*V images that `encode_views` has seen; see `forward`.

        Args:
            views: of all images, batch item by batch item.
            batch: B.
            camera_tokens: (B, V, D) or None.
            reference_view: strategy.

        Yields:
            The four taps, shallow to deep, each as soon as its block has run: drop one before asking for the next.
        """
        x = views.tokens.unflatten(0, (batch, -1))  # (B, V, T, D)
        order = None
        if camera_tokens is None:
            order = self._choose_order(views.class_tokens.unflatten(0, (batch, -1)), reference_view)
            x = order.apply(x) if order else x
            camera_tokens = self._learned_camera_tokens(x)
        x = torch.cat((camera_tokens[:, :, None].to(x.dtype), x[:, :, 1:]), dim=2)
        for local, related in self._alternate(x, views.grid):
            yield self._tap(local, related, order)

    def _choose_order(self, class_tokens: Tensor, reference_view: str) -> ViewOrder | None:
        if class_tokens.shape[1] < MIN_VIEWS:
            return None
        return reference_first(select_reference(class_tokens, reference_view), class_tokens.shape[1])

    def _learned_camera_tokens(self, x: Tensor) -> Tensor:
        """(B, V, D): the reference view comes first."""
        B, V = x.shape[:2]
        reference, other = self.camera_token.split(1, dim=1)
        return torch.cat((reference.expand(B, 1, -1), other.expand(B, V - 1, -1)), dim=1)

    def _alternate(self, x: Tensor, grid: tuple[int, int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Outputs (B, V, T, D) of the last block within views and of the tapped block, for every tap."""
        config, (V, T) = self.config, x.shape[1:3]
        head_dim = config.dim // config.heads
        within_view = local_rotary(*grid, head_dim, x.device)
        across_views = global_rotary(T, head_dim, x.device)
        local = x
        for i in range(config.alternation_start, config.depth):
            if config.is_global(i):
                local = x
                # (B, V, T, D) -> (B, V*T, D)
                x = self.blocks[i](x.flatten(1, 2), across_views).unflatten(1, (V, T))
            else:
                # (B, V, T, D) -> (B*V, T, D)
                local = x = self.blocks[i](x.flatten(0, 1), within_view).unflatten(0, (-1, V))
            if i in config.tapped_blocks:
                yield local, x

    def _tap(self, local: Tensor, x: Tensor, order: ViewOrder | None) -> Tap:
        camera_tokens = torch.cat((local[:, :, 0], x[:, :, 0]), dim=-1)
        if order is not None:
            camera_tokens = order.undo(camera_tokens)
            local, x = order.undo(local), order.undo(x)
        return Tap(torch.cat((local[:, :, 1:], self.norm(x[:, :, 1:])), dim=-1), camera_tokens)
