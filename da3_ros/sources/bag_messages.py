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

from da3_ros.sources.source import BAG_SUFFIXES

_log = logging.getLogger(__name__)


def bag_place(path: Path) -> Path:
    """Folder of a bag, given that or one of its files; without `metadata.yaml` the file is the bag."""
    folder = path.parent if path.is_file() else path
    if (folder / "metadata.yaml").is_file():
        return folder
    recordings = [file for file in folder.glob("*") if file.suffix in BAG_SUFFIXES]
    return recordings[0] if path == folder and len(recordings) == 1 else path


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


def unreadable(path: Path, error: Exception) -> str:
    """What to tell of a bag that cannot be opened, in one sentence."""
    mend = "a recording that was cut off is mended by 'mcap recover' or 'ros2 bag reindex'"
    return f"cannot read the bag '{path}': {str(error).rstrip('.')} ({mend})"


def messages(
    reader: AnyReader, connections: Collection[Connection], start_ns: int | None = None, stop_ns: int | None = None
) -> Iterator[tuple[str, int, Any]]:
    """Topic, time of writing in nanoseconds, and message, in the order of writing.

    Messages that are cut short are left out with a warning, and so is all that follows damage of the file itself.

    Args:
        reader: of an open bag.
        connections: of this bag; none of them yields nothing.
        start_ns: of the first message, None for the bag's first.
        stop_ns: after the last message, None for the bag's last.
    """
    for connection, received_ns, raw in _undamaged(reader, connections, start_ns, stop_ns):
        try:
            message: Any = reader.deserialize(raw, connection.msgtype)
        except AnyReaderError as error:
            _log.warning("a message on %s was left out: %s", connection.topic, error)
        else:
            yield connection.topic, received_ns, message


def _undamaged(
    reader: AnyReader, connections: Collection[Connection], start_ns: int | None, stop_ns: int | None
) -> Iterator[tuple[Connection, int, bytes]]:
    """What the file still gives."""
    if not connections:  # which would mean all of them to rosbags
        return
    entries = reader.messages(connections, start_ns, stop_ns)
    while True:
        try:
            entry = next(entries, None)
        except Exception as error:  # sqlite, lz4 and zstd each have their own for data that are damaged
            _log.warning("the bag is damaged, and the rest of it is left out: %s", error)
            return
        if entry is None:
            return
        yield entry
