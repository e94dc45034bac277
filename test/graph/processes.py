# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes as processes of their own, as users start them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from test.graph.spinner import TIMEOUT_S

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """python -m MODULE ARGUMENTS, with what it prints in a file.

    Args:
        module: to run.
        arguments: of the command line.
        output: file for what it prints.
    """

    def __init__(self, module: str, arguments: list[str], output: Path) -> None:
        self._output = output
        with output.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    @property
    def has_ended(self) -> bool:
        """Whether it ended."""
        return self._process.poll() is not None

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def wait(self) -> int:
        """Its exit code, once it ends by itself or because its standard input is closed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(TIMEOUT_S)

    def interrupt(self) -> int:
        """Its exit code after Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def close(self) -> None:
        """End it in any case."""
        self._process.kill()
        self.wait()
