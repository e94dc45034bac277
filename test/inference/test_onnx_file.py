# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How files are opened where ONNX Runtime has GPUs: which provider, with which options, and what stands in for it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from da3_ros.inference import onnx_file
from da3_ros.inference.onnx_file import open_onnx_file
from test.inference.conftest import Exporter

TENSORRT, CUDA, CPU = (f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU"))
Asked = list[tuple[str, dict[str, str]]]


class Gpus:
    """Stands for an ONNX Runtime with GPUs: sessions run on the CPU, and say that they do not.

    Args:
        broken: providers whose sessions fail.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *broken: str) -> None:
        onnxruntime = pytest.importorskip("onnxruntime", reason="NOT RUN: no onnxruntime here: pip install -e .[test]")
        self._make, self._broken = onnxruntime.InferenceSession, broken
        self.asked: list[Asked] = []  # of every session on a GPU
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
        monkeypatch.setattr(onnxruntime, "InferenceSession", self._session)

    def _session(self, path: str, options: Any, *, providers: Any, enable_fallback: int) -> Any:
        assert enable_fallback == 0
        session = self._make(path, options, providers=[CPU], enable_fallback=enable_fallback)
        if providers == [CPU]:
            return session
        self.asked.append(providers)
        name = providers[0][0]
        if name in self._broken:
            raise RuntimeError(f"no library for {name}\nand a trace")
        session.get_providers = lambda: [name for name, _ in providers]
        return session


def names(asked: Asked) -> list[str]:
    return [name for name, _ in asked]


def opened(path: Path, device: str = "cuda:1") -> str:
    session, _ = open_onnx_file(path, device=device, cpu_threads=1)
    provider: str = session.get_providers()[0]
    return provider


def test_tensorrt_is_asked_before_cuda_and_both_for_the_device(
    monkeypatch: pytest.MonkeyPatch, exported: Exporter
) -> None:
    gpus = Gpus(monkeypatch)

    assert opened(exported(rays=True)) == TENSORRT

    (asked,) = gpus.asked
    assert names(asked) == [TENSORRT, CUDA, CPU]
    assert [options.get("device_id") for _, options in asked] == ["1", "1", None]


def test_tensorrt_is_kept_from_fp16_where_it_would_choose_the_precision(
    monkeypatch: pytest.MonkeyPatch, exported: Exporter
) -> None:
    gpus = Gpus(monkeypatch)

    assert opened(exported(views=2, precision="fp16")) == CUDA

    assert names(gpus.asked[0]) == [CUDA, CPU]


def test_engine_is_kept_under_what_is_in_the_file_and_beside_it(
    monkeypatch: pytest.MonkeyPatch, exported: Exporter, tmp_path: Path
) -> None:
    gpus, path = Gpus(monkeypatch), tmp_path / "net.onnx"
    shutil.copy(exported(rays=True), path)
    for beside in (b"", b"", b"tensors", b"others"):
        if beside:
            path.with_name("net.onnx.data").write_bytes(beside)
        opened(path)
    shutil.copy(exported(views=2), path)
    opened(path)

    first, again, *others = [Path(asked[0][1]["trt_engine_cache_path"]) for asked in gpus.asked]
    assert first == again
    assert len({first, *others}) == 4
    assert all(place.parent == tmp_path and place.suffixes[-1] == ".tensorrt" for place in (first, *others))


@pytest.mark.parametrize("device", ["auto", "cuda:1"])
def test_cuda_stands_in_for_tensorrt_on_the_same_device_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, exported: Exporter, device: str, caplog: pytest.LogCaptureFixture
) -> None:
    gpus, path = Gpus(monkeypatch, TENSORRT), exported(rays=True)

    with caplog.at_level(logging.WARNING):
        assert opened(path, device) == CUDA

    assert gpus.asked[1] == [(CUDA, {"device_id": device.partition(":")[2] or "0"}), (CPU, {})]
    assert caplog.messages == [
        f"{path.name}: ONNX Runtime's {TENSORRT} cannot run it (no library for {TENSORRT}): {CUDA} is tried"
    ]


def test_cpu_stands_in_for_a_gpu_only_when_the_device_is_auto(
    monkeypatch: pytest.MonkeyPatch, exported: Exporter
) -> None:
    Gpus(monkeypatch, TENSORRT, CUDA)
    path = exported(rays=True)

    assert opened(path, "auto") == CPU
    with pytest.raises(ValueError, match=rf"device 'cuda:1': ONNX Runtime's {CUDA} cannot run .*: use auto or cpu"):
        opened(path)


def test_digest_reads_more_than_one_portion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"weights")
    whole = onnx_file._digest(path)

    monkeypatch.setattr(onnx_file, "_CHUNK_BYTES", 2)

    assert onnx_file._digest(path) == whole
