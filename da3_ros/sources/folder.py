# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of images: one camera's images directly, or one sub-folder per camera, in name order.

A camera's `camera_info.yaml` (what `camera_calibration` saves) lies beside its images and is used when it is there.
Without one, images may be of any sizes; with one, all are of its size.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.sources.source import Source, SourceError
from da3_ros.streaming.frame import Frame

_log = logging.getLogger(__name__)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def open_folder(folder: Path, rate_hz: float) -> Source:
    """Images of one or many cameras as frames at a steady rate; the cameras' n-th images are taken together.

    Raises:
        SourceError: when there are no images but of depth; when the cameras have different numbers of them, or names
            that are one to ROS; when a calibration is none, or for images of another size.
    """
    images = _images_by_camera(folder)
    if not images:
        raise SourceError(f"no images ({', '.join(IMAGE_SUFFIXES)}) in '{folder}' or its sub-folders")
    counts = {camera: len(files) for camera, files in images.items()}
    if len(set(counts.values())) > 1:
        raise SourceError(f"the cameras in '{folder}' have different numbers of images: {counts}")
    calibrations = {
        camera: read_calibration(files[0].parent, _size(_first_image(files))) for camera, files in images.items()
    }
    period_ns = round(1e9 / rate_hz)

    def play(start_ns: int | None) -> Iterator[Frame]:
        for index, together in enumerate(zip(*images.values(), strict=True)):
            stamp_ns = (start_ns or 0) + index * period_ns
            for camera, file in zip(images, together, strict=True):
                image = _read_image(file, calibrations[camera])
                if image is not None:
                    yield Frame(camera, stamp_ns, f"{camera}_optical_frame", image, calibrations[camera])

    return Source(tuple(images), sum(counts.values()), play)


def _images_by_camera(folder: Path) -> dict[str, list[Path]]:
    """Images of the folder itself, of its `images` folder, or of each sub-folder that has any but depth."""
    depths: list[Path] = []
    for place in (folder, folder / "images"):
        if files := _images(place):
            return {"camera": files}
        cameras = _images_by_folder(place)
        if {sub.name for sub in cameras} == {"images"} or (place / "meta.json").exists():
            continue  # a data set: its images lie one level below
        depths += [sub for sub, files in cameras.items() if _is_depth(_first_image(files))]
        if colours := {sub: files for sub, files in cameras.items() if sub not in depths}:
            for sub in depths:
                _log.warning("'%s' is left out: its images are depth, one channel of more than 8 bits", sub)
            return _by_ros_name(colours)
    if depths:
        names = ", ".join(sub.name for sub in depths)
        raise SourceError(f"no images in '{folder}' but depth ({names}): give a folder of colour images")
    return {}


def _images_by_folder(place: Path) -> dict[Path, list[Path]]:
    """Images of each sub-folder that has any, in name order."""
    subs = sorted(place.iterdir()) if place.is_dir() else []
    return {sub: files for sub in subs if (files := _images(sub))}


def _by_ros_name(cameras: Mapping[Path, list[Path]]) -> dict[str, list[Path]]:
    """Images by the camera's name; raises `SourceError` when two folders have the same."""
    folders: dict[str, Path] = {}
    for sub in cameras:
        name = _ros_name(sub.name)
        if name in folders:
            both = f"'{folders[name].name}' and '{sub.name}'"
            raise SourceError(f"the folders {both} in '{sub.parent}' would both be the camera '{name}': rename one")
        folders[name] = sub
    return {name: cameras[sub] for name, sub in folders.items()}


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    images = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(images, key=_natural_order)


def _natural_order(file: Path) -> list[tuple[int, str]]:
    """Numbers in names by their value: img_2 comes before img_10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", file.name)]


def _ros_name(name: str) -> str:
    """A folder's name as a part of a topic name: letters, digits and underscores, not starting with a digit."""
    word = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())
    return f"camera_{word}" if word[:1].isdigit() else word


def _read_image(file: Path, calibration: PinholeCamera | None) -> npt.NDArray[np.uint8] | None:
    """(H, W, 3) RGB, or None and a warning; a calibration holds for the pixels as stored, whatever their EXIF says."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION if calibration else cv2.IMREAD_COLOR
    image = cv2.imread(str(file), flags)
    if image is None:
        _log.warning("the image '%s' cannot be decoded and is left out", file)
        return None
    if calibration and _size(image) != calibration.size:
        (height, width), (h, w) = image.shape[:2], calibration.size
        _log.warning(
            "the image '%s' has %dx%d pixels, its calibration is for %dx%d: it is left out", file, width, height, w, h
        )
        return None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _first_image(files: Sequence[Path]) -> npt.NDArray[Any] | None:
    """The first that can be decoded, as it is stored."""
    images = (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files)
    return next((image for image in images if image is not None), None)


def _is_depth(image: npt.NDArray[Any] | None) -> bool:
    return image is not None and image.ndim == 2 and image.dtype.itemsize > 1


def _size(image: npt.NDArray[Any] | None) -> tuple[int, int] | None:
    return None if image is None else (image.shape[0], image.shape[1])


def read_calibration(folder: Path, size: tuple[int, int] | None) -> PinholeCamera | None:
    """The camera that `camera_info.yaml` in a folder describes, or None when there is none.

    Args:
        folder: of the file.
        size: (H, W) of the first image it is for; None when not known.

    Raises:
        SourceError: when the file is there but not a calibration, or for images of another size.
    """
    file = folder / "camera_info.yaml"
    if not file.is_file():
        return None
    try:
        text = yaml.safe_load(file.read_text())
        k = text["camera_matrix"]["data"]
        for_size = (int(text["image_height"]), int(text["image_width"]))
        coefficients = tuple(map(float, text["distortion_coefficients"]["data"]))
        model = text["distortion_model"] if any(coefficients) else "none"
        camera = PinholeCamera(for_size, float(k[0]), float(k[4]), float(k[2]), float(k[5]), model, coefficients)
    except (KeyError, TypeError, IndexError, ValueError, yaml.YAMLError) as error:
        raise SourceError(f"'{file}' is not a camera calibration: {error}") from error
    if size is not None and size != camera.size:
        (height, width), (h, w) = size, camera.size
        raise SourceError(
            f"'{file}' is for {w}x{h} pixels, its images have {width}x{height}: calibrate at this size, or take it away"
        )
    return camera
