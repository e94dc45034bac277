# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of image_source_node: names, defaults, meanings and bounds."""

from __future__ import annotations

from dataclasses import dataclass

from da3_ros.ros.parameter_schema import check, parameter


@dataclass(frozen=True, slots=True)
class SourceParams:
    """Parameters of image_source_node."""

    source: str = parameter("simulation", "'simulation', or the path of a folder of images, a video or a rosbag2.")
    cameras: tuple[str, ...] = parameter(
        ("",), "Play only these cameras of the source. A single empty name plays all of them."
    )
    seed: int = parameter(0, "Seed of the simulated room.", minimum=0, maximum=2**31 - 1)
    rate_hz: float = parameter(10.0, "Frames per second of folders and the simulation.", minimum=0.1, maximum=240.0)
    speed: float = parameter(1.0, "How many times faster than real time to play.", minimum=0.01, maximum=100.0)
    loop: bool = parameter(False, "Begin again at the end.")
    duration_s: float = parameter(0.0, "End the simulation after so long; 0 never.", minimum=0.0, maximum=86400.0)
    stamps: str = parameter(
        "now",
        "Begin the stamps now and go on at the source's rate, or keep the source's own stamps.",
        choices=("now", "source"),
    )
    image_transport: str = parameter("raw", "Publish raw images or JPEG.", choices=("raw", "compressed"))
    static_tf: bool = parameter(True, "Publish where the cameras sit on the base, when the source knows it.")
    wait_for_subscribers: bool = parameter(True, "Begin when every camera has a subscriber.")
    pace_topic: str = parameter(
        "",
        "A ~/status topic of da3_node: play on only when all but the last two sets are accounted for, so that a slow "
        "machine processes all of them. Empty plays in real time.",
    )
    pace_timeout_s: float = parameter(
        120.0, "How long to wait for such a window at most, seconds.", minimum=1.0, maximum=3600.0
    )

    def __post_init__(self) -> None:
        check(self)
