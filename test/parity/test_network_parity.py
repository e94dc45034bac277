# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Our network says what the published one says, given the same random weights. The full matrix: `report.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import nn

from da3_ros.model.build import Network, build_network
from da3_ros.model.checkpoint import load_weights, save_weights
from da3_ros.model.config import architecture
from da3_ros.model.reference_view import STRATEGIES
from da3_ros.model.upstream_keys import PREFIX, our_name
from da3_ros.model.weights import randomise
from test.parity import reference
from test.parity.cases import Case, cameras, errors, images, run_ours

pytest.importorskip("depth_anything_3", reason="NOT RUN: pip install --no-deps depth-anything-3==0.1.1")

TOLERANCE = 1e-5
VIEWS = (1, 2, 3, 5, 9)

# Full width, fewer blocks: every layer's size is the real one.
LARGE_REDUCED: dict[str, Any] = {"depth": 7, "alternation_start": 2, "tapped_blocks": (2, 3, 5, 6)}
GIANT_REDUCED: dict[str, Any] = {"depth": 7, "alternation_start": 3, "tapped_blocks": (3, 4, 5, 6)}
MONOCULAR_REDUCED: dict[str, Any] = {"depth": 6, "tapped_blocks": (1, 2, 4, 5)}
NESTED_REDUCED: dict[str, Any] = {
    "any_view": architecture("da3-giant", **GIANT_REDUCED),
    "metric": architecture("da3metric-large", **MONOCULAR_REDUCED),
}


@dataclass(frozen=True)
class Pair:
    """Both networks with the same weights."""

    ours: Network
    theirs: Any

    def assert_agree(self, case: Case) -> None:
        theirs = reference.run(self.theirs, images(case), cameras(case), case.strategy)
        found = errors(run_ours(self.ours, case), theirs)
        assert max(found.values()) <= TOLERANCE, f"{case}: {found}"


def _pair(name: str, **overrides: Any) -> Iterator[Pair]:
    theirs = reference.build(architecture(name, **overrides))
    ours = build_network(name, **overrides)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        reference.save(theirs, path)
        load_weights(ours, path)
    yield Pair(ours, theirs)


@pytest.fixture(scope="module")
def small() -> Iterator[Pair]:
    yield from _pair("da3-small")


@pytest.fixture(scope="module")
def base() -> Iterator[Pair]:
    yield from _pair("da3-base")


@pytest.fixture(scope="module")
def large() -> Iterator[Pair]:
    yield from _pair("da3-large", **LARGE_REDUCED)


@pytest.fixture(scope="module")
def giant() -> Iterator[Pair]:
    yield from _pair("da3-giant", **GIANT_REDUCED)


@pytest.fixture(scope="module")
def mono() -> Iterator[Pair]:
    yield from _pair("da3mono-large", **MONOCULAR_REDUCED)


@pytest.fixture(scope="module")
def metric() -> Iterator[Pair]:
    yield from _pair("da3metric-large", **MONOCULAR_REDUCED)


@pytest.fixture(scope="module")
def nested() -> Iterator[Pair]:
    yield from _pair("da3nested-giant-large", **NESTED_REDUCED)


@pytest.fixture(scope="module")
def nano() -> Pair:
    """Theirs reads the file that we write; it lacks only what no output depends on."""
    ours = build_network("da3-nano")
    randomise(ours)
    theirs = reference.build_from_numbers(architecture("da3-nano"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "da3-nano.safetensors"
        save_weights(ours, path)
        written = {name.removeprefix(PREFIX): tensor for name, tensor in load_file(path).items()}
    missing, unexpected = theirs.load_state_dict(written, strict=False)
    assert not unexpected
    assert set(missing) == {name for name in theirs.state_dict() if our_name(f"{PREFIX}{name}") is None}
    return Pair(ours, theirs)


@pytest.mark.parametrize("name", ["nano", "small", "nested"])
def test_every_norm_has_the_epsilon_of_the_reference(name: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(name)
    compared = 0
    for path, theirs in pair.theirs.named_modules():
        if isinstance(theirs, nn.LayerNorm) and (ours := our_name(f"model.{path}.weight")):
            norm = pair.ours.get_submodule(ours.removesuffix(".weight"))
            assert isinstance(norm, nn.LayerNorm)
            assert norm.eps == theirs.eps, path
            compared += 1
    assert compared == sum(isinstance(module, nn.LayerNorm) for module in pair.ours.modules())


@pytest.mark.parametrize("posed", [False, True], ids=["unposed", "posed"])
@pytest.mark.parametrize("views", VIEWS)
def test_small_matches_reference_for_any_number_of_views(small: Pair, views: int, posed: bool) -> None:
    small.assert_agree(Case(views, posed=posed))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("views", [3, 5, 9])
def test_small_matches_reference_with_every_strategy(small: Pair, views: int, strategy: str) -> None:
    small.assert_agree(Case(views, strategy=strategy))


@pytest.mark.parametrize("posed", [False, True], ids=["unposed", "posed"])
@pytest.mark.parametrize("views", [2, 3, 9])
def test_small_matches_reference_when_windows_are_batched(small: Pair, views: int, posed: bool) -> None:
    small.assert_agree(Case(views, batch=2, posed=posed))


@pytest.mark.parametrize(
    "case", [Case(1, (518, 518)), Case(2, (518, 518)), Case(3, (154, 98)), Case(3, (98, 154), posed=True)], ids=str
)
def test_small_matches_reference_for_any_image_size(small: Pair, case: Case) -> None:
    small.assert_agree(case)


@pytest.mark.parametrize(
    "case", [Case(1), Case(2, posed=True), Case(5, batch=2), Case(9), Case(1, (518, 518))], ids=str
)
def test_base_matches_reference(base: Pair, case: Case) -> None:
    base.assert_agree(case)


@pytest.mark.parametrize(
    "case", [Case(1), Case(2, posed=True), Case(3, batch=2), Case(12, (126, 168)), Case(4, strategy="middle")], ids=str
)
def test_reference_matches_nano_with_the_file_that_we_write(nano: Pair, case: Case) -> None:
    nano.assert_agree(case)


@pytest.mark.parametrize("case", [Case(1), Case(2, posed=True), Case(3, batch=2)], ids=str)
def test_large_of_few_blocks_matches_reference(large: Pair, case: Case) -> None:
    large.assert_agree(case)


@pytest.mark.parametrize("case", [Case(1), Case(2, posed=True), Case(5)], ids=str)
def test_giant_of_few_blocks_matches_reference(giant: Pair, case: Case) -> None:
    giant.assert_agree(case)


@pytest.mark.parametrize("case", [Case(1), Case(3), Case(9, batch=2), Case(1, (518, 518))], ids=str)
def test_metric_of_few_blocks_matches_reference(metric: Pair, case: Case) -> None:
    metric.assert_agree(case)


def test_mono_of_few_blocks_matches_reference(mono: Pair) -> None:
    mono.assert_agree(Case(3))


@pytest.mark.parametrize("case", [Case(1), Case(2, posed=True), Case(3, batch=2), Case(5)], ids=str)
def test_nested_of_few_blocks_matches_reference(nested: Pair, case: Case) -> None:
    nested.assert_agree(case)
