"""Reading PostgreSQL's EXPLAIN (https://www.postgresql.org/docs/current/using-explain.html)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EXPLAIN: Final = "EXPLAIN (FORMAT JSON) "


def read_whole(rows: Iterable[tuple[object, ...]]) -> set[str]:
    """Give the tables that are read from end to end, directly or by a whole index."""
    return {str(_read(node)) for node in _plan(rows) if _is_whole(node)}


def indexes(rows: Iterable[tuple[object, ...]]) -> list[str]:
    """Give the indexes that are used, each as often as it is."""
    return [str(node["Index Name"]) for node in _plan(rows) if "Index Name" in node]


def _plan(rows: Iterable[tuple[object, ...]]) -> Iterator[dict[str, Any]]:
    [[document]] = rows
    [plan] = document if isinstance(document, list) else json.loads(str(document))
    return _nodes(plan["Plan"])


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _is_whole(node: dict[str, Any]) -> bool:
    kind = node["Node Type"]
    return kind == "Seq Scan" or ("Index" in kind and "Index Cond" not in node)


def _read(node: dict[str, Any]) -> object:
    return node.get("Relation Name") or node.get("Index Name")
