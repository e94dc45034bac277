# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Install with pip where there is no ROS; colcon builds by CMakeLists.txt instead."""

from setuptools import find_packages, setup

setup(
    name="da3_ros",
    version="0.1.0",
    description="Depth images, point clouds and camera poses from plain cameras, with Depth Anything 3",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["da3_ros", "da3_ros.*"]),
    package_data={"da3_ros": ["py.typed", "weights/*"]},
    install_requires=[
        "torch>=2.4",
        "numpy>=1.26",
        "opencv-python-headless>=4.8",
        "safetensors>=0.4",
        "huggingface_hub>=0.34",
        "PyYAML>=6",
        "rosbags>=0.11.6",
        "matplotlib>=3.7",
        "rich>=13",
        "scipy>=1.11",
    ],
    extras_require={
        "onnx": ["onnxruntime>=1.20", "onnxscript>=0.5"],
        "test": [
            "pytest",
            "pytest-timeout",
            "hypothesis",
            "ruff",
            "mypy",
            "types-PyYAML",
            "onnxruntime>=1.20",
            "onnxscript>=0.5",
        ],
    },
    entry_points={"console_scripts": ["da3_ros = da3_ros.cli.main:main"]},
)
