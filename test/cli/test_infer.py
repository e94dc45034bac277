# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros infer` where something is odd: cameras that do not fit, images that no network can see, earlier results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from da3_ros.cli import infer
from da3_ros.cli.main import main
from da3_ros.cli.result_files import ResultFiles
from da3_ros.inference import loading
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.monocular_estimator import MonocularEstimator
from da3_ros.model.build import build_network
from da3_ros.model.weights import fill_with_noise
from da3_ros.sources.source import Source
from da3_ros.streaming.frame import Frame
from test.model.tiny import TINY_MONOCULAR

TENTH_NS = 100_000_000
MONOCULAR = ("--weights", "random", "--model", "da3mono-large")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(model: str, weights: str, options: LoadOptions) -> MonocularEstimator:
        network = build_network("da3mono-large", **TINY_MONOCULAR)
        fill_with_noise(network, 2)
        return MonocularEstimator(network, torch.device("cpu"), process_resolution=56, cpu_threads=1)

    monkeypatch.setattr(loading, "load_estimator", load)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> None:
    """The input is a source whose right camera is there at the second instant only, and whose rear camera never."""

    def frames(start_ns: int | None) -> Iterator[Frame]:
        image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        for index in range(3):
            for camera in ("left", "right")[: 1 + (index == 1)]:
                yield Frame(camera, index * TENTH_NS, camera, image, None)

    monkeypatch.setattr(infer, "open_source", lambda *_: Source(("left", "right", "rear"), 4, frames))


@pytest.mark.usefixtures("play")
def test_run_that_writes_nothing_fails_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infer", "input", *MONOCULAR, "--output", str(tmp_path)]) == 1

    (sentence,) = capsys.readouterr().err.strip().splitlines()
    assert "nothing was written: 4 images in, 0 written, dropped: 4 missing_camera" in sentence
    assert "--cameras" in sentence


@pytest.mark.usefixtures("play")
def test_cameras_that_are_named_are_taken_and_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infer", "input", *MONOCULAR, "--cameras", "left", "--output", str(tmp_path)]) == 0

    assert "3 images in, 3 written, dropped: none" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"left", "views.png"}


@pytest.mark.usefixtures("play")
def test_images_dropped_for_a_missing_camera_name_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["infer", "input", *MONOCULAR, "--cameras", "left,right", "--output", str(tmp_path)]) == 0

    (summary, _) = capsys.readouterr().out.strip().splitlines()[-2:]
    assert "2 written, dropped: 2 missing_camera (" in summary
    assert "--cameras" in summary


@pytest.mark.usefixtures("play")
def test_camera_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infer", "input", *MONOCULAR, "--cameras", "front", "--output", str(tmp_path / "out")]) == 1

    assert "no camera 'front' in the source: it has left, right, rear" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_image_that_no_network_can_see_ends_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, output = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for index, size in enumerate([(48, 64), (20, 2000)]):
        cv2.imwrite(str(images / f"{index}.png"), np.full((*size, 3), 90, np.uint8))

    assert main(["infer", str(images), *MONOCULAR, "--output", str(output)]) == 1

    (sentence,) = capsys.readouterr().err.strip().splitlines()
    assert "ended early after 2 images: " in sentence
    assert "20x2000 is too narrow" in sentence
    assert len(list((output / "camera").glob("*.npz"))) == 1


def test_results_of_an_earlier_run_are_removed_and_nothing_else(tmp_path: Path) -> None:
    view = f"{TENTH_NS:019d}.npz"
    ours = ["old", f"old/{view}", f"left/{view}", "trajectory_old.txt", "trajectory_left.txt"]
    ours += ["cloud.ply", "views.png", "cloud_from_above.png"]
    others = ["left/mine.npz", "left/0.png", "trajectory_mine.txt", "mine.ply", "mine/0001.npz", "new/deeper/" + view]
    for name in (*ours[1:], *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    ResultFiles(tmp_path, ("left",), "a network")

    assert [name for name in ours if (tmp_path / name).exists()] == []
    assert [name for name in others if not (tmp_path / name).exists()] == []
