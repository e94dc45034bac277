# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros eval accuracy` from the command line to the table, the file of figures and the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from da3_ros.cli import accuracy_findings
from da3_ros.cli.main import main
from da3_ros.evaluation import demo_sequences, room_sequences
from da3_ros.evaluation.known_frames import Image, KnownRig
from da3_ros.evaluation.pose_accuracy import AUC_THRESHOLDS_DEG, benchmark_motions, pose_auc, relative_pose_errors
from da3_ros.evaluation.sequences import load_sequences
from da3_ros.evaluation.streamed import StreamedTrajectory
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.inference import loading
from da3_ros.inference.engine import EngineError
from da3_ros.inference.load_options import LoadOptions
from da3_ros.simulation.room_views import TRAINING_SEEDS, RoomViews
from test.cli.accuracy_command import GAUGE, KNOWING, options, use_network, use_network_that_knows, write_sequence
from test.evaluation.known_room import CAMERA, SIZE, knowing_predict, room_sequence

ROOMS = slice(0, 3)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [write_sequence(tmp_path / name, seed) for name, seed in (("kitchen", 1), ("hall", 2))]


@pytest.fixture
def knowing_network(monkeypatch: pytest.MonkeyPatch, folders: list[Path]) -> None:
    use_network_that_knows(monkeypatch, folders)


@pytest.mark.usefixtures("knowing_network")
def test_network_that_knows_the_truth_is_perfect_in_table_and_file(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"

    given = [*KNOWING, "--windows", "3", "--window-size", "2", "3", "--json", str(file)]
    assert main(options(folders, *given)) == 0

    (row, _) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| da3-small, weights w")]
    assert "100.0" in row
    figures = json.loads(file.read_text())
    assert [one["views"] for one in figures["evaluations"]] == ["2", "3"]
    rows = figures["evaluations"][0]["rows"]
    ours = rows["da3-small, weights w"]
    assert ours["auc"]["3"] == 1.0
    assert ours["depth"]["window"]["abs_rel"] < 1e-6
    assert ours["f_score"] == 1.0
    assert ours["ate_rmse_m"] is None  # two views are no trajectory
    assert set(rows) > {"constant depth", "no motion", "mean depth of the other sequences"}
    assert len(figures["evaluations"][0]["windows"]) == ours["windows"] == 6


@pytest.mark.usefixtures("knowing_network")
def test_page_holds_everything_in_one_file(folders: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"

    main(options(folders, *KNOWING, "--windows", "6", "--html", str(page)))

    text = page.read_text()
    assert "<h1>Accuracy of da3-small, weights w</h1>" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "http" not in text
    assert text.count('class="card"') == 12
    for part in ("From the best to the worst", "kitchen: ", "hall: ", "pose errors", "depth errors", "path of kitchen"):
        assert part in text
    assert text.count("<tr class=first>") == 1  # the network's row


def test_without_a_network_the_other_rows_are_shown(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"

    assert main(options(folders[:1], "--windows", "2", "--html", str(page))) == 0

    printed = capsys.readouterr().out
    assert "SIFT + essential matrix" in printed
    assert "No network: give --weights" in printed
    assert "Accuracy of no network" in page.read_text()


def test_network_with_random_weights_goes_the_whole_way(
    folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options(folders[:1], "--windows", "1", "--weights", "random", "--known-poses")) == 0

    printed = capsys.readouterr().out
    assert "same network, true poses given" in printed
    assert "RANDOM weights: the network's rows prove that the path works and nothing else." in printed
    assert "same network, one view at a time" in printed


@pytest.mark.usefixtures("knowing_network")
def test_known_poses_that_nobody_can_use_are_told(folders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(folders, *KNOWING, "--windows", "1", "--window-size", "1", "--known-poses")) == 0

    assert "No row with known poses" in capsys.readouterr().out


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds of the rooms that were asked for; what is given is not rendered anew."""
    seeds: list[int] = []

    def draw(seed: int) -> RoomViews:
        seeds.append(seed)
        frames = room_sequence(1 + seed % 2).frames
        images, depths = zip(*((frame.read_image(), frame.read_depth()) for frame in frames), strict=True)
        poses = np.stack([frame.world_from_camera for frame in frames])
        overlap = np.ones((len(frames), len(frames)), np.float32)
        return RoomViews(np.stack(images), np.stack(depths), CAMERA, poses, overlap)

    monkeypatch.setattr(room_sequences, "draw_room_views", draw)
    return seeds


def test_rooms_for_validation_are_taken_without_data(
    drawn: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "figures.json"
    use_network(monkeypatch, knowing_predict([room_sequence(1), room_sequence(2)], GAUGE))

    assert main(["eval", "accuracy", "--rooms", "3", "--resolution", "56", *KNOWING, "--json", str(file)]) == 0

    assert drawn == list(room_sequences.VALIDATION_SEEDS[ROOMS])
    (found,) = json.loads(file.read_text())["evaluations"]
    assert found["rows"]["da3-small, weights w"]["windows"] == 3
    assert found["rows"]["da3-small, weights w"]["auc"]["3"] == 1.0


def test_rooms_for_training_are_taken_where_they_are_asked_for_and_said(
    drawn: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_network(monkeypatch, knowing_predict([room_sequence(1), room_sequence(2)], GAUGE))

    assert main(["eval", "accuracy", "--first-room", "7", "--rooms", "3", "--resolution", "56", *KNOWING]) == 0

    assert drawn == [TRAINING_SEEDS[number] for number in (7, 8, 9)]
    assert "On simulated rooms for training, 7 to 9" in " ".join(capsys.readouterr().out.split())


def test_paper_takes_all_frames_of_a_scene_at_once_and_compares_poses_as_the_benchmark(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    sequences = [sequence for folder in folders for sequence in load_sequences(folder)]
    knowing = knowing_predict(sequences, GAUGE)
    turned = rigid(matrix_from_rotation_vector(0.05 * np.random.default_rng(2).normal(size=(6, 3))), np.zeros(3))

    def predict(images: Sequence[Image], cameras: Sequence[PinholeCamera], *poses: npt.ArrayLike | None) -> Prediction:
        answer = knowing(images, cameras, *poses)
        return replace(answer, window_from_camera=answer.window_from_camera @ turned[: len(images)])

    use_network(monkeypatch, predict)

    assert main(options(folders, "--protocol", "paper", *KNOWING, "--json", str(file))) == 0

    assert "compared as the DA3 benchmark's code does it" in capsys.readouterr().out
    (found,) = json.loads(file.read_text())["evaluations"]
    assert found["views"] == "6"
    row = found["rows"]["da3-small, weights w"]
    assert row["windows"] == 2
    assert row["undirected_pairs"] == 0  # no baseline is too short
    true = [np.stack([frame.world_from_camera for frame in sequence.frames]) for sequence in sequences]
    errors = [relative_pose_errors(benchmark_motions(one @ turned), benchmark_motions(one), 0.0) for one in true]
    expected = [np.mean([pose_auc(one.worst_deg, threshold) for one in errors]) for threshold in AUC_THRESHOLDS_DEG]
    assert list(row["auc"].values()) == pytest.approx(expected)
    assert row["translation_median_deg"] == pytest.approx(
        np.median(np.concatenate([one.translation_deg for one in errors]))
    )


@pytest.mark.parametrize(("protocol", "view"), [("paper", "first"), ("windows", "saddle_balanced")])
def test_paper_asks_for_the_benchmarks_reference_view(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch, protocol: str, view: str
) -> None:
    asked: list[LoadOptions] = []

    def refuse(model: str, weights: str, given: LoadOptions) -> NoReturn:
        asked.append(given)
        raise EngineError("that was all")

    monkeypatch.setattr(loading, "load_estimator", refuse)

    assert main(["eval", "accuracy", *KNOWING, "--data", str(folders[0]), "--protocol", protocol]) == 1

    assert [(one.reference_view, one.process_resolution) for one in asked] == [(view, 504)]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--data", "/nothing/here"], "/nothing/here is not there: give the folder of a data set, or a rosbag2"),
        (["--protocol", "paper"], "--protocol paper needs --data"),
        (["--protocol", "paper", "--data", "."], "hf download depth-anything/DA3-SMALL model.safetensors"),
        (["--protocol", "paper", "--data", ".", "--model", "da3-giant"], "hf download depth-anything/DA3-GIANT-1.1"),
        (["--rooms", "100000"], "there are 200 rooms for validation, not 100000"),
        (["--rooms", "9", "--first-room", "1048570"], "there are 6 rooms for training from 1048570 on, not 9"),
        (["--weights", "none.safetensors"], "no such file"),
        (["--known-poses"], "--known-poses needs a network to give them to"),
    ],
)
def test_bad_request_ends_with_one_sentence(more: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "accuracy", *more]) == 1

    assert sentence in capsys.readouterr().err


def spoil_depth(folder: Path) -> None:
    cv2.imwrite(str(folder / "0_depth.png"), np.ones((30, 30), np.uint16))


def spoil_image(folder: Path) -> None:
    cv2.imwrite(str(folder / "0.png"), np.ones((30, 30, 3), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [(spoil_depth, r"depth of 0\.png has the shape \(30, 30\)"), (spoil_image, r"0\.png has 30x30 pixels")],
)
def test_malformed_data_end_with_one_sentence(
    folders: list[Path], capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], sentence: str
) -> None:
    spoil(folders[0])

    assert main(options(folders[:1], "--windows", "1")) == 1

    assert re.search(sentence, capsys.readouterr().err)


def test_windows_that_no_frames_fill_end_with_one_sentence(
    folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options(folders[:1], "--window-size", "50")) == 1

    assert "no window of 50 views that overlap: give a smaller --window-size" in capsys.readouterr().err


def test_stream_without_network_or_sequences_is_refused_before_anything_is_evaluated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["eval", "accuracy", "--stream", "--demo-room"]) == 1
    assert main(["eval", "accuracy", "--stream", *KNOWING]) == 1
    assert capsys.readouterr().err.count("--stream needs a network and sequences") == 2


def test_demo_room_as_a_stream_tells_how_far_its_paths_are_from_the_true_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sequence, file = room_sequence(3), tmp_path / "figures.json"
    monkeypatch.setattr(demo_sequences, "demo_rigs", lambda: iter([KnownRig("all of it", (sequence,))]))
    use_network(monkeypatch, knowing_predict([sequence], GAUGE))

    given = ["--demo-room", "--stream", "--resolution", str(max(SIZE)), "--windows", "2", "--json", str(file)]
    assert main(["eval", "accuracy", *KNOWING, *given]) == 0

    frames = len(sequence.frames)
    assert f"| {sequence.name} | {frames} of {frames} |" in re.sub(" +", " ", capsys.readouterr().out)
    told = json.loads(file.read_text())["trajectories"]
    assert [one["sequence"] for one in told] == [sequence.name, "all of it"]
    assert max(one["ate_share"] for one in told) < 1e-4


def test_file_of_figures_is_json_when_a_stream_cannot_be_aligned(
    monkeypatch: pytest.MonkeyPatch, folders: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    use_network_that_knows(monkeypatch, folders)
    straight = StreamedTrajectory("line", 6, 6, 1.5, float("nan"), float("nan"))
    monkeypatch.setattr(accuracy_findings, "streamed", lambda *_: straight)

    assert main(options(folders[:1], *KNOWING, "--windows", "1", "--stream", "--json", str(file))) == 0

    def refuse(word: str) -> NoReturn:
        raise AssertionError(f"{word} is no JSON")

    (told,) = json.loads(file.read_text(), parse_constant=refuse)["trajectories"]
    assert told["ate_rmse_m"] is None
    assert told["length_m"] == 1.5
