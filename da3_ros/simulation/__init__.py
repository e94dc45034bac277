# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Furnished rooms with exact images, depth, rays and poses."""
