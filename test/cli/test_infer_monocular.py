# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros infer` with networks that see images one by one: depth and sky of every image, no trajectory."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from da3_ros.cli.main import main
from da3_ros.inference import loading
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.monocular_estimator import MonocularEstimator
from da3_ros.model.build import build_network
from da3_ros.model.weights import fill_with_noise
from test.model.tiny import TINY_MONOCULAR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        cv2.imwrite(str(images / f"{index}.png"), image)
    return images


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(model: str, weights: str, options: LoadOptions) -> MonocularEstimator:
        network = build_network("da3mono-large", **TINY_MONOCULAR)
        fill_with_noise(network, 2)
        return MonocularEstimator(network, torch.device("cpu"), process_resolution=56, cpu_threads=1)

    monkeypatch.setattr(loading, "load_estimator", load)


@pytest.mark.usefixtures("tiny")
def test_depth_and_sky_of_every_image_are_written_and_no_pose(folder: Path) -> None:
    output = folder.parent / "out"

    assert main(["infer", str(folder), "--output", str(output), "--weights", "random", "--model", "da3mono-large"]) == 0

    written = sorted((output / "camera").glob("*.npz"))
    assert len(written) == 3
    for file in written:
        with np.load(file) as view:
            assert sorted(view) == ["K", "confidence", "depth", "sky"]
            assert view["sky"].shape == view["depth"].shape == (42, 56)
            assert view["sky"].dtype == np.bool_
            np.testing.assert_array_equal(np.isnan(view["depth"]), view["sky"])
            np.testing.assert_array_equal(view["confidence"], ~view["sky"])
    assert {path.name for path in output.iterdir()} == {"camera", "views.png"}


@pytest.mark.usefixtures("tiny")
def test_longer_windows_are_refused_in_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--weights", "random", "--model", "da3mono-large", "--window-size", "4"]

    assert main(["infer", str(folder), *options]) == 1

    assert "da3mono-large sees images one by one: give --window-size 1" in capsys.readouterr().err
