# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Reads checkpoint files into networks, strictly: every tensor is accounted for; and writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from da3_ros.model.upstream_keys import OPTIONAL_HEAD, our_name, upstream_name

_PICKLE_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
FILE_SUFFIXES = (".safetensors", ".onnx", *_PICKLE_SUFFIXES)
_NAMES_SHOWN = 20


class WeightsError(ValueError):
    """Weights cannot be had, may not be used, or do not fit the network."""


@dataclass(frozen=True, slots=True)
class CheckpointHeader:
    """What a file says before its numbers.

    Attributes:
        shapes: of every tensor, by upstream's name.
        about: what the file says about itself; empty in official ones.
    """

    shapes: Mapping[str, tuple[int, ...]]
    about: Mapping[str, str]


def read_header(path: str | Path) -> CheckpointHeader:
    """Look into a safetensors file.

    Raises:
        WeightsError: if it is missing, unreadable or a pickle.
    """
    path = Path(path)
    _check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            return CheckpointHeader(shapes, dict(file.metadata() or {}))
    except (SafetensorError, OSError) as error:
        raise _failure(path, error) from error


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Copy a checkpoint with upstream's tensor names into a network. On an error the network is unchanged.

    Args:
        network: of the checkpoint's architecture, on any device, of any floating-point type.
        path: a safetensors file.

    Raises:
        WeightsError: if the file is missing, unreadable or a pickle, holds a name that is neither mapped nor
            dropped, lacks a tensor, or has one of another shape. The head for Gaussians is dropped where the network
            is built without it.
    """
    path = Path(path)
    _check_file(path)
    targets = network.state_dict(keep_vars=True)
    try:
        with safe_open(path, framework="pt") as file:
            sources, unknown = _match(file.keys(), targets)
            for ours, theirs in sources.items():  # before the names: weights of another size are told by one tensor
                _check_shape(theirs, tuple(file.get_slice(theirs).get_shape()), tuple(targets[ours].shape), path)
            _check_complete(unknown, sorted(targets.keys() - sources.keys()), path)
            with torch.no_grad():
                for ours, theirs in sources.items():
                    targets[ours].copy_(file.get_tensor(theirs))
    except (SafetensorError, OSError) as error:
        raise _failure(path, error) from error


def save_weights(
    network: nn.Module, path: str | Path, *, dtype: torch.dtype = torch.float32, about: Mapping[str, str] | None = None
) -> None:
    """Write an any-view network as official checkpoints are written: their tensor names, nothing else.

    Args:
        network: whose parameters are written.
        path: of the safetensors file; appears when it is complete.
        dtype: of the tensors in the file.
        about: what the file says about itself.

    Raises:
        KeyError: if a parameter has no name there.
    """
    path = Path(path)
    tensors = {upstream_name(name): value.detach().to("cpu", dtype) for name, value in network.named_parameters()}
    temporary = path.with_name(f".{path.name}.new")
    save_file({name: value.contiguous() for name, value in tensors.items()}, temporary, dict(about or {}))
    temporary.replace(path)


def _check_file(path: Path) -> None:
    if path.suffix.lower() in _PICKLE_SUFFIXES:
        raise WeightsError(f"{path} is a pickle, which can run code when read: give a .safetensors file")
    if path.suffix.lower() == ".onnx":
        raise WeightsError(
            f"{path} is an exported network, not a checkpoint: give the .safetensors file it was made of"
        )
    try:
        path.open("rb").close()  # safetensors calls a file that may not be read one that does not exist
    except FileNotFoundError as error:
        raise WeightsError(f"weights file {path} does not exist") from error
    except OSError as error:
        raise _failure(path, error) from error


def _failure(path: Path, error: SafetensorError | OSError) -> WeightsError:
    if isinstance(error, OSError):
        return WeightsError(f"{path} cannot be read ({error.strerror or error}): see to its permissions and its disk")
    return WeightsError(f"{path} is not a readable safetensors file ({error}): download it again")


def _match(names: Iterable[str], wanted: dict[str, Tensor]) -> tuple[dict[str, str], list[str]]:
    """Our name -> upstream name for every tensor that both have, in the network's order; names that mean nothing."""
    takes_optional_head = any(OPTIONAL_HEAD in name for name in wanted)
    found: dict[str, str] = {}
    unknown = []
    for theirs in names:
        try:
            ours = our_name(theirs)
        except KeyError:
            unknown.append(theirs)
            continue
        if ours in wanted:
            found[ours] = theirs
        elif ours is not None and (takes_optional_head or OPTIONAL_HEAD not in ours):
            unknown.append(theirs)
    return {ours: found[ours] for ours in wanted if ours in found}, unknown


def _check_complete(unknown: list[str], missing: list[str], path: Path) -> None:
    if unknown or missing:
        raise WeightsError(f"{path} does not fit this network; unknown: {_list(unknown)}; missing: {_list(missing)}")


def _check_shape(name: str, theirs: tuple[int, ...], ours: tuple[int, ...], path: Path) -> None:
    if theirs != ours:
        raise WeightsError(f"{path} does not fit this network: {name} is {theirs}, the network needs {ours}")


def _list(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_NAMES_SHOWN]) or "none"
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown
