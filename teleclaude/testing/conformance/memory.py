"""`db.memory`: saving, reading, searching."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from teleclaude.errors import InvalidValueError
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.declared import needs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.config import Config
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.schemas import Schema

GOLDEN = yaml.safe_load(Path(__file__).with_name("memory_search.yml").read_text(encoding="utf-8"))


async def _save_all(db: Db, clock: MutableClock) -> list[int]:
    ids = []
    for note in GOLDEN["notes"]:
        given = dict(note)
        saved = await db.memory.save(given.pop("text"), given.pop("title"), **given)
        ids.append(saved.id)
        clock.advance()
    return ids


async def test_search_finds_what_the_golden_file_says(db: Db, clock: MutableClock) -> None:
    """The same queries find the same observations in the same order on every engine."""
    ids = await _save_all(db, clock)
    wrong = []
    for case in GOLDEN["queries"]:
        given = dict(case)
        expected, unordered = given.pop("finds"), given.pop("unordered", False)
        found = [ids.index(row.id) + 1 for row in await db.memory.search(**given)]
        if (sorted(found) if unordered else found) != (sorted(expected) if unordered else expected):
            wrong.append((case, found))
    assert wrong == []


async def test_search_without_an_index_finds_the_same(db: Db, clock: MutableClock) -> None:
    """An engine without a full-text index gives the same answers, only slower."""
    ids = await _save_all(db, clock)
    db.memory._text_search = None
    for case in GOLDEN["queries"]:
        given = {name: value for name, value in case.items() if name not in ("finds", "unordered")}
        found = [ids.index(row.id) + 1 for row in await db.memory.search(**given)]
        assert sorted(found) == sorted(case["finds"]), case


@needs("text search")
async def test_an_index_that_is_made_later_knows_what_is_there(
    migrated: Schema, migrated_config: Config, clock: MutableClock
) -> None:
    """The index can be dropped and made again, and then has all that was saved before."""
    words = metadata.tables["memory_observations"].c.search_text
    search = migrated_config.backend.text_search(words.table, words.name)
    assert search is not None
    async with Db(migrated_config, clock=clock) as db:
        saved = await db.memory.save("before the index")
        for statements in (search.drop, search.create):
            async with migrated.engine.begin() as connection:
                for statement in statements:
                    await connection.execute(statement)
        later = await db.memory.save("after the index")
        found = [row.id for row in await db.memory.search("index")]
    assert found == [later.id, saved.id]
    assert await migrated.migrator.check() == []


async def test_search_in_a_transaction(db: Db) -> None:
    """What a transaction has saved, it also finds; nobody else does before the end."""
    async with db.transaction() as tx:
        saved = await tx.memory.save("a transactional thought")
        assert [row.id for row in await tx.memory.search("transactional")] == [saved.id]
        assert await db.memory.search("transactional") == []
    assert [row.id for row in await db.memory.search("transactional")] == [saved.id]


async def test_search_limit(db: Db) -> None:
    """No more than asked for come back, and the newest of equals first."""
    ids = [(await db.memory.save(f"same words {number}", "t")).id for number in range(5)]
    assert [row.id for row in await db.memory.search("same words", limit=2)] == [ids[4], ids[3]]


@pytest.mark.parametrize("query", ["x" * 1_000_000, "word " * 50_000, '"' + "a b " * 20_000 + '"'])
async def test_very_long_queries(db: Db, query: str) -> None:
    """However much somebody types, it is no error."""
    assert await db.memory.search(query) == []


async def test_very_long_texts_are_found(db: Db) -> None:
    """A text of a megabyte is stored whole and found by its words."""
    text = "needle " + "haystack " * 130_000
    saved = await db.memory.save(text)
    assert [row.id for row in await db.memory.search("needle haystack")] == [saved.id]
    assert (await db.memory.get([saved.id]))[0].narrative == text


async def test_many_different_words(db: Db) -> None:
    """Many long words do not exceed what an index entry can hold."""
    text = " ".join(f"{number:06d}{'x' * 80}" for number in range(12_000))
    saved = await db.memory.save(text)
    assert [row.id for row in await db.memory.search("000000*")] == [saved.id]


async def test_deleted_observations_are_not_found(db: Db) -> None:
    """Deleting takes an observation out of the index, and says whether there was one."""
    saved = await db.memory.save("forget me")
    assert await db.memory.delete(saved.id) is True
    assert await db.memory.delete(saved.id) is False
    assert await db.memory.search("forget") == []


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("One sentence. Another.", "One sentence."),
        ("\n\n  First line\nsecond line", "First line"),
        ("Really? Yes.", "Really?"),
        ("version 3.45 is out", "version 3.45 is out"),
        ("x" * 100, "x" * 80),
        ("", "Untitled"),
    ],
)
async def test_title_from_the_text(db: Db, text: str, title: str) -> None:
    """Without a title, the first sentence of the first line becomes it, shortened."""
    saved = await db.memory.save(text)
    assert saved.title == title
    assert (await db.memory.get([saved.id]))[0].title == title


async def test_saved_as_given(db: Db, clock: MutableClock) -> None:
    """What is saved comes back, with the time and the defaults."""
    saved = await db.memory.save("text", "title", "p", type="gotcha", concepts=["a"], facts=["b"])
    assert (saved.title, saved.project) == ("title", "p")
    row = (await db.memory.get([saved.id]))[0]
    assert (row.type, row.concepts, row.facts, row.narrative) == ("gotcha", ["a"], ["b"], "text")
    assert (row.created_at, row.created_at_epoch) == (clock(), int(clock().timestamp()))
    assert (row.discovery_tokens, row.identity_key) == (0, None)


async def test_unknown_type_is_refused(db: Db) -> None:
    """Only the known types are stored."""
    with pytest.raises(InvalidValueError, match="bugfix"):
        await db.memory.save("text", type="bugfix")
    assert await db.memory.recent("teleclaude", 10) == []


async def test_one_manual_session_for_each_project(db: Db) -> None:
    """However many save at once, a project has one session."""
    await asyncio.gather(*(db.memory.save(f"{n}", project=f"p{n % 2}") for n in range(20)))
    for project in ("p0", "p1"):
        rows = await db.memory.recent(project, 100)
        assert len(rows) == 10
        assert len({row.memory_session_id for row in rows}) == 1


async def test_get_by_project(db: Db, clock: MutableClock) -> None:
    """Ids that do not exist, or are another project's, are left out; newest first."""
    first = (await db.memory.save("1", project="p")).id
    clock.advance()
    second = (await db.memory.save("2", project="q")).id
    assert _ids(await db.memory.get([first, second, 999])) == [second, first]
    assert _ids(await db.memory.get([first, second], "p")) == [first]
    assert await db.memory.get([]) == []


async def test_recent(db: Db, clock: MutableClock) -> None:
    """The newest of a project come first, no more than asked for."""
    ids = []
    for number in range(4):
        ids.append((await db.memory.save(f"{number}", project="p")).id)
        clock.advance(number % 2)
    await db.memory.save("other", project="q")
    assert _ids(await db.memory.recent("p", 3)) == [ids[3], ids[2], ids[1]]


async def test_summaries(db: Db, clock: MutableClock) -> None:
    """Summaries are kept by project, newest first, in the session of the project's observations."""
    await db.memory.save("text", project="p")
    first = await db.memory.save_summary("p", request="r", learned="l")
    clock.advance()
    second = await db.memory.save_summary("p", completed="c", next_steps="n", investigated="i")
    rows = await db.memory.recent_summaries("p", 5)
    assert [row.id for row in rows] == [second, first]
    assert (rows[1].request, rows[1].learned, rows[0].next_steps) == ("r", "l", "n")
    assert rows[0].memory_session_id == (await db.memory.recent("p", 1))[0].memory_session_id
    assert await db.memory.recent_summaries("q", 5) == []


async def test_timeline(db: Db, clock: MutableClock) -> None:
    """Around an anchor, in time order, each once, also where several have the same second."""
    ids = []
    for number in range(8):
        ids.append((await db.memory.save(f"{number}", project="pq"[number % 2])).id)
        clock.advance(number % 2)
    assert _ids(await db.memory.timeline(ids[4], 2, 2)) == ids[2:7]
    assert _ids(await db.memory.timeline(ids[4], 2, 1, "p")) == [ids[0], ids[2], ids[4], ids[6]]
    assert _ids(await db.memory.timeline(ids[0], 3, 0)) == [ids[0]]
    assert await db.memory.timeline(999) == []


def _ids(rows: Sequence[Any]) -> list[int]:
    return [row.id for row in rows]
