# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images in, Prediction out: the one crossing between torch and numpy."""
