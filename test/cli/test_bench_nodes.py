# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Short runs of the benchmarks that start real nodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="NOT RUN: no ROS 2 here; run `make test`")

from da3_ros.cli.main import main


@pytest.mark.slow
def test_ros_bench_counts_every_image_and_every_topic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"

    assert main(["bench", "ros", "--frames", "20", "--json", str(file)]) == 0

    table = json.loads(file.read_text())["tables"]["ros"]
    assert table["images"] >= 20
    assert len(table["received"]) == 5
    assert {row["figure"] for row in table["rows"]} >= {"processor time of the process", "without the resizing"}
    assert "processor time of the process" in capsys.readouterr().out


@pytest.mark.slow
def test_end_to_end_bench_accounts_for_every_image_and_knows_every_stage(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ["--resolution", "56", "--frames", "20", "--warm-up", "2", "--window-size", "2", "--threads", "1"]

    assert main(["bench", "end-to-end", *options, "--json", str(file)]) == 0

    tables = json.loads(file.read_text())["tables"]
    stages = {row["stage"]: row for row in tables["latency"]["rows"]}
    assert {"from stamp to publication", "waiting for the engine", "engine", "alignment", "publishing"} <= set(stages)
    assert all(row["p50_ms"] <= row["p95_ms"] for row in stages.values())
    account = {row["figure"]: row["value"] for row in tables["account"]["rows"]}
    done = sum(value for name, value in account.items() if name.startswith(("images published", "images dropped")))
    assert done >= 20
    assert account["windows"] > 0


@pytest.mark.slow
def test_soak_of_a_real_node_samples_its_memory(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ["--minutes", "0.1", "--warm-up", "0", "--period", "0.5", "--threads", "1"]

    main(["bench", "soak", "--graph", *options, "--json", str(file)])

    samples = json.loads(file.read_text())["tables"]["soak"]["samples"]
    assert len(samples) >= 5
    assert samples[-1][1] > 50
