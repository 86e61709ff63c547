"""Who wants which events sent where: `db.webhook_contracts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select, update

from teleclaude.store.columns import checked
from teleclaude.store.models import metadata
from teleclaude.store.records import Contract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.store.context import StoreContext
    from teleclaude.store.values import Document

_TABLE = metadata.tables["webhook_contracts"]
_ALL: Final = select(_TABLE).order_by(_TABLE.c.created_at, _TABLE.c.id)
_ACTIVE: Final = _ALL.where(_TABLE.c.active == bindparam("wanted"))
_DEACTIVATE: Final = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("id_"), _TABLE.c.active == bindparam("wanted"))
    .values(active=False, updated_at=bindparam("now"))
)


class WebhookContracts:
    """Subscriptions by id."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._upsert = context.upsert(
            _TABLE, ("id",), ("contract_json", "active", "source", "updated_at")
        )

    async def upsert(self, contract_id: str, contract: Document, source: str = "api") -> None:
        """Store a subscription; one that was deactivated is active again.

        Args:
            contract_id: Its id.
            contract: What it says.
            source: Where it came from.
        """
        now = self._clock()
        row = {
            "id": contract_id,
            "contract_json": contract,
            "active": True,
            "source": source,
            "created_at": now,
            "updated_at": now,
        }
        await self._executor.write(self._upsert, checked(_TABLE, row))

    async def deactivate(self, contract_id: str) -> bool:
        """Stop a subscription; it is kept.

        Returns:
            Whether it was active.
        """
        parameters = {"id_": contract_id, "wanted": True, "now": self._clock()}
        return (await self._executor.write(_DEACTIVATE, parameters)).rowcount > 0

    async def list(self, *, active_only: bool = True) -> Sequence[Contract]:
        """List the subscriptions, oldest first.

        Args:
            active_only: Leave out those that were deactivated.
        """
        if active_only:
            rows = await self._executor.read(_ACTIVE, {"wanted": True})
        else:
            rows = await self._executor.read(_ALL)
        return [Contract._make(row) for row in rows]
