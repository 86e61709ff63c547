"""The command: `python -m benchmarks PART…`; see README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import operations, outbox, processes, queues, sizes
from benchmarks.databases import open_databases
from benchmarks.machine import machine
from benchmarks.measuring import QUICK, Effort
from benchmarks.page import page
from benchmarks.plot import plot
from benchmarks.targets import ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.databases import Databases

_DOCS: Final = Path(__file__).parents[1] / "docs"
_REPORT: Final = "report"

_PARTS: Final[dict[str, Callable[..., Any]]] = {
    "operations": operations.run,
    "sizes": sizes.run,
    "outbox": outbox.run,
    "queues": queues.run,
    "processes": processes.run,
}
_ONLY_ON: Final = {"queues": ("postgresql",)}


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the command line names, and write it where it says.

    Args:
        words: The command line without the program; that of the process when left out.
    """
    given = _parser().parse_args(words)
    parts = [*_PARTS] if "all" in given.parts else [it for it in _PARTS if it in given.parts]
    document = _given(given.json, given)
    for engine in given.engine or ENGINES:
        wanted = [part for part in parts if engine in _ONLY_ON.get(part, ENGINES)]
        if wanted:
            results = document["engines"].setdefault(engine, {})
            with open_databases(engine, given.synchronous) as databases:
                for part in wanted:
                    results[part] = _run(part, engine, databases, _effort(given))
    _write(document, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    choices = [*_PARTS, "all", _REPORT]
    parser.add_argument("parts", nargs="+", choices=choices, help="what to measure", metavar="PART")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="all when left out")
    parser.add_argument("--quick", action="store_true", help="only show that everything works")
    parser.add_argument("--rounds", type=int, default=5, help="the median of them counts")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of operations")
    parser.add_argument("--synchronous", choices=["normal", "full"], default="normal")
    parser.add_argument("--json", type=Path, help="keeps the numbers; adds to what is there")
    parser.add_argument(
        "--write-docs", action="store_true", help="write docs/benchmarks.json, .md and .svg"
    )
    return parser


def _effort(given: argparse.Namespace) -> Effort:
    return QUICK if given.quick else Effort(rounds=given.rounds, scale=given.scale)


def _given(file: Path | None, given: argparse.Namespace) -> dict[str, Any]:
    if given.write_docs and file is None and "all" not in given.parts:
        file = _DOCS / "benchmarks.json"
    if file is not None and file.exists():
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {**document, "quick": document["quick"] or given.quick}
    server = "PostgreSQL as it comes, its files in memory if they fit"
    how = f"SQLite synchronous {given.synchronous}; {server}"
    much = f"{given.rounds} rounds, {given.scale:g} of the usual number of operations"
    return {
        "machine": {**machine(), "durability": how, "effort": much},
        "quick": given.quick,
        "engines": {},
    }


def _run(part: str, engine: str, databases: Databases, effort: Effort) -> Any:  # noqa: ANN401
    def say(what: str) -> None:
        sys.stderr.write(f"{engine}, {part}: {what}\n")

    result = _PARTS[part](databases, effort, say)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def _write(document: dict[str, Any], given: argparse.Namespace) -> None:
    numbers = json.dumps(document, indent=1) + "\n"
    text = page(document)
    if given.json:
        given.json.write_text(numbers, encoding="utf-8")
    if given.write_docs:
        (_DOCS / "benchmarks.json").write_text(numbers, encoding="utf-8")
        (_DOCS / "benchmarks.md").write_text(text, encoding="utf-8")
        (_DOCS / "benchmarks.svg").write_text(plot(document["engines"]), encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
