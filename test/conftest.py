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

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared_folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"NOT RUN: {folder} is missing; this test needs the shared {name}")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real sequences and bags."""
    return _shared_folder("data")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Folder of reference network outputs."""
    return _shared_folder("golden")
