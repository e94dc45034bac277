# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A network to an ONNX file: bytes of V images in, what the network says of them out, everything between in the graph.

The graph has static shapes. Its input is `images`, (V, H, W, 3) uint8 RGB: normalisation is inside, so that a quarter
of the bytes travels to the device and no caller can get it wrong. Its outputs are the fields of `NetworkArrays`. The
reference view is chosen inside as well, by index arithmetic and gathers. Known cameras are not part of it.

Half precision is that of PyTorch's autocast on the backbone: matrix products and attention in fp16, their weights
stored so; the residual stream, norms and layer scales in fp32. Cameras and heads, which end in exponentials, stay fp32.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from da3_ros.inference.device import resolve_cpu_threads
from da3_ros.inference.estimator import normalised
from da3_ros.inference.onnx_file import INPUT, OnnxContents, open_onnx_file
from da3_ros.inference.precision import set_precision
from da3_ros.model.config import PATCH_SIZE
from da3_ros.model.network import Da3Network
from da3_ros.model.reference_view import check_strategy

EXPORTABLE: Final = ("da3-nano", "da3-small", "da3-base", "da3-large")  # one ONNX file holds at most 2 GB
OPSET: Final = 20  # the newest that TensorRT 10 reads, and the first with Gelu
TOLERANCE: Final = {"fp32": 1e-4, "fp16": 5e-2}
_NOISY_LOGGERS: Final = ("torch.onnx", "onnxscript", "onnx_ir")


@dataclass(frozen=True, slots=True)
class ExportReport:
    """How a new file compares with the network it was made of.

    Attributes:
        errors: of each output max |file's - network's| / max |network's| on one window, both on the CPU.
        size_bytes: of the file.
    """

    errors: Mapping[str, float]
    size_bytes: int


class ExportError(RuntimeError):
    """The file would not be what it says; none was written."""


def export_onnx(
    network: Da3Network, path: Path, contents: OnnxContents, on_step: Callable[[str], None] = lambda step: None
) -> ExportReport:
    """Write the file, once ONNX Runtime has been seen to answer with it as PyTorch does.

    Args:
        network: in float32 on the CPU; it stays as it is.
        path: of the file to be written or replaced.
        contents: what it shall hold.
        on_step: told what is being done.

    Raises:
        ValueError: when this network cannot be exported so, or a package is missing.
        ExportError: when the file's answer differs from the network's by more than `TOLERANCE`.
    """
    check_exportable(contents)
    images = example_images(contents.views, contents.size)
    on_step("running the network in PyTorch")
    # Before tracing: what the network caches is then made of numbers, not of the tracer's stand-ins for them.
    expected = _answer(_Exported(network, contents), images)
    exported = _Exported(_halved(network) if contents.precision == "fp16" else network, contents)
    on_step("tracing the network")
    program = _traced(exported, images)
    program.model.metadata_props.update(contents.metadata())
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unproven = Path(folder) / path.name
        on_step("writing the file")
        program.save(unproven)
        on_step("comparing ONNX Runtime with PyTorch")
        errors = _errors(unproven, expected, images)
        _check_errors(errors, contents)
        unproven.replace(path)
    return ExportReport(errors, path.stat().st_size)


def check_exportable(contents: OnnxContents) -> None:
    """Raise `ValueError` when no file can have these contents, or what writes one is not installed."""
    if contents.model not in EXPORTABLE:
        raise ValueError(f"{contents.model} cannot be exported: choose one of {', '.join(EXPORTABLE)}")
    H, W = contents.size
    if contents.views < 1 or min(H, W) < PATCH_SIZE or H % PATCH_SIZE or W % PATCH_SIZE:
        raise ValueError(f"cannot export {contents.shape}: height and width must be multiples of {PATCH_SIZE}")
    check_strategy(contents.reference_view)
    for package in ("onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ValueError(f"to export needs {package}: pip install onnxscript onnxruntime")


def example_images(views: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """(V, H, W, 3) uint8 pictures, smooth and unlike one another, so that the choice of the reference is clear."""
    H, W = size
    rows, columns = np.linspace(0, 1, H)[:, None, None], np.linspace(0, 1, W)[:, None]
    view = np.arange(views)[:, None, None, None]
    waves = np.sin((2 + view) * (3 * rows + 5 * columns) + np.arange(3) + view)
    strength = 40 + 80 * (view + 1) / views
    return np.clip(128 + strength * waves, 0, 255).astype(np.uint8)


class _Exported(nn.Module):
    """The network as the file has it."""

    def __init__(self, network: Da3Network, contents: OnnxContents) -> None:
        super().__init__()
        self._network = network
        self.contents = contents

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(V, H, W, 3) uint8 -> the outputs that `OnnxContents` names, without a batch axis."""
        # TensorRT takes bytes only if they are cast at once.
        output = self._network(
            normalised(images.float()), want_rays=self.contents.rays, reference_view=self.contents.reference_view
        )
        return tuple(getattr(output, name).squeeze(0) for name in self.contents.outputs)


class _FloatNorm(nn.Module):
    """A norm that computes in fp32 whatever it is given, and answers in kind."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x.float())
        return normed.to(x.dtype)


def _halved(network: Da3Network) -> Da3Network:
    """A copy whose backbone's blocks compute as this module's docstring says."""
    copied = copy.deepcopy(network)
    set_precision(copied, backbone=torch.float16, head=torch.float32)
    for parent in list(copied.backbone.blocks.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.LayerNorm):
                setattr(parent, name, _FloatNorm(child))
    return copied


def _answer(exported: _Exported, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
    with torch.inference_mode():
        outputs = exported(torch.from_numpy(images))
    return {name: output.numpy() for name, output in zip(exported.contents.outputs, outputs, strict=True)}


def _traced(exported: _Exported, images: npt.NDArray[np.uint8]) -> Any:
    with torch.no_grad(), _quiet():
        return torch.onnx.export(
            exported.eval(),
            (torch.from_numpy(images),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(exported.contents.outputs),
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the exporter says of itself; its failures are exceptions."""
    loggers = [logging.getLogger(name) for name in _NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _errors(
    path: Path, expected: Mapping[str, npt.NDArray[np.float32]], images: npt.NDArray[np.uint8]
) -> dict[str, float]:
    session, _ = open_onnx_file(path, device="cpu", cpu_threads=resolve_cpu_threads(0))
    answers = session.run(list(expected), {INPUT: images})
    return {
        name: float(np.abs(answer - expected[name]).max() / np.abs(expected[name]).max())
        for name, answer in zip(expected, answers, strict=True)
    }


def _check_errors(errors: Mapping[str, float], contents: OnnxContents) -> None:
    worst = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    if not errors[worst] <= TOLERANCE[contents.precision]:
        raise ExportError(
            f"ONNX Runtime's {worst} differs from PyTorch's by {errors[worst]:.1e}, more than the "
            f"{TOLERANCE[contents.precision]:.0e} of {contents.precision}: no file was written"
        )
