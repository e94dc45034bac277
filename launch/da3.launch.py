# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Start da3_node; with `rviz` something to look with, and with `source` something to look at.

    ros2 launch da3_ros da3.launch.py cameras:=front,left,right
    ros2 launch da3_ros da3.launch.py source:=simulation engine:=oracle rviz:=true

An argument that is a parameter of the node is empty by default: then `params_file` decides.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

CONFIG = Path(get_package_share_directory("da3_ros")) / "config"
# A namespace holds one robot with a TF tree of its own, as in Nav2; without one these are /tf and /tf_static.
TF_OF_NAMESPACE = [("/tf", "tf"), ("/tf_static", "tf_static")]
# Humble and Jazzy read the first name, Fast DDS 3 (Kilted and later) the second.
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
# In names of nodes in a parameter file, as rcl understands them.
FITTING = {"/**": r"(/\w+)*", "/*": r"/\w+"}

NODE_ARGUMENTS = [
    DeclareLaunchArgument(
        "cameras",
        default_value="",
        description="Names of the cameras, separated by commas: images are taken from <name>/image_raw. "
        "Empty: front,left,right with source:=simulation, else as in params_file.",
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="",
        choices=["", "raw", "compressed"],
        description="Take <name>/image_raw or <name>/image_raw/compressed. Empty: as in params_file.",
    ),
    DeclareLaunchArgument(
        "engine",
        default_value="",
        choices=["", "network", "oracle", "null"],
        description="The network; or, to test without one, oracle (the truth of a simulation or data set) or null "
        "(unit depth). Empty: as in params_file.",
    ),
    DeclareLaunchArgument(
        "model",
        default_value="",
        choices=[
            "",
            "auto",
            "da3-nano",
            "da3-small",
            "da3-base",
            "da3-large",
            "da3-giant",
            "da3mono-large",
            "da3metric-large",
            "da3nested-giant-large",
        ],
        description="Architecture of the network; auto takes the one that weights are for, and with weights auto the "
        "embedded da3-nano (synthetic rooms, not for robots). Empty: as in params_file.",
    ),
    DeclareLaunchArgument(
        "weights",
        default_value="",
        description="auto (the official weights of the model; the embedded ones of da3-nano), a safetensors or "
        "exported .onnx file, a Hugging Face id, or random (tests only). Empty: as in params_file.",
    ),
    DeclareLaunchArgument(
        "allow_download",
        default_value="",
        choices=["", "true", "false", "True", "False"],
        description="Download weights that are not in the local cache yet. Empty: as in params_file.",
    ),
    DeclareLaunchArgument(
        "accept_noncommercial_license",
        default_value="",
        choices=["", "true", "false", "True", "False"],
        description="Agree to the licence of weights that may not be used commercially. Empty: as in params_file.",
    ),
    DeclareLaunchArgument(
        "device",
        default_value="",
        description="auto, cpu, cuda or cuda:<number>. Empty: as in params_file.",
    ),
    DeclareLaunchArgument(
        "tf_mode",
        default_value="",
        choices=["", "none", "base", "cameras"],
        description="Publish no TF, odom -> base_link, or odom -> optical frame of every camera. "
        "Empty: base with source:=simulation, cameras with another source, else as in params_file.",
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="",
        choices=["", "true", "false", "True", "False"],
        description="Configure and activate without a lifecycle manager. Empty: as in params_file.",
    ),
]
NODE_PARAMETERS = [argument.name for argument in NODE_ARGUMENTS]

LAUNCH_ARGUMENTS = [
    DeclareLaunchArgument(
        "params_file",
        default_value=str(CONFIG / "da3.yaml"),
        description="Parameters of da3_node; $(env HOME) and other substitutions of launch files may be used in it.",
    ),
    DeclareLaunchArgument(
        "namespace",
        default_value="",
        description="Namespace of the robot, for all topics; its TF is then on <namespace>/tf, as in Nav2.",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        choices=["true", "false", "True", "False"],
        description="Follow the clock on /clock, as of `ros2 bag play --clock`.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Least severe messages that the nodes log.",
    ),
    DeclareLaunchArgument(
        "python",
        default_value="",
        description="Python that runs the nodes, such as ~/venv/bin/python where torch is in a virtual environment. "
        "Empty: the one that ROS uses.",
    ),
    DeclareLaunchArgument(
        "rviz",
        default_value="false",
        choices=["true", "false", "True", "False"],
        description="Start rviz2 on the cameras front, left and right.",
    ),
    DeclareLaunchArgument(
        "source",
        default_value="",
        description="Also play cameras: simulation, or the path of a folder of images, a video or a rosbag2. "
        "Empty: the robot's own cameras.",
    ),
    DeclareLaunchArgument(
        "loop",
        default_value="false",
        choices=["true", "false", "True", "False"],
        description="Play the source again when it has ended.",
    ),
]


def generate_launch_description() -> LaunchDescription:
    profile = [
        SetEnvironmentVariable(name, str(CONFIG / "fastdds.xml"))
        for name in PROFILE_VARIABLES
        if not any(variable in os.environ for variable in PROFILE_VARIABLES)
    ]
    return LaunchDescription([*NODE_ARGUMENTS, *LAUNCH_ARGUMENTS, *profile, OpaqueFunction(function=nodes), rviz()])


def nodes(context: LaunchContext) -> list[Node]:
    arguments = context.launch_configurations
    given = {name: arguments[name] for name in NODE_PARAMETERS if arguments[name]}
    source = arguments["source"]
    if source:
        given = {**first_look(source), **given}
    params_file = ParameterFile(arguments["params_file"], allow_substs=True)
    started = [node(context, "da3_node", [params_file, typed(given)])]
    if source:
        loop = is_true(arguments["loop"])
        text = Path(params_file.evaluate(context)).read_text()
        in_file = parameters_in(text, "/".join(("", *arguments["namespace"].split("/"), "da3_node")))
        started.append(node(context, "image_source_node", [{**played(source, given, in_file), "loop": loop}]))
    return started


def played(source: str, given: dict[str, str], in_file: dict[str, object]) -> dict[str, object]:
    """What image_source_node is asked for, so that da3_node can use all of it."""
    # What nobody listens to would be waited for.
    known = {"cameras": [""], "image_transport": "raw", **in_file, **typed(given)}
    return {
        "source": ParameterValue(source, value_type=str),
        # In this mode da3_node gives the optical frames a parent, and a frame has only one.
        "static_tf": given["tf_mode"] != "cameras",
        **{name: known[name] for name in ("cameras", "image_transport")},
    }


def parameters_in(text: str, node_name: str) -> dict[str, object]:
    """What a parameter file says of a node, by its full name; of several sections that fit, the last one rules."""
    found: dict[str, object] = {}

    def take(content: object, name: str) -> None:
        for key, inner in content.items() if isinstance(content, dict) else ():
            if key != "ros__parameters":
                take(inner, f"{name}/{str(key).strip('/')}")
            elif re.fullmatch(wildcard.sub(lambda stars: FITTING[stars[0]], name), fitted):
                found.update(inner or {})

    wildcard, fitted = re.compile(r"/\*\*?"), "/" + "/".join(filter(None, node_name.split("/")))
    take(yaml.safe_load(text), "")
    return found


def first_look(source: str) -> dict[str, str]:
    """What makes a source visible, where the user says nothing else; the simulation knows its rig, others may not."""
    if source == "simulation":
        return {"cameras": "front,left,right", "tf_mode": "base"}
    return {"tf_mode": "cameras"}


def typed(given: dict[str, str]) -> dict[str, object]:
    parameters: dict[str, object] = {name: ParameterValue(text, value_type=str) for name, text in given.items()}
    if "cameras" in given:
        parameters["cameras"] = [name.strip() for name in given["cameras"].split(",")]
    for name in ("allow_download", "accept_noncommercial_license", "autostart"):
        if name in given:
            parameters[name] = is_true(given[name])
    return parameters


def node(context: LaunchContext, executable: str, parameters: list[object]) -> Node:
    arguments = context.launch_configurations
    python = os.path.expanduser(arguments["python"])  # noqa: PTH111  a path, or a command on PATH
    return Node(
        package="da3_ros",
        executable=executable,
        name=executable,
        exec_name=executable,  # in the log, also behind a prefix
        namespace=arguments["namespace"],
        parameters=[*parameters, {"use_sim_time": is_true(arguments["use_sim_time"])}],
        remappings=TF_OF_NAMESPACE,
        arguments=["--ros-args", "--log-level", arguments["log_level"]],
        prefix=shlex.quote(python) if python else None,
        output="screen",
    )


def rviz() -> Node:
    return Node(
        condition=IfCondition(LaunchConfiguration("rviz")),
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),  # the topics in da3.rviz are relative
        parameters=[{"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}],
        remappings=TF_OF_NAMESPACE,
        arguments=["-d", str(CONFIG / "da3.rviz")],
        output="screen",
    )


def is_true(text: str) -> bool:
    return text.lower() == "true"
