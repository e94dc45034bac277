# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A tiny network, and its ONNX files: each is exported once, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from da3_ros.inference.onnx_export import export_onnx
from da3_ros.inference.onnx_file import OnnxContents
from da3_ros.model.build import build_network
from da3_ros.model.network import Da3Network
from da3_ros.model.weights import randomise

Exporter = Callable[..., Path]
CONTENTS = OnnxContents(
    model="da3-small",
    views=3,
    size=(42, 56),
    reference_view="saddle_balanced",
    rays=False,
    precision="fp32",
    weights="random",
    da3_ros="0.1.0",
)


@pytest.fixture(scope="session")
def small_network() -> Da3Network:
    tiny = build_network(
        "da3-small",
        dim=32,
        depth=5,
        heads=2,
        alternation_start=1,
        tapped_blocks=(1, 2, 3, 4),
        head_features=16,
        head_channels=(8, 8, 16, 16),
        camera_heads=2,
        camera_depth=1,
    )
    randomise(tiny, seed=3)
    return tiny


@pytest.fixture(scope="session")
def exported(small_network: Da3Network, tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Path of a file with `CONTENTS` changed as told."""
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package, reason=f"NOT RUN: no {package} here: pip install -e .[test]")
    folder = tmp_path_factory.mktemp("onnx")
    made: dict[OnnxContents, Path] = {}

    def path_of(**changes: object) -> Path:
        contents = replace(CONTENTS, **changes)  # type: ignore[arg-type]
        if contents not in made:
            path = folder / f"{len(made)}.onnx"
            export_onnx(small_network, path, contents)
            made[contents] = path
        return made[contents]

    return path_of
