# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 nodes: wiring only."""
