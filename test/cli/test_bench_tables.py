# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks print and write, without measuring anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from da3_ros.cli.bench_machine import Machine, this_machine
from da3_ros.cli.bench_options import BENCHMARKS
from da3_ros.cli.bench_table import BenchResult, BenchTable, Column, as_markdown, write_json
from da3_ros.cli.interleaved import interleaved, time_figures
from da3_ros.cli.main import main
from da3_ros.cli.memory_curve import MemoryCurve, Sample
from da3_ros.cli.memory_picture import draw_memory

MACHINE = Machine("Some CPU", 2, "AVX2", 15.6, "none", "Linux, Python 3.11.7", "2.13.0", 2, "2026-11-01")
TABLE = BenchTable(
    name="model",
    title="One call",
    columns=(Column("what", "network"), Column("ms", "ms", "{:.0f}"), Column("speedup", "speed-up", "{:.2f}")),
    rows=({"what": "ours | fp32", "ms": 12.6, "speedup": None}, {"what": "theirs", "ms": 1234.5, "speedup": 1.0}),
    notes=("Random weights.",),
    details={"times_ms": {"ours": [12.6]}},
)


def test_table_is_markdown_with_columns_of_even_width() -> None:
    lines = TABLE.as_markdown().splitlines()

    assert lines == [
        "One call:",
        "",
        "| network      |   ms | speed-up |",
        "|--------------|-----:|---------:|",
        "| ours \\| fp32 |   13 |          |",
        "| theirs       | 1234 |     1.00 |",
        "",
        "- Random weights.",
    ]


def test_markdown_names_command_and_machine_and_keeps_prose_within_100_columns() -> None:
    printed = as_markdown(BenchResult((TABLE, TABLE)), MACHINE, "da3_ros bench model")

    assert printed.startswith("    da3_ros bench model\n\nSome CPU, cores: 2 (AVX2), 16 GB, no GPU; ")
    assert "torch 2.13.0, threads: 2; 2026-11-01." in printed.replace("\n", " ")
    assert printed.count("| network ") == 2
    assert max(map(len, printed.splitlines())) <= 100


def test_json_holds_the_same_figures_unrounded(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    write_json(file, BenchResult((TABLE,), failure="not flat"), MACHINE, "da3_ros bench model")

    written = json.loads(file.read_text())
    assert written["machine"]["cpu"] == "Some CPU"
    assert written["failure"] == "not flat"
    assert written["tables"]["model"]["rows"][1] == {"what": "theirs", "ms": 1234.5, "speedup": 1.0}
    assert written["tables"]["model"]["times_ms"] == {"ours": [12.6]}


def test_this_machine_is_named() -> None:
    machine = this_machine(threads=3)

    assert machine.cpu
    assert machine.cores >= 1
    assert machine.memory_gb > 0.1
    assert str(machine).count(";") == 2
    assert "threads: 3" in str(machine)


def test_calls_take_turns_and_warm_up_is_not_counted() -> None:
    order: list[tuple[str, int]] = []
    looked: list[tuple[int, list[str]]] = []
    calls = {name: lambda number, name=name: order.append((name, number)) for name in ("a", "b")}

    times_ms = interleaved(calls, 2, warm_up=1, look=lambda number, answers: looked.append((number, list(answers))))

    assert order == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert {name: len(times) for name, times in times_ms.items()} == {"a": 2, "b": 2}
    assert looked == [(number, ["a", "b"]) for number in range(3)]


def test_speedups_of_medians_and_of_rounds_differ_when_the_pace_does() -> None:
    figures = time_figures({"ours": [1.0, 2.0, 8.0], "theirs": [4.0, 2.0, 16.0]}, "ours", "theirs")

    assert figures == {"ms_median": 2.0, "ms_fastest": 1.0, "speedup": 2.0, "speedup_of_rounds": 2.0}
    figures = time_figures({"ours": [1.0, 2.0, 8.0], "theirs": [1.0, 10.0, 8.0]}, "ours", "theirs")
    assert (figures["speedup"], figures["speedup_of_rounds"]) == (4.0, 1.0)


def curve_of(*megabytes: float) -> MemoryCurve:
    return MemoryCurve(tuple(Sample(60.0 * i, value, 10 * i) for i, value in enumerate(megabytes)))


def test_memory_curve_after_its_warm_up_knows_spread_slope_and_windows(tmp_path: Path) -> None:
    curve = curve_of(50.0, 99.0, 100.0, 101.0)

    steady = curve.after(60.0)

    assert steady.spread == pytest.approx(0.02)
    assert steady.slope_per_hour == pytest.approx(0.6)  # one percent per minute
    assert steady.windows == 20
    draw_memory(tmp_path / "curve.png", curve, 60.0, 0.01)
    assert (tmp_path / "curve.png").stat().st_size > 5000


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_help_of_a_benchmark_fits_a_terminal(
    benchmark: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    with pytest.raises(SystemExit) as stopped:
        main(["bench", benchmark, "--help"])

    printed = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "--json FILE" in printed
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["model", "--size", "280x500"], "'280x500' is not HxW in multiples of 14"),
    (["model", "--precisions", "int8"], "'int8' is none of fp32, bf16, fp16, auto"),
    (["stream", "--windows", "0"], "0 is not above zero"),
])  # fmt: skip
def test_option_out_of_range_is_refused_by_name(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *arguments])

    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["model", "--model", "da3-huge", "--only-ours"], "da3-small"),
    (["model", "--device", "cuda:99", "--only-ours"], "cuda:99"),
    (["soak", "--minutes", "1", "--warm-up", "2"], "must be shorter than --minutes"),
])  # fmt: skip
def test_impossible_request_ends_with_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 1

    printed = capsys.readouterr().err
    assert sentence in printed
    assert len(printed.strip().splitlines()) == 1
