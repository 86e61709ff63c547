"""Saying what became of a database that an earlier TeleClaude had made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teleclaude.backends import AdoptionReport, Quarantined

_LISTED: Final = 20
"""Lines on what is in quarantine; the table has it all."""


def describe(report: AdoptionReport, *, dry_run: bool = False) -> Iterator[str]:
    """Describe an adoption.

    Args:
        report: What was done.
        dry_run: Whether it was undone again.

    Yields:
        Lines of text.
    """
    tables = ", ".join(f"{name} {count:,}" for name, count in sorted(report.rows.items()) if count)
    done = "Would adopt" if dry_run else "Adopted"
    yield f"{done} {report.found}, with {sum(report.rows.values()):,} rows ({tables or 'none'})."
    if report.left_alone:
        yield f"Left as they are, because nobody knows them: {', '.join(report.left_alone)}."
    if report.quarantined:
        verb = "would be" if dry_run else "are"
        yield f"No place for {report.quarantined:,} values or rows; they {verb} in `quarantine`:"
        yield from (f"  {line(one)}" for one in report.examples[:_LISTED])
        if (more := report.quarantined - _LISTED) > 0:
            yield f"  and {more:,} more"


def line(one: Quarantined) -> str:
    """Describe one thing in quarantine."""
    place = f"{one.table} {one.key!r}" + (f", {one.column}" if one.column else "")
    return f"{place}: {one.original} {one.reason}"
