# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What every transform buffer can do, and the registries by which packages add types it can transform."""
# ruff: noqa: N818

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.time import Time
from std_msgs.msg import Header

__all__ = [
    "BufferInterface",
    "ConvertRegistration",
    "NotImplementedException",
    "Stamped",
    "TransformRegistration",
    "TypeException",
    "convert",
]

NO_WAIT = Duration()


class TypeException(Exception):
    """No package has registered how to transform or convert this type."""

    def __init__(self, errstr: str) -> None:
        super().__init__(errstr)
        self.errstr = errstr


class NotImplementedException(Exception):
    """A subclass of BufferInterface lacks the method that was called."""

    def __init__(self) -> None:
        self.errstr = "this buffer does not implement that look-up"
        super().__init__(self.errstr)


class BufferInterface:
    """The methods of a buffer; subclasses supply the four look-ups, this class builds ``transform`` on them."""

    def __init__(self) -> None:
        self.registration = TransformRegistration()

    def transform(
        self, object_stamped: Any, target_frame: str, timeout: Duration = NO_WAIT, new_type: type | None = None
    ) -> Any:
        """The stamped object expressed in another frame at its own stamp.

        Raises:
            TypeException: its type, or the conversion to new_type, was never registered.
            tf2_py.TransformException: the transform is not available.
        """
        do_transform = self.registration.get(type(object_stamped))
        header = object_stamped.header
        target_from_source = self.lookup_transform(target_frame, header.frame_id, header.stamp, timeout)
        result = do_transform(object_stamped, target_from_source)
        return result if new_type is None else convert(result, new_type)

    def transform_full(
        self,
        object_stamped: Any,
        target_frame: str,
        target_time: Time,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
        new_type: type | None = None,
    ) -> Any:
        """The stamped object expressed in another frame at another time, through a frame that did not move.

        Raises:
            TypeException: its type, or the conversion to new_type, was never registered.
            tf2_py.TransformException: the transform is not available.
        """
        do_transform = self.registration.get(type(object_stamped))
        header = object_stamped.header
        target_from_source = self.lookup_transform_full(
            target_frame, target_time, header.frame_id, header.stamp, fixed_frame, timeout
        )
        result = do_transform(object_stamped, target_from_source)
        return result if new_type is None else convert(result, new_type)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration = NO_WAIT
    ) -> TransformStamped:
        raise NotImplementedException

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> TransformStamped:
        raise NotImplementedException

    def can_transform(self, target_frame: str, source_frame: str, time: Time, timeout: Duration = NO_WAIT) -> Any:
        raise NotImplementedException

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> Any:
        raise NotImplementedException


def Stamped(obj: Any, stamp: Any, frame_id: str) -> Any:
    """The same object with a header put on it."""
    obj.header = Header(frame_id=frame_id, stamp=stamp)
    return obj


def _registered(table: dict[Any, Callable[..., Any]], key: Any) -> Callable[..., Any]:
    if key not in table:
        raise TypeException(f"{key} is not registered; import the package that supports it (tf2_geometry_msgs, ...)")
    return table[key]


class TransformRegistration:
    """Type -> function(object, TransformStamped) that moves it; one table for the process."""

    _functions: ClassVar[dict[type, Callable[[Any, TransformStamped], Any]]] = {}

    def print_me(self) -> None:
        print(self._functions)

    def add(self, key: type, callback: Callable[[Any, TransformStamped], Any]) -> None:
        self._functions[key] = callback

    def get(self, key: type) -> Callable[[Any, TransformStamped], Any]:
        return _registered(self._functions, key)


class ConvertRegistration:
    """How types become messages, messages become types, and types each other directly; one table for the process."""

    _to_message: ClassVar[dict[type, Callable[[Any], Any]]] = {}
    _from_message: ClassVar[dict[type, Callable[[Any], Any]]] = {}
    _direct: ClassVar[dict[tuple[type, type], Callable[[Any], Any]]] = {}

    def add_from_msg(self, key: type, callback: Callable[[Any], Any]) -> None:
        self._from_message[key] = callback

    def add_to_msg(self, key: type, callback: Callable[[Any], Any]) -> None:
        self._to_message[key] = callback

    def add_convert(self, key: tuple[type, type], callback: Callable[[Any], Any]) -> None:
        self._direct[key] = callback

    def get_from_msg(self, key: type) -> Callable[[Any], Any]:
        return _registered(self._from_message, key)

    def get_to_msg(self, key: type) -> Callable[[Any], Any]:
        return _registered(self._to_message, key)

    def get_convert(self, key: tuple[type, type]) -> Callable[[Any], Any]:
        return _registered(self._direct, key)


def convert(a: Any, b_type: type) -> Any:
    """A copy of a as another type: directly where that is registered, else by way of a message.

    Raises:
        TypeException: neither way is registered.
    """
    registration = ConvertRegistration()
    try:
        direct = registration.get_convert((type(a), b_type))
    except TypeException:
        if type(a) is b_type:
            return deepcopy(a)
        to_message, from_message = registration.get_to_msg(type(a)), registration.get_from_msg(b_type)
        return from_message(to_message(a))
    return direct(a)
