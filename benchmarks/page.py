"""The page `docs/benchmarks.md`: everything that was measured, and how to measure it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from benchmarks import tables
from benchmarks.targets import verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_INTRODUCTION: Final = """\
# How fast it is

The store beside the drivers it runs on, measured in one run on one machine; what each number means
stands in [benchmarks/README.md](../benchmarks/README.md). This page, its plot and
[its numbers](benchmarks.json) are written by

```sh
python -m benchmarks all --write-docs
```

Numbers per second belong to the machine. Ratios are what counts: each round measures the store and
what it is compared with right after one another, and the median of the rounds is given. What stands
in the way of the targets that are missed is told in [performance.md](performance.md)."""

_NOT_COMPARABLE: Final = """\
`webhook_outbox` is what the others are compared with: like theirs, its jobs have no order that must
be kept. `hook_outbox` also keeps the events of each session in order, and hands each session to one
claimer at a time. pgqueuer and procrastinate have a call that enqueues many jobs at once; an outbox
has none, because an event is stored when it happens and is durable then. So a row "in batches"
compares their best case with a case that is ours every day."""

_PARTS: Final[Mapping[str, tuple[str, str]]] = {
    "operations": ("Operations beside the drivers", ""),
    "sizes": ("The same operations on large tables, 1 task", ""),
    "outbox": ("Claim and acknowledge in batches, 1 task", ""),
    "queues": ("Queues on the same server", _NOT_COMPARABLE),
    "processes": ("Whole processes", ""),
}
"""Heading and explanation of each part, in the order of the page."""


def page(document: Mapping[str, Any]) -> str:
    """Write the page.

    Args:
        document: What `python -m benchmarks` writes as JSON.
    """
    everything: Mapping[str, Any] = document["engines"]
    parts = [_INTRODUCTION, _machine(document), "## Targets", tables.targets(verdicts(everything))]
    if any("operations" in results for results in everything.values()):
        parts.append("![Ratios of all operations](benchmarks.svg)")
    for part, (heading, explanation) in _PARTS.items():
        given = {engine: it[part] for engine, it in everything.items() if it.get(part)}
        if given:
            parts += [f"## {heading}", *([explanation] if explanation else [])]
            for engine, results in given.items():
                parts += [f"### {engine}", _table(part, results), *_remarks(part, results)]
    return "\n\n".join(parts) + "\n"


def _table(part: str, results: Any) -> str:  # noqa: ANN401 - what the part gave
    return str(getattr(tables, part)(results))


def _remarks(part: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if part == "operations":
        remarks = {row["operation"]: row["remark"] for row in rows if row["remark"]}
        yield "\n".join(f"* {name}: {remark}." for name, remark in remarks.items())


def _machine(document: Mapping[str, Any]) -> str:
    machine = document["machine"]
    facts = [f"{name}: {value}" for name, value in machine.items()]
    shortened = ["**This was a quick run: its numbers mean nothing.**"] if document["quick"] else []
    return "\n".join([*shortened, *(f"* {fact}" for fact in facts)])
