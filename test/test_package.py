# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The package as others see it: one version, valid manifests, and an installed tree that is complete and not stale."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

import da3_ros
from da3_ros.model.weights import EMBEDDED, EMBEDDED_FOLDER, EMBEDDED_MEANING

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "da3_ros"
MOST_WEIGHT_BYTES = 12_000_000
INSTALL = ROOT / "install"
EXECUTABLES = {
    "da3_ros": "da3_ros/__main__.py",
    "da3_node": "da3_ros/nodes/da3_node.py",
    "image_source_node": "da3_ros/nodes/image_source_node.py",
}


@pytest.fixture
def installed() -> Path:
    if not (INSTALL / "share" / "da3_ros").is_dir():
        pytest.skip(f"NOT RUN: {INSTALL} holds no build of da3_ros; run `make test`")
    return INSTALL


def setup_argument(name: str) -> object:
    tree = ast.parse((ROOT / "setup.py").read_text())
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "setup")
    return ast.literal_eval(next(keyword.value for keyword in call.keywords if keyword.arg == name))


def names(requirements: list[str]) -> set[str]:
    """Distributions of a requirement list, without versions and extras."""
    return {re.split(r"[\s<>=!~\[;]", line, maxsplit=1)[0].lower() for line in requirements}


def test_manifest_is_valid() -> None:
    catkin_package = pytest.importorskip("catkin_pkg.package", reason="NOT RUN: catkin_pkg checks package.xml")

    package = catkin_package.parse_package(str(ROOT / "package.xml"))

    package.validate()
    assert package.get_build_type() == "ament_cmake"


def test_version_is_the_same_everywhere() -> None:
    manifest = re.search("<version>(.*)</version>", (ROOT / "package.xml").read_text())
    newest = re.search(r"^(\d+\.\d+\.\d+) \(", (ROOT / "CHANGELOG.rst").read_text(), re.MULTILINE)

    assert manifest
    assert newest
    assert manifest[1] == setup_argument("version") == newest[1] == da3_ros.__version__


def test_environment_installs_what_setup_requires() -> None:
    lines = [line.strip() for line in (ROOT / "underlay" / "requirements.txt").read_text().splitlines()]
    pinned = names([line for line in lines if line and not line.startswith("#")])
    required, extras = setup_argument("install_requires"), setup_argument("extras_require")

    assert isinstance(required, list)
    assert isinstance(extras, dict)
    assert names([*required, *extras["test"]]) <= pinned


def test_every_data_file_of_the_package_is_installed_by_setup_too() -> None:
    package_data = setup_argument("package_data")
    assert isinstance(package_data, dict)
    listed = {file for pattern in package_data["da3_ros"] for file in PACKAGE.glob(pattern)}
    folders = [folder for folder in PACKAGE.iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    data = {file for folder in folders for file in folder.iterdir() if file.is_file() and file.suffix != ".py"}

    assert "weights/*" in package_data["da3_ros"]
    assert data <= listed


def test_embedded_weights_are_small_and_come_with_their_card() -> None:
    card = (EMBEDDED_FOLDER / "README.md").read_text().lower()

    assert all((EMBEDDED_FOLDER / name).stat().st_size <= MOST_WEIGHT_BYTES for name in EMBEDDED.values())
    assert all(words in card.splitlines()[0] for words in EMBEDDED_MEANING.split("; "))


@pytest.mark.parametrize("executable", sorted(EXECUTABLES))
def test_installed_executable_is_todays_source(installed: Path, executable: str) -> None:
    file = installed / "lib" / "da3_ros" / executable

    assert os.access(file, os.X_OK)
    assert file.read_text() == (ROOT / EXECUTABLES[executable]).read_text()


def test_installed_python_finds_the_embedded_weights(installed: Path) -> None:
    (package,) = installed.glob("lib/python3.*/site-packages/da3_ros")
    ours = {file.name: file.read_bytes() for file in EMBEDDED_FOLDER.glob("*")}

    assert {file.name: file.read_bytes() for file in (package / "weights").glob("*")} == ours


@pytest.mark.parametrize("folder", ["launch", "config"])
def test_installed_share_holds_the_folder_whole(installed: Path, folder: str) -> None:
    def content(of: Path) -> dict[str, str]:
        return {
            str(file.relative_to(of)): file.read_text()
            for file in of.rglob("*.*")
            if "__pycache__" not in file.parts and file.is_file()
        }

    assert content(installed / "share" / "da3_ros" / folder) == content(ROOT / folder)


def test_installed_share_holds_messages_and_manifest(installed: Path) -> None:
    share = installed / "share" / "da3_ros"

    for name in ("package.xml", "msg/RigEstimate.msg", "msg/WindowStatus.msg"):
        assert (share / name).read_text() == (ROOT / name).read_text()


def test_installed_python_is_ours_and_not_stale(installed: Path) -> None:
    (package,) = installed.glob("lib/python3.*/site-packages/da3_ros")
    generated = {"msg"}
    theirs = [file for file in package.rglob("*.py") if file.relative_to(package).parts[0] not in generated]
    stale = [
        str(file.relative_to(package))
        for file in theirs
        if not file.exists() or file.read_text() != (ROOT / "da3_ros" / file.relative_to(package)).read_text()
    ]

    assert package / "__init__.py" in theirs
    assert not stale, "build anew: `rm -r install build`, then `make test`"
