"""What is not run again: refusals, and failures that are not the database's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import ConflictError, InvalidValueError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude.store import Db


REFUSED: dict[str, Callable[[Db], Awaitable[object]]] = {
    "an id that exists": lambda db: db.sessions.create("mac", None, "api", session_id="1"),
    "a session that does not": lambda db: db.sessions.touch("nobody"),
    "a unit about nobody": lambda db: db.sessions.update("nobody", adapter_metadata={}),
    "a broken constraint": lambda db: db.pending_deletions.add("nobody", "message"),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
async def test_what_would_fail_again_is_not_repeated(
    db: Db, statements: list[str], refused: Callable[[Db], Awaitable[object]]
) -> None:
    """A refusal by the database or by the store is told at once."""
    await db.sessions.create("mac", None, "api", session_id="1")
    statements.clear()
    with pytest.raises((ConflictError, NotFoundError)):
        await refused(db)
    sent = [word for word in statements if word not in ("BEGIN", "ROLLBACK")]
    assert len(sent) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError, InvalidValueError, TimeoutError, OSError])
async def test_a_unit_that_fails_by_itself_is_not_repeated(db: Db, error: type[Exception]) -> None:
    """What a unit of work raises has nothing to do with the database, whatever it is called."""
    runs: list[object] = []

    async def unit(tx: Any) -> None:
        runs.append(tx)
        raise error

    with pytest.raises(error):
        await db._executor.run(unit)
    assert len(runs) == 1
