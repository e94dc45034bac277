# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX files of a network: what they say about themselves, and how ONNX Runtime opens them."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from da3_ros.inference.onnx_metadata import read_metadata

METADATA_KEY: Final = "da3_ros"
INPUT: Final = "images"
# Fields of `NetworkArrays`.
OUTPUTS: Final = ("depth", "confidence", "camera_from_world", "intrinsics")
_RAY_OUTPUTS: Final = ("ray", "ray_confidence")
_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
_TENSORRT: Final = "TensorrtExecutionProvider"
_CHUNK_BYTES: Final = 1 << 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OnnxContents:
    """What a file holds. It is kept in the file's metadata, as JSON under `METADATA_KEY`.

    Attributes:
        model: architecture, as in `da3-small`.
        views: V, the number of images of a call.
        size: (H, W) of the images.
        reference_view: how the graph chooses its reference view.
        rays: whether it answers with rays too.
        precision: of the backbone's matrices; everything else is fp32.
        weights: SHA-256 of the checkpoint file, or `random`.
        da3_ros: version that exported it.
    """

    model: str
    views: int
    size: tuple[int, int]
    reference_view: str
    rays: bool
    precision: Literal["fp32", "fp16"]
    weights: str
    da3_ros: str

    def __post_init__(self) -> None:
        """Take the size back from JSON, which knows no tuples."""
        H, W = self.size
        object.__setattr__(self, "size", (H, W))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return (*OUTPUTS, *_RAY_OUTPUTS) if self.rays else OUTPUTS

    @property
    def shape(self) -> str:
        """The views and their size in words."""
        return f"{self.views} view{'s' if self.views > 1 else ''} of {self.size[0]}x{self.size[1]}"

    def metadata(self) -> dict[str, str]:
        """The entries of the file's metadata."""
        return {METADATA_KEY: json.dumps(asdict(self))}


def is_onnx_file(weights: str) -> bool:
    """Whether what a user names as weights is an exported network."""
    return weights.lower().endswith(".onnx")


def read_contents(path: Path) -> OnnxContents:
    """What a file holds by its own word, without opening it as a network.

    Raises:
        ValueError: when it is missing, or none of ours.
    """
    if not path.is_file():
        raise ValueError(f"ONNX file {path} does not exist")
    try:
        return _contents(read_metadata(path), path)
    except ValueError as error:
        raise _not_ours(path) from error


def open_onnx_file(path: Path, *, device: str, cpu_threads: int) -> tuple[Any, OnnxContents]:
    """Make an `onnxruntime.InferenceSession` of a file that `onnx_export` made.

    Providers are TensorRT, CUDA and CPU, in this order, as far as this ONNX Runtime has them and the device allows. A
    file in fp16 is kept from TensorRT, which would choose by itself what else it computes so.

    Args:
        path: the file.
        device: auto, cpu, cuda or cuda:<index>.
        cpu_threads: threads of one call on the CPU, above 0.

    Raises:
        ValueError: when onnxruntime or the device is missing, or the file is none of ours.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(f"{path.name} needs onnxruntime: pip install onnxruntime (or onnxruntime-gpu)") from error
    providers = _providers(device, onnxruntime.get_available_providers())
    if not path.is_file():
        raise ValueError(f"ONNX file {path} does not exist")
    try:
        session = _session(path, cpu_threads, [_CPU])
        contents = _contents(session.get_modelmeta().custom_metadata_map, path)
        if contents.precision == "fp16":
            providers = [name for name in providers if name != _TENSORRT]
        if providers[0] != _CPU:
            session = _session_on(providers, device, path, cpu_threads)
    except session_failures() as error:
        raise ValueError(f"{path} is not an ONNX file that this ONNX Runtime can run: {_first_line(error)}") from error
    chosen = session.get_providers()[0]
    if device.startswith("cuda") and chosen == _CPU:
        raise ValueError(f"device '{device}': ONNX Runtime fell back to the CPU; its log above says why")
    _log.info("%s: %s, %s, run by ONNX Runtime's %s", path.name, contents.shape, contents.precision, chosen)
    return session, contents


def session_failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises; its types have no common ancestor but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.EPFail,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,
    )


def _session(path: Path, threads: int, providers: Sequence[str | tuple[str, dict[str, str]]]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait by spinning would take the cores from the ROS executor.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)


def _session_on(providers: Sequence[str], device: str, path: Path, threads: int) -> Any:
    """A session by the first of the providers that can run the file; by the CPU only where the device is `auto`.

    ONNX Runtime's own way to fall back is shut: it forgets which GPU was asked for.
    """
    name, *others = providers
    try:
        return _session(path, threads, [(one, _options(one, device, path)) for one in providers])
    except session_failures() as error:
        reason = _first_line(error)
        if not others or (others == [_CPU] and device != "auto"):
            raise ValueError(
                f"device '{device}': ONNX Runtime's {name} cannot run {path} ({reason}): use auto or cpu"
            ) from error
    _log.warning("%s: ONNX Runtime's %s cannot run it (%s): %s is tried", path.name, name, reason, others[0])
    return _session_on(others, device, path, threads)


def _providers(device: str, available: Sequence[str]) -> list[str]:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ValueError(f"device '{device}' is not supported: use auto, cpu, cuda or cuda:<index>")
    if device == "cpu":
        return [_CPU]
    found = [name for name in (_TENSORRT, _CUDA) if name in available]
    if device != "auto" and not found:
        raise ValueError(f"device '{device}': this ONNX Runtime has no CUDA provider: pip install onnxruntime-gpu")
    return [*found, _CPU]


def _options(provider: str, device: str, path: Path) -> dict[str, str]:
    if provider == _CPU:
        return {}
    options = {"device_id": device.partition(":")[2] or "0"}
    if provider == _TENSORRT:
        options["trt_engine_cache_enable"] = "True"  # to build an engine takes minutes
        # By itself TensorRT would take an engine for the same graph with other weights.
        options["trt_engine_cache_path"] = str(path.with_suffix(f".{_digest(path)}.tensorrt"))
    return options


def _digest(path: Path) -> str:
    """Of the whole file, and of the tensors that an exporter may have put beside it."""
    content = hashlib.sha256()
    for part in (path, path.with_name(f"{path.name}.data")):
        if part.is_file():
            with part.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    content.update(chunk)
    return content.hexdigest()[:16]


def _contents(metadata: Mapping[str, str], path: Path) -> OnnxContents:
    try:
        return OnnxContents(**json.loads(metadata[METADATA_KEY]))
    except (KeyError, TypeError, ValueError) as error:
        raise _not_ours(path) from error


def _not_ours(path: Path) -> ValueError:
    return ValueError(f"{path} is no ONNX file of this da3_ros: make one with `da3_ros export onnx`")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
