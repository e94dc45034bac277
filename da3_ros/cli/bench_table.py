# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a benchmark: Markdown for the terminal and for docs/benchmark.md, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any

from da3_ros.cli.bench_machine import Machine

WIDTH = 100  # of a line of prose
Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        key: of the figure in JSON, unit included.
        heading: above it.
        form: how a number is printed; text is printed as it is.
    """

    key: str
    heading: str
    form: str = "{:.3g}"


@dataclass(frozen=True, slots=True)
class BenchTable:
    """Rows of figures that were measured together.

    Attributes:
        name: key in JSON.
        title: what was measured, one line.
        columns: the first names the row.
        rows: a cell for each column's key; one that is missing or None is left blank.
        notes: what a reader must know, one sentence each.
        details: more for JSON alone, such as every single time.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_markdown(self) -> str:
        """The title, the table in columns of even width, and the notes."""
        head = [column.heading for column in self.columns]
        body = [[_text(row.get(column.key), column.form) for column in self.columns] for row in self.rows]
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
        rule = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
        lines = [_line(head, widths), f"|{'|'.join(rule)}|", *(_line(cells, widths) for cells in body)]
        notes = [fill(note, WIDTH, initial_indent="- ", subsequent_indent="  ") for note in self.notes]
        return "\n".join([fill(f"{self.title}:", WIDTH), "", *lines, *([""] if notes else []), *notes])


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What one benchmark found.

    Attributes:
        tables: in the order in which they are shown.
        threads: of the numerical libraries in what was measured; 0 when each process chose for itself.
        failure: what should have held and does not, in one sentence; empty when all is well.
    """

    tables: tuple[BenchTable, ...]
    threads: int = 0
    failure: str = ""


def as_markdown(result: BenchResult, machine: Machine, command: str) -> str:
    """The command, the machine and every table, to be pasted."""
    return "\n\n".join(
        [f"    {command}", fill(f"{machine}.", WIDTH), *(table.as_markdown() for table in result.tables)]
    )


def write_json(file: Path, result: BenchResult, machine: Machine, command: str) -> None:
    """The same figures, unrounded."""
    tables = {
        table.name: {"title": table.title, "rows": list(table.rows), "notes": list(table.notes), **table.details}
        for table in result.tables
    }
    content = {"command": command, "machine": asdict(machine), "failure": result.failure, "tables": tables}
    file.write_text(json.dumps(content, indent=2) + "\n")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _text(value: Cell, form: str) -> str:
    if value is None:
        return ""
    return value.replace("|", "\\|") if isinstance(value, str) else form.format(value)
