# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A DDS domain of one's own, so that test runs side by side do not hear each other."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Above the ports that Linux hands out to others, and apart from the domains that people use by hand.
DOMAINS = range(215, 232)


@contextmanager
def own_domain() -> Iterator[int]:
    """Hold the lock of a free domain while this is open.

    Raises:
        RuntimeError: when all are taken.
    """
    for domain_id in DOMAINS:
        with (Path(tempfile.gettempdir()) / f"ros_domain_{domain_id}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield domain_id
            return
    raise RuntimeError(f"the ROS domains {DOMAINS.start} to {DOMAINS.stop - 1} are all in use by other test runs")
