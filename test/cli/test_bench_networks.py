# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny runs of the benchmarks that need networks; what they measure is looked at, how long it takes is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from da3_ros.cli.bench_model import ModelBench, measure_model
from da3_ros.cli.bench_rays import measure_rays
from da3_ros.cli.bench_stream import StreamBench, measure_stream
from da3_ros.cli.main import main
from da3_ros.cli.network_calls import NetworkOptions, Precision, make_images
from da3_ros.cli.network_peak import measure_peaks
from da3_ros.cli.published_package import PublishedPackageError, check_installed
from da3_ros.cli.soak_pipeline import TINY

FP32 = Precision("fp32", "fp32")
BF16 = Precision("bf16", "bf16")
SIZE = (28, 42)
# As wide as the published one, which has no other, but half as deep.
SHORT: dict[str, Any] = {"depth": 6, "alternation_start": 2, "tapped_blocks": (2, 3, 4, 5)}


def require_published() -> None:
    try:
        check_installed()
    except PublishedPackageError as error:
        pytest.skip(f"NOT RUN: {error}")


def test_model_bench_without_the_published_package_says_so_and_compares_with_ours() -> None:
    bench = ModelBench(NetworkOptions(overrides=TINY), 2, SIZE, rounds=2, precisions=(FP32, BF16), published=False)

    (table,) = measure_model(bench).tables

    assert [row["what"] for row in table.rows] == ["da3_ros, fp32", "da3_ros, bf16"]
    assert "left out" in table.notes[-1]
    assert 0 < float(table.rows[1]["depth_difference"] or 0) < 0.1
    assert len(table.details["times_ms"]["da3_ros, bf16"]) == 2


def test_missing_package_is_told_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "depth_anything_3", None)
    bench = ModelBench(NetworkOptions(overrides=TINY), 1, SIZE, rounds=1, precisions=(FP32,))

    (table,) = measure_model(bench).tables

    assert table.notes[-1].startswith("ONLY OURS: ")
    assert "pip install --no-deps depth-anything-3" in table.notes[-1]


def test_model_bench_finds_both_networks_equal_on_the_same_weights() -> None:
    require_published()
    bench = ModelBench(NetworkOptions(overrides=SHORT), 3, SIZE, rounds=1, precisions=(FP32,))

    (table,) = measure_model(bench).tables

    ours, theirs, their_bf16 = table.rows
    assert theirs["what"] == "published, fp32"
    assert theirs["speedup"] == 1.0
    assert float(ours["depth_error"] or 1) < 1e-5
    assert float(ours["pose_error"] or 1) < 1e-5
    assert float(their_bf16["depth_difference"] or 0) > 1e-5


def test_published_network_of_another_width_is_refused() -> None:
    require_published()

    with pytest.raises(PublishedPackageError, match="384 channels, not 64"):
        measure_model(ModelBench(NetworkOptions(overrides=TINY), 1, SIZE, rounds=1))


def test_stream_bench_finds_cached_windows_equal_to_uncached_ones() -> None:
    network = NetworkOptions(overrides=TINY)
    bench = StreamBench(network, 4, 2, 2, SIZE, windows=2, warm_up=1, precisions=(FP32, BF16), published=False)

    (table,) = measure_stream(bench).tables

    assert [row["what"] for row in table.rows[:2]] == ["da3_ros, fp32, cached", "da3_ros, fp32"]
    assert float(table.rows[0]["error_of_cache"] or 0) <= 1e-5
    assert len(table.details["times_ms"]["da3_ros, fp32"]) == 2
    assert bench.sets == 8


def test_stream_bench_stands_beside_the_published_package() -> None:
    require_published()
    bench = StreamBench(NetworkOptions(overrides=SHORT), 2, 1, 1, SIZE, windows=1, warm_up=1, precisions=(FP32,))

    (table,) = measure_stream(bench).tables

    assert [row["what"] for row in table.rows[2:]] == ["published, fp32", "published, bf16 autocast"]
    assert float(table.rows[0]["depth_difference"] or 1) < 1e-5


def test_cameras_of_ray_maps_are_near_the_truth() -> None:
    table = measure_rays((56, 84), views=2, missing="left out")

    (ours,) = table.rows
    assert float(ours["rotation_error_deg"] or 90) < 1.0
    assert float(ours["focal_error_percent"] or 100) < 1.0
    assert table.notes[-1] == "left out"


def test_peak_memory_is_that_of_a_process_of_its_own() -> None:
    table = measure_peaks(NetworkOptions(overrides=TINY), 1, SIZE, (FP32,), missing="left out")

    (ours,) = table.rows
    assert 50 < float(ours["peak_rss_mb"] or 0) < 2000
    assert "rss_ratio" not in ours


def test_made_images_differ_from_view_to_view_and_are_the_same_again() -> None:
    images = make_images(3, SIZE)

    assert images.shape == (3, *SIZE, 3)
    assert not np.array_equal(images[0], images[1])
    assert np.array_equal(images, make_images(3, SIZE))


def test_onnx_file_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason="NOT RUN: pip install onnxruntime")
    options = ["--onnx", str(tmp_path / "none.onnx"), "--views", "1", "--size", "28x42", "--only-ours"]

    assert main(["bench", "model", *options]) == 1

    assert "none.onnx" in capsys.readouterr().err


def test_soak_writes_samples_and_curve_and_says_whether_memory_is_flat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, samples = tmp_path / "soak.json", tmp_path / "soak.csv"
    run = ["--minutes", "0.1", "--warm-up", "0.02", "--period", "0.2", "--rate", "100"]

    status = main(["bench", "soak", *run, "--json", str(written), "--csv", str(samples)])

    content = json.loads(written.read_text())
    soak = content["tables"]["soak"]
    assert "flat within 1%" in capsys.readouterr().out
    assert status == (0 if soak["is_flat"] else 1)
    assert bool(content["failure"]) != soak["is_flat"]
    lines = samples.read_text().splitlines()
    assert lines[0] == "seconds,resident_mb,windows"
    assert len(lines) == len(soak["samples"]) + 1 > 10
    assert soak["samples"][-1][2] > 0
