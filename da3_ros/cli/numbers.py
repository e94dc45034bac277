# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of the command line, with their bounds."""

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


def not_negative_int(text: str) -> int:
    """A whole number, zero or above, for argparse."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below zero")
    return number


def not_negative_float(text: str) -> float:
    """A number, zero or above, for argparse."""
    number = float(text)
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{number} is below zero")
    return number


def image_size(text: str) -> tuple[int, int]:
    """(H, W) from `HxW`, whole patches of 14 pixels, for argparse."""
    height, _, width = text.lower().partition("x")
    size = int(height), int(width)
    if min(size) <= 0 or size[0] % 14 or size[1] % 14:
        raise argparse.ArgumentTypeError(f"'{text}' is not HxW in multiples of 14, as in 280x504")
    return size
