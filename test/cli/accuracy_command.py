# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of `da3_ros eval accuracy` start from: recorded rooms on disk, and a network that knows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from da3_ros.cli import eval_accuracy
from da3_ros.evaluation.accuracy import Predict
from da3_ros.evaluation.sequences import load_sequences
from da3_ros.geometry.sim3 import Sim3
from test.evaluation.known_room import CAMERA, SIZE, knowing_predict, room_sequence

GAUGE = Sim3(2.0, np.eye(3), np.array([1.0, 0.0, 0.0]))
KNOWING = ("--model", "da3-small", "--weights", "w")  # the stub answers in its name


def write_sequence(folder: Path, seed: int) -> Path:
    """A simulated room as a folder with meta.json."""
    folder.mkdir()
    frames: list[dict[str, Any]] = []
    for number, frame in enumerate(room_sequence(seed).frames):
        depth = np.nan_to_num(np.rint(1000 * frame.read_depth())).astype(np.uint16)  # type: ignore[operator]
        cv2.imwrite(str(folder / f"{number}.png"), cv2.cvtColor(frame.read_image(), cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / f"{number}_depth.png"), depth)
        pose = frame.world_from_camera.tolist()
        files = {"image": f"{number}.png", "depth": f"{number}_depth.png"}
        frames.append({**files, "camera": "front", "pose_c2w": pose})
    camera = {"K": CAMERA.matrix.tolist(), "height": SIZE[0], "width": SIZE[1], "distortion": None}
    meta = {"cameras": {"front": camera}, "frames": frames, "depth": {"scale": 0.001, "invalid": 0}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def use_network_that_knows(monkeypatch: pytest.MonkeyPatch, folders: list[Path]) -> None:
    sequences = [sequence for folder in folders for sequence in load_sequences(folder)]
    use_network(monkeypatch, knowing_predict(sequences, GAUGE))


def use_network(monkeypatch: pytest.MonkeyPatch, predict: Predict) -> None:
    monkeypatch.setattr(eval_accuracy, "_network", lambda arguments: predict)


def options(folders: list[Path], *more: str) -> list[str]:
    data = [word for folder in folders for word in ("--data", str(folder))]
    return ["eval", "accuracy", *data, "--resolution", str(max(SIZE)), *more]
