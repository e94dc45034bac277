# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the answers are measured with: data sets and, against their truth, metrics."""
