# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from da3_ros.cli.main import COMMANDS, main
from da3_ros.model.config import usual_resolution


def image_folder(folder: Path, count: int) -> Path:
    folder.mkdir()
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    for index in range(count):
        shifted = np.roll(coarse, index, axis=1)
        cv2.imwrite(str(folder / f"{index}.png"), cv2.resize(shifted, (64, 48), interpolation=cv2.INTER_LINEAR))
    return folder


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])

    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in COMMANDS)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["infer", "/nothing/here", "--weights", "random"], "cannot read '/nothing/here'"),
    (["demo", "--input", "/nothing/here", "--weights", "random"], "cannot read '/nothing/here'"),
])  # fmt: skip
def test_bad_input_ends_with_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1

    printed = capsys.readouterr().err
    assert sentence in printed
    assert len(printed.strip().splitlines()) == 1


@pytest.mark.usefixtures("no_embedded")
@pytest.mark.parametrize("command", [["demo", "--input"], ["infer"]], ids=["demo", "infer"])
def test_real_input_without_any_weights_is_told_where_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    folder = image_folder(tmp_path / "images", 1)

    assert main([*command, str(folder)]) == 1

    printed = capsys.readouterr().err.strip().splitlines()
    assert "embedded weights of da3-nano are missing" in printed[-1]
    assert "depth-anything/DA3-SMALL" in printed[-1]


@pytest.mark.usefixtures("embedded")
def test_infer_without_weights_runs_the_embedded_network_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, output = image_folder(tmp_path / "images", 2), tmp_path / "out"

    assert main(["infer", str(folder), "--output", str(output), "--window-size", "2"]) == 0

    (warning,) = [message for message in caplog.messages if "embedded" in message]
    assert "--model da3-small --allow-download" in warning
    with np.load(min((output / "camera").glob("*.npz"))) as view:
        assert max(view["depth"].shape) == usual_resolution("da3-nano")


def test_unreadable_weights_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = image_folder(tmp_path / "images", 1)

    assert main(["infer", str(folder), "--weights", str(tmp_path / "none.safetensors")]) == 1

    assert "none.safetensors" in capsys.readouterr().err


def test_infer_writes_every_image_trajectory_cloud_and_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = image_folder(tmp_path / "images", 3), tmp_path / "out"
    options = ["--weights", "random", "--resolution", "56", "--window-size", "3", "--window-stride", "1"]

    assert main(["infer", str(folder), "--output", str(output), *options]) == 0

    printed = capsys.readouterr().out
    written = sorted((output / "camera").glob("*.npz"))
    assert f"3 images in, {len(written)} written" in printed
    with np.load(written[0]) as view:
        assert view["depth"].shape == view["confidence"].shape == (42, 56)
        assert view["K"].shape == (3, 3)
        assert view["world_from_camera"].shape == (4, 4)
    lines = (output / "trajectory_camera.txt").read_text().splitlines()
    assert [len(line.split()) for line in lines] == [8] * len(written)
    assert {"cloud.ply", "views.png", "cloud_from_above.png"} <= {file.name for file in output.iterdir()}


def test_demo_without_ros_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    monkeypatch.delitem(sys.modules, "da3_ros.cli.recorder", raising=False)

    assert main(["demo"]) == 1

    (printed,) = capsys.readouterr().err.strip().splitlines()
    assert "cannot be imported" in printed
    assert "make environment && source underlay/activate.sh" in printed


@pytest.mark.slow
def test_demo_reports_the_simulated_rig_with_every_image_accounted_for(tmp_path: Path) -> None:
    options = ["--engine", "oracle", "--seconds", "2", "--resolution", "168"]

    assert main(["demo", *options, "--output", str(tmp_path)]) == 0

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["frames_in"] == summary["frames_sent"] == 63
    assert summary["frames_published"] + sum(summary["dropped"].values()) == 63
    assert summary["frames_published"] > 0
    assert {"views.png", "cloud_from_above.png", "overview.png"} <= {file.name for file in tmp_path.iterdir()}
