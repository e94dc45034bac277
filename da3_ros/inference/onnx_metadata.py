# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The metadata of an ONNX file, read without ONNX Runtime and without the gigabytes beside them.

A file is one protobuf message, `ModelProto`; its field 14 is repeated, each a pair of a key (1) and a value (2).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_METADATA: Final = 14
_KEY, _VALUE = 1, 2
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10


def read_metadata(path: Path) -> dict[str, str]:
    """Key -> value.

    Raises:
        ValueError: if the file is no protobuf message.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        pairs = [dict(_fields(io.BytesIO(entry), {_KEY, _VALUE})) for _, entry in _fields(file, {_METADATA})]
    return {pair.get(_KEY, b"").decode(): pair.get(_VALUE, b"").decode() for pair in pairs}


def _fields(stream: BinaryIO, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of the wanted fields; everything else is stepped over."""
    while (tag := _varint(stream)) is not None:
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _varint(stream)
        elif kind == _COUNTED:
            length = _varint(stream) or 0
            if number in wanted:
                yield number, stream.read(length)
            else:
                stream.seek(length, io.SEEK_CUR)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            stream.seek(8 if kind == _EIGHT_BYTES else 4, io.SEEK_CUR)
        else:
            raise ValueError(f"no protobuf message: field {number} is of kind {kind}")


def _varint(stream: BinaryIO) -> int | None:
    """The next number; None at the end."""
    value = 0
    for position in range(_LONGEST_VARINT):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << (7 * position)
        if byte[0] < 0x80:
            return value
    raise ValueError("no protobuf message: a number does not end")
