# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo asks of its nodes: which engine, which weights, whose images; nothing runs."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest

from da3_ros.cli import demo
from da3_ros.cli.demo_plan import ORACLE_NAME, Plan, make_plan
from da3_ros.cli.main import CommandError
from da3_ros.model.config import usual_resolution


def plan(*words: str) -> Plan:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return make_plan(parser.parse_args(words))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "0.png"), np.zeros((48, 64, 3), np.uint8))
    return str(images)


@pytest.mark.usefixtures("embedded")
def test_embedded_network_answers_a_camera_of_the_simulated_rig_as_a_robot_has_it() -> None:
    made = plan("--seconds", "2")

    assert (made.node["model"], made.node["weights"], made.node["process_resolution"]) == (
        "da3-nano",
        "auto",
        usual_resolution("da3-nano"),
    )
    assert "engine" not in made.node
    assert made.player["static_tf"]
    assert made.node["tf_mode"] == "base"  # the cameras have parents already
    assert made.is_paced
    assert made.truth is not None
    assert (made.node["cameras"], made.player["cameras"]) == (["front"], ["front"])
    assert made.frames == 6  # at 0.0, 0.4, ... 2.0 s
    assert "not for robots" in made.engine
    assert not made.note


@pytest.mark.usefixtures("no_embedded")
def test_oracle_answers_and_says_why_when_the_embedded_weights_are_missing() -> None:
    made = plan()

    assert made.node["engine"] == "oracle"
    assert made.engine == ORACLE_NAME
    assert made.note.startswith("The oracle answers instead of a network: the embedded weights of da3-nano are missing")


def test_oracle_answers_when_it_is_asked_for() -> None:
    made = plan("--engine", "oracle")

    assert (made.node["engine"], made.node["process_resolution"], made.node["tf_mode"]) == ("oracle", 336, "cameras")
    assert made.node["cameras"] == ["front", "left", "right"]
    assert (made.node["window_size"], made.frames) == (4, 363)
    assert not made.player["static_tf"]
    assert not made.is_paced
    assert not made.note


@pytest.mark.usefixtures("embedded")
def test_window_size_is_what_is_asked_for() -> None:
    made = plan("--window-size", "3")

    assert (made.node["window_size"], made.node["window_overlap"]) == (3, 2)


def test_named_weights_answer_the_simulation_too() -> None:
    made = plan("--weights", "random", "--resolution", "252")

    assert (made.node["model"], made.node["weights"], made.node["process_resolution"]) == ("da3-small", "random", 252)
    assert made.truth is not None
    assert "RANDOM" in made.engine


@pytest.mark.usefixtures("embedded")
def test_own_images_need_no_weights(folder: str) -> None:
    made = plan("--input", folder)

    assert (made.node["model"], made.node["process_resolution"], made.node["tf_mode"]) == (
        "da3-nano",
        usual_resolution("da3-nano"),
        "cameras",
    )
    assert made.truth is None
    assert made.frames == 1


@pytest.fixture
def two_cameras(folder: str) -> str:
    for camera in ("left", "right"):
        place = Path(folder) / camera
        place.mkdir()
        for index in range(2):
            cv2.imwrite(str(place / f"{index}.png"), np.zeros((48, 64, 3), np.uint8))
    (Path(folder) / "0.png").unlink()
    return folder


@pytest.mark.usefixtures("embedded")
def test_own_cameras_are_those_that_are_named(two_cameras: str) -> None:
    made = plan("--input", two_cameras, "--cameras", "right")

    assert made.node["cameras"] == made.player["cameras"] == list(made.source.cameras) == ["right"]
    assert made.frames == 2
    assert plan("--input", two_cameras).player["cameras"] == ["left", "right"]


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize("engine", ["network", "oracle"])
def test_simulated_cameras_are_those_that_are_named(engine: str) -> None:
    made = plan("--engine", engine, "--cameras", "left,front")

    assert made.node["cameras"] == made.player["cameras"] == ["left", "front"]


@pytest.mark.parametrize("names", ["", "front,,left", "front,front"])
def test_names_that_are_no_list_are_refused(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plan("--cameras", names)

    assert "is not a list of different names, as in front,left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--engine", "oracle", "--cameras", "rear"], "rear"),
        (["--engine", "oracle", "--weights", "random"], "--engine oracle knows the simulation only"),
        (["--engine", "oracle", "--model", "da3-base"], "--engine oracle knows the simulation only"),
        (["--engine", "oracle", "--input", "images"], "--engine oracle knows the simulation only"),
        (["--model", "da3-tiny"], "unknown model 'da3-tiny'"),
        (["--weights", "nowhere"], "no such file, nor a Hugging Face id"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        plan(*words)
