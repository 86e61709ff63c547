"""JSON text as a database holds it, a whole column at a time.

What can be said of the texts of many documents at once is not asked of each: reading and writing
documents is most of what a copy would have to do.
"""

from __future__ import annotations

import json
import re
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from teleclaude.store.values import (
    BETWEEN,
    MARK,
    MAX_DEPTH,
    dump_documents,
    has_many_digits,
    load_document,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK: Final = 32
"""Documents that are looked at together. One that needs a closer look costs its neighbours one."""

_FIRST: Final = frozenset("{[")
"""What documents begin with, as TeleClaude writes them and as engines do."""

_ESCAPES: Final = (rb"\u0000", rb"\ud", rb"\uD")
"""Escapes of what no engine keeps, and of surrogates, which may be alone."""

_ALIKE: Final = bytes.maketrans(b",[E", b"::e")
_IN_NUMBERS: Final = b"0123456789.-+ \t\r\n"
_AN_EXPONENT: Final = b":e"
"""What remains of a number with an exponent where what is in numbers is left out."""

_EXPONENT: Final = re.compile(rb"[:,\[\s]-?\d+(?:\.\d+)?[eE]")


class DumpedDocuments(list["str | None"]):
    """A column of documents, all of them text that the driver can be given."""


def passable(stored: Sequence[object], where: str) -> DumpedDocuments:
    """Give text that an engine which parses documents can take in the place of these.

    It keeps the form that it has, unless the engine would read something else in it than Python
    does, or there is something in it that is refused: such text is written anew. Text that is no
    JSON may come back, too; the engine refuses it.

    Args:
        stored: As for `canonical`.
        where: The column as `table.column`, for the error.

    Returns:
        Text for each.

    Raises:
        StoreError: Text that had to be looked at is no JSON.
        InvalidValueError: A document cannot be stored.
    """
    if not set(map(type, stored)) <= {str, NoneType}:
        return canonical(stored, where)
    found = DumpedDocuments()
    for start in range(0, len(stored), _CHUNK):
        chunk: Sequence[Any] = stored[start : start + _CHUNK]  # text, or `None`
        texts = [text for text in chunk if text is not None]
        found += chunk if _mean_the_same(texts) else canonical(chunk, where)
    return found


def canonical(stored: Sequence[object], where: str) -> DumpedDocuments:
    """Write documents as `dump_document` writes each of them.

    Args:
        stored: JSON text as it is stored, documents that the driver has parsed, or `None`.
        where: The column as `table.column`, for the error.

    Returns:
        Text for each.

    Raises:
        StoreError: Text is no JSON.
        InvalidValueError: A document cannot be stored.
    """
    given = [one for one in stored if one is not None]
    texts = iter(dump_documents(parsed(given, where), where))
    return DumpedDocuments(None if one is None else next(texts) for one in stored)


def parsed(stored: Sequence[object], where: str) -> Sequence[object]:
    """Read many documents as `load_document` reads each of them.

    Args:
        stored: JSON text as it is stored, documents that the driver has parsed, or `None`.
        where: The column as `table.column`, for the error.

    Raises:
        StoreError: Text is no JSON.
    """
    texts = [text for text in stored if isinstance(text, str)]
    found = _parsed_together(texts)
    if found is None:
        return [load_document(one, where) if isinstance(one, str) else one for one in stored]
    if len(texts) == len(stored):
        return found
    documents = iter(found)
    return [next(documents) if isinstance(one, str) else one for one in stored]


def _parsed_together(texts: Sequence[str]) -> Sequence[object] | None:
    try:
        found: list[object] = json.loads(f"[{BETWEEN.join(texts)}]")
    except (ValueError, RecursionError):
        return None
    documents, marks = found[::2], found[1::2]
    # Text that is no JSON can be a part of some, such as `1,2`.
    whole = len(documents) == len(texts) and marks == [MARK] * len(marks)
    return documents if whole else None


def _mean_the_same(texts: Sequence[str]) -> bool:
    """Say whether an engine certainly reads the same in text as Python, if it is JSON at all."""
    if not {text[:1] for text in texts} <= _FIRST:
        return False
    encoded = ",".join(texts).encode()
    if b"\\" in encoded and any(escape in encoded for escape in _ESCAPES):
        return False
    return not (_may_be_deep(texts, encoded) or has_many_digits(encoded) or _has_exponent(encoded))


def _may_be_deep(texts: Sequence[str], encoded: bytes) -> bool:
    if encoded.count(b"{") + encoded.count(b"[") <= MAX_DEPTH:
        return False  # no document is, where all together have no more brackets
    return any(text.count("{") + text.count("[") > MAX_DEPTH for text in texts)


def _has_exponent(encoded: bytes) -> bool:
    # Engines that keep decimal digits give `1e20` back as an integer. The regular expression alone
    # would take as long as reading the documents.
    return _AN_EXPONENT in encoded.translate(_ALIKE, _IN_NUMBERS) and bool(
        _EXPONENT.search(encoded)
    )
