# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""da3_node and image_source_node as processes of their own, and a recorder that listens, for the benchmarks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from da3_ros.cli.main import CommandError
from da3_ros.cli.node_process import NodeProcess, isolate
from da3_ros.cli.recorder import Recorder

SIZE = (480, 640)
IMAGES = 40
SILENCE_S = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class RunningNodes:
    """The two nodes and what they are heard to say."""

    recorder: Recorder
    node: NodeProcess
    player: NodeProcess

    @property
    def accounted(self) -> int:
        """Images that were published or dropped since the start."""
        status = self.recorder.status
        return 0 if status is None else int(status.frames_published + sum(status.drop_counts))

    @property
    def published(self) -> int:
        """Images that were published since the start."""
        return 0 if self.recorder.status is None else int(self.recorder.status.frames_published)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something to hold that new statuses bring about.

        Raises:
            CommandError: when a node fails, or no status comes for a long time.
        """
        heard, since_s = len(self.recorder.statuses), time.monotonic()
        while not holds():
            self.recorder.wait_for_change(0.5)
            self.node.check()
            self.player.check()
            if len(self.recorder.statuses) != heard:
                heard, since_s = len(self.recorder.statuses), time.monotonic()
            elif time.monotonic() - since_s > SILENCE_S:
                counts = dict(self.recorder.counts)
                raise CommandError(f"{what} did not come within {SILENCE_S:.0f} s, only {counts}: is it overloaded?")


@contextmanager
def running_nodes(
    cameras: Sequence[str],
    topics: Sequence[str],
    node_parameters: Mapping[str, Any],
    source_parameters: Mapping[str, Any],
    threads: int = 0,
) -> Iterator[RunningNodes]:
    """Both nodes, from the first publisher heard to the end of the context.

    Args:
        cameras: names.
        topics: of each camera that are subscribed to; all when empty.
        node_parameters: of da3_node.
        source_parameters: of image_source_node; without a `source` it plays images that are made here, in a loop.
        threads: of each node's numerical libraries; 0 for their own choice.
    """
    isolate()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if "source" not in source_parameters:
            write_images(folder / "images")
            source_parameters = {**source_parameters, "source": str(folder / "images"), "loop": True}
        recorder = Recorder(cameras, topics)
        stack.callback(recorder.close)
        node = stack.enter_context(NodeProcess("da3_ros.nodes.da3_node", node_parameters, folder, threads))
        while not recorder.is_connected:
            recorder.wait_for_change(0.2)
            node.check()
        player = NodeProcess("da3_ros.nodes.image_source_node", source_parameters, folder, threads)
        yield RunningNodes(recorder, node, stack.enter_context(player))


def write_images(folder: Path) -> None:
    """Forty images with some structure: they are decoded from PNG by the player, not by the node."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(IMAGES):
        coarse = generator.integers(0, 256, (SIZE[0] // 16, SIZE[1] // 16, 3), dtype=np.uint8)
        image = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
