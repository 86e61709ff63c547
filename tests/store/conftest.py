"""Fixtures of the store tests that only they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from outboxes import OUTBOXES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from outboxes import AnyOutbox
    from teleclaude.store import Db, Stores


@pytest.fixture(params=["by itself", "in a transaction"])
async def stores(request: pytest.FixtureRequest, db: Db) -> AsyncIterator[Stores]:
    """The stores: those whose operations run by themselves, and those of an open transaction."""
    if request.param == "by itself":
        yield db
        return
    async with db.transaction() as tx:
        yield tx


@pytest.fixture(params=list(OUTBOXES.values()), ids=list(OUTBOXES))
def outbox(request: pytest.FixtureRequest) -> AnyOutbox:
    """Each of the outboxes."""
    kind: AnyOutbox = request.param
    return kind
