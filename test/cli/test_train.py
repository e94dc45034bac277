# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import yaml

from da3_ros.cli import train, training_process
from da3_ros.cli.main import main
from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.training.config import config_from
from da3_ros.training.loop import StepReport
from test.model.tiny import TINY, TINY_MONOCULAR
from test.training.rooms import SIZE, write_rooms

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = str(ROOT / "da3_ros" / "weights" / "da3-nano.safetensors")


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    write_rooms(tmp_path / "rooms")
    return write_config(tmp_path, steps=40)


def write_config(folder: Path, steps: int, **others: object) -> list[str]:
    tiny = {name: list(value) if isinstance(value, tuple) else value for name, value in TINY.items()}
    stage = {"steps": steps, "sizes": [list(SIZE)], "views_per_step": 6, "warm_up": 2}
    content = {"model": "da3-small", "overrides": tiny, "rooms": 3, "validate_every": 0, "stages": [stage], **others}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    options = ["--out", str(folder / "out"), "--rooms", str(folder / "rooms"), "--no-render"]
    return ["train", str(folder / "config.yaml"), *options]


def test_training_writes_state_log_curves_and_a_checkpoint_that_loads(command: list[str], tmp_path: Path) -> None:
    assert main(command) == 0

    out = tmp_path / "out"
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [20, 40]
    assert (out / "curves.png").stat().st_size > 10_000
    network = build_network("da3-small", **TINY)
    load_weights(network, out / "model.safetensors")


def test_training_goes_on_where_it_was_stopped(command: list[str], tmp_path: Path) -> None:
    assert main(write_config(tmp_path, steps=20)) == 0
    assert main(write_config(tmp_path, steps=40)) == 0
    halves = (tmp_path / "out" / "state.safetensors").read_bytes()
    for file in (tmp_path / "out").iterdir():
        file.unlink()

    assert main(command) == 0
    assert (tmp_path / "out" / "state.safetensors").read_bytes() == halves


def test_interrupted_training_ends_after_its_step_and_loses_nothing(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = training_process._Kept.note

    def press(kept: training_process._Kept, report: StepReport) -> None:
        note(kept, report)
        if report.step == 7:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training_process._Kept, "note", press)
    before = signal.getsignal(signal.SIGINT)

    assert main(command) == 0

    entries = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [7]
    assert (tmp_path / "out" / "curves.png").exists()
    assert signal.getsignal(signal.SIGINT) is before
    assert main(command) == 0
    entries = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [7, 27, 40]


@pytest.mark.parametrize("variant", ["", "separate_heads", "all_global"])
def test_validation_is_of_the_network_that_is_trained(variant: str, tmp_path: Path) -> None:
    write_rooms(tmp_path / "rooms")
    given = {"validate_every": 2, "validation_rooms": 2, "variant": variant}

    assert main(write_config(tmp_path, steps=2, **given)) == 0

    *_, entry = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert 0 < entry["validation"]["AbsRel"] < 3
    assert 0 < entry["validation"]["rotation by rays, deg"] < 180
    assert (tmp_path / "out" / "model.safetensors").exists() == (not variant)  # a variant's would load into nothing


def test_teacher_is_trained_and_then_labels_for_a_student(command: list[str], tmp_path: Path) -> None:
    tiny = {name: list(value) if isinstance(value, tuple) else value for name, value in TINY_MONOCULAR.items()}
    assert main(write_config(tmp_path, steps=3, model="da3mono-large", overrides=tiny)) == 0
    teacher = (tmp_path / "out").rename(tmp_path / "teacher") / "state.safetensors"

    told = {"teacher": str(teacher), "teacher_overrides": tiny, "known_share": 0.3}
    assert main(write_config(tmp_path, steps=2, **told)) == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("model: da3-nano", "stages: a list is needed"),
        ("- 1", "a mapping is needed"),
        ("model: [", "while parsing"),
        ("{model: da3-nano, stages: [{steps: 1, sizes: [[28, 28]]}]}", "say how many random rooms"),
    ],
)
def test_bad_config_is_one_sentence(
    content: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(content)

    assert main(["train", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "out")]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.slow
def test_failure_of_a_process_is_one_sentence_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*write_config(tmp_path, steps=2), "--processes", "2"]) == 1  # there are no rooms
    assert capsys.readouterr().err.strip().endswith(f"there are no shards in {tmp_path}/rooms: render some")


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ({}, ["--processes", "4"], "2 windows cannot be shared by 4 processes"),
        ({}, ["--device", "tpu"], "device 'tpu' does not exist"),
        ({"validate_every": 2, "validation_rooms": 201}, [], "validation_rooms: there are 200"),
        ({"teacher": "nowhere", "known_share": 0.5}, [], "teacher: nowhere is not there: train it first"),
        ({"begin_with": "nowhere.safetensors"}, [], "nowhere.safetensors"),
        ({"begin_with": EMBEDDED}, [], "da3-nano.safetensors"),
        ({"overrides": {"width": 3}}, [], "overrides of da3-small"),
        ({"variant": "none"}, [], "unknown variant 'none'"),
    ],
)
def test_what_would_fail_later_is_refused_before_rooms_are_rendered(
    given: dict[str, object],
    options: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = [word for word in write_config(tmp_path, steps=2, **given) if word != "--no-render"]
    monkeypatch.setattr(train, "_render", lambda *_: pytest.fail("rendered"))

    assert main([*command, *options]) == 1
    assert sentence in capsys.readouterr().err


def test_state_of_another_training_is_not_gone_on_from(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(write_config(tmp_path, steps=2)) == 0
    assert main(write_config(tmp_path, steps=3, variant="all_global")) == 1
    assert "is of a training whose variant is '', not 'all_global'" in capsys.readouterr().err


def test_student_refuses_a_teacher_of_other_overrides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rooms(tmp_path / "rooms")
    assert main(write_config(tmp_path, steps=2)) == 0
    other = (tmp_path / "out").rename(tmp_path / "other") / "state.safetensors"

    assert main(write_config(tmp_path, steps=2, teacher=str(other), known_share=0.3)) == 1
    assert "is of a training whose model is 'da3-small', not 'da3mono-large'" in capsys.readouterr().err


def test_folder_without_rooms_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(write_config(tmp_path, steps=2)) == 1
    assert "there are no shards in" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "training").rglob("*.yaml")), ids=lambda path: path.stem)
def test_configs_that_ship_are_whole(path: Path) -> None:
    config = config_from(yaml.safe_load(path.read_text()))

    assert config.rooms

    network = build_network(config.model, **config.overrides)
    assert network.config.name == config.model
