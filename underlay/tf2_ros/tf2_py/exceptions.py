# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Why a transform cannot be had. The names are upstream's."""
# ruff: noqa: N818

from __future__ import annotations


class TransformException(Exception):
    """Root of every error of a transform tree."""


class ConnectivityException(TransformException):
    """Both frames are known but no path joins them."""


class LookupException(TransformException):
    """A frame is unknown, or the tree has a loop."""


class ExtrapolationException(TransformException):
    """The path exists but has no data at the time asked for."""


class InvalidArgumentException(TransformException):
    """A frame id is empty or starts with a slash."""


class TimeoutException(TransformException):
    """Waiting took too long."""
