# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
Version = namedtuple("Version", "major minor micro")


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_environment", ROOT / "underlay" / "make_environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refusal(script: ModuleType) -> str:
    with pytest.raises(SystemExit) as stopped:
        script.check_machine()
    return str(stopped.value)


def test_machine_of_these_tests_is_accepted(script: ModuleType) -> None:
    script.check_machine()


def test_other_python_is_refused_with_what_to_run(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", Version(3, 9, 0))

    sentence = refusal(script)

    assert "Python 3.9 found" in sentence
    assert "make PYTHON=python3.11" in sentence
    assert "\n" not in sentence


def test_missing_compiler_is_refused_with_what_to_install(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "apt-get install g++" in refusal(script)


def test_missing_headers_are_refused_with_what_to_install(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script.sysconfig, "get_paths", lambda: {"include": "/nowhere"})

    assert "apt-get install python3-dev" in refusal(script)


def test_failed_command_ends_with_the_sentence_given(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="da3_ros: a download failed"):
        script.run([sys.executable, "-c", "raise SystemExit(1)"], "a download failed")


def test_step_runs_again_only_when_what_it_reads_has_changed(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(script, "fingerprint", lambda files: "".join(file.read_text() for file in files))
    source, stamp, runs = tmp_path / "source", tmp_path / "made" / "stamp", []
    for content in ("a", "a", "b", "b"):
        source.write_text(content)
        script.once("things", [source], stamp, lambda: runs.append(1))

    assert len(runs) == 2


def test_step_that_failed_runs_again(script: ModuleType, tmp_path: Path) -> None:
    stamp, runs = tmp_path / "stamp", []

    def fail() -> None:
        runs.append(1)
        script.stop("no")

    for _ in range(2):
        with pytest.raises(SystemExit):
            script.once("things", [], stamp, fail)

    assert len(runs) == 2


def test_variables_can_be_taken_over_by_a_shell() -> None:
    command = [sys.executable, str(ROOT / "underlay" / "make_environment.py"), "--print-variables"]

    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert all(line.startswith("export ") for line in printed.splitlines())
    assert "AMENT_PREFIX_PATH=" in printed
