"""What is remembered about projects: `db.memory`."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from sqlalchemy import and_, bindparam, delete, insert, literal, or_, select

from teleclaude.errors import InvalidValueError
from teleclaude.store.columns import checked
from teleclaude.store.models import metadata
from teleclaude.store.records import ObservationRecord, SavedObservation, SummaryRecord
from teleclaude.store.values import check_integer, check_limit, check_text
from teleclaude.store.words import count_hits, parse_query, words_of_observation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import BindParameter, Column, ColumnElement, Select

    from teleclaude.store.context import StoreContext
    from teleclaude.store.executor import Executor
    from teleclaude.store.ways import Row
    from teleclaude.store.words import Query

TYPES: Final = (
    "preference",
    "decision",
    "discovery",
    "gotcha",
    "pattern",
    "friction",
    "context",
)
"""What an observation can be."""

DEFAULT_PROJECT: Final = "teleclaude"

_LONGEST_TITLE: Final = 80
_SENTENCE: Final = re.compile(r".*?[.!?](?=\s|$)")
_CANDIDATES: Final = 1000
"""How many of the newest matches are compared for the best ones."""

_READ_AT_ONCE: Final = 500
"""Ids in one statement: engines limit the number of parameters."""

_ID: Final = "memory_observations.id"

_TABLE = metadata.tables["memory_observations"]
_SUMMARIES = metadata.tables["memory_summaries"]
_MANUAL = metadata.tables["memory_manual_sessions"]
_C = _TABLE.c
_NEWEST_FIRST: Final = (_C.created_at_epoch.desc(), _C.id.desc())
_OLDEST_FIRST: Final = (_C.created_at_epoch, _C.id)

_INSERT: Final = insert(_TABLE)
_INSERT_SUMMARY: Final = insert(_SUMMARIES)
_MANUAL_SESSION: Final = select(_MANUAL.c.memory_session_id).where(
    _MANUAL.c.project == bindparam("project_")
)
_DELETE: Final = delete(_TABLE).where(_C.id == bindparam("id_"))
_IDS: Final = _C.id.in_(bindparam("ids_", expanding=True))
_OF_PROJECT: Final = _C.project == bindparam("project_")
_GET: Final = select(_TABLE).where(_IDS).order_by(*_NEWEST_FIRST)
_GET_OF_PROJECT: Final = _GET.where(_OF_PROJECT)
_RECENT: Final = (
    select(_TABLE).where(_OF_PROJECT).order_by(*_NEWEST_FIRST).limit(bindparam("limit_"))
)
_RECENT_SUMMARIES: Final = (
    select(_SUMMARIES)
    .where(_SUMMARIES.c.project == bindparam("project_"))
    .order_by(_SUMMARIES.c.created_at_epoch.desc(), _SUMMARIES.c.id.desc())
    .limit(bindparam("limit_"))
)
_ANCHOR: Final = select(_C.created_at_epoch).where(_C.id == bindparam("id_"))
_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = {
    "project": _OF_PROJECT,
    "type": _C.type == bindparam("type_"),
    "identity_key": or_(_C.identity_key == bindparam("identity_key_"), _C.identity_key.is_(None)),
}


class Memory:
    """Observations and summaries by project."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._text_search = context.text_search(_TABLE, _C.search_text.name)
        self._add_manual_session = context.upsert(_MANUAL, ("project",), ())

    async def save(  # noqa: PLR0913 - an observation has that many parts
        self,
        text: str,
        title: str | None = None,
        project: str = DEFAULT_PROJECT,
        *,
        type: str = "discovery",  # noqa: A002 - the column's name
        concepts: Iterable[str] = (),
        facts: Iterable[str] = (),
        identity_key: str | None = None,
    ) -> SavedObservation:
        """Remember something.

        Args:
            text: What.
            title: Its title; left out, the first sentence of the first line.
            project: What it is about.
            type: One of `TYPES`.
            concepts: Keywords.
            facts: Single facts.
            identity_key: Whom it belongs to; `None` for everybody.

        Returns:
            What was saved.

        Raises:
            InvalidValueError: The type is none of `TYPES`, or a value cannot be stored.
        """
        if type not in TYPES:
            message = f"The type of an observation must be one of {', '.join(TYPES)}, not {type!r}."
            raise InvalidValueError(message)
        _text(text, _C.narrative)
        shown = _text(title or _title(text), _C.title)
        known = [_text(concept, _C.concepts) for concept in concepts]
        told = [_text(fact, _C.facts) for fact in facts]
        now = self._clock()
        row: dict[str, object] = {
            "project": project,
            "type": type,
            "title": shown,
            "narrative": text,
            "facts": told,
            "concepts": known,
            "discovery_tokens": 0,
            "created_at": now,
            "created_at_epoch": int(now.timestamp()),
            "identity_key": identity_key,
        }
        row["search_text"] = words_of_observation(row)
        row_id = await self._insert(_INSERT, project, checked(_TABLE, row))
        return SavedObservation(row_id, shown, project)

    async def save_summary(  # noqa: PLR0913 - so has a summary
        self,
        project: str = DEFAULT_PROJECT,
        *,
        request: str | None = None,
        investigated: str | None = None,
        learned: str | None = None,
        completed: str | None = None,
        next_steps: str | None = None,
    ) -> int:
        """Remember how a session went.

        Args:
            project: What it was about.
            request: What was asked for.
            investigated: What was looked at.
            learned: What was found out.
            completed: What was done.
            next_steps: What comes next.

        Returns:
            The id of the summary.
        """
        now = self._clock()
        row = {
            "project": project,
            "request": request,
            "investigated": investigated,
            "learned": learned,
            "completed": completed,
            "next_steps": next_steps,
            "created_at": now,
            "created_at_epoch": int(now.timestamp()),
        }
        return await self._insert(_INSERT_SUMMARY, project, checked(_SUMMARIES, row))

    async def get(
        self, ids: Iterable[int], project: str | None = None
    ) -> Sequence[ObservationRecord]:
        """Give observations by id.

        Args:
            ids: Which; those that do not exist are left out.
            project: Only those of this project.

        Returns:
            The observations, newest first.
        """
        wanted = list(dict.fromkeys(check_integer(row_id, _ID) for row_id in ids))
        statement = _GET if project is None else _GET_OF_PROJECT
        found: list[ObservationRecord] = []
        for start in range(0, len(wanted), _READ_AT_ONCE):
            parameters = {"ids_": wanted[start : start + _READ_AT_ONCE], "project_": project}
            found += _records(await self._executor.read(statement, parameters))
        return sorted(found, key=lambda row: (row.created_at_epoch, row.id), reverse=True)

    async def recent(self, project: str, limit: int) -> Sequence[ObservationRecord]:
        """Give the newest observations of a project, newest first.

        Args:
            project: The project.
            limit: How many at most.

        Raises:
            InvalidValueError: The limit is no positive integer.
        """
        parameters = {"project_": project, "limit_": check_limit(limit)}
        return _records(await self._executor.read(_RECENT, parameters))

    async def recent_summaries(self, project: str, limit: int) -> Sequence[SummaryRecord]:
        """Give the newest summaries of a project, newest first.

        Args:
            project: The project.
            limit: How many at most.

        Raises:
            InvalidValueError: The limit is no positive integer.
        """
        parameters = {"project_": project, "limit_": check_limit(limit)}
        rows = await self._executor.read(_RECENT_SUMMARIES, parameters)
        return [SummaryRecord._make(row) for row in rows]

    async def delete(self, observation_id: int) -> bool:
        """Forget an observation.

        Returns:
            Whether it existed.
        """
        return (await self._executor.write(_DELETE, {"id_": observation_id})).rowcount > 0

    async def search(
        self,
        query: str,
        project: str | None = None,
        *,
        type: str | None = None,  # noqa: A002 - the column's name
        identity_key: str | None = None,
        limit: int = 20,
    ) -> Sequence[ObservationRecord]:
        """Find observations by words of their title, subtitle, narrative, facts and concepts.

        Case and accents do not matter. Among the newest thousand that match, the best are those
        with most of the words in their title, subtitle and concepts.

        Args:
            query: Words that must all occur; one that ends in `*` stands for all that begin so.
                Words in double quotes must follow one another. Nothing is an error.
            project: Only those of this project.
            type: Only those of this type.
            identity_key: Only those of this owner and of everybody.
            limit: How many at most.

        Returns:
            The observations, best first, then newest.

        Raises:
            InvalidValueError: The limit is no positive integer.
        """
        check_limit(limit)
        wanted = parse_query(query)
        if not wanted.words:
            return []
        filters = {"project": project, "type": type, "identity_key": identity_key}
        given = {name: value for name, value in filters.items() if value is not None}
        statement, parameters = self._search_statement(wanted, tuple(given))
        parameters.update({f"{name}_": value for name, value in given.items()})
        candidates = await self._executor.read(statement, parameters)
        ranked = sorted(candidates, key=lambda row: _rank(wanted, row), reverse=True)
        best = [row[0] for row in ranked[:limit]]
        found = {record.id: record for record in await self.get(best)} if best else {}
        return [found[row_id] for row_id in best if row_id in found]

    async def timeline(
        self, anchor_id: int, before: int = 3, after: int = 3, project: str | None = None
    ) -> Sequence[ObservationRecord]:
        """Give an observation with those around it.

        Args:
            anchor_id: The observation in the middle.
            before: How many earlier ones at most.
            after: How many later ones at most.
            project: Only those of this project, the anchor aside.

        Returns:
            The observations in time order, each once; none when there is no such anchor.

        Raises:
            InvalidValueError: A number of observations is no integer, or negative.
        """
        check_limit(before, "number of earlier observations", least=0)
        check_limit(after, "number of later observations", least=0)
        rows = await self._executor.read(_ANCHOR, {"id_": anchor_id})
        if not rows:
            return []
        place = {"epoch_": rows[0][0], "id_": anchor_id}
        if project is not None:
            place["project_"] = project
        earlier_statement, later_statement = _around(project is not None)
        earlier = await self._executor.read(earlier_statement, {**place, "limit_": before})
        anchor = await self._executor.read(_GET, {"ids_": [anchor_id]})
        later = await self._executor.read(later_statement, {**place, "limit_": after})
        return _records([*reversed(earlier), *anchor, *later])

    async def _insert(self, statement: Any, project: str, row: Mapping[str, object]) -> int:  # noqa: ANN401
        parameters = {"project_": project}

        async def unit(executor: Executor) -> int:
            found = await executor.read(_MANUAL_SESSION, parameters)
            if not found:
                await executor.write(self._add_manual_session, self._manual_session(project))
                found = await executor.read(_MANUAL_SESSION, parameters)
            return await executor.insert(statement, {**row, "memory_session_id": found[0][0]})

        return await self._executor.run(unit)

    def _manual_session(self, project: str) -> Mapping[str, object]:
        return {
            "memory_session_id": f"manual-{uuid4()}",
            "project": project,
            "created_at_epoch": int(self._clock().timestamp()),
        }

    def _search_statement(
        self, query: Query, filters: tuple[str, ...]
    ) -> tuple[Select[Any], dict[str, object]]:
        search = self._text_search
        # A phrase is looked for among the rows that have its words.
        patterns = [f"% {phrase} %" for phrase in query.phrases]
        if search is None:
            patterns += [f"% {word.text}{'%' if word.is_prefix else ' %'}" for word in query.words]
        parameters: dict[str, object] = {
            f"pattern_{number}": pattern for number, pattern in enumerate(patterns)
        }
        if search is not None:
            parameters["query_"] = search.query(query.words)
        match = None if search is None else search.match
        return _search_statement(match, filters, len(patterns)), parameters


@cache
def _around(of_project: bool) -> tuple[Select[Any], Select[Any]]:  # noqa: FBT001
    epoch: BindParameter[int] = bindparam("epoch_")
    row_id: BindParameter[int] = bindparam("id_")
    # The first condition follows from the second, but it is what an index can look for.
    earlier = and_(_C.created_at_epoch <= epoch, or_(_C.created_at_epoch < epoch, _C.id < row_id))
    later = and_(_C.created_at_epoch >= epoch, or_(_C.created_at_epoch > epoch, _C.id > row_id))
    project = [_OF_PROJECT] if of_project else []
    limit: BindParameter[int] = bindparam("limit_")
    return (
        select(_TABLE).where(earlier, *project).order_by(*_NEWEST_FIRST).limit(limit),
        select(_TABLE).where(later, *project).order_by(*_OLDEST_FIRST).limit(limit),
    )


@lru_cache(maxsize=256)
def _search_statement(
    match: ColumnElement[bool] | None, filters: tuple[str, ...], patterns: int
) -> Select[Any]:
    padded = literal(" ") + _C.search_text + literal(" ")
    conditions = [_FILTERS[name] for name in filters]
    conditions += [padded.like(bindparam(f"pattern_{number}")) for number in range(patterns)]
    if match is not None:
        conditions.append(match)
    return (
        select(_C.id, _C.created_at_epoch, _C.title, _C.subtitle, _C.concepts)
        .where(*conditions)
        .order_by(*_NEWEST_FIRST)
        .limit(_CANDIDATES)
    )


def _rank(query: Query, row: Row) -> tuple[int, int, int]:
    row_id, epoch, title, subtitle, concepts = row
    known = " ".join(str(concept) for concept in concepts or ())
    hits = 2 * count_hits(query, title) + count_hits(query, subtitle) + count_hits(query, known)
    return hits, epoch, row_id


def _records(rows: Iterable[Row]) -> list[ObservationRecord]:
    return [ObservationRecord._make(row) for row in rows]


def _text(value: object, column: Column[Any]) -> str:
    return check_text(value, f"{_TABLE.name}.{column.name}")


def _title(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    sentence = _SENTENCE.match(line)
    return (sentence[0] if sentence else line)[:_LONGEST_TITLE].rstrip() or "Untitled"
