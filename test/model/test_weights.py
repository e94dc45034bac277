# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where weights come from, and whether they may be used. Nothing here touches a network."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file

from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import WeightsError
from da3_ros.model.config import ARCHITECTURES
from da3_ros.model.weights import EMBEDDED, OFFICIAL, initialise, randomise, resolve_weights
from test.model.tiny import TINY, TINY_NESTED, tiny_network

SMALL = "depth-anything/DA3-SMALL"


class FakeHub:
    """A Hugging Face client with a cache, and perhaps a network."""

    def __init__(self, *, cached: bool, online: bool, failure: Exception | None = None) -> None:
        self.cached, self.online = cached, online
        self.failure = failure or ConnectionError("no route to host")
        self.downloads: list[str] = []

    def __call__(self, repository: str, name: str, *, local_files_only: bool = False) -> str:
        if not self.cached:
            if local_files_only:
                raise LocalEntryNotFoundError("not cached")
            if not self.online:
                raise self.failure
            self.downloads.append(repository)
        return f"/cache/{repository}/{name}"


def _install(monkeypatch: pytest.MonkeyPatch, **state: Any) -> FakeHub:
    hub = FakeHub(**state)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    return hub


def test_repository_is_not_downloaded_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = _install(monkeypatch, cached=False, online=True)

    with pytest.raises(WeightsError, match=f"not in the local cache.*hf download {SMALL} model.safetensors"):
        resolve_weights(SMALL, "da3-small")

    assert hub.downloads == []


def test_repository_is_downloaded_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = _install(monkeypatch, cached=False, online=True)

    path = resolve_weights(SMALL, "da3-small", allow_download=True)

    assert path == Path(f"/cache/{SMALL}/model.safetensors")
    assert hub.downloads == [SMALL]


@pytest.mark.parametrize("allow_download", [False, True])
def test_cached_repository_is_used_offline(monkeypatch: pytest.MonkeyPatch, allow_download: bool) -> None:
    hub = _install(monkeypatch, cached=True, online=False)

    assert resolve_weights(SMALL, "da3-small", allow_download=allow_download).name == "model.safetensors"
    assert hub.downloads == []


class Torn(Exception):  # noqa: N818  # as httpx has them
    """Stands for an error of the transport, which is neither of the client's nor of the system's."""


@pytest.mark.parametrize("failure", [ConnectionError("no route to host"), Torn("peer closed")], ids=["system", "http"])
def test_failed_download_is_one_sentence(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    _install(monkeypatch, cached=False, online=False, failure=failure)

    with pytest.raises(
        WeightsError, match=f"cannot download {SMALL}: {failure}; if it broke off, run it again: it res"
    ):
        resolve_weights(SMALL, "da3-small", allow_download=True)


def test_client_that_is_too_old_is_told_as_in_setup_py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", ModuleType("without the names of later ones"))
    setup = (Path(__file__).resolve().parents[2] / "setup.py").read_text()
    (required,) = re.findall(r"huggingface_hub>=[\d.]+", setup)

    with pytest.raises(WeightsError, match=f"need {required}: pip install -U huggingface_hub"):
        resolve_weights(SMALL, "da3-small")


@pytest.mark.parametrize("model", ["da3-large", "da3-giant", "da3nested-giant-large"])
@pytest.mark.parametrize("as_path", [False, True], ids=["repository", "path"])
def test_noncommercial_weights_need_the_licence_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, as_path: bool
) -> None:
    _install(monkeypatch, cached=True, online=False)
    file = tmp_path / "model.safetensors"
    file.touch()
    spec = str(file) if as_path else f"depth-anything/{model.upper()}-1.1"

    with pytest.raises(WeightsError, match=r"CC BY-NC 4\.0.*accept_noncommercial_license"):
        resolve_weights(spec, model)
    assert resolve_weights(spec, model, accept_noncommercial_license=True).name == "model.safetensors"


@pytest.mark.parametrize(
    ("model", "repository"), [("da3mono-large", "DA3MONO-LARGE"), ("da3metric-large", "DA3METRIC-LARGE")]
)
def test_weights_for_single_images_are_free(monkeypatch: pytest.MonkeyPatch, model: str, repository: str) -> None:
    _install(monkeypatch, cached=True, online=False)

    assert resolve_weights("auto", model) == Path(f"/cache/depth-anything/{repository}/model.safetensors")


def test_every_model_has_official_weights_or_embedded_ones() -> None:
    assert set(OFFICIAL.values()) | set(EMBEDDED) == set(ARCHITECTURES)
    assert not set(OFFICIAL.values()) & set(EMBEDDED)


def test_embedded_weights_are_loaded_and_said_aloud_once(embedded: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = build_network("da3-nano")
    expected = load_file(embedded / EMBEDDED["da3-nano"])["model.backbone.pretrained.norm.weight"]

    with caplog.at_level(logging.WARNING):
        initialise(network, "auto")

    assert torch.equal(network.backbone.norm.weight, expected)
    (warning,) = caplog.messages
    for words in ("synthetic rooms", "shows the pipeline", "not for robots", "model:=da3-small allow_download:=true"):
        assert words in warning


@pytest.mark.usefixtures("no_embedded")
def test_missing_embedded_weights_are_one_sentence() -> None:
    with pytest.raises(WeightsError, match=r"embedded weights of da3-nano are missing .*da3-nano\.safetensors"):
        resolve_weights("auto", "da3-nano", allow_download=True)


def test_repository_of_another_model_is_refused() -> None:
    with pytest.raises(WeightsError, match="DA3-BASE holds da3-base, not da3-small"):
        resolve_weights("depth-anything/DA3-BASE", "da3-small")


def test_folder_means_the_checkpoint_inside(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()

    assert resolve_weights(str(tmp_path), "da3-small") == tmp_path / "model.safetensors"


@pytest.mark.parametrize("spec", ["", "nowhere", "a/b/c", "/no/such/model.safetensors", "weights/model.pth", "../x/y"])
def test_spec_that_is_nothing_is_refused(spec: str) -> None:
    with pytest.raises(WeightsError):
        resolve_weights(spec, "da3-small")


def test_initialise_loads_the_file(shared_golden: Path) -> None:
    path = shared_golden / "tiny_alt2.weights.safetensors"
    network = tiny_network(seed=1)
    expected = load_file(path)["model.backbone.pretrained.norm.weight"]
    assert not torch.equal(network.backbone.norm.weight, expected)

    initialise(network, str(path))

    assert torch.equal(network.backbone.norm.weight, expected)


def test_random_weights_are_said_aloud_and_need_no_licence(caplog: pytest.LogCaptureFixture) -> None:
    network = build_network("da3-large", **TINY)

    with caplog.at_level(logging.WARNING):
        initialise(network, "random")

    assert "RANDOM weights" in caplog.text
    assert "meaningless" in caplog.text


def _depth(seed: int, **overrides: Any) -> torch.Tensor:
    network = build_network("da3-small", **{**TINY, **overrides})
    randomise(network, seed)
    images = torch.randn(1, 3, 3, 28, 42, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        depth: torch.Tensor = network(images).depth
    return depth


def test_random_weights_depend_on_the_seed_alone() -> None:
    assert torch.equal(_depth(1), _depth(1))
    assert not torch.equal(_depth(1), _depth(2))


@pytest.mark.parametrize("seed", range(5))
def test_random_weights_give_finite_metric_depth_and_a_scale(seed: int) -> None:
    network = build_network("da3nested-giant-large", **TINY_NESTED)
    randomise(network, seed)
    images = torch.randn(1, 3, 3, 28, 42, generator=torch.Generator().manual_seed(0))

    with torch.inference_mode():
        metric, nested = network.metric(images), network(images)

    assert metric.depth.isfinite().all()
    assert (metric.depth.std((-1, -2)) > 1e-3 * metric.depth.mean()).all()
    assert metric.sky.isfinite().all()
    assert nested.scale.isfinite().all()
    assert nested.depth.isfinite().all()


@pytest.mark.parametrize("seed", range(5))
def test_random_weights_give_finite_depth_that_varies_and_plausible_cameras(seed: int) -> None:
    network = tiny_network(seed)
    images = torch.randn(1, 3, 3, 28, 42, generator=torch.Generator().manual_seed(0))

    with torch.inference_mode():
        out = network(images)

    assert out.depth.isfinite().all()
    assert (out.depth.std((-1, -2)) > 1e-3 * out.depth.mean()).all()
    focal_px = out.intrinsics[..., (0, 1), (0, 1)]
    assert focal_px.min() > 5
    assert focal_px.max() < 500


def test_random_weights_leave_no_parameter_constant() -> None:
    constant = [name for name, p in tiny_network().named_parameters() if p.numel() > 1 and p.std() == 0]

    assert constant == []
