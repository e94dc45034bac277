# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures for every test: where the shared data lie, and quiet, repeatable torch."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: a red test can be looked at again.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

EMBEDDED_SEED = 4
SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared_folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"NOT RUN: {folder} is missing; this test needs the shared {name}")
    return folder


@pytest.fixture(scope="session")
def _embedded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from da3_ros.model.build import build_network
    from da3_ros.model.checkpoint import save_weights
    from da3_ros.model.network import Da3Network
    from da3_ros.model.weights import EMBEDDED, calm, fill_with_noise, open_field_of_view

    network = build_network("da3-nano")
    assert isinstance(network, Da3Network)
    fill_with_noise(network, EMBEDDED_SEED)
    open_field_of_view(network.camera_decoder.field_of_view)
    calm(network)
    folder = tmp_path_factory.mktemp("weights")
    save_weights(network, folder / EMBEDDED["da3-nano"], about={"model": "da3-nano"})
    return folder


@pytest.fixture
def embedded(_embedded_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of weights that stand in for the embedded ones: random, with every parameter of its own."""
    monkeypatch.setattr("da3_ros.model.weights.EMBEDDED_FOLDER", _embedded_folder)
    return _embedded_folder


@pytest.fixture
def no_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that lacks the embedded weights."""
    monkeypatch.setattr("da3_ros.model.weights.EMBEDDED_FOLDER", tmp_path / "no_weights")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real sequences and bags."""
    return _shared_folder("data")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Folder of reference network outputs."""
    return _shared_folder("golden")
