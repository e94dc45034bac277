# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where frames come from when no robot sends them: folders, videos, bags and the simulation."""
