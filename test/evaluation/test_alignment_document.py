# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/alignment.md are of the scenarios that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from da3_ros.evaluation.scenarios import CONSISTENCY, SCENARIOS, Scenario, recorded_scenario

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "alignment.md").read_text()
RECORDED = [recorded_scenario(Path(name)) for name in ("hololens_indoor", "livingroom1_redwood")]


@pytest.mark.parametrize(
    ("marker", "scenarios"), [("scenarios", [*SCENARIOS, *RECORDED]), ("consistency", list(CONSISTENCY))]
)
def test_table_has_a_row_for_every_scenario(marker: str, scenarios: list[Scenario]) -> None:
    found = re.search(rf"<!-- {marker} -->\n(.*?)<!-- end of {marker} -->", TEXT, re.DOTALL)

    assert found
    rows = [line.split("|")[1].strip() for line in found[1].splitlines() if line.startswith("| ")]
    assert list(dict.fromkeys(row for row in rows if row != "scenario")) == [scenario.title for scenario in scenarios]
