# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The da3_ros command: one parser, one module per sub-command; heavy imports only for the command that runs."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys

from da3_ros import __version__

COMMANDS = {
    "infer": "depth, clouds and camera poses of a folder, a video or a bag, without ROS",
    "demo": "run the nodes on the simulated rig or on your own images, and report",
    "bench": "measure what it costs on this machine",
    "export": "write the network to a file for ONNX Runtime",
    "train": "train a network on rendered rooms",
    "eval": "measure accuracy, and prove trajectory, scale, covariance and rendering where truth is known",
}


class CommandError(Exception):
    """The command cannot go on; its text is one sentence for the user."""


def main(arguments: list[str] | None = None) -> int:
    """Parse and run; return the exit status."""
    parser = argparse.ArgumentParser(prog="da3_ros", description="Geometry from plain cameras with Depth Anything 3.")
    parser.add_argument("--version", action="version", version=f"da3_ros {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"da3_ros.cli.{name}")
        module.add_arguments(commands.add_parser(name, help=summary, description=module.__doc__))
    words = sys.argv[1:] if arguments is None else arguments
    given = parser.parse_args(words, argparse.Namespace(words=words))
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return int(importlib.import_module(f"da3_ros.cli.{given.command}").run(given))
    except (CommandError, OSError) as error:
        print(f"da3_ros {given.command}: {_as_options(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _as_options(sentence: str) -> str:
    """Parameters of the node are options here."""
    for name in ("allow_download", "accept_noncommercial_license"):
        option = "--" + name.replace("_", "-")
        sentence = sentence.replace(f"set {name} to true", f"give {option}").replace(name, option)
    return sentence
