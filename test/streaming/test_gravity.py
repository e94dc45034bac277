# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Up is felt while nearly still, and only then."""

from __future__ import annotations

import numpy as np
import pytest

from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.gravity import StillForce

PERIOD_NS = 5_000_000  # 200 Hz
UP = np.array([0.6, 0.0, 0.8])


def felt(force: FloatArray, rate: FloatArray | float = 0.0, samples: int = 300, noise: float = 0.0) -> StillForce:
    generator = np.random.default_rng(0)
    still = StillForce()
    for number in range(samples):
        shaken = force + generator.normal(0.0, noise, 3)
        still.add(number * PERIOD_NS, shaken, np.broadcast_to(rate, 3))
    return still


def test_up_is_the_mean_of_a_noisy_accelerometer_at_rest() -> None:
    up, reason = felt(9.81 * UP, noise=0.3).up()

    assert up is not None
    assert reason == ""
    assert np.linalg.norm(up) == pytest.approx(1)
    assert np.rad2deg(np.arccos(up @ UP)) < 0.5


@pytest.mark.parametrize(
    ("still", "reason"),
    [
        (StillForce(), "too few"),
        (felt(9.81 * UP, samples=150), "too few"),
        (felt(9.81 * UP, noise=2.0), "moves"),
        (felt(9.81 * UP, rate=0.3), "moves"),
        (felt(1.0 * UP), "1.00 m/s"),
        (felt(0.0 * UP), "0.00 m/s"),
        (felt(np.full(3, np.nan)), "too few"),
    ],
    ids=["nothing", "half a second", "shaken", "turning", "in g", "without gravity", "not numbers"],
)
def test_nothing_is_said_when_it_cannot_be_felt(still: StillForce, reason: str) -> None:
    up, said = still.up()

    assert up is None
    assert reason in said


def test_only_the_newest_second_counts() -> None:
    still = felt(9.81 * np.array([1.0, 0.0, 0.0]), samples=300)
    for number in range(300, 502):
        still.add(number * PERIOD_NS, 9.81 * UP, np.zeros(3))

    up, _ = still.up()

    assert up is not None
    np.testing.assert_allclose(up, UP, atol=1e-9)


def test_it_begins_anew_when_time_jumps_back() -> None:
    still = felt(9.81 * UP)
    still.add(0, 9.81 * UP, np.zeros(3))

    assert still.up()[0] is None
