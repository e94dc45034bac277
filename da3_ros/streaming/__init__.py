# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to windows to one continuous trajectory: pure logic, no ROS, no clock, no torch."""
