# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which model runs, from what a user says of model and weights: the one place where `auto` is decided."""

from __future__ import annotations

from typing import Final

from da3_ros.inference.onnx_file import is_onnx_file, read_contents
from da3_ros.model.checkpoint import WeightsError
from da3_ros.model.config import architecture
from da3_ros.model.recognition import model_of_checkpoint
from da3_ros.model.weights import AUTO, OFFICIAL, RANDOM, local_file

DEFAULT_MODEL: Final = "da3-nano"  # its weights come with the package
RANDOM_MODEL: Final = "da3-small"


def choose_model(model: str, weights: str) -> str:
    """The model that is meant, a key of `model.config.ARCHITECTURES`.

    Args:
        model: such a key, which stays as it is; or `auto`: then the weights say which one.
        weights: as `model.weights.initialise` takes them, or the path of an ONNX file. `auto` beside the model `auto`
            means the embedded model.

    Raises:
        ValueError: if there is no such model, or (as `WeightsError`) the weights do not say which one they are for.
    """
    if model != AUTO:
        return architecture(model).name
    if weights == AUTO:
        return DEFAULT_MODEL
    if weights == RANDOM:
        return RANDOM_MODEL
    if weights in OFFICIAL:
        return OFFICIAL[weights]
    path = local_file(weights)
    if path is None:
        raise WeightsError(f"which model {weights} holds is not known before it is here: name the model")
    return read_contents(path).model if is_onnx_file(str(path)) else model_of_checkpoint(path)
