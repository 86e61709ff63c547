"""Changing fields of a session, in as few statements as that takes.

What changes must be known, so what is stored must be compared with what is wanted, and nobody may
change it in between. A lock does that in four round trips. But mostly nobody is about to: then the
UPDATE itself can look, and only if it finds something else is it done again with a lock.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select, update

from teleclaude.errors import NotFoundError
from teleclaude.store.columns import changed
from teleclaude.store.models import metadata
from teleclaude.store.types import JsonDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Select, Update

    from teleclaude.store.executor import Executor
    from teleclaude.store.ways import Row

    Names = tuple[str, ...]
    Values = Mapping[str, object]

_TABLE: Final = metadata.tables["sessions"]
_C: Final = _TABLE.c

BY_ID: Final = _C.session_id == bindparam("id_")  # no SET parameter can have this name
"""Which session a statement is about."""

_COMPARED: Final = "compared_"
"""Begins the names of parameters that are compared with what is stored."""


async def update_session(executor: Executor, session_id: str, wanted: Values) -> Names:
    """Change what differs.

    Args:
        executor: Runs the statements.
        session_id: Which session.
        wanted: Column name to new value, from `checked`.

    Returns:
        The names of the fields that changed, sorted.

    Raises:
        NotFoundError: There is no such session.
    """
    documents = any(isinstance(_C[name].type, JsonDocument) for name in wanted)
    names = None if documents else await _update(executor, session_id, wanted)
    return await _update_locked(executor, session_id, wanted) if names is None else names


def not_found(session_id: str) -> NotFoundError:
    """Give the error for a session that does not exist."""
    return NotFoundError(f"There is no session {session_id!r}.")


async def _update(executor: Executor, session_id: str, wanted: Values) -> Names | None:
    """Change what differs, or nothing and give `None` where somebody else changes it as well."""
    by_id = {"id_": session_id}
    if len(wanted) == 1:
        one = _change_one(*wanted)
        if (await executor.write(one, {**by_id, **wanted, **_compared(wanted)})).rowcount:
            return tuple(wanted)
    rows = await executor.read(_fields(_asked(wanted)), by_id)
    stored = _stored(session_id, wanted, rows)
    names = changed(_TABLE, stored, wanted)
    if not names:
        return ()
    new, old = ({name: values[name] for name in names} for values in (wanted, stored))
    written = await executor.write(_replace(names), {**by_id, **new, **_compared(old)})
    return names if written.rowcount else None


async def _update_locked(executor: Executor, session_id: str, wanted: Values) -> Names:
    """Change what differs while nobody else can."""

    async def unit(executor: Executor) -> Names:
        by_id = {"id_": session_id}
        rows = await executor.read(_fields(_asked(wanted), locked=True), by_id)
        names = changed(_TABLE, _stored(session_id, wanted, rows), wanted)
        if names:
            await executor.write(_set(names), {**by_id, **{name: wanted[name] for name in names}})
        return names

    return await executor.run(unit)


def _asked(wanted: Iterable[str]) -> Names:
    return tuple(wanted) or ("session_id",)


def _stored(session_id: str, wanted: Iterable[str], rows: Sequence[Row]) -> Values:
    if not rows:
        raise not_found(session_id)
    return dict(zip(_asked(wanted), rows[0], strict=True))


def _compared(values: Values) -> Values:
    return {f"{_COMPARED}{name}": value for name, value in values.items()}


def _is_compared(name: str) -> ColumnElement[bool]:
    value = bindparam(f"{_COMPARED}{name}", type_=_C[name].type)
    return _C[name].is_not_distinct_from(value)


@lru_cache(maxsize=256)
def _fields(names: Names, *, locked: bool = False) -> Select[Any]:
    statement = select(*(_C[name] for name in names)).where(BY_ID)
    return statement.with_for_update() if locked else statement


@lru_cache(maxsize=256)
def _set(names: Names) -> Update:
    return update(_TABLE).where(BY_ID).values({name: bindparam(name) for name in names})


@lru_cache(maxsize=256)
def _change_one(name: str) -> Update:
    return _set((name,)).where(~_is_compared(name))


@lru_cache(maxsize=256)
def _replace(names: Names) -> Update:
    return _set(names).where(*map(_is_compared, names))
