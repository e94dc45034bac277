#!/usr/bin/env python3
# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m da3_ros`, and `ros2 run da3_ros da3_ros`."""

import sys

from da3_ros.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
