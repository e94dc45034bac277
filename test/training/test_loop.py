# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing import spawn

from da3_ros.model.build import build_network
from da3_ros.model.camera_token import invert_rigid, normalise_cameras
from da3_ros.model.checkpoint import load_weights
from da3_ros.training.config import Stage, TrainingConfig
from da3_ros.training.export import export_weights
from da3_ros.training.loop import Log, Share, StepReport, agreed, begin, train
from da3_ros.training.network import TrainedNetwork, given_cameras
from da3_ros.training.shards import ShardReader
from da3_ros.training.state import TrainingState
from da3_ros.training.windows import draw_windows, plan_step
from test.closeness import assert_close
from test.training.rooms import SIZE, write_rooms

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def steps(state: TrainingState, config: TrainingConfig, rooms: ShardReader, until: int) -> list[StepReport]:
    return list(train(state, config, rooms, CPU, until=until))


def told_now_and_then(config: TrainingConfig, steps: int) -> TrainingConfig:
    """A config of which a step in each half, but not every one, has known cameras."""
    config = replace(config, stages=(replace(config.stages[0], known_cameras=0.4),))
    told = [plan_step(config, config.stages[0], step).knows_cameras for step in range(steps)]
    assert {True, False} == set(told[: steps // 2]) == set(told[steps // 2 :])
    return config


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
    config = told_now_and_then(tiny_config, steps=8)
    through = begin(config, CPU)
    steps(through, config, rooms, 8)
    stopped = begin(config, CPU)
    steps(stopped, config, rooms, 4)
    stopped.save(tmp_path / "state.safetensors")

    resumed = begin(config, CPU)
    resumed.load(tmp_path / "state.safetensors")
    steps(resumed, config, rooms, 8)

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

    for other, said in (
        (wider, "whose overrides is"),
        (replace(tiny_config, variant="all_global"), "whose variant is '', not 'all_global'"),
        (replace(tiny_config, seed=7), "whose seed is 0, not 7"),
    ):
        with pytest.raises(ValueError, match=said):
            begin(other, CPU).load(tmp_path / "state.safetensors")


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


def test_training_begins_with_weights_that_it_is_given(
    tiny_config: TrainingConfig, rooms: ShardReader, tmp_path: Path
) -> None:
    before = begin(tiny_config, CPU)
    steps(before, tiny_config, rooms, 2)
    export_weights(tiny_config, before.averaged(), tmp_path / "model.safetensors", before.step)
    config = replace(tiny_config, seed=7, begin_with=str(tmp_path / "model.safetensors"))

    state = begin(config, CPU)

    assert state.step == 0
    for name, value in state.module.network.named_parameters():
        assert torch.equal(value, before.average[f"network.{name}"].half().float()), name
        assert torch.equal(value, state.average[f"network.{name}"]), name
    with pytest.raises(ValueError, match="does not fit this network"):
        begin(replace(config, variant="separate_heads"), CPU)


def test_share_of_the_first_weights_stays_in_what_is_exported(
    tiny_config: TrainingConfig, rooms: ShardReader, tmp_path: Path
) -> None:
    first = begin(tiny_config, CPU)
    export_weights(tiny_config, first.averaged(), tmp_path / "first.safetensors", 0)
    config = replace(tiny_config, begin_with=str(tmp_path / "first.safetensors"), begin_share=0.25)
    state = begin(config, CPU)
    steps(state, config, rooms, 2)

    export_weights(config, state.averaged(), tmp_path / "model.safetensors", state.step)

    begun, exported = (build_network(config.model, **config.overrides) for _ in range(2))
    load_weights(begun, tmp_path / "first.safetensors")
    load_weights(exported, tmp_path / "model.safetensors")
    for (name, value), before in zip(exported.named_parameters(), begun.parameters(), strict=True):
        expected = 0.25 * before + 0.75 * state.average[f"network.{name}"]
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-6, msg=name)


def test_cameras_are_given_as_at_inference_in_a_unit_that_is_not_of_depth(rooms: ShardReader) -> None:
    stage = Stage(steps=1, sizes=(SIZE,), views=(3,), views_per_step=6)
    windows = draw_windows(rooms, TrainingConfig("da3-nano", (stage,)), stage, 0, [0, 1])

    poses, intrinsics = given_cameras(windows)
    further, _ = given_cameras(replace(windows, depth=3 * windows.depth, exact_depth=3 * windows.exact_depth))

    assert torch.equal(poses, further)
    assert_close(poses, normalise_cameras(invert_rigid(windows.world_from_camera)), 1e-5)
    assert torch.equal(intrinsics, windows.intrinsics)


def test_given_cameras_reach_the_encoder_in_full_precision(tiny_config: TrainingConfig, rooms: ShardReader) -> None:
    module = begin(tiny_config, CPU).module
    assert isinstance(module, TrainedNetwork)
    windows = draw_windows(rooms, tiny_config, tiny_config.stages[0], 0, [0])
    seen: list[tuple[Any, ...]] = []
    module.network.camera_encoder.register_forward_hook(lambda _, inputs, output: seen.append((*inputs, output)))

    module.terms(windows, True, False, tiny_config.stages[0].weights)

    ((poses, _, _, tokens),) = seen
    assert torch.equal(poses, given_cameras(windows)[0])
    assert tokens.dtype == torch.float32


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


def _train_together(rank: int, folder: Path, config: TrainingConfig) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    state = begin(config, CPU)
    steps(state, config, ShardReader(folder), 8)
    assert agreed(rank == 1, CPU)
    assert not agreed(False, CPU)
    if rank == 0:
        state.save(folder / "state")
    dist.destroy_process_group()


def test_two_processes_learn_what_one_does(tiny_config: TrainingConfig, tmp_path: Path) -> None:
    write_rooms(tmp_path)
    config = told_now_and_then(tiny_config, steps=8)

    spawn(_train_together, (tmp_path, config), nprocs=2)
    together, alone = begin(config, CPU), begin(config, CPU)
    together.load(tmp_path / "state")
    steps(alone, config, ShardReader(tmp_path), 8)

    ours, theirs = all_tensors(together), all_tensors(alone)
    made = {name: float(value) for name, value in theirs.items() if name.endswith(".step")}
    assert len(set(made.values())) > 1, "some have no part in some steps"
    assert {name: float(ours[name]) for name in made} == made
    first = begin(config, CPU).average
    moved, apart = (
        torch.cat([(ours[name] - theirs[name]).flatten() for name in first]).norm()
        for ours, theirs in ((alone.average, first), (together.average, alone.average))
    )
    assert apart < 0.4 * moved  # a mean over what is known is taken in each process, and AdamW's steps are of one size


def test_log_forgets_steps_that_are_made_again_and_loses_none(tmp_path: Path) -> None:
    def report(step: int) -> StepReport:
        return StepReport(step, 1e-3, 6, 0.1, 1.0, {"total": float(step)})

    path = tmp_path / "log.jsonl"
    log = Log(path, 0, every=2)
    for step in range(1, 6):
        log.add(report(step))
    log.flush()
    with path.open("a") as file:
        file.write('{"step": 6, "ra')  # killed while it wrote

    log = Log(path, 4, every=2)
    log.add(report(5))
    log.flush()
    log.flush()

    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [2, 4, 5]


def test_more_processes_than_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="2 windows cannot be shared by 3 processes"):
        Share(0, 3).of(2)
