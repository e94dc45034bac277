# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from pathlib import Path

from da3_ros.nodes.camera_outputs import TOPICS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_every_file_that_the_readme_links_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]

    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)", README)) - {"and"}

    assert named >= {"demo", "test"}
    assert named <= targets


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in README
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")


def test_every_topic_of_a_camera_is_in_the_readme() -> None:
    assert [topic for topic in TOPICS if f"`<cam>/{topic}`" not in README] == []
