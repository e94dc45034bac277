# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The newest estimate of where the cameras sit on each other, for `~/rig` and `~/save_rig`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.rig_calibration import RigEstimate
from da3_ros.streaming.rig_file import rig_yaml


@dataclass(frozen=True, slots=True, eq=False)
class KeptRig:
    """An estimate and what its message says besides.

    Attributes:
        estimate: of the rig.
        frame_ids: optical frame of each camera, by name.
        stamp_ns: of the newest frame set in it.
    """

    estimate: RigEstimate
    frame_ids: dict[str, str]
    stamp_ns: int


class RigKeeper:
    """Filled by the inference thread, saved by the executor's.

    Args:
        file: where `save` writes; `~` is the user's home.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file).expanduser()
        self._kept: KeptRig | None = None

    def add(self, result: WindowResult) -> KeptRig | None:
        """The window's estimate, when it has one; kept until the next."""
        if result.rig is None or not result.new_sets:
            return None
        frame_ids = self._kept.frame_ids if self._kept is not None else {}
        newest = {frame.camera: frame.frame_id for frame in result.window.views}
        self._kept = KeptRig(result.rig, {**frame_ids, **newest}, result.window.frame_sets[-1].stamp_ns)
        return self._kept

    def clear(self) -> None:
        """Forget the estimate."""
        self._kept = None

    def save(self) -> tuple[bool, str]:
        """Write the estimate; return whether that succeeded, and one sentence."""
        kept = self._kept
        if kept is None or not kept.estimate.cameras:
            return False, "no rig is estimated yet: cameras must be seen together in several frame sets"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(rig_yaml(kept.estimate, kept.frame_ids))
        except OSError as error:
            return False, f"cannot write the rig: {error}"
        unit = "metres" if kept.estimate.is_metric else "the first window's unit, not metres"
        return True, f"{1 + len(kept.estimate.cameras)} cameras in {self._file}, positions in {unit}"
