# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The full parity matrix, at full depth, as the table of docs/model.md: `python -m test.parity.report`.

One network is in memory at a time, theirs first; the weights pass through a temporary file.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.model.config import MonocularConfig, architecture
from test.parity import reference
from test.parity.cases import Case, cameras, errors, images, run_ours

TOLERANCE = 1e-5
VIEWS = (1, 2, 3, 5, 9)
SQUARE = (518, 518)
# Image size of most modes, and the most views at 518x518: bigger models, smaller matrices.
EFFORT = {
    "da3-small": ((154, 252), 9),
    "da3-base": ((154, 252), 9),
    "da3-large": ((98, 154), 5),
    "da3-giant": ((56, 84), 2),
    "da3mono-large": ((98, 154), 5),
    "da3metric-large": ((98, 154), 5),
    "da3nested-giant-large": ((56, 84), 2),
}


def matrix(model: str, square_views: int = 0) -> dict[str, list[Case]]:
    """Mode -> cases of one model; strategies matter from three views on. 518x518 runs up to so many views."""
    size, usual_square_views = EFFORT[model]
    most_square_views = square_views or usual_square_views
    plain = Case(views=1, size=size)
    modes = {
        f"{size[0]}x{size[1]}": plain,
        "518x518": replace(plain, size=SQUARE),
        "two windows (B = 2)": replace(plain, batch=2),
    }
    sees_across_views = not isinstance(architecture(model), MonocularConfig)
    if sees_across_views:
        modes["known cameras"] = replace(plain, posed=True)
        modes["known cameras, B = 2"] = replace(plain, posed=True, batch=2)
    table = {mode: [replace(case, views=V) for V in VIEWS] for mode, case in modes.items()}
    table["518x518"] = [case for case in table["518x518"] if case.views <= most_square_views]
    for strategy in ("saddle_sim_range", "first", "middle") if sees_across_views else ():
        table[f"reference `{strategy}`"] = [replace(plain, strategy=strategy, views=V) for V in VIEWS if V >= 3]
    return table


def compare(model: str, cases: Iterable[Case]) -> dict[Case, dict[str, float]]:
    """Errors of every output in every case: theirs first, then ours on the same weights."""
    cases = list(cases)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "model.safetensors"
        theirs = reference.build(architecture(model))
        reference.save(theirs, weights)
        for i, case in enumerate(cases):
            _say(f"{model} theirs {case}")
            outputs = reference.run(theirs, images(case), cameras(case), case.strategy)
            save_file({name: value.contiguous() for name, value in outputs.items()}, Path(folder) / f"{i}.safetensors")
        del theirs, outputs
        gc.collect()
        ours = build_network(model)
        load_weights(ours, weights)
        found = {}
        for i, case in enumerate(cases):
            found[case] = errors(run_ours(ours, case), load_file(Path(folder) / f"{i}.safetensors"))
            _say(f"{model} {case} {found[case]}")
    return found


def main() -> int:
    """Print the table row by row; return 1 if an entry is above the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(EFFORT), help="architectures (default: all official)")
    parser.add_argument("--square-views", type=int, default=0, help="views at 518x518 at most (default: by model)")
    arguments = parser.parse_args()
    worst = 0.0
    print(f"torch {torch.__version__}, float32, {torch.backends.cpu.get_cpu_capability()}\n")
    print("| model | mode | " + " | ".join(f"V = {V}" for V in VIEWS) + " |")
    print("|---|---|" + "---|" * len(VIEWS))
    for model in arguments.models:
        table = matrix(model, arguments.square_views)
        found = compare(model, (case for cases in table.values() for case in cases))
        for mode, cases in table.items():
            row = {case.views: max(found[case].values()) for case in cases}
            worst = max(worst, *row.values())
            cells = (f"{row[V]:.1e}" if V in row else "-" for V in VIEWS)
            print(f"| {model} | {mode} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nlargest: {worst:.1e}, allowed: {TOLERANCE:.0e}")
    return int(worst > TOLERANCE)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
