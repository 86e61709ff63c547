"""The settings that are changed while the daemon runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from teleclaude.errors import InvalidValueError
from teleclaude.store.models import metadata
from teleclaude.testing.hostile import MEGABYTE, REFUSED_TEXTS, TEXTS

if TYPE_CHECKING:
    from teleclaude.store import Db
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute


async def test_set_and_get(db: Db) -> None:
    """A value is there once it is set, and replaced when it is set again."""
    assert await db.settings.get("key") is None
    await db.settings.set("key", "one")
    await db.settings.set("key", "two")
    await db.settings.set("Key", "other")
    assert await db.settings.get("key") == "two"
    assert await db.settings.get("Key") == "other"


async def test_all(db: Db) -> None:
    """All values come by key, in the order of the keys by code point."""
    assert await db.settings.all() == {}
    keys = ["b", "a", "B", "\u00e4", "\U0001f600", "\uffee", "_"]
    for key in keys:
        await db.settings.set(key, key * 2)
    assert list((await db.settings.all()).items()) == [(key, key * 2) for key in sorted(keys)]


async def test_deleting_a_setting(db: Db) -> None:
    """`delete` says whether there was something to delete, and deletes only that."""
    await db.settings.set("a", "1")
    await db.settings.set("b", "2")
    assert await db.settings.delete("a") is True
    assert await db.settings.delete("a") is False
    assert await db.settings.all() == {"b": "2"}


async def test_the_time_of_a_change_is_noted(db: Db, clock: MutableClock, execute: Execute) -> None:
    """`updated_at` is the time of the last change, also when the key existed."""
    statement = select(metadata.tables["system_settings"].c.updated_at)
    for value in "ab":
        now = clock.advance()
        await db.settings.set("key", value)
        assert execute(statement) == [(now,)]


async def test_hostile_keys_and_values(db: Db) -> None:
    """Keys and values may be any text; a value has no limit."""
    texts = [*TEXTS.values()]
    for text in texts:
        await db.settings.set(text, text)
        assert await db.settings.get(text) == text
    assert await db.settings.all() == {text: text for text in texts}
    await db.settings.set("large", MEGABYTE)
    assert await db.settings.get("large") == MEGABYTE


@pytest.mark.parametrize(("value", "reason"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
async def test_refused_settings(db: Db, value: str, reason: str) -> None:
    """What cannot be stored is refused by table and column, in every operation."""
    with pytest.raises(InvalidValueError, match=rf"system_settings\.key {reason}"):
        await db.settings.set(value, "value")
    with pytest.raises(InvalidValueError, match=rf"system_settings\.value {reason}"):
        await db.settings.set("key", value)
    with pytest.raises(InvalidValueError, match=rf"system_settings\.key {reason}"):
        await db.settings.get(value)
    with pytest.raises(InvalidValueError, match=rf"system_settings\.key {reason}"):
        await db.settings.delete(value)
    assert await db.settings.all() == {}
