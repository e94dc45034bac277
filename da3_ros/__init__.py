# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Geometry from plain cameras: Depth Anything 3 over sliding windows, for ROS 2 and without it."""

import logging
import pkgutil

# Generated messages live in another folder of the same name: one import name, two folders.
__path__ = pkgutil.extend_path(__path__, __name__)

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())
