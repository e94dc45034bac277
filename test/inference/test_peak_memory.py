# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The predicted peak is not below the measured one and not far above; limits are respected before anything runs."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from da3_ros.inference.engine import EngineError, OutOfMemory
from da3_ros.inference.loading import weights_mb
from da3_ros.inference.peak_memory import (
    COPIES,
    MB,
    SAFETY,
    MemoryOfCall,
    check_fits,
    half_at_once,
    predicted_peak,
    weight_bytes,
)
from da3_ros.inference.precision import resolve_precision, set_precision
from da3_ros.model.build import build_network
from da3_ros.model.config import architecture
from test.inference.peak_memory_report import Case, fit, measured_bytes
from test.model.tiny import TINY, tiny_network

CALL = MemoryOfCall(architecture("da3-small", **TINY), 5 * MB, 4, (280, 504))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="NOT RUN: reads /proc")
@pytest.mark.parametrize(
    "case",
    [
        Case("tiny", 4, (280, 504)),
        Case("narrow", 24, (140, 252), half_chunks=True),
        Case("narrow", 4, (280, 504), want_rays=True),
        Case("gated", 6, (280, 504)),
        Case("small", 1, (280, 504)),
    ],
    ids=lambda case: f"{case.network}-{case.views}",
)
def test_prediction_covers_the_measured_peak_and_is_not_far_above(case: Case) -> None:
    measured = measured_bytes(case)

    assert measured <= predicted_peak(case.call()) <= 1.6 * measured


@pytest.mark.parametrize(
    "change",
    [{"views": 3}, {"size": (140, 252)}, {"views_at_once": 1}, {"weight_bytes": 4 * MB}],
    ids=["views", "size", "chunk", "weights"],
)
def test_everything_that_relief_gives_up_lowers_the_prediction(change: dict[str, object]) -> None:
    assert predicted_peak(replace(CALL, **change)) < predicted_peak(CALL)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"want_rays": True}, {"kept_bytes": MB}], ids=["rays", "kept"])
def test_everything_that_is_added_raises_the_prediction(change: dict[str, object]) -> None:
    assert predicted_peak(replace(CALL, **change)) > predicted_peak(CALL)  # type: ignore[arg-type]


def test_call_that_would_take_too_much_is_refused_with_both_figures() -> None:
    peak_mb = -(-predicted_peak(CALL) // MB)

    check_fits(CALL, 0)
    check_fits(CALL, peak_mb)
    with pytest.raises(OutOfMemory, match=f"4 views of 280x504 would take {peak_mb} MB, .* leaves {peak_mb - 1}$"):
        check_fits(CALL, peak_mb - 1)


def test_shortage_is_an_engine_error_to_inference_and_a_memory_error_to_the_stream() -> None:
    assert issubclass(OutOfMemory, EngineError)
    assert issubclass(OutOfMemory, MemoryError)


@pytest.mark.parametrize(
    ("views_at_once", "views", "half"), [(8, 12, 4), (8, 4, 2), (8, 1, 1), (2, 8, 1), (1, 8, 1), (3, 8, 1)]
)
def test_half_at_once_helps_also_where_all_views_would_go_at_once(views_at_once: int, views: int, half: int) -> None:
    assert half_at_once(views_at_once, views) == half


def test_weights_count_as_they_are_stored() -> None:
    network = tiny_network()
    numbers = sum(parameter.numel() for parameter in network.parameters())

    assert weight_bytes(network) == 4 * numbers
    assert weight_bytes(network.to(torch.bfloat16)) == 2 * numbers


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_weights_of_a_network_are_known_without_having_them(precision: str) -> None:
    network = build_network("da3-small")
    set_precision(network, *2 * (resolve_precision(precision, torch.device("cpu")),))

    assert weights_mb("da3-small", precision, precision, "cpu") == -(-weight_bytes(network) // MB)


def test_fit_finds_the_constants_behind_exact_measurements() -> None:
    generator = np.random.default_rng(0)
    calls = [
        replace(
            CALL,
            views=int(generator.integers(1, 20)),
            size=tuple(14 * generator.integers(4, 40, 2)),
            views_at_once=int(generator.integers(1, 8)),
        )
        for _ in range(40)
    ]
    unsafe = [round((predicted_peak(call) - call.weight_bytes) / SAFETY) + call.weight_bytes for call in calls]

    copies, safety = fit(calls, unsafe)

    assert copies == pytest.approx(dict(COPIES), abs=0.051)  # they are rounded up to a twentieth
    assert safety == pytest.approx(1, abs=0.02)
