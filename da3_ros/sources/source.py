# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What every source of frames offers, and how to open one by its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.frame import Frame

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
BAG_SUFFIXES = (".mcap", ".db3")


class SourceError(ValueError):
    """A source cannot be opened or read; the sentence says which and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class StaticTransform:
    """An edge of TF that never changes.

    Attributes:
        parent: ROS frame.
        child: ROS frame.
        parent_from_child: (4, 4) rigid, metres.
    """

    parent: str
    child: str
    parent_from_child: FloatArray


@dataclass(frozen=True, slots=True)
class Source:
    """Frames of one or many cameras, in stamp order.

    Attributes:
        cameras: names, in order; the first is the reference camera.
        frame_count: frames that one pass yields, all cameras together; 0 when it never ends or is not known.
        play: starts a new pass; its argument is the stamp of the first frame in nanoseconds, or None to keep the
            source's own stamps (0 for sources that have none).
        static_transforms: where the cameras sit on the robot, and what else is known to be fixed on it; each frame is
            the child of one at most. Empty when unknown.
    """

    cameras: tuple[str, ...]
    frame_count: int
    play: Callable[[int | None], Iterator[Frame]]
    static_transforms: tuple[StaticTransform, ...] = ()


def only(source: Source, cameras: Sequence[str]) -> Source:
    """Some of a source's cameras.

    Args:
        source: of more.
        cameras: names, the reference camera first.

    Raises:
        SourceError: when it has no camera of such a name.
    """
    missing = [name for name in cameras if name not in source.cameras]
    if missing:
        raise SourceError(f"no camera '{missing[0]}' in the source: it has {', '.join(source.cameras)}")

    def play(start_ns: int | None) -> Iterator[Frame]:
        return (frame for frame in source.play(start_ns) if frame.camera in cameras)

    return replace(source, cameras=tuple(cameras), frame_count=0, play=play)


def is_bag(path: Path) -> bool:
    """Whether it is a rosbag2: a folder with metadata.yaml or with nothing but recordings, or one of its files."""
    if path.suffix in BAG_SUFFIXES or (path / "metadata.yaml").is_file():
        return True
    within = list(path.iterdir()) if path.is_dir() else []
    return bool(within) and all(entry.suffix.startswith(BAG_SUFFIXES) for entry in within)  # .db3-wal too


def open_source(path: Path, rate_hz: float = 10.0) -> Source:
    """Open a folder of images, a video, or a rosbag2 (see `is_bag`).

    Args:
        path: what to open.
        rate_hz: frames per second and camera for a folder of images; videos and bags have their own.

    Raises:
        SourceError: when there is nothing to read there.
    """
    kinds = f"a folder of images, a video ({', '.join(VIDEO_SUFFIXES)}) or a rosbag2"
    if not path.exists():
        raise SourceError(f"cannot read '{path}': it is not there; give {kinds}")
    # Each reader needs a library of its own; only the one that is wanted is imported.
    if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        from da3_ros.sources.video import open_video

        return open_video(path)
    if is_bag(path):
        try:
            from da3_ros.sources.bag import open_bag
        except ImportError as error:
            raise SourceError(f"bags need the Python module '{error.name}', which is not installed") from error
        return open_bag(path)
    if path.is_dir():
        from da3_ros.sources.folder import open_folder

        return open_folder(path, rate_hz)
    raise SourceError(f"cannot read '{path}': give {kinds}")
