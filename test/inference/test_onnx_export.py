# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An exported file against the network it was made of, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from da3_ros.inference import onnx_export
from da3_ros.inference.estimator import network_input
from da3_ros.inference.onnx_export import ExportError, check_exportable, example_images, export_onnx
from da3_ros.inference.onnx_file import INPUT, OnnxContents, open_onnx_file
from da3_ros.model.network import Da3Network
from test.inference.conftest import CONTENTS, Exporter

CPU = torch.device("cpu")
Arrays = dict[str, npt.NDArray[np.float32]]


def random_images(views: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (views, *CONTENTS.size, 3), dtype=np.uint8)


def opened(path: Path) -> tuple[Any, OnnxContents]:
    return open_onnx_file(path, device="cpu", cpu_threads=1)


def theirs_of(path: Path, images: npt.NDArray[np.uint8]) -> Arrays:
    session, contents = opened(path)
    return dict(zip(contents.outputs, session.run(None, {INPUT: images}), strict=True))


def ours_of(network: Da3Network, images: npt.NDArray[np.uint8], reference_view: str) -> Arrays:
    with torch.inference_mode():
        output = network(network_input(images, CPU), want_rays=True, reference_view=reference_view)
    return {name: getattr(output, name)[0].numpy() for name in replace(CONTENTS, rays=True).outputs}


def largest_error(ours: Arrays, theirs: Arrays) -> float:
    """The largest over the outputs that both have; NaN counts as infinite."""
    errors = [np.abs(ours[name] - theirs[name]).max() / np.abs(ours[name]).max() for name in theirs]
    return float(np.nan_to_num(errors, nan=np.inf).max())


@pytest.mark.parametrize("views", [1, 2, 3])
def test_file_answers_as_the_network_does_when_there_are_v_views(
    small_network: Da3Network, exported: Exporter, views: int
) -> None:
    images = random_images(views)

    theirs = theirs_of(exported(views=views, rays=True), images)

    assert len(theirs) == 6
    assert largest_error(ours_of(small_network, images, "saddle_balanced"), theirs) < 1e-4


@pytest.mark.parametrize("strategy", ["saddle_balanced", "saddle_sim_range", "first", "middle"])
def test_reference_view_is_chosen_by_the_images_when_views_change_places(
    small_network: Da3Network, exported: Exporter, strategy: str
) -> None:
    path = exported(rays=True) if strategy == "saddle_balanced" else exported(reference_view=strategy)

    for places in range(3):  # whichever view is chosen, it comes to every place
        images = np.roll(random_images(3, seed=1), places, axis=0)
        assert largest_error(ours_of(small_network, images, strategy), theirs_of(path, images)) < 1e-4


def test_strategies_answer_differently(small_network: Da3Network) -> None:
    images = random_images(3, seed=1)

    first, middle = (ours_of(small_network, images, strategy) for strategy in ("first", "middle"))

    assert largest_error(first, middle) > 1e-3


def test_half_precision_is_close_and_smaller(small_network: Da3Network, exported: Exporter) -> None:
    whole, half = exported(views=2, rays=True), exported(views=2, precision="fp16")
    images = example_images(2, CONTENTS.size)

    error = largest_error(ours_of(small_network, images, "saddle_balanced"), theirs_of(half, images))

    assert 1e-5 < error < 2e-2
    assert half.stat().st_size < whole.stat().st_size


def test_file_says_what_it_holds(exported: Exporter) -> None:
    _, found = opened(exported(views=2, precision="fp16"))

    assert found == replace(CONTENTS, views=2, precision="fp16")


def test_file_takes_bytes_of_one_shape(exported: Exporter) -> None:
    session, contents = opened(exported(rays=True))

    (taken,) = session.get_inputs()
    answers = {output.name: output.shape for output in session.get_outputs()}

    assert (taken.name, taken.type, taken.shape) == ("images", "tensor(uint8)", [3, 42, 56, 3])
    assert tuple(answers) == contents.outputs
    assert answers["depth"] == answers["confidence"] == [3, 42, 56]
    assert answers["camera_from_world"] == [3, 4, 4]
    assert answers["ray"] == [3, 24, 32, 6]


def test_network_stays_as_it_is_when_it_is_exported(
    small_network: Da3Network, exported: Exporter, tmp_path: Path
) -> None:
    images = random_images(2)
    before = ours_of(small_network, images, "saddle_balanced")

    exported(views=2, precision="fp16")

    after = ours_of(small_network, images, "saddle_balanced")
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])


def test_wrong_file_is_not_left_behind(
    small_network: Da3Network, exported: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = exported(reference_view="middle")
    program = SimpleNamespace(model=SimpleNamespace(metadata_props={}), save=lambda path: shutil.copyfile(wrong, path))
    monkeypatch.setattr(onnx_export, "_traced", lambda *_: program)

    with pytest.raises(ExportError, match=r"differs from PyTorch's by .* no file was written"):
        export_onnx(small_network, tmp_path / "x.onnx", replace(CONTENTS, reference_view="first"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "da3-giant"}, "da3-giant cannot be exported: choose one of da3-nano, da3-small, da3-base"),
        ({"model": "da3metric-large"}, "da3metric-large cannot be exported"),
        ({"size": (40, 56)}, "cannot export 3 views of 40x56: height and width must be multiples of 14"),
        ({"views": 0}, "cannot export 0 view"),
        ({"reference_view": "last"}, "'last': choose one of saddle_balanced"),
    ],
    ids=["giant", "metric", "size", "views", "strategy"],
)
def test_contents_are_refused_when_no_file_can_have_them(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_exportable(replace(CONTENTS, **changes))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ValueError, match="to export needs onnxscript: pip install onnxscript onnxruntime"):
        check_exportable(CONTENTS)
