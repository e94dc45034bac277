# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.training.config import TrainingConfig, config_from
from da3_ros.training.export import export_weights
from da3_ros.training.loop import Share, StepReport, begin, train
from da3_ros.training.network import TrainedNetwork
from da3_ros.training.shards import ShardReader
from da3_ros.training.state import TrainingState
from da3_ros.training.windows import draw_windows
from test.model.tiny import TINY_NESTED

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def steps(state: TrainingState, config: TrainingConfig, rooms: ShardReader, until: int) -> list[StepReport]:
    return list(train(state, config, rooms, CPU, until=until))


def all_tensors(state: TrainingState) -> dict[str, Tensor]:
    names = {parameter: name for name, parameter in state.module.named_parameters()}
    moments = {
        f"{names[parameter]}.{kind}": value  # type: ignore[index]
        for parameter, kept in state.optimiser.state.items()
        for kind, value in kept.items()
    }
    return {**state.module.state_dict(), **{f"average {name}": v for name, v in state.average.items()}, **moments}


def assert_equal(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if not torch.equal(ours[name], theirs[name])]


def test_loss_falls(tiny_config: TrainingConfig, rooms: ShardReader) -> None:
    reports = steps(begin(tiny_config, CPU), tiny_config, rooms, 40)

    first, last = (np.mean([report.terms["total"] for report in part]) for part in (reports[:5], reports[-5:]))
    assert last < 0.6 * first
    assert [report.step for report in reports] == list(range(1, 41))


def test_training_that_was_stopped_and_resumed_is_the_same_to_the_bit(
    tiny_config: TrainingConfig, rooms: ShardReader, tmp_path: Path
) -> None:
    through = begin(tiny_config, CPU)
    steps(through, tiny_config, rooms, 8)
    stopped = begin(tiny_config, CPU)
    steps(stopped, tiny_config, rooms, 3)
    stopped.save(tmp_path / "state.safetensors")

    resumed = begin(replace(tiny_config, seed=tiny_config.seed), CPU)
    resumed.load(tmp_path / "state.safetensors")
    steps(resumed, tiny_config, rooms, 8)

    assert resumed.step == through.step == 8
    assert_equal(all_tensors(resumed), all_tensors(through))


def test_heads_learn_at_a_share_of_the_rate(tiny_config: TrainingConfig, rooms: ShardReader) -> None:
    config = replace(tiny_config, weight_decay=0.0, head_rate=0.25)
    state = begin(config, CPU)
    before = {name: parameter.detach().clone() for name, parameter in state.module.named_parameters()}

    (report,) = steps(state, config, rooms, 1)

    moved = {n: (p.detach() - before[n]).abs().max().item() / report.rate for n, p in state.module.named_parameters()}
    assert moved["network.backbone.blocks.0.attention.qkv.weight"] == pytest.approx(1.0, rel=0.01)  # AdamW's first step
    assert moved["network.head.ray_output.output.weight"] == pytest.approx(0.25, rel=0.01)
    assert moved["network.camera_decoder.quaternion.weight"] == pytest.approx(0.25, rel=0.01)


def test_state_of_another_network_is_refused(tiny_config: TrainingConfig, tmp_path: Path) -> None:
    begin(tiny_config, CPU).save(tmp_path / "state.safetensors")
    wider = replace(tiny_config, overrides={**tiny_config.overrides, "head_features": 16})

    with pytest.raises(ValueError, match=r"is of another network: network\.head"):
        begin(wider, CPU).load(tmp_path / "state.safetensors")


def test_file_that_is_no_state_is_refused(tiny_config: TrainingConfig, tmp_path: Path) -> None:
    (tmp_path / "state.safetensors").write_bytes(b"no")

    with pytest.raises(ValueError, match="is no state of a training"):
        begin(tiny_config, CPU).load(tmp_path / "state.safetensors")


def test_exported_weights_load_strictly_and_hold_no_probe(
    tiny_config: TrainingConfig, rooms: ShardReader, tmp_path: Path
) -> None:
    state = begin(tiny_config, CPU)
    steps(state, tiny_config, rooms, 2)

    export_weights(tiny_config, state.averaged(), tmp_path / "model.safetensors", state.step)

    network = build_network(tiny_config.model, **tiny_config.overrides)
    load_weights(network, tmp_path / "model.safetensors")
    for name, value in network.named_parameters():
        assert torch.equal(value, state.average[f"network.{name}"].half().float()), name


def test_nested_model_is_refused(tiny_config: TrainingConfig) -> None:
    with pytest.raises(ValueError, match="two networks in one"):
        begin(replace(tiny_config, model="da3nested-giant-large", overrides=TINY_NESTED), CPU)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"model": "da3-nano"}, "stages: a list is needed"),
        ({"model": "da3-nano", "stages": []}, "at least one stage"),
        ({"model": "da3-nano", "stages": [{"step": 3}]}, r"stages\[0\]: step is unknown; there are steps"),
        ({"model": "da3-nano", "stages": [{"steps": 3, "sizes": [[13, 28]]}]}, r"stages\[0\]: sizes must be multiples"),
        (
            {"model": "da3-nano", "stages": [{"steps": 3, "sizes": [[28, 28]], "weights": {"dept": 1}}]},
            "dept is unknown",
        ),
    ],
)
def test_config_says_where_it_is_wrong(content: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        config_from(content)


@pytest.mark.parametrize("variant", ["all_global", "separate_heads"])
def test_variants_are_trained_like_the_network_itself(
    variant: str, tiny_config: TrainingConfig, rooms: ShardReader
) -> None:
    config = replace(tiny_config, variant=variant)
    state = begin(config, CPU)
    before = {name: value.clone() for name, value in state.average.items()}

    steps(state, config, rooms, 2)

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


def test_mean_over_processes_is_the_mean_over_windows(tiny_config: TrainingConfig, rooms: ShardReader) -> None:
    stage, module = tiny_config.stages[0], begin(tiny_config, CPU).module

    def gradient(numbers: Sequence[int], weight: float = 1.0) -> Tensor:
        windows = draw_windows(rooms, tiny_config, stage, 0, numbers)
        (module.terms(windows, False, False, stage.weights)["total"] * weight).backward()
        found = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        module.zero_grad()
        return torch.cat(found)

    shares = [Share(rank, 2) for rank in range(2)]
    together = torch.stack([gradient(share.of(3), share.weight(3)) for share in shares]).mean(0)

    whole = gradient(range(3))
    assert (together - whole).norm() < 0.05 * whole.norm()  # windows do not see equally many matches


def test_more_processes_than_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="2 windows cannot be shared by 3 processes"):
        Share(0, 3).of(2)
