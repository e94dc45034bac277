# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`torch.compile` for windows of many shapes, one kernel set each; where it gives up, the plain function answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

import torch

# Torch's own limit of 8 is reached by windows that grow view by view.
SHAPES: Final = 256
_LIMITS: Final = ("cache_size_limit", "accumulated_cache_size_limit")

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


def compiled(function: Callable[..., Answer], mode: str = "default") -> Callable[..., Answer]:
    """The function as one graph for each shape that it is called with.

    Args:
        function: what is to be compiled: a method, or a network.
        mode: as `torch.compile` takes it.

    Returns:
        The same to call, from any thread. A shape that cannot be compiled is answered by `function`, with one warning.
    """
    fast: Callable[..., Answer] = torch.compile(function, fullgraph=True, dynamic=False, mode=mode)
    refusals = _refusals()
    is_told = False

    def call(*arguments: Any, **settings: Any) -> Answer:
        nonlocal is_told
        _allow_shapes()
        try:
            return fast(*arguments, **settings)
        except refusals as error:
            if not is_told:
                is_told = True
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                _log.warning(
                    "torch.compile refuses a window (%s): such windows are answered uncompiled; use fewer sizes of "
                    "windows and images, or set compile to false",
                    reason,
                )
        return function(*arguments, **settings)

    return call


def _allow_shapes() -> None:
    """Raise torch's limits in the thread that calls: of late what one thread sets holds for no other."""
    from torch._dynamo import config

    for limit in _LIMITS:
        if getattr(config, limit) < SHAPES:
            setattr(config, limit, SHAPES)


def _refusals() -> tuple[type[Exception], ...]:
    """What torch raises at the limit; the second in older releases, and in all for what it cannot trace."""
    from torch._dynamo import exc

    found = (getattr(exc, name, None) for name in ("FailOnRecompileLimitHit", "Unsupported"))
    return tuple(one for one in found if one is not None)
