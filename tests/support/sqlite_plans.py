"""Reading SQLite's EXPLAIN QUERY PLAN (https://www.sqlite.org/eqp.html)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

EXPLAIN: Final = "EXPLAIN QUERY PLAN "

_SCAN: Final = re.compile(
    r"SCAN (\S+)(?!\S| VIRTUAL TABLE INDEX \d+:\S)|SEARCH (\S+) USING AUTOMATIC"
)
"""A virtual table says after the colon what it looks for in its index; if nothing, it is read."""

_BUILT: Final = re.compile(r"(?:MATERIALIZE|CO-ROUTINE) (\S+)")
_INDEX: Final = re.compile(r" USING (?:COVERING )?INDEX (\S+)")
_NO_TABLE: Final = {"CONSTANT"}
"""What is scanned where a SELECT has no FROM."""


def read_whole(rows: Iterable[tuple[object, ...]]) -> set[str]:
    """Give the tables, by the names the statement gives them, that are read from end to end.

    Reading a whole index in its order is that, too; reading an intermediate result is not.
    """
    lines = [str(row[-1]) for row in rows]
    scanned = {match[1] or match[2] for line in lines if (match := _SCAN.match(line))}
    return scanned - {match[1] for line in lines if (match := _BUILT.match(line))} - _NO_TABLE


def indexes(rows: Iterable[tuple[object, ...]]) -> list[str]:
    """Give the indexes that are used, each as often as it is."""
    return [match[1] for row in rows if (match := _INDEX.search(str(row[-1])))]
