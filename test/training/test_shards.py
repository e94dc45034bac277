# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from da3_ros.simulation.room_views import TRAINING_SEEDS, draw_room_views
from da3_ros.training.shards import ShardPlan, ShardReader, render_shards

SIZE = (24, 32)
VIEWS = 4
SEEDS = TRAINING_SEEDS[:3]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards with two rooms and one."""
    folder = tmp_path_factory.mktemp("shards")
    render_shards(folder, SEEDS, 2, 1, SIZE, VIEWS)
    return folder


@pytest.fixture
def spoiled(rendered: Path, tmp_path: Path) -> Spoil:
    return Spoil(rendered, tmp_path)


class Spoil:
    """Copies the first shard with something wrong in it."""

    def __init__(self, rendered: Path, folder: Path) -> None:
        self.source, self.folder = sorted(rendered.iterdir())[0], folder
        self.arrays = load_file(self.source)
        self.metadata = ShardPlan(tuple(SEEDS[:2]), SIZE, VIEWS).metadata

    def written(self) -> Path:
        save_file(self.arrays, self.folder / self.source.name, self.metadata)
        return self.folder


def test_rooms_come_back_as_they_were_drawn(rendered: Path) -> None:
    reader = ShardReader(rendered)

    assert reader.seeds == tuple(SEEDS)
    assert len(reader) == 3
    for index, seed in enumerate(SEEDS):
        stored, drawn = reader.room(index), draw_room_views(seed, SIZE, VIEWS)
        assert stored.seed == seed
        np.testing.assert_array_equal(stored.images, drawn.images)
        np.testing.assert_array_equal(stored.depth, drawn.depth.astype(np.float16))
        np.testing.assert_array_equal(stored.world_from_camera, drawn.world_from_camera.astype(np.float32))
        np.testing.assert_array_equal(stored.overlap, drawn.overlap)
        np.testing.assert_allclose(stored.camera.matrix, drawn.camera.matrix, rtol=1e-6)


def test_rendering_goes_on_where_it_was(rendered: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    first = render_shards(tmp_path, SEEDS[:2], 2, 1, SIZE, VIEWS)[0]
    stamp = first.stat().st_mtime_ns

    paths = render_shards(tmp_path, SEEDS, 2, 1, SIZE, VIEWS, lambda done, total: told.append((done, total)))

    assert first.stat().st_mtime_ns == stamp
    assert told == [(1, 2), (2, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in paths]
    for path in paths:
        assert path.read_bytes() == (rendered / path.name).read_bytes()


def test_worker_processes_write_the_same_bytes(rendered: Path, tmp_path: Path) -> None:
    paths = render_shards(tmp_path, SEEDS, 2, 2, SIZE, VIEWS)

    for path in paths:
        assert path.read_bytes() == (rendered / path.name).read_bytes()


def test_rendering_in_this_process_leaves_its_threads_as_they_were(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        render_shards(tmp_path, SEEDS[:1], 1, 1, SIZE, VIEWS)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_rendering_refuses_a_folder_of_other_shards(rendered: Path) -> None:
    with pytest.raises(ValueError, match="use another folder"):
        render_shards(rendered, SEEDS, 2, 1, SIZE, VIEWS + 1)


@pytest.mark.parametrize("arguments", [((), 2, 1), (SEEDS, 0, 1), (SEEDS, 2, 0)])
def test_rendering_refuses_nothing_to_do(tmp_path: Path, arguments: tuple[range, int, int]) -> None:
    with pytest.raises(ValueError, match="give seeds"):
        render_shards(tmp_path, *arguments)


def test_a_reader_ignores_unfinished_shards(rendered: Path, tmp_path: Path) -> None:
    first = sorted(rendered.iterdir())[0]
    (tmp_path / first.name).write_bytes(first.read_bytes())
    (tmp_path / f".{first.name}.123").write_bytes(b"half")
    (tmp_path / f".half{first.suffix}").write_bytes(b"half")

    assert len(ShardReader(tmp_path)) == 2


def test_a_reader_reads_the_rooms_it_is_told_and_each_once(rendered: Path, tmp_path: Path) -> None:
    shutil.copytree(rendered, tmp_path, dirs_exist_ok=True)
    render_shards(tmp_path, SEEDS[1:], 1, 1, SIZE, VIEWS)  # what another plan left, of the same rooms

    assert ShardReader(tmp_path, SEEDS[:2]).seeds == tuple(SEEDS[:2])
    assert ShardReader(tmp_path).seeds == tuple(SEEDS)
    with pytest.raises(ValueError, match=f"lacks 1 of 2 rooms, the first of seed {SEEDS[-1] + 1}: render them"):
        ShardReader(tmp_path, (SEEDS[0], SEEDS[-1] + 1))


def test_a_reader_refuses_rooms_of_another_generator(spoiled: Spoil) -> None:
    about = json.loads(spoiled.metadata["rooms"])
    spoiled.metadata = {"rooms": json.dumps({**about, "generator": 1})}

    with pytest.raises(ValueError, match="was rendered by generator 1"):
        ShardReader(spoiled.written())


def test_a_reader_refuses_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no shards"):
        ShardReader(tmp_path)


def test_a_reader_refuses_a_truncated_file(spoiled: Spoil) -> None:
    path = spoiled.written() / spoiled.source.name
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(ValueError, match="is no shard"):
        ShardReader(spoiled.folder)


@pytest.mark.parametrize("name", ["images", "depth", "world_from_camera", "intrinsics", "overlap"])
def test_a_reader_refuses_a_shard_that_lacks_an_array(spoiled: Spoil, name: str) -> None:
    del spoiled.arrays[name]

    with pytest.raises(ValueError, match=f"lacks '{name}'"):
        ShardReader(spoiled.written())


def test_a_reader_refuses_wrong_shapes(spoiled: Spoil) -> None:
    spoiled.arrays["depth"] = np.ascontiguousarray(spoiled.arrays["depth"][:, :, :-1])

    with pytest.raises(ValueError, match="and shape"):
        ShardReader(spoiled.written())


def test_a_reader_refuses_wrong_types(spoiled: Spoil) -> None:
    spoiled.arrays["images"] = spoiled.arrays["images"].astype(np.float32)

    with pytest.raises(ValueError, match="has type float32"):
        ShardReader(spoiled.written())


def test_a_reader_refuses_poses_with_nan(spoiled: Spoil) -> None:
    spoiled.arrays["world_from_camera"][1, 2, 0, 3] = np.nan

    with pytest.raises(ValueError, match="NaN or infinity"):
        ShardReader(spoiled.written())


def test_a_reader_refuses_missing_metadata(spoiled: Spoil) -> None:
    spoiled.metadata = {"format": "np"}

    with pytest.raises(ValueError, match="which rooms"):
        ShardReader(spoiled.written())


def test_a_reader_refuses_a_view_without_any_depth(spoiled: Spoil) -> None:
    spoiled.arrays["depth"][1, 3] = np.nan
    reader = ShardReader(spoiled.written())

    reader.room(0)
    with pytest.raises(ValueError, match="has no depth"):
        reader.room(1)


def test_a_reader_refuses_shards_of_different_sizes(rendered: Path, tmp_path: Path) -> None:
    first = sorted(rendered.iterdir())[0]
    (tmp_path / first.name).write_bytes(first.read_bytes())
    render_shards(tmp_path, TRAINING_SEEDS[3:4], 1, 1, (20, 32), VIEWS)

    with pytest.raises(ValueError, match="differ in size"):
        ShardReader(tmp_path)


def test_a_reader_refuses_a_room_that_is_not_there(rendered: Path) -> None:
    reader = ShardReader(rendered)

    for index in (-1, 3):
        with pytest.raises(IndexError, match="no room"):
            reader.room(index)
