# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Our nodes as child processes, with parameters from a file and output in a log file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from da3_ros.cli.main import CommandError

STOP_TIMEOUT_S = 30.0


def isolate() -> None:
    """Keep this process and its children on this machine, on a domain of their own, unless the user chose one."""
    if "ROS_DOMAIN_ID" not in os.environ:
        os.environ["ROS_DOMAIN_ID"] = str(random.SystemRandom().randrange(1, 100))
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


def resident_bytes(process: int | str = "self") -> int:
    """Memory that a process holds in RAM now (Linux)."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class NodeProcess:
    """One node, running while the context is open.

    Args:
        module: to run.
        parameters: of the node.
        folder: for its log and its parameter file.
        threads: of its numerical libraries; 0 for their own choice.
    """

    def __init__(self, module: str, parameters: Mapping[str, Any], folder: Path, threads: int = 0) -> None:
        self.name = module.rsplit(".", 1)[-1]
        self.log_file = folder / f"{self.name}.log"
        self._parameter_file = folder / f"{self.name}.yaml"
        self._module = module
        self._parameters = dict(parameters)
        self._environment = {**os.environ, "OMP_NUM_THREADS": str(threads)} if threads else dict(os.environ)

    def __enter__(self) -> NodeProcess:
        self._parameter_file.write_text(yaml.safe_dump({"/**": {"ros__parameters": self._parameters}}))
        arguments = ["--ros-args", "--params-file", str(self._parameter_file)]
        with self.log_file.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def cpu_seconds(self) -> float:
        """User and system time of the process so far, all threads (Linux)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_bytes(self) -> int:
        """Memory that the process holds in RAM now (Linux)."""
        return resident_bytes(self._process.pid)

    def check(self) -> None:
        """Raise a CommandError with the node's last error line when the process has failed."""
        if not self.is_running and self._process.returncode != 0:
            lines = [line for line in self.log_file.read_text().splitlines() if line.strip()]
            if self._process.returncode < 0:
                name = signal.Signals(-self._process.returncode).name
                raise CommandError(f"{self.name} was killed by {name} (see {self.log_file})")
            errors = [line for line in lines if "ERROR" in line or "Error" in line] or lines[-1:]
            raise CommandError(f"{self.name} ended: {' '.join(errors[-1:]) or 'no output'} (see {self.log_file})")
