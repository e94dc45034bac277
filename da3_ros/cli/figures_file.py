# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Figures as a file that every reader of JSON takes, which has no word for NaN."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_figures(file: Path, content: Mapping[str, Any]) -> None:
    """Write nested mappings, lists, arrays and plain values; NaN and infinity become null."""
    file.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
