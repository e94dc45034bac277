# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A private DDS domain for the run, and a graph of real nodes for each test."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from test.graph.harness import Graph

HAS_ROS = find_spec("rclpy") is not None
if not HAS_ROS:
    # A skip here would end the whole run, as this is no test module.
    warnings.warn("NOT RUN: test/graph, no ROS 2 here; run `make test`", stacklevel=1)
collect_ignore_glob = [] if HAS_ROS else ["test_*.py"]


@pytest.fixture(scope="session")
def domain_id() -> Iterator[int]:
    """A domain that no other run on this machine uses; processes started by tests find it in the environment."""
    from test.graph.domain import own_domain

    with own_domain() as domain_id, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("ROS_DOMAIN_ID", str(domain_id))
        # The network has no work here that is worth more than one core.
        patch.setenv("OMP_NUM_THREADS", "1")
        yield domain_id


@pytest.fixture
def graph(domain_id: int) -> Iterator[Graph]:
    from test.graph.harness import Graph

    graph = Graph(domain_id)
    yield graph
    graph.close()
