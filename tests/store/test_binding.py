"""Values of many rows are bound as those of one row are."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teleclaude.errors import InvalidValueError
from teleclaude.store.types import (
    BigInt,
    Flag,
    JsonDocument,
    Key,
    LongText,
    SurrogateKey,
    UtcDateTime,
)
from teleclaude.store.values import MAX_DEPTH, DumpedDocument, dump_document, dump_documents
from teleclaude.testing.documents import documents
from teleclaude.testing.hostile import MEGABYTE, REFUSED_TEXTS, TEXTS
from teleclaude.testing.rows import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.store import Db

NOW = datetime.now(UTC)
AHEAD = timezone(timedelta(hours=2))


class Word(str):
    __slots__ = ()


FINE: dict[type, Sequence[object]] = {
    **HOSTILE,
    Key: [*HOSTILE[Key], "k" * 250, "k" * 251, "\N{SNOWMAN}" * 250, Word("word")],
    LongText: [*TEXTS.values(), MEGABYTE, Word("word")],
    UtcDateTime: [*HOSTILE[UtcDateTime], NOW.astimezone(AHEAD), NOW.isoformat()],
    JsonDocument: [*HOSTILE[JsonDocument], DumpedDocument('{"a":1}')],
    SurrogateKey: [1, 2**63 - 1],
}
"""What is bound."""

REFUSED: dict[type, Sequence[object]] = {
    Key: [*(bad for bad, _ in REFUSED_TEXTS.values()), "k" * 1001, "\N{SNOWMAN}" * 334],
    LongText: [bad for bad, _ in REFUSED_TEXTS.values()],
    UtcDateTime: [NOW.replace(tzinfo=None), "soon", 5, datetime(1, 1, 1, tzinfo=AHEAD)],
    JsonDocument: [{"a": float("nan")}, {"a": 2**64}, {"a": "\0"}, "{}", 5],
    Flag: [1, 0, "true"],
    BigInt: [2**63, -(2**63) - 1, 1.0, True, "1"],
    SurrogateKey: [2**63, True],
}
"""What is not."""

KINDS = pytest.mark.parametrize("kind", FINE, ids=lambda kind: kind.__name__)


@KINDS
def test_what_is_bound_at_once_is_bound_as_one_by_one(db: Db, kind: type[Any]) -> None:
    """Whether values stand alone, together, or between nulls, the driver gets the same."""
    dialect = db._engine.dialect
    bound = kind().dialect_impl(dialect)
    process = bound.bind_processor(dialect)
    values = FINE[kind]
    one_by_one = [process(value) for value in values]
    assert list(bound.bind_many(values)) == one_by_one
    assert [list(bound.bind_many([value])) for value in values] == [[one] for one in one_by_one]
    assert list(bound.bind_many([None, *values, None])) == [None, *one_by_one, None]
    assert [list(bound.bind_many(nothing)) for nothing in ([], [None])] == [[], [None]]


@KINDS
def test_what_is_refused_alone_is_refused_among_others(db: Db, kind: type[Any]) -> None:
    """One bad value among good ones is found, with the same words."""
    dialect = db._engine.dialect
    bound = kind().dialect_impl(dialect)
    process = bound.bind_processor(dialect)
    good = FINE[kind][0]
    for bad in REFUSED[kind]:
        with pytest.raises(InvalidValueError) as alone:
            process(bad)
        with pytest.raises(InvalidValueError) as among:
            bound.bind_many([good, None, bad, good])
        assert str(among.value) == str(alone.value)


def test_surrogates_that_would_make_a_pair_are_refused(db: Db) -> None:
    """Halves of a character in neighbouring rows do not become one."""
    bound = LongText().dialect_impl(db._engine.dialect)
    with pytest.raises(InvalidValueError):
        bound.bind_many(["\ud83d", "\ude00"])


def test_a_dumped_document_is_not_dumped_again() -> None:
    """What was written once as JSON is taken as it is."""
    once = DumpedDocument(dump_document({"b": 1e20, "a": [True]}, "x"))
    assert dump_document(once, "x") is once


@given(st.lists(documents))
def test_documents_are_written_together_as_one_by_one(given_documents: list[Any]) -> None:
    """Whatever they hold, each text is the one that it would be alone, or all are refused."""
    try:
        one_by_one = [dump_document(document, "x") for document in given_documents]
    except InvalidValueError as error:
        with pytest.raises(InvalidValueError, match=re.escape(str(error))):
            dump_documents(given_documents, "x")
    else:
        assert dump_documents(given_documents, "x") == one_by_one


def test_documents_that_are_too_deep_are_refused_together_too() -> None:
    """How deep a document may be nested does not depend on its company."""
    deep: Any = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert dump_documents([{}, deep], "x") == [dump_document({}, "x"), dump_document(deep, "x")]
    with pytest.raises(InvalidValueError, match="nested more than"):
        dump_documents([{}, [deep], {}], "x")


def test_hostile_documents_are_written_together() -> None:
    """Numbers and texts that need a closer look get one, also among others."""
    for odd in (1e20, -0.0, 2**63 - 1, "\\u0000", "e+", "\ud7ff", 10**18):
        given_documents = [{"a": 1}, [odd], {}, {"b": [odd, odd]}]
        one_by_one = [dump_document(document, "x") for document in given_documents]
        assert dump_documents(given_documents, "x") == one_by_one
    for bad in (float("nan"), 2**63, "\0", "\ud800", {1: 2, "1": object()}):
        with pytest.raises(InvalidValueError):
            dump_documents([{"a": 1}, [bad], {}], "x")
    with pytest.raises(InvalidValueError):
        dump_documents([{}, "text"], "x")
