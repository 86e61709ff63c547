"""The recipe of a hook event's row: the statement as text, and where each of its values comes from.

Nothing about the row is said twice: the store's own `enqueue` says which columns it sets, the
models' types say how the engine wants each value. Both are watched with values that are recognised
afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from sqlalchemy import String, bindparam, column, insert, select, table
from sqlalchemy.schema import ColumnDefault

from teleclaude.store.context import StoreContext
from teleclaude.store.models import metadata
from teleclaude.store.outbox import HookOutbox
from teleclaude.store.types import Key
from teleclaude.store.values import dump_document, format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, Dialect, Insert

    from teleclaude.backends import Backend
    from teleclaude.store.executor import Executor

Parameter = tuple[str, object, str]
"""How a parameter's value is made; `quick` knows the kinds."""

_TABLE: Final = metadata.tables["hook_outbox"]
_REVISION: Final = table("alembic_version", column("version_num", String(32)))
_HEAD: Final = "head_"

_SESSION: Final = "the session"
_EVENT: Final = "the event"
_PAYLOAD: Final[dict[str, object]] = {"a": ["payload", 1.5, None]}
_NOW: Final = datetime(2001, 2, 3, 4, 5, 6, 789012, UTC)


class Recipe(NamedTuple):
    """How the row of an event is made.

    Attributes:
        statement: The INSERT as the engine's dialect writes it. It inserts nothing where the schema
            is not at the expected revision.
        parameters: For each of its parameters, in their order: its kind, a detail, and its column.
    """

    statement: str
    parameters: Sequence[Parameter]


class UnsuitableError(Exception):
    """The engine wants a value in a form that cannot be said in a manifest."""


async def make_recipe(backend: Backend, dialect: Dialect, head: str | None) -> Recipe:
    """Find out how the row of a hook event is made.

    Args:
        backend: The engine's backend.
        dialect: The dialect of an engine that the backend made.
        head: The revision that the schema must have.

    Returns:
        The recipe.

    Raises:
        UnsuitableError: It cannot be said like that.
    """
    given = await _enqueued(backend, dialect)
    compiled = _statement([*given]).compile(dialect=dialect)
    if compiled.positiontup is None:
        raise UnsuitableError("The dialect does not number its parameters.")
    parameters = [
        ("constant", head, "")
        if name == _HEAD
        else _parameter(_TABLE.c[name], given[name], dialect)
        for name in compiled.positiontup
    ]
    return Recipe(str(compiled), parameters)


class _Recorder:
    """An executor that only remembers what it should insert."""

    def __init__(self) -> None:
        self.row: dict[str, object] = {}

    async def insert(self, _statement: object, row: Mapping[str, object]) -> int:
        self.row.update(row)
        return 0


async def _enqueued(backend: Backend, dialect: Dialect) -> dict[str, object]:
    """Give the row that the store inserts, what Python adds by default included."""
    recorder = _Recorder()
    context = StoreContext(
        executor=cast("Executor", recorder),
        upsert=backend.upsert,
        clock=lambda: _NOW,
        dialect=dialect,
        text_search=backend.text_search,
    )
    await HookOutbox(context).enqueue(_SESSION, _EVENT, _PAYLOAD)
    defaults = {
        each.name: each.default.arg
        for each in _TABLE.columns
        if isinstance(each.default, ColumnDefault) and each.default.is_scalar
    }
    return defaults | recorder.row


def _statement(names: Sequence[str]) -> Insert:
    values = (bindparam(name, type_=_TABLE.c[name].type) for name in names)
    at_head = _REVISION.c.version_num == bindparam(_HEAD, type_=String())
    return insert(_TABLE).from_select(names, select(*values).select_from(_REVISION).where(at_head))


def _parameter(target: Column[Any], value: object, dialect: Dialect) -> Parameter:
    engine_type = target.type.dialect_impl(dialect)
    processor = engine_type.bind_processor(dialect)
    bound: object = processor(value) if processor else value
    where = str(target)
    if value in (_SESSION, _EVENT) and bound == value and isinstance(engine_type, Key):
        implementation = engine_type.impl_instance
        limit = implementation.length if isinstance(implementation, String) else None
        return ("session" if value == _SESSION else "event", limit, where)
    if value == _PAYLOAD and bound == dump_document(_PAYLOAD, where):
        return "payload", None, where
    if value == _NOW and bound == format_instant(_NOW):
        return "instant as text", None, where
    if value == _NOW and isinstance(bound, datetime) and bound == _NOW:
        return "instant", None, where
    if isinstance(bound, int | str) and bound == value:
        return "constant", bound, where
    message = f"The value for {where} has a form of its own."
    raise UnsuitableError(message)
