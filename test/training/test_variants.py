# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from da3_ros.training.config import TrainingConfig
from da3_ros.training.loop import begin, train
from da3_ros.training.network import TrainedNetwork
from da3_ros.training.shards import ShardReader
from da3_ros.training.variants import SeparateHeads
from test.closeness import assert_close
from test.training.rooms import SIZE

CPU = torch.device("cpu")


@pytest.mark.parametrize("variant", ["all_global", "separate_heads"])
def test_variants_are_trained_like_the_network_itself(
    variant: str, tiny_config: TrainingConfig, rooms: ShardReader
) -> None:
    config = replace(tiny_config, variant=variant)
    state = begin(config, CPU)
    before = {name: value.clone() for name, value in state.average.items()}

    list(train(state, config, rooms, CPU, until=2))

    plain = dict(begin(tiny_config, CPU).module.named_parameters())
    assert (set(before) - set(plain) != set()) == (variant == "separate_heads")
    idle = [n for n, value in state.average.items() if torch.equal(value, before[n]) and "camera_encoder" not in n]
    assert not idle, "every part of a variant learns"


def test_variants_are_looked_up_by_name(tiny_config: TrainingConfig) -> None:
    with pytest.raises(ValueError, match="unknown variant 'none': choose one of all_global, separate_heads"):
        begin(replace(tiny_config, variant="none"), CPU)


def test_all_blocks_of_the_global_variant_look_across_views(tiny_config: TrainingConfig) -> None:
    module = begin(replace(tiny_config, variant="all_global"), CPU).module

    assert isinstance(module, TrainedNetwork)
    config = module.network.backbone.config
    assert [config.is_global(block) for block in range(config.depth)] == [False, False, *[True] * 6]


def test_both_halves_of_a_tap_of_the_global_variant_learn_of_other_views(tiny_config: TrainingConfig) -> None:
    module = begin(replace(tiny_config, variant="all_global"), CPU).module
    assert isinstance(module, TrainedNetwork)
    first, second, other = torch.rand(3, 1, 1, 3, *SIZE, generator=torch.Generator().manual_seed(0)).unbind(0)

    with torch.inference_mode():
        ours, theirs = (
            module.network.backbone(torch.cat((first, view), dim=1), None, "first")[0] for view in (second, other)
        )

    for half in (slice(None, 64), slice(64, None)):  # what enters the block, and what leaves it
        assert not torch.allclose(ours.patches[:, 0, :, half], theirs.patches[:, 0, :, half])


def test_rays_of_separate_heads_come_from_their_own_pyramid(tiny_config: TrainingConfig) -> None:
    module = begin(replace(tiny_config, variant="separate_heads"), CPU).module
    assert isinstance(module, TrainedNetwork)
    assert isinstance(module.network.head, SeparateHeads)
    network, images = module.network.eval(), torch.rand(1, 2, 3, *SIZE, generator=torch.Generator().manual_seed(0))

    with torch.inference_mode():
        before = network(images, want_rays=True)
        trained = module(images, None, fine=True)
        for parameter in module.network.head.ray_reassemble.parameters():
            parameter.mul_(1.5)
        after = network(images, want_rays=True)

    assert_close(before.ray, trained.ray, 1e-4)  # as it was trained
    assert torch.equal(before.depth, after.depth)
    assert not torch.allclose(before.ray, after.ray)
