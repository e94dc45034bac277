# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Measure what da3_ros costs on this machine. Each benchmark prints tables in Markdown and names the machine."""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Sequence

from rich.console import Console

from da3_ros.cli.bench_options import add_benchmarks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros bench`."""
    add_benchmarks(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and write; status 1 when something does not hold."""
    from da3_ros.cli.bench_machine import this_machine
    from da3_ros.cli.bench_table import as_markdown, write_json

    module = importlib.import_module(f"da3_ros.cli.bench_{arguments.what.replace('-', '_')}")
    result = module.measure(arguments)
    machine, command = this_machine(result.threads), _command(arguments.words)
    print(as_markdown(result, machine, command))
    if arguments.json:
        write_json(arguments.json, result, machine, command)
    if result.failure:
        Console(stderr=True).print(f"[bold red]{result.failure}")
    return 1 if result.failure else 0


def _command(words: Sequence[str]) -> str:
    """What the user typed, less --json and its file, which change no figure."""
    given = ["da3_ros", *words]
    if "--json" in given:
        place = given.index("--json")
        del given[place : place + 2]
    return shlex.join(given)
