"""Tables in Markdown, of the targets and of each part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.targets import Verdict

_NOTHING: Final = "\N{EN DASH}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; all columns but the first are aligned to the right where they are numbers.

    Args:
        head: The names of the columns; those that begin with `#` are numbers.
        rows: The cells.
    """
    lines = [
        _line(name.removeprefix("#") for name in head),
        "|" + "|".join("---:" if name.startswith("#") else "---" for name in head) + "|",
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def targets(verdicts: Iterable[Verdict]) -> str:
    """Write the targets, what was measured, and by how much they are missed."""
    return table(
        ("what", "engine", "#target", "#measured", "met / missed by"),
        (
            (
                one.target.name,
                one.engine,
                f"{'≤' if one.target.at_most else '≥'} {one.bound:g}{one.target.unit}",
                _NOTHING if one.value is None else f"{_number(one.value)}{one.target.unit}",
                _judgement(one),
            )
            for one in verdicts
        ),
    )


def _judgement(one: Verdict) -> str:
    if one.value is None:
        return "not measured"
    if one.is_met:
        return "met"
    missed = f"**missed by {one.missed_by:.0%}**" if one.bound else "**missed**"
    count = f"{one.met} of {one.total} meet it; the worst: " if one.total > 1 else ""
    return f"{missed}: {count}{one.of}"


def operations(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the part `operations` of an engine."""
    floors = [name for name in rows[0]["measures"] if name != "store"]
    head = ["operation", "#tasks", *(f"#{name}/s" for name in floors), "#store/s", "#ratio"]
    head += [f"#{floors[0]} p50 / p99 ms", "#store p50 / p99 ms", "#p99 ratio"]
    return table(head, (_operation(row, floors) for row in rows))


def _operation(row: Mapping[str, Any], floors: Sequence[str]) -> Sequence[str]:
    measures = row["measures"]
    return (
        row["operation"],
        str(row["tasks"]),
        *(_rate(measures.get(name)) for name in (*floors, "store")),
        f"**{row['ratio']:.2f}**",
        *(_times(measures[name]) for name in (floors[0], "store")),
        f"{row['p99_ratio']:.2f}",
    )


def sizes(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the part `sizes` of an engine."""
    numbers = [*rows[0]["sizes"]]
    head = ["operation", *(f"#{int(number):,} rows, /s" for number in numbers)]
    head += [f"#{int(number):,} / 0" for number in numbers[1:]]
    return table(
        head,
        (
            (
                row["operation"],
                *(_rate(row["sizes"][number]) for number in numbers),
                *(f"{row['ratios'][number]:.2f}" for number in numbers[1:]),
            )
            for row in rows
        ),
    )


def outbox(result: Mapping[str, Any]) -> str:
    """Write the part `outbox` of an engine."""
    measures = result["measures"]
    return table(
        ("batches of 50", "#rows/s", "#p50 / p99 ms"),
        (
            (name, f"{one['per_second'] * 50:,.0f}", _times(one))
            for name, one in sorted(measures.items())
        ),
    )


def queues(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the part `queues`."""
    head = ("queue", "enqueued", "#enqueued/s", "#processed/s", "#both/s", "#ours / this")
    return table(
        head,
        (
            (
                row["queue"],
                row["enqueued"],
                f"{row['enqueued_per_second']:,.0f}",
                f"{row['processed_per_second']:,.0f}",
                f"{row['through_per_second']:,.0f}",
                f"{row['ratio']:.2f}",
            )
            for row in rows
        ),
    )


def processes(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the part `processes` of an engine."""
    return table(
        ("process", "#ms", "compared with", "#ms", "#ratio"),
        (
            (
                f"`{row['process']}`",
                f"{row['seconds'] * 1000:.0f}",
                row["floor"] or _NOTHING,
                f"{row['floor_seconds'] * 1000:.0f}" if row["floor"] else _NOTHING,
                f"{row['ratio']:.2f}" if row["floor"] else _NOTHING,
            )
            for row in rows
        ),
    )


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def _rate(one: Mapping[str, Any] | None) -> str:
    return _NOTHING if one is None else f"{one['per_second']:,.0f}"


def _times(one: Mapping[str, Any]) -> str:
    return f"{one['p50'] * 1000:.2f} / {one['p99'] * 1000:.2f}"
