# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of `da3_ros eval accuracy`: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from html import escape
from pathlib import Path

from da3_ros import __version__
from da3_ros.cli.accuracy_pictures import (
    ERROR_MAP,
    LARGEST_ERROR,
    ShownWindow,
    by_sequence,
    depth_curves,
    path_from_above,
    pose_curves,
    scale_strip,
    shown_window,
)
from da3_ros.cli.accuracy_table import COLUMNS, TRAJECTORY_COLUMNS, AccuracyFigures, Evaluation
from da3_ros.cli.pictures import DEPTH_MAP
from da3_ros.evaluation.accuracy import WindowAccuracy
from da3_ros.evaluation.accuracy_run import EvaluatedWindow

GROUP = 4  # windows each among the worst, the median and the best
MOST_PATHS = 12
_STYLE = """
:root { --ink: #1c2430; --soft: #5c6877; --line: #dfe4ea; --paper: #f5f7f9; --card: #ffffff; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1360px; margin: 0 auto; padding: 28px 18px 60px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 1.15rem; margin: 40px 0 10px; }
h3 { font-size: 0.95rem; margin: 22px 0 8px; color: var(--soft); font-weight: 600; }
p { margin: 6px 0; max-width: 85ch; } .soft { color: var(--soft); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.78rem; width: 100%; }
th, td { padding: 6px 4px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
tr:last-child td { border-bottom: 0; } tr.first td { font-weight: 600; background: #eef4fb; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--card); min-width: 10em;
  white-space: normal; }
tr.first td:first-child { background: #eef4fb; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr)); gap: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; min-width: 0; }
.views img, figure img { display: block; width: 100%; height: auto; }
.views { display: grid; grid-template-columns: repeat(4, 1fr); gap: 4px; margin: 8px 0; }
.views span { font-size: 0.75rem; color: var(--soft); }
.name { font-weight: 600; overflow-wrap: anywhere; } .numbers { font-size: 0.82rem; color: var(--soft); }
.scale { display: grid; grid-template-columns: auto 1fr auto; gap: 8px; align-items: center; font-size: 0.75rem;
  color: var(--soft); white-space: nowrap; }
.scale img { display: block; width: 100%; min-width: 0; height: 8px; border-radius: 4px; }
.narrow { max-width: 420px; }
figure { margin: 0; background: #ffffff; border: 1px solid var(--line); border-radius: 8px; padding: 8px; }
.paths { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 14px; }
"""


def write_page(file: Path, figures: AccuracyFigures) -> None:
    """Write the report; the folder of the file is made."""
    answering = figures.answering
    day = datetime.now(timezone.utc).strftime("%d %B %Y")
    parts = [
        f"<h1>Accuracy of {escape(answering)}</h1>",
        f'<p class="soft">{day} · da3_ros {escape(__version__)}</p>',
        _table(COLUMNS, figures.rows, figures.network),
        *(f'<p class="soft">{escape(sentence)}</p>' for sentence in figures.sentences),
        _table(TRAJECTORY_COLUMNS, figures.trajectories),
    ]
    for evaluation in figures.evaluations:
        parts.extend(_sections(evaluation))
    body = "\n".join(parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Accuracy of {escape(answering)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        encoding="utf-8",
    )


def _sections(evaluation: Evaluation) -> Iterator[str]:
    yield from _distributions(evaluation)
    yield from _gallery(evaluation)
    paths = by_sequence(evaluation.windows)
    if paths:
        yield f"<h2>Windows of {evaluation.views} views: camera centres</h2>"
        yield '<p class="soft">Seen along the direction in which the path extends least. Every window is aligned to the'
        yield " truth by itself, so this says nothing about drift.</p>"
        yield '<div class="paths">'
        for name, own in list(paths.items())[:MOST_PATHS]:
            yield f"<figure>{_image(path_from_above(own, name), 'png', f'path of {escape(name)}')}</figure>"
        yield "</div>"


def _distributions(evaluation: Evaluation) -> Iterator[str]:
    windows, names = evaluation.windows, list(evaluation.rows)
    drawn = {"pose errors": pose_curves(windows, names), "depth errors": depth_curves(windows, names)}
    curves = {words: curve for words, curve in drawn.items() if curve is not None}
    if not curves:
        return
    yield f"<h2>Windows of {evaluation.views} views: distribution of errors</h2>"
    yield '<div class="cards">'
    for words, curve in curves.items():
        yield f"<figure>{_image(curve, 'png', words)}</figure>"
    yield "</div>"


def _gallery(evaluation: Evaluation) -> Iterator[str]:
    shown = [found for found in evaluation.windows if found.picture is not None]
    if not shown:
        return
    yield f"<h2>Windows of {evaluation.views} views: what it looks like</h2>"
    yield '<p class="soft">Depth after the window\'s median scale; truth and prediction of a window share one colour'
    yield " scale, all errors another. Grey: unknown.</p>"
    yield f'<div class="narrow">{_scale(ERROR_MAP, "error 0", f"{LARGEST_ERROR:.0%} and more")}</div>'
    for heading, group in _groups(shown):
        yield f'<h3>{heading}</h3><div class="cards">'
        for found in group:
            yield _card(found)
        yield "</div>"


def _groups(shown: Sequence[EvaluatedWindow]) -> list[tuple[str, Sequence[EvaluatedWindow]]]:
    """Best, median and worst by depth, no window twice."""
    ordered = sorted(shown, key=_depth_error)
    if len(ordered) <= 3 * GROUP:
        return [("From the best to the worst", ordered)]
    middle = (len(ordered) - GROUP) // 2
    return [
        ("The worst", ordered[-GROUP:][::-1]),
        ("Around the median", ordered[middle : middle + GROUP]),
        ("The best", ordered[:GROUP]),
    ]


def _network_row(found: EvaluatedWindow) -> WindowAccuracy:
    """The network's row is the first where there is a network, and only then there is a picture."""
    return next(iter(found.rows.values()))


def _depth_error(found: EvaluatedWindow) -> float:
    depth = _network_row(found).depth
    return float("inf") if depth is None else depth.window.abs_rel


def _card(found: EvaluatedWindow) -> str:
    if found.picture is None:
        return ""
    shown = shown_window(found.picture)
    return (
        f'<div class="card"><div class="name">{escape(found.window.name)}</div>'
        f'<div class="numbers">{_numbers(_network_row(found))}</div>{_views(shown)}'
        f"{_scale(DEPTH_MAP, f'{shown.near_m:.2f} m', f'{shown.far_m:.2f} m')}</div>"
    )


def _views(shown: ShownWindow) -> str:
    heads = "".join(f"<span>{head}</span>" for head in ("image", "truth", "prediction", "error"))
    images = "".join(
        _image(view.image, "jpeg", "image")
        + _image(view.truth, "png", "true depth")
        + _image(view.predicted, "png", "predicted depth")
        + _image(view.error, "png", "relative error")
        for view in shown.views
    )
    return f'<div class="views">{heads}{images}</div>'


def _numbers(row: WindowAccuracy) -> str:
    parts = []
    if row.depth is not None:
        parts.append(f"AbsRel {row.depth.window.abs_rel:.3f} · delta1 {row.depth.window.delta1:.1%}")
    if row.poses is not None and len(row.poses.worst_deg):
        parts.append(f"largest pose error {row.poses.worst_deg.max():.1f}°")
    if row.reconstruction is not None:
        parts.append(f"F-score {row.reconstruction.f_score:.1%}")
    return " · ".join(parts)


def _scale(name: str, low: str, high: str) -> str:
    strip = _image(scale_strip(name), "png", "colour scale")
    return f'<div class="scale"><span>{low}</span>{strip}<span>{high}</span></div>'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], highlighted: str = "") -> str:
    """Columns that say something; empty without rows."""
    if not rows:
        return ""
    filled = [column for column in range(len(columns)) if any(row[column] for row in rows)]
    head = "".join(f"<th>{escape(columns[column])}</th>" for column in filled)
    body = "".join(
        f"<tr{' class=first' if row[0] == highlighted else ''}>"
        + "".join(f"<td>{escape(row[column])}</td>" for column in filled)
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _image(data: bytes, kind: str, words: str) -> str:
    return f'<img alt="{words}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
