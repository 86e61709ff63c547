"""The parity machine's idea of "the same": what it lets pass, and that it is nothing else."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from parity.comparing import Labels, difference, normal, normal_answer, normal_error
from teleclaude.errors import ConflictError, InvalidValueError, StoreError, StoreUnavailableError
from teleclaude.store.records import HookEvent, OutboxStats, Voice
from teleclaude.testing.clock import START

OFFSET = timezone(timedelta(hours=1))


def _event(row_id: int, token: str | None, **changes: Any) -> HookEvent:
    event = HookEvent(row_id, START, START, 0, None, None, None, None, token, "s1", "stop", {})
    return event._replace(**changes)


DIFFERENT = {
    "integer and fraction": (1, 1.0),
    "flag and integer": (True, 1),
    "sign of zero": (0.0, -0.0),
    "case": ("a", "A"),
    "composed and not": ("\u00e9", "e\u0301"),
    "empty and null": ("", None),
    "text and number": ("1", 1),
    "offset": (START, START.astimezone(OFFSET)),
    "time zone": (START, START.replace(tzinfo=None)),
    "microsecond": (START, START + timedelta(microseconds=1)),
    "order": ([1, 2], [2, 1]),
    "length": ([1], [1, 1]),
    "list and tuple": ([1], (1,)),
    "deep inside": ({"a": [{"b": 1}]}, {"a": [{"b": 1.0}]}),
    "key": ({"a": 1}, {"b": 1}),
    "type of key": ({"1": 1}, {1: 1}),
    "set": (frozenset({("a", None)}), frozenset({("a", "")})),
    "class of a record": (Voice("a", "b", "c", START), ("a", "b", "c", START)),
    "field of a record": (_event(1, None), _event(1, None, attempt_count=1)),
    "claimed and not": (_event(1, None), _event(1, uuid4().hex)),
    "count": (OutboxStats(1, 0, 0, 0, None), OutboxStats(0, 1, 0, 0, None)),
}


@pytest.mark.parametrize(("left", "right"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_noticed(left: object, right: object) -> None:
    """The slightest difference in value or type is one."""
    assert difference(normal(left, Labels()), normal(left, Labels())) is None
    assert difference(normal(left, Labels()), normal(right, Labels())) is not None


ERRORS = {
    "class": (StoreError("a"), InvalidValueError("a")),
    "message": (StoreError("a"), StoreError("b")),
    "hint": (StoreError("a", hint="Do."), StoreError("a")),
    "transience": (
        StoreUnavailableError("a", transient=True),
        StoreUnavailableError("a"),
    ),
    "error and value": (StoreError("a"), None),
}


@pytest.mark.parametrize(("left", "right"), ERRORS.values(), ids=ERRORS)
def test_errors_that_differ_are_noticed(left: Exception, right: Exception | None) -> None:
    """Errors are compared by class, text and what callers may ask them."""

    def form(error: Exception | None) -> object:
        labels = Labels()
        return error and normal_error(error, "settings", labels, "somewhere")

    assert difference(form(left), form(left)) is None
    assert difference(form(left), form(right)) is not None


def test_where_a_database_is_makes_no_difference() -> None:
    """Nor does what only some engines tell about a conflict."""
    left = ConflictError("The database /a/b.db is full.", constraint="fk")
    right = ConflictError("The database host/name is full.")
    assert normal_error(left, "settings", Labels(), "/a/b.db") == normal_error(
        right, "settings", Labels(), "host/name"
    )


def test_ids_and_tokens_are_compared_by_what_they_stand_for() -> None:
    """Two engines may count differently, but must mean the same rows by it."""
    left, right = Labels(), Labels()
    for mine, other in ((1, 1), (2, 7)):
        one = normal_answer("hook_outbox", "enqueue", mine, left)
        assert one == normal_answer("hook_outbox", "enqueue", other, right)
    token, another = uuid4().hex, uuid4().hex
    first, second = normal(_event(1, token), left), normal(_event(2, token), left)
    assert first == normal(_event(1, another), right)
    assert second == normal(_event(7, another), right)
    assert second != normal(_event(1, another), right)
    assert second != normal(_event(7, uuid4().hex), right)
    settled = normal_answer("hook_outbox", "delivered_many", frozenset({1, 2}), left)
    assert settled == normal_answer("hook_outbox", "delivered_many", frozenset({7, 1}), right)
    assert settled != normal_answer("hook_outbox", "delivered_many", frozenset({7}), right)


def test_an_error_that_names_a_row() -> None:
    """It is the same error when it names the same row."""
    left, right = Labels(), Labels()
    normal_answer("hook_outbox", "enqueue", 1, left)
    normal_answer("hook_outbox", "enqueue", 5, right)

    def form(row_id: int, labels: Labels) -> object:
        message = f"The row {row_id} is not claimed; take it with `claim` first."
        return normal_error(InvalidValueError(message), "hook_outbox", labels, "somewhere")

    assert form(1, left) == form(5, right)
    assert form(2, left) != form(5, right)


def test_the_order_of_settings_counts() -> None:
    """Where an answer promises an order it is compared; where a document has none it is not."""
    here, there = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert difference(normal(here, Labels()), normal(there, Labels())) is None
    one = normal_answer("settings", "all", here, Labels())
    assert difference(one, normal_answer("settings", "all", there, Labels())) is not None


def test_a_difference_is_described_by_its_place() -> None:
    """The first difference is named, with what is there, shortened."""
    left, right = normal([{"a": 1}, "x" * 1000], Labels()), normal([{"a": 2}, "y"], Labels())
    found = difference(left, right, "content")
    assert found is not None
    assert "['a']" in found.replace("('str', 'a')", "'a'")
    assert "'1'" in found
    assert len(found) < 200
    assert difference("x" * 1000, "y") is not None
    assert len(str(difference("x" * 1000, "y"))) < 300
