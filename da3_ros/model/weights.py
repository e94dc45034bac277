# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where weights come from: a file, the package itself, a Hugging Face repository, or chance; and who may use them."""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from torch import nn

from da3_ros.model.build import Network
from da3_ros.model.camera_token import CameraDecoder
from da3_ros.model.checkpoint import FILE_SUFFIXES, WeightsError, load_weights

RANDOM: Final = "random"
AUTO: Final = "auto"
CHECKPOINT_NAME: Final = "model.safetensors"

# Repositories of the official weights and the architecture each one holds.
OFFICIAL: Final = MappingProxyType(
    {
        "depth-anything/DA3-SMALL": "da3-small",
        "depth-anything/DA3-BASE": "da3-base",
        "depth-anything/DA3-LARGE": "da3-large",
        "depth-anything/DA3-LARGE-1.1": "da3-large",
        "depth-anything/DA3-GIANT": "da3-giant",
        "depth-anything/DA3-GIANT-1.1": "da3-giant",
        "depth-anything/DA3MONO-LARGE": "da3mono-large",
        "depth-anything/DA3METRIC-LARGE": "da3metric-large",
        "depth-anything/DA3NESTED-GIANT-LARGE": "da3nested-giant-large",
        "depth-anything/DA3NESTED-GIANT-LARGE-1.1": "da3nested-giant-large",
    }
)
# Weights that come with the package, so that it shows something without a download.
EMBEDDED: Final = MappingProxyType({"da3-nano": "da3-nano.safetensors"})
EMBEDDED_FOLDER: Final = Path(__file__).resolve().parents[1] / "weights"
EMBEDDED_MEANING: Final = "trained on synthetic rooms; shows the pipeline; not for robots"
# A file does not say where it is from, so the architecture decides: official weights of these are CC BY-NC 4.0.
NONCOMMERCIAL: Final = frozenset({"da3-large", "da3-giant", "da3nested-giant-large"})

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")

logger = logging.getLogger(__name__)


def initialise(
    network: Network,
    spec: str,
    *,
    accept_noncommercial_license: bool = False,
    allow_download: bool = False,
    seed: int = 0,
) -> None:
    """Give a network the weights that `spec` names.

    Args:
        network: what `build.build_network` returned.
        spec: path of a safetensors file or of a folder with a `model.safetensors`; Hugging Face id such as
            depth-anything/DA3-SMALL; `auto` for the embedded weights of the model, said in a warning, or else its
            newest official ones; or `random`, for tests.
        accept_noncommercial_license: the user accepts CC BY-NC 4.0; see `NONCOMMERCIAL`.
        allow_download: a Hugging Face file that is not in the local cache may be fetched.
        seed: seed of random weights.

    Raises:
        WeightsError: if the weights cannot be had, may not be used, or do not fit.
    """
    if spec == RANDOM:
        randomise(network, seed)
        return
    path = resolve_weights(
        spec,
        network.config.name,
        accept_noncommercial_license=accept_noncommercial_license,
        allow_download=allow_download,
    )
    if spec == AUTO and network.config.name in EMBEDDED:
        logger.warning(
            "the embedded %s is used: %s; for real depth set model:=da3-small allow_download:=true "
            "(commands: --model da3-small --allow-download)",
            network.config.name,
            EMBEDDED_MEANING,
        )
    load_weights(network, path)


def resolve_weights(
    spec: str, model_name: str, *, accept_noncommercial_license: bool = False, allow_download: bool = False
) -> Path:
    """Find the checkpoint file that `spec` names; see `initialise`, but not `random`.

    Raises:
        WeightsError: if there is no such file, or the licence has not been accepted.
    """
    if spec == AUTO:
        if model_name in EMBEDDED:
            return embedded_file(model_name)
        official = [repository for repository, held in OFFICIAL.items() if held == model_name]
        if not official:
            raise WeightsError(f"there are no official weights of {model_name}: name a safetensors file")
        spec = official[-1]  # the newest
    _check_licence(spec, model_name, accept_noncommercial_license)
    return local_file(spec) or _from_hugging_face(spec, model_name, allow_download)


def embedded_file(model_name: str) -> Path:
    """The weights of a key of `EMBEDDED`.

    Raises:
        WeightsError: if this installation lacks them.
    """
    path = EMBEDDED_FOLDER / EMBEDDED[model_name]
    if not path.is_file():
        raise WeightsError(
            f"the embedded weights of {model_name} are missing ({path}): train them (docs/training.md), or name "
            "weights such as depth-anything/DA3-SMALL"
        )
    return path


def local_file(spec: str) -> Path | None:
    """The checkpoint that `spec` names by its path or by its folder's; None for a Hugging Face id.

    Raises:
        WeightsError: if it is neither.
    """
    path = Path(spec).expanduser()
    if path.is_dir():
        path = path / CHECKPOINT_NAME
    if path.exists():
        return path
    if path.suffix in FILE_SUFFIXES or not _REPOSITORY.fullmatch(spec):
        raise WeightsError(f"weights {spec!r}: no such file, nor a Hugging Face id such as depth-anything/DA3-SMALL")
    return None


def randomise(network: Network, seed: int = 0) -> None:
    """Fill every parameter with seeded random values.

    Outputs are finite, differ from pixel to pixel, and mean nothing. The values depend on the seed and the
    architecture only, not on the device.
    """
    logger.warning("RANDOM weights (seed %d): depth and poses are meaningless", seed)
    fill_with_noise(network, seed)
    for module in network.modules():
        if isinstance(module, CameraDecoder):
            open_field_of_view(module.field_of_view)
    calm(network)


def fill_with_noise(module: nn.Module, seed: int) -> None:
    """Draw every parameter so that activations stay near 1: weights by fan-in, shifts near 0, factors near 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                values = 0.1 * values + (0.0 if name.endswith("bias") else 1.0)
            elif parameter.ndim != 3:  # tokens and position tables are 3-D and stay as drawn
                values /= math.sqrt(parameter[0].numel())
            parameter.copy_(values)


def calm(network: nn.Module, gain: float = 0.3) -> None:
    """Make noise as weights behave more like trained weights, for figures on rounding.

    In a trained transformer a block adds little to its residual stream, and log depth varies by far less than noise
    would make it: LayerScale factors and the last layers of heads are multiplied by `gain`.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("gamma") or "_output.output." in name:
                parameter.mul_(gain)


def open_field_of_view(layer: nn.Linear) -> None:
    """Move noise in the layer that predicts fields of view to around 1 rad, clear of the ReLU behind it."""
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.add_(1.0)


def _check_licence(spec: str, model_name: str, accepted: bool) -> None:
    held = OFFICIAL.get(spec, model_name)
    if held != model_name:
        raise WeightsError(f"{spec} holds {held}, not {model_name}: change the weights or the model")
    if model_name in NONCOMMERCIAL and not accepted:
        raise WeightsError(
            f"official {model_name} weights are licensed CC BY-NC 4.0 (non-commercial): "
            "set accept_noncommercial_license to true if your use allows it, or use da3-base or da3metric-large"
        )


def _from_hugging_face(repository: str, model_name: str, allow_download: bool) -> Path:
    """The repository's checkpoint from the local cache, or else from the network if that is allowed."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError as error:
        raise WeightsError(
            f"weights {repository} need huggingface_hub>=0.34: pip install -U huggingface_hub"
        ) from error
    try:
        return Path(hf_hub_download(repository, CHECKPOINT_NAME, local_files_only=True))
    except LocalEntryNotFoundError as error:
        if not allow_download:
            raise WeightsError(
                f"{repository} is not in the local cache: set allow_download to true, or run "
                f"`hf download {repository} {CHECKPOINT_NAME}` once where there is a network"
            ) from error
    logger.info("downloading %s for %s", repository, model_name)
    try:
        return Path(hf_hub_download(repository, CHECKPOINT_NAME))
    except Exception as error:  # what the transport raises is of no common type, and another in each release
        raise WeightsError(
            f"cannot download {repository}: {error}; if it broke off, run it again: it resumes"
        ) from error
