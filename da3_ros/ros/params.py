# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of da3_node, all in one place: names, defaults, meanings and bounds."""

from __future__ import annotations

from dataclasses import dataclass

from da3_ros.ros.contradictions import refuse_contradictions
from da3_ros.ros.model_names import AUTO_MODEL, METRIC_MODEL, MODELS, MONOCULAR_MODELS, NESTED_MODEL
from da3_ros.ros.parameter_schema import check, parameter

_PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class NodeParams:
    """One checked set of da3_node's parameters; each field's rule says what it means.

    Raises:
        ValueError: in one sentence, when a value breaks its rule or contradicts another.
    """

    cameras: tuple[str, ...] = parameter(
        ("camera",),
        "Names of the cameras, and prefix of their topics: '<name>/image_raw' and so on. The first one is the "
        "reference. A single empty name drops the prefix.",
    )
    image_transport: str = parameter(
        "raw", "Subscribe to '<name>/image_raw' or to '<name>/image_raw/compressed'.", choices=("raw", "compressed")
    )

    engine: str = parameter(
        "network",
        "What answers the windows: the network, the oracle (truth with noise, for tests) or null (unit depth, "
        "identity poses, for measuring the rest).",
        choices=("network", "oracle", "null"),
    )
    model: str = parameter(
        AUTO_MODEL,
        "Architecture of the network; auto takes the one that weights are for, and with weights auto the embedded "
        "da3-nano (synthetic rooms, not for robots). da3mono-large and da3metric-large see one image at a time and "
        "need window_size 1: depth without poses, relative or in metres.",
        choices=(AUTO_MODEL, *MODELS),
    )
    weights: str = parameter(
        "auto",
        "'auto' (the official weights of the model; the embedded ones of da3-nano), the path of a safetensors file or "
        "of an ONNX file that 'da3_ros export' wrote, a Hugging Face id, or 'random' (tests only: the depth means "
        "nothing).",
    )
    allow_download: bool = parameter(False, "Download weights that are not in the local cache.")
    accept_noncommercial_license: bool = parameter(
        False, "Agree to the licence of weights that may not be used commercially; they are refused without it."
    )
    device: str = parameter("auto", "'auto' (cuda if there, else cpu), 'cpu', 'cuda' or 'cuda:<number>'.")
    process_resolution: int = parameter(
        0,
        "Longest side of the image that the network sees, pixels, 56 or more; 0 takes what it was trained at: 504, or "
        "224 for da3-nano.",
        minimum=0,
        maximum=1526,
        step=14,
    )
    precision: str = parameter(
        "auto",
        "Numbers that the network's backbone computes with; auto takes bf16 where the hardware has it, else fp16 on a "
        "GPU that has it, else fp32.",
        choices=_PRECISIONS,
    )
    head_precision: str = parameter("auto", "The same for the network's heads.", choices=_PRECISIONS)
    feature_cache_mb: int = parameter(
        256,
        "Memory for what the network keeps of images that the next windows hold again, megabytes; the answers are the "
        "same without. 0 keeps nothing.",
        minimum=0,
        maximum=65536,
    )
    max_memory_mb: int = parameter(
        0,
        "Memory that weights and a call of the network may take, those of metric_model included, megabytes; a window "
        "that would take more is treated like one that has run out of memory. On the CPU freed memory is then handed "
        "back at once, which takes time. 0 sets no limit.",
        minimum=0,
        maximum=1_000_000,
    )
    compile: bool = parameter(
        False, "Compile the network when it is loaded: faster afterwards, but that takes minutes for each window size."
    )
    cpu_threads: int = parameter(
        0,
        "Threads of the network on the CPU; 0 takes all cores but one where there are more than two.",
        minimum=0,
        maximum=256,
    )

    window_size: int = parameter(4, "Frame sets in a window.", minimum=1, maximum=64)
    window_stride: int = parameter(1, "New frame sets from one window to the next.", minimum=1, maximum=64)
    window_overlap: int = parameter(
        2,
        "Frame sets that a window shares with the one before it at least, to be aligned by, as far as size and stride "
        "allow. With 1 a contradiction is hard to see, and nothing keeps a slow robot from drifting.",
        minimum=1,
        maximum=63,
    )
    reference_view: str = parameter(
        "saddle_balanced",
        "How the network chooses its reference view.",
        choices=("saddle_balanced", "saddle_sim_range", "first", "middle"),
    )
    max_rejected: int = parameter(
        3,
        "Rejected windows in a row after which tracking counts as lost and the next good window starts anew.",
        minimum=1,
        maximum=1000,
    )
    intrinsics: str = parameter(
        "auto",
        "Focal length and principal point: calibrated (camera_info rules; a window with a camera that has none fails), "
        "predicted (the network's), or auto (calibrated where camera_info has come, else predicted).",
        choices=("auto", "calibrated", "predicted"),
    )
    pose_source: str = parameter(
        "camera_head",
        "What the network's poses and focal lengths are read from: its camera head, or its ray map.",
        choices=("camera_head", "rays"),
    )
    pose_conditioning: str = parameter(
        "none",
        "Known poses that are given to the network: none, rig (where TF places the cameras, for windows of one frame "
        "set) or odom (rig, moved by the robot's own odometry). They guide it; they never set its scale.",
        choices=("none", "rig", "odom"),
    )
    sync_slop_ms: float = parameter(
        0.0,
        "Largest difference of stamps within a frame set, milliseconds; 0 takes just under half the measured period.",
        minimum=0.0,
        maximum=1000.0,
    )
    missing_camera: str = parameter(
        "drop",
        "When a camera has no frame for a set: drop the set, use the partial set, or wait for the frame.",
        choices=("drop", "partial", "wait"),
    )
    max_rate_hz: float = parameter(
        0.0, "Frame sets per second that enter the windows at most; 0 takes all.", minimum=0.0, maximum=1000.0
    )

    tf_mode: str = parameter(
        "none",
        "Publish no TF, the edge odom_frame -> base_frame, or one edge odom_frame -> optical frame per camera.",
        choices=("none", "base", "cameras"),
    )
    odom_frame: str = parameter("odom", "Frame in which poses are published.")
    base_frame: str = parameter("base_link", "Frame of the robot, whose pose '~/odom' reports.")
    scale_mode: str = parameter(
        "auto",
        "Where metres come from: rig (distances between cameras in TF), odom (the robot's own odometry), model (a "
        "network that predicts metres: metric_model, or the model itself), fixed (fixed_scale), relative (nowhere: the "
        "first window's unit), or auto (the surest observed of rig, odom and model; relative until one is).",
        choices=("auto", "rig", "odom", "model", "fixed", "relative"),
    )
    fixed_scale: float = parameter(
        1.0, "Metres per unit of the first window when scale_mode is fixed.", minimum=1e-6, maximum=1e6
    )
    require_metric: bool = parameter(
        False,
        "Publish depth, clouds, poses, odometry and TF in metres or not at all: while no scale source has spoken, at "
        "the start and after every loss, images are counted as 'not_metric'.",
    )
    metric_model: str = parameter(
        "",
        "A second network for the scale source 'model', beside one that does not know metres: da3metric-large, or "
        "empty for none. It needs camera_info.",
    )
    metric_weights: str = parameter("auto", "Weights of metric_model, given as in 'weights'.")
    metric_every: int = parameter(
        10,
        "The metric model sees one of so many windows once metres are known. While they are not, and after a new "
        "start, it sees the next one.",
        minimum=1,
        maximum=100_000,
    )
    metric_views: int = parameter(
        1,
        "Images of that window that it sees: of the newest frame set first, cameras in turn.",
        minimum=1,
        maximum=64,
    )
    odometry_topic: str = parameter(
        "", "The robot's own odometry (nav_msgs/Odometry), for scale and conditioning; empty for none."
    )
    odometry_frame: str = parameter(
        "",
        "TF frame of the robot's own odometry, instead of odometry_topic: it is the pose of base_frame in this frame. "
        "Empty for none.",
    )
    imu_topic: str = parameter(
        "",
        "An IMU (sensor_msgs/Imu) that says which way is up; empty takes base_frame as upright at the start.",
    )
    rig_file: str = parameter("~/.ros/da3_rig.yaml", "Where '~/save_rig' writes the estimated extrinsics (YAML).")

    min_confidence: float = parameter(
        1.0, "Depth of a lower confidence becomes NaN; 1 keeps all.", minimum=0.0, maximum=1e6, dynamic=True
    )
    edge_threshold: float = parameter(
        0.05,
        "Depth becomes NaN where it jumps to a neighbouring pixel by more than this fraction; 0 keeps all.",
        minimum=0.0,
        maximum=10.0,
        dynamic=True,
    )
    min_depth: float = parameter(
        0.0, "Nearer depth becomes NaN, in the published unit.", minimum=0.0, maximum=1e6, dynamic=True
    )
    max_depth: float = parameter(
        0.0, "Farther depth becomes NaN, in the published unit; 0 keeps all.", minimum=0.0, maximum=1e6, dynamic=True
    )
    depth_encoding: str = parameter(
        "32FC1",
        "Depth images in metres with NaN for unknown (32FC1), or in millimetres with 0 for unknown (16UC1).",
        choices=("32FC1", "16UC1"),
    )
    sky_depth: str = parameter(
        "nan",
        "Depth of the sky, where the network knows it: nan (unknown) or inf (REP-117: too far to measure, so that the "
        "space before it is known to be free). It is in no cloud.",
        choices=("nan", "inf"),
    )

    map_voxel_size: float = parameter(
        0.0,
        "Voxel of the map that '~/save_map' writes, in the published unit; 0 keeps no map.",
        minimum=0.0,
        maximum=10.0,
    )
    map_file: str = parameter("~/.ros/da3_map.ply", "Where '~/save_map' writes the map (PLY).")
    path_length: int = parameter(1000, "Newest poses in '~/path'.", minimum=1, maximum=100_000)
    diagnostics_period_s: float = parameter(
        1.0, "Time between two messages on '/diagnostics', seconds.", minimum=0.1, maximum=60.0
    )
    autostart: bool = parameter(True, "Configure and activate by itself instead of waiting for a lifecycle manager.")

    oracle_scene: str = parameter(
        "simulation", "Where the oracle's truth comes from: 'simulation' or a data set folder."
    )
    simulation_seed: int = parameter(
        0, "Seed of the simulated room; the image source must have the same one.", minimum=0, maximum=2**31 - 1
    )
    oracle_seed: int = parameter(0, "Seed of the oracle's noise and gauges.", minimum=0, maximum=2**31 - 1)
    oracle_depth_noise: float = parameter(
        0.0,
        "Noise of the oracle's depth, standard deviation as a fraction of the depth: so much in waves over the image, "
        "and a third of it from pixel to pixel.",
        minimum=0.0,
        maximum=1.0,
    )
    oracle_position_noise: float = parameter(
        0.0,
        "Noise of the oracle's camera positions, standard deviation in metres for a scene 3 m away.",
        minimum=0.0,
        maximum=10.0,
    )
    oracle_rotation_noise_deg: float = parameter(
        0.0, "Noise of the oracle's camera rotations, standard deviation in degrees.", minimum=0.0, maximum=180.0
    )
    oracle_random_gauge: bool = parameter(
        True, "Give every window of the oracle its own random origin, axes and scale, as the network's windows have."
    )

    @property
    def awaits_model(self) -> bool:
        """Whether the weights have still to say which model it is; what hangs on that is checked once they have."""
        return self.engine == "network" and self.model == AUTO_MODEL

    @property
    def is_monocular(self) -> bool:
        """Whether the network sees every image by itself."""
        return self.engine == "network" and self.model in MONOCULAR_MODELS

    @property
    def has_track(self) -> bool:
        """Whether windows share views, so that there are poses."""
        return self.window_size > 1

    @property
    def knows_metres(self) -> bool:
        """Whether the network says by itself how long a metre is."""
        return self.engine == "network" and self.model in (NESTED_MODEL, METRIC_MODEL)

    def __post_init__(self) -> None:
        check(self)
        refuse_contradictions(self)
