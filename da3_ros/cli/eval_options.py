# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which options of `da3_ros eval` are about which proof; what cannot be meant is refused before anything runs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from da3_ros.cli.main import CommandError

_STREAMS = ("scenarios", "consistency")
_NETWORKS = ("rendering", "accuracy")
PROOFS_OF = {
    "json": (*_STREAMS, *_NETWORKS),
    **dict.fromkeys(("only", "seeds", "full_position_noise"), _STREAMS),
    "picture": ("scenarios",),
    "data": ("scenarios", "accuracy"),
    **dict.fromkeys(
        ("weights", "model", "allow_download", "accept_noncommercial_license", "resolution", "device"), _NETWORKS
    ),
    **dict.fromkeys(("views", "room", "output"), ("rendering",)),
    **dict.fromkeys(
        (
            "window_size", "windows", "rooms", "first_room", "demo_room", "stream", "known_poses", "protocol",
            "intrinsics", "threshold", "html",
        ),
        ("accuracy",),
    ),
}  # fmt: skip
"""Name of an option, as argparse has it -> the proofs that heed it."""


def check_options(given: argparse.Namespace, defaults: argparse.Namespace) -> None:
    """Refuse options of another proof, contradictions, and files that cannot be written.

    The folders of files that are to be written are made.

    Raises:
        CommandError: for the first that is wrong.
    """
    for name, proofs in PROOFS_OF.items():
        if given.what not in proofs and getattr(given, name) != getattr(defaults, name):
            told = " and ".join(proofs)
            raise CommandError(f"eval {given.what} does not heed {_option(name)}, which is for {told}: leave it out")
    if given.what == "accuracy" and given.data and given.demo_room:
        raise CommandError("--data and --demo-room are two things to evaluate on: give one of them")
    if given.what == "accuracy" and given.first_room is not None and (given.data or given.demo_room):
        raise CommandError("--first-room is of simulated rooms: leave it out, or leave out --data and --demo-room")
    for name in ("json", "picture", "html"):
        if getattr(given, name):
            _prepare(getattr(given, name), _option(name))


def _prepare(file: Path, option: str) -> None:
    if file.is_dir():
        raise CommandError(f"{option} {file} is a folder: name a file in it")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{option} {file}: its folder cannot be made ({error}): name another one") from error
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise CommandError(f"{option} {file} cannot be written: name a file elsewhere")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
