# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A private DDS domain for the parts of the node that need a node."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from test.ros.graph import Graph

HAS_ROS = find_spec("rclpy") is not None and find_spec("tf2_ros") is not None
if not HAS_ROS:
    # A skip here would end the whole run, as this is no test module.
    warnings.warn("NOT RUN: test/nodes, no ROS 2 here with tf2; run `make test`", stacklevel=1)
collect_ignore_glob = [] if HAS_ROS else ["test_*.py"]


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    from test.ros.graph import private_graph

    with private_graph(monkeypatch) as graph:
        yield graph
