# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.training.config import LossWeights, Stage, TrainingConfig
from da3_ros.training.labels import Labeller, laid_over
from da3_ros.training.loop import begin, train
from da3_ros.training.poor_truth import spoiled
from da3_ros.training.shards import ShardReader
from da3_ros.training.targets import Windows, in_gauge
from da3_ros.training.teacher import TrainedTeacher, teacher_losses, without_scale_and_shift
from da3_ros.training.windows import draw_windows
from test.closeness import assert_close
from test.model.tiny import TINY_MONOCULAR
from test.strategies import seeds
from test.training.rooms import SIZE

CPU = torch.device("cpu")
STAGE = Stage(steps=30, sizes=(SIZE,), views=(1,), views_per_step=4, learning_rate=3e-3, warm_up=3)
CONFIG = TrainingConfig("da3mono-large", (STAGE,), overrides=dict(TINY_MONOCULAR))
WEIGHTS = LossWeights()


@pytest.fixture
def windows(rooms: ShardReader) -> Windows:
    return in_gauge(draw_windows(rooms, CONFIG, STAGE, 0, [0, 1]))


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(scale=st.floats(0.1, 10), shift=st.floats(0, 5))
def test_truth_under_any_scale_and_shift_has_no_loss(rooms: ShardReader, scale: float, shift: float) -> None:
    windows = in_gauge(draw_windows(rooms, CONFIG, STAGE, 0, [0, 1]))

    terms = teacher_losses(scale * windows.depth + shift, windows, WEIGHTS)

    assert {"depth", "gradient", "normal", "total"} == set(terms)
    assert all(float(term) < 2e-4 for term in terms.values()), terms


def test_unknown_depth_spoils_no_gradient(windows: Windows) -> None:
    depth = windows.depth.clone()
    depth[0, :, 5:20] = torch.nan
    depth[1] = torch.nan
    guess = torch.rand(depth.shape, generator=chance()).requires_grad_()

    teacher_losses(guess, replace(windows, depth=depth), WEIGHTS)["total"].backward()

    assert guess.grad is not None
    assert guess.grad.isfinite().all()
    assert (guess.grad[1] == 0).all()


def test_scale_and_shift_are_taken_out_of_each_view_alone() -> None:
    depth = torch.rand(2, 3, 8, 8, generator=chance())
    factors = torch.rand(2, 3, 1, 1, generator=chance(1)) + 0.5
    known = torch.ones_like(depth, dtype=torch.bool)

    assert_close(without_scale_and_shift(factors * depth + 3, known), without_scale_and_shift(depth, known), 1e-4)


@given(seed=seeds, scale=st.floats(0.2, 5), shift=st.floats(-0.1, 2))
def test_label_is_laid_over_sparse_depth_of_which_a_tenth_is_wrong(seed: int, scale: float, shift: float) -> None:
    truth = 1 + torch.rand(2, 20, 20, generator=chance(seed)) * 3
    known = spoiled(truth, 0.5, chance(seed + 1))

    placed = laid_over((truth - shift) / scale, known, chance(seed + 2))

    assert not placed.isnan().any()
    assert float((placed / truth - 1).abs().flatten(1).median(1).values.max()) < 0.03


def test_label_of_an_image_of_which_nothing_is_known_is_nothing() -> None:
    truth = torch.rand(1, 10, 10, generator=chance()) + 1

    assert laid_over(truth, torch.full_like(truth, torch.nan), chance()).isnan().all()
    assert laid_over(-truth, truth, chance()).isnan().all()  # agrees under negative scales alone


def test_poor_sensor_keeps_the_share_it_should_and_one_in_ten_is_wrong() -> None:
    depth = torch.full((200, 200), 2.0)
    poor = spoiled(depth, 0.3, chance())

    kept = poor[~poor.isnan()]
    assert len(kept) / depth.numel() == pytest.approx(0.3, abs=0.02)
    assert float(((kept - 2).abs() > 0.3).float().mean()) == pytest.approx(0.09, abs=0.03)


def test_teacher_learns_and_labels(rooms: ShardReader) -> None:
    torch.set_num_threads(1)
    state = begin(CONFIG, CPU)
    reports = list(train(state, CONFIG, rooms, CPU))
    assert np.mean([r.terms["total"] for r in reports[-5:]]) < 0.8 * np.mean([r.terms["total"] for r in reports[:3]])

    assert isinstance(state.module, TrainedTeacher)
    student = replace(CONFIG, known_share=0.2, teacher_from=5)
    label = Labeller(student, state.module.eval())
    drawn = draw_windows(rooms, student, STAGE, 0, range(4))
    assert label(drawn, 4, range(4)) is drawn
    after = label(drawn, 5, range(4))

    assert float(drawn.depth.isnan().float().mean()) > 0.7
    unknown = after.depth.isnan().float().mean(dim=(-1, -2))
    assert ((unknown < 0.05) | (unknown == 1)).all()  # a label is whole, or there is none
    assert (unknown < 0.05).any()
    alone = label(draw_windows(rooms, student, STAGE, 0, [3]), 5, [3])  # as another process would
    torch.testing.assert_close(after.depth[3:], alone.depth, rtol=1e-5, atol=0, equal_nan=True)  # rounding by batch
