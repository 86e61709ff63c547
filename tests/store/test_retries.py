"""What is run again, how often and after how long, on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import ConflictError, InvalidValueError, NotFoundError
from teleclaude.store import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude.store import Db


@pytest.mark.parametrize("attempt", [0, 3, 4, 30])
def test_waits_grow_up_to_a_ceiling_and_are_drawn(attempt: int) -> None:
    """The longest wait doubles, is never above the ceiling, and no two waits are alike."""
    policy = RetryPolicy(base=0.1, ceiling=1.5)
    longest = min(1.5, 0.1 * 2**attempt)
    waits = [policy.pause(attempt) for _ in range(1000)]
    assert 0 <= min(waits) < longest / 10
    assert longest * 9 / 10 < max(waits) <= longest
    assert len(set(waits)) > 900


def test_the_default_policy_gives_up_within_seconds() -> None:
    """Together, the waits of all attempts stay short enough for somebody who waits for them."""
    policy = RetryPolicy()
    longest = sum(min(policy.ceiling, policy.base * 2**n) for n in range(policy.attempts - 1))
    assert 1 < policy.attempts <= 10
    assert longest < 5


REFUSED: dict[str, Callable[[Db], Awaitable[object]]] = {
    "an id that exists": lambda db: db.sessions.create("mac", None, "api", session_id="1"),
    "a session that does not": lambda db: db.sessions.touch("nobody"),
    "a unit about nobody": lambda db: db.sessions.update("nobody", title="x"),
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
