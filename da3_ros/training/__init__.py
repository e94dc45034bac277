# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a small network is trained with, and how."""
