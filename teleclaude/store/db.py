"""`Db`: opening and closing the store, transactions, and the stores themselves.

It has no query of its own: those are in the stores, one module per aggregate.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Self

from teleclaude.backends.translation import translated
from teleclaude.migrations import Migrator
from teleclaude.store.agents import Agents
from teleclaude.store.context import StoreContext, utc_now
from teleclaude.store.engine_way import EngineWay
from teleclaude.store.executor import StoreExecutor
from teleclaude.store.lane_way import LaneWay
from teleclaude.store.listeners import Listeners
from teleclaude.store.memory import Memory
from teleclaude.store.models import metadata
from teleclaude.store.outbox import HookOutbox, NotificationOutbox, WebhookOutbox
from teleclaude.store.pending_deletions import PendingDeletions
from teleclaude.store.prepared import Preparer
from teleclaude.store.sessions import Sessions
from teleclaude.store.settings import Settings
from teleclaude.store.voices import Voices
from teleclaude.store.webhook_contracts import WebhookContracts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    from teleclaude.config import Config
    from teleclaude.store.context import Clock
    from teleclaude.store.executor import Executor, RetryPolicy
    from teleclaude.store.ways import Way


class Stores:
    """The stores, bound to one way of running statements.

    Attributes:
        sessions: Agent sessions.
        pending_deletions: Messages that are still to be deleted for a session.
        listeners: Sessions that wait for another one to stop.
        voices: The voices that sessions speak with.
        agents: Which agents can be used at the moment.
        memory: What is remembered about projects.
        settings: Settings that are changed while the daemon runs.
        hook_outbox: Hook events of agents.
        notification_outbox: Notifications to people.
        webhook_outbox: Events for subscribers' URLs.
        webhook_contracts: Who those subscribers are.
    """

    def __init__(self, context: StoreContext) -> None:
        """Make the stores."""
        self.sessions = Sessions(context)
        self.pending_deletions = PendingDeletions(context)
        self.listeners = Listeners(context)
        self.voices = Voices(context)
        self.agents = Agents(context)
        self.memory = Memory(context)
        self.settings = Settings(context)
        self.hook_outbox = HookOutbox(context)
        self.notification_outbox = NotificationOutbox(context)
        self.webhook_outbox = WebhookOutbox(context)
        self.webhook_contracts = WebhookContracts(context)


class Db(Stores):
    """The store of one database.

    Every operation of the stores runs by itself; `transaction()` gives the same stores with all
    their operations in one transaction.

    Example:
        ```python
        async with Db(load_config()) as db:
            await db.settings.set("greeting", "hello")
        ```

    Attributes:
        migrator: The schema of the database.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock = utc_now,
        retry: RetryPolicy | None = None,
        lane: bool = True,
    ) -> None:
        """Make the store; nothing is connected until `open`.

        Args:
            config: Which backend, and where the database is.
            clock: Tells the time; injected by tests.
            retry: How often and when what is safe to repeat is repeated.
            lane: Whether statements run on the backend's statement lane, if it has one; otherwise
                they run through its engine, which is slower and means the same.
        """
        self._backend = config.backend
        self._location = config.database.location
        self._engine = self._backend.create_engine(config.database)
        self._clock = clock
        self._upsert = cache(self._backend.upsert)
        self._text_search = cache(self._backend.text_search)
        self._lane = self._backend.statement_lane(config.database) if lane else None
        self._executor = StoreExecutor(self._way(), self._backend, self._location, retry=retry)
        self.migrator = Migrator(self._backend, config.database, self._engine, metadata)
        super().__init__(self._context(self._executor))

    async def open(self) -> None:
        """Make the store usable: connect, and make sure that the schema is the one expected.

        Raises:
            SchemaOutdatedError: The schema is older than this version of TeleClaude, or missing.
            SchemaTooNewError: It is newer.
            StoreUnavailableError: The database does not exist or cannot be reached.
        """
        try:
            await self.migrator.require_head()
            if self._lane is not None:
                await self._engine.dispose()  # the lane has connections of its own
        except BaseException:
            await self.close()
            raise
        self._executor.open()

    async def close(self) -> None:
        """Close all connections. Closing twice is no error."""
        await self._executor.close()
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        """Open the store."""
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the store."""
        await self.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Stores]:
        """Run several operations together or not at all.

        The transaction is committed at the end of the block and rolled back when an exception
        leaves it. Where the engine has one writer, others wait meanwhile: keep the block short.

        Yields:
            The stores, all of whose operations belong to the transaction.

        Raises:
            StoreUnavailableError: The transaction could not be opened, or the connection broke
                while it was committed (`outcome_unknown` is then set).
            StoreError: An operation failed and its error was swallowed: nothing is committed.
        """
        async with self._executor.transaction() as executor:
            yield Stores(self._context(executor))

    def _way(self) -> Way:
        if self._lane is None:
            return EngineWay(self._engine, self._backend)
        engine = EngineWay(self._engine, self._backend, self._lane.turn)
        return LaneWay(self._lane, Preparer(self._engine.dialect), engine)

    def _context(self, executor: Executor) -> StoreContext:
        return StoreContext(
            executor=executor,
            upsert=self._upsert,
            clock=self._clock,
            dialect=self._engine.dialect,
            text_search=self._text_search,
        )

    async def maintain(self) -> Sequence[str]:
        """Do the engine's housekeeping.

        Returns:
            What was done, one short phrase each.
        """
        with translated(self._backend, self._location):
            return await self._backend.maintain(self._engine)
