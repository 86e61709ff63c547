"""How engines run the statements of the store: what they read from end to end.

A module for each engine reads its EXPLAIN: it has the text that goes before a statement, `EXPLAIN`,
and `read_whole`, which finds the tables in the rows that come back.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from provisioning import Provisioner, Section
    from teleclaude.store import Db

_READERS: Final = {"sqlite": "sqlite_plans", "postgresql": "postgres_plans"}


def _note_on_lane(
    sent: list[tuple[str, Sequence[object]]],
) -> Callable[[str, Sequence[object]], None]:
    def note(sql: str, values: Sequence[object]) -> None:
        if not sql.startswith(("BEGIN", "COMMIT")):
            sent.append((sql, values))

    return note


async def read_whole(
    db: Db, operation: Awaitable[object], provisioner: Provisioner, section: Section
) -> set[str]:
    """Run an operation and give the tables that its statements read from end to end.

    Args:
        db: The store whose operation it is.
        operation: What to run; at least one statement.
        provisioner: What explains the statements.
        section: Where.
    """
    sent: list[tuple[str, Sequence[object]]] = []
    engine = db._engine.sync_engine

    def note(*arguments: object) -> None:
        sent.append((str(arguments[2]), arguments[3]))  # type: ignore[arg-type]

    event.listen(engine, "before_cursor_execute", note)
    on_lane = [] if db._lane is None else db._lane.observers
    on_lane.append(_note_on_lane(sent))
    try:
        await operation
    finally:
        event.remove(engine, "before_cursor_execute", note)
        on_lane.pop()
    assert sent
    reader = import_module(_READERS[str(section["engine"])])
    return {
        table
        for sql, parameters in sent
        for table in reader.read_whole(
            provisioner.execute(reader.EXPLAIN + sql, *parameters, section=section)
        )
    }
