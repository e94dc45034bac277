# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A subscriber that takes everything for metres gets nothing else, when the node is told so."""

from __future__ import annotations

import pytest

from da3_ros.nodes.camera_outputs import TOPICS
from test.graph.harness import Graph, dropped
from test.graph.recorder import ODOMETRY, PATH

SETS = 4


@pytest.mark.parametrize(("scale_mode", "told"), [("auto", 0), ("fixed", SETS)])
def test_nothing_but_the_account_is_published_until_metres_are_known(graph: Graph, scale_mode: str, told: int) -> None:
    graph.recorder.listen_to_node("front")
    graph.active_node(cameras=["front"], tf_mode="base", scale_mode=scale_mode, require_metric=True)

    status = graph.run(graph.cameras("front"), 0, SETS)

    topics = [*(f"front/{topic}" for topic in TOPICS), ODOMETRY, PATH, "/tf"]
    assert {topic: len(graph.recorder.messages(topic)) for topic in topics} == dict.fromkeys(topics, told)
    assert dropped(status) == ({} if told else {"not_metric": SETS})
