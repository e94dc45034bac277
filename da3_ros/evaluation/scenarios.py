# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the stream must get through: who moves how, what goes wrong, and what must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from da3_ros.evaluation.external_odometry import OdometryErrors
from da3_ros.evaluation.oracle_windows import NETWORK_NOISE
from da3_ros.evaluation.scenes import (
    SIZE,
    START_NS,
    Scene,
    arrive,
    recorded_scene,
    simulated_scene,
    stop_and_go,
)
from da3_ros.inference.oracle import OracleNoise
from da3_ros.inference.oracle_faults import OracleFault
from da3_ros.simulation.rig import ring_rig, single_camera_rig, stereo_rig, three_camera_rig
from da3_ros.streaming.synchronizer import MissingCamera

_ONE = single_camera_rig(SIZE)
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What must hold in every run of a scenario, the p95 in the median one; None is not asked for. No garbage in any.

    Attributes:
        ate_percent: trajectory error at most, of the path's length, after one Sim(3).
        of_centres: trajectory error at most, as a share of the camera-centre chain's.
        of_points: the same of the point chain's.
        step_m: largest error of the motion between two published poses, metres.
        scale_p95: 95th percentile of the relative error of a metre, over the windows that claim metres.
        metric_share: windows that claim metres, at least.
        never_metric: no window may claim metres, as nothing tells them.
        drift: relative change of the published unit from start to end of the time in which nothing observes it.
        segments: trajectories at most; more were resets.
        rejected: windows rejected, at least and at most.
        published_share: images that were published, at least.
    """

    ate_percent: float | None = None
    of_centres: float | None = None
    of_points: float | None = None
    step_m: float | None = 0.15
    scale_p95: float | None = None
    metric_share: float | None = None
    never_metric: bool = False
    drift: float | None = None
    segments: int = 1
    rejected: tuple[int, int] = (0, 0)
    published_share: float = 0.98


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of the table's rows.

    Attributes:
        name: for the command line.
        title: for people.
        scene: makes it; deterministic.
        limits: what must hold.
        scale_mode: see StreamConfig. Cameras are placed on the base whenever it is not `relative`.
        window_size: frame sets per window.
        window_stride: new sets between windows.
        missing_camera: see Synchronizer.
        odometry: what is wrong with the external odometry; None without any.
        noise: of the oracle; its seed is replaced.
        faults: of the oracle.
        gap_s: no image comes from one time to the other, seconds since the start.
        drop_share: images lost, at random.
        rounds: how often the sequence is played, with the same stamps.
        unobserved_s: from when to when nothing observes the scale, seconds since the start.
    """

    name: str
    title: str
    scene: Callable[[], Scene]
    limits: Limits
    scale_mode: str = "relative"
    window_size: int = 8
    window_stride: int = 4
    missing_camera: MissingCamera = "drop"
    odometry: OdometryErrors | None = None
    noise: OracleNoise = field(default=NETWORK_NOISE)
    faults: tuple[OracleFault, ...] = ()
    gap_s: tuple[float, float] | None = None
    drop_share: float = 0.0
    rounds: int = 1
    unobserved_s: tuple[float, float] | None = None


def recorded_scenario(folder: Path) -> Scenario:
    """A recorded sequence with sensor depth."""
    limits = Limits(ate_percent=1.0, of_centres=0.5, of_points=0.8)
    return Scenario(folder.name, f"recorded: {folder.name}", partial(recorded_scene, folder), limits)


def _fault(kind: str, from_s: float, until_s: float, camera: str | None = None) -> OracleFault:
    from_ns, until_ns = (START_NS + round(seconds * 1e9) for seconds in (from_s, until_s))
    return OracleFault("occluded" if kind == "occluded" else "garbage", from_ns, until_ns, camera)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "curve",
        "curve, one camera",
        partial(simulated_scene, _ONE, "handheld", _MINUTE_S),
        Limits(ate_percent=0.5, of_centres=0.5, of_points=0.8),
    ),
    Scenario(
        "curve_odometry",
        "curve, external odometry",
        partial(simulated_scene, _ONE, "handheld", _MINUTE_S),
        Limits(ate_percent=0.5, scale_p95=0.02, metric_share=0.95),
        scale_mode="odom",
        odometry=OdometryErrors(position_m=0.001),
    ),
    Scenario(
        "line",
        "straight line, external odometry",
        partial(simulated_scene, _ONE, "line", _MINUTE_S),
        Limits(ate_percent=1.0, scale_p95=0.02, metric_share=0.9),
        scale_mode="odom",
        odometry=OdometryErrors(position_m=0.001),
    ),
    Scenario(
        "standing",
        "standing still 60 s, odometry noise 1 mm",
        partial(simulated_scene, _ONE, "standing", _MINUTE_S),
        Limits(never_metric=True, drift=0.01),
        scale_mode="odom",
        odometry=OdometryErrors(position_m=0.001),
        unobserved_s=(0.0, _MINUTE_S),
    ),
    Scenario(
        "arrival",
        "8 s drive, then standing 60 s, odometry noise 1 mm",
        partial(simulated_scene, _ONE, "handheld", 8.0 + _MINUTE_S, pace=arrive),
        Limits(scale_p95=0.02, metric_share=0.9, drift=0.01),
        scale_mode="odom",
        odometry=OdometryErrors(position_m=0.001),
        unobserved_s=(9.0, 8.0 + _MINUTE_S),
    ),
    Scenario(
        "creep",
        "the same, odometry creeping 3 mm/s",
        partial(simulated_scene, _ONE, "handheld", 8.0 + _MINUTE_S, pace=arrive),
        Limits(scale_p95=0.02, metric_share=0.9, drift=0.01),
        scale_mode="odom",
        odometry=OdometryErrors(position_m=0.001, creep_m_per_s=0.003),
        unobserved_s=(9.0, 8.0 + _MINUTE_S),
    ),
    Scenario(
        "rotation",
        "rotation in place, external odometry",
        partial(simulated_scene, _ONE, "spin", _MINUTE_S),
        Limits(drift=0.01),
        scale_mode="odom",
        odometry=OdometryErrors(position_m=0.001),
        unobserved_s=(0.0, _MINUTE_S),
    ),
    Scenario(
        "stop_and_go",
        "stop and go, external odometry",
        partial(simulated_scene, _ONE, "handheld", _MINUTE_S, pace=stop_and_go),
        Limits(ate_percent=1.0, scale_p95=0.02, metric_share=0.9),
        scale_mode="odom",
        odometry=OdometryErrors(position_m=0.001),
    ),
    Scenario(
        "two_cameras",
        "two cameras, 10 cm apart",
        partial(simulated_scene, stereo_rig(0.1, SIZE), "handheld", _MINUTE_S),
        Limits(ate_percent=0.5, scale_p95=0.02, metric_share=0.95),
        scale_mode="rig",
    ),
    Scenario(
        "four_cameras",
        "four cameras looking outwards",
        partial(simulated_scene, ring_rig(4, SIZE), "handheld", 30.0),
        Limits(ate_percent=0.5, scale_p95=0.02, metric_share=0.95),
        scale_mode="rig",
        window_size=4,
        window_stride=2,
    ),
    Scenario(
        "six_cameras",
        "six cameras looking outwards",
        partial(simulated_scene, ring_rig(6, SIZE), "handheld", 30.0),
        Limits(ate_percent=0.5, scale_p95=0.02, metric_share=0.95),
        scale_mode="rig",
        window_size=4,
        window_stride=2,
    ),
    Scenario(
        "bad_camera",
        "three cameras: one covered, then one garbage",
        partial(simulated_scene, three_camera_rig(SIZE), "handheld", 40.0),
        Limits(ate_percent=0.5, scale_p95=0.02, metric_share=0.95),
        scale_mode="rig",
        window_size=4,
        window_stride=2,
        faults=(_fault("occluded", 5.0, 15.0, "front"), _fault("garbage", 20.0, 30.0, "left")),
    ),
    Scenario(
        "garbage_window",
        "one window of pure garbage",
        partial(simulated_scene, _ONE, "handheld", 30.0),
        Limits(ate_percent=0.5, rejected=(1, 1)),
        faults=(_fault("garbage", 15.0, 15.4),),
    ),
    Scenario(
        "garbage_pixels",
        "30 % of all pixels garbage",
        partial(simulated_scene, _ONE, "handheld", 30.0),
        Limits(ate_percent=0.5),
        noise=OracleNoise(
            depth_smooth=NETWORK_NOISE.depth_smooth,
            depth_pixel=NETWORK_NOISE.depth_pixel,
            position_m=NETWORK_NOISE.position_m,
            rotation_rad=NETWORK_NOISE.rotation_rad,
            confidence=NETWORK_NOISE.confidence,
            garbage_pixels=0.3,
        ),
    ),
    Scenario(
        "gap",
        "2 s without images",
        partial(simulated_scene, _ONE, "handheld", _MINUTE_S),
        Limits(ate_percent=0.5),
        gap_s=(30.0, 32.0),
    ),
    Scenario(
        "bag_loop",
        "a bag played twice",
        partial(simulated_scene, _ONE, "handheld", 20.0),
        Limits(ate_percent=0.5, segments=2),
        rounds=2,
    ),
    Scenario(
        "frame_drops",
        "two cameras, 20 % of the images lost",
        partial(simulated_scene, stereo_rig(0.1, SIZE), "handheld", _MINUTE_S),
        Limits(ate_percent=0.5, scale_p95=0.02, metric_share=0.95),
        scale_mode="rig",
        missing_camera="partial",
        drop_share=0.2,
    ),
    Scenario(
        "bad_odometry",
        "external odometry 2 % too long and 50 ms late",
        partial(simulated_scene, _ONE, "handheld", _MINUTE_S),
        Limits(ate_percent=0.5, scale_p95=0.04, metric_share=0.95),
        scale_mode="odom",
        odometry=OdometryErrors(scale=1.02, delay_ns=50_000_000, position_m=0.001),
    ),
)

_SHORT_S = 4.0

# What covariances are proved on: short, as each is run with many seeds.
CONSISTENCY: tuple[Scenario, ...] = (
    Scenario(
        "odometry",
        "curve, external odometry of 1 %",
        partial(simulated_scene, _ONE, "handheld", _SHORT_S),
        Limits(),
        scale_mode="odom",
        odometry=OdometryErrors(scale_sigma=0.01, position_m=0.001),
    ),
    Scenario(
        "rig",
        "two cameras, 10 cm apart",
        partial(simulated_scene, stereo_rig(0.1, SIZE), "handheld", _SHORT_S),
        Limits(),
        scale_mode="rig",
    ),
)
