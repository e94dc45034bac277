# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A training as data: what is trained, on what, in which stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from da3_ros.model.config import PATCH_SIZE
from da3_ros.simulation.demo_views import DEMO_SEEDS
from da3_ros.simulation.room_views import TRAINING_SEEDS

Made = TypeVar("Made")

KINDS: dict[Any, str] = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "text",
    tuple: "a list of the right length",
    Mapping: "a mapping",
}


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Factors of the terms of the loss; a term of factor zero is not computed.

    Attributes:
        depth: confidence-weighted error of depth.
        relative: error of depth as a share of it, which counts near things as much as far ones.
        gradient: error of the slopes of depth.
        ray: error of the ray map, and of the confidence in it.
        point: error of depth times ray direction plus ray origin.
        camera: error of centre, turn and field of view; angles in radians.
        direction: one minus the cosine between predicted and true direction of a view's centre from the first one's.
        pairs: error of turn, in radians, and of motion, as a share of it, between every two views.
        match: cross entropy of one attention head's matches between views.
        flow: error of where a patch lies in the first view.
        normal: error of the normals of surfaces; only a teacher learns from it.
    """

    depth: float = 1.0
    relative: float = 0.0
    gradient: float = 1.0
    ray: float = 2.0
    point: float = 1.0
    camera: float = 2.0
    direction: float = 0.0
    pairs: float = 0.0
    match: float = 0.5
    flow: float = 1.0
    normal: float = 0.5

    def __post_init__(self) -> None:
        """Reject what rewards errors."""
        below = [entry.name for entry in fields(self) if getattr(self, entry.name) < 0]
        if below:
            raise ValueError(f"{', '.join(below)}: a weight is zero or above")


@dataclass(frozen=True, slots=True)
class Stage:
    """Some steps with settings of their own.

    Attributes:
        steps: how many.
        sizes: (H, W) of the images, one drawn for each step; multiples of 14.
        views: how many views a window has, one number drawn for each step: repeat one to draw it more often.
        views_per_step: in all windows of a step together, over all processes.
        learning_rate: highest.
        warm_up: steps in which the rate rises to it.
        cool_down: share of the steps, at the end, in which it falls to zero.
        fine: train depth at image size and rays at eight samples per patch side, as used; else both at four, which
            takes half the time.
        known_cameras: share of the steps in which the network is given the cameras.
        zoom: an image keeps at least this share of its sides when it is cropped, which changes its field of view.
        colour: strength of the changes of colour, 0 to 1.
        averaging: share of the running average of weights that a step keeps; less where the rate falls, as old weights
            are worse then.
        demo_share: share of the windows that show the demo's room, as it is; the others show random ones, varied.
        weights: of the loss.
    """

    steps: int
    sizes: tuple[tuple[int, int], ...]
    views: tuple[int, ...] = (2, 3)
    views_per_step: int = 30
    learning_rate: float = 1.5e-3
    warm_up: int = 150
    cool_down: float = 0.0
    fine: bool = False
    known_cameras: float = 0.2
    zoom: float = 1.0
    colour: float = 1.0
    averaging: float = 0.999
    demo_share: float = 0.0
    weights: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        """Reject what cannot be trained."""
        if self.steps < 1 or not self.sizes or not self.views or min(self.views) < 1:
            raise ValueError("a stage needs steps, sizes, and numbers of views above zero")
        if any(side % PATCH_SIZE or side < 2 * PATCH_SIZE for size in self.sizes for side in size):
            raise ValueError(f"sizes must be multiples of {PATCH_SIZE} and at least two patches: {self.sizes}")
        if self.fewest_windows < 1:
            raise ValueError(f"views_per_step {self.views_per_step} holds no window of {max(self.views)} views")
        if self.learning_rate <= 0 or self.warm_up < 0:
            raise ValueError("learning_rate is above zero, warm_up zero or above")
        _check_shares(self, "cool_down", "known_cameras", "colour", "averaging", "demo_share")
        _check_shares(self, "zoom", above_zero=True)

    @property
    def fewest_windows(self) -> int:
        """Of a step with the largest windows."""
        return self.views_per_step // max(self.views)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step of this stage, from 0: up in a line, level, and down in a line to zero."""
        up = min(1.0, (step + 1) / max(self.warm_up, 1))
        falling = self.cool_down * self.steps
        down = min(1.0, (self.steps - step) / falling) if falling else 1.0
        return self.learning_rate * up * down


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One training.

    Attributes:
        model: architecture, a key of `model.config.ARCHITECTURES`.
        rooms: how many random rooms to learn from.
        first_room: number of the first of them, so that two trainings need share none.
        demo_rooms: how many sequences of the demo's room.
        overrides: fields of its configuration to change.
        variant: one of `variants.VARIANTS`, which changes more than numbers; empty for Depth Anything 3 as it is.
        stages: one after the other.
        begin_with: file of weights to go on from, official ones or `model.safetensors` of a training before; empty for
            new ones.
        begin_share: share of those weights that stays in what is validated and exported, 0 for none.
        seed: of new weights, windows and augmentation.
        matched_blocks: global blocks whose first head learns to match.
        weight_decay: of matrices; vectors have none.
        head_rate: share of the learning rate at which heads learn: what they read is large and of one sign, so that a
            step of one size moves their answers ten times as far as those of the blocks.
        clip: largest norm of a step's gradient.
        overlap: that a view must share with another one of its window, where the room has such views.
        save_every: steps between checkpoints.
        validate_every: steps between validations; 0 is never.
        validation_rooms: rooms that a validation looks at.
        known_share: share of the pixels whose depth is known; below 1 what is known is noisy, and partly wrong. Matches
            between views are exact all the same.
        teacher: state of a trained teacher whose labels, laid over what is known, stand in for poor depth from
            `teacher_from` on; empty for none.
        teacher_overrides: fields of the teacher's architecture that were changed, as in its own training.
        teacher_from: step, counted over all stages.
    """

    model: str
    stages: tuple[Stage, ...]
    rooms: int = 0
    first_room: int = 0
    demo_rooms: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    begin_with: str = ""
    begin_share: float = 0.0
    seed: int = 0
    matched_blocks: tuple[int, ...] = (3, 5)
    weight_decay: float = 0.05
    head_rate: float = 0.1
    clip: float = 1.0
    overlap: float = 0.35
    save_every: int = 500
    validate_every: int = 1000
    validation_rooms: int = 60
    known_share: float = 1.0
    teacher: str = ""
    teacher_overrides: Mapping[str, Any] = field(default_factory=dict)
    teacher_from: int = 0

    def __post_init__(self) -> None:
        """Reject what cannot be trained."""
        if not self.stages:
            raise ValueError("a training needs at least one stage")
        counts = ("rooms", "first_room", "demo_rooms", "seed", "validate_every", "teacher_from")
        below = [name for name in counts if getattr(self, name) < 0]
        if below:
            raise ValueError(f"{', '.join(below)}: give no number below zero")
        if min(self.save_every, self.validation_rooms) < 1:
            raise ValueError("save_every and validation_rooms are above zero")
        if self.first_room + self.rooms > len(TRAINING_SEEDS) or self.demo_rooms > len(DEMO_SEEDS):
            raise ValueError(f"there are {len(TRAINING_SEEDS)} rooms, and {len(DEMO_SEEDS)} sequences of the demo's")
        if not self.matched_blocks or self.clip <= 0 or self.head_rate <= 0:
            raise ValueError("matched_blocks needs a block, clip and head_rate are above zero")
        _check_shares(self, "overlap", "weight_decay", "begin_share")
        _check_shares(self, "known_share", above_zero=True)
        if self.begin_share and not self.begin_with:
            raise ValueError("begin_share is of the weights that begin_with names: give both")
        if self.teacher and self.known_share == 1:
            raise ValueError("a teacher's labels stand in for poor depth: give a known_share below 1")
        if any(stage.demo_share for stage in self.stages) and not self.demo_rooms:
            raise ValueError("a stage with a demo_share needs demo_rooms")

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of all rooms to learn from, those of the demo's room last."""
        return (*TRAINING_SEEDS[self.first_room : self.first_room + self.rooms], *DEMO_SEEDS[: self.demo_rooms])

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage of a step, and which of its steps it is; the last one's last after the end."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.stages[-1], self.stages[-1].steps


def config_from(content: Mapping[str, Any]) -> TrainingConfig:
    """A training from plain lists and mappings, as a YAML file holds them.

    Raises:
        ValueError: when a key is unknown or a value does not fit; names the place.
    """
    stages = content.get("stages")
    if not isinstance(stages, list):
        raise ValueError("stages: a list is needed")
    made = []
    for number, stage in enumerate(stages):
        where = f"stages[{number}]"
        if not isinstance(stage, Mapping):
            raise ValueError(f"{where}: a mapping is needed")
        given = stage.get("weights", {})
        if not isinstance(given, Mapping):
            raise ValueError(f"{where}.weights: a mapping is needed")
        weights = _made(LossWeights, given, f"{where}.weights")
        made.append(_made(Stage, {**stage, "weights": weights}, where))
    return _made(TrainingConfig, {**content, "stages": made}, "training")


def _made(kind: type[Made], content: Mapping[str, Any], where: str) -> Made:
    known = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(map(str, content)) - set(known))
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} is unknown; there are {', '.join(known)}")
    types = get_type_hints(kind)
    try:
        return kind(**{name: _fitting(name, value, types[name]) for name, value in content.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _fitting(name: str, value: Any, wanted: Any) -> Any:
    """A value as its field has it: a list as a tuple, a whole number also as a number."""
    kind, parts = get_origin(wanted) or wanted, get_args(wanted)
    if kind is tuple and isinstance(value, list):
        kinds = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) == len(value):
            return tuple(_fitting(name, entry, part) for entry, part in zip(value, kinds, strict=True))
    elif kind is float:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    elif isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    hint = " (YAML reads 1e-3 as text: write 1.0e-3)" if kind is float else ""
    raise ValueError(f"{name}: {value!r} is not {KINDS[kind]}{hint}")


def _check_shares(settings: Any, *names: str, above_zero: bool = False) -> None:
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value <= 1 or (above_zero and value == 0):
            raise ValueError(f"{name} is {value}: give a share from 0 to 1" + (", above 0" if above_zero else ""))
