# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One furnished room, painted once for all tests."""

from __future__ import annotations

import pytest

from da3_ros.simulation.rig import three_camera_rig
from da3_ros.simulation.simulator import Simulation


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    """Small images of room 2, which has chairs, round things and windows."""
    return Simulation(2, three_camera_rig((120, 160)))
