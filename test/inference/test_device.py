# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Names of devices and numbers of threads."""

from __future__ import annotations

import pytest
import torch

from da3_ros.inference.device import compile_mode, resolve_cpu_threads, resolve_device


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.mark.usefixtures("no_gpu")
def test_auto_is_the_cpu_when_there_is_no_gpu() -> None:
    assert resolve_device("auto") == torch.device("cpu")


@pytest.mark.usefixtures("one_gpu")
def test_auto_is_the_gpu_when_there_is_one() -> None:
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:0") == torch.device("cuda:0")


@pytest.mark.usefixtures("no_gpu")
def test_gpu_is_refused_when_there_is_none() -> None:
    with pytest.raises(ValueError, match="'cuda' is not available: torch finds 0 CUDA devices; use auto or cpu"):
        resolve_device("cuda")


@pytest.mark.usefixtures("one_gpu")
def test_second_gpu_is_refused_when_there_is_one() -> None:
    with pytest.raises(ValueError, match="'cuda:1' is not available"):
        resolve_device("cuda:1")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "meta"])
def test_device_is_refused_when_its_name_means_nothing(name: str) -> None:
    with pytest.raises(ValueError, match="use auto, cpu, cuda"):
        resolve_device(name)


@pytest.mark.parametrize(("cores", "torch_default", "threads"), [(8, 8, 7), (8, 4, 4), (3, 3, 2), (2, 2, 2), (1, 1, 1)])
def test_one_core_is_left_when_there_are_more_than_two(
    monkeypatch: pytest.MonkeyPatch, cores: int, torch_default: int, threads: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    monkeypatch.setattr("da3_ros.inference.device._TORCH_THREADS", torch_default)

    assert resolve_cpu_threads(0) == threads
    assert resolve_cpu_threads(5) == 5


def test_automatic_number_is_not_what_an_earlier_engine_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(999)), raising=False)
    automatic = resolve_cpu_threads(0)

    monkeypatch.setattr(torch, "get_num_threads", lambda: automatic + 1)  # of the thread that asks

    assert resolve_cpu_threads(0) == automatic


def test_negative_number_of_threads_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        resolve_cpu_threads(-1)


@pytest.mark.parametrize(
    ("device", "version", "mode"),
    [
        ("cpu", "2.13.0+cpu", "default"),
        ("cuda:0", "2.13.0+cu130", "reduce-overhead"),
        ("cuda:0", "2.14.1", "reduce-overhead"),
        ("cuda:0", "2.12.1+cu128", "default"),
        ("cuda:0", "2.4.0", "default"),
    ],
)
def test_cuda_graphs_are_asked_for_where_there_is_cuda_and_every_thread_may_replay_them(
    monkeypatch: pytest.MonkeyPatch, device: str, version: str, mode: str
) -> None:
    monkeypatch.setattr(torch, "__version__", version)

    assert compile_mode(torch.device(device)) == mode
