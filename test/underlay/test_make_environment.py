# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import venv
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
    monkeypatch.setattr(sys, "version_info", Version(3, 12, 0))

    assert "apt-get install python3.12-dev" in refusal(script)


def test_missing_venv_is_refused_with_what_to_install(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "importlib_missing", lambda *_: True)
    monkeypatch.setattr(sys, "version_info", Version(3, 12, 0))

    assert "apt-get install python3.12-venv" in refusal(script)


def move(script: ModuleType, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Let the script believe that it lies there."""
    names = {"ROOT": "", "VENV": ".venv", "BUILD": "build", "INSTALL": "install"}
    for constant, name in names.items():
        monkeypatch.setattr(script, constant, root / name)


def test_environment_is_usable_where_it_was_made_and_not_where_it_was_copied(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    move(script, monkeypatch, tmp_path / "here")
    assert not script.venv_is_usable()
    venv.create(script.VENV)
    (script.VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "pip.py").touch()
    assert script.venv_is_usable()

    shutil.copytree(tmp_path / "here", tmp_path / "there", symlinks=True)
    move(script, monkeypatch, tmp_path / "there")

    assert not script.venv_is_usable()


@pytest.mark.parametrize(("place", "is_kept"), [("here", True), ("there", False)])
def test_what_was_built_at_another_place_is_removed(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, is_kept: bool
) -> None:
    here, now = tmp_path / "here", tmp_path / place
    link = here / "build" / "source" / "da3_ros" / "package.xml"
    link.parent.mkdir(parents=True)
    link.symlink_to(here / "package.xml")
    (here / "install").mkdir()
    (here / "package.xml").touch()
    here.rename(now)
    move(script, monkeypatch, now)

    script.forget_other_place()

    assert (now / "build").exists() == (now / "install").exists() == is_kept
    assert (now / "package.xml").exists()


def test_cmake_paths_are_mended_where_the_path_has_a_space(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    move(script, monkeypatch, tmp_path)
    file = tmp_path / ".venv" / "share" / "messages.cmake"
    file.parent.mkdir(parents=True)
    file.write_text(
        'A "/opt/python/cp311/include/python3.11;/opt/python/cp311/lib/python3.11/site-packages/numpy/_core/include"'
    )
    monkeypatch.setattr(script.subprocess, "check_output", lambda *_, **__: "/my python\n/my numpy\n")

    script.mend_cmake_paths()

    assert file.read_text() == 'A "/my python;/my numpy"'


def test_failed_command_ends_with_the_sentence_given(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="da3_ros: a download failed"):
        script.run([sys.executable, "-c", "raise SystemExit(1)"], "a download failed")


def test_command_that_cannot_be_started_ends_with_the_sentence_given(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)  # so that the folder is as before, afterwards
    tool = tmp_path / "tool"
    tool.write_text("#!/nowhere/python\n")
    tool.chmod(0o755)

    with pytest.raises(SystemExit, match=r"da3_ros: the build failed .*tool could not be started: No such file"):
        script.run([tool], "the build failed")
    with pytest.raises(SystemExit, match=r"da3_ros: .*tool could not be started: No such file"):
        script.run_instead([str(tool)])


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
