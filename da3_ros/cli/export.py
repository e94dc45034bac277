# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Write a network to a file that runs without PyTorch's network: `da3_ros export onnx` for ONNX Runtime."""

from __future__ import annotations

import argparse
import hashlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from da3_ros import __version__
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import add_network_options, settle_model
from da3_ros.cli.numbers import positive_int

if TYPE_CHECKING:
    from da3_ros.inference.onnx_export import ExportReport
    from da3_ros.inference.onnx_file import OnnxContents

_CHUNK_BYTES = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros export`."""
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    onnx = formats.add_parser("onnx", help="for ONNX Runtime", description=_onnx.__doc__)
    onnx.add_argument("output", type=Path, help="file to write, ending in .onnx")
    add_network_options(onnx)
    onnx.add_argument("--views", type=positive_int, default=4, help="images per call (default: 4)")
    onnx.add_argument("--size", type=image_size, default=(280, 504), help="their HEIGHTxWIDTH (default: 280x504)")
    onnx.add_argument("--fp16", action="store_true", help="half precision in the backbone, for GPUs")
    onnx.add_argument("--rays", action="store_true", help="answer with rays too, for pose_source 'rays'")
    onnx.add_argument(
        "--reference-view", default="saddle_balanced", help="how the reference is chosen (default: saddle_balanced)"
    )


def image_size(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH in pixels, for argparse."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not HEIGHTxWIDTH, as in 280x504")
    return int(match[1]), int(match[2])


def run(arguments: argparse.Namespace) -> int:
    """Export in the format asked for; ONNX is the only one."""
    return _onnx(arguments)


def _onnx(arguments: argparse.Namespace) -> int:
    """Write the network for a fixed number of views of a fixed size, compared with PyTorch before it is kept."""
    # The rest of the package does without these.
    try:
        from da3_ros.inference.onnx_export import ExportError, check_exportable, export_onnx
        from da3_ros.inference.onnx_file import is_onnx_file
        from da3_ros.model.build import build_network
        from da3_ros.model.network import Da3Network
        from da3_ros.model.weights import initialise
    except ImportError as error:
        raise CommandError(f"{error.name} is not installed: pip install {error.name}") from error
    if not is_onnx_file(str(arguments.output)):
        raise CommandError(f"the file must end in .onnx, not '{arguments.output}'")
    if not arguments.output.parent.is_dir():
        raise CommandError(f"there is no folder '{arguments.output.parent}' to write into")
    start_s = time.monotonic()
    with Console(stderr=True).status("reading the weights") as status:
        try:
            settle_model(arguments)
            contents = _contents(arguments)
            check_exportable(contents)
            network = build_network(contents.model)
            assert isinstance(network, Da3Network)  # as every exportable one
            initialise(
                network,
                arguments.weights,
                accept_noncommercial_license=arguments.accept_noncommercial_license,
                allow_download=arguments.allow_download,
            )
            report = export_onnx(network, arguments.output, contents, status.update)
        except (ValueError, ExportError) as error:
            raise CommandError(str(error)) from error
    _print(arguments.output, contents, report, time.monotonic() - start_s)
    return 0


def _contents(arguments: argparse.Namespace) -> OnnxContents:
    from da3_ros.inference.onnx_file import OnnxContents

    return OnnxContents(
        model=arguments.model,
        views=arguments.views,
        size=arguments.size,
        reference_view=arguments.reference_view,
        rays=arguments.rays,
        precision="fp16" if arguments.fp16 else "fp32",
        weights=_digest(arguments),
        da3_ros=__version__,
    )


def _digest(arguments: argparse.Namespace) -> str:
    """SHA-256 of the checkpoint file, or `random`."""
    from da3_ros.model.weights import RANDOM, resolve_weights

    if arguments.weights == RANDOM:
        return RANDOM
    path = resolve_weights(
        arguments.weights,
        arguments.model,
        accept_noncommercial_license=arguments.accept_noncommercial_license,
        allow_download=arguments.allow_download,
    )
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _print(path: Path, contents: OnnxContents, report: ExportReport, duration_s: float) -> None:
    console = Console()
    console.print(
        f"{path}: {contents.model}, {contents.shape}, {contents.precision}, reference view {contents.reference_view}, "
        f"{report.size_bytes / 1e6:.0f} MB, made in {duration_s:.0f} s",
        soft_wrap=True,
    )
    table = Table("output", "largest error", title="ONNX Runtime against PyTorch fp32, both on the CPU")
    for name, error in report.errors.items():
        table.add_row(name, f"{error:.1e}")
    console.print(table)
