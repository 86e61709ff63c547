"""Agent sessions: `db.sessions`."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

from sqlalchemy import bindparam, delete, func, or_, select, update

from teleclaude.errors import ConflictError, InvalidValueError
from teleclaude.store.columns import checked, column
from teleclaude.store.models import Session, metadata
from teleclaude.store.records import SessionRecord
from teleclaude.store.session_update import BY_ID, not_found, update_session
from teleclaude.store.types import JsonDocument
from teleclaude.store.values import check_text, dump_document, writes_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, Select, Update

    from teleclaude.store.context import StoreContext
    from teleclaude.store.ways import Row

ACTIVE: Final = "active"
CLOSED: Final = "closed"
HEADLESS: Final = "headless"

_TABLE = metadata.tables["sessions"]
_C = _TABLE.c
_SURROGATES: Final = range(0xD800, 0xE000)
"""Code points that no text has."""
_STAMPS: Final = {
    "last_message_sent": "last_message_sent_at",
    "last_output_raw": "last_output_at",
}
"""Fields whose setting also notes the time."""

_FIXED: Final = ("session_id",)
"""Fields that an update cannot change: other rows, and other programs, refer to them."""

_OPTIONAL: Final = {
    name: field for name, field in Session.model_fields.items() if not field.is_required()
}
_DEFAULTS: Final = {
    name: field.get_default() for name, field in _OPTIONAL.items() if field.default_factory is None
}
"""What fields of a new session are unless they are given: nothing that could be changed."""

_MADE_DEFAULTS: Final = {
    name: cast("Callable[[], object]", field.default_factory)
    for name, field in _OPTIONAL.items()
    if field.default_factory is not None
}
"""What makes the others, for each session anew."""

_NEWEST_FIRST: Final = (_C.last_activity.desc(), _C.session_id)

_GET: Final = select(_TABLE).where(BY_ID)
_ALL: Final = select(_TABLE).order_by(*_NEWEST_FIRST)
_COUNT: Final = select(func.count()).select_from(_TABLE)
_COUNT_COMPUTER: Final = _COUNT.where(_C.computer_name == bindparam("computer_name"))
_METADATA: Final = select(_C.session_id, _C.adapter_metadata).where(
    _C.adapter_metadata.is_not(None)
)
_METADATA_OPEN: Final = _METADATA.where(_C.closed_at.is_(None))
_GET_MANY: Final = select(_TABLE).where(_C.session_id.in_(bindparam("ids_", expanding=True)))
_READ_AT_ONCE: Final = 1000
"""Ids in one statement: engines limit the number of parameters."""
_DELETE: Final = delete(_TABLE).where(BY_ID)
_TOUCH: Final = update(_TABLE).where(BY_ID).values(last_activity=bindparam("now"))
_CLOSE: Final = (
    update(_TABLE)
    .where(BY_ID)
    .values(
        closed_at=func.coalesce(_C.closed_at, bindparam("now", type_=_C.closed_at.type)),
        lifecycle_status=CLOSED,
    )
)


class Sessions:
    """The sessions of agents, open and closed."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._insert = context.upsert(_TABLE, ("session_id",), ())

    async def create(
        self,
        computer_name: str,
        tmux_session_name: str | None,
        last_input_origin: str,
        title: str | None = None,
        *,
        session_id: str | None = None,
        **fields: object,
    ) -> SessionRecord:
        """Create a session; it is open, and active unless told otherwise.

        Args:
            computer_name: Where it runs.
            tmux_session_name: Its terminal.
            last_input_origin: Where its last input came from, such as `telegram`.
            title: Its title; empty or left out, it becomes `[<computer_name>] Untitled`.
            session_id: Its id; left out, a random UUID.
            **fields: Any other columns of `sessions`.

        Returns:
            The session as it is stored.

        Raises:
            ConflictError: The id exists.
            InvalidValueError: A field does not exist or its value cannot be stored.
        """
        now = self._clock()
        given: dict[str, object] = {
            "created_at": now,
            "last_activity": now,
            **fields,
            "session_id": str(uuid4()) if session_id is None else session_id,
            "computer_name": computer_name,
            "tmux_session_name": tmux_session_name,
            "last_input_origin": last_input_origin,
            "title": title or f"[{computer_name}] Untitled",
        }
        made = {name: make() for name, make in _MADE_DEFAULTS.items()}
        row = {**_DEFAULTS, **made, **checked(_TABLE, given)}
        if not (await self._executor.write(self._insert, row)).rowcount:
            message = f"There is already a session {row['session_id']!r}."
            raise ConflictError(message)
        return SessionRecord(**row)  # bound, so every type was checked

    async def create_headless(  # noqa: PLR0913 - as for `create`
        self,
        computer_name: str,
        last_input_origin: str,
        title: str | None = None,
        *,
        session_id: str | None = None,
        active_agent: str | None = None,
        native_session_id: str | None = None,
        native_log_file: str | None = None,
        **fields: object,
    ) -> SessionRecord:
        """Create a session without a terminal.

        Args:
            computer_name: Where it runs.
            last_input_origin: Where its last input came from.
            title: Its title; empty or left out, it becomes `[<computer_name>] Untitled`.
            session_id: Its id; left out, a random UUID.
            active_agent: The agent it belongs to.
            native_session_id: The agent's own id of the session.
            native_log_file: The agent's own transcript.
            **fields: Any other columns of `sessions`.

        Returns:
            The session as it is stored.

        Raises:
            ConflictError: The id exists.
            InvalidValueError: A field does not exist or its value cannot be stored.
        """
        return await self.create(
            computer_name,
            None,
            last_input_origin,
            title,
            session_id=session_id,
            **{
                "lifecycle_status": HEADLESS,
                **fields,
                "active_agent": active_agent,
                "native_session_id": native_session_id,
                "native_log_file": native_log_file,
            },
        )

    async def get(self, session_id: str) -> SessionRecord | None:
        """Give a session, or `None` when there is none of that id."""
        rows = await self._executor.read(_GET, {"id_": session_id})
        return SessionRecord._make(rows[0]) if rows else None

    async def get_field(self, session_id: str, field: str) -> Any:  # noqa: ANN401 - any column's type
        """Give one field of a session.

        Args:
            session_id: Which session.
            field: Name of the field.

        Returns:
            Its value.

        Raises:
            NotFoundError: There is no such session.
            InvalidValueError: There is no such field.
        """
        column(_TABLE, field)
        rows = await self._executor.read(_field_statement(field), {"id_": session_id})
        if not rows:
            raise not_found(session_id)
        return rows[0][0]

    async def find_by_field(
        self, field: str, value: object, *, include_initializing: bool = False
    ) -> SessionRecord | None:
        """Find the open session with a value in a field.

        Args:
            field: Name of the field.
            value: What it must hold; `None` finds nothing.
            include_initializing: Whether sessions that are not `active` count too.

        Returns:
            The one that was active most recently, or `None`.

        Raises:
            InvalidValueError: There is no such field, or the value cannot be compared with it.
        """
        target = column(_TABLE, field)
        if value is None:
            return None
        if isinstance(target.type, JsonDocument):
            return await self._find_by_document(target, value, include_initializing)
        statement = _find_statement(target.name, include_initializing)
        rows = await self._executor.read(statement, {"value": value})
        return SessionRecord._make(rows[0]) if rows else None

    async def _find_by_document(
        self,
        target: Column[object],
        value: object,
        include_initializing: bool,  # noqa: FBT001
    ) -> SessionRecord | None:
        # Compared here and not in the database: 1 and 1.0 are two documents, but not for an engine
        # that compares numbers as numbers.
        where = f"{_TABLE.name}.{target.name}"
        wanted = dump_document(value, where)
        rows = await self._executor.read(_document_statement(target.name, include_initializing))
        found = (row[0] for row in rows if writes_as(row[1], wanted, where))
        session_id = next(found, None)
        return None if session_id is None else await self.get(session_id)

    async def list(
        self,
        *,
        computer_name: str | None = None,
        last_input_origin: str | None = None,
        include_closed: bool = False,
        include_headless: bool = False,
        include_initializing: bool = False,
    ) -> Sequence[SessionRecord]:
        """List sessions, by default the open and active ones.

        Args:
            computer_name: Only those of this computer.
            last_input_origin: Only those whose last input came from here.
            include_closed: Closed ones too.
            include_headless: Headless ones too.
            include_initializing: Those of every status too, except headless.

        Returns:
            The sessions, newest activity first, ties by id.
        """
        filters = {"computer_name": computer_name, "last_input_origin": last_input_origin}
        given = {name: value for name, value in filters.items() if value is not None}
        statement = _list_statement(
            tuple(given), include_closed, include_headless, include_initializing
        )
        return _records(await self._executor.read(statement, given))

    async def list_all(self) -> Sequence[SessionRecord]:
        """List every session there is, newest activity first."""
        return _records(await self._executor.read(_ALL))

    async def count(self, computer_name: str | None = None) -> int:
        """Count all sessions, closed ones included.

        Args:
            computer_name: Only those of this computer.
        """
        if computer_name is None:
            rows = await self._executor.read(_COUNT)
        else:
            rows = await self._executor.read(_COUNT_COMPUTER, {"computer_name": computer_name})
        return int(rows[0][0])

    async def find_by_adapter_metadata(
        self, adapter: str, key: str, value: str | int, *, include_closed: bool = False
    ) -> Sequence[SessionRecord]:
        """Find the sessions whose adapter metadata holds a value.

        Documents are compared here and not in the database, because engines disagree about numbers,
        booleans and quoting inside JSON paths. Only ids and documents of the candidates are read.

        Args:
            adapter: The adapter, such as `telegram`: the document's outer key.
            key: The inner key.
            value: What `document[adapter][key]` must be. A number also matches its decimal text,
                and the reverse.
            include_closed: Closed sessions too.

        Returns:
            The sessions, newest activity first.
        """
        candidates = await self._executor.read(_METADATA if include_closed else _METADATA_OPEN)
        ids = [one for one, document in candidates if _holds(document, adapter, key, value)]
        records: list[SessionRecord] = []
        for start in range(0, len(ids), _READ_AT_ONCE):
            some = {"ids_": ids[start : start + _READ_AT_ONCE]}
            records += _records(await self._executor.read(_GET_MANY, some))
        records.sort(key=lambda record: record.session_id)
        return sorted(records, key=lambda record: record.last_activity, reverse=True)

    async def find_by_title_prefix(
        self, prefix: str, *, include_closed: bool = False
    ) -> Sequence[SessionRecord]:
        """Find the sessions whose title begins with a text, letter by letter; not headless ones.

        Args:
            prefix: The text; no character of it is special.
            include_closed: Closed sessions too.

        Returns:
            The sessions, newest created first.
        """
        check_text(prefix, "sessions.title")
        bounds = {"prefix": prefix}
        if (beyond := _beyond(prefix)) is not None:
            bounds["beyond"] = beyond
        statement = _prefix_statement(include_closed, beyond is not None)
        return _records(await self._executor.read(statement, bounds))

    async def update(self, session_id: str, /, **fields: object) -> tuple[str, ...]:
        """Change fields of a session; what is already so is not written.

        Setting `last_message_sent` or `last_output_raw` to a text also sets `last_message_sent_at`
        or `last_output_at` to now, unless that is given.

        Args:
            session_id: Which session.
            **fields: New values by column name. Instants may be ISO 8601 text.

        Returns:
            The names of the fields that changed; none when nothing was written.

        Raises:
            NotFoundError: There is no such session.
            InvalidValueError: A field does not exist, cannot be changed, or its value cannot be
                stored.
        """
        wanted = checked(_TABLE, self._with_stamps(fields))
        for name in _FIXED:
            if name in wanted:
                message = f"The field {name!r} of a session cannot be changed."
                raise InvalidValueError(message)

        return await update_session(self._executor, session_id, wanted)

    async def touch(self, session_id: str) -> None:
        """Note that a session was active just now.

        Raises:
            NotFoundError: There is no such session.
        """
        await self._write_one(_TOUCH, session_id, now=self._clock())

    async def close(self, session_id: str) -> None:
        """Close a session; closing it again changes nothing.

        Raises:
            NotFoundError: There is no such session.
        """
        await self._write_one(_CLOSE, session_id, now=self._clock())

    async def delete(self, session_id: str) -> bool:
        """Delete a session, and the message deletions that wait for it.

        Returns:
            Whether it existed.
        """
        return (await self._executor.write(_DELETE, {"id_": session_id})).rowcount > 0

    async def _write_one(self, statement: Update, session_id: str, **values: object) -> None:
        written = await self._executor.write(statement, {"id_": session_id, **values})
        if not written.rowcount:
            raise not_found(session_id)

    def _with_stamps(self, fields: Mapping[str, object]) -> Mapping[str, object]:
        now = self._clock()
        stamps = {
            stamp: now
            for name, stamp in _STAMPS.items()
            if fields.get(name) is not None and stamp not in fields
        }
        return {**fields, **stamps}


@cache
def _field_statement(name: str) -> Select[Any]:
    return select(_C[name]).where(BY_ID)


def _findable(include_initializing: bool) -> list[ColumnElement[bool]]:  # noqa: FBT001
    is_active = [] if include_initializing else [_C.lifecycle_status == ACTIVE]
    return [_C.closed_at.is_(None), *is_active]


@cache
def _document_statement(name: str, include_initializing: bool) -> Select[Any]:  # noqa: FBT001
    conditions = [_C[name].is_not(None), *_findable(include_initializing)]
    return select(_C.session_id, _C[name]).where(*conditions).order_by(*_NEWEST_FIRST)


@cache
def _find_statement(name: str, include_initializing: bool) -> Select[Any]:  # noqa: FBT001
    found = _C[name] == bindparam("value")
    return (
        select(_TABLE)
        .where(found, *_findable(include_initializing))
        .order_by(*_NEWEST_FIRST)
        .limit(1)
    )


@cache
def _list_statement(
    filters: tuple[str, ...],
    include_closed: bool,  # noqa: FBT001
    include_headless: bool,  # noqa: FBT001
    include_initializing: bool,  # noqa: FBT001
) -> Select[Any]:
    conditions = [_C[name] == bindparam(name) for name in filters]
    if not include_closed:
        conditions.append(_C.closed_at.is_(None))
    if include_initializing:
        if not include_headless:
            conditions.append(_C.lifecycle_status != HEADLESS)
    else:
        extra = {CLOSED: include_closed, HEADLESS: include_headless}
        admitted = [ACTIVE, *(status for status, wanted in extra.items() if wanted)]
        conditions.append(or_(*(_C.lifecycle_status == status for status in admitted)))
    return select(_TABLE).where(*conditions).order_by(*_NEWEST_FIRST)


@cache
def _prefix_statement(include_closed: bool, bounded: bool) -> Select[Any]:  # noqa: FBT001
    # A range instead of LIKE: it is exact about case on every engine and nothing needs escaping.
    conditions = [_C.title >= bindparam("prefix"), _C.lifecycle_status != HEADLESS]
    if bounded:
        conditions.append(_C.title < bindparam("beyond"))
    if not include_closed:
        conditions.append(_C.closed_at.is_(None))
    return select(_TABLE).where(*conditions).order_by(_C.created_at.desc(), _C.session_id)


def _records(rows: Iterable[Row]) -> Sequence[SessionRecord]:
    return [SessionRecord._make(row) for row in rows]


def _holds(document: object, adapter: str, key: str, value: str | int) -> bool:
    inner = document.get(adapter) if isinstance(document, dict) else None
    stored = inner.get(key) if isinstance(inner, dict) else None
    comparable = isinstance(stored, (str, int)) and not isinstance(stored, bool)
    return comparable and str(stored) == str(value)


def _beyond(prefix: str) -> str | None:
    """Give the least text, by code point, that is greater than all that begin with the prefix."""
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= sys.maxunicode:
            return prefix[: end - 1] + chr(following)
    return None
