# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The networks by name and kind, as parameters speak of them."""

# The architectures of `model.config`, which this layer does not import; a test holds the two against each other.
ANY_VIEW_MODELS = ("da3-nano", "da3-small", "da3-base", "da3-large", "da3-giant")
NESTED_MODEL = "da3nested-giant-large"
METRIC_MODEL = "da3metric-large"
MONOCULAR_MODELS = ("da3mono-large", METRIC_MODEL)
AUTO_MODEL = "auto"  # the weights say which one it is
MODELS = (*ANY_VIEW_MODELS, *MONOCULAR_MODELS, NESTED_MODEL)
