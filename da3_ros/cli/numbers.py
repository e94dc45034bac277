# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of the command line that must be above zero."""

from __future__ import annotations

import argparse


def positive_int(text: str) -> int:
    """A whole number above zero, for argparse."""
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{number} is not above zero")
    return number


def positive_float(text: str) -> float:
    """A number above zero, for argparse."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{number} is not above zero")
    return number
