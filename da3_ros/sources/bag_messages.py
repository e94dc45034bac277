# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Opening rosbag2 recordings, whoever wrote them, and decoding their messages."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore

_log = logging.getLogger(__name__)


def bag_place(path: Path) -> Path:
    """The folder of a bag, from itself or a file beside its `metadata.yaml`; other files are bags by themselves."""
    is_in_folder = path.is_file() and (path.parent / "metadata.yaml").is_file()
    return path.parent if is_in_folder else path


def bag_reader(path: Path) -> AnyReader:
    """A bag, to be opened by `with`.

    ROS 2 Foxy and Humble record no message definitions in sqlite3: Humble's are used, which for images, calibrations
    and transforms are those of every distribution from Foxy to Jazzy.

    Args:
        path: folder of the bag, or one of its files.

    Raises:
        AnyReaderError: here or when opened, when it is no bag or damaged.
        OSError: here or when opened, when it is not there.
    """
    return AnyReader([bag_place(path)], default_typestore=get_typestore(Stores.ROS2_HUMBLE))


def messages(
    reader: AnyReader, connections: Collection[Connection], start_ns: int | None = None, stop_ns: int | None = None
) -> Iterator[tuple[str, int, Any]]:
    """Topic, time of writing in nanoseconds, and message, in the order of writing.

    Messages that are cut short are left out with a warning.

    Args:
        reader: of an open bag.
        connections: of this bag; none of them yields nothing.
        start_ns: of the first message, None for the bag's first.
        stop_ns: after the last message, None for the bag's last.
    """
    # No connection would mean all of them to rosbags.
    for connection, received_ns, raw in reader.messages(connections, start_ns, stop_ns) if connections else ():
        try:
            message: Any = reader.deserialize(raw, connection.msgtype)
        except AnyReaderError as error:
            _log.warning("a message on %s was left out: %s", connection.topic, error)
        else:
            yield connection.topic, received_ns, message
