# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The errors that callers may want to tell apart."""


class DegenerateGeometryError(ValueError):
    """The data do not determine the answer: too few points, no spread, no motion."""


class FrameError(ValueError):
    """One input frame cannot be used; `cause` is the stable word under which it is counted."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause
