# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The options that choose a network, alike in every command that runs one."""

from __future__ import annotations

import argparse
from pathlib import Path

from da3_ros.model.config import RESOLUTION, usual_resolution

AUTO = "auto"
RESOLUTIONS = f"{RESOLUTION}; da3-nano {usual_resolution('da3-nano')}"  # of networks, in words


def add_network_options(parser: argparse.ArgumentParser, default_weights: str = AUTO) -> None:
    """--model, --weights and what the weights need; weights that are empty by default mean that no network runs."""
    parser.add_argument(
        "--weights",
        default=default_weights,
        help="'auto' (the official ones of the model; the embedded ones of da3-nano), a safetensors or exported .onnx "
        f"file, a Hugging Face id, or 'random' for tests (default: {default_weights or 'none'})",
    )
    parser.add_argument(
        "--model",
        default=AUTO,
        help="architecture of the network; auto takes the one that the weights are for, and with weights auto the "
        "embedded da3-nano (default: auto)",
    )
    parser.add_argument("--allow-download", action="store_true", help="download weights that are not cached yet")
    parser.add_argument("--accept-noncommercial-license", action="store_true", help="for weights that need it")


def settle_model(arguments: argparse.Namespace) -> None:
    """Name the model where it is `auto`.

    Raises:
        ValueError: when there is no such model, or the weights do not say which one they are for.
    """
    from da3_ros.inference.model_choice import choose_model

    arguments.model = choose_model(arguments.model, arguments.weights)


def engine_name(arguments: argparse.Namespace) -> str:
    """What answers, in words, once the model is settled; meaningless depth is called so."""
    from da3_ros.model.weights import EMBEDDED, EMBEDDED_MEANING

    if arguments.weights == "random":
        return f"{arguments.model}, RANDOM weights: depth means nothing"
    if arguments.weights == AUTO and arguments.model in EMBEDDED:
        return f"{arguments.model}, {EMBEDDED_MEANING}"
    place = Path(arguments.weights)  # a Hugging Face id has two parts, and of a path the last two tell it apart
    return f"{arguments.model}, weights {'/'.join(place.parts[-2:])}"
