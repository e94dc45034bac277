# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The options that choose a network, alike in every command that runs one."""

from __future__ import annotations

import argparse


def add_network_options(parser: argparse.ArgumentParser, weights_required: bool) -> None:
    """--model, --weights and what the weights need."""
    parser.add_argument(
        "--weights",
        required=weights_required,
        default="",
        help="'auto' (the official ones of the model), a safetensors or exported .onnx file, a Hugging Face id, or "
        "'random' for tests",
    )
    parser.add_argument("--model", default="da3-small", help="architecture of the network (default: da3-small)")
    parser.add_argument("--allow-download", action="store_true", help="download weights that are not cached yet")
    parser.add_argument("--accept-noncommercial-license", action="store_true", help="for weights that need it")


def engine_name(arguments: argparse.Namespace) -> str:
    """What answers, in words; meaningless depth is called so."""
    if arguments.weights == "random":
        return f"{arguments.model}, RANDOM weights: depth means nothing"
    return f"{arguments.model}, weights {arguments.weights}"
